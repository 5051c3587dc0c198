//! Which cuts commit, in which order, and what a bug looks like.

use super::*;
use crate::protocol::clock::Stamp;
use crate::protocol::numbers::{Numbers, cut};
use crate::protocol::offsets::PartitionId;
use crate::protocol::staged::StagedFile;
use crate::protocol::sums::{Bucket, Sum};

/// A file of one row for a table.
fn file(table: usize) -> Staged {
    let file = StagedFile { path: "f".into(), size: 1, rows: 1, detail: String::new(), staged_at: Stamp::default() };
    Staged { table: TableId(table), file }
}

/// One row that was counted on its way to a table.
fn row(table: usize) -> Counted {
    let bucket = Bucket { partition: PartitionId::first("a"), range: 0, part: 0 };
    Counted { table: TableId(table), bucket, sum: Sum::row(1) }
}

/// A queue at `position` with cuts of ten, and a file for the cut at each of `staged`.
fn queue(position: u64, cuts: std::ops::Range<u64>, staged: &[u64]) -> CommitQueue<Numbers> {
    let mut queue = CommitQueue::new("t", Position(position), LastRows::none(Position(0), 2), Draw(7));
    cuts.for_each(|n| queue.control(Control::Cut(cut(10 * n, 10 * n + 10))));
    for lower in staged {
        queue.staged(Position(*lower), file(0));
        queue.counted(Position(*lower), row(0));
    }
    queue
}

/// The upper bounds and numbers of files of the jobs that are due when every cut below
/// `frontier` is complete.
fn jobs(queue: &mut CommitQueue<Numbers>, frontier: u64) -> Vec<(u64, usize)> {
    let next = || queue.next(|lower| lower < Position(frontier)).expect("no bug");
    std::iter::from_fn(next).map(|job| (job.cut.upper.0, job.files.len())).collect()
}

fn bug(queue: &mut CommitQueue<Numbers>) -> String {
    queue.next(|_| true).expect_err("a bug").to_string()
}

#[test]
fn cuts_commit_in_order_once_they_are_complete() {
    let mut queue = queue(0, 0..3, &[20, 0, 10, 10]);
    assert_eq!(jobs(&mut queue, 0), []);
    assert_eq!(jobs(&mut queue, 20), [(10, 1), (20, 2)]);
    assert_eq!(jobs(&mut queue, 30), [(30, 1)]);
}

#[test]
fn a_cut_that_the_group_holds_is_ignored_whole() {
    let mut queue = queue(20, 0..3, &[20]);
    assert_eq!(jobs(&mut queue, 30), [(30, 1)]);
}

#[test]
fn a_group_inside_a_cut_is_a_bug() {
    assert!(bug(&mut queue(5, 0..1, &[])).contains("stands inside cut 0..10"));
}

#[test]
fn rows_of_a_cut_that_is_held_or_unknown_are_a_bug() {
    assert!(bug(&mut queue(10, 0..1, &[0])).contains("rows of a cut that it holds, 0..10"));
    assert!(bug(&mut queue(0, 0..0, &[7])).contains("rows at 7, where no cut starts"));
}

#[test]
fn rows_that_were_staged_and_not_counted_are_a_bug() {
    let mut queue = queue(0, 0..1, &[0]);
    queue.staged(Position(0), file(0));
    assert!(bug(&mut queue).contains("2 staged rows of cut 0..10, but counted 1"));
}

#[test]
fn rows_that_were_counted_for_another_table_are_a_bug() {
    let mut queue = queue(0, 0..1, &[0]);
    queue.staged(Position(0), file(1));
    queue.counted(Position(0), row(0));
    assert!(bug(&mut queue).contains("2 staged rows of cut 0..10, but counted 2"));
}

#[test]
fn a_cut_of_several_tables_is_one_job() {
    let mut queue = queue(0, 0..1, &[0]);
    queue.staged(Position(0), file(1));
    queue.counted(Position(0), row(1));
    let job = queue.next(|_| true).expect("no bug").expect("a commit");
    assert_eq!(job.rows(), [(TableId(0), 1), (TableId(1), 1)].into());
}

#[test]
fn empty_cuts_are_passed_over_by_the_next_rows() {
    let mut queue = queue(0, 0..3, &[20]);
    assert_eq!(jobs(&mut queue, 30), [(30, 1)]);
    queue.control(Control::Settle(Position(30)));
    assert_eq!(jobs(&mut queue, 30), [], "there is nothing left to settle");
}

#[test]
fn nothing_waits_for_a_group_beyond_what_it_holds_and_the_empty_cuts_behind_that() {
    let mut queue = queue(0, 0..4, &[20]);
    let next = |queue: &mut CommitQueue<Numbers>, frontier| {
        let job = queue.next(|lower| lower < Position(frontier)).expect("no bug");
        (job.map(|job| job.cut.upper.0), queue.drained().0)
    };
    assert_eq!(next(&mut queue, 10), (None, 10));
    assert_eq!(next(&mut queue, 30), (Some(30), 20), "rows of the third cut are on their way");
    assert_eq!(next(&mut queue, 30), (None, 30), "they have landed");
    assert_eq!(next(&mut queue, 40), (None, 40));
}

#[test]
fn the_position_moves_over_empty_cuts_when_the_planner_asks() {
    let mut queue = queue(0, 0..2, &[]);
    assert_eq!(jobs(&mut queue, 20), []);
    queue.control(Control::Settle(Position(20)));
    assert_eq!(jobs(&mut queue, 20), [(20, 0)], "once, for all of them");
}

#[test]
fn settling_waits_for_the_cuts_it_covers() {
    let mut queue = queue(0, 0..2, &[]);
    queue.control(Control::Settle(Position(20)));
    assert_eq!(jobs(&mut queue, 10), [], "the second cut may still bring rows");
    assert_eq!(jobs(&mut queue, 20), [(20, 0)]);
}

#[test]
fn settling_leaves_later_cuts_alone() {
    let mut queue = queue(0, 0..1, &[]);
    queue.control(Control::Settle(Position(10)));
    queue.control(Control::Cut(cut(10, 20)));
    assert_eq!(jobs(&mut queue, 10), [(10, 0)]);
    assert_eq!(jobs(&mut queue, 20), []);
}

#[test]
fn a_commit_records_the_last_cut_of_all_groups() {
    let mut queue = queue(10, 0..4, &[20]);
    for (lower, group) in [(0, 1), (10, 1), (20, 0), (30, 1)] {
        queue.filled(Position(lower), GroupId(group));
    }
    let job = queue.next(|lower| lower < Position(40)).expect("no bug").expect("a commit");
    let last = [0, 1].map(|group| job.last_rows.of(GroupId(group)).map(|cut| (cut.draw, cut.lower.0)));
    assert_eq!(last, [(Some(Draw(7)), 20), (Some(Draw(7)), 10)].map(Some), "up to its own cut");
    assert_eq!(job.standing().last_rows, job.last_rows);
}
