//! Numbers of flushes, as reporters read them.

use super::*;
use crate::run::clock::SystemClock;

fn of(tables: &[&str]) -> Arc<FlushMetrics> {
    let tables: Vec<String> = tables.iter().map(|name| (*name).to_owned()).collect();
    FlushMetrics::new(Arc::new(SystemClock), &tables)
}

#[test]
fn words_are_in_the_order_of_their_places() {
    assert!(Void::ALL.iter().enumerate().all(|(i, why)| *why as usize == i));
    assert!(LateRows::ALL.iter().enumerate().all(|(i, what)| *what as usize == i));
    assert!(Work::ALL.iter().enumerate().all(|(i, work)| *work as usize == i));
}

#[test]
fn each_table_has_its_own_numbers() {
    let metrics = of(&["a", "b"]);
    assert_eq!((metrics.waits(), metrics.tables()[1].watermark()), (None, None), "nobody has looked");
    metrics.deleted(TableId(1), 7);
    metrics.late(TableId(1), LateRows::Skipped, 2);
    metrics.spent(TableId(1), Work::Copy, Duration::from_millis(5));
    metrics.flushed_to("b", -3);
    metrics.waiting([4, 5]);
    let [a, b] = metrics.tables() else { panic!("two tables") };
    assert_eq!((a.deleted(), b.deleted(), b.late(LateRows::Skipped), b.late(LateRows::Appended)), (0, 7, 2, 0));
    assert_eq!((a.spent(Work::Copy), b.spent(Work::Copy)), (Duration::ZERO, Duration::from_millis(5)));
    assert_eq!((a.watermark(), b.watermark(), metrics.waits()), (None, Some(-3), Some(9)));
}

#[test]
fn a_commit_does_not_count_what_it_waited_for() {
    let metrics = of(&["a"]);
    metrics.commit_waited(Duration::from_secs(3));
    metrics.committed(Duration::from_secs(4));
    assert_eq!(metrics.commit_time(), Duration::from_secs(1));
    // What a void one has waited is not taken from the next.
    metrics.commit_waited(Duration::from_secs(3));
    metrics.commit_void();
    metrics.committed(Duration::from_secs(4));
    assert_eq!(metrics.commit_time(), Duration::from_secs(5));
}

#[test]
fn a_failure_lasts_until_something_succeeds() {
    let metrics = of(&["a"]);
    metrics.failed("a flush", "first".to_owned());
    let since_ms = metrics.is_failing().expect("it fails").since_ms;
    metrics.failed("a flush", "second".to_owned());
    let failing = metrics.is_failing().expect("it fails");
    assert_eq!((failing.since_ms, &*failing.cause, metrics.retries().get()), (since_ms, "second", 2));
    metrics.succeeded();
    assert_eq!(metrics.is_failing(), None);
}

#[test]
fn the_next_flush_is_due_until_it_begins() {
    let metrics = of(&["a"]);
    assert_eq!(metrics.next_in(), None);
    metrics.due_in(Some(Duration::from_secs(600)));
    let left = metrics.next_in().expect("it is due");
    assert!(left > Duration::from_secs(500) && left <= Duration::from_secs(600), "{left:?}");
    metrics.due_in(None);
    assert_eq!(metrics.next_in(), None);
    metrics.landed(10, Duration::from_secs(2));
    let last = metrics.last().expect("it landed");
    assert_eq!((metrics.flushes(), last.rows, last.took), (1, 10, Duration::from_secs(2)));
}
