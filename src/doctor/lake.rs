//! The tables: whether they fit, who holds them, where they stand, and which of their properties are unusual.

use std::sync::Arc;

use lakefront_operators::clock::SystemClock;
use lakefront_operators::error::{Stop, chain};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::document::{OffsetsFiles, Recorded};
use lakefront_operators::protocol::neighbours::strangers;
use lakefront_operators::protocol::table::Held;
use lakefront_operators::reads::Reads;
use lakefront_operators::sink::delta::{self, DeltaTable, Fit, Snapshot, TableSpec};

use super::findings::Findings;
use super::source::PATIENCE;

/// A table whose log is kept for less is read again before most commits.
const LOG_MS: u64 = 24 * 3_600_000;
/// Files that are staged for half of what vacuum leaves alone are never committed.
const FILES_MS: u64 = 3_600_000;

/// The tables of a pipeline.
pub(super) struct Lake<'a> {
    /// The pipeline's name.
    pub(super) pipeline: &'a str,
    /// Where their lines should be from; none if the source could not be opened.
    pub(super) source: Option<Reads>,
    /// In claim order.
    pub(super) tables: &'a [TableSpec],
}

impl Lake<'_> {
    /// Looks at the tables; `known` is what the state file says.
    pub(super) async fn look(&self, findings: &mut Findings, known: Option<Position>) {
        let mut held = Vec::new();
        for spec in self.tables {
            let read = tokio::time::timeout(PATIENCE, delta::read(&spec.place, self.pipeline)).await;
            match read {
                Err(_) => {
                    let found = format!("table {} was not read within {} s", spec.name, PATIENCE.as_secs());
                    return findings.problem("table", found, "see that the lake can be reached from here");
                }
                Ok(Err(error)) => {
                    let advice = "see that the folder is a Delta table, whole, and that this user may read it";
                    return findings.problem("table", chain(&error), advice);
                }
                Ok(Ok(None)) => {
                    findings.ok("table", format!("{} will be created at {}", spec.name, spec.place));
                    held.push((spec, None));
                }
                Ok(Ok(Some(snapshot))) => {
                    fits(findings, spec, &snapshot);
                    properties(findings, spec, &snapshot);
                    held.push((spec, snapshot.state.held));
                }
            }
        }
        positions(findings, &held, known);
        for (spec, held) in held {
            match held {
                Some(held) => self.origin(findings, spec, held).await,
                None => self.strangers(findings, spec).await,
            }
        }
    }

    /// Whose rows are in a table that the pipeline has not claimed yet.
    async fn strangers(&self, findings: &mut Findings, spec: &TableSpec) {
        if !matches!(delta::read(&spec.place, self.pipeline).await, Ok(Some(_))) {
            return;
        }
        let table = DeltaTable::attach(spec.clone(), self.pipeline, Arc::new(SystemClock));
        match strangers(&table, &SystemClock).await {
            Ok(0) => {}
            Ok(rows) => findings.problem(
                "table",
                format!("{} holds {rows} rows that no pipeline has landed", spec.name),
                "to land beside them, start once with run --adopt; or name another table in [tables]",
            ),
            Err(stop) => findings.problem("table", chain(&stop), "see that the folder is a Delta table, whole"),
        }
    }

    /// Whose lines the table holds.
    async fn origin(&self, findings: &mut Findings, spec: &TableSpec, held: Held) {
        let table = DeltaTable::attach(spec.clone(), self.pipeline, Arc::new(SystemClock));
        match OffsetsFiles::read(&table, held).await {
            Ok(Recorded { origin, .. }) => {
                let is_other = |reads: &&Reads| !origin.reads().is_one_with(reads) && held.position > Position(0);
                if let Some(source) = self.source.as_ref().filter(is_other) {
                    findings.problem(
                        "table",
                        format!("{} holds what was read from {}, not from {source}", spec.name, origin.source),
                        "set source.url back (a glob over the same folder may change), or give the new source a pipeline name of its own",
                    );
                }
            }
            // A run that is alive commits, and deletes the file of the position before.
            Err(stop) => self.moved(findings, spec, held, stop).await,
        }
    }

    async fn moved(&self, findings: &mut Findings, spec: &TableSpec, held: Held, stop: Stop) {
        let now = delta::read(&spec.place, self.pipeline).await.ok().flatten();
        if now.and_then(|snapshot| snapshot.state.held) == Some(held) {
            let advice = "restore the table's _lakefront folder with the table: it holds the offsets of its position";
            findings.problem("table", chain(&stop), advice);
        }
    }
}

fn fits(findings: &mut Findings, spec: &TableSpec, snapshot: &Snapshot) {
    let TableSpec { name, place, .. } = spec;
    let at = format!("{name} at {place}, version {}", snapshot.state.head.0);
    let stands = match snapshot.state.held {
        Some(Held { position, run }) => format!("position {position} of run {run}"),
        None => "no position of this pipeline yet".to_owned(),
    };
    match delta::fit(spec, snapshot) {
        Ok(Fit::Fits) => findings.ok("table", format!("{at}: {stands}")),
        Ok(Fit::Widen(_)) => findings.ok("table", format!("{at}: {stands}; missing columns will be added")),
        Err(stop) => findings.problem("table", stop.to_string(), "do as it says, or name another table in [tables]"),
    }
}

fn properties(findings: &mut Findings, spec: &TableSpec, snapshot: &Snapshot) {
    let (name, retention) = (&spec.name, snapshot.state.retention);
    if retention.log_ms < LOG_MS {
        findings.warn(
            "table",
            format!("{name} keeps its log for {} minutes", retention.log_ms / 60_000),
            "raise delta.logRetentionDuration: a table that was left alone for half of it is read again before a commit",
        );
    }
    if retention.files_ms < FILES_MS {
        findings.warn(
            "table",
            format!("{name} lets vacuum delete files after {} minutes", retention.files_ms / 60_000),
            "raise delta.deletedFileRetentionDuration: a commit that takes longer than half of it stops the run",
        );
    }
    let unusual: Vec<String> =
        snapshot.properties().into_iter().map(|(key, value)| format!("{key} = {value:?}")).collect();
    if !unusual.is_empty() {
        findings.ok("table", format!("{name} has the properties {}", unusual.join(", ")));
    }
}

/// What a run compares before it claims.
fn positions(findings: &mut Findings, tables: &[(&TableSpec, Option<Held>)], known: Option<Position>) {
    let with = tables.iter().find(|(_, held)| held.is_some());
    let without = tables.iter().find(|(_, held)| held.is_none());
    if let (Some((with, _)), Some((without, _))) = (with, without) {
        findings.problem(
            "table",
            format!("{} holds no position, though {} does", without.name, with.name),
            "restore it or its name in [tables]: it was deleted or renamed",
        );
        return;
    }
    let lowest = tables.iter().map(|(_, held)| held.map(|held| held.position)).min().flatten();
    match (known, lowest) {
        (Some(known), None) if known > Position(0) => findings.problem(
            "table",
            format!("the state file says position {known}, but no table holds one"),
            "restore the tables or set lake back, or delete the state file to begin anew",
        ),
        (Some(known), Some(lowest)) if known > lowest => findings.problem(
            "table",
            format!("the state file says position {known}, but a table stands at {lowest}"),
            "a table was restored from an older backup: delete the state file to land again what it lacks",
        ),
        _ => {}
    }
}
