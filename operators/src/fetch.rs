//! `fetch`: reads a piece of work, or several small ones, on the worker that `plan` chose.
//!
//! Their *credit* travels with the rows and comes back when the last of them has been staged. Only
//! then may `plan` hand this worker another piece, and only then is its room in the
//! [`Budget`] free. This bounds the bytes in memory, however fast the source
//! is.

use std::any::Any;
use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::operate::FrontierInterest;
use timely::scheduling::Activator;

use crate::error::Stop;
use crate::position::Position;
use crate::protocol::Pending;
use crate::run::clock::Stopwatch;
use crate::run::env::Env;
use crate::run::memory::{Budget, Reserved};
use crate::run::metrics::Metrics;
use crate::work::Work;

/// How many pieces of one credit are read at once. Sources are far away, so the requests overlap.
const READS: usize = 8;

/// What a worker receives for one credit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assigned<W> {
    /// The worker.
    pub worker: usize,
    /// What it reads: one piece, or several small ones, each but the last all that is left of its
    /// partition.
    pub work: Vec<W>,
}

impl<W: Work> Assigned<W> {
    /// How many bytes of memory the pieces take.
    pub fn bytes(&self) -> u64 {
        self.work.iter().map(Work::bytes).sum()
    }

    /// By how much they move the position.
    pub fn moves(&self) -> u64 {
        self.work.iter().map(Work::moves).sum()
    }
}

/// Reads pieces of a source.
///
/// ```
/// use std::sync::Arc;
///
/// use lakefront_operators::error::Stop;
/// use lakefront_operators::fetch::{Read, Reader};
/// use lakefront_operators::run::memory::Budget;
/// use lakefront_operators::protocol::Pending;
/// use lakefront_operators::work::Work;
///
/// /// Makes as many zeros as it is asked to read.
/// struct Zeros;
///
/// impl<W: Work> Reader<W> for Zeros {
///     type Block = Vec<u8>;
///
///     fn read<'a>(
///         &'a self,
///         work: &'a W,
///         _budget: &'a Arc<Budget>,
///     ) -> Pending<'a, Result<Read<Vec<u8>>, Stop>> {
///         let block = vec![0; usize::try_from(work.bytes()).unwrap_or(usize::MAX)];
///         Box::pin(async { Ok(Read { block, turn: None }) })
///     }
/// }
/// # use lakefront_operators::protocol::offsets::PartitionId;
/// # use serde::{Deserialize, Serialize};
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct Count(PartitionId, u64);
/// # impl Work for Count {
/// #     fn partition(&self) -> &PartitionId {
/// #         &self.0
/// #     }
/// #     fn moves(&self) -> u64 {
/// #         self.1
/// #     }
/// #     fn bytes(&self) -> u64 {
/// #         self.1
/// #     }
/// # }
///
/// # tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
/// let five = Count(PartitionId::first("zeros"), 5);
/// let Read { block, .. } = Zeros.read(&five, &shared::env().budget).await?;
/// assert_eq!(block, [0; 5]);
/// # Ok::<(), Stop>(())
/// # })
/// # .expect("it is read");
/// ```
pub trait Reader<W: Work>: Send + Sync + 'static {
    /// What a piece becomes, for the operators that follow on the same worker.
    type Block: Send + 'static;

    /// Reads a piece. An error ends the run.
    fn read<'a>(&'a self, work: &'a W, budget: &'a Arc<Budget>) -> Pending<'a, Result<Read<Self::Block>, Stop>>;
}

/// A piece that was read.
pub struct Read<B> {
    /// What it holds.
    pub block: B,
    /// A turn for more memory than a piece usually takes; dropped once its rows have left memory.
    pub turn: Option<Box<dyn Any + Send>>,
}

/// The right to hold pieces in a worker's memory; returned to `plan` when dropped.
pub struct Credit {
    returned: Rc<Cell<usize>>,
    fetch: Rc<Activator>,
    /// Released before the credit returns to `plan`.
    room: Option<(Reserved, Vec<Box<dyn Any + Send>>)>,
}

