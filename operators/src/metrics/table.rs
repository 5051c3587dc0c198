//! One table's numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::position::Position;

/// Nothing of the kind is under way, or has happened.
const NEVER: u64 = u64::MAX;

/// What a run has done in one table, counted as it becomes durable.
pub struct TableMetrics {
    role: Box<str>,
    rows: AtomicU64,
    commits: AtomicU64,
    position: AtomicU64,
    drained: AtomicU64,
    /// When the commit under way began, in milliseconds on the steady clock.
    committing_since_ms: AtomicU64,
    /// When the last commit was made, in milliseconds since 1970.
    committed_at_ms: AtomicU64,
    failing: Mutex<Option<Failing>>,
}

/// A table in which commits, or looks at it, fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// When the first failure since the last success occurred, in milliseconds on the steady clock.
    pub since_ms: u64,
    /// The cause of the last failure.
    pub cause: String,
}

impl TableMetrics {
    pub(super) fn new(role: &str) -> Self {
        TableMetrics {
            role: role.into(),
            rows: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            position: AtomicU64::new(0),
            drained: AtomicU64::new(0),
            committing_since_ms: AtomicU64::new(NEVER),
            committed_at_ms: AtomicU64::new(NEVER),
            failing: Mutex::default(),
        }
    }

    pub(super) fn stands_at(&self, position: Position) {
        self.position.store(position.0, Relaxed);
        self.drained.store(position.0, Relaxed);
    }

    pub(super) fn commit_begins(&self, now_ms: u64) {
        self.committing_since_ms.store(now_ms, Relaxed);
    }

    /// A step of a commit, or a look at the table, has failed and will be retried.
    pub(super) fn failed(&self, now_ms: u64, cause: String) {
        let mut failing = self.failing();
        let since_ms = failing.as_ref().map_or(now_ms, |failing| failing.since_ms);
        *failing = Some(Failing { since_ms, cause });
    }

    /// A look at the table has succeeded.
    pub(super) fn looked(&self) {
        *self.failing() = None;
    }

    /// A commit was made at `at_ms` by the time of day. Returns the position up to which no rows
    /// waited before.
    pub(super) fn committed(&self, rows: u64, position: Position, at_ms: u64) -> Position {
        self.rows.fetch_add(rows, Relaxed);
        self.commits.fetch_add(1, Relaxed);
        self.committing_since_ms.store(NEVER, Relaxed);
        self.committed_at_ms.store(at_ms, Relaxed);
        *self.failing() = None;
        self.position.store(position.0, Relaxed);
        Position(self.drained.fetch_max(position.0, Relaxed))
    }

    /// No rows wait for the table up to `position`.
    pub(super) fn drained_to(&self, position: Position) {
        self.drained.fetch_max(position.0, Relaxed);
    }

    /// What the table is for: `primary`, `replica`, `rejects`.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Rows committed by this run.
    pub fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    /// Commits made by this run, except claims.
    pub fn commits(&self) -> u64 {
        self.commits.load(Relaxed)
    }

    /// The position that the table's transaction holds.
    pub fn position(&self) -> Position {
        Position(self.position.load(Relaxed))
    }

    /// Up to where no rows wait for the table: the position of its transaction, or further if what
    /// follows is empty for it.
    pub fn drained(&self) -> Position {
        Position(self.drained.load(Relaxed))
    }

    /// When the commit under way began, in milliseconds on the steady clock; none if none is.
    pub fn committing_since_ms(&self) -> Option<u64> {
        known(&self.committing_since_ms)
    }

    /// When the run made its last commit, in milliseconds since 1970; none if it has made none.
    pub fn committed_at_ms(&self) -> Option<u64> {
        known(&self.committed_at_ms)
    }

    /// Since when operations on the table have failed, and why; none if they succeed.
    pub fn is_failing(&self) -> Option<Failing> {
        self.failing().clone()
    }

