//! Memory: how much a run's buffers may take together.
//!
//! The limit is divided once, when the run begins:
//!
//! - **Chunks**: blocks between `fetch` and `stage`, each a chunk and [`READ_BEHIND`]. `plan` hands
//!   out none that does not fit, but one alone may always go.
//! - **The long line**: the one line that goes on further, up to `max_line`, with all its copies. A
//!   chunk waits for its turn to read one.
//! - **Batches**: what `split`, `parse` and `route` make of blocks, a few batches per worker. A
//!   batch has a maximum of lines and of bytes.
//! - **Row groups**: files being written. `stage` closes its largest row group or file when it
//!   holds more than its share.
//! - **Uploads**: parts on their way to blobs, with a bound of their own in
//!   `sink/files/blobs/upload.rs`.
//!
//! There is no deadlock. `plan` waits for room only while a chunk is out, and every chunk comes
//! back through work that waits for nothing: parsing and staging need no room, because `stage`
//! makes its own by writing row groups to disk. The one exception is the long line: it is granted
//! to one chunk at a time, in order of request, and the chunk that has it waits for nothing else.
//!
//! The parts are upper bounds, and their sum is within the limit. It covers only buffers: not code,
//! the runtime, the listing's entry for each file or blob, or what the allocator keeps. A catch-up
//! may read longer lines, up to the `max_line` of older settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::rows;
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
/// The minimum for the row groups of one table on one worker, in bytes: less makes too many files.
const SHARE_MIN: u64 = 4 << 20;
/// A run's share of the default limit, in bytes: the long line and the first chunks.
const USUAL: u64 = 512 << 20;
/// Each worker's share of it, in bytes: its batches, and row groups of the size that readers like.
const USUAL_WORKER: u64 = 384 << 20;

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
    /// The smallest limit with which a run makes progress: one chunk at a time, and the minimum of
    /// everything else.
    pub fn least(&self) -> u64 {
        self.reserved() + self.most_of_a_chunk() + SHARE_MIN * self.stages()
    }

    /// The limit of a run that was given none: enough that the limit is not noticed, or the least.
    pub fn usual(&self) -> u64 {
        self.least().max(USUAL + USUAL_WORKER * self.workers as u64)
    }

    /// What each worker needs for its batches.
    pub fn worker(&self) -> u64 {
        let batch = BATCH_BYTES as u64 + BATCH_NAMES as u64 + ROW * BATCH_LINES as u64;
        // A line inside a chunk needs no turn, however long it is.
        BATCHES * batch
            + rows::MOST_COLUMNS * rows::DICTIONARY
            + LINE_COPIES * self.max_line.min(self.most_of_a_chunk())
    }

    /// What the long line takes, with its copies; zero if no line can be that long.
    pub fn long_line(&self) -> u64 {
        if self.max_line > READ_BEHIND { LINE_COPIES * self.max_line } else { 0 }
    }

    fn reserved(&self) -> u64 {
        self.long_line() + self.batches() + self.uploads
    }

    fn most_of_a_chunk(&self) -> u64 {
        self.chunk + READ_BEHIND
    }

    fn stages(&self) -> u64 {
        (self.workers * self.tables) as u64
    }

    fn batches(&self) -> u64 {
        self.workers as u64 * self.worker()
    }
}

/// The memory budget of one run, shared by its workers.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    needs: Needs,
    /// For chunks that are out; enough for at least one.
    room: u64,
    /// For the row groups of one table on one worker.
    share: u64,
    chunks: AtomicU64,
    row_groups: AtomicU64,
    long_line: Arc<Semaphore>,
}

