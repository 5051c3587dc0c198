//! What is handed out in which order, and what counts as lost.

use super::gone::Left;
use super::*;
use crate::kafka::settings::Isolation;
use crate::protocol::last_rows::LastRows;

const SETTINGS: Settings = Settings { rules: 1, isolation: Isolation::ReadCommitted, tables: Vec::new() };

fn sight(topic: &str, partition: i32, earliest: u64, end: u64) -> Sight {
    Sight { topic: topic.to_owned(), partition, topic_id: "id".to_owned(), has_leader: true, earliest, end }
}

fn mark(next: u64, begin: u64) -> Mark {
    Mark { next, begin, topic_id: "id".to_owned() }
}

fn standing(marks: &[(&str, Mark)]) -> Standing {
    let partitions = marks.iter().map(|(name, mark)| (PartitionId::first(*name), mark.clone())).collect();
    Standing {
        offsets: Arc::new(summed(partitions)),
        settings: Arc::new(SETTINGS),
        since: Position(0),
        last_rows: LastRows::default(),
    }
}

/// Over groups that stand at these, in ranges of 10 records.
fn supply(standings: &[Standing], on_loss: OnLoss) -> TopicSupply {
    let sizes = Arc::new(Sizes::default());
    TopicSupply::new(standings, sizes, 10 * 1024, on_loss)
}

fn short(range: Range) -> String {
    let lost = if range.is_lost { " lost" } else { "" };
    let late = if range.catch_up { " late" } else { "" };
    format!("{} {}..{}{lost}{late}", range.partition, range.from, range.to)
}

fn all(supply: &mut TopicSupply, room: u64) -> Vec<String> {
    std::iter::from_fn(|| supply.next(room, &Arc::new(SETTINGS))).map(short).collect()
}

#[test]
fn partitions_take_turns_and_no_range_is_too_long() {
    let mut supply = supply(&[standing(&[("a/0", mark(0, 0))])], OnLoss::Stop);
    assert!(supply.see(vec![sight("a", 0, 0, 25), sight("b", 0, 0, 3), sight("b", 1, 0, 0)], 0).is_empty());
    assert_eq!(supply.end(), Position(28));
    assert_eq!(supply.lags_most().map(|lag| (lag.partition.name, lag.lag)), Some(("a/0".to_owned(), 25)));
    assert_eq!(all(&mut supply, 100), ["a/0 0..10", "b/0 0..3", "a/0 10..20", "a/0 20..25"]);
    assert!(supply.is_exhausted());
    assert_eq!(supply.offsets().position(), Position(28));
    assert!(supply.see(vec![sight("a", 0, 0, 25), sight("b", 0, 0, 9), sight("b", 1, 0, 0)], 0).is_empty());
    assert_eq!(all(&mut supply, 4), ["b/0 3..7", "b/0 7..9"]);
    assert_eq!(supply.rest_of_next(), None);
}

#[test]
fn larger_records_make_shorter_ranges() {
    let mut supply = supply(&[standing(&[])], OnLoss::Stop);
    supply.sizes.learn("a/0", 1, 4 << 10);
    supply.sizes.learn("b/0", 1, 1 << 20);
    supply.see(vec![sight("a", 0, 0, 5), sight("b", 0, 0, 2)], 0);
    assert_eq!(all(&mut supply, 100), ["a/0 0..2", "b/0 0..1", "a/0 2..4", "b/0 1..2", "a/0 4..5"]);
}

#[test]
fn a_partition_that_comes_later_begins_where_it_was_first_seen() {
    let mut supply = supply(&[standing(&[("a/0", mark(7, 5))])], OnLoss::Stop);
    supply.see(vec![sight("a", 0, 0, 7), sight("a", 1, 40, 40)], 0);
    supply.close();
    assert_eq!(supply.offsets().partitions[&PartitionId::first("a/1")], mark(40, 40));
    assert_eq!(supply.offsets().position(), Position(2), "naming it moves nothing");
    // What retention takes of it from now on is lost.
    let losses = supply.see(vec![sight("a", 0, 0, 7), sight("a", 1, 60, 61)], 0);
    assert_eq!(losses, [(PartitionId::first("a/1"), Loss::Passed { wanted: 40, earliest: 60 })]);
}

