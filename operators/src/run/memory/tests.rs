//! The parts of the memory stay within the limit, and one piece may always go.

use super::*;

const MIB: u64 = 1 << 20;
const PARTS: Parts = Parts {
    workers: 2,
    groups: 3,
    work: 8 * MIB,
    beyond: MIB,
    in_flight: 2,
    turn: 256 * MIB,
    batches: 300 * MIB,
    uploads: 0,
};

#[test]
fn the_parts_are_no_more_than_the_limit() {
    for limit in [PARTS.least(), PARTS.usual(), 100 << 30] {
        let budget = Budget::new(limit, PARTS);
        let parts = PARTS.reserved() + budget.room + budget.share * PARTS.stages();
        assert!(parts <= limit, "{parts} of {limit}");
    }
}

#[test]
fn the_usual_limit_holds_all_pieces_and_the_least_holds_one() {
    let out = |limit| {
        let budget = Budget::new(limit, PARTS);
        (0..100).take_while(|_| budget.has_room().then(|| budget.take(PARTS.work)).is_some()).count()
    };
    assert_eq!(out(PARTS.usual()), 4);
    assert_eq!(out(PARTS.least()), 1);
}

#[test]
fn a_piece_alone_may_go_however_long_it_is() {
    let budget = Budget::new(PARTS.least(), PARTS);
    budget.take(100 * PARTS.work);
    assert!(!budget.has_room());
    drop(budget.hold(100 * PARTS.work));
    assert!(budget.has_room());
    assert_eq!(budget.held(), 0);
}

#[test]
fn what_needs_more_takes_turns() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let budget = Budget::new(PARTS.usual(), PARTS);
        let first = budget.turn().await;
        assert_eq!(budget.held(), PARTS.turn);
        let mut second = std::pin::pin!(budget.turn());
        assert!(futures::poll!(second.as_mut()).is_pending());
        drop(first);
        assert!(futures::poll!(second.as_mut()).is_ready());
    });
}

#[test]
fn row_groups_are_counted_until_they_are_gone() {
    let budget = Budget::new(PARTS.usual(), PARTS);
    let (mut one, mut other) = (budget.share(), budget.share());
    one.set(5);
    other.set(7);
    one.set(1);
    assert_eq!(budget.held(), 8);
    drop(one);
    assert_eq!(budget.held(), 7);
}
