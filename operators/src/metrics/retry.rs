//! What failed in a way that may pass, and was tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::protocol::table::{Clock, Pending};

/// A number that several count.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicU64>);

impl Count {
    /// One more.
    pub fn increment(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What is tried again.
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

/// How often something was tried again.
pub struct Retries([Count; Retried::ALL.len()]);

impl Retries {
    pub(super) fn new(source: Count) -> Self {
        Retries([source, Count::default(), Count::default()])
    }

    /// How often that was tried again.
    pub fn of(&self, what: Retried) -> u64 {
        self.0[what as usize].get()
    }

    /// A clock for those who pause for one reason only: to try `what` again. It counts their pauses.
    pub fn counted(&self, what: Retried, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        let pauses = self.0[what as usize].clone();
        Arc::new(HeardPauses { clock, hear: move || pauses.increment() })
    }
}

/// A clock whose pauses are heard of before they begin.
pub(super) struct HeardPauses<F> {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hear: F,
}

impl<F: Fn() + Send + Sync> Clock for HeardPauses<F> {
    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn pause(&self, ms: u64) -> Pending<'_, ()> {
        (self.hear)();
        self.clock.pause(ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::error::StoreError;
    use crate::protocol::commit::Retry;

    #[tokio::test]
    async fn what_is_tried_again_is_counted_and_what_is_given_up_is_not() {
        let retries = Retries::new(Count::default());
        let clock = retries.counted(Retried::Stage, Arc::new(SystemClock));
        let mut retry = Retry::default();
        retry.after(StoreError::transient("upload", "busy"), &*clock).await.expect("it may pass");
        retry.after(StoreError::definite("upload", "full"), &*clock).await.expect_err("it will not pass");
        assert_eq!(Retried::ALL.map(|what| retries.of(what)), [0, 1, 0]);
    }
}