#[test]
fn a_partition_that_is_held_is_read_up_to_there_while_others_go_on() {
    let at = [standing(&[("a/0", mark(5, 0)), ("a/1", mark(7, 0)), ("b/0", mark(0, 0))])];
    let held = |of: &[(&str, u64)]| of.iter().map(|(name, offset)| (PartitionId::first(*name), *offset)).collect();
    let mut held_at = supply(&at, OnLoss::Stop).holding(held(&[("a/0", 8), ("a/1", 6), ("c/0", 0)]));
    let sights = || vec![sight("a", 0, 0, 12), sight("a", 1, 0, 9), sight("b", 0, 0, 2), sight("c", 0, 0, 3)];
    assert!(held_at.see(sights(), 0).is_empty());
    assert_eq!(all(&mut held_at, 100), ["a/0 5..8", "a/1 7..9", "b/0 0..2"], "one that was read further goes on");
    assert!(held_at.is_exhausted());
    held_at.close();
    assert_eq!(held_at.offsets().partitions[&PartitionId::first("c/0")], mark(0, 0));
    // Retention takes what it is held at: that is lost as anything else is.
    let later = || vec![sight("a", 0, 10, 13), sight("a", 1, 0, 9), sight("b", 0, 0, 2), sight("c", 0, 0, 3)];
    assert_eq!(held_at.see(later(), 0), [(PartitionId::first("a/0"), Loss::Passed { wanted: 8, earliest: 10 })]);
    let mut accepts = supply(&at, OnLoss::Accept).holding(held(&[("a/0", 8)]));
    assert!(accepts.see(vec![sight("a", 0, 10, 13)], 0).is_empty());
    assert_eq!(all(&mut accepts, 100), ["a/0 5..10 lost", "a/0 10..13"]);
}

#[test]
fn what_retention_has_taken_is_lost_and_named() {
    let at = [standing(&[("a/0", mark(10, 0))])];
    let mut stops = supply(&at, OnLoss::Stop);
    let losses = stops.see(vec![sight("a", 0, 250, 260)], 0);
    assert_eq!(losses, [(PartitionId::first("a/0"), Loss::Passed { wanted: 10, earliest: 250 })]);
    let next = stops.next(100, &Arc::new(SETTINGS)).map(short);
    assert_eq!(next.as_deref(), Some("a/0 10..20"), "whoever reads this is told, and nothing is skipped");
    let mut accepts = supply(&at, OnLoss::Accept);
    assert!(accepts.see(vec![sight("a", 0, 250, 260)], 0).is_empty());
    assert_eq!(all(&mut accepts, 200), ["a/0 10..210 lost", "a/0 210..250 lost", "a/0 250..260"]);
    assert_eq!(accepts.offsets().position(), Position(260), "what is lost counts as consumed");
}

#[test]
fn another_topic_of_the_same_name_is_lost_or_the_next_generation() {
    let at = [standing(&[("a/0", mark(10, 0))])];
    let anew = || vec![Sight { topic_id: "new".to_owned(), ..sight("a", 0, 0, 15) }];
    let losses = supply(&at, OnLoss::Stop).see(anew(), 0);
    let loss = Loss::Recreated { wanted: 10, was: "id".to_owned(), is: "new".to_owned() };
    assert_eq!(losses, [(PartitionId::first("a/0"), loss)]);
    let mut accepts = supply(&at, OnLoss::Accept);
    assert!(accepts.see(anew(), 0).is_empty() && accepts.see(anew(), 0).is_empty());
    assert_eq!(all(&mut accepts, 100), ["a/0#2 0..10", "a/0#2 10..15"]);
    assert_eq!(accepts.offsets().position(), Position(25));
}

#[test]
fn a_topic_without_an_id_gets_it_when_the_cluster_gives_some() {
    let without = Mark { topic_id: String::new(), ..mark(3, 0) };
    let mut supply = supply(&[standing(&[("a/0", without)])], OnLoss::Stop);
    assert!(supply.see(vec![sight("a", 0, 0, 5)], 0).is_empty());
    let range = supply.next(10, &Arc::new(SETTINGS)).expect("a range");
    assert_eq!((range.from, range.topic_id.as_str()), (3, "id"));
}

