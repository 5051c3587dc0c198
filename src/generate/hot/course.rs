//! What is written next: a new ledger, with rows of earlier ones that are late, or a ledger again.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::column::At;
use super::table::{Table, mix};
use crate::generate::random::{Chance, Random};

/// An ingester that was set back writes at most so many ledgers again, one after the other.
const BLOCK: u64 = 20;

/// What one transaction writes: for each table, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Whether it was written before.
    pub(super) is_again: bool,
    pub(super) parts: Vec<Part>,
}

/// What a transaction writes into one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// The rows, for COPY.
    pub(super) bytes: Vec<u8>,
    /// How many they are.
    pub(super) rows: u64,
    /// How many of them belong to earlier ledgers.
    pub(super) late: u64,
}

/// How often something happens that is no new ledger.
#[derive(Clone, Copy)]
pub(super) struct Shares {
    /// Of the rows that come late.
    pub(super) late: f64,
    /// Of the ledgers that come again.
    pub(super) replays: f64,
}

/// The course of an ingester.
pub(super) struct Course {
    tables: Vec<Table>,
    late: Chance,
    block: Chance,
    random: Random,
    /// Late rows by the ledger that they come with: their tables and places.
    waiting: BTreeMap<i64, Vec<(usize, At)>>,
    first: i64,
    next: i64,
}

impl Course {
    /// Begins with the ledger `first`.
    pub(super) fn new(tables: Vec<Table>, first: i64, shares: Shares, seed: u64) -> Course {
        // The middle of 1 and the longest block.
        let middle = (BLOCK + 1) as f64 / 2.0;
        Course {
            tables,
            late: Chance::new(shares.late),
            block: Chance::new(shares.replays / middle),
            random: Random::new(mix(&[seed, first.cast_unsigned()])),
            waiting: BTreeMap::new(),
            first,
            next: first,
        }
    }

    pub(super) fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The number of the next ledger.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// The next ledger. With the `last` one all late rows come, and none of its own is late.
    pub(super) fn ledger(&mut self, last: bool) -> Batch {
        let ledger = self.next;
        self.next += 1;
        let mut batch = Batch { is_again: false, parts: vec![Part::default(); self.tables.len()] };
        let due = if last { i64::MAX } else { ledger };
        let later = self.waiting.split_off(&due.saturating_add(1));
        for (table, at) in std::mem::replace(&mut self.waiting, later).into_values().flatten() {
            batch.parts[table].late += 1;
            batch.parts[table].append(&self.tables[table], at);
        }
        for (number, (table, part)) in self.tables.iter().zip(&mut batch.parts).enumerate() {
            for at in (0..table.rows(ledger)).map(|row| At { ledger, row }) {
                match table.due(at, self.late) {
                    due if due > ledger && !last => self.waiting.entry(due).or_default().push((number, at)),
                    _ => part.append(table, at),
                }
            }
        }
        batch
    }

    /// The ledgers that are written again before the next one, if any are: the newest as often as
    /// any others.
    pub(super) fn block(&mut self) -> Option<RangeInclusive<i64>> {
        if !self.block.happens(&mut self.random) {
            return None;
        }
        let length = self.random.between(1, BLOCK + 1).cast_signed();
        let newest = self.next - 1;
        let last = match self.random.between(0, 2) {
            0 => newest,
            _ => self.first + self.random.between(0, (self.next - self.first).cast_unsigned()).cast_signed(),
        };
        Some((last - length + 1).max(self.first)..=last)
    }

    /// A `ledger` that was written, without the rows that still wait.
    pub(super) fn again(&self, ledger: i64) -> Batch {
        let part = |table: &Table| {
            let mut part = Part::default();
            let places = (0..table.rows(ledger)).map(|row| At { ledger, row });
            places.filter(|at| table.due(*at, self.late) < self.next).for_each(|at| part.append(table, at));
            part
        };
        Batch { is_again: true, parts: self.tables.iter().map(part).collect() }
    }
}

impl Part {
    fn append(&mut self, table: &Table, at: At) {
        self.rows += 1;
        table.append(&mut self.bytes, at);
    }
}
