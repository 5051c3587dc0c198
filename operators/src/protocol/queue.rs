//! Which cut a group commits next, and whether it commits it at all.
//!
//! Cuts commit in order. A group that already stands at a cut's upper bound or beyond ignores the
//! whole cut; one that stands inside a cut is a bug. A cut that is empty for a group counts as
//! drained, but the group's position is moved only when the planner asks for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Stop;
use crate::position::Position;
use crate::protocol::cut::{Control, Cut};
use crate::protocol::document::Standing;
use crate::protocol::kind::Kind;
use crate::protocol::last_rows::{Draw, LastRows};
use crate::protocol::names::{GroupId, TableId};
use crate::protocol::staged::{Counted, Staged};

/// One group's cuts, from the planner's records and the staged files, in order.
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

    /// Takes a record from the planner.
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
                self.empty = Some(cut);
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
mod tests {
    use super::*;
    use crate::protocol::clock::Stamp;
    use crate::protocol::numbers::{Numbers, cut};
    use crate::protocol::offsets::PartitionId;
    use crate::protocol::staged::StagedFile;
    use crate::protocol::sums::{Bucket, Sum};

    /// A file of one row for a table.
    fn file(table: usize) -> Staged {
        let file =
            StagedFile { path: "f".into(), size: 1, rows: 1, detail: String::new(), staged_at: Stamp::default() };
        Staged { table: TableId(table), file }
    }

    /// One row that was counted on its way to a table.
    fn row(table: usize) -> Counted {
        let bucket = Bucket { partition: PartitionId::first("a"), mebibyte: 0 };
        Counted { table: TableId(table), bucket, sum: Sum::row(1) }
    }

    /// A queue at `position` with cuts of ten, and a file for the cut at each of `staged`.
    fn queue(position: u64, cuts: std::ops::Range<u64>, staged: &[u64]) -> CommitQueue<Numbers> {
        let mut queue = CommitQueue::new("t", Position(position), LastRows::none(Position(0), 2), Draw(7));
        cuts.for_each(|n| queue.control(Control::Cut(cut(10 * n, 10 * n + 10))));
        for lower in staged {
            queue.staged(Position(*lower), file(0));
            queue.counted(Position(*lower), row(0));
        }
        queue
    }

    /// The upper bounds and numbers of files of the jobs that are due when every cut below
    /// `frontier` is complete.
    fn jobs(queue: &mut CommitQueue<Numbers>, frontier: u64) -> Vec<(u64, usize)> {
        let next = || queue.next(|lower| lower < Position(frontier)).expect("no bug");
        std::iter::from_fn(next).map(|job| (job.cut.upper.0, job.files.len())).collect()
    }

    fn bug(queue: &mut CommitQueue<Numbers>) -> String {
        queue.next(|_| true).expect_err("a bug").to_string()
    }

    #[test]
    fn cuts_commit_in_order_once_they_are_complete() {
        let mut queue = queue(0, 0..3, &[20, 0, 10, 10]);
        assert_eq!(jobs(&mut queue, 0), []);
        assert_eq!(jobs(&mut queue, 20), [(10, 1), (20, 2)]);
        assert_eq!(jobs(&mut queue, 30), [(30, 1)]);
    }

    #[test]
    fn a_cut_that_the_group_holds_is_ignored_whole() {
        let mut queue = queue(20, 0..3, &[20]);
        assert_eq!(jobs(&mut queue, 30), [(30, 1)]);
    }

    #[test]
    fn a_group_inside_a_cut_is_a_bug() {
        assert!(bug(&mut queue(5, 0..1, &[])).contains("stands inside cut 0..10"));
    }

    #[test]
    fn rows_of_a_cut_that_is_held_or_unknown_are_a_bug() {
        assert!(bug(&mut queue(10, 0..1, &[0])).contains("rows of a cut that it holds, 0..10"));
        assert!(bug(&mut queue(0, 0..0, &[7])).contains("rows at 7, where no cut starts"));
    }

