//! What fails for a while is tried again: how often, and after which pauses.

use crate::error::{Stop, StoreError};
use crate::protocol::Pending;
use crate::protocol::clock::Clock;
use crate::protocol::group::Group;

/// Half of the first pause after a transient failure, in milliseconds. Pauses double up to
/// [`PAUSE_MAX_MS`].
const PAUSE_MIN_MS: u64 = 50;
/// The longest pause between two attempts, in milliseconds.
const PAUSE_MAX_MS: u64 = 5_000;
/// The run stops after this many failures in a row: about half a minute.
const ATTEMPTS: u32 = 12;

/// How often something failed, and how long to wait before the next attempt.
#[derive(Default)]
pub(crate) struct Retry {
    failures: u32,
}

/// A port decides whether an error is worth another attempt; `Retry` decides how many.
impl Retry {
    /// The next pause; `None` once the attempts are used up.
    pub(super) fn next_pause_ms(&mut self) -> Option<u64> {
        self.failures += 1;
        (self.failures < ATTEMPTS).then(|| (PAUSE_MIN_MS << self.failures.min(16)).min(PAUSE_MAX_MS))
    }

    /// Pauses after `error`, or returns it if it is definite or the attempts are used up.
    pub(crate) async fn after(&mut self, error: StoreError, clock: &dyn Clock) -> Result<(), StoreError> {
        match self.next_pause_ms() {
            Some(ms) if error.is_transient() => {
                tracing::warn!(error = %crate::error::chain(&error), pause_ms = ms, "trying again");
                clock.pause_after(&error, ms).await;
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// Pauses before `group` is read again because the last read is too old. If no attempt is fast
    /// enough, the group does not keep its log for long enough.
    pub(super) async fn after_silence(&mut self, group: &dyn Group, clock: &dyn Clock) -> Result<(), Stop> {
        let Some(ms) = self.next_pause_ms() else {
            return Err(Stop::Refused(format!(
                "{} keeps its log for too short a time: it cannot be read and written within half of that; raise its log \
                 retention",
                group.shown()
            )));
        };
        // The first time is the usual case: the group was left alone for long.
        if self.failures > 1 {
            clock.pause(ms).await;
        }
        Ok(())
    }
}

/// Asks the store again while its failure is transient. For questions only: after a write, read
/// before writing again.
pub(crate) async fn ask<'t, T>(
    clock: &dyn Clock,
    question: impl Fn() -> Pending<'t, Result<T, StoreError>>,
) -> Result<T, Stop> {
    let mut retry = Retry::default();
    loop {
        match question().await {
            Ok(answer) => return Ok(answer),
            Err(error) => retry.after(error, clock).await?,
        }
    }
}
