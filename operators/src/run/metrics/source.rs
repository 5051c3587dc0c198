//! What is in the source but not read, although lines may be missed because of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::run::clock::Stopwatch;
use crate::source::files::PassedOver;

/// What the last look at the source passed over.
#[derive(Default)]
pub(super) struct NotRead {
    last: Mutex<Option<(Stopwatch, Vec<PassedOver>)>>,
}

impl NotRead {
    /// A look has passed over `now`.
    pub(super) fn set(&self, now: Vec<PassedOver>) {
        let mut last = self.last();
        *last = match last.take() {
            _ if now.is_empty() => None,
            Some((since, _)) => Some((since, now)),
            None => Some((Stopwatch::start(), now)),
        };
    }

    /// What was passed over, and for how long there has been anything.
    pub(super) fn get(&self) -> Option<(Duration, Vec<PassedOver>)> {
        self.last().as_ref().map(|(since, now)| (since.elapsed(), now.clone()))
    }

    fn last(&self) -> MutexGuard<'_, Option<(Stopwatch, Vec<PassedOver>)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
