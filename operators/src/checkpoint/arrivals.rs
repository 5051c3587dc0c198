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
mod tests;
