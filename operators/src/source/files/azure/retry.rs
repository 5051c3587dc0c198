//! Sends a request again until it succeeds, fails for good, or has taken too long.
//!
//! A run that is asked to stop waits for what was begun, but does not wait out an outage: the next
//! run reads it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use uuid::Uuid;

use super::failure::Failure;
use crate::azure::RetrySettings;
use crate::error::StoreError;
use crate::protocol::clock::Clock;
use crate::run::fatal::StopRequest;
use crate::run::metrics::retry::Count;

/// The limit for a run that was asked to stop, in place of `timeout` and `max_time` where those are
/// longer.
const GRACE: Duration = Duration::from_secs(3);

/// Retries the requests of one source.
pub(super) struct Retries {
    retry: RetrySettings,
    clock: Arc<dyn Clock>,
    stop: StopRequest,
    count: Count,
    /// Whether the service has answered anything yet, which shows that the credential is right.
    opened: AtomicBool,
}

impl Retries {
    pub(super) fn new(retry: RetrySettings, clock: Arc<dyn Clock>, stop: StopRequest) -> Self {
        Retries { retry, clock, stop, count: Count::default(), opened: AtomicBool::new(false) }
    }

    /// How often requests were retried.
    pub(super) fn count(&self) -> Count {
        self.count.clone()
    }

    /// Runs `request` with the timeout, or with [`GRACE`] from a stop request on.
    pub(super) async fn timely<T>(&self, request: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let stopping = async {
            self.stop.requested().await;
            self.pause(GRACE).await;
        };
        let timeout = self.retry.timeout;
        tokio::select! {
            biased;
            answer = request => {
                self.opened.fetch_or(answer.is_ok(), Ordering::Relaxed);
                answer
            }
            () = self.pause(timeout) => Err(Failure::silence(timeout)),
            () = stopping => Err(Failure::silence(GRACE)),
        }
    }

    async fn pause(&self, time: Duration) {
        self.clock.pause(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).await;
    }

    /// Begins a request; `attempt` describes it, in words such as `list az://a/c`.
    pub(super) fn begin(&self, attempt: String) -> Tries<'_> {
        Tries { retries: self, attempt, since_ms: self.clock.steady_ms(), failed: 0 }
    }
}

/// One request with its retries.
pub(super) struct Tries<'a> {
    retries: &'a Retries,
    attempt: String,
    /// When it was first sent, or last made headway, on the steady clock.
    since_ms: u64,
    failed: u32,
}

impl Tries<'_> {
    /// The last answer brought some of what was asked for, so the request's time starts again.
    pub(super) fn made_headway(&mut self) {
        self.since_ms = self.retries.clock.steady_ms();
        self.failed = 0;
    }

    /// Pauses after a failure; returns an error if another try is of no use.
    pub(super) async fn after(&mut self, failure: Failure) -> Result<(), StoreError> {
        let (cause, retry_after) = match failure {
            Failure::Passing { cause, retry_after } => (cause, retry_after),
            Failure::NoToken(cause) if self.retries.opened.load(Ordering::Relaxed) => (cause, None),
            Failure::Missing(cause) | Failure::Refused(cause) | Failure::NoToken(cause) => {
                return Err(self.failed(cause));
            }
            // These answers do not fit the request: something on the way is faulty.
            Failure::BeyondTheEnd => ("the service says 416 to a request without a range".to_owned(), None),
            Failure::NotModified => ("the service says 304 to an unconditional request".to_owned(), None),
        };
        self.failed += 1;
        let mut pause = self.pause().max(retry_after.unwrap_or_default());
        let tried = Duration::from_millis(self.retries.clock.steady_ms().saturating_sub(self.since_ms));
        let stopping = self.retries.stop.is_requested();
        let mut max_time = self.retries.retry.max_time;
        if stopping {
            (pause, max_time) = (pause.min(GRACE / 3), max_time.min(GRACE));
        }
        if tried + pause > max_time {
            let (tries, seconds) = (self.failed, tried.as_secs_f32());
            let stopping = if stopping { ", and the run was asked to stop" } else { "" };
            let text = format!("{tries} tries in {seconds:.1} s failed, the last because {cause}{stopping}");
            return Err(StoreError::transient(self.attempt.clone(), text));
        }
        self.retries.count.failed(format!("could not {}: {cause}", self.attempt));
        if self.failed == 4 {
            tracing::warn!("{} has failed {} times: {cause}; trying again", self.attempt, self.failed);
        } else {
            tracing::debug!(?pause, "{}: {cause}; trying again", self.attempt);
        }
        tokio::select! {
            () = self.retries.pause(pause) => {}
            // A stop request ends a long pause; one more try follows.
            () = self.retries.stop.requested(), if !stopping => {}
        }
        Ok(())
    }

    fn failed(&self, cause: String) -> StoreError {
        StoreError::definite(self.attempt.clone(), cause)
    }

    /// A random pause between half of the step and all of it.
    fn pause(&self) -> Duration {
        let RetrySettings { first, cap, .. } = self.retries.retry;
        let step = first.saturating_mul(1 << (self.failed - 1).min(20)).min(cap);
        // The bits of a random UUID are random enough here.
        let chance = (Uuid::new_v4().as_u128() & 0xffff) as f64 / f64::from(0xffff);
        step.mul_f64(0.5 + chance / 2.0)
    }
}
