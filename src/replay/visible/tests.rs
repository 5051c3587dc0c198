//! When an append is visible.

use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const NONE: [u64; 0] = [];

/// Ten lines of ten bytes, durable at `at`.
fn append(n: u64, at: u64) -> Append {
    Append {
        end: 100 * (n + 1),
        starts: (0..10).map(|line| 100 * n + 10 * line).collect(),
        has_envelopes: false,
        at: ms(at),
    }
}

fn seen(waiting: &mut Waiting, table: usize, offset: u64, rows: u64, at: u64) -> Vec<u64> {
    let news = waiting.seen(table, Sighting { offset, rows, at: ms(at) });
    news.iter().map(|visible| u64::try_from(visible.after.as_millis()).expect("a short time")).collect()
}

#[test]
fn an_append_is_visible_when_every_table_has_come_so_far() {
    let mut waiting = Waiting::new(2);
    assert_eq!(waiting.appended(append(0, 5)), []);
    assert_eq!(waiting.appended(append(1, 10)), []);
    assert_eq!(seen(&mut waiting, 0, 200, 12, 20), NONE);
    assert_eq!(waiting.behind(), 200);
    assert_eq!(seen(&mut waiting, 1, 100, 3, 30), [25], "the tables have counted otherwise, and have it");
    assert_eq!(seen(&mut waiting, 1, 200, 6, 40), [30]);
    assert_eq!((waiting.behind(), waiting.rows(), waiting.oldest()), (0, 18, None));
}

#[test]
fn a_table_without_rows_is_not_waited_for() {
    let mut waiting = Waiting::new(3);
    waiting.appended(append(0, 5));
    waiting.appended(append(1, 10));
    assert_eq!(seen(&mut waiting, 0, 100, 7, 20), NONE, "three lines may be on their way to another table");
    assert_eq!(seen(&mut waiting, 1, 100, 3, 30), [25]);
    assert_eq!(seen(&mut waiting, 1, 200, 13, 40), [30], "all lines went to one");
}

#[test]
fn rows_of_envelopes_do_not_stand_for_lines() {
    let mut waiting = Waiting::new(2);
    waiting.appended(Append { has_envelopes: true, ..append(0, 5) });
    assert_eq!(seen(&mut waiting, 0, 100, 10, 20), NONE, "ten rows may be two lines");
    assert_eq!(seen(&mut waiting, 1, 100, 3, 30), [25]);
}

#[test]
fn rows_of_a_later_position_do_not_stand_for_those_that_are_missing() {
    let mut waiting = Waiting::new(3);
    waiting.appended(append(0, 5));
    waiting.appended(append(1, 10));
    // Three of the first append and two of the second; then five of the first: ten rows, and
    // two of the first are not there.
    assert_eq!(seen(&mut waiting, 0, 200, 5, 20), NONE);
    assert_eq!(seen(&mut waiting, 1, 100, 5, 30), NONE);
    assert_eq!(seen(&mut waiting, 2, 100, 2, 40), [35]);
}

#[test]
fn a_position_inside_an_append_counts_the_lines_that_start_before_it() {
    let mut waiting = Waiting::new(2);
    waiting.appended(append(0, 5));
    waiting.appended(append(1, 10));
    assert_eq!(seen(&mut waiting, 0, 145, 15, 20), [15]);
    assert_eq!(seen(&mut waiting, 0, 200, 20, 30), [20]);
}

#[test]
fn what_is_seen_before_it_is_known_to_be_durable_took_no_time() {
    let mut waiting = Waiting::new(2);
    assert_eq!(seen(&mut waiting, 0, 100, 10, 20), NONE);
    assert_eq!(waiting.appended(append(0, 25)), [Visible { at: ms(25), after: ms(0) }]);
    assert_eq!(waiting.behind(), 0);
}
