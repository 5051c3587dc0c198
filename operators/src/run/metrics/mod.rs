//! What a run has done so far, and where it stands: counted where it happens, read by reporters.
//!
//! Counting costs one relaxed addition per batch, chunk or commit, never one per line. Each number
//! is correct by itself; two that are read one after the other may be an instant apart. Rows,
//! commits and positions of tables are the lake's: they are counted once they are durable. The rest
//! (bytes read, rejects, retries) counts work, and a row that a later run stages again was worked
//! on twice.
//!
//! ```text
//! table     rows, commits and position of one table
//! latency   how long something took, as percentiles
//! steps     the frontier of each operator, and its work
//! busy      each operator's time, from timely's log
//! cuts      when a cut began, and since when the oldest of it was in the source
//! retry     what was retried
//! source    what is in the source but not read
//! roles     roles in lines that the settings do not name
//! shapes    what lines looked like that were opened, or were not rows
//! lagging   which partition has the most on its way
//! flushes   what waits, is late and goes, of a pipeline that flushes hot tables
//! ```

pub mod busy;
mod cuts;
pub mod flushes;
mod lagging;
pub mod latency;
mod read;
pub mod retry;
mod roles;
pub mod shapes;
mod source;
pub mod steps;
mod stopped;
pub mod table;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub(crate) use self::cuts::{CutTimes, OpenCut};
pub use self::flushes::FlushMetrics;
pub use self::lagging::Lag;
pub use self::latency::{Latency, Percentiles};
use self::retry::HeardPauses;
pub use self::retry::{Retried, Retries};
pub use self::roles::UnnamedRoles;
pub use self::shapes::Shapes;
pub use self::steps::{Holder, Outline, StepId, Steps, Unit};
pub use self::stopped::StoppedTable;
pub use self::table::{Failing, TableMetrics};
use crate::error::{StoreError, chain};
use crate::position::Position;
use crate::protocol::clock::{Clock, Stamp};
use crate::protocol::layout::Layout;
use crate::protocol::names::{GroupId, RunId, TableId};
use crate::protocol::offsets::PartitionId;
use crate::run::memory::Budget;
use crate::run::space::FreeSpace;
use crate::source::files::PassedOver;

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
    layout: Layout,
    unit: Unit,
    tables: Vec<TableMetrics>,
    rejects: Vec<(&'static str, AtomicU64)>,
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
    stopped: stopped::Stopped,
    flushes: Option<Arc<FlushMetrics>>,
}

/// What keeps a run within its limits.
struct Guards {
    space: Arc<FreeSpace>,
    memory: Arc<Budget>,
}

/// What a run began with.
#[derive(Clone, Copy, Debug)]
struct Claim {
    run: RunId,
    start: Position,
}

impl Metrics {
    /// The numbers of a run that begins now with `workers` workers, of a pipeline of this
    /// `outline`. `source` counts the source's retries.
    pub fn new(clock: Arc<dyn Clock>, outline: Outline, workers: usize, source: retry::Count) -> Self {
        Metrics {
            started: Stamp::now(&*clock),
            workers,
            steps: Steps::new(clock.clone(), &outline, workers),
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
            tables: outline.layout.roles().map(TableMetrics::new).collect(),
            layout: outline.layout,
            unit: outline.unit,
            rejects: outline.reasons.iter().map(|reason| (*reason, AtomicU64::new(0))).collect(),
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
            stopped: stopped::Stopped::default(),
            flushes: None,
        }
    }

    /// The same, of a pipeline that counts its `flushes`.
    pub fn with_flushes(self, flushes: Option<Arc<FlushMetrics>>) -> Self {
        Metrics { flushes, ..self }
    }

    /// `run` has claimed the groups, which stand at `positions`.
    pub fn claimed(&self, run: RunId, positions: &[Position]) {
        let start = positions.iter().min().copied().unwrap_or_default();
        for (group, position) in positions.iter().enumerate() {
            self.of(GroupId(group)).for_each(|table| table.stands_at(*position));
        }
        for at in [&self.acknowledged, &self.settled, &self.planned, &self.source_end] {
            at.store(start.0, Relaxed);
        }
        self.steps.start_at(start);
        // A run claims its groups once.
        let _ = self.claimed.set(Claim { run, start });
    }

    /// A look has found that the source reaches to `end`. `lag` is the partition with the most that
    /// is not handed out.
    pub(crate) fn source_seen(&self, end: Position, lag: Option<Lag>) {
        self.lagging.waits(lag);
        let had = self.source_end.swap(end.0, Relaxed);
        if had <= self.planned.load(Relaxed) && end.0 > had {
            self.steps.plan_has_work();
        }
    }

    /// A look at the source has passed over what may matter.
    pub(crate) fn passed_over(&self, passed_over: Vec<PassedOver>) {
        self.not_read.set(passed_over);
    }

    /// What is in the source but not read, although lines may be missed because of it; and for how
    /// long there has been anything of this kind.
    pub fn not_read(&self) -> Option<(Duration, Vec<PassedOver>)> {
        self.not_read.get()
    }

