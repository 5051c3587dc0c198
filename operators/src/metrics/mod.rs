//! What a run has done so far, and where it stands: counted where it happens, read by whoever reports.
//!
//! Counting costs a relaxed addition a batch, a chunk or a commit, never one a line. Each number is true by itself; two that are read one
//! after the other may be an instant apart. What became durable is counted when it did: rows, commits and positions of tables are the
//! lake's. The rest (bytes read, rejects, retries) counts work, and a row that is staged again by a later run was worked on twice.
//!
//! ```text
//! table     rows, commits and position of one table     latency   how long something took, as percentiles
//! steps     the frontier of each operator, and its work  busy      each operator's time, from timely's log
//! cuts      when a cut was begun, and its bytes appended appends   when the bytes of a chunk were seen first
//! retry     what was tried again                       source   what is in the source and is not read
//! roles     roles of lines that the settings do not name
//! shapes    what lines looked like that were opened, or no rows
//! lagging   which file has the most bytes on their way
//! ```

pub mod appends;
pub mod busy;
mod cuts;
mod lagging;
pub mod latency;
mod read;
pub mod retry;
mod roles;
pub mod shapes;
mod source;
pub mod steps;
pub mod table;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use self::cuts::CutTimes;
pub use self::lagging::Lag;
pub use self::latency::{Latency, Percentiles};
use self::retry::HeardPauses;
pub use self::retry::{Retried, Retries};
pub use self::roles::UnnamedRoles;
pub use self::shapes::Shapes;
pub use self::steps::{Holder, StepId, Steps};
pub use self::table::{Failing, TableMetrics};
use crate::error::{StoreError, chain};
use crate::memory::Budget;
use crate::position::Position;
use crate::protocol::cut::{Chunk, Cut};
use crate::protocol::table::{Clock, RunId, Stamp};
use crate::record::{Reason, TableId};
use crate::source::PassedOver;
use crate::space::Seen;

/// The numbers of one run.
pub struct Metrics {
    clock: Arc<dyn Clock>,
    started: Stamp,
    workers: usize,
    claimed: OnceLock<Claim>,
    cuts_closed: AtomicU64,
    acknowledged: AtomicU64,
    settled: AtomicU64,
    planned: AtomicU64,
    source_end: AtomicU64,
    chunks_planned: AtomicU64,
    chunks_read: AtomicU64,
    bytes_read: AtomicU64,
    tables: Vec<TableMetrics>,
    rejects: [AtomicU64; Reason::ALL.len()],
    unnamed_roles: UnnamedRoles,
    shapes: Shapes,
    retries: Retries,
    fetch: Latency,
    commit: Latency,
    visible: Latency,
    cuts: cuts::Cuts,
    lagging: lagging::Lagging,
    steps: Steps,
    guards: OnceLock<Guards>,
    not_read: source::NotRead,
}

/// What keeps a run within its bounds.
struct Guards {
    space: Arc<Seen>,
    memory: Arc<Budget>,
}

/// With what a run began.
#[derive(Clone, Copy, Debug)]
struct Claim {
    run: RunId,
    start: Position,
}

