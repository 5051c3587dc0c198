//! How much memory a run over logs needs: what its chunks, its longest line and its batches take at
//! most.
//!
//! A batch has a maximum of lines and of bytes. The long line is the one that goes on far beyond
//! its chunk, up to `max_line`, with all its copies. A catch-up may read longer lines, up to the
//! `max_line` of older settings.

use crate::format::logs::rows;
use crate::run::memory::Parts;
use crate::split::{BATCH_BYTES, BATCH_LINES, BATCH_NAMES};

/// How far, in bytes, a chunk's last line may go on beyond it before it counts as a long line.
pub const READ_BEHIND: u64 = 1 << 20;
/// Memory for the batches on their way through a worker, in batches: while one is built in columns
/// that grow by doubling, the one before is divided by role, and the one before that is staged.
const BATCHES: u64 = 7;
/// A row without its text, in bytes: offsets, nulls and numbers of all columns.
const ROW: u64 = 256;
/// Copies of a long line: in the block, in the scratch of its unknown keys, which grow in `_rest`,
/// and in its column; or later as a value, a dictionary entry, a minimum, a maximum and a
/// compressed page of Parquet.
const LINE_COPIES: u64 = 16;

/// What decides how much memory a run needs. Sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Threads of the dataflow.
    pub workers: usize,
    /// Tables that rows are staged for.
    pub tables: usize,
    /// The longest chunk.
    pub chunk: u64,
    /// Chunks a worker may have in memory, if there is room.
    pub in_flight: usize,
    /// The longest line that becomes a row.
    pub max_line: u64,
    /// Parts of uploads in memory.
    pub uploads: u64,
}

impl Needs {
    /// The parts of the run's memory: each table is a group of its own.
    pub fn parts(&self) -> Parts {
        Parts {
            workers: self.workers,
            groups: self.tables,
            work: self.chunk,
            beyond: READ_BEHIND,
            in_flight: self.in_flight,
            turn: self.long_line(),
            batches: self.workers as u64 * self.worker(),
            uploads: self.uploads,
        }
    }

    /// What each worker needs for its batches.
    pub fn worker(&self) -> u64 {
        let batch = BATCH_BYTES as u64 + BATCH_NAMES as u64 + ROW * BATCH_LINES as u64;
        // A line inside a chunk needs no turn, however long it is.
        BATCHES * batch
            + rows::MOST_COLUMNS * rows::DICTIONARY
            + LINE_COPIES * self.max_line.min(self.chunk + READ_BEHIND)
    }

    /// What the long line takes, with its copies; zero if no line can be that long.
    pub fn long_line(&self) -> u64 {
        if self.max_line > READ_BEHIND { LINE_COPIES * self.max_line } else { 0 }
    }
}
