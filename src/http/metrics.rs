//! A run's numbers in Prometheus' text format, version 0.0.4.
//!
//! Names follow Prometheus' conventions: base units, `_total` for what only grows. What a position
//! counts differs between pipelines, so it is a label: `unit`. Every family is there from the
//! start, with each value of its labels if these are a closed list, so that no query lacks its
//! series. The exceptions are what nobody has measured (`disk`, `memory`, the last flush) and what
//! a pipeline does not have (flushes). Labels name roles, steps, reasons, workers and hot tables,
//! never files.

mod flushes;
mod page;

use std::time::Duration;

use lakefront_operators::run::metrics::{Metrics, Retried};

use self::page::{Page, one};
use crate::process::{self, Resources};

/// The `Content-Type` of the text.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text for a scrape.
pub(crate) fn render(metrics: &Metrics) -> String {
    let mut page = Page::default();
    source(&mut page, metrics);
    tables(&mut page, metrics);
    metrics.flushes().iter().for_each(|of| flushes::flushes(&mut page, of));
    steps(&mut page, metrics);
    machine(&mut page, metrics);
    page.text()
}

fn source(page: &mut Page, metrics: &Metrics) {
    page.gauge("lakefront_build_info", "Which lakefront this is.", [([("version", env!("CARGO_PKG_VERSION"))], 1)]);
    let workers = metrics.workers() as u64;
    page.gauge("lakefront_workers", "Worker threads of the run.", one(workers));
    let (run, unit) = (metrics.run().unwrap_or_default().0, ("unit", metrics.unit().as_str()));
    page.gauge("lakefront_run_number", "The number under which the run has claimed its tables; 0 before.", one(run));
    page.counter("lakefront_bytes_read_total", "Bytes that were read from the source.", one(metrics.bytes_read()));
    page.counter("lakefront_chunks_read_total", "Chunks that were read from the source.", one(metrics.chunks_read()));
    page.gauge(
        "lakefront_lag",
        "What the source has and has not landed, as of the last look at it. For files: bytes of whole lines.",
        [([unit], metrics.source_lag())],
    );
    page.gauge(
        "lakefront_source_position",
        "Position up to which the source reaches, as of the last look at it. For files: the end of their whole lines.",
        [([unit], metrics.source_end().0)],
    );
    let help = "Position up to which work was handed out.";
    page.gauge("lakefront_planned_position", help, [([unit], metrics.planned().0)]);
    page.gauge(
        "lakefront_position",
        "Acknowledged position: up to there, the transaction of every table holds the source.",
        [([unit], metrics.position().0)],
    );
    page.counter(
        "lakefront_rejects_total",
        "Lines and records that could not be rows, by reason, counted before they are committed.",
        metrics.rejects().map(|(reason, times)| ([("reason", reason)], times)),
    );
    page.counter(
        "lakefront_retries_total",
        "Retries of what failed in a way that may pass: requests to the source, uploads of staged files, steps of commits and looks at tables.",
        Retried::ALL.map(|kind| ([("kind", kind.as_str())], metrics.retries().of(kind))),
    );
    let help = "How long chunks took to read, from the first request to the last byte.";
    page.histogram("lakefront_fetch_duration_seconds", help, metrics.fetch());
}

fn tables(page: &mut Page, metrics: &Metrics) {
    let tables = || metrics.tables().iter();
    let by_table = |value: fn(&_) -> u64| tables().map(move |table| ([("table", table.role())], value(table)));
    page.counter("lakefront_cuts_total", "Cuts that were closed.", one(metrics.cuts()));
    page.counter("lakefront_rows_total", "Rows that were committed.", by_table(|table| table.rows()));
    page.counter("lakefront_commits_total", "Commits that were made.", by_table(|table| table.commits()));
    let stopped = metrics.stopped();
    let is_stopped = |role: &str| u64::from(stopped.iter().any(|table| table.role == role));
    page.gauge(
        "lakefront_table_stopped",
        "Whether the table stands still until somebody decides, while others go on.",
        tables().map(|table| ([("table", table.role())], is_stopped(table.role()))),
    );
    let unit = ("unit", metrics.unit().as_str());
    page.gauge(
        "lakefront_table_position",
        "Position up to which the table has all its rows: its transaction moves past what is empty for it some cuts later.",
        tables().map(|table| ([("table", table.role()), unit], table.drained().0)),
    );
    let help = "How long commits took, from the offsets file to the commit's success, retries included.";
    page.histogram("lakefront_commit_duration_seconds", help, metrics.commit());
    let help = "From an append to the success of the commit that made it visible: the oldest bytes of each cut, in each table \
                that got rows. What was there before the run is left out.";
    page.histogram("lakefront_visible_latency_seconds", help, metrics.visible());
}

fn steps(page: &mut Page, metrics: &Metrics) {
    let steps = || metrics.steps().iter();
    page.gauge_seconds(
        "lakefront_frontier_lag_seconds",
        "How long a step has not moved though there was work for it.",
        steps().map(|step| ([("step", step.name())], Duration::from_millis(metrics.frontier_lag_ms(step.id())))),
    );
    let unit = ("unit", metrics.unit().as_str());
    page.gauge(
        "lakefront_frontier_position",
        "Position up to which a step has handed everything on.",
        steps().map(|step| ([("step", step.name()), unit], step.frontier().unwrap_or(metrics.planned()).0)),
    );
    page.counter(
        "lakefront_step_handed_on_total",
        "How much a step has handed on, in the unit that it counts.",
        steps().map(|step| ([("step", step.name()), ("unit", step.unit().as_str())], step.handed_on())),
    );
    let workers: Vec<String> = (0..metrics.workers()).map(|worker| worker.to_string()).collect();
    let busy = steps().flat_map(|step| {
        let labelled = step.busy().zip(&workers);
        labelled.map(|(time, worker)| ([("operator", step.name()), ("worker", worker.as_str())], time))
    });
    page.counter_seconds("lakefront_operator_busy_seconds_total", "How long a worker has run an operator.", busy);
}

fn machine(page: &mut Page, metrics: &Metrics) {
    let free = metrics.free().into_iter().map(|free| ([("filesystem", free.name)], free.bytes));
    page.gauge("lakefront_disk_free_bytes", "Bytes that are free for lakefront on a file system it needs.", free);
    page.gauge("lakefront_memory_bytes", "Bytes that buffers hold.", metrics.memory_held().and_then(one));
    page.gauge("lakefront_memory_limit_bytes", "Bytes that buffers may hold.", metrics.memory_limit().and_then(one));
    let started = Duration::from_millis(metrics.started_ms());
    page.gauge_seconds("process_start_time_seconds", "When the run began, in seconds since 1970.", one(started));
    // Lacking numbers about this process is no reason to fail.
    let Some(Resources { cpu, resident_bytes, .. }) = process::usage() else { return };
    page.counter_seconds("process_cpu_seconds_total", "User and system time spent.", one(cpu));
    page.gauge("process_resident_memory_bytes", "Bytes of memory that are resident.", one(resident_bytes));
}

#[cfg(test)]
#[path = "../../tests/support/promtext.rs"]
mod promtext;
#[cfg(test)]
mod tests;
