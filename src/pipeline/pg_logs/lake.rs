//! The tables: whether they fit, who holds them, where they stand, and which of their properties
//! are unusual.

use std::sync::Arc;

use lakefront_operators::error::{Stop, chain};
use lakefront_operators::format::logs::lines::Offsets;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::names::Held;
use lakefront_operators::sink::delta::{self, Fit, Snapshot, TableSpec};
use lakefront_operators::source::files::watch::Watcher;

use super::{Logs, take, wire};
use crate::doctor::{Findings, PATIENCE};
use crate::pipeline::look::standing;

/// A table that keeps its log for less than this is read again before most commits.
const LOG_MS: u64 = 24 * 3_600_000;
/// Files that have been staged for half of vacuum's retention are never committed.
const FILES_MS: u64 = 3_600_000;

/// The tables of a pipeline.
pub(super) struct Lake<'a> {
    /// The pipeline's name.
    pub(super) pipeline: &'a str,
    /// The pipeline; `None` if its source could not be opened.
    pub(super) opened: Option<&'a Logs>,
    /// In claim order.
    pub(super) tables: &'a [TableSpec],
}

impl Lake<'_> {
    /// Checks the tables; `known` is the position in the state file.
    pub(super) async fn look(&self, findings: &mut Findings, known: Option<Position>) {
        let mut held = Vec::new();
        for spec in self.tables {
            let read = tokio::time::timeout(PATIENCE, delta::read(&spec.place, self.pipeline)).await;
            match read {
                Err(_) => {
                    let found = format!("table {} was not read within {} s", spec.name, PATIENCE.as_secs());
                    return findings.problem("table", found, "check that the lake can be reached from here");
                }
                Ok(Err(error)) => {
                    let advice = "check that the folder is a complete Delta table, and that this user may read it";
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
        match self.opened {
            Some(pipeline) => judge(findings, pipeline).await,
            None => positions(findings, &held, known),
        }
    }
}

/// What a run would refuse, in the run's own words.
async fn judge(findings: &mut Findings, pipeline: &Logs) {
    match tokio::time::timeout(PATIENCE, take::judge(pipeline)).await {
        Ok(Ok(())) => followed(findings, pipeline).await,
        Ok(Err(stop)) => {
            findings.problem_once("table", chain(&stop), "do as it says: a run would stop with this message")
        }
        Err(_) => {
            let found = format!("the tables were not checked within {} s", PATIENCE.as_secs());
            findings.problem("table", found, "check that the lake can be reached from here");
        }
    }
}

/// Whether the files are still those that the tables were read from, as the first look of a run
/// would find.
async fn followed(findings: &mut Findings, pipeline: &Logs) {
    let look = async {
        let mut furthest = Arc::<Offsets>::default();
        for spec in &pipeline.tables {
            let offsets = standing(spec, &pipeline.common.pipeline).await?.map(|(_, there)| there.standing.offsets);
            furthest =
                offsets.into_iter().chain([furthest]).max_by_key(|offsets| offsets.position()).unwrap_or_default();
        }
        Watcher::new(pipeline.source.clone(), &furthest, wire::rules(&pipeline.config)).poll().await.map(drop)
    };
    // Whether the source can be read at all was checked before.
    if let Ok(Err(stop @ Stop::Refused(_))) = tokio::time::timeout(PATIENCE, look).await {
        findings.problem_once("source", chain(&stop), "do as it says: a run would stop with this message");
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
            "raise delta.logRetentionDuration: a table that was idle for half of it is read again before a commit",
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

/// Compares positions as a run does before it claims the tables.
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
            "restore the tables, set [lake] back to the old place, or delete the state file to start over",
        ),
        (Some(known), Some(lowest)) if known > lowest => findings.problem(
            "table",
            format!("the state file says position {known}, but a table stands at {lowest}"),
            "a table was restored from an older backup: delete the state file to land again what it lacks",
        ),
        _ => {}
    }
}
