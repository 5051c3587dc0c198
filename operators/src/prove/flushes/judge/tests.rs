//! Verdicts on commits whose rows were deleted, moved, changed, lost, doubled and altered.

use super::*;
use crate::sink::ducklake::{Committed, Noted};

const TABLE: i64 = 7;

/// A row's checksum.
fn sum(rows: std::ops::Range<u64>) -> Sum {
    rows.map(|row| Sum::row(u128::from(row) * 1_000_003)).sum()
}

/// One commit at snapshot 5 of the rows 0 to 9, in two ranges.
fn units() -> Units {
    let sums = [(0, sum(0..4)), (1, sum(4..10))].into();
    let noted = Noted { rows: 10, sums, ..Noted::default() };
    Units::new(vec![Committed { position: 1, snapshot: 5, noted }])
}

fn total() -> Sum {
    sum(0..10)
}

/// Snapshots with what they did; the newest is the last.
fn history(known: &[(i64, &str)]) -> History {
    History::of(known)
}

/// The rows are in place, and so many of them are not deleted.
fn in_place(units: &mut Units, visible: u64) {
    units.all[0].in_place = units.all[0].noted.sums.clone();
    units.all[0].visible = visible;
}

const NOTHING: [(i64, &str); 2] = [(5, "inserted_into_table:7"), (6, "inserted_into_table:7")];
const DELETED: [(i64, &str); 2] = [(5, "inserted_into_table:7"), (6, "deleted_from_table:7")];

#[test]
fn what_is_in_place_is_proved() {
    let mut units = units();
    in_place(&mut units, 10);
    assert!(units.suspects(total()).is_empty() && units.adds_up(total()).0);
    let verdict = units.judge(total(), &history(&NOTHING), TABLE);
    assert_eq!((verdict.ranges, verdict.deleted), ([2, 0, 0], 0));
    assert!(verdict.wrong.is_empty());
}

#[test]
fn what_others_have_deleted_is_counted_apart() {
    let mut units = units();
    in_place(&mut units, 7);
    let verdict = units.judge(total(), &history(&DELETED), TABLE);
    assert_eq!((verdict.ranges, verdict.deleted), ([2, 0, 0], 3));
}

#[test]
fn what_nobody_has_deleted_is_missing() {
    let mut units = units();
    in_place(&mut units, 7);
    let verdict = units.judge(total(), &history(&NOTHING), TABLE);
    assert_eq!(verdict.wrong.len(), 1);
    assert!(!verdict.rows_ok());
}

#[test]
fn what_is_lacking_in_its_own_snapshot_differs() {
    for known in [&NOTHING, &DELETED] {
        let mut units = units();
        units.all[0].in_place = [(0, sum(0..4)), (1, sum(5..10))].into();
        units.all[0].visible = 9;
        assert_eq!(units.suspects(total()), [0].into());
        let verdict = units.judge(total(), &history(known), TABLE);
        let wrong = Wrong { unit: Some(0), part: Some(1), noted: sum(4..10), found: sum(5..10) };
        assert_eq!((verdict.wrong, verdict.ranges), (vec![wrong], [1, 0, 1]));
    }
}

#[test]
fn what_is_lacking_cannot_be_verified_once_its_snapshot_has_expired() {
    let mut units = units();
    units.all[0].moved = [(0, sum(0..4)), (1, sum(5..10))].into();
    units.all[0].rearranged = 9;
    let verdict = units.judge(total(), &history(&[(9, "rewrite_delete:7")]), TABLE);
    assert!(verdict.wrong.is_empty());
    assert_eq!((verdict.ranges, verdict.unverifiable), ([1, 1, 0], 6));
    assert_eq!(verdict.first_unverifiable, Some((1, Some(1))));
}

#[test]
fn what_was_only_moved_is_proved() {
    let mut units = units();
    units.all[0].moved = units.all[0].noted.sums.clone();
    units.all[0].changed = 10;
    assert!(units.suspects(total()).is_empty());
    let verdict = units.judge(total(), &history(&[(9, "")]), TABLE);
    assert_eq!((verdict.ranges, verdict.changed, verdict.deleted), ([2, 0, 0], 0, 0), "it is what it was");
}

#[test]
fn what_others_have_changed_inline_is_counted_apart() {
    let mut units = units();
    // The rows are deleted where they landed, and what they became is inlined.
    in_place(&mut units, 7);
    units.all[0].changed = 3;
    let verdict = units.judge(total(), &history(&DELETED), TABLE);
    assert_eq!((verdict.ranges, verdict.changed, verdict.deleted), ([2, 0, 0], 3, 0));
    assert_eq!(units.all[0].rearranged, 0);
}

#[test]
fn altered_and_doubled_rows_differ_whatever_has_expired() {
    for found in [sum(4..11), Sum { rows: 6, checksum: 1 }] {
        let mut units = units();
        units.all[0].in_place = [(0, sum(0..4)), (1, found)].into();
        let verdict = units.judge(total(), &history(&[(9, "")]), TABLE);
        assert_eq!(verdict.wrong, [Wrong { unit: Some(0), part: Some(1), noted: sum(4..10), found }]);
        assert_eq!(verdict.rows_ok(), found.rows == 6);
    }
}

#[test]
fn commits_without_sums_are_compared_together() {
    let earlier =
        |snapshot, row_id| Committed { position: 1, snapshot, noted: Noted { row_id, rows: 5, ..Noted::default() } };
    let mut units = Units::new(vec![earlier(5, 0), earlier(6, 5)]);
    units.all[0].in_place = [(0, sum(0..5))].into();
    units.all[1].in_place = [(0, sum(5..10))].into();
    units.all.iter_mut().for_each(|unit| unit.visible = 5);
    assert!(units.suspects(total()).is_empty() && units.adds_up(total()).0);
    assert!(units.judge(total(), &history(&NOTHING), TABLE).wrong.is_empty());
    units.all[1].in_place = [(0, sum(6..11))].into();
    assert_eq!(units.suspects(total()).len(), 2);
    let verdict = units.judge(total(), &history(&NOTHING), TABLE);
    assert_eq!(verdict.wrong.len(), 1);
    assert!(verdict.rows_ok() && verdict.wrong[0].unit.is_none());
}
