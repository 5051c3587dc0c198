//! The operators of a dataflow: how far the frontier of each has come, and what it has handed on.
//!
//! A step's frontier is that of its output: every cut below it has left the step on every worker,
//! because timely's frontiers are those of the whole dataflow. Worker 0 sees each move and
//! publishes it here. The step that *holds* the frontier is the first one that has come no further
//! than the last step; all before it are further.

mod step;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use timely::dataflow::StreamVec;
use timely::dataflow::operators::InspectCore;

use self::step::COMPLETE;
pub use self::step::{Step, StepId, Unit};
use crate::position::Position;
use crate::protocol::clock::Clock;
use crate::protocol::layout::{Layout, Members};
use crate::protocol::names::GroupId;
use crate::run::metrics::Metrics;

/// What keeps the acknowledged position from moving, and for how long it has.
#[derive(Clone, Copy)]
pub struct Holder<'a> {
    /// The step.
    pub step: &'a Step,
    /// Milliseconds since it last moved, or since there has been work for it.
    pub for_ms: u64,
}

/// What a pipeline consists of, for its metrics.
///
/// ```
/// use lakefront_operators::run::metrics::{Outline, Unit};
/// use lakefront_operators::protocol::layout::Layout;
///
/// let outline = Outline {
///     unit: Unit("records"),
///     steps: vec![("plan", Unit("records")), ("fetch", Unit::BYTES), ("decode", Unit::ROWS)],
///     reasons: vec!["no_json"],
///     layout: Layout::together("lake", &["orders", "customers"]),
/// };
/// assert_eq!(outline.layout.groups().len(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Outline {
    /// What its positions count.
    pub unit: Unit,
    /// Its own steps, with what each hands on: the first plans, the second reads, the last hands on
    /// rows.
    pub steps: Vec<(&'static str, Unit)>,
    /// Why what is read may become a reject, in the words of the rejects table.
    pub reasons: Vec<&'static str>,
    /// Its groups and their tables.
    pub layout: Layout,
}

#[cfg(test)]
impl Outline {
    /// The outline of `pg_logs`, with other tables.
    pub(crate) fn of_logs(tables: &[&str]) -> Outline {
        let steps = [
            ("plan", Unit::BYTES),
            ("fetch", Unit::BYTES),
            ("split", Unit::LINES),
            ("parse", Unit::ROWS),
            ("route", Unit::ROWS),
        ];
        let reasons = crate::format::logs::record::Reason::ALL.map(|reason| reason.as_str()).to_vec();
        Outline { unit: Unit::BYTES, steps: steps.to_vec(), reasons, layout: Layout::each(tables) }
    }
}

/// All steps, in the order in which a chunk passes them.
pub struct Steps {
    clock: Arc<dyn Clock>,
    steps: Vec<Step>,
    /// How many of them are the pipeline's own.
    own: usize,
}

impl Steps {
    pub(super) fn new(clock: Arc<dyn Clock>, outline: &Outline, workers: usize) -> Self {
        let now_ms = clock.steady_ms();
        let step = |id: StepId, name: String, unit: Unit| Step {
            id,
            name,
            unit,
            frontier: AtomicU64::new(0),
            since_ms: AtomicU64::new(now_ms),
            handed_on: AtomicU64::new(0),
            busy_ns: (0..workers).map(|_| AtomicU64::new(0)).collect(),
        };
        let own = outline.steps.iter().enumerate();
        let mut steps: Vec<_> = own.map(|(i, (name, unit))| step(StepId::Own(i), (*name).to_owned(), *unit)).collect();
        let groups = || outline.layout.groups().iter().enumerate();
        type OfGroup = fn(GroupId) -> StepId;
        let of_groups: [(OfGroup, &str); 4] = [
            (StepId::Tally, "tally"),
            (StepId::Stage, "stage"),
            (StepId::Totals, "totals"),
            (StepId::Commit, "commit"),
        ];
        for (id, name) in of_groups {
            let of =
                |(i, group): (usize, &Members)| step(id(GroupId(i)), format!("{name}[{}]", group.role), Unit::ROWS);
            steps.extend(groups().map(of));
        }
        steps.push(step(StepId::Checkpoint, "checkpoint".to_owned(), Unit::POSITIONS));
        steps.push(step(StepId::Acknowledge, "acknowledge".to_owned(), Unit::POSITIONS));
        Steps { clock, steps, own: outline.steps.len() }
    }

    /// The last of the pipeline's own steps, which hands on rows.
    pub fn last_own(&self) -> StepId {
        StepId::Own(self.own.saturating_sub(1))
    }

    /// All steps, in the order in which a chunk passes them.
    pub fn iter(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter()
    }

    /// The step with that id.
    pub fn get(&self, id: StepId) -> &Step {
        &self.steps[self.index(id)]
    }

    pub(super) fn at(&self, index: usize) -> &Step {
        &self.steps[index]
    }

    fn index(&self, id: StepId) -> usize {
        self.steps.iter().position(|step| step.id == id).expect("a step that the outline has")
    }

