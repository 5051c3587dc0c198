//! Memory: how much a run's buffers may take together.
//!
//! The limit is divided once, when the run begins ([`Parts`]):
//!
//! - **Work**: pieces of the source between `fetch` and `stage`. `plan` hands out none that does
//!   not fit, but one alone may always go. One that turns out to be longer than its room goes in
//!   parts, one after the other.
//! - **The turn**: what a piece may take that needs more than others do, such as one with a very
//!   long line. A piece waits for its turn.
//! - **Batches**: what the operators between `fetch` and `stage` make of pieces, a few batches per
//!   worker.
//! - **Row groups**: files being written. `stage` closes its largest row group or file when it
//!   holds more than its share.
//! - **Uploads**: parts on their way to blobs, with a bound of their own in
//!   `sink/files/blobs/upload.rs`.
//!
//! There is no deadlock. `plan` waits for room only while a piece is out, and every piece comes
//! back through operators that wait for nothing: decoding and staging need no room, because `stage`
//! makes its own by writing row groups to disk. The one exception is the turn: it is granted to one
//! piece at a time, in order of request, and the piece that has it waits for nothing else: it goes
//! on when it is read, whatever becomes of the others of its credit.
//!
//! The parts are upper bounds, and their sum is within the limit. It covers only buffers: not code,
//! the runtime, an entry for each partition of the source, or what the allocator keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The minimum for the row groups of one group of tables on one worker, in bytes: less makes too
/// many files.
const SHARE_MIN: u64 = 4 << 20;
/// A run's share of the usual limit, in bytes: the turn and the first pieces.
const USUAL: u64 = 512 << 20;
/// Each worker's share of it, in bytes: its batches, and row groups of the size that readers like.
const USUAL_WORKER: u64 = 384 << 20;

/// What a run's buffers take at most. Sizes in bytes.
///
/// ```
/// use lakefront_operators::run::memory::{Budget, Parts};
///
/// let mib = 1 << 20;
/// let (work, batches) = (8 * mib, 32 * mib);
/// let (workers, in_flight) = (2, 4);
/// let parts =
///     Parts { workers, groups: 1, work, beyond: 0, in_flight, turn: 0, batches, uploads: 0 };
/// assert!(Budget::new(parts.least(), parts).limit() < parts.usual());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// Threads of the dataflow.
    pub workers: usize,
    /// Groups that rows are staged for.
    pub groups: usize,
    /// The longest piece of work that needs no turn, in bytes.
    pub work: u64,
    /// What the pieces of one credit may take together beyond that.
    pub beyond: u64,
    /// Credits of each worker.
    pub in_flight: usize,
    /// What a piece takes that has the turn, with its copies; zero if no piece can need it.
    pub turn: u64,
    /// The batches of all workers.
    pub batches: u64,
    /// Parts of uploads.
    pub uploads: u64,
}

impl Parts {
    /// The smallest limit with which a run makes progress: one piece at a time, and the minimum of
    /// everything else.
    pub fn least(&self) -> u64 {
        self.reserved() + self.most_of_a_piece() + SHARE_MIN * self.stages()
    }

    /// The limit of a run that was given none: enough that the limit is not noticed, or the least.
    pub fn usual(&self) -> u64 {
        self.least().max(USUAL + USUAL_WORKER * self.workers as u64)
    }

    fn reserved(&self) -> u64 {
        self.turn + self.batches + self.uploads
    }

    fn most_of_a_piece(&self) -> u64 {
        self.work + self.beyond
    }

    fn stages(&self) -> u64 {
        (self.workers * self.groups) as u64
    }
}

/// The memory budget of one run, shared by its workers.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    parts: Parts,
    /// For pieces that are out; enough for at least one.
    room: u64,
    /// For the row groups of one group on one worker.
    share: u64,
    out: AtomicU64,
    row_groups: AtomicU64,
    turn: Arc<Semaphore>,
}

impl Budget {
    /// Divides `limit` bytes, which are at least [`Parts::least`].
    pub fn new(limit: u64, parts: Parts) -> Arc<Budget> {
        let free = limit.saturating_sub(parts.reserved());
        let piece = parts.most_of_a_piece();
        // The row groups get what the pieces cannot use: at least half, or their minimum if that is
        // more. One piece always fits.
        let wanted = piece.saturating_mul((parts.workers * parts.in_flight) as u64);
        let half = (free / 2).min(free.saturating_sub(SHARE_MIN * parts.stages()));
        let room = wanted.min(half.max(piece));
        let share = (free.saturating_sub(room) / parts.stages()).max(SHARE_MIN);
        let (out, row_groups) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Budget { limit, parts, room, share, out, row_groups, turn: Arc::new(Semaphore::new(1)) })
    }

    /// The limit, in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// What buffers may hold at this moment, in bytes: pieces that are out and row groups as
    /// counted, everything else at its maximum.
    pub fn held(&self) -> u64 {
        let out = self.out.load(Relaxed);
        let turn = if self.turn.available_permits() == 0 { self.parts.turn } else { 0 };
        let batches = if out > 0 { self.parts.batches } else { 0 };
        out + turn + batches + self.row_groups.load(Relaxed) + self.parts.uploads
    }

    /// Whether another piece may be handed out.
    pub(crate) fn has_room(&self) -> bool {
        let out = self.out.load(Relaxed);
        out == 0 || out + self.parts.most_of_a_piece() <= self.room
    }

    /// Takes room for what is handed out for one credit, `bytes` in total; the [`Reserved`] that
    /// its worker makes gives it back.
    pub(crate) fn take(&self, bytes: u64) {
        self.out.fetch_add(self.cost(bytes), Relaxed);
    }

    /// Holds the room that was taken for `bytes`.
    pub(crate) fn hold(self: &Arc<Self>, bytes: u64) -> Reserved {
        Reserved { budget: self.clone(), bytes: self.cost(bytes) }
    }

    /// How much pieces of `bytes` may take without the turn. A piece that cannot be divided may be
    /// longer than any other: the excess needs the turn.
    pub(crate) fn cost(&self, bytes: u64) -> u64 {
        bytes.min(self.parts.work) + self.parts.beyond
    }

    /// How much more pieces of one credit may take, of which `bytes` are taken.
    pub(crate) fn left_of_credit(&self, bytes: u64) -> u64 {
        self.parts.work.saturating_sub(bytes)
    }

    /// Waits for the turn to take more.
    pub(crate) async fn turn(&self) -> Turn {
        let turn = self.turn.clone().acquire_owned().await;
        Turn { _turn: turn.expect("it is never closed") }
    }

    /// The share of one group's row groups on one worker.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share { budget: self.clone(), held: 0 }
    }
}

/// The room of pieces that are out; dropping it gives the room back.
pub(crate) struct Reserved {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.out.fetch_sub(self.bytes, Relaxed);
    }
}

/// The turn to take more memory than other pieces; dropping it passes the turn on.
#[derive(Debug)]
pub struct Turn {
    _turn: OwnedSemaphorePermit,
}

/// The row groups of one group on one worker.
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
mod tests;
