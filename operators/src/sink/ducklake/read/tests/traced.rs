//! Rows with their ids, their snapshots and what became of them.

use std::cell::RefCell;

use super::super::traced::{ROW_FIELD_ID, RowHistory, Traced};
use super::*;

/// All rows of a file, as one batch.
fn trace(content: Vec<u8>, first: Option<i64>, deleted: Vec<i64>) -> Result<Traced, Fault> {
    let history = RowHistory { begin: 5, first, snapshot: 8, deleted: Positions::new(deleted) };
    let all = RefCell::new(Vec::new());
    history.rows(content, &[1, ROW_FIELD_ID, SNAPSHOT_FIELD_ID], |traced| {
        all.borrow_mut().push(traced);
        true
    })?;
    let mut all = all.into_inner();
    assert!(all.len() <= 1);
    Ok(all.pop().expect("rows"))
}

#[test]
fn rows_that_were_inserted_follow_from_the_first() {
    let content = file(vec![(Some(1), "a", numbers(vec![10, 11, 12])), (Some(2), "b", numbers(vec![0, 0, 0]))]);
    let traced = trace(content, Some(100), vec![1]).expect("rows");
    assert_eq!((traced.row_ids, traced.since), (vec![100, 101, 102], vec![5, 5, 5]));
    let left: Vec<_> = traced.left.expect("one is deleted").iter().flatten().collect();
    assert_eq!(left, [true, false, true]);
    assert_eq!(traced.batch.num_columns(), 1, "only what is wanted");
}

#[test]
fn rows_that_were_moved_say_what_they_are() {
    let content = file(vec![
        (Some(1), "a", numbers(vec![10, 11, 12])),
        (Some(ROW_FIELD_ID), "_ducklake_internal_row_id", numbers(vec![7, 3, 9])),
        (Some(SNAPSHOT_FIELD_ID), "_ducklake_internal_snapshot_id", numbers(vec![6, 9, 8])),
    ]);
    // The second is of a later snapshot.
    let traced = trace(content, Some(100), vec![2]).expect("rows");
    assert_eq!((traced.row_ids, traced.since), (vec![7, 9], vec![6, 8]));
    let left: Vec<_> = traced.left.expect("one is deleted").iter().flatten().collect();
    assert_eq!(left, [true, false]);
    assert_eq!(traced.batch.num_rows(), 2);
}

#[test]
fn a_file_whose_rows_have_no_ids_is_damaged() {
    let content = || file(vec![(Some(1), "a", numbers(vec![10]))]);
    assert!(message(trace(content(), None, Vec::new())).contains("the ids of its rows"));
    assert!(trace(content(), Some(0), Vec::new()).expect("rows").left.is_none());
}