#[test]
fn a_sight_without_an_id_says_nothing_of_another_topic() {
    let mut supply = supply(&[standing(&[("a/0", mark(3, 0))])], OnLoss::Stop);
    let without = Sight { topic_id: String::new(), ..sight("a", 0, 0, 5) };
    assert!(supply.see(vec![without], 0).is_empty());
    let range = supply.next(10, &Arc::new(SETTINGS)).expect("a range");
    assert_eq!((range.from, range.topic_id.as_str()), (3, "id"));
}

#[test]
fn the_end_of_a_topic_is_told_by_all_its_partitions_and_only_if_it_is_known() {
    let at = [standing(&[("a/0", mark(5, 0)), ("a/1", mark(2, 0)), ("b/0", mark(1, 0))])];
    let ends = |supply: &mut TopicSupply| {
        assert_eq!(supply.vanished(&[], 1), (vec![], BTreeMap::new()), "its broker may not know it yet");
        supply.vanished(&[], 1 + SHORT)
    };
    let mut accepts = supply(&at, OnLoss::Accept);
    accepts.see(vec![sight("a", 0, 0, 5), sight("a", 1, 0, 5), sight("b", 0, 0, 1)], 0);
    let ended = [("a", Left::Records), ("b", Left::Nothing)].map(|(topic, left)| (topic.to_owned(), left));
    assert_eq!(ends(&mut accepts), (vec![], ended.into()));
    // After a restart, nobody knows how far it went.
    let ended = [("a", Left::Unknown), ("b", Left::Unknown)].map(|(topic, left)| (topic.to_owned(), left));
    assert_eq!(ends(&mut supply(&at, OnLoss::Stop)), (vec![], ended.into()));
}

#[test]
fn a_partition_without_a_leader_is_neither_gone_nor_read() {
    let without = |partition| Sight { has_leader: false, ..sight("a", partition, 0, 0) };
    let at = [standing(&[("a/0", mark(3, 0)), ("a/1", mark(3, 0))])];
    let mut supply = supply(&at, OnLoss::Stop);
    supply.see(vec![sight("a", 0, 0, 5), without(1), without(2)], 0);
    for now_ms in [1, 1 + SHORT, 2 + 2 * SHORT] {
        assert!(supply.see(vec![sight("a", 0, 0, 5), without(1), without(2)], now_ms).is_empty());
    }
    assert_eq!(all(&mut supply, 100), ["a/0 3..5"]);
    supply.see(vec![sight("a", 0, 0, 5), sight("a", 1, 0, 4), sight("a", 2, 7, 9)], 3 + 2 * SHORT);
    assert_eq!(all(&mut supply, 100), ["a/1 3..4", "a/2 7..9"]);
    // What lagging tables lack of it is waited for.
    let low_at = standing(&[("a/0", mark(25, 0))]);
    let looks: [(&[Sight], u64); 2] = [(&[without(0)], 0), (&[without(0)], 2 * SHORT)];
    assert_eq!(levelled(low_at, OnLoss::Stop, &looks), Ok(vec!["another look".to_owned()]));
}

#[test]
fn a_topic_that_is_gone_is_lost_only_if_something_was_left() {
    let mut supply = supply(&[standing(&[])], OnLoss::Stop);
    supply.see(vec![sight("a", 0, 0, 5), sight("b", 0, 0, 5)], 0);
    assert_eq!(all(&mut supply, 100), ["a/0 0..5", "b/0 0..5"]);
    for now_ms in [1, 1 + SHORT] {
        assert!(supply.see(vec![sight("b", 0, 0, 8)], now_ms).is_empty());
    }
    assert!(supply.see(vec![], 2 + SHORT).is_empty(), "its broker may not know it yet");
    let losses = supply.see(vec![], 2 + 2 * SHORT);
    assert_eq!(losses, [(PartitionId::first("b/0"), Loss::Gone { wanted: 5 })]);
}

