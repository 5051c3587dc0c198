//! The protocol's clocks, and moments on them.

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::protocol::Pending;

/// The clocks, and the protocol's only way to wait.
pub trait Clock: Send + Sync {
    /// The time of day, in milliseconds since 1970: for people, and to compare with the time of day
    /// that others report. Somebody may set it.
    fn now_ms(&self) -> u64;

    /// Milliseconds on a clock that nobody sets, for durations. They count from a moment that is
    /// the same for the whole process.
    fn steady_ms(&self) -> u64;

    /// Returns after `ms` milliseconds.
    fn pause(&self, ms: u64) -> Pending<'_, ()>;

    /// The same, before something that failed with this error is tried again.
    fn pause_after(&self, _error: &StoreError, ms: u64) -> Pending<'_, ()> {
        self.pause(ms)
    }
}

/// A moment, on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// In milliseconds since 1970.
    pub wall_ms: u64,
    /// In milliseconds, on the clock that nobody sets.
    pub steady_ms: u64,
}

impl Stamp {
    /// This moment.
    pub fn now(clock: &dyn Clock) -> Stamp {
        Stamp { wall_ms: clock.now_ms(), steady_ms: clock.steady_ms() }
    }

    /// The most time that can have passed since then, in milliseconds, to judge what others may
    /// have done meanwhile by their time of day. It is the larger value of both clocks, because
    /// setting the time back hides time from one, and a machine's sleep hides it from the other.
    pub fn age_ms(self, clock: &dyn Clock) -> u64 {
        let now = Stamp::now(clock);
        now.wall_ms.saturating_sub(self.wall_ms).max(now.steady_ms.saturating_sub(self.steady_ms))
    }
}
