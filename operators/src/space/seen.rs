//! What the guard saw last, for `plan`, which it wakes when that changes, and for whoever watches the run.

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
pub struct Seen(Mutex<State>);

#[derive(Default)]
struct State {
    free: Vec<Free>,
    /// None before the first look.
    enough: Option<bool>,
    listeners: Vec<SyncActivator>,
}

impl Seen {
    /// Each watched place; nothing before the first look.
    pub fn free(&self) -> Vec<Free> {
        self.state().free.clone()
    }

    /// Whether space is low, and no chunk is handed out for that.
    pub fn is_low(&self) -> bool {
        self.state().enough == Some(false)
    }

    /// Whether chunks may be handed out; not before the first look.
    pub(crate) fn is_enough(&self) -> bool {
        self.state().enough == Some(true)
    }

    /// Wakes `listener` when chunks may be handed out that were held back.
    pub(crate) fn listen(&self, listener: SyncActivator) {
        self.state().listeners.push(listener);
    }

    /// Keeps what was seen. Whether low space has come to its end.
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
