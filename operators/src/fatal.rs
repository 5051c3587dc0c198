//! The first fatal error of a run, and the request to stop: the two things that every worker and the supervisor share.
//!
//! An operator that fails reports it here, *keeps its capabilities* and returns: dropping one would say "complete", and a
//! table downstream would commit what is not. The supervisor ends the process; nothing is undone and nothing is finished.

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
    /// A cell, and the supervisor's end of it.
    pub fn new() -> (Fatal, crossbeam_channel::Receiver<Stop>) {
        let (first, supervisor) = crossbeam_channel::bounded(1);
        (Fatal { raised: Arc::default(), first }, supervisor)
    }

    /// Records `stop`, unless there was one before.
    pub fn raise(&self, stop: Stop) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            // The supervisor is gone only when the process is ending anyway.
            let _ = self.first.send(stop);
        }
    }

    /// Whether the run is lost: no operator may go on.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }
}

/// The wish that a run should close its cut, drain, and end.
#[derive(Clone)]
pub struct StopRequest {
    requested: Arc<AtomicBool>,
    listeners: Arc<Mutex<Vec<SyncActivator>>>,
    /// For those who wait in a task.
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
        // It is told once, and nobody may be waiting.
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
        // The one who tells lives as long as any clone.
        let _ = self.told.clone().await;
    }

    /// Wakes `listener` when the run is asked to end.
    pub fn listen(&self, listener: SyncActivator) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }
}
