//! What is counted of a table, and since when it fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::error::StoreError;
use crate::protocol::layout::Layout;
use crate::protocol::names::{GroupId, RunId, TableId};
use crate::protocol::retry::Retry;
use crate::run::clock::SystemClock;
use crate::run::metrics::retry::Count;
use crate::run::metrics::{Metrics, Outline, Retried};

#[tokio::test]
async fn a_table_fails_from_the_first_failure_of_a_commit_to_its_success() {
    let metrics =
        Arc::new(Metrics::new(Arc::new(SystemClock), Outline::of_logs(&["primary", "rejects"]), 1, Count::default()));
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
    let metrics = Metrics::new(Arc::new(SystemClock), Outline::of_logs(&["primary", "rejects"]), 1, Count::default());
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
