//! `plan`: hands out the source as work, in return for credits, and closes cuts. It runs on worker
//! 0.
//!
//! The [`Cutter`] makes the decisions; a [`Feed`] looks at the source and tells the supply what
//! there is. The operator holds the one capability that lets time pass, and moves it when a cut
//! closes. Credits and acknowledged positions arrive through feedback that gates it but does not
//! hold its time.

mod worker0;

use std::sync::Arc;
use std::time::Duration;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;

use self::worker0::{Do, Worker0};
use crate::error::Stop;
use crate::fetch::Assigned;
use crate::position::Position;
use crate::protocol::Pending;
use crate::protocol::clock::Stamp;
use crate::protocol::cut::Control;
use crate::protocol::cutter::Cutter;
use crate::protocol::kind::Kind;
use crate::protocol::supply::Supply;
use crate::run::env::Env;
use crate::run::fatal::StopRequest;
use crate::run::metrics::Lag;
use crate::run::space::FreeSpace;
use crate::work::Work;

/// No path from these inputs to the outputs: they gate, they do not hold time.
const DISCONNECTED: [(usize, Antichain<()>); 0] = [];

/// Whether a run ends once everything that was there at its start has landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It ends then.
    Backfill,
    /// It looks for more until it is asked to stop.
    Tail {
        /// The pause between two looks.
        poll: Duration,
    },
}

/// Looks at a source while a run lasts, and tells the supply what there is to hand out.
///
/// Here, a feed of files whose lengths somebody else knows, such as a catalogue: it lists nothing
/// itself.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::mpsc::{Receiver, channel};
///
/// use lakefront_operators::run::clock::SystemClock;
/// use lakefront_operators::error::Stop;
/// use lakefront_operators::format::logs::lines::Lines;
/// use lakefront_operators::run::metrics::Lag;
/// use lakefront_operators::plan::Feed;
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::Pending;
/// use lakefront_operators::protocol::clock::Stamp;
/// use lakefront_operators::protocol::offsets::PartitionId;
/// use lakefront_operators::source::files::chunk::Chunk;
/// use lakefront_operators::source::files::supply::{FileSupply, Limit};
///
/// struct Told;
///
/// impl Feed<Lines> for Told {
///     type Work = Chunk;
///     type Supply = FileSupply;
///     type Watch = Receiver<(PartitionId, Limit)>;
///     type Found = Vec<(PartitionId, Limit)>;
///
///     fn look(watch: &mut Self::Watch) -> Pending<'_, Result<Self::Found, Stop>> {
///         Box::pin(std::future::ready(Ok(watch.try_iter().collect())))
///     }
///
///     fn found(
///         &mut self,
///         _watch: &mut Self::Watch,
///         found: Self::Found,
///         supply: &mut FileSupply,
///         _now: Stamp,
///     ) -> bool {
///         supply.limits(found);
///         false
///     }
///
///     fn end(supply: &FileSupply) -> Position {
///         supply.source_end()
///     }
///
///     fn lags_most(supply: &FileSupply) -> Option<Lag> {
///         supply.lags_most()
///     }
/// }
///
/// let (catalogue, mut watch) = channel();
/// let (mut feed, mut supply) = (Told, FileSupply::new(&[]));
/// let limit = Limit { end: 70, identity: Default::default(), landed_tail: false };
/// catalogue.send((PartitionId::first("a.log"), limit))?;
///
/// let found = Told::look(&mut watch).await?;
/// feed.found(&mut watch, found, &mut supply, Stamp::now(&SystemClock));
/// assert_eq!(Told::end(&supply), Position(70));
/// # Ok(())
/// # }
/// ```
pub trait Feed<K: Kind>: 'static {
    /// What is handed out.
    type Work: Work;
    /// What hands it out.
    type Supply: Supply<K, Work = Self::Work>;
    /// Looks at the source. During a look it is away, on the runtime.
    type Watch: Send + 'static;
    /// What a look has found.
    type Found: Send + 'static;

    /// Looks once.
    fn look(watch: &mut Self::Watch) -> Pending<'_, Result<Self::Found, Stop>>;

    /// Tells the `supply` what was found at `now`. Returns whether the look was made in vain for
    /// some part of the source, so that only another one can tell whether everything is handed out.
    fn found(&mut self, watch: &mut Self::Watch, found: Self::Found, supply: &mut Self::Supply, now: Stamp) -> bool;

    /// How far the source could be handed out, from what was found.
    fn end(supply: &Self::Supply) -> Position;

    /// The partition with the most that is not handed out, for display.
    fn lags_most(supply: &Self::Supply) -> Option<Lag>;

    /// Whether what the supply has next is all that is left of its partition, moves the position by
    /// no more than `room`, and takes no more memory than `bytes`: then it may share a credit.
    fn is_small(supply: &Self::Supply, room: u64, bytes: u64) -> bool {
        let _ = (supply, room, bytes);
        false
    }

    /// `work` is handed out. Returns when the oldest of it came into the source, in milliseconds on
    /// the steady clock; `None` if that is not known, or was before the run.
    fn handed_out(&mut self, work: &Self::Work) -> Option<u64> {
        let _ = work;
        None
    }
}

