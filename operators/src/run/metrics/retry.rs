//! What failed in a way that may pass, and was retried.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{StoreError, chain};
use crate::protocol::Pending;
use crate::protocol::clock::Clock;
use crate::run::clock::Stopwatch;

/// The number of failures, shared by all that count them, and the last of them.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    times: AtomicU64,
    last: Mutex<Option<(Stopwatch, String)>>,
}

impl Count {
    /// Counts one more failure, with its cause.
    pub fn failed(&self, cause: String) {
        self.0.times.fetch_add(1, Relaxed);
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Stopwatch::start(), cause));
    }

    /// How many failures there were.
    pub fn get(&self) -> u64 {
        self.0.times.load(Relaxed)
    }

    /// The cause of the last failure, if it is no older than `within`.
    pub fn cause(&self, within: Duration) -> Option<String> {
        let last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() <= within).map(|(_, cause)| cause.clone())
    }
}

/// What is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// A request to the source.
    Source,
    /// The upload of a staged file.
    Stage,
    /// A step of a claim or a commit.
    Commit,
}

impl Retried {
    /// All of them.
    pub const ALL: [Retried; 3] = [Retried::Source, Retried::Stage, Retried::Commit];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Retried::Source => "source",
            Retried::Stage => "stage",
            Retried::Commit => "commit",
        }
    }
}

/// How often something was retried.
pub struct Retries([Count; Retried::ALL.len()]);

impl Retries {
    pub(super) fn new(source: Count) -> Self {
        Retries([source, Count::default(), Count::default()])
    }

    /// How often `what` was retried.
    pub fn of(&self, what: Retried) -> u64 {
        self.0[what as usize].get()
    }

    /// Why `what` was retried last, if that is no longer ago than `within`.
    pub fn cause(&self, what: Retried, within: Duration) -> Option<String> {
        self.0[what as usize].cause(within)
    }

    /// A clock for code that retries `what`: it counts the pauses made for that.
    pub fn counted(&self, what: Retried, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        let failures = self.0[what as usize].clone();
        Arc::new(HeardPauses { clock, hear: move |error: &StoreError| failures.failed(chain(error)) })
    }
}

/// A clock that calls `hear` before each pause after a failure.
pub(super) struct HeardPauses<F> {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hear: F,
}

impl<F: Fn(&StoreError) + Send + Sync> Clock for HeardPauses<F> {
    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn steady_ms(&self) -> u64 {
        self.clock.steady_ms()
    }

    fn pause(&self, ms: u64) -> Pending<'_, ()> {
        self.clock.pause(ms)
    }

    fn pause_after(&self, error: &StoreError, ms: u64) -> Pending<'_, ()> {
        (self.hear)(error);
        self.clock.pause_after(error, ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::retry::Retry;
    use crate::run::clock::SystemClock;

    #[tokio::test]
    async fn what_is_tried_again_is_counted_and_what_is_given_up_is_not() {
        let retries = Retries::new(Count::default());
        let clock = retries.counted(Retried::Stage, Arc::new(SystemClock));
        let mut retry = Retry::default();
        retry.after(StoreError::transient("upload", "busy"), &*clock).await.expect("it may pass");
        retry.after(StoreError::definite("upload", "full"), &*clock).await.expect_err("it will not pass");
        assert_eq!(Retried::ALL.map(|what| retries.of(what)), [0, 1, 0]);
        let cause = |what, within| retries.cause(what, Duration::from_secs(within));
        assert_eq!(cause(Retried::Stage, 3600).as_deref(), Some("could not upload: busy"));
        assert_eq!((cause(Retried::Stage, 0), cause(Retried::Commit, 3600)), (None, None));
    }
}