impl Metrics {
    /// The numbers of a run that begins now, over `tables` (their roles, in claim order) with so many `workers`. `source` counts
    /// what the source tries again.
    pub fn new(clock: Arc<dyn Clock>, tables: &[&'static str], workers: usize, source: retry::Count) -> Self {
        Metrics {
            started: Stamp::now(&*clock),
            workers,
            steps: Steps::new(clock.clone(), tables, workers),
            clock,
            claimed: OnceLock::new(),
            cuts_closed: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            planned: AtomicU64::new(0),
            source_end: AtomicU64::new(0),
            chunks_planned: AtomicU64::new(0),
            chunks_read: AtomicU64::new(0),
            bytes_read: AtomicU64::new(0),
            tables: tables.iter().map(|role| TableMetrics::new(role)).collect(),
            rejects: Default::default(),
            unnamed_roles: UnnamedRoles::default(),
            shapes: Shapes::default(),
            retries: Retries::new(source),
            fetch: Latency::default(),
            commit: Latency::default(),
            visible: Latency::default(),
            cuts: cuts::Cuts::default(),
            lagging: lagging::Lagging::default(),
            guards: OnceLock::new(),
            not_read: source::NotRead::default(),
        }
    }

    /// The tables were claimed by `run`, and stand at `positions`.
    pub fn claimed(&self, run: RunId, positions: &[Position]) {
        let start = positions.iter().min().copied().unwrap_or_default();
        for (table, position) in self.tables.iter().zip(positions) {
            table.stands_at(*position);
        }
        for at in [&self.acknowledged, &self.settled, &self.planned, &self.source_end] {
            at.store(start.0, Relaxed);
        }
        self.steps.start_at(start);
        // A run claims its tables once.
        let _ = self.claimed.set(Claim { run, start });
    }

    /// The source was looked at, and has whole lines up to `end`, most of which are in the
    /// partition of `lag`.
    pub(crate) fn source_seen(&self, end: Position, lag: Option<Lag>) {
        self.lagging.waits(lag);
        let had = self.source_end.swap(end.0, Relaxed);
        if had <= self.planned.load(Relaxed) && end.0 > had {
            self.steps.plan_has_work();
        }
    }

    /// A look at the source has passed over what might matter.
    pub(crate) fn passed_over(&self, passed_over: Vec<PassedOver>) {
        self.not_read.set(passed_over);
    }

    /// What is in the source and is not read, though lines may be missed by that, and for how long there has been something.
    pub fn not_read(&self) -> Option<(Duration, Vec<PassedOver>)> {
        self.not_read.get()
    }

    /// Chunks were handed out; all up to `planned` is now.
    pub(crate) fn chunks_planned(&self, chunks: &[Chunk], planned: Position) {
        chunks.iter().for_each(|chunk| self.lagging.handed_out(&chunk.partition, chunk.len()));
        self.chunks_planned.fetch_add(1, Relaxed);
        self.planned.store(planned.0, Relaxed);
        self.steps.plan_has_work();
    }

    /// A chunk of `bytes` was read, and it took so long.
    pub(crate) fn chunk_read(&self, bytes: u64, took: Duration) {
        self.chunks_read.fetch_add(1, Relaxed);
        self.bytes_read.fetch_add(bytes, Relaxed);
        self.fetch.record(took);
    }

    /// A line was rejected.
    pub(crate) fn rejected(&self, reason: Reason) {
        self.rejects[reason as usize].fetch_add(1, Relaxed);
    }

    /// A cut was closed; what has not been handed out yet is mostly in the partition of `lag`.
    pub(crate) fn cut_closed(&self, cut: &Cut, times: CutTimes, lag: Option<Lag>) {
        self.lagging.cut_closed(cut.upper);
        self.lagging.waits(lag);
        self.cuts_closed.fetch_add(1, Relaxed);
        self.cuts.closed(cut.upper, times);
    }

    /// A commit of `table` begins.
    pub(crate) fn commit_begins(&self, table: TableId) {
        self.tables[table.0].commit_begins(self.steady_ms());
    }

    /// A clock for the committer of `table`, which pauses only to try a step of a commit again.
    pub fn commit_clock(self: &Arc<Self>, table: TableId) -> Arc<dyn Clock> {
        let (metrics, clock) = (self.clone(), self.retries.counted(Retried::Commit, self.clock.clone()));
        Arc::new(HeardPauses { clock, hear: move |error: &StoreError| metrics.commit_failed(table, chain(error)) })
    }

    /// A step of a commit of `table` has failed, or a look at it, and will be tried again.
    pub(crate) fn commit_failed(&self, table: TableId, cause: String) {
        self.tables[table.0].failed(self.steady_ms(), cause);
    }

    /// `table` was looked at, and the run still has it.
    pub(crate) fn looked(&self, table: TableId) {
        self.tables[table.0].looked();
    }

    /// No rows wait for `table` up to `position`.
    pub(crate) fn drained(&self, table: TableId, position: Position) {
        self.tables[table.0].drained_to(position);
    }

    /// The tables were told to move to `position`.
    pub(crate) fn settles(&self, position: Position) {
        self.settled.store(position.0, Relaxed);
    }

    /// A commit of `table` has made `rows` visible and moved it to `position`; it took so long.
    pub(crate) fn committed(&self, table: TableId, rows: u64, position: Position, took: Duration) {
        let before = self.tables[table.0].committed(rows, position, self.now_ms());
        self.commit.record(took);
        // A commit without rows makes nothing visible.
        if rows > 0 {
            let now_ms = self.steady_ms();
            for appended_ms in self.cuts.appended_within(before, position) {
                self.visible.record(Duration::from_millis(now_ms.saturating_sub(appended_ms)));
            }
        }
    }

    /// The checkpoint moved.
    pub(crate) fn acknowledged(&self, position: Position) {
        self.acknowledged.store(position.0, Relaxed);
    }

    /// All rows up to `position` have landed; the answer is how long that took, from the first
    /// chunk of the first cut.
    pub(crate) fn cuts_landed(&self, position: Position) -> Duration {
        let begun_ms = self.cuts.landed(position);
        self.lagging.landed(position);
        begun_ms.map_or(Duration::ZERO, |begun| Duration::from_millis(self.steady_ms().saturating_sub(begun)))
    }

    /// Free space and the memory of buffers are watched over.
    pub fn guarded_by(&self, space: Arc<Seen>, memory: Arc<Budget>) {
        // A run has one guard of each.
        let _ = self.guards.set(Guards { space, memory });
    }
}
