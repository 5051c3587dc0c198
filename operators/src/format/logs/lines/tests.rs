//! Positions and offsets of files, as they are stored and compared.

use super::*;
use crate::protocol::offsets::Delta;

fn offsets(entries: &[(&str, u32, u64)]) -> Offsets {
    let entry = |&(name, generation, offset): &(&str, u32, u64)| {
        let at = Mark { offset, identity: Identity::default(), landed_tail: false, gone: false };
        (PartitionId { name: name.into(), generation }, at)
    };
    entries.iter().map(entry).collect()
}

/// The same, with `bytes` retired.
fn retired(entries: &[(&str, u32, u64)], bytes: u64) -> Offsets {
    Offsets::summed(offsets(entries).partitions, Retired { bytes, before_ms: 1 })
}

#[test]
fn the_position_is_the_sum_over_all_generations() {
    assert_eq!(offsets(&[("a", 1, 10), ("a", 2, 5), ("b", 1, 7)]).position(), Position(22));
}

#[test]
fn no_two_partitions_look_the_same() {
    let shown = |name: &str, generation| PartitionId { name: name.into(), generation }.to_string();
    assert_eq!((shown("a.json", 1), shown("a.json", 2)), ("a.json".to_owned(), "a.json#2".to_owned()));
    assert_eq!((shown("a.json#2", 1), shown("a.json#2", 2)), ("a.json#2#1".to_owned(), "a.json#2#2".to_owned()));
    assert_eq!((shown("a#b", 1), shown("a#", 1), shown("#7", 1)), ("a#b".into(), "a#".into(), "#7#1".into()));
}

#[test]
fn offsets_survive_json_even_where_a_name_looks_like_a_generation() {
    let before = offsets(&[("a", 2, 10), ("a#2", 1, 5)]);
    let json = serde_json::to_string(&before).expect("offsets are JSON");
    assert_eq!(serde_json::from_str::<Offsets>(&json).expect("our own JSON"), before);
}

#[test]
fn changed_entries_and_their_base_give_the_offsets_back() {
    let base = offsets(&[("a", 1, 10), ("b", 1, 7)]);
    let now = offsets(&[("a", 1, 10), ("b", 1, 9), ("c", 1, 1)]);
    assert_eq!(now.since(&base), Delta { changed: offsets(&[("b", 1, 9), ("c", 1, 1)]), gone: Vec::new() });
    assert_eq!(base.clone().updated(now.since(&base)), now);
    let later = retired(&[("b", 1, 9)], 11);
    assert_eq!(now.clone().updated(later.since(&now)), later);
}

#[test]
fn a_partition_that_leaves_goes_on_counting() {
    let (before, after) = (offsets(&[("a", 1, 10), ("b", 1, 7)]), retired(&[("b", 1, 7)], 10));
    assert_eq!(before.position(), after.position());
    assert!(before.precede(&after) && !after.precede(&before));
    let json = serde_json::to_string(&after).expect("offsets are JSON");
    assert_eq!(serde_json::from_str::<Offsets>(&json).expect("our own JSON"), after);
}

#[test]
fn offsets_that_lack_a_part_of_what_has_left_lead_nowhere() {
    let after = retired(&[("b", 1, 7)], 10);
    assert!(!offsets(&[("a", 1, 9), ("b", 1, 7)]).precede(&after), "a was not read to its end");
    assert!(!offsets(&[("b", 1, 7)]).precede(&after), "a was not read at all");
}

#[test]
fn the_newest_generation_is_found_by_name_alone() {
    let now = offsets(&[("a", 1, 10), ("a", 3, 1), ("ab", 1, 7)]);
    assert_eq!(now.newest("a").map(|(id, _)| id.generation), Some(3));
    assert_eq!(now.newest("c"), None);
}
