//! The answers: JSON for the page, `lakefront status` and supervisors, and Prometheus text.

use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::document::Process;
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::run::metrics::latency::Latency;
use lakefront_operators::run::metrics::steps::Step;
use lakefront_operators::run::metrics::{Metrics, TableMetrics, Unit};
use serde_json::{Map, Value, json};

use super::history::Rates;
use super::live::Live;
use super::{flushes, health, metrics};
use crate::moment::rfc3339;

/// A partition's name, escaped, because anybody may have chosen it.
fn shown(partition: &PartitionId) -> String {
    partition.to_string().escape_debug().to_string()
}

/// `/health/live`: an answer means that the process is alive.
pub(super) fn alive() -> Response {
    answer(StatusCode::OK, &json!({"status": "ok"}))
}

/// `/health/ready`.
pub(super) fn ready(live: &Live) -> Response {
    let health = live.health();
    answer(code(&health), &judgement(live, &health))
}

/// `/health`: the same, with what a supervisor would ask next.
pub(super) fn health(live: &Live) -> Response {
    let health = live.health();
    let mut body = judgement(live, &health);
    let more = json!({
        "pipeline": live.run.pipeline,
        "run": live.metrics.run(),
        "process": process(live),
        "uptime_seconds": uptime(&live.metrics),
        "position": live.metrics.landed(),
        "acknowledged": live.metrics.position(),
        "lag": live.metrics.source_lag(),
        "unit": live.metrics.unit().as_str(),
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
        let rows = live.metrics.tables().iter().map(TableMetrics::rows).sum();
        if let Some(Value::Object(more)) = live.metrics.flushes().map(|of| flushes::health(of, rows)) {
            body.extend(more);
        }
    }
    answer(code(&health), &body)
}

/// `/metrics`.
pub(super) fn metrics(live: &Live) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render(&live.metrics)).into_response()
}

/// `/status.json`.
pub(super) fn status(live: &Live) -> Response {
    let (metrics, run) = (&live.metrics, &live.run);
    let (rates, [bytes, rows, lag, waiting]) = {
        let history = live.history();
        (history.rates(), history.charts())
    };
    let mut body = json!({
        "pipeline": run.pipeline,
        "source": run.source,
        "mode": run.mode,
        "version": env!("CARGO_PKG_VERSION"),
        "workers": run.workers,
        "run": metrics.run(),
        "uptime_seconds": uptime(metrics),
        "process": process(live),
        "health": judgement(live, &live.health()),
        "position": metrics.landed(),
        "acknowledged": metrics.position(),
        "planned": metrics.planned(),
        "lag": metrics.source_lag(),
        "unit": metrics.unit().as_str(),
        "lags_most": metrics.lags_most().map(|lag| json!({"partition": shown(&lag.partition), "lag": lag.lag})),
        "rates": {"bytes_per_second": rates.bytes, "rows_per_second": rates.rows.iter().sum::<f64>()},
        "steps": steps(live, &rates),
        "tables": tables(live, &rates),
        "rejects": rejects(metrics),
        "latency": {
            "fetch": latency(metrics.fetch()),
            "commit": latency(metrics.commit()),
            "visible": latency(metrics.visible()),
        },
        "disk_free_bytes": disks(metrics),
        "memory_bytes": metrics.memory_held(),
        "history": {"every_seconds": 1, "bytes_per_second": bytes, "rows_per_second": rows, "lag": lag},
    });
    if let Some(of) = metrics.flushes() {
        body["flushes"] = flushes::status(of);
        body["history"]["waiting"] = json!(waiting);
    }
    answer(StatusCode::OK, &body)
}

fn answer(code: StatusCode, body: &Value) -> Response {
    (code, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

fn code(health: &health::Health) -> StatusCode {
    if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// `since` is the time of day at which this state began.
fn judgement(live: &Live, health: &health::Health) -> Value {
    let since = health.for_ms.map(|ms| rfc3339(live.metrics.now_ms().saturating_sub(ms)));
    json!({
        "status": health.status.as_str(),
        "ready": health.is_ready(),
        "step": health.step,
        "reason": health.reason,
        "error": health.error,
        "since": since,
    })
}

/// The process, as it is recorded in the tables too.
fn process(live: &Live) -> Value {
    let Process { host, pid, since_ms } = &live.run.process;
    json!({"host": host, "pid": pid, "since": rfc3339(*since_ms)})
}

fn uptime(metrics: &Metrics) -> f64 {
    Duration::from_millis(metrics.up_ms()).as_secs_f64()
}

/// The steps in order; `busy` is the share of all workers' time.
fn steps(live: &Live, rates: &Rates) -> Vec<Value> {
    let metrics = &live.metrics;
    // A step that gets no more input stands at the end of all that was handed out.
    let frontier = |step: &Step| step.frontier().unwrap_or(metrics.planned());
    let closed = metrics.steps().iter().next().map(frontier).unwrap_or_default();
    let step = |(i, step): (usize, &Step)| {
        let (rate, busy) = rates.steps.get(i).copied().unwrap_or_default();
        let lag_ms = metrics.frontier_lag_ms(step.id());
        json!({
            "name": step.name(),
            "position": frontier(step),
            "behind": closed.since(frontier(step)),
            "still_seconds": (lag_ms > 0).then(|| Duration::from_millis(lag_ms).as_secs_f64()),
            "rate": (step.unit() != Unit::POSITIONS).then_some(rate),
            "unit": step.unit().as_str(),
            "busy": busy / live.run.workers as f64,
        })
    };
    metrics.steps().iter().enumerate().map(step).collect()
}

fn tables(live: &Live, rates: &Rates) -> Vec<Value> {
    let (metrics, failing) = (&live.metrics, live.failing());
    let stopped = metrics.stopped();
    let end: Position = metrics.source_end();
    let tables = metrics.tables().iter().zip(&live.run.tables).enumerate();
    let hot = |i: usize| metrics.flushes().and_then(|of| of.tables().get(i));
    let table = tables.map(|(i, (table, name))| {
        let failing = failing.iter().find(|failing| failing.role == table.role());
        let mut said = json!({
            "role": table.role(),
            "name": name,
            "position": table.drained(),
            "acknowledged": table.position(),
            "behind": end.since(table.drained()),
            "rows": table.rows(),
            "rows_per_second": rates.rows.get(i).copied().unwrap_or_default(),
            "commits": table.commits(),
            "last_commit": table.committed_at_ms().map(rfc3339),
            "failing_seconds": failing.map(|failing| Duration::from_millis(failing.for_ms).as_secs_f64()),
        });
        if let Some(stopped) = stopped.iter().find(|stopped| stopped.role == table.role()) {
            said["stopped"] = json!(stopped.reason);
        }
        hot(i).into_iter().for_each(|hot| flushes::add(&mut said, hot));
        said
    });
    table.collect()
}

fn rejects(metrics: &Metrics) -> Map<String, Value> {
    metrics.rejects().map(|(reason, times)| (reason.to_owned(), times.into())).collect()
}

fn latency(latency: &Latency) -> Value {
    latency.percentiles().map_or(Value::Null, |seconds| {
        json!({
            "count": seconds.count,
            "p50": seconds.p50.as_secs_f64(),
            "p90": seconds.p90.as_secs_f64(),
            "p99": seconds.p99.as_secs_f64(),
            "max": seconds.max.as_secs_f64(),
        })
    })
}

fn disks(metrics: &Metrics) -> Map<String, Value> {
    metrics.free().into_iter().map(|free| (free.name.to_owned(), free.bytes.into())).collect()
}
