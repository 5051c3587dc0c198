//! What has landed, cut by cut. A cut has landed when no group has rows of it to come. If a group
//! got no rows of a cut, the cut's position is acknowledged only later, because that group's
//! transaction moves some cuts afterwards.

use std::collections::{BTreeMap, VecDeque};

use crate::commit::Moved;
use crate::position::Position;
use crate::protocol::names::TableId;

/// The cuts that have landed in some groups, and the position up to which all have landed.
pub(super) struct Arrivals {
    groups: Vec<Reached>,
    landed: Position,
}

/// One group's progress.
struct Reached {
    drained: Position,
    /// The rows of its commits that some other group has not passed yet, by the position that each
    /// commit moved the group to.
    rows: VecDeque<(Position, BTreeMap<TableId, u64>)>,
}

/// What has landed since the last report.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Landed {
    /// All rows up to here have landed.
    pub(super) position: Position,
    /// By how much that is further than the last report.
    pub(super) advanced: u64,
    /// The rows of each table that got any.
    pub(super) rows: BTreeMap<TableId, u64>,
}

impl Arrivals {
    /// The groups as they were claimed.
    pub(super) fn new(positions: impl Iterator<Item = Position>) -> Self {
        let groups: Vec<_> = positions.map(|drained| Reached { drained, rows: VecDeque::new() }).collect();
        Arrivals { landed: lowest(&groups), groups }
    }

    /// Records that a group has advanced; returns what has landed by that, if anything.
    pub(super) fn moved(&mut self, moved: Moved) -> Option<Landed> {
        let Moved { group, position, drained, rows } = moved;
        let group = &mut self.groups[group.0];
        group.drained = drained;
        if !rows.is_empty() {
            group.rows.push_back((position, rows));
        }
        let (position, before) = (lowest(&self.groups), self.landed);
        if position <= before {
            return None;
        }
        self.landed = position;
        let mut rows = BTreeMap::new();
        self.groups.iter_mut().for_each(|group| group.take(position, &mut rows));
        Some(Landed { position, advanced: position.since(before), rows })
    }
}

impl Reached {
    /// Moves the rows of commits up to `upto` into `all`.
    fn take(&mut self, upto: Position, all: &mut BTreeMap<TableId, u64>) {
        let passed = self.rows.iter().take_while(|(position, _)| *position <= upto).count();
        for (table, rows) in self.rows.drain(..passed).flat_map(|(_, rows)| rows) {
            *all.entry(table).or_default() += rows;
        }
    }
}

fn lowest(groups: &[Reached]) -> Position {
    groups.iter().map(|group| group.drained).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
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
        let rows =
            |landed: &Landed| (0..2).map(|i| landed.rows.get(&TableId(i)).copied().unwrap_or_default()).collect();
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
}