#[test]
fn a_partition_that_stays_shorter_than_what_was_read_has_lost_records() {
    let mut supply = supply(&[standing(&[("a/0", mark(10, 0))])], OnLoss::Stop);
    let short = || vec![sight("a", 0, 0, 8)];
    assert!(supply.see(short(), 1_000).is_empty() && supply.is_short(), "its new leader may not know it yet");
    assert!(supply.see(vec![sight("a", 0, 0, 10)], 2_000).is_empty() && !supply.is_short());
    assert!(supply.see(short(), 3_000).is_empty());
    let losses = supply.see(short(), 3_000 + SHORT);
    assert_eq!(losses, [(PartitionId::first("a/0"), Loss::Truncated { wanted: 10, end: 8 })]);
}

#[test]
fn a_group_that_lags_gets_what_others_hold_if_it_is_there() {
    let (low, high) = (standing(&[("a/0", mark(5, 0))]), standing(&[("a/0", mark(25, 0)), ("b/0", mark(9, 4))]));
    let both = [low, high.clone()];
    let targets: VecDeque<Standing> = [high].into();
    let catch_up = |supply: &mut TopicSupply| {
        let mut ranges = Vec::new();
        while let Some(range) = supply.towards(&targets, 12)? {
            ranges.push(short(range));
        }
        Ok::<_, Lost>(ranges)
    };
    let mut there = supply(&both, OnLoss::Stop);
    there.see(vec![sight("a", 0, 0, 30), sight("b", 0, 0, 9)], 0);
    let ranges = catch_up(&mut there).expect("all of it is there");
    assert_eq!(ranges, ["a/0 5..15 late", "a/0 15..25 late", "b/0 4..9 late"]);
    assert_eq!(there.offsets(), &*targets[0].offsets);
    there.reach(&targets[0]);
    assert_eq!(all(&mut there, 100), ["a/0 25..30"]);
    let mut lost = supply(&both, OnLoss::Stop);
    lost.see(vec![sight("a", 0, 0, 30), sight("b", 0, 6, 9)], 0);
    let what = catch_up(&mut lost).expect_err("some of it is gone").what;
    assert_eq!(what, "records 4 to 9 of b/0, and the topic has those from 6 to 9");
}

/// A group at 5 of a topic, another that is further, and what the first gets.
fn levelled(high: Standing, on_loss: OnLoss, looks: &[(&[Sight], u64)]) -> Result<Vec<String>, String> {
    let low = standing(&[("a/0", mark(5, 0))]);
    let mut supply = supply(&[low, high.clone()], on_loss);
    for (sights, now_ms) in looks {
        supply.see(sights.to_vec(), *now_ms);
    }
    let (targets, mut ranges) = ([high].into(), Vec::new());
    while let Some(range) = supply.towards(&targets, 12).map_err(|lost| lost.what)? {
        ranges.push(short(range));
    }
    let waits = if supply.is_short() { Some("another look".to_owned()) } else { None };
    Ok(ranges.into_iter().chain(waits).collect())
}

#[test]
fn a_group_that_lags_behind_a_new_leader_waits_for_it() {
    let high = || standing(&[("a/0", mark(25, 0))]);
    for on_loss in [OnLoss::Stop, OnLoss::Accept] {
        let ranges = levelled(high(), on_loss, &[(&[sight("a", 0, 0, 20)], 0)]).expect("it may come");
        assert_eq!(ranges, ["a/0 5..15 late", "a/0 15..25 late"], "a read waits for what is not there yet");
        let ranges = levelled(high(), on_loss, &[(&[], 0)]).expect("its broker may not know it yet");
        assert_eq!(ranges, ["another look"]);
    }
    let gone: [(&[Sight], u64); 2] = [(&[], 0), (&[], SHORT)];
    let what = levelled(high(), OnLoss::Stop, &gone).expect_err("it is gone");
    assert_eq!(what, "records 5 to 25 of a/0, and the topic is gone");
    assert_eq!(
        levelled(high(), OnLoss::Accept, &gone),
        Ok(vec!["a/0 5..17 lost late".into(), "a/0 17..25 lost late".into()])
    );
}

