//! Which cut a table commits next, and whether it commits it at all.
//!
//! Cuts commit in order. A table that already stands at a cut's upper bound or beyond ignores the
//! whole cut; one that stands inside a cut is a bug. A cut that is empty for a table counts as
//! drained, but the table's position is moved only when the planner asks for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Stop;
use crate::position::Position;
use crate::protocol::cut::{Control, Cut};
use crate::protocol::document::Standing;
use crate::protocol::last_rows::LastRows;
use crate::protocol::table::StagedFile;
use crate::record::TableId;
use crate::totals::{Bucket, Sum};

/// One table's cuts, from the planner's records and the staged files, in order.
pub struct CommitQueue {
    table: String,
    /// The position that the table's transaction holds, or will once the job under way is done.
    position: Position,
    cuts: BTreeMap<Position, Cut>,
    files: BTreeMap<Position, Vec<StagedFile>>,
    sums: BTreeMap<Position, Vec<(Bucket, Sum)>>,
    /// The tables, this one and others, that have rows in a cut.
    filled: BTreeMap<Position, BTreeSet<TableId>>,
    /// Where each table's rows end, up to the last complete cut.
    last_rows: LastRows,
    /// The tables that had rows since a catch-up began.
    caught_up: BTreeSet<TableId>,
    /// The last cut that was empty for this table, not yet in its transaction.
    empty: Option<Cut>,
    settle: Position,
    /// No rows below this position wait for the table.
    drained: Position,
}

/// A commit to make: without files it only moves the position.
#[derive(Debug, PartialEq)]
pub struct Job {
    /// The cut whose upper bound the table reaches.
    pub cut: Cut,
    /// Its files for this table.
    pub files: Vec<StagedFile>,
    /// The sums of their rows, as counted on the way.
    pub sums: Vec<(Bucket, Sum)>,
    /// Where each table's rows end, up to the cut's upper bound, if that is known.
    pub last_rows: LastRows,
}

impl Job {
    /// Where the table stands once the job is done.
    pub fn standing(&self) -> Standing {
        Standing { last_rows: self.last_rows.clone(), ..self.cut.standing() }
    }
}

impl CommitQueue {
    /// The queue of `table`, which stands at `position`. `last_rows` is what all tables of the run
    /// knew at its start.
    pub fn new(table: impl Into<String>, position: Position, last_rows: LastRows) -> Self {
        CommitQueue {
            table: table.into(),
            position,
            cuts: BTreeMap::new(),
            files: BTreeMap::new(),
            sums: BTreeMap::new(),
            filled: BTreeMap::new(),
            last_rows,
            caught_up: BTreeSet::new(),
            empty: None,
            settle: Position(0),
            drained: position,
        }
    }

    /// No rows below this position wait for the table: what it holds, and the cuts after that which
    /// are empty for it, whether or not its transaction has moved over them. The job that
    /// [`CommitQueue::next`] returned last still waits.
    pub fn drained(&self) -> Position {
        self.drained
    }

    /// Takes a record from the planner.
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

    /// Takes rows that were counted for the cut that starts at `lower`.
    pub fn counted(&mut self, lower: Position, bucket: Bucket, sum: Sum) {
        self.sums.entry(lower).or_default().push((bucket, sum));
    }

    /// Learns that the cut that starts at `lower` has rows for `table`.
    pub fn filled(&mut self, lower: Position, table: TableId) {
        self.filled.entry(lower).or_default().insert(table);
    }

