//! The group that commits a cut before another one, as that one sees it.

use std::collections::BTreeSet;

use super::Moved;
use crate::position::Position;
use crate::protocol::names::GroupId;

/// How far the first group has come, on the home worker of the other.
pub(super) struct Before {
    group: GroupId,
    /// What its transaction holds.
    position: Position,
    /// Lower bounds of the cuts of which it has rows that it does not hold yet.
    cuts: BTreeSet<Position>,
}

impl Before {
    /// The `group`, which stands at `position`.
    pub(super) fn new(group: GroupId, position: Position) -> Before {
        Before { group, position, cuts: BTreeSet::new() }
    }

    /// Learns which groups have rows in `cut`.
    pub(super) fn fills(&mut self, cut: Position, groups: &[GroupId]) {
        if cut >= self.position && groups.contains(&self.group) {
            self.cuts.insert(cut);
        }
    }

    /// Learns that the group has moved.
    pub(super) fn moved(&mut self, moved: &Moved) {
        self.position = self.position.max(moved.position);
        self.cuts = self.cuts.split_off(&self.position);
    }

    /// Whether it holds all of its rows up to those of the cut that starts at `lower`: cuts commit
    /// in order, so no later one may pass one that waits. It is known once the cut is complete.
    pub(super) fn holds(&self, lower: Position) -> bool {
        self.cuts.first().is_none_or(|waiting| *waiting > lower)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn moved(position: u64) -> Moved {
        let position = Position(position);
        Moved { group: GroupId(0), position, drained: position, rows: BTreeMap::new() }
    }

    #[test]
    fn a_cut_waits_only_while_the_first_group_has_rows_of_it_that_it_does_not_hold() {
        let mut before = Before::new(GroupId(0), Position(10));
        before.fills(Position(5), &[GroupId(0)]);
        before.fills(Position(10), &[GroupId(1), GroupId(0)]);
        before.fills(Position(20), &[GroupId(1)]);
        before.fills(Position(30), &[GroupId(0)]);
        // The cut from 20 on comes behind the one that waits.
        assert_eq!([5, 10, 20, 30].map(|cut| before.holds(Position(cut))), [true, false, false, false]);
        before.moved(&moved(20));
        assert_eq!([10, 20, 30].map(|cut| before.holds(Position(cut))), [true, true, false]);
        before.moved(&moved(40));
        assert!(before.holds(Position(30)));
    }
}
