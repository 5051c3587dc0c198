//! A run's first fatal error and its request to stop, shared by every worker and the supervisor.
//!
//! An operator that fails reports the error here, *keeps its capabilities* and returns: dropping
//! one would mean "complete", and a table downstream would commit an incomplete cut. The supervisor
//! ends the process; nothing is undone and nothing is finished.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::Shared;
use timely::scheduling::SyncActivator;

use crate::error::Stop;

/// A cell for the first fatal error.
#[derive(Clone)]
pub struct Fatal {
    raised: Arc<AtomicBool>,
    first: crossbeam_channel::Sender<Stop>,
}

impl Fatal {
    /// A cell, and the supervisor's receiver.
    pub fn new() -> (Fatal, crossbeam_channel::Receiver<Stop>) {
        let (first, supervisor) = crossbeam_channel::bounded(1);
        (Fatal { raised: Arc::default(), first }, supervisor)
    }

    /// Records `stop`, unless an error was recorded before.
    pub fn raise(&self, stop: Stop) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            // The supervisor is gone only when the process is ending anyway.
            let _ = self.first.send(stop);
        }
    }

    /// Whether the run has failed: no operator may go on.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }
}

/// A request that a run close its cut, drain, and end.
#[derive(Clone)]
pub struct StopRequest {
    requested: Arc<AtomicBool>,
    listeners: Arc<Mutex<Vec<SyncActivator>>>,
    /// For tasks that wait for the request.
    tell: Arc<Mutex<Option<oneshot::Sender<()>>>>,
    told: Shared<oneshot::Receiver<()>>,
}

impl Default for StopRequest {
    fn default() -> Self {
        let (tell, told) = oneshot::channel();
        let (tell, told) = (Arc::new(Mutex::new(Some(tell))), told.shared());
        StopRequest { requested: Arc::default(), listeners: Arc::default(), tell, told }
    }
}

impl StopRequest {
    /// Asks the run to end.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Release);
        // This is sent only once, and possibly nobody waits for it.
        let tell = self.tell.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = tell.map(|tell| tell.send(()));
        for listener in self.listeners.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // A worker that is gone has ended already.
            let _ = listener.activate();
        }
    }

    /// Whether the run was asked to end.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// Waits until the run is asked to end.
    pub async fn requested(&self) {
        // The sender lives as long as any clone.
        let _ = self.told.clone().await;
    }

    /// Wakes `listener` when the run is asked to end.
    pub fn listen(&self, listener: SyncActivator) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }
}
