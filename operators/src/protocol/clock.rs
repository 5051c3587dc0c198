//! The protocol's clocks, and moments on them.

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::protocol::Pending;

/// The clocks, and the protocol's only way to wait.
///
/// Here, a clock for tests, on which time passes only while somebody waits:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// use lakefront_operators::protocol::Pending;
/// use lakefront_operators::protocol::clock::{Clock, Stamp};
///
/// #[derive(Default)]
/// struct Waited(AtomicU64);
///
/// impl Clock for Waited {
///     fn now_ms(&self) -> u64 {
///         // Somebody keeps setting the time of day back.
///         0
///     }
///
///     fn steady_ms(&self) -> u64 {
///         self.0.load(Relaxed)
///     }
///
///     fn pause(&self, ms: u64) -> Pending<'_, ()> {
///         Box::pin(async move {
///             self.0.fetch_add(ms, Relaxed);
///         })
///     }
/// }
///
/// let clock = Waited::default();
/// let begun = Stamp::now(&clock);
/// clock.pause(50).await;
/// assert_eq!(begun.age_ms(&clock), 50);
/// # Ok(())
/// # }
/// ```
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
