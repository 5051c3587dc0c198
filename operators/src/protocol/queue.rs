//! Which cut a group commits next, and whether it commits it at all.
//!
//! Cuts commit in order. A group that already stands at a cut's upper bound or beyond ignores the
//! whole cut; one that stands inside a cut is a bug. A cut that is empty for a group counts as
//! drained, but the group's position is moved only when the cutter asks for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Stop;
use crate::position::Position;
use crate::protocol::cut::{Control, Cut};
use crate::protocol::kind::Kind;
use crate::protocol::last_rows::{Draw, LastRows};
use crate::protocol::names::{GroupId, TableId};
use crate::protocol::staged::{Counted, Staged};
use crate::protocol::standing::Standing;

/// One group's cuts, from the cutter's records and the staged files, in order.
pub struct CommitQueue<K: Kind> {
    group: String,
    /// The position that the group's transaction holds, or will once the job under way is done.
    position: Position,
    cuts: BTreeMap<Position, Cut<K>>,
    files: BTreeMap<Position, Vec<Staged>>,
    sums: BTreeMap<Position, Vec<Counted>>,
    /// The groups, this one and others, that have rows in a cut.
    filled: BTreeMap<Position, BTreeSet<GroupId>>,
    /// Which cut had the last rows for each group, up to the last complete one.
    last_rows: LastRows,
    draw: Draw,
    /// The last cut that was empty for this group, not yet in its transaction.
    empty: Option<Cut<K>>,
    settle: Position,
    /// No rows below this position wait for the group.
    drained: Position,
}

/// A commit to make: without files it only moves the position.
#[derive(Debug, PartialEq)]
pub struct Job<K: Kind> {
    /// The cut whose upper bound the group reaches.
    pub cut: Cut<K>,
    /// Its files for this group.
    pub files: Vec<Staged>,
    /// The sums of their rows, as counted on the way.
    pub sums: Vec<Counted>,
    /// Which cut had the last rows for each group, up to this one.
    pub last_rows: LastRows,
}

impl<K: Kind> Job<K> {
    /// Where the group stands once the job is done.
    pub fn standing(&self) -> Standing<K> {
        Standing { last_rows: self.last_rows.clone(), ..self.cut.standing() }
    }

    /// How many rows the job makes visible in each table.
    pub fn rows(&self) -> BTreeMap<TableId, u64> {
        staged(&self.files)
    }
}

impl<K: Kind> CommitQueue<K> {
    /// The queue of `group`, as messages call it, which stands at `position`. `last_rows` is what
    /// all groups of the run knew at its start; they share its `draw`.
    pub fn new(group: impl Into<String>, position: Position, last_rows: LastRows, draw: Draw) -> Self {
        CommitQueue {
            group: group.into(),
            position,
            cuts: BTreeMap::new(),
            files: BTreeMap::new(),
            sums: BTreeMap::new(),
            filled: BTreeMap::new(),
            last_rows,
            draw,
            empty: None,
            settle: Position(0),
            drained: position,
        }
    }

    /// No rows below this position wait for the group: what it holds, and the cuts after that which
    /// are empty for it, whether or not its transaction has moved over them. The job that
    /// [`CommitQueue::next`] returned last still waits.
    pub fn drained(&self) -> Position {
        self.drained
    }

    /// Takes a record from the cutter.
    pub fn control(&mut self, control: Control<K>) {
        match control {
            Control::Cut(cut) => {
                debug_assert!(cut.lower <= cut.upper, "a cut leads forwards");
                let known = self.cuts.insert(cut.lower, cut);
                debug_assert!(known.is_none(), "one cut starts at a position");
            }
            Control::Settle(position) => self.settle = self.settle.max(position),
        }
    }

    /// Takes a file that was staged for the cut that starts at `lower`.
    pub fn staged(&mut self, lower: Position, file: Staged) {
        self.files.entry(lower).or_default().push(file);
    }

    /// Takes rows that were counted for the cut that starts at `lower`.
    pub fn counted(&mut self, lower: Position, counted: Counted) {
        self.sums.entry(lower).or_default().push(counted);
    }

