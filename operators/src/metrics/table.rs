//! One table's numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::position::Position;

/// Nothing of the kind is under way.
const NEVER: u64 = u64::MAX;

/// What a run has done in one table, counted as it becomes durable.
pub struct TableMetrics {
    role: &'static str,
    rows: AtomicU64,
    commits: AtomicU64,
    position: AtomicU64,
    /// When the commit under way began, in milliseconds since 1970.
    committing_since_ms: AtomicU64,
    /// When the first of the failures since the last success was met, in milliseconds since 1970.
    failing_since_ms: AtomicU64,
}

impl TableMetrics {
    pub(super) fn new(role: &'static str) -> Self {
        TableMetrics {
            role,
            rows: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            position: AtomicU64::new(0),
            committing_since_ms: AtomicU64::new(NEVER),
            failing_since_ms: AtomicU64::new(NEVER),
        }
    }

    pub(super) fn stands_at(&self, position: Position) {
        self.position.store(position.0, Relaxed);
    }

    pub(super) fn commit_begins(&self, now_ms: u64) {
        self.committing_since_ms.store(now_ms, Relaxed);
    }

    /// A step of the commit has failed, and will be tried again.
    pub(super) fn commit_failed(&self, now_ms: u64) {
        // A table has one committer: nobody sets it between these two.
        if self.failing_since_ms.load(Relaxed) == NEVER {
            self.failing_since_ms.store(now_ms, Relaxed);
        }
    }

    /// The answer is where the table stood before.
    pub(super) fn committed(&self, rows: u64, position: Position) -> Position {
        self.rows.fetch_add(rows, Relaxed);
        self.commits.fetch_add(1, Relaxed);
        self.committing_since_ms.store(NEVER, Relaxed);
        self.failing_since_ms.store(NEVER, Relaxed);
        Position(self.position.swap(position.0, Relaxed))
    }

    /// What the table is for: `primary`, `replica`, `rejects`.
    pub fn role(&self) -> &'static str {
        self.role
    }

    /// Rows committed by this run.
    pub fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    /// Commits made by this run, claims left out.
    pub fn commits(&self) -> u64 {
        self.commits.load(Relaxed)
    }

    /// The position that the table's transaction holds.
    pub fn position(&self) -> Position {
        Position(self.position.load(Relaxed))
    }

    /// When the commit that is under way began, in milliseconds since 1970; none if there is none.
    pub fn committing_since_ms(&self) -> Option<u64> {
        known(&self.committing_since_ms)
    }

    /// Since when steps of the commit under way fail, in milliseconds since 1970; none if none has failed.
    pub fn failing_since_ms(&self) -> Option<u64> {
        known(&self.failing_since_ms)
    }
}

fn known(since_ms: &AtomicU64) -> Option<u64> {
    Some(since_ms.load(Relaxed)).filter(|since| *since != NEVER)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::SystemClock;
    use crate::error::StoreError;
    use crate::metrics::retry::Count;
    use crate::metrics::{Metrics, Retried};
    use crate::protocol::commit::Retry;
    use crate::record::TableId;

    #[tokio::test]
    async fn a_table_fails_from_the_first_failure_of_a_commit_to_its_success() {
        let metrics = Arc::new(Metrics::new(Arc::new(SystemClock), &["primary", "rejects"], 1, Count::default()));
        let (clock, table) = (metrics.commit_clock(TableId(1)), metrics.table(TableId(1)));
        assert_eq!((table.committing_since_ms(), table.failing_since_ms()), (None, None));
        metrics.commit_begins(TableId(1));
        assert_eq!(table.failing_since_ms(), None);
        let mut retry = Retry::default();
        for _ in 0..2 {
            retry.after(StoreError::transient("commit", "busy"), &*clock).await.expect("it may pass");
        }
        let (began, failing) = (table.committing_since_ms().expect("it began"), table.failing_since_ms());
        assert!(failing.is_some_and(|since| since >= began && since <= began + 1_000), "{failing:?}, begun at {began}");
        assert_eq!(metrics.table(TableId(0)).failing_since_ms(), None, "the other table does well");
        assert_eq!(metrics.retries().of(Retried::Commit), 2);
        metrics.committed(TableId(1), 5, Position(9), Duration::from_millis(1));
        assert_eq!((table.committing_since_ms(), table.failing_since_ms()), (None, None));
        assert_eq!((table.rows(), table.commits(), table.position()), (5, 1, Position(9)));
    }
}