    /// The next commit, once the last is done. `complete(lower)` is whether the frontier has passed
    /// the cut, so that no more files of it can come.
    pub fn next(&mut self, complete: impl Fn(Position) -> bool) -> Result<Option<Job>, Stop> {
        self.drained = self.drained.max(self.position);
        while let Some(first) = self.cuts.first_entry().filter(|first| complete(*first.key())) {
            let cut = first.remove();
            let files = self.files.remove(&cut.lower).unwrap_or_default();
            let sums = self.sums.remove(&cut.lower).unwrap_or_default();
            self.caught_up.extend(self.filled.remove(&cut.lower).unwrap_or_default());
            if !cut.between {
                let tables = std::mem::take(&mut self.caught_up);
                tables.into_iter().for_each(|table| self.last_rows.reach(table, cut.upper));
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
            let staged: u64 = files.iter().map(|file| file.rows).sum();
            let counted: u64 = sums.iter().map(|(_, sum)| sum.rows).sum();
            if staged != counted {
                let Cut { lower, upper, .. } = cut;
                return Err(
                    self.bug(format!("received {staged} staged rows of cut {lower}..{upper}, but counted {counted}"))
                );
            }
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

    fn job(&self, cut: Cut, files: Vec<StagedFile>, sums: Vec<(Bucket, Sum)>) -> Job {
        let last_rows = if cut.between { LastRows::default() } else { self.last_rows.clone() };
        Job { cut, files, sums, last_rows }
    }

    fn bug(&self, text: String) -> Stop {
        Stop::Bug(format!("table {:?}, at position {}, {text}", self.table, self.position))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::offsets::{Identity, Offsets, PartitionId, PartitionOffset};
    use crate::protocol::table::Stamp;
    use crate::settings::{Destination, Envelope, Format, Roles, RowSettings, UnknownKeys};

    fn cut(lower: u64, upper: u64) -> Cut {
        let at = PartitionOffset { offset: upper, identity: Identity::default(), landed_tail: false, gone: false };
        let roles = Roles {
            primary: Vec::new(),
            replica: Vec::new(),
            default: Destination::Reject,
            servers: BTreeMap::new(),
            sources: BTreeMap::new(),
        };
        let (format, unknown_keys) = (Format::Azure, UnknownKeys::Keep);
        Cut {
            lower: Position(lower),
            upper: Position(upper),
            since: Position(0),
            offsets: Arc::new([(PartitionId::first("a"), at)].into_iter().collect::<Offsets>()),
            settings: Arc::new(RowSettings {
                rows_version: 1,
                format,
                max_line: 1,
                unknown_keys,
                zones: Default::default(),
                raw: RowSettings::usual_raw(),
                envelope: Envelope::None,
                roles,
                tables: Vec::new(),
            }),
            between: false,
        }
    }

    fn file() -> StagedFile {
        let (partition, stats) = (Vec::new(), String::new());
        StagedFile { path: "f".into(), size: 1, rows: 1, partition, stats, staged_at: Stamp::default() }
    }

    /// A queue at `position` with cuts of ten, and a file for the cut at each of `staged`.
    fn queue(position: u64, cuts: std::ops::Range<u64>, staged: &[u64]) -> CommitQueue {
        let mut queue = CommitQueue::new("t", Position(position), LastRows::none(Position(0), 2));
        cuts.for_each(|n| queue.control(Control::Cut(cut(10 * n, 10 * n + 10))));
        for lower in staged {
            queue.staged(Position(*lower), file());
            let bucket = Bucket { partition: PartitionId::first("a"), mebibyte: 0 };
            queue.counted(Position(*lower), bucket, Sum::row(1));
        }
        queue
    }

    /// The upper bounds and numbers of files of the jobs that are due when every cut below
    /// `frontier` is complete.
    fn jobs(queue: &mut CommitQueue, frontier: u64) -> Vec<(u64, usize)> {
        let next = || queue.next(|lower| lower < Position(frontier)).expect("no bug");
        std::iter::from_fn(next).map(|job| (job.cut.upper.0, job.files.len())).collect()
    }

    fn bug(queue: &mut CommitQueue) -> String {
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
    fn a_cut_that_the_table_holds_is_ignored_whole() {
        let mut queue = queue(20, 0..3, &[20]);
        assert_eq!(jobs(&mut queue, 30), [(30, 1)]);
    }

    #[test]
    fn a_table_inside_a_cut_is_a_bug() {
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
        queue.staged(Position(0), file());
        assert!(bug(&mut queue).contains("2 staged rows of cut 0..10, but counted 1"));
    }

    #[test]
    fn empty_cuts_are_passed_over_by_the_next_rows() {
        let mut queue = queue(0, 0..3, &[20]);
        assert_eq!(jobs(&mut queue, 30), [(30, 1)]);
        queue.control(Control::Settle(Position(30)));
        assert_eq!(jobs(&mut queue, 30), [], "there is nothing left to settle");
    }

    #[test]
    fn nothing_waits_for_a_table_beyond_what_it_holds_and_the_empty_cuts_behind_that() {
        let mut queue = queue(0, 0..4, &[20]);
        let next = |queue: &mut CommitQueue, frontier| {
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
    fn a_commit_records_where_the_rows_of_all_tables_end() {
        let mut queue = queue(10, 0..4, &[20]);
        for (lower, table) in [(0, 1), (10, 1), (20, 0), (30, 1)] {
            queue.filled(Position(lower), TableId(table));
        }
        let job = queue.next(|lower| lower < Position(40)).expect("no bug").expect("a commit");
        let ends = [0, 1].map(|table| job.last_rows.of(TableId(table)).map(|end| end.0));
        assert_eq!(ends, [Some(30), Some(20)], "up to its own cut, those included that it held before");
        assert_eq!(job.standing().last_rows, job.last_rows);
    }

    #[test]
    fn within_a_catch_up_nothing_is_recorded_and_what_had_rows_there_counts_at_its_end() {
        let mut queue = CommitQueue::new("t", Position(0), LastRows::none(Position(0), 2));
        queue.control(Control::Cut(Cut { between: true, ..cut(0, 10) }));
        queue.control(Control::Cut(cut(10, 20)));
        queue.filled(Position(0), TableId(1));
        queue.control(Control::Settle(Position(20)));
        queue.staged(Position(0), file());
        let bucket = Bucket { partition: PartitionId::first("a"), mebibyte: 0 };
        queue.counted(Position(0), bucket, Sum::row(1));
        let mut last_rows = || queue.next(|_| true).expect("no bug").expect("a commit").last_rows;
        assert!(last_rows().is_unknown());
        assert_eq!(last_rows().of(TableId(1)), Some(Position(20)));
    }
}
