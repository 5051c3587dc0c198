//! `checkpoint`: moves the state file to the position that every table's transaction holds, and
//! hands it on to `acknowledge`.
//!
//! It enforces the rule: nothing is acknowledged to the source until every sink has drained. The
//! state file is for people and for the next start; the tables are the truth.

mod landing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::bridge::Bridge;
use crate::commit::Moved;
use crate::error::StoreError;
use crate::fatal::Fatal;
use crate::lines::{Control, Ledger, Standing};
use crate::metrics::Metrics;
use crate::position::Position;
use crate::state::{self, State};

use self::landing::{Landed, Landing};

/// What a checkpoint needs to know about its run.
pub struct Settings {
    /// The state file.
    pub path: PathBuf,
    /// The pipeline and the run, as the state file names them.
    pub run: state::Run,
    /// Where the tables stood when they were claimed.
    pub standings: Vec<Standing>,
    /// Whether each cut that has landed is logged.
    pub announce: bool,
}

/// Writes the state file as the tables move; the stream carries where all of them stand then.
/// Worker 0 passes the `settings`, all others `None`.
pub fn checkpoint<'s>(
    moved: Vec<StreamVec<'s, Position, Moved>>,
    control: StreamVec<'s, Position, Control>,
    settings: Option<Settings>,
    bridge: &Bridge,
    metrics: Arc<Metrics>,
    fatal: Fatal,
) -> StreamVec<'s, Position, Standing> {
    let scope = control.scope();
    let mut builder = OperatorBuilder::new("checkpoint".to_owned(), scope);
    let info = builder.operator_info();
    let mut control = builder.new_input(control, Exchange::new(|_: &Control| 0));
    let mut moved: Vec<_> = moved.into_iter().map(|m| builder.new_input(m, Exchange::new(|_: &Moved| 0))).collect();
    let (output, stream) = builder.new_output::<Vec<Standing>>();
    let mut output = OutputBuilder::<_, CapacityContainerBuilder<Vec<Standing>>>::from(output);
    let tasks = bridge.tasks::<Result<Standing, StoreError>>(scope, &info);
    builder.build(move |capabilities| {
        drop(capabilities);
        let mut settings = settings.map(|settings| {
            let landing = Landing::new(settings.standings.iter().map(Standing::position));
            (Ledger::new(&settings.standings), landing, settings)
        });
        // The newest standing that is not in the state file yet, and the capability of the one
        // being written.
        let mut waiting: Option<(Capability<Position>, Standing)> = None;
        let mut writing: Option<Capability<Position>> = None;
        move |_frontiers| {
            // Only worker 0 receives records.
            let Some((ledger, landing, settings)) = &mut settings else { return };
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
                        if let Some(standing) = ledger.moved(moved.table, moved.position) {
                            waiting = Some((capability.retain(0), standing));
                        }
                        if let Some(landed) = landing.moved(&moved) {
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
/// [`landing`].
fn announce(metrics: &Metrics, landed: &Landed, took: Duration) {
    let Landed { position, bytes, rows } = landed;
    let tables = metrics.tables().iter().zip(rows).map(|(table, rows)| format!("{} {rows}", table.role()));
    let (tables, rows) = (tables.collect::<Vec<_>>().join(", "), rows.iter().sum::<u64>());
    let (seconds, lag_bytes) = (took.as_secs_f64(), metrics.source_lag());
    tracing::info!(position = position.0, bytes, rows, tables, seconds, lag_bytes, "landed");
}
