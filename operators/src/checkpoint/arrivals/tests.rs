//! When a cut has landed.

use super::*;
use crate::protocol::names::GroupId;

fn arrivals() -> Arrivals {
    Arrivals::new([0, 0].map(Position).into_iter())
}

/// The group, which is one table, commits `rows` rows.
fn commits(arrivals: &mut Arrivals, group: usize, position: u64, rows: u64) -> Option<(u64, u64, Vec<u64>)> {
    let rows = (rows > 0).then_some((TableId(group), rows)).into_iter().collect();
    let (group, position) = (GroupId(group), Position(position));
    told(arrivals.moved(Moved { group, position, drained: position, rows }))
}

/// The group passes empty cuts.
fn passes(arrivals: &mut Arrivals, group: usize, drained: u64) -> Option<(u64, u64, Vec<u64>)> {
    let (group, drained) = (GroupId(group), Position(drained));
    told(arrivals.moved(Moved { group, position: Position(0), drained, rows: BTreeMap::new() }))
}

/// The position, how far it advanced, and the rows of the two tables.
fn told(landed: Option<Landed>) -> Option<(u64, u64, Vec<u64>)> {
    let rows = |landed: &Landed| (0..2).map(|i| landed.rows.get(&TableId(i)).copied().unwrap_or_default()).collect();
    landed.map(|landed| (landed.position.0, landed.advanced, rows(&landed)))
}

#[test]
fn a_cut_has_landed_once_it_is_empty_for_the_groups_that_got_no_rows() {
    let mut arrivals = arrivals();
    assert_eq!(commits(&mut arrivals, 0, 10, 7), None);
    assert_eq!(passes(&mut arrivals, 1, 10), Some((10, 10, vec![7, 0])));
    assert_eq!(passes(&mut arrivals, 1, 20), None, "the first still has rows of it to come");
    assert_eq!(commits(&mut arrivals, 0, 20, 5), Some((20, 10, vec![5, 0])));
}

#[test]
fn rows_are_told_with_the_cut_that_they_are_of() {
    let mut arrivals = arrivals();
    assert_eq!(commits(&mut arrivals, 0, 10, 7), None);
    assert_eq!(commits(&mut arrivals, 0, 20, 5), None);
    assert_eq!(commits(&mut arrivals, 1, 10, 1), Some((10, 10, vec![7, 1])));
    assert_eq!(passes(&mut arrivals, 1, 30), Some((20, 10, vec![5, 0])));
}

#[test]
fn a_group_that_is_settled_lands_nothing() {
    let mut arrivals = arrivals();
    passes(&mut arrivals, 1, 10);
    assert_eq!(commits(&mut arrivals, 0, 10, 7), Some((10, 10, vec![7, 0])));
    assert_eq!(commits(&mut arrivals, 1, 10, 0), None);
}
