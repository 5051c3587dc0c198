//! What a run did, for people or as one JSON object.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::time::Duration;

use anyhow::Context;

use lakefront_operators::position::Position;
use lakefront_operators::route::Counted;
use lakefront_operators::run::metrics::shapes::LineShapes;
use lakefront_operators::run::metrics::{Latency, Metrics, Percentiles, Retried, TableMetrics, Unit};
use lakefront_operators::shown;
use serde_json::{Map, Value, json};

use crate::shapes;

/// Writes `text` to standard output, without secrets and without control of a terminal. Its line
/// breaks stay, so foreign text in it must have gone through [`one_line`](shown::one_line).
pub(crate) fn print(text: String) -> anyhow::Result<()> {
    write(&shown::lines(&shown::without_secrets(&text)))
}

/// Writes `value` to standard output, as a line of its own.
pub(crate) fn print_json(value: &Value) -> anyhow::Result<()> {
    write(&shown::json(&shown::without_secrets(&format!("{value}\n"))))
}

/// Writes `value` to standard output, a key a line.
#[cfg(feature = "pg_changes")]
pub(crate) fn print_pretty(value: &Value) -> anyhow::Result<()> {
    write(&shown::json(&shown::without_secrets(&format!("{value:#}\n"))))
}

/// A pipe that the reader has closed is no error.
fn write(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("could not write to standard output"),
    }
}