#[test]
fn what_a_group_lacks_of_the_old_topic_is_lost_once_there_is_a_new_one() {
    let mut high = standing(&[("a/0", mark(15, 0))]);
    let mut partitions = high.offsets.partitions.clone();
    let anew = PartitionId { generation: 2, ..PartitionId::first("a/0") };
    partitions.insert(anew, Mark { topic_id: "new".to_owned(), ..mark(3, 0) });
    high.offsets = Arc::new(summed(partitions));
    let sights = [Sight { topic_id: "new".to_owned(), ..sight("a", 0, 0, 9) }];
    let ranges = levelled(high.clone(), OnLoss::Accept, &[(&sights, 0)]).expect("it was accepted");
    assert_eq!(ranges, ["a/0 5..15 lost late", "a/0#2 0..3 late"]);
    let what = levelled(high, OnLoss::Stop, &[(&sights, 0)]).expect_err("nothing brings it back");
    assert_eq!(what, "records 5 to 15 of a/0, and the topic is gone");
}

#[test]
fn a_cold_start_begins_with_what_is_there_or_behind_it() {
    let sights = [sight("a", 0, 3, 9), sight("a", 1, 0, 0)];
    for (start, begins) in [(ColdStart::Earliest, [3, 0]), (ColdStart::Latest, [9, 0])] {
        let offsets = start.offsets(&sights);
        let marks: Vec<u64> = offsets.partitions.values().map(|mark| mark.next).collect();
        assert_eq!((marks, offsets.position()), (begins.to_vec(), Position(0)));
    }
}

#[test]
fn two_cuts_of_bytes_are_under_way_and_the_next_waits_for_one() {
    // A range of 10 records is expected to have 10 KiB.
    let mut supply = supply(&[standing(&[("a/0", mark(0, 0))])], OnLoss::Stop).closing_after(64 << 10);
    supply.see(vec![sight("a", 0, 0, 1000)], 0);
    let settings = Arc::new(SETTINGS);
    let cut = |supply: &mut TopicSupply| {
        let mut ranges = 0;
        while supply.boundary() == Boundary::May {
            assert!(!supply.is_full() && supply.next(100, &settings).is_some());
            ranges += 1;
        }
        assert_eq!(supply.boundary(), Boundary::Must);
        supply.close();
        (ranges, supply.offsets().position())
    };
    let (ranges, first) = cut(&mut supply);
    assert!(ranges >= 2 && !supply.is_full(), "{ranges} ranges");
    cut(&mut supply);
    assert!(supply.is_full());
    supply.acknowledged(Position(9));
    assert!(supply.is_full(), "not even the first range is");
    supply.acknowledged(first);
    assert!(!supply.is_full());
}

fn step(ends: &[(&str, u64)]) -> Step {
    ends.iter().map(|(name, end)| ((*name).to_owned(), *end)).collect()
}

#[test]
fn a_cut_ends_only_between_steps() {
    let mut supply = supply(&[standing(&[("a/0", mark(0, 0)), ("b/0", mark(0, 0))])], OnLoss::Stop).by_steps();
    supply.see(vec![sight("a", 0, 0, 30), sight("b", 0, 0, 5)], 0);
    assert_eq!((all(&mut supply, 100).len(), supply.is_exhausted(), supply.end()), (0, true, Position(35)));
    supply.may_go(step(&[("a/0", 12), ("b/0", 1)]));
    supply.may_go(step(&[("a/0", 12), ("b/0", 5)]));
    assert_eq!((supply.waiting(), supply.boundary(), supply.is_exhausted()), (17, Boundary::May, false));
    let next = |supply: &mut TopicSupply| supply.next(1, &Arc::new(SETTINGS)).map(short);
    assert_eq!(next(&mut supply).as_deref(), Some("a/0 0..1"));
    // What belongs together goes, whatever room there is.
    assert_eq!(supply.boundary(), Boundary::MustNot);
    assert_eq!(next(&mut supply).as_deref(), Some("b/0 0..1"));
    assert_eq!(next(&mut supply).as_deref(), Some("a/0 1..11"));
    assert_eq!((next(&mut supply).as_deref(), supply.boundary()), (Some("a/0 11..12"), Boundary::May));
    assert_eq!((supply.is_exhausted(), supply.waiting()), (false, 4));
    assert_eq!((next(&mut supply).as_deref(), supply.boundary()), (Some("b/0 1..2"), Boundary::MustNot));
    assert_eq!((next(&mut supply).as_deref(), supply.boundary()), (Some("b/0 2..5"), Boundary::May));
    assert!(supply.is_exhausted() && next(&mut supply).is_none());
    assert_eq!((supply.end(), supply.lags_most().map(|lag| lag.lag)), (Position(35), Some(18)));
    // A step may be found before the one before it is handed out, or long after.
    supply.may_go(step(&[("a/0", 30), ("b/0", 5)]));
    assert_eq!(all(&mut supply, 100), ["a/0 12..22", "a/0 22..30"]);
}