    #[test]
    fn rows_that_were_staged_and_not_counted_are_a_bug() {
        let mut queue = queue(0, 0..1, &[0]);
        queue.staged(Position(0), file(0));
        assert!(bug(&mut queue).contains("2 staged rows of cut 0..10, but counted 1"));
    }

    #[test]
    fn rows_that_were_counted_for_another_table_are_a_bug() {
        let mut queue = queue(0, 0..1, &[0]);
        queue.staged(Position(0), file(1));
        queue.counted(Position(0), row(0));
        assert!(bug(&mut queue).contains("2 staged rows of cut 0..10, but counted 2"));
    }

    #[test]
    fn a_cut_of_several_tables_is_one_job() {
        let mut queue = queue(0, 0..1, &[0]);
        queue.staged(Position(0), file(1));
        queue.counted(Position(0), row(1));
        let job = queue.next(|_| true).expect("no bug").expect("a commit");
        assert_eq!(job.rows(), [(TableId(0), 1), (TableId(1), 1)].into());
    }

    #[test]
    fn empty_cuts_are_passed_over_by_the_next_rows() {
        let mut queue = queue(0, 0..3, &[20]);
        assert_eq!(jobs(&mut queue, 30), [(30, 1)]);
        queue.control(Control::Settle(Position(30)));
        assert_eq!(jobs(&mut queue, 30), [], "there is nothing left to settle");
    }

    #[test]
    fn nothing_waits_for_a_group_beyond_what_it_holds_and_the_empty_cuts_behind_that() {
        let mut queue = queue(0, 0..4, &[20]);
        let next = |queue: &mut CommitQueue<Numbers>, frontier| {
            let job = queue.next(|lower| lower < Position(frontier)).expect("no bug");
            (job.map(|job| job.cut.upper.0), queue.drained().0)
        };
        assert_eq!(next(&mut queue, 10), (None, 10));
        assert_eq!(next(&mut queue, 30), (Some(30), 20), "rows of the third cut are on their way");
        assert_eq!(next(&mut queue, 30), (None, 30), "they have landed");
        assert_eq!(next(&mut queue, 40), (None, 40));
    }

    #[test]
    fn the_position_moves_over_empty_cuts_when_the_planner_asks() {
        let mut queue = queue(0, 0..2, &[]);
        assert_eq!(jobs(&mut queue, 20), []);
        queue.control(Control::Settle(Position(20)));
        assert_eq!(jobs(&mut queue, 20), [(20, 0)], "once, for all of them");
    }

    #[test]
    fn settling_waits_for_the_cuts_it_covers() {
        let mut queue = queue(0, 0..2, &[]);
        queue.control(Control::Settle(Position(20)));
        assert_eq!(jobs(&mut queue, 10), [], "the second cut may still bring rows");
        assert_eq!(jobs(&mut queue, 20), [(20, 0)]);
    }

    #[test]
    fn settling_leaves_later_cuts_alone() {
        let mut queue = queue(0, 0..1, &[]);
        queue.control(Control::Settle(Position(10)));
        queue.control(Control::Cut(cut(10, 20)));
        assert_eq!(jobs(&mut queue, 10), [(10, 0)]);
        assert_eq!(jobs(&mut queue, 20), []);
    }

    #[test]
    fn a_commit_records_the_last_cut_of_all_groups() {
        let mut queue = queue(10, 0..4, &[20]);
        for (lower, group) in [(0, 1), (10, 1), (20, 0), (30, 1)] {
            queue.filled(Position(lower), GroupId(group));
        }
        let job = queue.next(|lower| lower < Position(40)).expect("no bug").expect("a commit");
        let last = [0, 1].map(|group| job.last_rows.of(GroupId(group)).map(|cut| (cut.draw, cut.lower.0)));
        assert_eq!(last, [(Some(Draw(7)), 20), (Some(Draw(7)), 10)].map(Some), "up to its own cut");
        assert_eq!(job.standing().last_rows, job.last_rows);
    }
}
