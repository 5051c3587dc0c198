//! What reporters read of a run's numbers: for the report at its end, for its progress, and for
//! monitoring.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{
    FlushMetrics, Holder, Lag, Latency, Metrics, Retries, Shapes, StepId, Steps, TableMetrics, Unit, UnnamedRoles,
};
use crate::position::Position;
use crate::protocol::names::{GroupId, RunId, TableId};
use crate::run::space::Free;

impl Metrics {
    /// The time of day, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Milliseconds on the steady clock, which nobody sets, and on which all durations are
    /// measured.
    pub fn steady_ms(&self) -> u64 {
        self.clock.steady_ms()
    }

    /// For how long the run has been up, in milliseconds.
    pub fn up_ms(&self) -> u64 {
        self.steady_ms().saturating_sub(self.started.steady_ms)
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// When the run began, in milliseconds since 1970.
    pub fn started_ms(&self) -> u64 {
        self.started.wall_ms
    }

    /// The run's number; none until its tables are claimed.
    pub fn run(&self) -> Option<RunId> {
        self.claimed.get().map(|claim| claim.run)
    }

    /// The lowest position of a table when the tables were claimed.
    pub fn start(&self) -> Position {
        self.claimed.get().map(|claim| claim.start).unwrap_or_default()
    }

    /// The roles of lines that the settings do not name.
    pub fn unnamed_roles(&self) -> &UnnamedRoles {
        &self.unnamed_roles
    }

    /// How many cuts were closed.
    pub fn cuts(&self) -> u64 {
        self.cuts_closed.load(Relaxed)
    }

    /// The acknowledged position: every table's transaction holds it, and so does the state file.
    pub fn position(&self) -> Position {
        Position(self.acknowledged.load(Relaxed))
    }

    /// Up to where all rows have landed: no table has any of them to come. The acknowledged
    /// position may be behind this while tables without rows wait to be moved, and is never beyond.
    pub fn landed(&self) -> Position {
        self.tables.iter().map(TableMetrics::drained).min().unwrap_or_default()
    }

    /// Up to where every table was told to move: the acknowledged position will follow.
    pub fn settled(&self) -> Position {
        Position(self.settled.load(Relaxed))
    }

    /// Up to where chunks were handed out.
    pub fn planned(&self) -> Position {
        Position(self.planned.load(Relaxed))
    }

    /// Up to where the source reached at the last look.
    pub fn source_end(&self) -> Position {
        Position(self.source_end.load(Relaxed).max(self.planned.load(Relaxed)))
    }

    /// What the source had at the last look, and has not landed, in the unit of positions.
    pub fn source_lag(&self) -> u64 {
        self.source_end().since(self.landed())
    }

    /// The partition with the most that has not landed, as far as is known; none if nothing
    /// waits.
    pub fn lags_most(&self) -> Option<Lag> {
        self.lagging.most()
    }

    /// Chunks that were handed out but not read yet.
    pub fn chunks_under_way(&self) -> u64 {
        self.chunks_planned.load(Relaxed).saturating_sub(self.chunks_read.load(Relaxed))
    }

    /// Chunks that were read.
    pub fn chunks_read(&self) -> u64 {
        self.chunks_read.load(Relaxed)
    }

    /// Bytes of the source that were read, except those beyond a chunk's end.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Relaxed)
    }

    /// What positions count.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// What a group is for.
    pub fn role(&self, group: GroupId) -> &str {
        self.layout.groups().get(group.0).map_or("", |members| &members.role)
    }

    /// The tables of a group.
    pub fn tables_of(&self, group: GroupId) -> impl Iterator<Item = &TableMetrics> {
        self.of(group)
    }

    /// All tables, in their order.
    pub fn tables(&self) -> &[TableMetrics] {
        &self.tables
    }

    /// A table's numbers.
    pub fn table(&self, table: TableId) -> &TableMetrics {
        &self.tables[table.0]
    }

    /// What the lines looked like that were opened or rejected.
    pub fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// What was rejected, by reason, whether the rejects table holds it yet or not.
    pub fn rejects(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.rejects.iter().map(|(reason, times)| (*reason, times.load(Relaxed)))
    }

    /// What was retried.
    pub fn retries(&self) -> &Retries {
        &self.retries
    }

    /// From a chunk's first request to its last byte.
    pub fn fetch(&self) -> &Latency {
        &self.fetch
    }

    /// From a commit's offsets file to the commit's success, including retries but not staging.
    pub fn commit(&self) -> &Latency {
        &self.commit
    }

    /// From an append to the success of the commit that makes it visible, for the oldest bytes of
    /// each cut and table. [`appends`](crate::source::files::appends) says when bytes count as
    /// appended. Bytes that were there before the run are left out.
    pub fn visible(&self) -> &Latency {
        &self.visible
    }

    /// What is counted of flushes; none if the pipeline makes none.
    pub fn flushes(&self) -> Option<&Arc<FlushMetrics>> {
        self.flushes.as_ref()
    }

    /// The operators, and how far each has come.
    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    /// The step that holds the acknowledged position back, and since when; none if nothing waits.
    pub fn holder(&self) -> Option<Holder<'_>> {
        let groups = (0..self.layout.groups().len()).map(GroupId);
        let since_ms = |group| self.of(group).find_map(TableMetrics::committing_since_ms);
        let committing = groups.filter_map(|group| Some((group, since_ms(group)?)));
        let longest = committing.min_by_key(|(_, since_ms)| *since_ms);
        self.steps.holder(self.more_waits(), self.chunks_under_way() > 0, longest)
    }

    /// For how long a step has not moved although there was work for it, in milliseconds; 0 once it
    /// has come as far as the last closed cut. `plan` waits only while the source has more than was
    /// handed out, because an open cut is no delay.
    pub fn frontier_lag_ms(&self, step: StepId) -> u64 {
        self.steps.lag_ms(step, self.more_waits())
    }

    /// Whether the source has what was not handed out.
    fn more_waits(&self) -> bool {
        self.source_end.load(Relaxed) > self.planned.load(Relaxed)
    }

    /// Free space where the run writes; empty if nobody has looked.
    pub fn free(&self) -> Vec<Free> {
        self.guards.get().map(|guards| guards.space.free()).unwrap_or_default()
    }

    /// Bytes that buffers hold; none before the dataflow is built.
    pub fn memory_held(&self) -> Option<u64> {
        self.guards.get().map(|guards| guards.memory.held())
    }

    /// Bytes that buffers may hold; none before the dataflow is built.
    pub fn memory_limit(&self) -> Option<u64> {
        self.guards.get().map(|guards| guards.memory.limit())
    }
}
