//! `fetch`: reads a piece of work, or several small ones, on the worker that `plan` chose.
//!
//! Their *credit* travels with the rows and comes back when the last of them has been staged. Only
//! then may `plan` hand this worker another piece, and only then is its room in the
//! [`Budget`] free. This bounds the bytes in memory, however fast the source
//! is.
//!
//! Each piece goes on as soon as it is read, also before others of its credit: whoever has the turn
//! for more memory waits for nobody. A piece that turns out to be longer than its room goes on in
//! parts, each of which is read when the rows of the one before it have left memory.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use futures::channel::oneshot;
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
use crate::run::bridge::Tasks;
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

    /// Reads a piece, or the first part of one that is longer than its room. An error ends the run.
    fn read<'a>(&'a self, work: &'a W, budget: &'a Arc<Budget>) -> Pending<'a, Result<Read<Self::Block>, Stop>>;

    /// What of `work` is left to read behind the `block` that was read of it; `None` if that is all
    /// of it. It is read in the same room, once the rows of the block have left memory.
    fn rest(&self, work: &W, block: &Self::Block) -> Option<W> {
        let _ = (work, block);
        None
    }
}

/// A piece that was read.
pub struct Read<B> {
    /// What it holds.
    pub block: B,
    /// A turn for more memory than a piece usually takes; dropped once its rows have left memory.
    pub turn: Option<Box<dyn Any + Send>>,
}

/// The right to hold a piece, or a part of one, in a worker's memory. It is returned to `plan` when
/// the last one of all that was handed out for it is dropped.
pub struct Credit {
    /// Dropped first: others wait for it.
    _turn: Option<Box<dyn Any + Send>>,
    /// Dropping it tells the next part that this one has left memory.
    _left: Option<oneshot::Sender<()>>,
    _out: Option<Rc<Out>>,
}

impl Credit {
    /// None: for rows that are made of what has left memory.
    pub fn none() -> Rc<Credit> {
        Rc::new(Credit { _turn: None, _left: None, _out: None })
    }
}

/// What is out for one credit.
struct Out {
    returned: Rc<Cell<usize>>,
    fetch: Rc<Activator>,
    /// Released before the credit returns to `plan`.
    room: Option<Reserved>,
}

impl Drop for Out {
    fn drop(&mut self) {
        self.room = None;
        self.returned.set(self.returned.get() + 1);
        self.fetch.activate();
    }
}

/// A piece of a source, in memory.
pub struct Fetched<W, B> {
    /// Which piece, or what was left to read of one.
    pub work: Rc<W>,
    /// What it holds; less than that if more [is left](Reader::rest).
    pub block: Rc<B>,
    /// Held while any of its rows are in memory.
    pub credit: Rc<Credit>,
}

impl<W, B> Clone for Fetched<W, B> {
    fn clone(&self) -> Self {
        Fetched { work: self.work.clone(), block: self.block.clone(), credit: self.credit.clone() }
    }
}

/// A piece that is being read.
struct Piece<W> {
    /// Its cut's.
    capability: Capability<Position>,
    work: Rc<W>,
    out: Rc<Out>,
    /// Pieces of the same credit that are not begun yet.
    waiting: Rc<RefCell<VecDeque<W>>>,
}

/// What was read of a piece, and what is left of it; the number tells which.
type Done<W, B> = (u64, Result<(Read<B>, Option<W>), Stop>);

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
    let tasks = bridge.tasks(scope, &info);
    let activator = Rc::new(scope.activator_for(info.address));
    let index = scope.index();
    let mut reads = Reads { reader, budget, metrics, tasks, begun: 0, in_flight: HashMap::new() };
    builder.build(move |capabilities| {
        drop(capabilities);
        let returned = Rc::new(Cell::new(0));
        // One capability for each credit that is out, so that every credit can be returned.
        let mut credits_out: Vec<Capability<Position>> = Vec::new();
        move |_frontiers| {
            input.for_each(|capability, assigned| {
                for assigned in assigned.drain(..) {
                    credits_out.push(capability.retain(1));
                    let room = Some(reads.budget.hold(assigned.bytes()));
                    let out = Rc::new(Out { returned: returned.clone(), fetch: activator.clone(), room });
                    reads.begin_all(capability.retain(0), assigned.work, out);
                }
            });
            if fatal.is_raised() {
                return;
            }
            let mut fetched = fetched.activate();
            while let Some((id, result)) = reads.tasks.next_done() {
                fail::fail_point!("fetch-done");
                match result {
                    Ok((read, rest)) => {
                        let (capability, piece) = reads.done(id, read, rest);
                        fetched.session(&capability).give(piece);
                    }
                    // The entry stays and keeps the capability, so that the work does not count as
                    // read.
                    Err(stop) => return fatal.raise(stop),
                }
            }
            let mut credits = credits.activate();
            for _ in 0..returned.take() {
                let capability = credits_out.pop().expect("no more credits come back than went out");
                credits.session(&capability).give(index);
            }
        }
    });
    (fetched_stream, credits_stream)
}

