//! What the server answers from: a run's counters, its fixed facts, and its health.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lakefront_operators::protocol::document::Process;
use lakefront_operators::run::fatal::{Fatal, StopRequest};
use lakefront_operators::run::metrics::{Holder, Metrics, Retried, StepId, StoppedTable, TableMetrics};
use lakefront_operators::source::files::Why;

use super::health::{Failing, FailingSource, Health, HoldingStep, NotRead, Signs, Status, judge};
use super::history::History;

/// So long a commit may wait for rows to be deleted, in milliseconds.
const DELETING_MS: u64 = 10 * 60 * 1000;

/// The facts about a run that do not change.
pub(crate) struct RunFacts {
    /// The pipeline's name.
    pub(crate) pipeline: String,
    /// The source, without credentials.
    pub(crate) source: String,
    /// `tail` or `backfill`.
    pub(crate) mode: &'static str,
    /// The tables' names, in claim order.
    pub(crate) tables: Vec<String>,
    /// Threads of the dataflow.
    pub(crate) workers: usize,
    /// The process, as it is recorded in the tables.
    pub(crate) process: Process,
    /// How long a frontier may stand still while input waits.
    pub(crate) stall: Duration,
    /// Time after which a cut is closed, whatever its size.
    pub(crate) cut: Duration,
}

/// A run that is watched.
pub(crate) struct Live {
    pub(super) run: RunFacts,
    pub(super) metrics: Arc<Metrics>,
    stop: StopRequest,
    fatal: Fatal,
    history: Mutex<History>,
}

impl Live {
    /// Watches the run that counts in `metrics`.
    pub(crate) fn new(run: RunFacts, metrics: Arc<Metrics>, stop: StopRequest, fatal: Fatal) -> Live {
        let history = Mutex::new(History::of_cuts(run.cut));
        Live { run, metrics, stop, fatal, history }
    }

    /// Its last minutes.
    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the run is well.
    pub(super) fn health(&self) -> Health {
        if self.fatal.is_raised() {
            return Health::not_ready(Status::Stopping, "the run met a fatal error and ends");
        }
        if self.stop.is_requested() {
            let reason = match self.metrics.flushes() {
                Some(_) => "the run was asked to stop: it makes a last flush, and ends",
                None => "the run was asked to stop: it commits what it has read, and ends",
            };
            return Health::not_ready(Status::Stopping, reason);
        }
        if self.metrics.run().is_none() {
            return Health::not_ready(Status::Starting, "the tables are not claimed yet");
        }
        judge(&self.seen(), self.run.stall, self.run.cut)
    }

    /// Tables in which something fails and is retried.
    pub(super) fn failing(&self) -> Vec<Failing> {
        let now_ms = self.metrics.steady_ms();
        let failing = self.metrics.tables().iter().zip(&self.run.tables).filter_map(|(table, name)| {
            let (what, failing) = (table.committing_since_ms().map_or("look at", |_| "commit to"), table.is_failing()?);
            let for_ms = now_ms.saturating_sub(failing.since_ms);
            Some(Failing { what, role: table.role().to_owned(), name: name.clone(), for_ms, cause: failing.cause })
        });
        failing.collect()
    }

    /// The last error of the step that holds the frontier, if it keeps retrying something.
    fn cause(&self, holder: &Holder<'_>) -> Option<String> {
        let within = Duration::from_millis(holder.for_ms);
        match holder.step.id() {
            StepId::PLAN | StepId::FETCH => self.metrics.retries().cause(Retried::Source, within),
            StepId::Stage(_) => self.metrics.retries().cause(Retried::Stage, within),
            StepId::Commit(group) => {
                self.metrics.tables_of(group).find_map(TableMetrics::is_failing).map(|failing| failing.cause)
            }
            _ => None,
        }
    }

    fn not_read(&self) -> Option<NotRead> {
        let (since, passed_over) = self.metrics.not_read()?;
        // A compressed file is reported once, and may stay there for good.
        let passed_over: Vec<_> = passed_over.iter().filter(|p| !matches!(p.why, Why::Encoded(_))).collect();
        let (first, rest) = passed_over.split_first()?;
        let for_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Some(NotRead { for_ms, name: first.name.clone(), why: first.why.to_string(), more: rest.len() })
    }

    /// What keeps the source from being flushed, and is tried again.
    fn failing_source(&self) -> Option<FailingSource> {
        let failing = self.metrics.flushes()?.is_failing()?;
        let for_ms = self.metrics.steady_ms().saturating_sub(failing.since_ms);
        Some(FailingSource { what: failing.what, for_ms, cause: failing.cause })
    }

    /// The tables that stand still, and for how long.
    fn stopped(&self) -> Vec<(StoppedTable, u64)> {
        let now_ms = self.metrics.up_ms();
        let stopped = self.metrics.stopped().into_iter();
        stopped.map(|table| (now_ms.saturating_sub(table.since_ms), table)).map(|(ms, table)| (table, ms)).collect()
    }

    /// Whether a holder does what takes its time: PostgreSQL deletes many rows in one statement.
    fn takes_time(&self, holder: &Holder<'_>) -> bool {
        let deletes = self.metrics.flushes().is_some_and(|flushes| flushes.is_deleting());
        deletes && matches!(holder.step.id(), StepId::Commit(_)) && holder.for_ms < DELETING_MS
    }

    fn seen(&self) -> Signs {
        let metrics = &self.metrics;
        let holder = metrics.holder().filter(|holder| !self.takes_time(holder));
        let plan = metrics.steps().get(StepId::PLAN);
        let is_open = plan.frontier().is_some_and(|closed| metrics.planned() > closed);
        Signs {
            open_ms: is_open.then(|| metrics.steady_ms().saturating_sub(plan.since_ms())),
            behind_ms: self.history().behind_since_ms().map(|since| metrics.steady_ms().saturating_sub(since)),
            held: holder.map(|holder| HoldingStep {
                step: holder.step.name().to_owned(),
                for_ms: holder.for_ms,
                cause: self.cause(&holder),
            }),
            lag: metrics.source_lag(),
            unit: metrics.unit().as_str(),
            failing: self.failing(),
            failing_source: self.failing_source(),
            not_read: self.not_read(),
            stopped: self.stopped(),
            low_disk: metrics.free().into_iter().find(|free| free.low),
        }
    }
}
