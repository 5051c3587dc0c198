//! Sends a request again until it succeeds, fails for good, or has taken too long.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::failure::Failure;
use crate::azure::Retry;
use crate::error::StoreError;
use crate::protocol::table::Clock;

/// How requests of one source are tried again.
pub(super) struct Retries {
    retry: Retry,
    clock: Arc<dyn Clock>,
}

impl Retries {
    pub(super) fn new(retry: Retry, clock: Arc<dyn Clock>) -> Self {
        Retries { retry, clock }
    }

    /// How long a request may bring nothing.
    pub(super) fn timeout(&self) -> Duration {
        self.retry.timeout
    }

    /// Begins a request that is to `attempt` something, in words such as `list az://a/c`.
    pub(super) fn begin(&self, attempt: String) -> Tries<'_> {
        Tries { retries: self, attempt, since_ms: self.clock.now_ms(), failed: 0 }
    }
}

/// One request, as often as it is sent.
pub(super) struct Tries<'a> {
    retries: &'a Retries,
    attempt: String,
    /// When it was first sent, or last made headway.
    since_ms: u64,
    failed: u32,
}

impl Tries<'_> {
    /// The last answer brought some of what was asked for: its time begins anew.
    pub(super) fn made_headway(&mut self) {
        self.since_ms = self.retries.clock.now_ms();
        self.failed = 0;
    }

    /// Pauses after a failure; the error says that there is no use in another try.
    pub(super) async fn after(&mut self, failure: Failure) -> Result<(), StoreError> {
        let (cause, retry_after) = match failure {
            Failure::Passing { cause, retry_after } => (cause, retry_after),
            Failure::Missing(cause) | Failure::Refused(cause) => return Err(self.failed(cause)),
            Failure::BeyondTheEnd => return Err(self.failed("the blob has no such bytes any more".to_owned())),
            Failure::NotModified => return Err(self.failed("the service says 304 to what was not asked".to_owned())),
        };
        self.failed += 1;
        let pause = self.pause().max(retry_after.unwrap_or_default());
        let tried = Duration::from_millis(self.retries.clock.now_ms().saturating_sub(self.since_ms));
        if tried + pause > self.retries.retry.max_time {
            let seconds = tried.as_secs_f32();
            return Err(
                self.failed(format!("{} tries in {seconds:.1} s failed, the last because {cause}", self.failed))
            );
        }
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        if self.failed == 4 {
            tracing::warn!("{} has failed {} times: {cause}; trying again", self.attempt, self.failed);
        } else {
            tracing::debug!(pause_ms, "{}: {cause}; trying again", self.attempt);
        }
        self.retries.clock.pause(pause_ms).await;
        Ok(())
    }

    fn failed(&self, cause: String) -> StoreError {
        StoreError::definite(self.attempt.clone(), cause)
    }

    /// Between half of the step and all of it.
    fn pause(&self) -> Duration {
        let Retry { first, cap, .. } = self.retries.retry;
        let step = first.saturating_mul(1 << (self.failed - 1).min(20)).min(cap);
        // The bits of a random UUID, for no more chance than that is needed.
        let chance = (Uuid::new_v4().as_u128() & 0xffff) as f64 / f64::from(0xffff);
        step.mul_f64(0.5 + chance / 2.0)
    }
}
