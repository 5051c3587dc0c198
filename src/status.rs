//! `lakefront status`: where the tables stand, and how far behind the source. It reads and claims nothing.
//!
//! A run that is alive is asked too, if its file says where it listens (running); the tables' own word is what counts.

mod running;

use lakefront_operators::clock::SystemClock;
use lakefront_operators::error::Stop;
use lakefront_operators::fatal::StopRequest;
use lakefront_operators::protocol::document::{OffsetsFiles, Process, Recorded, Standing};
use lakefront_operators::protocol::table::{Held, RunId};
use lakefront_operators::sink::delta::{self, DeltaTable, TableSpec};
use lakefront_operators::source::Listed;
use lakefront_topologies::pg_logs::TABLES;
use serde_json::{Map, Value, json};

use std::collections::HashMap;
use std::sync::Arc;

use self::running::Running;
use crate::cli::StatusArgs;
use crate::moment::rfc3339;
use crate::pipeline::Pipeline;
use crate::report::print;
use crate::{pipeline, runtime};

/// One table's standing; none before its first run.
struct TableStatus {
    name: String,
    standing: Option<(Held, Standing)>,
    /// The process of the run that the table was last claimed by, if that has said so.
    process: Option<Process>,
    lag: u64,
}

/// Prints the status of a pipeline.
pub(crate) fn status(args: &StatusArgs) -> anyhow::Result<()> {
    let pipeline = Pipeline::open(pipeline::load(&args.file)?, StopRequest::default())?;
    let look = async { tokio::join!(tables(&pipeline), running::ask(&pipeline.config)) };
    let (tables, running) = runtime::tokio()?.block_on(look);
    let mut tables = tables?;
    let running = running.map(|running| match claimed(&tables) {
        Some((run, _)) => running.beside(run.0),
        None => running,
    });
    if let Some(running) = &running {
        TABLES.iter().zip(&mut tables).for_each(|(role, table)| table.correct(running.drained(role)));
    }
    print(match args.json {
        true => format!("{}\n", to_json(&pipeline, &tables, running)),
        false => text(&pipeline, &tables, running),
    })
}

async fn tables(pipeline: &Pipeline) -> anyhow::Result<Vec<TableStatus>> {
    let listed = pipeline.source.list().await?.files;
    let mut tables = Vec::new();
    for spec in &pipeline.tables {
        let standing = standing(spec, &pipeline.config.pipeline).await?;
        let lag = lag(pipeline, &listed, standing.as_ref().map(|(_, recorded)| &recorded.standing));
        let process = standing.as_ref().and_then(|(_, recorded)| recorded.process.clone());
        let standing = standing.map(|(held, recorded)| (held, recorded.standing));
        tables.push(TableStatus { name: spec.name.clone(), standing, process, lag });
    }
    Ok(tables)
}

async fn standing(spec: &TableSpec, pipeline: &str) -> Result<Option<(Held, Recorded)>, Stop> {
    let held = async || Ok::<_, Stop>(delta::read(&spec.place, pipeline).await?.and_then(|s| s.state.held));
    let table = DeltaTable::attach(spec.clone(), pipeline, Arc::new(SystemClock));
    while let Some(now) = held().await? {
        match OffsetsFiles::read(&table, now).await {
            Ok(recorded) => return Ok(Some((now, recorded))),
            // A run is alive: it has committed since, and deleted the file of the position before.
            Err(_) if held().await? != Some(now) => {}
            Err(stop) => return Err(stop),
        }
    }
    Ok(None)
}

impl TableStatus {
    /// The run knows that no rows wait for the table up to `drained`, though its transaction has
    /// not moved there yet.
    fn correct(&mut self, drained: Option<u64>) {
        let position = self.standing.as_ref().map(|(held, _)| held.position.0);
        let empty = drained.zip(position).map_or(0, |(drained, position)| drained.saturating_sub(position));
        self.lag = self.lag.saturating_sub(empty);
    }
}