    /// Work was handed out for one credit, of these partitions and by how much it moves the
    /// position: everything up to `planned` is handed out now.
    pub(crate) fn handed_out<'p>(&self, work: impl Iterator<Item = (&'p PartitionId, u64)>, planned: Position) {
        work.for_each(|(partition, moves)| self.lagging.handed_out(partition, moves));
        self.chunks_planned.fetch_add(1, Relaxed);
        self.planned.store(planned.0, Relaxed);
        self.steps.plan_has_work();
    }

    /// A piece of work that takes `bytes` was read in the time `took`.
    pub(crate) fn work_read(&self, bytes: u64, took: Duration) {
        self.chunks_read.fetch_add(1, Relaxed);
        self.bytes_read.fetch_add(bytes, Relaxed);
        self.fetch.record(took);
    }

    /// An event of the table of `role` could not become a row, as all of its kind cannot until
    /// somebody decides. Returns whether that is news.
    pub(crate) fn stops(&self, role: &str, reason: &str) -> bool {
        self.stopped.stops(role, reason, self.up_ms())
    }

    /// The topic of the table of `role` is not read further by this run, for this reason.
    pub fn holds(&self, role: &str, reason: &str) {
        self.stopped.holds(role, reason, self.up_ms());
    }

    /// An event of the table of `role` became a row. Returns whether that is news.
    pub(crate) fn goes_on(&self, role: &str) -> bool {
        self.stopped.goes_on(role)
    }

    /// The tables that stand still while others go on.
    pub fn stopped(&self) -> Vec<StoppedTable> {
        self.stopped.all()
    }

    /// A line was rejected.
    pub(crate) fn rejected(&self, reason: &str) {
        if let Some((_, times)) = self.rejects.iter().find(|(one, _)| *one == reason) {
            times.fetch_add(1, Relaxed);
        }
    }

    /// A cut was closed, at `upper`. `lag` is the partition with the most that is not handed out.
    pub(crate) fn cut_closed(&self, upper: Position, times: CutTimes, lag: Option<Lag>) {
        self.lagging.cut_closed(upper);
        self.lagging.waits(lag);
        self.cuts_closed.fetch_add(1, Relaxed);
        self.cuts.closed(upper, times);
    }

    /// The tables of `group`.
    fn of(&self, group: GroupId) -> impl Iterator<Item = &TableMetrics> {
        let members = self.layout.groups().get(group.0);
        members.into_iter().flat_map(|members| members.tables()).filter_map(|table| self.tables.get(table.0))
    }

    /// A commit of `group` begins.
    pub(crate) fn commit_begins(&self, group: GroupId) {
        let now_ms = self.steady_ms();
        self.of(group).for_each(|table| table.commit_begins(now_ms));
    }

    /// A commit of `group` will not be made.
    pub(crate) fn commit_void(&self, group: GroupId) {
        self.of(group).for_each(TableMetrics::commit_void);
        self.flushes.iter().for_each(|flushes| flushes.commit_void());
    }

    /// A clock for the committer of `group`, which pauses only to retry a step of a commit.
    pub fn commit_clock(self: &Arc<Self>, group: GroupId) -> Arc<dyn Clock> {
        let (metrics, clock) = (self.clone(), self.retries.counted(Retried::Commit, self.clock.clone()));
        Arc::new(HeardPauses { clock, hear: move |error: &StoreError| metrics.commit_failed(group, chain(error)) })
    }

    /// A step of a commit of `group`, or a look at it, has failed and will be retried.
    pub(crate) fn commit_failed(&self, group: GroupId, cause: String) {
        let now_ms = self.steady_ms();
        self.of(group).for_each(|table| table.failed(now_ms, cause.clone()));
    }

    /// A look at `group` has shown that the run still has it.
    pub(crate) fn looked(&self, group: GroupId) {
        self.of(group).for_each(TableMetrics::looked);
    }

    /// No rows wait for `group` up to `position`.
    pub(crate) fn drained(&self, group: GroupId, position: Position) {
        self.of(group).for_each(|table| table.drained_to(position));
    }

    /// The groups were told to move to `position`.
    pub(crate) fn settles(&self, position: Position) {
        self.settled.store(position.0, Relaxed);
    }

    /// A commit of `group` has made `rows` of its tables visible and moved it to `position`, in the
    /// time `took`.
    pub(crate) fn committed(&self, group: GroupId, rows: &BTreeMap<TableId, u64>, position: Position, took: Duration) {
        self.commit.record(took);
        self.flushes.iter().for_each(|flushes| flushes.committed(took));
        let (at_ms, mut before) = (self.now_ms(), position);
        for table in self.layout.groups().get(group.0).into_iter().flat_map(|members| members.tables()) {
            let rows = rows.get(&table).copied().unwrap_or_default();
            before = before.min(self.tables[table.0].committed(rows, position, at_ms));
        }
        // A commit without rows makes nothing visible.
        if rows.values().any(|rows| *rows > 0) {
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

    /// All rows up to `position` have landed. Returns how long that took, from the first chunk of
    /// the first cut.
    pub(crate) fn cuts_landed(&self, position: Position) -> Duration {
        let begun_ms = self.cuts.landed(position);
        self.lagging.landed(position);
        begun_ms.map_or(Duration::ZERO, |begun| Duration::from_millis(self.steady_ms().saturating_sub(begun)))
    }

    /// Sets the guards that watch free space and the memory of buffers.
    pub fn guarded_by(&self, space: Arc<FreeSpace>, memory: Arc<Budget>) {
        // A run has one guard of each.
        let _ = self.guards.set(Guards { space, memory });
    }
}
