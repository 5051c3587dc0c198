//! A flush: what one snapshot of the hot tables saw, and the transaction of its owner, which
//! deletes that. What a run knows of its flushes.

use lakefront_operators::position::Position;
use lakefront_operators::source::postgres::{Flushes, Slice};

use crate::flushes::hot::{Hot, Marks};
use crate::flushes::{Row, TABLES};
use crate::kind::Transaction;
use crate::saboteur::Rule;
use crate::world::{World, ev};

/// How far the commit of a flush has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Copying,
    /// Its rows are deleted, in a transaction that is open.
    Deleted,
    /// That transaction may have committed.
    Committing,
    /// It cannot land.
    Lost,
}

pub(crate) struct Flush {
    pub(crate) number: u64,
    /// What the snapshot saw, by table.
    pub(crate) rows: Vec<Row>,
    /// Up to where it moves the tables.
    pub(crate) bound: i64,
    pub(crate) progress: Progress,
    /// Whether the owner's connection is there.
    pub(crate) is_open: bool,
    /// How many slices were not copied yet, and whether one will not be.
    pub(crate) left: usize,
    pub(crate) has_rows: bool,
    pub(crate) is_lost: bool,
}

/// What a run knows.
pub(crate) struct Buffer {
    /// The flush that is under way.
    pub(crate) flush: Option<Transaction>,
    /// Up to where the tables were flushed.
    pub(crate) marks: Marks,
    /// The watermark that the last flush has seen, if it did not go so far.
    pub(crate) reached: Option<i64>,
}

impl Flush {
    /// The rows of a slice.
    pub(crate) fn rows_of(&self, slice: &Slice) -> Vec<Row> {
        let rows = self.rows.iter().filter(|row| row.table == slice.table);
        let end = slice.to.map_or(usize::MAX, |to| to as usize);
        rows.take(end).skip(slice.from as usize).copied().collect()
    }

    /// What a flush moves once it lands.
    fn raise(&self, marks: &mut Marks) {
        for table in TABLES {
            let mark = marks.entry(table.to_owned()).or_insert(self.bound);
            *mark = self.bound.max(*mark);
        }
    }
}

impl World<Flushes> {
    /// The flush of a run that is under way.
    pub(crate) fn under_way(&self, tag: u64) -> Option<Transaction> {
        self.source.buffers.get(&tag)?.flush
    }

    /// The same, if it has this number.
    pub(crate) fn numbered(&self, tag: u64, number: u64) -> Option<Transaction> {
        self.under_way(tag).filter(|flush| self.source.flushes[flush].number == number)
    }

    pub(crate) fn flush(&mut self, transaction: Transaction) -> &mut Flush {
        self.source.flushes.get_mut(&transaction).expect("flushes are kept")
    }

    /// Whether the rows are as the snapshot saw them, and no other transaction has deleted them.
    pub(crate) fn is_as_seen(&self, transaction: Transaction) -> bool {
        let is_free = |row: &Row| self.source.locks.get(&row.key).is_none_or(|holder| *holder == transaction);
        let is_same =
            |row: &Row| self.source.rows.get(&row.key).is_some_and(|now| now == row || self.lacks(Rule::Changed));
        self.source.flushes[&transaction].rows.iter().all(|row| is_free(row) && is_same(row))
    }

    /// Deletes the rows of a flush, in its owner's transaction. Whether that can be done.
    pub(crate) fn delete_rows(&mut self, transaction: Transaction) -> bool {
        if !self.source.flushes[&transaction].is_open || !self.is_as_seen(transaction) {
            ev!(self, "flush {transaction:?} cannot delete its rows");
            self.flush(transaction).progress = Progress::Lost;
            return false;
        }
        let keys: Vec<u64> = self.source.flushes[&transaction].rows.iter().map(|row| row.key).collect();
        self.source.locks.extend(keys.iter().map(|key| (*key, transaction)));
        if !self.source.is_one {
            self.source.sent.extend(&keys);
        }
        self.flush(transaction).progress = Progress::Deleted;
        if self.lacks(Rule::Leave) {
            self.forget_rows(keys.into_iter());
        }
        true
    }

    /// A slice was copied, or is lost. Once that is known of all, a flush that is not whole is
    /// void.
    pub(crate) fn copied(&mut self, tag: u64, transaction: Transaction, is_lost: bool) {
        let flush = self.flush(transaction);
        flush.left -= 1;
        flush.has_rows |= !is_lost;
        flush.is_lost |= is_lost;
        if is_lost {
            flush.progress = Progress::Lost;
        }
        if flush.left == 0 && (flush.is_lost || !flush.has_rows) {
            self.void(tag, transaction);
        }
    }

    /// Nothing of the flush has landed or will: its transaction is rolled back.
    fn void(&mut self, tag: u64, transaction: Transaction) {
        let Some(buffer) = self.source.buffers.get_mut(&tag) else { return };
        if buffer.flush.take_if(|flush| *flush == transaction).is_some() {
            ev!(self, "run{tag}: flush {transaction:?} is void");
            self.close(transaction);
            let Hot { sent, flushes, .. } = &mut self.source;
            for row in &flushes[&transaction].rows {
                sent.remove(&row.key);
            }
        }
    }

    /// The commit of a flush is void for good.
    pub(crate) fn is_void(&mut self, tag: u64, position: Position) {
        let Some(transaction) = self.numbered(tag, position.0).filter(|_| !self.lacks(Rule::Again)) else { return };
        self.void(tag, transaction);
    }

    /// Everything up to `position` has landed. In two databases, the owner's transaction commits
    /// now; if its connection is lost, the next flush finds what it leaves.
    pub(crate) fn forget_flush(&mut self, tag: u64, position: Position) {
        let Some(transaction) = self.numbered(tag, position.0) else { return };
        let Flush { progress, is_open, .. } = self.source.flushes[&transaction];
        if progress == Progress::Deleted {
            let is_lost = !is_open || (!self.calm && self.rng.chance(0.1));
            let keys: Vec<u64> = self.source.flushes[&transaction].rows.iter().map(|row| row.key).collect();
            match is_lost {
                true => ev!(self, "rows of flush {transaction:?} have landed and are still hot"),
                false => self.forget_rows(keys.into_iter()),
            }
        }
        self.close(transaction);
        let Hot { buffers, flushes, .. } = &mut self.source;
        let buffer = buffers.get_mut(&tag).expect("it has a flush");
        flushes[&transaction].raise(&mut buffer.marks);
        buffer.flush = None;
    }

    /// A flush has landed in the lake.
    pub(crate) fn raise_marks(&mut self, transaction: Transaction) {
        let Hot { marks, flushes, .. } = &mut self.source;
        flushes[&transaction].raise(marks);
    }

    /// The owner's connection is gone, and with it what it has not committed.
    fn close(&mut self, transaction: Transaction) {
        self.flush(transaction).is_open = false;
        self.source.locks.retain(|_, holder| *holder != transaction);
    }

    /// All connections of a run are gone.
    pub(crate) fn close_all(&mut self, tag: u64) {
        if let Some(flush) = self.source.buffers.remove(&tag).and_then(|buffer| buffer.flush) {
            self.close(flush);
        }
    }

    /// The connection of some owner is lost. Nobody is told.
    pub(crate) fn lose_owner(&mut self) {
        let owners: Vec<Transaction> = self.source.buffers.values().filter_map(|buffer| buffer.flush).collect();
        if !owners.is_empty() {
            let flush = self.rng.pick(&owners);
            ev!(self, "the owner of flush {flush:?} is lost");
            self.close(flush);
        }
    }
}