    /// Learns that the cut that starts at `lower` has rows for `group`.
    pub fn filled(&mut self, lower: Position, group: GroupId) {
        self.filled.entry(lower).or_default().insert(group);
    }

    /// The next commit, once the last is done. `complete(lower)` is whether the frontier has passed
    /// the cut, so that no more files of it can come.
    pub fn next(&mut self, complete: impl Fn(Position) -> bool) -> Result<Option<Job<K>>, Stop> {
        self.drained = self.drained.max(self.position);
        while let Some(first) = self.cuts.first_entry().filter(|first| complete(*first.key())) {
            let cut = first.remove();
            let files = self.files.remove(&cut.lower).unwrap_or_default();
            let sums = self.sums.remove(&cut.lower).unwrap_or_default();
            for group in self.filled.remove(&cut.lower).unwrap_or_default() {
                self.last_rows.reach(group, self.draw, cut.lower);
            }
            if cut.upper <= self.position {
                if !files.is_empty() {
                    return Err(
                        self.bug(format!("received staged rows of a cut that it holds, {}..{}", cut.lower, cut.upper))
                    );
                }
                continue;
            }
            if cut.lower < self.position {
                return Err(self.bug(format!("stands inside cut {}..{}", cut.lower, cut.upper)));
            }
            self.check_count(&cut, &files, &sums)?;
            if files.is_empty() {
                self.drained = cut.upper;
                self.empty = K::MAY_BE_EMPTY.then_some(cut);
                continue;
            }
            self.empty = None;
            self.position = cut.upper;
            return Ok(Some(self.job(cut, files, sums)));
        }
        if let Some((lower, _)) = self.files.first_key_value().filter(|(lower, _)| complete(**lower)) {
            let lower = *lower;
            return Err(self.bug(format!("received staged rows at {lower}, where no cut starts")));
        }
        let covered_later = self.cuts.values().any(|cut| cut.upper <= self.settle);
        let due = self.empty.take_if(|empty| empty.upper <= self.settle && !covered_later);
        if let Some(cut) = &due {
            self.position = cut.upper;
        }
        Ok(due.map(|cut| self.job(cut, Vec::new(), Vec::new())))
    }

    /// Each table must receive as many rows as were counted on their way to it.
    fn check_count(&self, cut: &Cut<K>, files: &[Staged], sums: &[Counted]) -> Result<(), Stop> {
        let (staged, counted) = (staged(files), counted(sums));
        if staged == counted {
            return Ok(());
        }
        let rows = |of: &BTreeMap<TableId, u64>| of.values().sum::<u64>();
        let (staged, counted, Cut { lower, upper, .. }) = (rows(&staged), rows(&counted), cut);
        Err(self.bug(format!("received {staged} staged rows of cut {lower}..{upper}, but counted {counted}")))
    }

    fn job(&self, cut: Cut<K>, files: Vec<Staged>, sums: Vec<Counted>) -> Job<K> {
        Job { cut, files, sums, last_rows: self.last_rows.clone() }
    }

    fn bug(&self, text: String) -> Stop {
        Stop::Bug(format!("{}, at position {}, {text}", self.group, self.position))
    }
}

/// The staged rows of each table that has any.
fn staged(files: &[Staged]) -> BTreeMap<TableId, u64> {
    by_table(files.iter().map(|staged| (staged.table, staged.file.rows)))
}

/// The counted rows of each table that has any.
fn counted(sums: &[Counted]) -> BTreeMap<TableId, u64> {
    by_table(sums.iter().map(|counted| (counted.table, counted.sum.rows)))
}

fn by_table(rows: impl Iterator<Item = (TableId, u64)>) -> BTreeMap<TableId, u64> {
    let mut all = BTreeMap::new();
    rows.filter(|(_, rows)| *rows > 0).for_each(|(table, rows)| *all.entry(table).or_default() += rows);
    all
}

#[cfg(test)]
mod tests;