    fn failing(&self) -> MutexGuard<'_, Option<Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(at_ms: &AtomicU64) -> Option<u64> {
    Some(at_ms.load(Relaxed)).filter(|at| *at != NEVER)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::SystemClock;
    use crate::error::StoreError;
    use crate::metrics::retry::Count;
    use crate::metrics::{Metrics, Outline, Retried};
    use crate::protocol::commit::Retry;
    use crate::protocol::layout::Layout;
    use crate::protocol::names::{GroupId, RunId, TableId};

    #[tokio::test]
    async fn a_table_fails_from_the_first_failure_of_a_commit_to_its_success() {
        let metrics = Arc::new(Metrics::new(
            Arc::new(SystemClock),
            Outline::of_logs(&["primary", "rejects"]),
            1,
            Count::default(),
        ));
        let (clock, table) = (metrics.commit_clock(GroupId(1)), metrics.table(TableId(1)));
        assert_eq!((table.committing_since_ms(), table.is_failing()), (None, None));
        metrics.commit_begins(GroupId(1));
        assert_eq!(table.is_failing(), None);
        let mut retry = Retry::default();
        for _ in 0..2 {
            retry.after(StoreError::transient("commit", "busy"), &*clock).await.expect("it may pass");
        }
        let (began, failing) = (table.committing_since_ms().expect("it began"), table.is_failing().expect("it fails"));
        assert!(failing.since_ms >= began && failing.since_ms <= began + 1_000, "{failing:?}, begun at {began}");
        assert_eq!(failing.cause, "could not commit: busy");
        assert_eq!(metrics.table(TableId(0)).is_failing(), None, "the other table does well");
        assert_eq!(metrics.retries().of(Retried::Commit), 2);
        metrics.committed(GroupId(1), &[(TableId(1), 5)].into(), Position(9), Duration::from_millis(1));
        assert_eq!((table.committing_since_ms(), table.is_failing()), (None, None));
        assert_eq!((table.rows(), table.commits(), table.position()), (5, 1, Position(9)));
        assert!(table.committed_at_ms().is_some_and(|at| at <= metrics.now_ms()));
        metrics.commit_failed(GroupId(1), "the look failed".to_owned());
        assert_eq!(table.is_failing().expect("it fails").cause, "the look failed");
        metrics.looked(GroupId(1));
        assert_eq!(table.is_failing(), None);
    }

    #[test]
    fn a_table_for_which_nothing_waits_is_drained_beyond_its_position() {
        let metrics =
            Metrics::new(Arc::new(SystemClock), Outline::of_logs(&["primary", "rejects"]), 1, Count::default());
        metrics.claimed(RunId(1), &[Position(10); 2]);
        metrics.source_seen(Position(100), None);
        metrics.drained(GroupId(1), Position(50));
        assert_eq!((metrics.landed(), metrics.source_lag()), (Position(10), 90), "the other has nothing yet");
        metrics.committed(GroupId(0), &[(TableId(0), 3)].into(), Position(50), Duration::from_millis(1));
        assert_eq!((metrics.landed(), metrics.source_lag()), (Position(50), 50));
        assert_eq!((metrics.position(), metrics.table(TableId(1)).position()), (Position(10), Position(10)));
        metrics.committed(GroupId(1), &BTreeMap::new(), Position(40), Duration::from_millis(1));
        assert_eq!(metrics.table(TableId(1)).drained(), Position(50), "it is settled behind that");
    }

    #[test]
    fn a_commit_of_a_group_moves_all_its_tables() {
        let outline = Outline { layout: Layout::together("lake", &["a", "b"]), ..Outline::of_logs(&[]) };
        let metrics = Metrics::new(Arc::new(SystemClock), outline, 1, Count::default());
        metrics.claimed(RunId(1), &[Position(10)]);
        metrics.committed(GroupId(0), &[(TableId(1), 3)].into(), Position(50), Duration::from_millis(1));
        let tables = metrics.tables().iter().map(|table| (table.rows(), table.commits(), table.position()));
        assert_eq!(tables.collect::<Vec<_>>(), [(0, 1, Position(50)), (3, 1, Position(50))]);
        assert_eq!(metrics.commit().percentiles().map(|p| p.count), Some(1), "it is one commit");
    }
}
