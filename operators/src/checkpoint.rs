//! `checkpoint`: moves the state file to the position that every group's transaction holds, and
//! hands it on to `acknowledge`.
//!
//! It enforces the rule: nothing is acknowledged to the source until every sink has drained. The
//! state file is for people and for the next start; the tables are the truth.

mod arrivals;

use std::path::PathBuf;
use std::time::Duration;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::commit::Moved;
use crate::error::StoreError;
use crate::position::Position;
use crate::protocol::cut::Control;
use crate::protocol::kind::Kind;
use crate::protocol::ledger::Ledger;
use crate::protocol::names::TableId;
use crate::protocol::standing::Standing;
use crate::run::env::Env;
use crate::run::metrics::Metrics;
use crate::run::state::{self, State};

use self::arrivals::{Arrivals, Landed};

/// What a checkpoint needs to know about its run.
pub struct Settings<K: Kind> {
    /// The state file.
    pub path: PathBuf,
    /// The pipeline and the run, as the state file names them.
    pub run: state::Run,
    /// Where the groups stood when they were claimed.
    pub standings: Vec<Standing<K>>,
    /// Whether each cut that has landed is logged.
    pub announce: bool,
}

/// Writes the state file as the groups move; the stream carries where all of them stand then.
/// Worker 0 passes the `settings`, all others `None`.
///
/// Here, a cut that both groups of a pipeline have committed:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::collections::BTreeMap;
///
/// use lakefront_operators::checkpoint::{Settings, checkpoint};
/// use lakefront_operators::commit::Moved;
/// use lakefront_operators::format::logs::lines::{Control, Cut, Standing};
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::names::{GroupId, RunId};
/// use lakefront_operators::run::state::{self, Run};
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::vec::{Map, ToStream};
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("state.json");
/// let run = Run {
///     pipeline: "logs".to_owned(),
///     source: "file:/var/log/a.log".to_owned(),
///     run: RunId(1),
///     tables: vec!["events".to_owned(), "rejects".to_owned()],
/// };
/// let standings = vec![shared::standing(0), shared::standing(0)];
/// let settings = Settings { path: path.clone(), run, standings, announce: false };
/// let Standing { offsets, settings: rules, since, .. } = shared::standing(70);
/// let cut = Cut { lower: Position(0), upper: Position(70), offsets, settings: rules, since };
///
/// let env = shared::env();
/// let positions = timely::execute_directly(move |worker| {
///     worker.dataflow(|scope| {
///         let control = [Control::Cut(cut)].to_stream(scope);
///         let to = |group| Moved {
///             group,
///             position: Position(70),
///             drained: Position(70),
///             rows: BTreeMap::new(),
///         };
///         let moved = [0, 1].map(|group| [to(GroupId(group))].to_stream(scope));
///         let standings = checkpoint(moved.into(), control, Some(settings), &env);
///         standings.map(|standing| standing.position()).capture()
///     })
/// });
/// assert_eq!(positions.extract(), [(Position(0), vec![Position(70)])]);
/// assert_eq!(state::read(&path)?.map(|state| state.position), Some(Position(70)));
/// # Ok(())
/// # }
/// ```
pub fn checkpoint<'s, K: Kind>(
    moved: Vec<StreamVec<'s, Position, Moved>>,
    control: StreamVec<'s, Position, Control<K>>,
    settings: Option<Settings<K>>,
    env: &Env,
) -> StreamVec<'s, Position, Standing<K>> {
    let (scope, metrics, fatal) = (control.scope(), env.metrics.clone(), env.fatal.clone());
    let mut builder = OperatorBuilder::new("checkpoint".to_owned(), scope);
    let info = builder.operator_info();
    let mut control = builder.new_input(control, Exchange::new(|_: &Control<K>| 0));
    let mut moved: Vec<_> = moved.into_iter().map(|m| builder.new_input(m, Exchange::new(|_: &Moved| 0))).collect();
    let (output, stream) = builder.new_output::<Vec<Standing<K>>>();
    let mut output = OutputBuilder::<_, CapacityContainerBuilder<Vec<Standing<K>>>>::from(output);
    let tasks = env.bridge.tasks::<Result<Standing<K>, StoreError>>(scope, &info);
    builder.build(move |capabilities| {
        drop(capabilities);
        let mut settings = settings.map(|settings| {
            let arrivals = Arrivals::new(settings.standings.iter().map(Standing::position));
            (Ledger::new(&settings.standings), arrivals, settings)
        });
        // The newest standing that is not in the state file yet, and the capability of the one
        // being written.
        let mut waiting: Option<(Capability<Position>, Standing<K>)> = None;
        let mut writing: Option<Capability<Position>> = None;
        move |_frontiers| {
            // Only worker 0 receives records.
            let Some((ledger, arrivals, settings)) = &mut settings else { return };
            control.for_each(|_, records| {
                for record in records.drain(..) {
                    if let Control::Cut(cut) = record {
                        ledger.cut(&cut);
                    }
                }
            });
            for input in &mut moved {
                input.for_each(|capability, records| {
                    for moved in records.drain(..) {
                        if let Some(standing) = ledger.moved(moved.group, moved.position) {
                            waiting = Some((capability.retain(0), standing));
                        }
                        if let Some(landed) = arrivals.moved(moved) {
                            let took = metrics.cuts_landed(landed.position);
                            if settings.announce {
                                announce(&metrics, &landed, took);
                            }
                        }
                    }
                });
            }
            if fatal.is_raised() {
                return;
            }
            while let Some(written) = tasks.next_done() {
                match written {
                    Ok(standing) => {
                        fail::fail_point!("checkpoint-written");
                        let capability = writing.take().expect("a state file was being written");
                        output.activate().session(&capability).give(standing);
                    }
                    Err(error) => return fatal.raise(error.into()),
                }
            }
            if let Some((capability, standing)) = waiting.take_if(|_| writing.is_none()) {
                writing = Some(capability);
                let state = State::new(&settings.run, &standing, ledger.positions());
                let path = settings.path.clone();
                tasks.spawn(async move { state::write(path, state).await.map(|()| standing) });
            }
        }
    });
    stream
}

/// Logs what has landed since the last such line. The acknowledged position may be behind it: see
/// [`arrivals`].
fn announce(metrics: &Metrics, landed: &Landed, took: Duration) {
    let Landed { position, advanced, rows } = landed;
    let of = |table| rows.get(&TableId(table)).copied().unwrap_or_default();
    let tables = metrics.tables().iter().enumerate().map(|(i, table)| format!("{} {}", table.role(), of(i)));
    let (tables, rows) = (tables.collect::<Vec<_>>().join(", "), rows.values().sum::<u64>());
    let (seconds, lag, unit) = (took.as_secs_f64(), metrics.source_lag(), metrics.unit().as_str());
    tracing::info!(position = position.0, advanced, rows, tables, seconds, lag, unit, "landed");
}