impl Budget {
    /// Divides `limit` bytes, which are at least [`Needs::least`].
    pub fn new(limit: u64, needs: Needs) -> Arc<Budget> {
        let free = limit.saturating_sub(needs.reserved());
        let chunk = needs.most_of_a_chunk();
        // The row groups get what the chunks cannot use: at least half, or their minimum if that is
        // more. One chunk always fits.
        let wanted = chunk.saturating_mul((needs.workers * needs.in_flight) as u64);
        let half = (free / 2).min(free.saturating_sub(SHARE_MIN * needs.stages()));
        let room = wanted.min(half.max(chunk));
        let share = (free.saturating_sub(room) / needs.stages()).max(SHARE_MIN);
        let (chunks, row_groups) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Budget { limit, needs, room, share, chunks, row_groups, long_line: Arc::new(Semaphore::new(1)) })
    }

    /// The limit, in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// What buffers may hold at this moment, in bytes: chunks that are out and row groups as
    /// counted, everything else at its maximum.
    pub fn held(&self) -> u64 {
        let chunks = self.chunks.load(Relaxed);
        let long_line = if self.long_line.available_permits() == 0 { self.needs.long_line() } else { 0 };
        let batches = if chunks > 0 { self.needs.batches() } else { 0 };
        chunks + long_line + batches + self.row_groups.load(Relaxed) + self.needs.uploads
    }

    /// Whether another chunk may be handed out.
    pub(crate) fn has_room(&self) -> bool {
        let out = self.chunks.load(Relaxed);
        out == 0 || out + self.needs.most_of_a_chunk() <= self.room
    }

    /// Takes room for a chunk of `length` bytes; the [`Hold`] that its worker makes gives it back.
    pub(crate) fn take(&self, length: u64) {
        self.chunks.fetch_add(self.cost(length), Relaxed);
    }

    /// Holds the room that was taken for a chunk of `length` bytes.
    pub(crate) fn hold(self: &Arc<Self>, length: u64) -> Hold {
        Hold { budget: self.clone(), bytes: self.cost(length) }
    }

    /// How much a chunk of `length` bytes may take without the long line's turn. A last line
    /// without newline is never divided, so it can make a chunk longer than any other: the excess
    /// is a long line.
    pub(crate) fn cost(&self, length: u64) -> u64 {
        length.min(self.needs.chunk) + READ_BEHIND
    }

    /// Waits for the turn to read a long line.
    pub(crate) async fn long_line(&self) -> LongLine {
        let turn = self.long_line.clone().acquire_owned().await;
        LongLine { _turn: turn.expect("it is never closed") }
    }

    /// The share of one table's row groups on one worker.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share { budget: self.clone(), held: 0 }
    }
}

/// The room of a chunk that is out; dropping it gives the room back.
pub(crate) struct Hold {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budget.chunks.fetch_sub(self.bytes, Relaxed);
    }
}

/// The turn to read a long line; dropping it passes the turn on.
#[derive(Debug)]
pub struct LongLine {
    _turn: OwnedSemaphorePermit,
}

/// The row groups of one table on one worker.
pub(crate) struct Share {
    budget: Arc<Budget>,
    held: u64,
}

impl Share {
    /// The most they may take, in bytes.
    pub(crate) fn most(&self) -> u64 {
        self.budget.share
    }

    /// Records that they take `bytes` now.
    pub(crate) fn set(&mut self, bytes: u64) {
        self.budget.row_groups.fetch_add(bytes, Relaxed);
        self.budget.row_groups.fetch_sub(self.held, Relaxed);
        self.held = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const NEEDS: Needs = Needs { workers: 2, tables: 3, chunk: 8 * MIB, in_flight: 2, max_line: 16 * MIB, uploads: 0 };

    #[test]
    fn the_parts_are_no_more_than_the_limit() {
        for limit in [NEEDS.least(), NEEDS.usual(), 100 << 30] {
            let budget = Budget::new(limit, NEEDS);
            let parts = NEEDS.reserved() + budget.room + budget.share * NEEDS.stages();
            assert!(parts <= limit, "{parts} of {limit}");
        }
    }

    #[test]
    fn the_usual_limit_holds_all_chunks_and_the_least_holds_one() {
        let out = |limit| {
            let budget = Budget::new(limit, NEEDS);
            (0..100).take_while(|_| budget.has_room().then(|| budget.take(NEEDS.chunk)).is_some()).count()
        };
        assert_eq!(out(NEEDS.usual()), 4);
        assert_eq!(out(NEEDS.least()), 1);
    }

    #[test]
    fn a_chunk_alone_may_go_however_long_it_is() {
        let budget = Budget::new(NEEDS.least(), NEEDS);
        budget.take(100 * NEEDS.chunk);
        assert!(!budget.has_room());
        drop(budget.hold(100 * NEEDS.chunk));
        assert!(budget.has_room());
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn long_lines_take_turns() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let budget = Budget::new(NEEDS.usual(), NEEDS);
            let first = budget.long_line().await;
            assert_eq!(budget.held(), LINE_COPIES * NEEDS.max_line);
            let mut second = std::pin::pin!(budget.long_line());
            assert!(futures::poll!(second.as_mut()).is_pending());
            drop(first);
            assert!(futures::poll!(second.as_mut()).is_ready());
        });
    }

    #[test]
    fn row_groups_are_counted_until_they_are_gone() {
        let budget = Budget::new(NEEDS.usual(), NEEDS);
        let (mut one, mut other) = (budget.share(), budget.share());
        one.set(5);
        other.set(7);
        one.set(1);
        assert_eq!(budget.held(), 8);
        drop(one);
        assert_eq!(budget.held(), 7);
    }
}
