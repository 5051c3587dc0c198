//! `fetch`: reads the lines of a chunk, on the worker that `plan` chose for it.
//!
//! A chunk's *credit* travels with its rows and comes back when the last of them has been staged; only then may `plan` hand this
//! worker another chunk, and only then is its room in the [`Budget`] free. So bytes in memory are bounded, however fast the
//! source is.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::operate::FrontierInterest;
use timely::scheduling::Activator;

use crate::bridge::Bridge;
use crate::clock::Stopwatch;
use crate::error::{Stop, StoreError, chain};
use crate::fatal::Fatal;
use crate::memory::{Budget, Hold, LongLine};
use crate::metrics::Metrics;
use crate::position::Position;
use crate::protocol::cut::Chunk;
use crate::source::Source;
use crate::source::block::{self, Block};

/// A chunk on its way to its worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assigned {
    /// The worker.
    pub worker: usize,
    /// What it is to read.
    pub chunk: Chunk,
}

/// Bytes held in a worker's memory; returned to `plan` when dropped.
pub struct Credit {
    returned: Rc<Cell<usize>>,
    fetch: Rc<Activator>,
    /// Given back before `plan` is told.
    room: Option<(Hold, Option<LongLine>)>,
}

impl Drop for Credit {
    fn drop(&mut self) {
        self.room = None;
        self.returned.set(self.returned.get() + 1);
        self.fetch.activate();
    }
}

/// The lines of one chunk.
#[derive(Clone)]
pub struct Fetched {
    /// Which piece of the source, and by which settings.
    pub chunk: Rc<Chunk>,
    /// The lines.
    pub block: Rc<Block>,
    /// Held while any of its rows are in memory.
    pub credit: Rc<Credit>,
}

/// Reads chunks; the second stream returns, for each chunk that has left this worker's memory, the worker's index.
pub fn fetch<'s>(
    chunks: StreamVec<'s, Position, Assigned>,
    source: Arc<dyn Source>,
    budget: Arc<Budget>,
    metrics: Arc<Metrics>,
    bridge: &Bridge,
    fatal: Fatal,
) -> (StreamVec<'s, Position, Fetched>, StreamVec<'s, Position, usize>) {
    let scope = chunks.scope();
    let mut builder = OperatorBuilder::new("fetch".to_owned(), scope);
    let info = builder.operator_info();
    let mut input = builder.new_input(chunks, Exchange::new(|a: &Assigned| a.worker as u64));
    builder.set_notify_for(0, FrontierInterest::Never);
    let (fetched, fetched_stream) = builder.new_output::<Vec<Fetched>>();
    let (credits, credits_stream) = builder.new_output::<Vec<usize>>();
    let mut fetched = OutputBuilder::<_, CapacityContainerBuilder<Vec<Fetched>>>::from(fetched);
    let mut credits = OutputBuilder::<_, CapacityContainerBuilder<Vec<usize>>>::from(credits);
    let tasks = bridge.tasks::<(u64, Result<(Block, Option<LongLine>), StoreError>)>(scope, &info);
    let activator = Rc::new(scope.activator_for(info.address));
    let index = scope.index();
    builder.build(move |capabilities| {
        drop(capabilities);
        let returned = Rc::new(Cell::new(0));
        let mut next = 0_u64;
        let mut in_flight: HashMap<u64, (Capability<Position>, Rc<Chunk>, Hold)> = HashMap::new();
        // One capability for each credit that is out, so that there is always one to return the next with.
        let mut out: Vec<Capability<Position>> = Vec::new();
        move |_frontiers| {
            input.for_each(|capability, assigned| {
                for Assigned { chunk, .. } in assigned.drain(..) {
                    out.push(capability.retain(1));
                    let room = budget.hold(chunk.len());
                    in_flight.insert(next, (capability.retain(0), Rc::new(chunk.clone()), room));
                    let (source, budget, metrics, id) = (source.clone(), budget.clone(), metrics.clone(), next);
                    tasks.spawn(async move { (id, read(&*source, &chunk, &budget, &metrics).await) });
                    next += 1;
                }
            });
            if fatal.is_raised() {
                return;
            }
            let mut fetched = fetched.activate();
            while let Some((id, result)) = tasks.next_done() {
                fail::fail_point!("fetch-done");
                let (block, turn) = match result {
                    Ok((block, turn)) => (Rc::new(block), turn),
                    Err(error) => {
                        // Its entry stays, and with it the capability: nobody may think that the chunk was read.
                        let chunk = in_flight.get(&id).map(|(_, chunk, _)| chunk);
                        fatal.raise(gone(chunk, error));
                        return;
                    }
                };
                let (capability, chunk, room) = in_flight.remove(&id).expect("every task has an entry");
                let credit =
                    Rc::new(Credit { returned: returned.clone(), fetch: activator.clone(), room: Some((room, turn)) });
                fetched.session(&capability).give(Fetched { chunk, block, credit });
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

/// Reads a chunk, and counts it if that went well.
async fn read(
    source: &dyn Source,
    chunk: &Chunk,
    budget: &Arc<Budget>,
    metrics: &Metrics,
) -> Result<(Block, Option<LongLine>), StoreError> {
    let watch = Stopwatch::start();
    let read = block::read(source, chunk, budget).await?;
    metrics.chunk_read(chunk.len(), watch.elapsed());
    Ok(read)
}

/// A chunk could not be read. Bytes that a lagging table needs cannot be had elsewhere.
fn gone(chunk: Option<&Rc<Chunk>>, error: StoreError) -> Stop {
    match chunk.filter(|chunk| chunk.catch_up) {
        None => error.into(),
        Some(chunk) => Stop::bytes_lost(&chunk.partition, chunk.start..chunk.end, &chain(&error)),
    }
}
