//! The commits of one table, each with what a proof finds of its rows.

use std::collections::BTreeMap;

use crate::protocol::sums::Sum;
use crate::sink::ducklake::{Committed, Noted};

/// Sums of rows, by the number of their range of sequences.
pub(super) type Parts = BTreeMap<u64, Sum>;

/// The rows that one commit brought one table.
pub(super) struct Unit {
    pub(super) position: u64,
    /// The snapshot that added them.
    pub(super) snapshot: i64,
    pub(super) noted: Noted,
    /// The number of the definition of its columns.
    pub(super) definition: usize,
    /// Its rows in files that its own snapshot sees, deleted ones too.
    pub(super) in_place: Parts,
    /// Its rows that a later snapshot has put elsewhere: rearranged or changed.
    pub(super) moved: Parts,
    /// How many of those in place are not deleted.
    pub(super) visible: u64,
    /// How many of those that were moved are known to be what they were.
    pub(super) rearranged: u64,
    /// How many of the others there are.
    pub(super) changed: u64,
}

/// The commits of one table.
pub(super) struct Units {
    /// In the order of their snapshots.
    pub(super) all: Vec<Unit>,
    /// The same in the order of their row ids: the first id, the one after the last, and which.
    by_row: Vec<(i64, i64, usize)>,
}

/// Where a row of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owned {
    /// Where its own snapshot put it.
    InPlace(usize),
    /// Where a later one has.
    Moved(usize),
}

impl Units {
    /// The units of `committed`, which are in the order of their snapshots.
    pub(super) fn new(committed: Vec<Committed>) -> Units {
        let unit = |Committed { position, snapshot, noted }: Committed| Unit {
            position,
            snapshot,
            noted,
            definition: 0,
            in_place: Parts::new(),
            moved: Parts::new(),
            visible: 0,
            rearranged: 0,
            changed: 0,
        };
        let all: Vec<Unit> = committed.into_iter().map(unit).collect();
        let ids = |(at, unit): (usize, &Unit)| (unit.noted.row_id, unit.noted.row_id + unit.noted.rows, at);
        let mut by_row: Vec<_> = all.iter().enumerate().map(ids).collect();
        by_row.sort_unstable();
        Units { all, by_row }
    }

    /// Whose the row is that has this id and was added by the snapshot `since`; `None` if it is not
    /// ours. The snapshot goes first: nothing else is in a snapshot of ours.
    pub(super) fn owner(&self, row_id: i64, since: i64) -> Option<Owned> {
        if let Ok(at) = self.all.binary_search_by_key(&since, |unit| unit.snapshot) {
            return Some(Owned::InPlace(at));
        }
        let next = self.by_row.partition_point(|(first, ..)| *first <= row_id);
        let (_, end, at) = self.by_row.get(next.checked_sub(1)?)?;
        (row_id < *end).then_some(Owned::Moved(*at))
    }
}

impl Unit {
    /// How many rows the commit brought.
    pub(super) fn rows(&self) -> u64 {
        u64::try_from(self.noted.rows).unwrap_or_default()
    }

    /// Whether the sums of its rows were noted.
    pub(super) fn is_summed(&self) -> bool {
        !self.noted.sums.is_empty() || self.noted.rows == 0
    }

    /// How many of its rows a reader sees, changed ones too.
    pub(super) fn there(&self) -> u64 {
        self.visible + self.rearranged + self.changed
    }

    /// All rows that were found, wherever they are.
    pub(super) fn anywhere(&self) -> Parts {
        let mut all = self.in_place.clone();
        for (part, sum) in &self.moved {
            *all.entry(*part).or_default() += *sum;
        }
        all
    }
}

/// All rows of `parts`.
pub(super) fn whole(parts: &Parts) -> Sum {
    parts.values().copied().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_snapshot_and_by_id() {
        let committed = |snapshot, row_id, rows| Committed {
            position: 1,
            snapshot,
            noted: Noted { row_id, rows, ..Noted::default() },
        };
        let units = Units::new(vec![committed(3, 0, 10), committed(5, 15, 5), committed(9, 20, 1)]);
        assert_eq!(units.owner(3, 3), Some(Owned::InPlace(0)));
        assert_eq!(units.owner(77, 5), Some(Owned::InPlace(1)), "a row too many");
        assert_eq!(units.owner(9, 4), Some(Owned::Moved(0)));
        assert_eq!(units.owner(10, 4), None, "somebody else's");
        assert_eq!(units.owner(14, 4), None);
        assert_eq!(units.owner(20, 12), Some(Owned::Moved(2)));
        assert_eq!(units.owner(21, 12), None);
        assert_eq!(Units::new(Vec::new()).owner(0, 1), None);
    }
}