/// The newest run that has claimed a table, and its process.
fn claimed(tables: &[TableStatus]) -> Option<(RunId, Option<&Process>)> {
    let claims = tables.iter().filter_map(|table| Some((table.standing.as_ref()?.0.run, table.process.as_ref())));
    claims.max_by_key(|(run, _)| *run)
}

/// Bytes that are in the source and not in the table. A file that was written anew counts whole, one that is finished not at all.
fn lag(pipeline: &Pipeline, listed: &[Listed], standing: Option<&Standing>) -> u64 {
    let left_before_ms = standing.map_or(0, |s| s.offsets.retired.before_ms);
    // A file that was renamed is known by its creation.
    let renamed = standing
        .filter(|_| pipeline.source.has_links())
        .map(|s| s.offsets.partitions.values().map(|at| (at.identity.created.as_str(), at)).collect::<HashMap<_, _>>());
    let known = |file: &Listed| {
        let renamed = renamed.as_ref().and_then(|renamed| renamed.get(file.created.as_str()).copied());
        renamed.or_else(|| standing.and_then(|s| s.offsets.newest(&file.name)).map(|(_, at)| at))
    };
    let behind = |file: &Listed| match known(file) {
        Some(at) if at.offset > file.length => file.length,
        Some(at) => file.length - at.offset,
        None if pipeline.source.created_ms(&file.created).is_some_and(|created| created < left_before_ms) => 0,
        None => file.length,
    };
    listed.iter().map(behind).sum()
}

fn to_json(pipeline: &Pipeline, tables: &[TableStatus], running: Option<Running>) -> Value {
    let mut by_role = Map::new();
    for (role, table) in TABLES.iter().zip(tables) {
        let standing = table.standing.as_ref();
        let offsets = standing.map(|(_, s)| {
            let entries = s.offsets.partitions.iter().map(|(id, at)| (id.to_string(), Value::from(at.offset)));
            Value::Object(entries.collect())
        });
        let status = json!({
            "table": table.name,
            "position": standing.map(|(held, _)| held.position),
            "run": standing.map(|(held, _)| held.run),
            "offsets": offsets,
            "lag_bytes": table.lag,
        });
        by_role.insert((*role).to_owned(), status);
    }
    let claimed = claimed(tables).map(|(run, process)| {
        let process = process.map(|at| json!({"host": at.host, "pid": at.pid, "since": rfc3339(at.since_ms)}));
        json!({"run": run, "process": process})
    });
    let mut status = json!({
        "pipeline": pipeline.config.pipeline,
        "source": pipeline.source.identity(),
        "claimed": claimed,
        "tables": by_role,
    });
    if pipeline.config.http.is_some() {
        status["running"] = running.map_or(Value::Null, |running| running.json());
    }
    status
}

fn text(pipeline: &Pipeline, tables: &[TableStatus], running: Option<Running>) -> String {
    let mut text = format!("pipeline {} reads {}\n", pipeline.config.pipeline, pipeline.source.identity());
    if let Some((run, Some(Process { host, pid, since_ms }))) = claimed(tables) {
        text.push_str(&format!("  claimed by run {run}: process {pid} on {host}, at {}\n", rfc3339(*since_ms)));
    }
    text.extend(running.map(|running| running.text()));
    for (role, table) in TABLES.iter().zip(tables) {
        match &table.standing {
            None => {
                text.push_str(&format!("  {role:<8} {}: no position yet, {} bytes behind\n", table.name, table.lag))
            }
            Some((held, standing)) => {
                text.push_str(&format!(
                    "  {role:<8} {}: position {} (run {}), {} bytes behind\n",
                    table.name, held.position, held.run, table.lag
                ));
                for (partition, at) in &standing.offsets.partitions {
                    text.push_str(&format!("           {partition} {}\n", at.offset));
                }
            }
        }
    }
    text
}
