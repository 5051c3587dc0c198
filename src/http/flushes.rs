//! What the answers say of a pipeline of flushes, besides what they say of all.

use lakefront_operators::run::metrics::FlushMetrics;
use lakefront_operators::run::metrics::flushes::{Ended, HotMetrics, LateRows, Void};
use serde_json::{Map, Value, json};

use crate::moment::rfc3339;

/// For `/health`: what a supervisor may want to compare. The run has flushed `rows`.
pub(super) fn health(flushes: &FlushMetrics, rows: u64) -> Value {
    let marks = flushes.tables().iter().filter_map(|table| Some((table.name().to_owned(), table.watermark()?.into())));
    json!({
        "flushes": flushes.flushes(),
        "rows": rows,
        "last_flush": last(flushes),
        "next_flush_in_seconds": next(flushes),
        "waiting": flushes.waits(),
        "watermarks": marks.collect::<Map<String, Value>>(),
    })
}

/// For `/status.json`: the flushes of this run.
pub(super) fn status(flushes: &FlushMetrics) -> Value {
    let void = Void::ALL.map(|why| (why.as_str().to_owned(), flushes.void_because(why).into()));
    json!({
        "landed": flushes.flushes(),
        "void": Value::Object(Map::from_iter(void)),
        "last": last(flushes),
        "next_in_seconds": next(flushes),
        "waiting": flushes.waits(),
    })
}

/// Adds what is known of a hot table to what is said of a table.
pub(super) fn add(said: &mut Value, table: &HotMetrics) {
    let late = LateRows::ALL.map(|what| (what.as_str().to_owned(), table.late(what).into()));
    said["watermark"] = json!(table.watermark());
    said["waiting"] = json!(table.waiting());
    said["deleted"] = json!(table.deleted());
    said["late"] = Value::Object(Map::from_iter(late));
}

fn last(flushes: &FlushMetrics) -> Value {
    let said = |Ended { at_ms, rows, took }| json!({"at": rfc3339(at_ms), "rows": rows, "seconds": took.as_secs_f64()});
    flushes.last().map_or(Value::Null, said)
}

fn next(flushes: &FlushMetrics) -> Option<f64> {
    flushes.next_in().map(|time| time.as_secs_f64())
}