#[test]
fn a_step_ends_a_cut_that_has_enough_bytes_and_a_held_partition_stays_behind() {
    let held = [(PartitionId::first("a/0"), 2)].into();
    let mut supply = supply(&[standing(&[])], OnLoss::Stop).closing_after(1).holding(held).by_steps();
    supply.see(vec![sight("a", 0, 0, 30), sight("b", 0, 0, 5)], 0);
    supply.may_go(step(&[("a/0", 10), ("b/0", 5)]));
    assert_eq!(all(&mut supply, 100), ["a/0 0..2", "b/0 0..5"]);
    assert_eq!((supply.boundary(), supply.waiting()), (Boundary::Must, 0));
    assert!(supply.is_exhausted());
}

#[test]
fn a_step_is_not_over_because_a_partition_is_short_for_a_moment() {
    let mut supply = supply(&[standing(&[])], OnLoss::Stop).by_steps();
    supply.see(vec![sight("a", 0, 0, 10), sight("b", 0, 0, 5)], 0);
    supply.may_go(step(&[("a/0", 10), ("b/0", 5)]));
    supply.may_go(step(&[("a/0", 10), ("b/0", 6)]));
    // The new leader does not know of all yet.
    supply.see(vec![sight("a", 0, 0, 10), sight("b", 0, 0, 3)], 1);
    assert_eq!(all(&mut supply, 100), ["a/0 0..10", "b/0 0..3"]);
    assert_eq!((supply.boundary(), supply.is_exhausted()), (Boundary::MustNot, false));
    supply.see(vec![sight("a", 0, 0, 10), sight("b", 0, 0, 6)], 2);
    assert_eq!(supply.next(100, &Arc::new(SETTINGS)).map(short).as_deref(), Some("b/0 3..5"));
    assert_eq!(supply.boundary(), Boundary::May);
}

#[test]
fn a_group_that_lags_is_cut_where_it_is_level() {
    let standings =
        [standing(&[("a/0", mark(0, 0)), ("b/0", mark(0, 0))]), standing(&[("a/0", mark(20, 0)), ("b/0", mark(5, 0))])];
    let mut supply = supply(&standings, OnLoss::Stop).by_steps();
    supply.see(vec![sight("a", 0, 0, 30), sight("b", 0, 0, 5)], 0);
    let targets: VecDeque<Standing> = [standings[1].clone()].into();
    let mut towards = || {
        let range = supply.towards(&targets, 1).expect("it is there").map(short);
        (range.unwrap_or_default(), supply.boundary())
    };
    assert_eq!(towards(), ("a/0 0..10 late".to_owned(), Boundary::MustNot));
    assert_eq!(towards(), ("a/0 10..20 late".to_owned(), Boundary::MustNot));
    assert_eq!(towards(), ("b/0 0..5 late".to_owned(), Boundary::May));
}

#[test]
fn how_far_an_old_topic_could_go_says_nothing_of_a_new_one() {
    let mut supply = supply(&[standing(&[("a/0", mark(5, 0))])], OnLoss::Accept).by_steps();
    supply.see(vec![sight("a", 0, 0, 9)], 0);
    supply.may_go(step(&[("a/0", 9)]));
    supply.see(vec![Sight { topic_id: "another".to_owned(), ..sight("a", 0, 0, 9) }], 1);
    assert_eq!((all(&mut supply, 100).len(), supply.boundary()), (0, Boundary::May));
    supply.may_go(step(&[("a/0", 2)]));
    assert_eq!(all(&mut supply, 100), ["a/0#2 0..2"]);
}
