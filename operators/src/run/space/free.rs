//! What the guard saw last, for `plan`, which it wakes when there is room again, and for observers
//! of the run.

use std::sync::{Mutex, MutexGuard, PoisonError};

use timely::scheduling::SyncActivator;

/// A watched place, as it was seen last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    /// What it is for: `lake`, `state` or `scratch`.
    pub name: &'static str,
    /// Bytes that are free there.
    pub bytes: u64,
    /// Whether that is too little.
    pub low: bool,
}

/// Free space as it was seen last.
#[derive(Default)]
pub struct FreeSpace(Mutex<State>);

#[derive(Default)]
struct State {
    free: Vec<Free>,
    /// Whether there was enough; `None` before the first look.
    enough: Option<bool>,
    listeners: Vec<SyncActivator>,
}

impl FreeSpace {
    /// Each watched place; empty before the first look.
    pub fn free(&self) -> Vec<Free> {
        self.state().free.clone()
    }

    /// Whether space is low, so that no chunk is handed out.
    pub fn is_low(&self) -> bool {
        self.state().enough == Some(false)
    }

    /// Whether chunks may be handed out; not before the first look.
    pub(crate) fn is_enough(&self) -> bool {
        self.state().enough == Some(true)
    }

    /// Wakes `listener` when chunks that were held back may be handed out.
    pub(crate) fn listen(&self, listener: SyncActivator) {
        self.state().listeners.push(listener);
    }

    /// Records what was seen. Returns whether low space has ended.
    pub(super) fn set(&self, free: Vec<Free>, enough: bool) -> bool {
        let mut state = self.state();
        let before = state.enough.replace(enough);
        state.free = free;
        if enough && before != Some(true) {
            for listener in &state.listeners {
                // A worker that is gone has ended already.
                let _ = listener.activate();
            }
        }
        enough && before == Some(false)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