/// What worker 0 needs to plan.
pub struct Planning<K: Kind, F: Feed<K>> {
    /// Decides what to hand out.
    pub cutter: Cutter<K, F::Supply>,
    /// Looks at the source.
    pub watch: F::Watch,
    /// Tells the supply what was found.
    pub feed: F,
    /// When to end.
    pub mode: Mode,
    /// Credits of each worker.
    pub in_flight: usize,
    /// Whether there is disk for more.
    pub space: Arc<FreeSpace>,
    /// The request to end.
    pub stop: StopRequest,
}

/// Work for the workers, and records for the groups.
pub type Outputs<'s, K, F> =
    (StreamVec<'s, Position, Assigned<<F as Feed<K>>::Work>>, StreamVec<'s, Position, Control<K>>);

/// Plans the source. Worker 0 passes the `planning`, all others `None`.
///
/// Here, a folder with one file, in chunks of 8 bytes. Nobody reads them, so each credit comes back
/// at once; nothing lands, so each cut counts as acknowledged:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use lakefront_operators::run::fatal::StopRequest;
/// use lakefront_operators::format::logs::lines::{Control, Offsets};
/// use lakefront_operators::plan::{Mode, Planning, plan};
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::cutter::Bounds;
/// use lakefront_operators::source::files::feed::FileFeed;
/// use lakefront_operators::source::files::file::FileSource;
/// use lakefront_operators::source::files::supply::Planner;
/// use lakefront_operators::source::files::watch::{OnRewrite, Unterminated, WatchRules, Watcher};
/// # use lakefront_operators::run::space::{Guard, OnLow, Settings};
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::vec::Map;
/// use timely::dataflow::operators::{ConnectLoop, Feedback};
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("a.log"), "first\nsecond\n")?;
/// let source = FileSource::open(folder.path().to_str().expect("UTF-8"))?;
/// let (on_rewrite, unterminated) = (OnRewrite::Stop, Unterminated::Leave);
/// let rules = WatchRules { on_rewrite, unterminated, quiet: Duration::from_secs(3600) };
/// let env = shared::env();
/// # let (watched, clean, kept) = (Vec::new(), Vec::new(), Vec::new());
/// # let settings = Settings { watched, min_free: 0, on_low: OnLow::Stop, clean, kept };
/// # let (mut guard, space) = Guard::new(settings);
/// # guard.look_first(&*env.clock)?;
/// let bounds = Bounds { work: 8, cut: 1 << 20, cut_ms: 10_000, ahead: 1 << 20 };
/// let planning = Planning {
///     cutter: Planner::new(&[shared::standing(0)], shared::settings(), bounds),
///     watch: Watcher::new(Arc::new(source), &Offsets::default(), rules),
///     feed: FileFeed::new(env.metrics.clone(), false),
///     mode: Mode::Backfill,
///     in_flight: 2,
///     // Its guard has looked once.
///     space,
///     stop: StopRequest::default(),
/// };
///
/// let (chunks, cuts) = timely::execute_directly(move |worker| {
///     worker.dataflow::<Position, _, _>(|scope| {
///         let (returned, credits) = scope.feedback::<Vec<usize>>(());
///         let (landed, acknowledged) = scope.feedback::<Vec<Position>>(());
///         let (work, control) = plan(scope, acknowledged, credits, Some(planning), &env);
///         let cuts = control.flat_map(|record| match record {
///             Control::Cut(cut) => Some(cut.upper),
///             Control::Settle(_) => None,
///         });
///         cuts.clone().connect_loop(landed);
///         work.clone().map(|assigned| assigned.worker).connect_loop(returned);
///         let chunks =
///             work.flat_map(|assigned| assigned.work).map(|chunk| (chunk.start, chunk.end));
///         (chunks.capture(), cuts.capture())
///     })
/// });
/// // All data of a cut is stamped with its lower bound.
/// assert_eq!(chunks.extract(), [(Position(0), vec![(0, 8), (8, 13)])]);
/// assert_eq!(cuts.extract(), [(Position(0), vec![Position(13)])]);
/// # Ok(())
/// # }
/// ```
pub fn plan<'s, K: Kind, F: Feed<K>>(
    scope: Scope<'s, Position>,
    acknowledged: StreamVec<'s, Position, Position>,
    credits: StreamVec<'s, Position, usize>,
    planning: Option<Planning<K, F>>,
    env: &Env,
) -> Outputs<'s, K, F> {
    let mut builder = OperatorBuilder::new("plan".to_owned(), scope);
    let info = builder.operator_info();
    let mut acknowledged = builder.new_input_connection(acknowledged, Exchange::new(|_: &Position| 0), DISCONNECTED);
    let mut credits = builder.new_input_connection(credits, Exchange::new(|_: &usize| 0), DISCONNECTED);
    let (work, work_stream) = builder.new_output_connection::<Vec<Assigned<F::Work>>, _>(DISCONNECTED);
    let (control, control_stream) = builder.new_output_connection::<Vec<Control<K>>, _>(DISCONNECTED);
    let mut work = OutputBuilder::<_, CapacityContainerBuilder<Vec<Assigned<F::Work>>>>::from(work);
    let mut control = OutputBuilder::<_, CapacityContainerBuilder<Vec<Control<K>>>>::from(control);
    let tasks = env.bridge.tasks(scope, &info);
    let (peers, env) = (scope.peers(), env.clone());
    builder.build(move |mut capabilities| {
        let mut time = capabilities.pop().zip(capabilities.pop()).map(|(control, work)| Time { work, control });
        let mut worker0 = planning.map(|planning| Worker0::start(planning, peers, tasks, &env));
        if let (Some(worker0), Some(time)) = (&worker0, &mut time) {
            time.advance(worker0.time());
        }
        move |_frontiers| {
            acknowledged.for_each(|_, positions| {
                for position in positions.drain(..) {
                    worker0.iter_mut().for_each(|w| w.acknowledged(position));
                }
            });
            credits.for_each(|_, workers| {
                for worker in workers.drain(..) {
                    worker0.iter_mut().for_each(|w| w.credit(worker));
                }
            });
            let (Some(worker), Some(now)) = (worker0.as_mut(), time.as_mut()) else {
                // Any other worker gives up its right to produce.
                time = None;
                return;
            };
            if env.fatal.is_raised() {
                return;
            }
            let (mut work, mut control) = (work.activate(), control.activate());
            loop {
                match worker.step() {
                    Ok(Do::Hand(assigned)) => work.session(&now.work).give(assigned),
                    Ok(Do::Tell(record)) => {
                        fail::fail_point!("plan-cut-closed");
                        control.session(&now.control).give(record);
                        now.advance(worker.time());
                    }
                    Ok(Do::Sleep) => return,
                    Ok(Do::End) => break,
                    Err(stop) => return env.fatal.raise(stop),
                }
            }
            (worker0, time) = (None, None);
        }
    });
    (work_stream, control_stream)
}

/// The right to hand out work and records at a time and later.
struct Time {
    work: Capability<Position>,
    control: Capability<Position>,
}

impl Time {
    fn advance(&mut self, to: Position) {
        self.work.downgrade(&to);
        self.control.downgrade(&to);
    }
}
