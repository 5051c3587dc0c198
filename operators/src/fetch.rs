//! `fetch`: reads the lines of one chunk, or several small ones, on the worker that `plan` chose.
//!
//! Their *credit* travels with the rows and comes back when the last of them has been staged. Only
//! then may `plan` hand this worker another chunk, and only then is its room in the [`Budget`]
//! free. This bounds the bytes in memory, however fast the source is.

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

use crate::clock::Stopwatch;
use crate::env::Env;
use crate::error::{Stop, StoreError, chain};
use crate::memory::{Budget, Hold, LongLine};
use crate::metrics::Metrics;
use crate::position::Position;
use crate::source::Source;
use crate::source::block::{self, Block};
use crate::source::chunk::Chunk;
use crate::source::supply::missing;

/// How many chunks of one credit are read at once. Blobs are far away, so the requests overlap.
const READS: usize = 8;

/// What a worker receives for one credit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assigned {
    /// The worker.
    pub worker: usize,
    /// What it reads: one chunk, or several small ones, each but the last ending where its
    /// partition's readable bytes end.
    pub chunks: Vec<Chunk>,
}

impl Assigned {
    /// How many bytes the chunks cover.
    pub fn len(&self) -> u64 {
        self.chunks.iter().map(Chunk::len).sum()
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

/// A block, and the long line's turn if the block has a long line.
type Read = (Block, Option<LongLine>);

/// The right to hold chunks in a worker's memory; returned to `plan` when dropped.
pub struct Credit {
    returned: Rc<Cell<usize>>,
    fetch: Rc<Activator>,
    /// Released before the credit returns to `plan`.
    room: Option<(Hold, Vec<LongLine>)>,
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
    /// The piece of the source, and the settings for its rows.
    pub chunk: Rc<Chunk>,
    /// The lines.
    pub block: Rc<Block>,
    /// Held while any of its rows are in memory.
    pub credit: Rc<Credit>,
}

/// Chunks being read for one credit: their cut's capability, the chunks, and their room in memory.
type InFlight = (Capability<Position>, Vec<Rc<Chunk>>, Hold);

/// Reads chunks. The second stream carries the worker's index once for each credit whose rows have
/// left this worker's memory.
pub fn fetch<'s>(
    chunks: StreamVec<'s, Position, Assigned>,
    source: Arc<dyn Source>,
    env: &Env,
) -> (StreamVec<'s, Position, Fetched>, StreamVec<'s, Position, usize>) {
    let (scope, Env { budget, metrics, bridge, fatal, .. }) = (chunks.scope(), env.clone());
    let mut builder = OperatorBuilder::new("fetch".to_owned(), scope);
    let info = builder.operator_info();
    let mut input = builder.new_input(chunks, Exchange::new(|a: &Assigned| a.worker as u64));
    builder.set_notify_for(0, FrontierInterest::Never);
    let (fetched, fetched_stream) = builder.new_output::<Vec<Fetched>>();
    let (credits, credits_stream) = builder.new_output::<Vec<usize>>();
    let mut fetched = OutputBuilder::<_, CapacityContainerBuilder<Vec<Fetched>>>::from(fetched);
    let mut credits = OutputBuilder::<_, CapacityContainerBuilder<Vec<usize>>>::from(credits);
    let tasks = bridge.tasks::<(u64, Result<Vec<Read>, (usize, StoreError)>)>(scope, &info);
    let activator = Rc::new(scope.activator_for(info.address));
    let index = scope.index();
    builder.build(move |capabilities| {
        drop(capabilities);
        let returned = Rc::new(Cell::new(0));
        let mut next = 0_u64;
        let mut in_flight: HashMap<u64, InFlight> = HashMap::new();
        // One capability for each credit that is out, so that every credit can be returned.
        let mut out: Vec<Capability<Position>> = Vec::new();
        move |_frontiers| {
            input.for_each(|capability, assigned| {
                for assigned in assigned.drain(..) {
                    out.push(capability.retain(1));
                    let (room, chunks) = (budget.hold(assigned.len()), assigned.chunks);
                    in_flight.insert(next, (capability.retain(0), chunks.iter().cloned().map(Rc::new).collect(), room));
                    let (source, budget, metrics, id) = (source.clone(), budget.clone(), metrics.clone(), next);
                    tasks.spawn(async move { (id, read(&*source, &chunks, &budget, &metrics).await) });
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
                    Err((at, error)) => {
                        // Its entry stays and keeps the capability, so that the chunk does not
                        // count as read.
                        let chunk = in_flight.get(&id).and_then(|(_, chunks, _)| chunks.get(at));
                        fatal.raise(gone(chunk, error));
                        return;
                    }
                };
                let (capability, chunks, room) = in_flight.remove(&id).expect("every task has an entry");
                let (blocks, turns): (Vec<_>, Vec<_>) = read.into_iter().unzip();
                let room = Some((room, turns.into_iter().flatten().collect()));
                let credit = Rc::new(Credit { returned: returned.clone(), fetch: activator.clone(), room });
                let mut session = fetched.session(&capability);
                for (chunk, block) in chunks.into_iter().zip(blocks) {
                    session.give(Fetched { chunk, block: Rc::new(block), credit: credit.clone() });
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

/// Reads chunks, a few at a time, and counts those that were read. The error comes with the index
/// of the chunk that could not be read.
async fn read(
    source: &dyn Source,
    chunks: &[Chunk],
    budget: &Arc<Budget>,
    metrics: &Metrics,
) -> Result<Vec<Read>, (usize, StoreError)> {
    let read = |(at, chunk): (usize, &Chunk)| {
        let chunk = chunk.clone();
        async move {
            let watch = Stopwatch::start();
            let read = match block::read(source, &chunk, budget).await {
                Err(error) => instead_of(source, &chunk, error, budget).await.map_err(|error| (at, error))?,
                Ok(read) => read,
            };
            metrics.chunk_read(chunk.len(), watch.elapsed());
            Ok(read)
        }
    };
    let reads: Vec<_> = chunks.iter().enumerate().map(read).collect();
    stream::iter(reads).buffered(READS).try_collect().await
}

/// What is read if the file could not be: a copy that was put in its place, or nothing.
async fn instead_of(
    source: &dyn Source,
    chunk: &Chunk,
    error: StoreError,
    budget: &Arc<Budget>,
) -> Result<Read, StoreError> {
    if error.is_transient() {
        return Err(error);
    }
    match source.copy_of(&chunk.partition.name, &chunk.identity).await {
        Some(identity) => block::read(source, &Chunk { identity, ..chunk.clone() }, budget).await,
        None => Ok((nothing_left_of(source, chunk, error).await?, None)),
    }
}

/// A file that was deleted between the look and the read has nothing left to read: a warning
/// reports the loss, and the run goes on. In a catch-up this is an error, because the lagging
/// tables cannot get what another table holds of the file.
async fn nothing_left_of(source: &dyn Source, chunk: &Chunk, error: StoreError) -> Result<Block, StoreError> {
    let Chunk { partition, identity, start, end, catch_up, .. } = chunk;
    if *catch_up || !source.is_gone(&partition.name, identity).await {
        return Err(error);
    }
    let name = partition.to_string();
    let partition = name.escape_debug();
    tracing::warn!(%partition, bytes = end - start, "the file was deleted before these bytes were read: their lines are lost");
    Ok(Block { bytes: Vec::new(), begin: 0, base: *start, oversized: None, lenient: true })
}

/// A chunk could not be read. Bytes that a lagging table needs are nowhere else.
fn gone(chunk: Option<&Rc<Chunk>>, error: StoreError) -> Stop {
    match chunk.filter(|chunk| chunk.catch_up) {
        None => error.into(),
        Some(chunk) => Stop::lost(&missing(&chunk.partition, chunk.start..chunk.end, &chain(&error))),
    }
}