    /// Starts all steps at `start`: nothing below it is to come.
    pub(super) fn start_at(&self, start: Position) {
        self.steps.iter().for_each(|step| step.frontier.store(start.0, Relaxed));
    }

    /// There is something new to plan, or some of it was handed out.
    pub(super) fn plan_has_work(&self) {
        self.steps[0].since_ms.store(self.clock.steady_ms(), Relaxed);
    }

    /// A step's frontier has moved. Only worker 0 calls this.
    fn moved(&self, index: usize, to: u64) {
        let (step, now_ms) = (&self.steps[index], self.clock.steady_ms());
        let before = step.frontier.fetch_max(to, Relaxed);
        if to <= before {
            // A step with several outputs reports each move once per output.
            return;
        }
        step.since_ms.store(now_ms, Relaxed);
        if index == 0 {
            // Steps that were level with `plan` had nothing to do until now.
            let level = self.steps[1..].iter().filter(|step| step.stands_at() == before);
            level.for_each(|step| step.since_ms.store(now_ms, Relaxed));
        }
    }

    pub(super) fn lag_ms(&self, id: StepId, bytes_wait: bool) -> u64 {
        let step = self.get(id);
        let waits = match id {
            StepId::PLAN => bytes_wait,
            _ => step.stands_at() < self.steps[0].stands_at(),
        };
        if waits { self.clock.steady_ms().saturating_sub(step.since_ms()) } else { 0 }
    }

    /// What holds the frontier. If all steps are level, the open cut decides: whether bytes wait to
    /// be handed out, whether chunks are being read, and which group's commit has been under way
    /// for longest, and since when.
    pub(super) fn holder(
        &self,
        bytes_wait: bool,
        reads_under_way: bool,
        committing: Option<(GroupId, u64)>,
    ) -> Option<Holder<'_>> {
        let last = self.steps.last()?.stands_at();
        let first = self.steps.iter().find(|step| step.stands_at() <= last)?;
        if first.id != StepId::PLAN {
            return Some(Holder { step: first, for_ms: self.lag_ms(first.id, bytes_wait) });
        }
        // While chunks are being read, `plan` hands out no more because it waits for their credits.
        let waits = if reads_under_way { StepId::FETCH } else { StepId::PLAN };
        let waits = bytes_wait.then(|| Holder { step: self.get(waits), for_ms: self.lag_ms(StepId::PLAN, bytes_wait) });
        // Settling moves a group but no frontier: its commit has the time of the cuts to come.
        let commits = committing.map(|(group, since_ms)| Holder {
            step: self.get(StepId::Commit(group)),
            for_ms: self.clock.steady_ms().saturating_sub(since_ms),
        });
        waits.into_iter().chain(commits).max_by_key(|holder| holder.for_ms)
    }
}

/// Watches what a step hands on: its frontier, and the sum of `amount` over its records. The stream
/// is passed on unchanged.
///
/// ```
/// use std::sync::Arc;
///
/// use lakefront_operators::run::clock::SystemClock;
/// use lakefront_operators::run::metrics::retry::Count;
/// use lakefront_operators::run::metrics::steps::watch;
/// use lakefront_operators::run::metrics::{Metrics, Outline, StepId, Unit};
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::layout::Layout;
/// use timely::dataflow::operators::vec::{Delay, ToStream};
///
/// let steps = vec![("plan", Unit::ROWS), ("fetch", Unit::ROWS)];
/// let (layout, reasons) = (Layout::each(&["events"]), Vec::new());
/// let outline = Outline { unit: Unit::ROWS, steps, reasons, layout };
/// let metrics = Arc::new(Metrics::new(Arc::new(SystemClock), outline, 1, Count::default()));
/// let counts = metrics.clone();
/// timely::execute_directly(move |worker| {
///     worker.dataflow::<Position, _, _>(|scope| {
///         let sizes = [3_u64, 4].to_stream(scope).delay(|size, _| Position(*size));
///         watch(sizes, &counts, StepId::FETCH, |size| *size);
///     });
/// });
/// let fetch = metrics.steps().get(StepId::FETCH);
/// assert_eq!(fetch.handed_on(), 7);
/// assert_eq!(fetch.frontier(), None, "nothing more is to come");
/// ```
pub fn watch<'s, D: Clone + 'static>(
    stream: StreamVec<'s, Position, D>,
    metrics: &Arc<Metrics>,
    step: StepId,
    amount: impl Fn(&D) -> u64 + 'static,
) -> StreamVec<'s, Position, D> {
    let (metrics, publishes) = (metrics.clone(), stream.scope().index() == 0);
    let index = metrics.steps.index(step);
    stream.inspect_container(move |event| match event {
        Ok((_, records)) => {
            let amounts = records.iter().map(&amount).sum();
            metrics.steps.steps[index].handed_on.fetch_add(amounts, Relaxed);
        }
        Err(frontier) if publishes => metrics.steps.moved(index, frontier.first().map_or(COMPLETE, |at| at.0)),
        Err(_) => {}
    })
}

#[cfg(test)]
mod tests;