/// The pieces that a worker reads.
struct Reads<W: Work, R: Reader<W>> {
    reader: Arc<R>,
    budget: Arc<Budget>,
    metrics: Arc<Metrics>,
    tasks: Tasks<Done<W, R::Block>>,
    /// How many were begun.
    begun: u64,
    in_flight: HashMap<u64, Piece<W>>,
}

impl<W: Work, R: Reader<W>> Reads<W, R> {
    /// Begins to read the pieces of one credit, a few at a time.
    fn begin_all(&mut self, capability: Capability<Position>, work: Vec<W>, out: Rc<Out>) {
        let waiting = Rc::new(RefCell::new(VecDeque::from(work)));
        for _ in 0..READS {
            self.begin_next(capability.clone(), &out, &waiting);
        }
    }

    fn begin_next(&mut self, capability: Capability<Position>, out: &Rc<Out>, waiting: &Rc<RefCell<VecDeque<W>>>) {
        let next = waiting.borrow_mut().pop_front();
        if let Some(work) = next {
            let (work, out, waiting) = (Rc::new(work), out.clone(), waiting.clone());
            self.begin(Piece { capability, work, out, waiting }, None);
        }
    }

    /// Begins to read a piece, once the part of it that is `before` has left memory.
    fn begin(&mut self, piece: Piece<W>, before: Option<oneshot::Receiver<()>>) {
        let (reader, budget, metrics) = (self.reader.clone(), self.budget.clone(), self.metrics.clone());
        let (id, work) = (self.begun, (*piece.work).clone());
        self.begun += 1;
        self.in_flight.insert(id, piece);
        self.tasks.spawn(async move {
            if let Some(before) = before {
                // It is never told anything: its other end is dropped.
                let _ = before.await;
            }
            (id, read(&*reader, &work, &budget, &metrics).await)
        });
    }

    /// A piece was read, but for its `rest`, which is begun, or else the next of its credit.
    fn done(&mut self, id: u64, read: Read<R::Block>, rest: Option<W>) -> (Capability<Position>, Fetched<W, R::Block>) {
        let Piece { capability, work, out, waiting } = self.in_flight.remove(&id).expect("every task has an entry");
        let left = match rest {
            Some(rest) => {
                let (left, before) = oneshot::channel();
                let piece = Piece { capability: capability.clone(), work: Rc::new(rest), out: out.clone(), waiting };
                self.begin(piece, Some(before));
                Some(left)
            }
            None => {
                self.begin_next(capability.clone(), &out, &waiting);
                None
            }
        };
        let credit = Rc::new(Credit { _turn: read.turn, _left: left, _out: Some(out) });
        (capability, Fetched { work, block: Rc::new(read.block), credit })
    }
}

/// Reads a piece, and counts it if that is all of it.
async fn read<W: Work, R: Reader<W>>(
    reader: &R,
    work: &W,
    budget: &Arc<Budget>,
    metrics: &Metrics,
) -> Result<(Read<R::Block>, Option<W>), Stop> {
    let watch = Stopwatch::start();
    let read = reader.read(work, budget).await?;
    let rest = reader.rest(work, &read.block);
    let bytes = if rest.is_some() { 0 } else { work.bytes() };
    metrics.work_read(bytes, watch.elapsed());
    Ok((read, rest))
}

#[cfg(test)]
mod tests;