/// A run's result.
pub(crate) struct Report {
    position: Position,
    /// By how much the position moved, in this unit.
    moved: u64,
    unit: &'static str,
    seconds: f64,
    cuts: u64,
    tables: Vec<Landed>,
    /// The reasons that occurred, and how often.
    rejects: Vec<(&'static str, u64)>,
    /// Lines per role, for roles that `[roles]` does not name.
    unnamed_roles: BTreeMap<String, u64>,
    /// The shapes of lines that are not records themselves.
    shapes: LineShapes,
    /// What was retried, and how often.
    retries: [(Retried, u64); Retried::ALL.len()],
    /// How long it took to read a chunk, to land a commit, and until an append was visible.
    latencies: [(&'static str, Option<Percentiles>); 3],
}

/// What landed in one table.
struct Landed {
    role: String,
    rows: u64,
    commits: u64,
    position: Position,
}

impl Report {
    /// The counts in `metrics`, for a run that took `elapsed`.
    pub(crate) fn new(metrics: &Metrics, elapsed: Duration) -> Report {
        let tables = metrics.tables().iter().map(|table| Landed {
            role: table.role().to_owned(),
            rows: table.rows(),
            commits: table.commits(),
            position: table.position(),
        });
        let latencies = [("fetch", metrics.fetch()), ("commit", metrics.commit()), ("visible", metrics.visible())];
        Report {
            position: metrics.position(),
            unit: metrics.unit().as_str(),
            moved: metrics.position().since(metrics.start()),
            seconds: elapsed.as_secs_f64(),
            cuts: metrics.cuts(),
            tables: tables.collect(),
            rejects: metrics.rejects().filter(|(_, lines)| *lines > 0).collect(),
            unnamed_roles: metrics.unnamed_roles().counts(),
            shapes: metrics.shapes().seen(),
            retries: Retried::ALL.map(|what| (what, metrics.retries().of(what))),
            latencies: latencies.map(|(name, latency): (_, &Latency)| (name, latency.percentiles())),
        }
    }

    fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// The object that `run --json` prints at the end. Latencies are in seconds.
    pub(crate) fn json(&self) -> Value {
        let mut tables = Map::new();
        for Landed { role, rows, commits, position } in &self.tables {
            tables.insert((*role).to_owned(), json!({"rows": rows, "commits": commits, "position": position}));
        }
        let rejects = self.rejects.iter().map(|(reason, lines)| ((*reason).to_owned(), json!(lines)));
        let retries = self.retries.iter().map(|(what, times)| (what.as_str().to_owned(), json!(times)));
        let latencies = self.latencies.iter().map(|(name, at)| ((*name).to_owned(), at.map_or(Value::Null, latency)));
        let mut json = json!({
            "position": self.position,
            "seconds": self.seconds,
            "rows_per_second": self.rows() as f64 / self.seconds,
            "cuts": self.cuts,
            "tables": tables,
            "rejects": Value::Object(rejects.collect()),
            "unnamed_roles": self.unnamed_roles,
            "shapes": shapes::json(&self.shapes),
            "retries": Value::Object(retries.collect()),
            "latency_seconds": Value::Object(latencies.collect()),
        });
        json[self.unit] = json!(self.moved);
        if self.is_bytes() {
            json["bytes_per_second"] = json!(self.moved as f64 / self.seconds);
        }
        json
    }

    fn is_bytes(&self) -> bool {
        self.unit == Unit::BYTES.as_str()
    }

    /// The same as text for people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "landed {} {} in {:.2} s, {} cut{}; the tables hold position {}\n",
            self.moved,
            self.unit,
            self.seconds,
            self.cuts,
            if self.cuts == 1 { "" } else { "s" },
            self.position
        );
        for Landed { role, rows, commits, position } in &self.tables {
            // Writing to a `String` cannot fail, here and below.
            let _ = writeln!(text, "  {role:<8} {rows:>12} rows  {commits:>6} commits  position {position}");
        }
        if !self.rejects.is_empty() {
            let reasons = self.rejects.iter().map(|(reason, lines)| format!("{reason} {lines}"));
            let _ = writeln!(text, "  rejected: {}", reasons.collect::<Vec<_>>().join(", "));
        }
        for told in shapes::told(&self.shapes) {
            let _ = writeln!(text, "  {}", shown::one_line(&told));
        }
        if !self.unnamed_roles.is_empty() {
            let roles = self.unnamed_roles.iter().map(|(role, lines)| format!("{} {lines}", shown::one_line(role)));
            let _ = writeln!(text, "  roles that [roles] does not name: {}", roles.collect::<Vec<_>>().join(", "));
        }
        if self.retries.iter().any(|(_, times)| *times > 0) {
            let retries = self.retries.iter().map(|(what, times)| format!("{} {times}", what.as_str()));
            let _ = writeln!(text, "  retried: {}", retries.collect::<Vec<_>>().join(", "));
        }
        if self.moved > 0 {
            let rows = self.rows() as f64 / self.seconds;
            let _ = match self.is_bytes() {
                true => writeln!(text, "  {:.1} MB/s, {rows:.0} rows/s", self.moved as f64 / 1e6 / self.seconds),
                false => writeln!(text, "  {rows:.0} rows/s"),
            };
        }
        for (name, at) in &self.latencies {
            let Some(Percentiles { p50, p90, p99, max, .. }) = at else { continue };
            let [p50, p90, p99, max] = [p50, p90, p99, max].map(short);
            let _ = writeln!(text, "  {name:<8} p50 {p50:>8}  p90 {p90:>8}  p99 {p99:>8}  max {max:>8}");
        }
        text
    }
}

/// A last message for a run that ended well but landed no row: most likely something is wrong with
/// the pipeline file.
pub(crate) fn nothing(metrics: &Metrics, rejects: &[Counted], source: &str) -> Option<String> {
    if metrics.source_end() == Position(0) {
        if let Some(not_read) = metrics.not_read().and_then(|(_, not_read)| not_read.into_iter().next()) {
            let (name, why) = (not_read.name.escape_debug().to_string(), not_read.why);
            return Some(format!("NOTHING WAS READ: {name:?}: {}", shown::one_line(&why.to_string())));
        }
        return Some(format!(
            "NOTHING WAS READ: {} has no file with a whole line; check that source.url names the logs",
            shown::one_line(source)
        ));
    }
    let rows: u64 = metrics.tables().iter().filter(|table| table.role() != "rejects").map(TableMetrics::rows).sum();
    let rejected: u64 = metrics.rejects().map(|(_, lines)| lines).sum();
    if rows > 0 || rejected == 0 {
        return None;
    }
    let reasons: Vec<String> = rejects.iter().map(Counted::to_string).collect();
    Some(format!(
        "NO LINE BECAME A ROW: all {rejected} were rejected: {}; the rejects table keeps them, so to land these lines as \
         rows, fix the cause and start over with a new pipeline name and new tables",
        reasons.join("; ")
    ))
}

fn latency(Percentiles { count, p50, p90, p99, max }: Percentiles) -> Value {
    let [p50, p90, p99, max] = [p50, p90, p99, max].map(|at| at.as_secs_f64());
    json!({"count": count, "p50": p50, "p90": p90, "p99": p99, "max": max})
}

/// About three digits, in a suitable unit.
pub(crate) fn short(time: &Duration) -> String {
    match time.as_secs_f64() {
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}
