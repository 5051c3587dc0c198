//! Decides which appends are visible, by what each table was seen to hold of the target.
//!
//! A byte of a line is visible when the line is a row. A table records how far it has come (its
//! offsets) and how many rows of the target it has (its totals). Its offsets move only when it
//! commits, and a table that gets no rows commits now and then. So everything up to some offset is
//! visible when every table has come that far, or when the tables hold as many rows up to there as
//! there are lines. Both conditions come from the tables themselves, and neither is ever true
//! before the rows are there. If a line may hold several records, only the first is used.

use std::collections::VecDeque;
use std::time::Duration;

/// An append that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Append {
    /// Where its last whole line ends, in the target's bytes.
    pub(super) end: u64,
    /// Where the lines that become rows start.
    pub(super) starts: Vec<u64>,
    /// Whether a line may become more or less than one row.
    pub(super) has_envelopes: bool,
    /// When it became durable.
    pub(super) at: Duration,
}

/// What a table was seen to hold of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// Bytes of the target.
    pub(crate) offset: u64,
    /// Rows of the lines that start in these bytes.
    pub(crate) rows: u64,
    /// When a reader could see it.
    pub(crate) at: Duration,
}

/// An append that any reader can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Visible {
    /// When.
    pub(super) at: Duration,
    /// How long after it was durable.
    pub(super) after: Duration,
}

/// The appends that are not visible, and what is known of each table.
pub(super) struct Waiting {
    appends: VecDeque<Append>,
    /// By table, in order. The first of each is at or before what is visible.
    tables: Vec<VecDeque<Sighting>>,
    visible: u64,
    /// Lines of the appends that are visible.
    lines_before: u64,
    /// Whether the number of rows no longer tells the number of lines.
    has_envelopes: bool,
    durable: u64,
}

impl Waiting {
    pub(super) fn new(tables: usize) -> Waiting {
        let nothing = Sighting { offset: 0, rows: 0, at: Duration::ZERO };
        let tables = vec![VecDeque::from([nothing]); tables];
        Waiting { appends: VecDeque::new(), tables, visible: 0, lines_before: 0, has_envelopes: false, durable: 0 }
    }

    /// Takes a durable append. It may be visible already, because a reader does not wait for the
    /// sync.
    pub(super) fn appended(&mut self, append: Append) -> Vec<Visible> {
        self.durable = append.end;
        self.has_envelopes |= append.has_envelopes;
        self.appends.push_back(append);
        self.advance()
    }

    /// Takes a sighting: a table holds more than before.
    pub(super) fn seen(&mut self, table: usize, sighting: Sighting) -> Vec<Visible> {
        self.tables[table].push_back(sighting);
        self.advance()
    }

    /// Bytes of whole lines that are durable and not visible.
    pub(super) fn behind(&self) -> u64 {
        self.durable.saturating_sub(self.visible)
    }

    /// The oldest append that is not visible.
    pub(super) fn oldest(&self) -> Option<&Append> {
        self.appends.front()
    }

    /// Rows that the tables hold of the target.
    pub(super) fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.back().map_or(0, |sighting| sighting.rows)).sum()
    }

    /// How far each table has come.
    pub(super) fn offsets(&self) -> impl Iterator<Item = u64> {
        self.tables.iter().map(|table| table.back().map_or(0, |sighting| sighting.offset))
    }

    fn advance(&mut self) -> Vec<Visible> {
        let candidates = self.tables.iter().flatten().filter(|sighting| sighting.offset > self.visible);
        let mut candidates: Vec<u64> = candidates.map(|sighting| sighting.offset).collect();
        candidates.sort_unstable();
        if let Some(visible) = candidates.into_iter().rev().find(|upto| self.is_visible(*upto)) {
            self.visible = visible;
            for table in &mut self.tables {
                while table.get(1).is_some_and(|next| next.offset <= visible) {
                    table.pop_front();
                }
            }
        }
        let at = self.tables.iter().flatten().map(|sighting| sighting.at).max().unwrap_or_default();
        let mut news = Vec::new();
        while let Some(append) = self.appends.pop_front_if(|append| append.end <= self.visible) {
            self.lines_before += append.starts.len() as u64;
            news.push(Visible { at: at.max(append.at), after: at.saturating_sub(append.at) });
        }
        news
    }

    fn is_visible(&self, upto: u64) -> bool {
        if self.offsets().all(|offset| offset >= upto) {
            return true;
        }
        // Beyond what is known to be durable, lines cannot be counted.
        !self.has_envelopes && upto <= self.durable && self.rows_before(upto) == self.lines_below(upto)
    }

    fn rows_before(&self, upto: u64) -> u64 {
        let newest = |table: &VecDeque<Sighting>| table.iter().rev().find(|sighting| sighting.offset <= upto).copied();
        self.tables.iter().filter_map(newest).map(|sighting| sighting.rows).sum()
    }

    fn lines_below(&self, upto: u64) -> u64 {
        let starts = self.appends.iter().map(|append| append.starts.partition_point(|start| *start < upto) as u64);
        self.lines_before + starts.sum::<u64>()
    }
}

#[cfg(test)]
mod tests;
