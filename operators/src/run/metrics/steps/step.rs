//! One operator: its name, how far it has come, and what it has done.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::position::Position;
use crate::protocol::names::GroupId;

/// An operator of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepId {
    /// One of the pipeline's own, by its place among them. The first is [`StepId::PLAN`], the
    /// second [`StepId::FETCH`]; the last hands rows to the part that all pipelines share.
    Own(usize),
    /// Counts a group's rows.
    Tally(GroupId),
    /// Writes a group's files.
    Stage(GroupId),
    /// Adds up what was counted.
    Totals(GroupId),
    /// Commits a group's cuts.
    Commit(GroupId),
    /// Records what all groups hold.
    Checkpoint,
    /// Tells the source.
    Acknowledge,
}

impl StepId {
    /// Hands out work and closes cuts.
    pub const PLAN: StepId = StepId::Own(0);
    /// Reads what was handed out.
    pub const FETCH: StepId = StepId::Own(1);
}

/// What a position counts, or what a step hands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit(pub &'static str);

impl Unit {
    /// Bytes of the source.
    pub const BYTES: Unit = Unit("bytes");
    /// Lines, including rejects.
    pub const LINES: Unit = Unit("lines");
    /// Rows, including rejects.
    pub const ROWS: Unit = Unit("rows");
    /// Positions that all groups hold.
    pub const POSITIONS: Unit = Unit("positions");

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

/// One step's numbers.
pub struct Step {
    pub(super) id: StepId,
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) frontier: AtomicU64,
    /// When its frontier last moved, or `plan`'s moved ahead of it, in milliseconds on the steady
    /// clock.
    pub(super) since_ms: AtomicU64,
    pub(super) handed_on: AtomicU64,
    /// One per worker.
    pub(super) busy_ns: Vec<AtomicU64>,
}

/// The frontier of a step that has nothing more to come.
pub(super) const COMPLETE: u64 = u64::MAX;

impl Step {
    /// Which step.
    pub fn id(&self) -> StepId {
        self.id
    }

    /// `plan`, `stage[primary]`: also the name of its operator in timely's log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Every cut below this has left the step; none if nothing more is to come.
    pub fn frontier(&self) -> Option<Position> {
        Some(self.frontier.load(Relaxed)).filter(|at| *at != COMPLETE).map(Position)
    }

    /// When its frontier last moved, or `plan`'s moved ahead of it, in milliseconds on the steady
    /// clock. For `plan` itself: when it last handed out a chunk or closed a cut, or got something
    /// to hand out.
    pub fn since_ms(&self) -> u64 {
        self.since_ms.load(Relaxed)
    }

    /// What it hands on.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// How much it has handed on, in its unit.
    pub fn handed_on(&self) -> u64 {
        self.handed_on.load(Relaxed)
    }

    /// How long it has worked on each worker. A call counts once it has ended.
    pub fn busy(&self) -> impl Iterator<Item = Duration> {
        self.busy_ns.iter().map(|ns| Duration::from_nanos(ns.load(Relaxed)))
    }

    pub(in crate::run::metrics) fn was_busy(&self, worker: usize, time: Duration) {
        self.busy_ns[worker].fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn stands_at(&self) -> u64 {
        self.frontier.load(Relaxed)
    }
}
