//! `decode`: turns copied slices of hot tables into rows, on the worker that has them.
//!
//! A slice becomes batches of at most [`BATCH_ROWS`] rows, each with the columns of its lake table
//! and `_offset`, which is the row's sequence. The slice's credit travels with them.

use std::collections::VecDeque;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use crate::error::{Stop, StoreError};
use crate::fetch::Fetched;
use crate::format::copy::Decoder;
use crate::position::Position;
use crate::routed::Routed;
use crate::run::clock::Stopwatch;
use crate::run::env::Env;
use crate::run::metrics::Metrics;
use crate::run::metrics::flushes::Work;
use crate::source::postgres::{Copied, Slice};

/// The most rows of a batch.
pub const BATCH_ROWS: usize = 8192;

/// Decodes slices, one at a time, so that the rows of one have gone on, and its credit is returned,
/// before the next takes memory.
///
/// Here, behind [`fetch`](crate::fetch::fetch), which copies the slices that `plan` has handed out:
///
/// ```
/// use std::sync::Arc;
///
/// use lakefront_operators::decode::decode;
/// use lakefront_operators::fetch::{Assigned, fetch};
/// use lakefront_operators::position::Position;
/// use lakefront_operators::routed::Routed;
/// use lakefront_operators::run::env::Env;
/// use lakefront_operators::source::postgres::{Buffer, CopyReader, Slice};
/// use timely::dataflow::StreamVec;
///
/// /// The rows of slices, and the credits that go back to `plan`.
/// fn rows<'s>(
///     slices: StreamVec<'s, Position, Assigned<Slice>>,
///     buffer: &Arc<Buffer>,
///     env: &Env,
/// ) -> (StreamVec<'s, Position, Routed>, StreamVec<'s, Position, usize>) {
///     let (copied, credits) = fetch(slices, Arc::new(CopyReader(buffer.clone())), env);
///     (decode(copied, env), credits)
/// }
/// ```
pub fn decode<'s>(
    slices: StreamVec<'s, Position, Fetched<Slice, Copied>>,
    env: &Env,
) -> StreamVec<'s, Position, Routed> {
    let (scope, fatal, metrics) = (slices.scope(), env.fatal.clone(), env.metrics.clone());
    slices.unary::<CapacityContainerBuilder<Vec<Routed>>, _, _, _>(Pipeline, "decode", move |_capability, info| {
        let activator = scope.activator_for(info.address);
        let mut waiting: VecDeque<(Capability<Position>, Fetched<Slice, Copied>)> = VecDeque::new();
        // A cut that failed: a capability that is kept means that it is not complete.
        let mut failed: Vec<Capability<Position>> = Vec::new();
        move |input, output| {
            input.for_each(|capability, slices| {
                waiting.extend(slices.drain(..).map(|fetched| (capability.retain(0), fetched)));
            });
            if fatal.is_raised() {
                return;
            }
            let Some((capability, fetched)) = waiting.pop_front() else { return };
            let mut session = output.session(&capability);
            let decoded = rows(fetched, &metrics, |routed| session.give(routed));
            drop(session);
            if let Err(stop) = decoded {
                failed.push(capability);
                return fatal.raise(stop);
            }
            if !waiting.is_empty() {
                activator.activate();
            }
        }
    })
}

/// The rows of one slice; none if its flush was given up.
fn rows(fetched: Fetched<Slice, Copied>, metrics: &Metrics, mut each: impl FnMut(Routed)) -> Result<(), Stop> {
    let Fetched { work, block, credit } = fetched;
    let Some(plan) = block.plan(&work) else { return Ok(()) };
    let watch = Stopwatch::start();
    let decoder = Decoder::new(plan.schema.clone(), plan.codecs.clone());
    // Which batch is the last is known when there is none behind it.
    let mut held: Option<Routed> = None;
    let decoded = decoder.decode(&block.bytes, BATCH_ROWS, |rows| {
        block.count(&work, &rows);
        let (partition, credit) = (work.partition.clone(), credit.clone());
        let routed = Routed { table: work.table, rows, partition, credit, is_last: false };
        held.replace(routed).into_iter().for_each(&mut each);
    });
    if decoded.is_ok() {
        held.into_iter().for_each(|held| each(Routed { is_last: work.is_whole, ..held }));
    }
    metrics.flushes().iter().for_each(|flushes| flushes.spent(work.table, Work::Encode, watch.elapsed()));
    let failed = |e| StoreError::definite(format!("decode rows of table {:?}", work.partition.name), e);
    decoded.map(drop).map_err(|e| failed(e).into())
}
