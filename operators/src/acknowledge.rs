//! `acknowledge`: tells the source what it may forget, and `plan` what was acknowledged. It runs on
//! worker 0, after the checkpoint.
//!
//! A crash may come between a commit and its acknowledgement, so the first thing that a run
//! acknowledges is where its tables stood when it claimed them. While one acknowledgement is under
//! way, the newest position waits; those before it need none of their own.

use std::sync::Arc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::error::StoreError;
use crate::position::Position;
use crate::protocol::Pending;
use crate::protocol::clock::Clock;
use crate::protocol::kind::Kind;
use crate::protocol::retry::Retry;
use crate::protocol::standing::Standing;
use crate::run::env::Env;

/// A source that may forget what every table holds.
///
/// Here, a queue that forgets:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
///
/// use lakefront_operators::acknowledge::Acknowledge;
/// use lakefront_operators::error::StoreError;
/// use lakefront_operators::protocol::Pending;
/// use lakefront_operators::protocol::standing::Standing;
/// use lakefront_operators::protocol::kind::Kind;
///
/// /// Messages by their positions.
/// struct Queue(Mutex<BTreeMap<u64, &'static str>>);
///
/// impl<K: Kind> Acknowledge<K> for Queue {
///     fn acknowledge<'a>(
///         &'a self,
///         standing: &'a Standing<K>,
///     ) -> Pending<'a, Result<(), StoreError>> {
///         Box::pin(async move {
///             let mut messages = self.0.lock().expect("no panic");
///             *messages = messages.split_off(&standing.position().0);
///             Ok(())
///         })
///     }
/// }
///
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
/// let queue = Queue(Mutex::new([(0, "a"), (1, "b"), (2, "c")].into()));
/// // Every table holds what is below position 2. A later run says so again.
/// queue.acknowledge(&shared::standing(2)).await?;
/// queue.acknowledge(&shared::standing(2)).await?;
/// assert_eq!(*queue.0.lock().expect("no panic"), [(2, "c")].into());
/// # Ok(())
/// # }
/// ```
pub trait Acknowledge<K: Kind>: Send + Sync {
    /// Every table's transaction holds everything up to `standing`. This may be repeated, also by a
    /// later run, and then does nothing more. A transient error is tried again.
    ///
    /// It may run while the source is looked at and read. The first of a run repeats what an
    /// earlier run may not have finished, and `plan` is not told of it: a supply hands out nothing
    /// below its offsets, whatever a look has found.
    fn acknowledge<'a>(&'a self, standing: &'a Standing<K>) -> Pending<'a, Result<(), StoreError>>;
}

/// A source that keeps everything, such as files.
///
/// ```
/// use std::sync::Arc;
///
/// use lakefront_operators::acknowledge::{Acknowledge, KeepsAll};
/// use lakefront_operators::format::logs::lines::Lines;
///
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let source: Arc<dyn Acknowledge<Lines>> = Arc::new(KeepsAll);
/// for _ in 0..2 {
///     assert!(source.acknowledge(&shared::standing(10)).await.is_ok());
/// }
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct KeepsAll;

