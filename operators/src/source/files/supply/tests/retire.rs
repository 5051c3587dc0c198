//! When partitions are retired.

use super::*;

fn finished(before_ms: u64, names: &[&str]) -> Finished {
    Finished { before_ms, partitions: names.iter().map(|name| id(name)).collect() }
}

/// Plans until a cut is closed, and returns its offsets.
fn next_cut(planner: &mut Planner) -> Arc<Offsets> {
    for _ in 0..20 {
        if let Decision::Tell(Control::Cut(cut)) = planner.next(0, true) {
            return cut.offsets;
        }
    }
    panic!("no cut was closed");
}

#[test]
fn a_finished_partition_leaves_once_every_table_holds_it() {
    let mut planner = level(Bounds { cut: 10, ..BOUNDS }, 10);
    planner.supply_mut().limits([limit("b", 30)]);
    planner.supply_mut().finished(finished(1_000, &["a"]));
    let first = next_cut(&mut planner);
    assert_eq!(first.at(&id("a")), 10, "its rows are on their way");
    planner.acknowledged(Position(10));
    planner.supply_mut().finished(finished(1_001, &["a"]));
    let second = next_cut(&mut planner);
    assert_eq!(second.partitions.keys().collect::<Vec<_>>(), [&id("b")]);
    assert_eq!((second.retired.bytes, second.retired.before_ms), (10, 1_001));
    assert_eq!(second.position(), Position(20), "its bytes go on counting");
    assert!(first.precede(&second));
    assert_eq!(planner.supply_mut().retired().0, [].into(), "a table may still hold it");
    planner.acknowledged(Position(20));
    assert_eq!(planner.supply_mut().retired(), ([id("a")].into(), 1_001));
    assert_eq!(planner.supply_mut().retired().0, [].into(), "it is told once");
}

#[test]
fn what_has_no_bytes_to_plan_is_named_before_others_leave() {
    let mut planner = level(Bounds { cut: 10, ..BOUNDS }, 10);
    planner.supply_mut().limits([limit("b", 30), limit("empty", 0), limit("late", 30)]);
    planner.supply_mut().finished(finished(1_000, &[]));
    let cut = next_cut(&mut planner);
    let named: Vec<_> = cut.partitions.iter().map(|(id, at)| (id.name.as_str(), at.offset)).collect();
    assert_eq!(named, [("a", 10), ("b", 0), ("empty", 0), ("late", 0)], "or they would be taken for retired");
}

#[test]
fn a_partition_with_bytes_to_plan_stays() {
    let mut planner = level(Bounds { cut: 10, ..BOUNDS }, 15);
    planner.supply_mut().finished(finished(1_000, &["a"]));
    assert_eq!(next_cut(&mut planner).at(&id("a")), 10);
}

#[test]
fn what_was_seen_of_a_partition_before_it_left_is_not_planned_again() {
    let mut planner = level(Bounds { cut: 10, ..BOUNDS }, 0);
    planner.supply_mut().limits([limit("b", 30)]);
    planner.supply_mut().finished(finished(1_000, &["a"]));
    next_cut(&mut planner);
    planner.supply_mut().limits([limit("a", 10)]);
    assert_eq!(steps(&mut planner, 0, 1), ["chunk b 10..20 by 99"]);
}

#[test]
fn nothing_leaves_while_a_table_is_brought_up() {
    let mut planner = planner([standing(0, 1), standing(8, 2), standing(8, 2)], BOUNDS, 8);
    planner.supply_mut().finished(finished(1_000, &["a"]));
    assert_eq!(next_cut(&mut planner).retired, Retired::default());
}

#[test]
fn a_look_from_before_the_source_was_told_finishes_nothing() {
    let mut planner = level(Bounds { cut: 10, ..BOUNDS }, 0);
    planner.supply_mut().limits([limit("b", 40)]);
    planner.supply_mut().finished(finished(1_000, &["a"]));
    next_cut(&mut planner);
    // Its limit was passed over, so nothing that the look saw was read.
    planner.supply_mut().limits([limit("a", 10)]);
    planner.supply_mut().finished(finished(2_000, &["a"]));
    assert_eq!(next_cut(&mut planner).retired.before_ms, 1_000);
    planner.acknowledged(Position(20));
    assert_eq!(planner.supply_mut().retired(), ([id("a")].into(), 1_000));
}

#[test]
fn a_later_generation_does_not_leave_before_an_earlier_one() {
    let second = PartitionId { name: "a".into(), generation: 2 };
    let mut planner = level(Bounds { cut: 10, ..BOUNDS }, 10);
    next_cut(&mut planner);
    planner.acknowledged(Position(10));
    assert_eq!(planner.supply_mut().gone(&id("a")), 0, "all of it was read");
    planner.supply_mut().limits([(second.clone(), limit("a", 0).1), limit("b", 30)]);
    planner.supply_mut().finished(Finished { before_ms: 1_000, partitions: [second.clone()].into() });
    assert!(next_cut(&mut planner).partitions.contains_key(&second), "the first would be taken for the file");
    planner.supply_mut().finished(Finished { before_ms: 1_001, partitions: [id("a"), second].into() });
    assert_eq!(next_cut(&mut planner).partitions.keys().collect::<Vec<_>>(), [&id("b")]);
}

#[test]
fn a_catch_up_over_what_has_left_since_reads_that_file_and_no_other() {
    let retired = Offsets::summed(at("b", 5).partitions, Retired { bytes: 20, before_ms: 1 });
    let last = Standing { offsets: Arc::new(retired), ..standing(0, 2) };
    let mut planner = Planner::new(&[standing(0, 1), standing(8, 2), standing(20, 2), last], settings(99), BOUNDS);
    let other = Identity { created: "later".into(), ..Identity::default() };
    planner.supply_mut().limits([(id("a"), Limit { end: 100, identity: other, landed_tail: false })]);
    let Decision::Work(chunk) = planner.next(0, true) else { panic!("bytes are missing") };
    assert_eq!((chunk.identity, chunk.end, chunk.limit), (Identity::default(), 8, 20));
}
