//! The hot tables: their rows, who has deleted them in an open transaction, and what writers do.

use std::collections::{BTreeMap, BTreeSet};

use lakefront_operators::protocol::names::TableId;
use lakefront_operators::source::postgres::Flushes;

use crate::flushes::flush::{Buffer, Flush};
use crate::flushes::{Row, TABLES};
use crate::kind::Transaction;
use crate::rng::Rng;
use crate::world::{World, ev};

/// Up to which sequence each table has landed.
pub(crate) type Marks = BTreeMap<String, i64>;

pub(crate) struct Hot {
    /// Whether hot tables and catalog are in one database.
    pub(crate) is_one: bool,
    /// Whether late rows whose key the lake has are only deleted. If not, none comes back.
    pub(crate) skips: bool,
    /// Whether the schedule is long.
    pub(crate) is_long: bool,
    /// The most rows of a flush, but for those of one sequence.
    pub(crate) most: usize,
    /// By key. Rows that an open transaction has deleted are still there.
    pub(crate) rows: BTreeMap<u64, Row>,
    /// What was last written of each key.
    pub(crate) written: BTreeMap<u64, Row>,
    /// The keys that open transactions have deleted.
    pub(crate) locks: BTreeMap<u64, Transaction>,
    /// Where there are two databases: the keys that a commit to the lake may still land.
    pub(crate) sent: BTreeSet<u64>,
    /// All flushes there ever were: those that have ended may still be asked for by a request that
    /// is late.
    pub(crate) flushes: BTreeMap<Transaction, Flush>,
    /// What each live run knows.
    pub(crate) buffers: BTreeMap<u64, Buffer>,
    /// Up to where flushes that have landed have moved the tables.
    pub(crate) marks: Marks,
    /// Whether the last conflict, in the quiet world, has happened.
    pub(crate) has_met_the_last: bool,
    next: i64,
}

impl Hot {
    pub(crate) fn new(rng: &mut Rng) -> Hot {
        let is_one = rng.chance(0.5);
        Hot {
            is_one,
            // What a crash leaves between two commits is found by its key.
            skips: !is_one || rng.chance(0.5),
            is_long: rng.chance(0.4),
            most: if rng.chance(0.5) { rng.between(1, 6) as usize } else { usize::MAX },
            rows: BTreeMap::new(),
            written: BTreeMap::new(),
            locks: BTreeMap::new(),
            sent: BTreeSet::new(),
            flushes: BTreeMap::new(),
            buffers: BTreeMap::new(),
            marks: Marks::new(),
            has_met_the_last: false,
            next: 1,
        }
    }
}

impl World<Flushes> {
    /// A writer goes on: the tables get rows of the next sequences, not at the same pace.
    pub(crate) fn insert(&mut self) {
        self.source.next += self.rng.between(0, 2) as i64;
        let next = self.source.next;
        if self.rng.chance(0.7) {
            self.write(TableId(0), next);
        }
        for _ in 0..self.rng.below(3) {
            let ahead = self.rng.below(2) as i64;
            self.write(TableId(1), next + ahead);
        }
    }

    /// A row comes late, of a sequence that a flush may have passed.
    pub(crate) fn insert_late(&mut self) {
        let next = self.source.next as u64;
        let (table, sequence) = (TableId(self.rng.below(TABLES.len())), self.rng.between(1, next) as i64);
        self.write(table, sequence);
    }

    /// The last row: no row has a sequence above it.
    pub(crate) fn insert_last(&mut self) {
        let sequence = self.source.next + 2;
        self.write(TableId(0), sequence);
    }

    fn write(&mut self, table: TableId, sequence: i64) {
        let row = Row { table, sequence, key: self.id(), edition: 0 };
        ev!(self, "a writer inserts {row:?}");
        self.source.rows.insert(row.key, row);
        self.source.written.insert(row.key, row);
    }

    /// A writer was set back, and writes a row again that has landed.
    pub(crate) fn insert_again(&mut self) {
        let is_gone = |row: &&Row| !self.source.rows.contains_key(&row.key);
        let landed: Vec<Row> = self.lakes[0].landed().map(|(_, row)| row).filter(is_gone).copied().collect();
        if self.source.skips && !landed.is_empty() {
            let row = self.rng.pick(&landed);
            ev!(self, "a writer inserts {row:?} again");
            self.source.rows.insert(row.key, row);
        }
    }

    /// A writer updates a row. It waits for those who have deleted it; what has landed and comes
    /// back is not looked at any more.
    pub(crate) fn update(&mut self) {
        let Hot { rows, locks, sent, .. } = &self.source;
        let may_be = |row: &&Row| !locks.contains_key(&row.key) && !sent.contains(&row.key) && !self.has(row.key);
        let free: Vec<Row> = rows.values().filter(may_be).copied().collect();
        if !free.is_empty() {
            let row = self.rng.pick(&free);
            let row = Row { edition: row.edition + 1, ..row };
            ev!(self, "a writer updates {row:?}");
            self.source.rows.insert(row.key, row);
            self.source.written.insert(row.key, row);
        }
    }

    /// Whether the lake has a row of that key.
    pub(crate) fn has(&self, key: u64) -> bool {
        self.lakes[0].landed().any(|(_, row)| row.key == key)
    }

    /// A transaction that has deleted these rows is committed.
    pub(crate) fn forget_rows(&mut self, keys: impl Iterator<Item = u64>) {
        for key in keys {
            self.source.locks.remove(&key);
            let Some(row) = self.source.rows.remove(&key) else { continue };
            if !self.lakes[0].landed().any(|(_, landed)| *landed == row) {
                self.violate(format!("DELETED: {row:?} has left the source, and has not landed"));
            }
        }
    }
}