impl Drop for Credit {
    fn drop(&mut self) {
        self.room = None;
        self.returned.set(self.returned.get() + 1);
        self.fetch.activate();
    }
}

/// A piece of a source, in memory.
pub struct Fetched<W, B> {
    /// Which piece.
    pub work: Rc<W>,
    /// What it holds.
    pub block: Rc<B>,
    /// Held while any of its rows are in memory.
    pub credit: Rc<Credit>,
}

impl<W, B> Clone for Fetched<W, B> {
    fn clone(&self) -> Self {
        Fetched { work: self.work.clone(), block: self.block.clone(), credit: self.credit.clone() }
    }
}

/// Pieces being read for one credit: their cut's capability, the pieces, and their room in memory.
type InFlight<W> = (Capability<Position>, Vec<Rc<W>>, Reserved);

/// What was read for one credit; the number tells which.
type Done<B> = (u64, Result<Vec<Read<B>>, Stop>);

/// The pieces, and the worker's index once for each credit whose rows have left its memory.
type Outputs<'s, W, B> = (StreamVec<'s, Position, Fetched<W, B>>, StreamVec<'s, Position, usize>);

/// Reads what was assigned.
///
/// Here, records as in the example of [`Work`]:
///
/// ```
/// use std::sync::Arc;
///
/// use lakefront_operators::error::Stop;
/// use lakefront_operators::fetch::{Assigned, Read, Reader, fetch};
/// use lakefront_operators::run::memory::Budget;
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::Pending;
/// use lakefront_operators::protocol::offsets::PartitionId;
/// use lakefront_operators::work::Work;
/// use serde::{Deserialize, Serialize};
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::vec::{Map, ToStream};
/// # /// Records of one partition.
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct Records {
/// #     partition: PartitionId,
/// #     numbers: std::ops::Range<u64>,
/// # }
/// # impl Work for Records {
/// #     fn partition(&self) -> &PartitionId {
/// #         &self.partition
/// #     }
/// #     fn moves(&self) -> u64 {
/// #         self.numbers.end - self.numbers.start
/// #     }
/// #     fn bytes(&self) -> u64 {
/// #         self.moves() * 1024
/// #     }
/// # }
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
///
/// /// A source whose records are their own numbers.
/// struct Counting;
///
/// impl Reader<Records> for Counting {
///     type Block = Vec<u64>;
///
///     fn read<'a>(
///         &'a self,
///         work: &'a Records,
///         _budget: &'a Arc<Budget>,
///     ) -> Pending<'a, Result<Read<Vec<u64>>, Stop>> {
///         let block = work.numbers.clone().collect();
///         Box::pin(async { Ok(Read { block, turn: None }) })
///     }
/// }
///
/// let records = |numbers| Records { partition: PartitionId::first("orders"), numbers };
/// let assigned = [
///     Assigned { worker: 0, work: vec![records(0..3)] },
///     Assigned { worker: 0, work: vec![records(3..4), records(4..5)] },
/// ];
/// let env = shared::env();
/// let (numbers, credits) = timely::execute_directly(move |worker| {
///     worker.dataflow(|scope| {
///         let (fetched, credits) = fetch(assigned.to_stream(scope), Arc::new(Counting), &env);
///         let numbers = fetched.flat_map(|fetched| (*fetched.block).clone());
///         (numbers.capture(), credits.capture())
///     })
/// });
/// assert_eq!(numbers.extract(), [(Position(0), vec![0, 1, 2, 3, 4])]);
/// // Both credits of worker 0 came back, because nothing holds what was read any more.
/// assert_eq!(credits.extract(), [(Position(0), vec![0, 0])]);
/// ```
pub fn fetch<'s, W: Work, R: Reader<W>>(
    assigned: StreamVec<'s, Position, Assigned<W>>,
    reader: Arc<R>,
    env: &Env,
) -> Outputs<'s, W, R::Block> {
    let (scope, Env { budget, metrics, bridge, fatal, .. }) = (assigned.scope(), env.clone());
    let mut builder = OperatorBuilder::new("fetch".to_owned(), scope);
    let info = builder.operator_info();
    let mut input = builder.new_input(assigned, Exchange::new(|a: &Assigned<W>| a.worker as u64));
    builder.set_notify_for(0, FrontierInterest::Never);
    let (fetched, fetched_stream) = builder.new_output::<Vec<Fetched<W, R::Block>>>();
    let (credits, credits_stream) = builder.new_output::<Vec<usize>>();
    let mut fetched = OutputBuilder::<_, CapacityContainerBuilder<Vec<Fetched<W, R::Block>>>>::from(fetched);
    let mut credits = OutputBuilder::<_, CapacityContainerBuilder<Vec<usize>>>::from(credits);
    let tasks = bridge.tasks::<Done<R::Block>>(scope, &info);
    let activator = Rc::new(scope.activator_for(info.address));
    let index = scope.index();
    builder.build(move |capabilities| {
        drop(capabilities);
        let returned = Rc::new(Cell::new(0));
        let mut next = 0_u64;
        let mut in_flight: HashMap<u64, InFlight<W>> = HashMap::new();
        // One capability for each credit that is out, so that every credit can be returned.
        let mut out: Vec<Capability<Position>> = Vec::new();
        move |_frontiers| {
            input.for_each(|capability, assigned| {
                for assigned in assigned.drain(..) {
                    out.push(capability.retain(1));
                    let (room, work) = (budget.hold(assigned.bytes()), assigned.work);
                    in_flight.insert(next, (capability.retain(0), work.iter().cloned().map(Rc::new).collect(), room));
                    let (reader, budget, metrics, id) = (reader.clone(), budget.clone(), metrics.clone(), next);
                    tasks.spawn(async move { (id, read(&*reader, &work, &budget, &metrics).await) });
                    next += 1;
                }
            });
            if fatal.is_raised() {
                return;
            }
            let mut fetched = fetched.activate();
            while let Some((id, result)) = tasks.next_done() {
                fail::fail_point!("fetch-done");
                let read = match result {
                    Ok(read) => read,
                    // The entry stays and keeps the capability, so that the work does not count as
                    // read.
                    Err(stop) => return fatal.raise(stop),
                };
                let (capability, work, room) = in_flight.remove(&id).expect("every task has an entry");
                let (blocks, turns): (Vec<_>, Vec<_>) = read.into_iter().map(|read| (read.block, read.turn)).unzip();
                let room = Some((room, turns.into_iter().flatten().collect()));
                let credit = Rc::new(Credit { returned: returned.clone(), fetch: activator.clone(), room });
                let mut session = fetched.session(&capability);
                for (work, block) in work.into_iter().zip(blocks) {
                    session.give(Fetched { work, block: Rc::new(block), credit: credit.clone() });
                }
            }
            let mut credits = credits.activate();
            for _ in 0..returned.take() {
                let capability = out.pop().expect("no more credits come back than went out");
                credits.session(&capability).give(index);
            }
        }
    });
    (fetched_stream, credits_stream)
}

/// Reads pieces, a few at a time, and counts those that were read.
async fn read<W: Work, R: Reader<W>>(
    reader: &R,
    work: &[W],
    budget: &Arc<Budget>,
    metrics: &Metrics,
) -> Result<Vec<Read<R::Block>>, Stop> {
    let read = |work: &W| {
        let work = work.clone();
        async move {
            let watch = Stopwatch::start();
            let read = reader.read(&work, budget).await?;
            metrics.work_read(work.bytes(), watch.elapsed());
            Ok(read)
        }
    };
    let reads: Vec<_> = work.iter().map(read).collect();
    stream::iter(reads).buffered(READS).try_collect().await
}
