//! What a run did, for people or as one JSON object.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use anyhow::Context;

use lakefront_operators::metrics::Metrics;
use lakefront_operators::position::Position;
use lakefront_operators::record::TableId;
use lakefront_topologies::pg_logs::TABLES;
use serde_json::{Map, Value, json};

/// Writes `text` to standard output. A reader that has closed the pipe has read enough.
pub(crate) fn print(text: String) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("could not write to standard output"),
    }
}

/// A run's result.
pub(crate) struct Report {
    position: Position,
    bytes: u64,
    seconds: f64,
    cuts: u64,
    tables: Vec<(&'static str, u64, u64, Position)>,
}

impl Report {
    /// What `metrics` count, for a run that began at `start` and took `elapsed`.
    pub(crate) fn new(metrics: &Metrics, start: Position, elapsed: Duration) -> Report {
        let table = |(i, name): (usize, &&'static str)| {
            let table = metrics.table(TableId(i));
            (*name, table.rows(), table.commits(), table.position())
        };
        Report {
            position: metrics.position(),
            bytes: metrics.position().since(start),
            seconds: elapsed.as_secs_f64(),
            cuts: metrics.cuts(),
            tables: TABLES.iter().enumerate().map(table).collect(),
        }
    }

    /// The object that `run --json` ends with.
    pub(crate) fn json(&self) -> Value {
        let mut tables = Map::new();
        for (name, rows, commits, position) in &self.tables {
            tables.insert((*name).to_owned(), json!({"rows": rows, "commits": commits, "position": position}));
        }
        json!({
            "position": self.position,
            "bytes": self.bytes,
            "seconds": self.seconds,
            "cuts": self.cuts,
            "tables": tables,
        })
    }

    /// Some lines for people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "landed {} bytes in {:.2} s, {} cut{}; the tables hold position {}\n",
            self.bytes,
            self.seconds,
            self.cuts,
            if self.cuts == 1 { "" } else { "s" },
            self.position
        );
        for (name, rows, commits, position) in &self.tables {
            text.push_str(&format!("  {name:<8} {rows:>12} rows  {commits:>6} commits  position {position}\n"));
        }
        text
    }
}
