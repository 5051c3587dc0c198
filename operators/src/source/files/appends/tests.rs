//! How old the bytes of a cut are.

use std::sync::Arc;

use super::*;
use crate::format::logs::settings::RowSettings;
use crate::source::files::identity::Identity;

fn chunk(name: &str, range: Range<u64>) -> Chunk {
    Chunk {
        partition: PartitionId::first(name),
        identity: Identity::default(),
        start: range.start,
        end: range.end,
        limit: range.end,
        line_start: true,
        settings: Arc::new(RowSettings::example()),
        catch_up: false,
    }
}

fn append(name: &str, range: Range<u64>, at_ms: impl Into<Option<u64>>) -> Append {
    Append { partition: PartitionId::first(name), range, at_ms: at_ms.into() }
}

/// A moment at which both clocks agree.
fn at(ms: u64) -> Stamp {
    Stamp { wall_ms: ms, steady_ms: ms }
}

/// When the oldest bytes of a cut over these chunks were appended.
fn appended(appends: &mut Appends, chunks: &[Chunk]) -> Option<u64> {
    let ages: Vec<_> = chunks.iter().map(|chunk| appends.handed_out(chunk)).collect();
    ages.into_iter().flatten().min()
}

#[test]
fn a_cut_is_as_old_as_its_oldest_bytes() {
    let mut appends = Appends::default();
    appends.found(append("a", 10..20, 1_000), at(2_000));
    appends.found(append("a", 20..30, 3_000), at(4_000));
    appends.found(append("b", 0..5, 2_500), at(4_000));
    assert_eq!(appended(&mut appends, &[chunk("b", 0..5), chunk("a", 10..15)]), Some(1_000));
    assert_eq!(appended(&mut appends, &[chunk("a", 15..25)]), Some(1_000), "it begins with what the last left");
    assert_eq!(appended(&mut appends, &[chunk("a", 25..30)]), Some(3_000));
    assert!(appends.waiting.is_empty(), "what was handed out is forgotten");
}

#[test]
fn what_was_there_before_the_run_has_no_age() {
    let mut appends = Appends::default();
    assert_eq!(appended(&mut appends, &[chunk("a", 0..10)]), None);
    appends.found(append("a", 20..30, 3_000), at(4_000));
    assert_eq!(appended(&mut appends, &[chunk("a", 10..20)]), None);
    assert_eq!(appended(&mut appends, &[chunk("a", 20..30)]), Some(3_000));
}

#[test]
fn bytes_are_no_younger_than_the_look_that_found_them() {
    let mut appends = Appends::default();
    appends.found(append("a", 0..1, 7_000), at(5_000));
    appends.found(append("b", 0..1, None), at(6_000));
    assert_eq!(appended(&mut appends, &[chunk("a", 0..1)]), Some(5_000), "the store's clock is ahead");
    assert_eq!(appended(&mut appends, &[chunk("b", 0..1)]), Some(6_000), "the store says nothing");
}

#[test]
fn an_age_is_a_difference_by_the_time_of_day_and_counts_from_then_on_by_the_steady_clock() {
    let mut appends = Appends::default();
    let set_back = |wall_ms| Stamp { wall_ms, steady_ms: 9_000 };
    appends.found(append("a", 0..1, 700), set_back(1_000));
    assert_eq!(appended(&mut appends, &[chunk("a", 0..1)]), Some(8_700));
}

#[test]
fn what_is_remembered_is_bounded_and_then_errs_towards_older() {
    let mut appends = Appends::default();
    let looks = 2 * LOOKS as u64;
    (0..looks).for_each(|look| appends.found(append("a", look..look + 1, look), at(looks)));
    assert_eq!(appends.waiting.values().map(VecDeque::len).sum::<usize>(), LOOKS);
    let last = appended(&mut appends, &[chunk("a", looks - 1..looks)]);
    assert_eq!(last, Some(LOOKS as u64 - 1));
}
