//! The families that only a pipeline of flushes has.

use std::time::Duration;

use lakefront_operators::run::metrics::FlushMetrics;
use lakefront_operators::run::metrics::flushes::{Ended, HotMetrics, LateRows, Void, Work};

use super::page::{Page, one};

/// Adds them.
pub(super) fn flushes(page: &mut Page, flushes: &FlushMetrics) {
    page.counter("lakefront_flushes_total", "Flushes that have landed.", one(flushes.flushes()));
    page.counter(
        "lakefront_void_flushes_total",
        "Flushes of which nothing has landed and that are made again, and attempts to begin one, by reason.",
        Void::ALL.map(|why| ([("reason", why.as_str())], flushes.void_because(why))),
    );
    last(page, flushes);
    rows(page, flushes.tables());
    times(page, flushes);
}

/// What there is once a flush has landed.
fn last(page: &mut Page, flushes: &FlushMetrics) {
    let Some(Ended { at_ms, rows, took }) = flushes.last() else { return };
    let at = Duration::from_millis(at_ms);
    page.gauge_seconds(
        "lakefront_last_flush_timestamp_seconds",
        "When this run has landed its last flush, in seconds since 1970.",
        one(at),
    );
    page.gauge("lakefront_last_flush_rows", "Rows of the last flush.", one(rows));
    let help = "How long the last flush took, from the beginning of its snapshot.";
    page.gauge_seconds("lakefront_last_flush_duration_seconds", help, one(took));
}

fn rows(page: &mut Page, tables: &[HotMetrics]) {
    page.counter(
        "lakefront_deleted_rows_total",
        "Rows that were deleted from PostgreSQL: those that have landed, and late ones that the lake had.",
        tables.iter().map(|table| ([("table", table.name())], table.deleted())),
    );
    let late = tables.iter().flat_map(|table| {
        LateRows::ALL.map(|what| ([("outcome", what.as_str()), ("table", table.name())], table.late(what)))
    });
    page.counter(
        "lakefront_late_rows_total",
        "Rows that came at or below their table's watermark: skipped, because the lake has their key, appended, or replacing rows of the lake.",
        late,
    );
    page.gauge_signed(
        "lakefront_watermark",
        "The sequence up to which a table was flushed.",
        tables.iter().filter_map(|table| Some(([("table", table.name())], table.watermark()?))),
    );
    page.gauge(
        "lakefront_waiting_rows",
        "Rows that are in PostgreSQL, as its statistics have it: an estimate that is some seconds old.",
        tables.iter().filter_map(|table| Some(([("table", table.name())], table.waiting()?))),
    );
}

fn times(page: &mut Page, flushes: &FlushMetrics) {
    let of_tables = flushes.tables().iter().flat_map(|table| {
        Work::ALL.map(|work| ([("step", work.as_str()), ("table", table.name())], table.spent(work)))
    });
    // A commit is that of all tables.
    let commit = ([("step", "commit"), ("table", "")], flushes.commit_time());
    page.counter_seconds(
        "lakefront_flush_step_seconds_total",
        "How long a step of flushes has worked for a table, over all connections and workers. A commit is for all tables at \
         once.",
        of_tables.chain([commit]),
    );
}
