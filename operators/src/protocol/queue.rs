//! Which cut a table commits next, and whether it commits it at all.
//!
//! Cuts commit in order. A table that already stands at a cut's upper bound ignores it whole; one that stands inside a cut is
//! a bug. A cut that is empty for a table counts as drained, but the table's position is moved only when the planner asks for it.

use std::collections::BTreeMap;

use crate::error::Stop;
use crate::position::Position;
use crate::protocol::cut::{Control, Cut};
use crate::protocol::table::StagedFile;

/// One table's cuts, from the planner's records and the staged files, in order.
pub struct CommitQueue {
    table: String,
    /// The position that the table's transaction holds, or will once the job under way is done.
    position: Position,
    cuts: BTreeMap<Position, Cut>,
    files: BTreeMap<Position, Vec<StagedFile>>,
    /// The last cut that was empty for this table, not yet in its transaction.
    empty: Option<Cut>,
    settle: Position,
}

/// A commit to make: without files it only moves the position.
#[derive(Debug, PartialEq)]
pub struct Job {
    /// The cut whose upper bound the table reaches.
    pub cut: Cut,
    /// Its files for this table.
    pub files: Vec<StagedFile>,
}

impl CommitQueue {
    /// The queue of `table`, which stands at `position`.
    pub fn new(table: impl Into<String>, position: Position) -> Self {
        CommitQueue {
            table: table.into(),
            position,
            cuts: BTreeMap::new(),
            files: BTreeMap::new(),
            empty: None,
            settle: Position(0),
        }
    }

    /// Takes a record of the planner's.
    pub fn control(&mut self, control: Control) {
        match control {
            Control::Cut(cut) => drop(self.cuts.insert(cut.lower, cut)),
            Control::Settle(position) => self.settle = self.settle.max(position),
        }
    }

    /// Takes a file that was staged for the cut that starts at `lower`.
    pub fn staged(&mut self, lower: Position, file: StagedFile) {
        self.files.entry(lower).or_default().push(file);
    }

    /// The next commit. `complete(lower)` says whether the frontier has passed the cut: no file of it can come any more.
    pub fn next(&mut self, complete: impl Fn(Position) -> bool) -> Result<Option<Job>, Stop> {
        while let Some(first) = self.cuts.first_entry().filter(|first| complete(*first.key())) {
            let cut = first.remove();
            let files = self.files.remove(&cut.lower).unwrap_or_default();
            if cut.upper <= self.position {
                if !files.is_empty() {
                    return Err(
                        self.bug(format!("was staged rows of a cut that it holds, {}..{}", cut.lower, cut.upper))
                    );
                }
                continue;
            }
            if cut.lower < self.position {
                return Err(self.bug(format!("stands inside cut {}..{}", cut.lower, cut.upper)));
            }
            if files.is_empty() {
                self.empty = Some(cut);
                continue;
            }
            self.empty = None;
            self.position = cut.upper;
            return Ok(Some(Job { cut, files }));
        }
        if let Some((lower, _)) = self.files.first_key_value().filter(|(lower, _)| complete(**lower)) {
            let lower = *lower;
            return Err(self.bug(format!("was staged rows at {lower}, where no cut starts")));
        }
        let covered_later = self.cuts.values().any(|cut| cut.upper <= self.settle);
        let due = self.empty.take_if(|empty| empty.upper <= self.settle && !covered_later);
        if let Some(cut) = &due {
            self.position = cut.upper;
        }
        Ok(due.map(|cut| Job { cut, files: Vec::new() }))
    }

    fn bug(&self, text: String) -> Stop {
        Stop::Bug(format!("table {:?}, at position {}, {text}", self.table, self.position))
    }
}
