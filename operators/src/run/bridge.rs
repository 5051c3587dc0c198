//! The only place where timely and tokio meet.
//!
//! An operator never blocks: it starts a task on the shared runtime and is woken when the task is
//! done. It holds a capability for every task in flight, so that time cannot pass the work. The
//! order matters: the result is published before the operator is woken. Otherwise it could wake,
//! find nothing and sleep for ever.

use std::future::Future;
use std::time::Duration;

use timely::dataflow::Scope;
use timely::dataflow::operators::generic::OperatorInfo;
use timely::scheduling::{Activator, SyncActivator};

use crate::position::Position;

/// The runtime that every operator's tasks run on. The example of [`Tasks`] uses one.
#[derive(Clone, Debug)]
pub struct Bridge {
    runtime: tokio::runtime::Handle,
}

impl Bridge {
    /// A bridge to `runtime`.
    pub fn new(runtime: tokio::runtime::Handle) -> Self {
        Bridge { runtime }
    }

    /// Runs `task`, of which no operator hears.
    pub fn detach(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    /// The tasks of one operator. Called on the worker's own thread.
    pub fn tasks<T: Send + 'static>(&self, scope: Scope<'_, Position>, info: &OperatorInfo) -> Tasks<T> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        Tasks {
            runtime: self.runtime.clone(),
            sender,
            receiver,
            waker: scope.worker().sync_activator_for(info.address.to_vec()),
            timer: scope.activator_for(info.address.clone()),
        }
    }
}

/// One operator's tasks, and its timer.
///
/// Here, an operator that squares numbers on the runtime:
///
/// ```
/// use std::collections::HashMap;
///
/// use lakefront_operators::run::bridge::Bridge;
/// use lakefront_operators::position::Position;
/// use timely::container::CapacityContainerBuilder;
/// use timely::dataflow::channels::pact::Pipeline;
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::generic::operator::Operator;
/// use timely::dataflow::operators::vec::ToStream;
///
/// let runtime = tokio::runtime::Runtime::new().expect("a runtime");
/// let bridge = Bridge::new(runtime.handle().clone());
/// let squares = timely::execute_directly(move |worker| {
///     worker.dataflow::<Position, _, _>(|scope| {
///         type Built = CapacityContainerBuilder<Vec<u64>>;
///         let numbers = [4_u64, 3].to_stream(scope);
///         let squares = numbers.unary::<Built, _, _, _>(Pipeline, "square", |_, info| {
///             let tasks = bridge.tasks(scope, &info);
///             // A capability for each task, so that time does not pass its result.
///             let mut under_way = HashMap::new();
///             move |input, output| {
///                 input.for_each(|time, numbers| {
///                     for number in numbers.drain(..) {
///                         under_way.insert(number, time.retain(0));
///                         tasks.spawn(async move { (number, number * number) });
///                     }
///                 });
///                 while let Some((number, square)) = tasks.next_done() {
///                     let time = under_way.remove(&number).expect("it was under way");
///                     output.session(&time).give(square);
///                 }
///             }
///         });
///         squares.capture()
///     })
/// });
/// assert_eq!(squares.extract(), [(Position(0), vec![9, 16])]);
/// ```
pub struct Tasks<T> {
    runtime: tokio::runtime::Handle,
    sender: crossbeam_channel::Sender<T>,
    receiver: crossbeam_channel::Receiver<T>,
    waker: SyncActivator,
    timer: Activator,
}

impl<T: Send + 'static> Tasks<T> {
    /// Starts `task`; its result comes back through [`Tasks::next_done`].
    pub fn spawn(&self, task: impl Future<Output = T> + Send + 'static) {
        let (sender, waker) = (self.sender.clone(), self.waker.clone());
        self.runtime.spawn(async move {
            let result = task.await;
            // Both fail only when the operator is gone; then nobody waits for the result.
            let _ = sender.send(result);
            let _ = waker.activate();
        });
    }

    /// The result of a task that is done, if there is one.
    pub fn next_done(&self) -> Option<T> {
        self.receiver.try_recv().ok()
    }

    /// Runs the operator again after `delay`.
    pub fn wake_after(&self, delay: Duration) {
        self.timer.activate_after(delay);
    }

    /// Runs the operator again in this or the next round.
    pub fn wake(&self) {
        self.timer.activate();
    }

    /// Wakes the operator from any thread.
    pub fn waker(&self) -> SyncActivator {
        self.waker.clone()
    }
}
