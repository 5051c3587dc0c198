//! How lagging tables are brought level.

use super::*;

#[test]
fn shutdown_in_the_middle_of_a_catch_up_leaves_the_rest_to_the_next_run() {
    let mut planner = planner([standing(0, 1), standing(20, 2), standing(20, 2)], BOUNDS, 100);
    steps(&mut planner, 0, 1);
    planner.finish();
    assert_eq!(steps(&mut planner, 0, 3), ["cut 0..10 by 2", "settle 10", "done"]);
}

#[test]
fn lagging_tables_are_brought_from_position_to_position_by_the_settings_kept_there() {
    let mut planner = planner([standing(30, 3), standing(0, 1), standing(8, 2)], BOUNDS, 100);
    let planned = steps(&mut planner, 0, 8);
    assert_eq!(
        planned,
        [
            "chunk a 0..8 by 2",
            "cut 0..8 by 2",
            "chunk a 8..18 by 3",
            "chunk a 18..28 by 3",
            "chunk a 28..30 by 3",
            "cut 8..30 by 3",
            "settle 30",
            "wait None",
        ]
    );
}

#[test]
fn planning_goes_on_only_when_every_table_stands_level() {
    let mut planner = planner([standing(0, 1), standing(8, 2), standing(8, 2)], BOUNDS, 100);
    assert_eq!(steps(&mut planner, 0, 4), ["chunk a 0..8 by 2", "cut 0..8 by 2", "settle 8", "wait None"]);
    planner.acknowledged(Position(7));
    assert_eq!(steps(&mut planner, 0, 1), ["wait None"]);
    planner.acknowledged(Position(8));
    assert_eq!(steps(&mut planner, 0, 1), ["chunk a 8..18 by 99"], "by today's settings");
}

#[test]
fn a_catch_up_is_closed_early_where_the_bounds_demand() {
    let bounds = Bounds { ahead: 12, ..BOUNDS };
    let mut planner = planner([standing(0, 1), standing(30, 2), standing(30, 2)], bounds, 100);
    let planned = steps(&mut planner, 0, 5);
    assert_eq!(planned, ["chunk a 0..10 by 2", "chunk a 10..12 by 2", "cut 0..12 by 2", "settle 12", "wait None"]);
}

#[test]
fn a_catch_up_ends_where_the_table_stood_but_reads_its_last_line_to_the_end() {
    let mut planner = planner([standing(0, 1), standing(8, 2), standing(8, 2)], BOUNDS, 100);
    let Decision::Work(chunk) = planner.next(0, true) else { panic!("bytes are missing") };
    assert_eq!((chunk.end, chunk.limit, chunk.catch_up), (8, 100, true));
}

#[test]
fn a_table_that_needs_bytes_of_a_file_that_is_gone_cannot_be_brought_up() {
    let mut planner = Planner::new(&[standing(0, 1), standing(8, 2)], settings(99), BOUNDS);
    assert_eq!(steps(&mut planner, 0, 1), ["lost bytes 0..8 of a"], "where its last line ends is not known");
}

/// A table at `offset` that knows which cut had the last rows for each table.
fn knowing(offset: u64, last_rows: [u64; 3]) -> Standing {
    let mut known = LastRows::none(Position(0), 3);
    last_rows.into_iter().enumerate().for_each(|(i, last)| known.reach(GroupId(i), Draw(1), Position(last)));
    Standing { last_rows: known, ..standing(offset, 1) }
}

#[test]
fn a_table_that_lacks_no_rows_is_moved_without_the_bytes() {
    let standings = [knowing(30, [20, 5, 0]), knowing(10, [5, 5, 0]), knowing(10, [5, 5, 0])];
    let mut planner = Planner::new(&standings, settings(99), BOUNDS);
    let planned = steps(&mut planner, 0, 3);
    assert_eq!(planned, ["cut 10..30 by 1", "settle 30", "wait None"], "the source need not have the file");
}

#[test]
fn a_table_that_lacks_rows_or_knows_too_little_is_caught_up_over_all_bytes() {
    let lacks = [knowing(30, [20, 10, 0]), knowing(10, [5, 5, 0]), knowing(10, [5, 5, 0])];
    let knows_nothing = [knowing(30, [20, 5, 0]), standing(10, 1), knowing(10, [5, 5, 0])];
    let mut other_history = [knowing(30, [20, 5, 0]), knowing(10, [5, 5, 0]), knowing(10, [5, 5, 0])];
    other_history[1].last_rows.reach(GroupId(1), Draw(2), Position(5));
    for standings in [lacks, knows_nothing, other_history] {
        let mut unseen = Planner::new(&standings, settings(99), BOUNDS);
        assert_eq!(steps(&mut unseen, 0, 1), ["lost bytes 10..30 of a"]);
        let mut planner = planner(standings, BOUNDS, 30);
        let planned = steps(&mut planner, 0, 4);
        assert_eq!(planned, ["chunk a 10..20 by 1", "chunk a 20..30 by 1", "cut 10..30 by 1", "settle 30"]);
    }
}