impl<K: Kind> Acknowledge<K> for KeepsAll {
    fn acknowledge<'a>(&'a self, _standing: &'a Standing<K>) -> Pending<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

/// What worker 0 needs to acknowledge.
pub struct Acknowledging<K: Kind> {
    /// The source.
    pub source: Arc<dyn Acknowledge<K>>,
    /// What every table's transaction held when the tables were claimed.
    pub held_by_all: Standing<K>,
}

/// Acknowledges each of the `standings`, or a later one. The stream carries the acknowledged
/// positions. Worker 0 passes what is `acknowledging`, all others `None`.
///
/// Here, to a source that takes note:
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use lakefront_operators::acknowledge::{Acknowledge, Acknowledging, acknowledge};
/// use lakefront_operators::error::StoreError;
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::Pending;
/// use lakefront_operators::protocol::standing::Standing;
/// use lakefront_operators::protocol::kind::Kind;
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::vec::ToStream;
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
///
/// #[derive(Default)]
/// struct Notes(Mutex<Vec<Position>>);
///
/// impl<K: Kind> Acknowledge<K> for Notes {
///     fn acknowledge<'a>(
///         &'a self,
///         standing: &'a Standing<K>,
///     ) -> Pending<'a, Result<(), StoreError>> {
///         self.0.lock().expect("no panic").push(standing.position());
///         Box::pin(async { Ok(()) })
///     }
/// }
///
/// let (env, source) = (shared::env(), Arc::new(Notes::default()));
/// // The tables stood at 3 when the run claimed them, and stand at 9 now.
/// let acknowledging = Acknowledging { source: source.clone(), held_by_all: shared::standing(3) };
/// let acknowledged = timely::execute_directly(move |worker| {
///     worker.dataflow(|scope| {
///         let standings = [shared::standing(9)].to_stream(scope);
///         acknowledge(standings, Some(acknowledging), &env).capture()
///     })
/// });
/// assert_eq!(*source.0.lock().expect("no panic"), [Position(3), Position(9)]);
/// // `plan` begins with the first.
/// assert_eq!(acknowledged.extract(), [(Position(0), vec![Position(9)])]);
/// ```
pub fn acknowledge<'s, K: Kind>(
    standings: StreamVec<'s, Position, Standing<K>>,
    acknowledging: Option<Acknowledging<K>>,
    env: &Env,
) -> StreamVec<'s, Position, Position> {
    let (scope, metrics, fatal, clock) = (standings.scope(), env.metrics.clone(), env.fatal.clone(), env.clock.clone());
    let mut builder = OperatorBuilder::new("acknowledge".to_owned(), scope);
    let info = builder.operator_info();
    let mut standings = builder.new_input(standings, Pipeline);
    let (output, stream) = builder.new_output::<Vec<Position>>();
    let mut output = OutputBuilder::<_, CapacityContainerBuilder<Vec<Position>>>::from(output);
    let tasks = env.bridge.tasks::<Result<Position, StoreError>>(scope, &info);
    builder.build(move |mut capabilities| {
        // The run does not end before its first acknowledgement is done: it may have nothing else
        // to do. `plan` begins there, so it does not hear of it.
        let mut is_first = true;
        let mut under_way: Option<Capability<Position>> = None;
        if let Some(Acknowledging { source, held_by_all }) = &acknowledging {
            under_way = capabilities.pop();
            tasks.spawn(repeat(source.clone(), held_by_all.clone(), clock.clone()));
        }
        drop(capabilities);
        let mut waiting: Option<(Capability<Position>, Standing<K>)> = None;
        move |_frontiers| {
            standings.for_each(|capability, records| {
                if let Some(newest) = std::mem::take(records).pop() {
                    waiting = Some((capability.retain(0), newest));
                }
            });
            if fatal.is_raised() {
                return;
            }
            while let Some(done) = tasks.next_done() {
                match done {
                    Ok(position) => {
                        let capability = under_way.take().expect("an acknowledgement was under way");
                        if std::mem::take(&mut is_first) {
                            continue;
                        }
                        fail::fail_point!("acknowledged");
                        metrics.acknowledged(position);
                        output.activate().session(&capability).give(position);
                    }
                    Err(error) => return fatal.raise(error.into()),
                }
            }
            let Some(Acknowledging { source, .. }) = &acknowledging else { return };
            if let Some((capability, standing)) = waiting.take_if(|_| under_way.is_none()) {
                under_way = Some(capability);
                tasks.spawn(repeat(source.clone(), standing, clock.clone()));
            }
        }
    });
    stream
}

/// Acknowledges `standing`, again if need be. Returns its position.
async fn repeat<K: Kind>(
    source: Arc<dyn Acknowledge<K>>,
    standing: Standing<K>,
    clock: Arc<dyn Clock>,
) -> Result<Position, StoreError> {
    let mut retry = Retry::default();
    fail::fail_point!("acknowledge");
    loop {
        match source.acknowledge(&standing).await {
            Ok(()) => return Ok(standing.position()),
            Err(error) => retry.after(error, &*clock).await?,
        }
    }
}

#[cfg(test)]
mod tests;
