//! `lakefront status`: where the tables stand, and how far behind the source they are. It only
//! reads, and claims nothing.
//!
//! A live run is asked too, if its file says where it listens (`running`), but the tables decide.

mod running;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use lakefront_operators::clock::SystemClock;
use lakefront_operators::error::Stop;
use lakefront_operators::fatal::StopRequest;
use lakefront_operators::lines::{Mark, OffsetsFiles, Recorded, Standing};
use lakefront_operators::protocol::document::Process;
use lakefront_operators::protocol::names::{Held, RunId};
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::delta::{self, DeltaTable, TableSpec};
use lakefront_operators::source::watch::{self, Watcher};
use lakefront_operators::source::{Listed, Why};
use lakefront_topologies::pg_logs::{self, TABLES};
use serde_json::{Map, Value, json};

use self::running::Running;
use crate::cli::StatusArgs;
use crate::moment::rfc3339;
use crate::pipeline::Pipeline;
use crate::report::{print, print_json};
use crate::{pipeline, runtime};

/// Up to this many files are listed without `--files`; if there are more, only those that are
/// behind.
const LISTED: usize = 20;
/// At most this many of those.
const BEHIND: usize = 10;

/// One table; `standing` is `None` before its first run.
struct TableStatus {
    name: String,
    standing: Option<(Held, Standing)>,
    /// The process of the run that claimed the table last, if its claim says so.
    process: Option<Process>,
    lag: u64,
}

/// What is printed.
struct Status {
    tables: Vec<TableStatus>,
    /// The files as they are now. Each length counts whole lines only.
    files: Vec<Listed>,
    /// Bytes after the last line end, by partition: a line that waits for its newline.
    unfinished: BTreeMap<PartitionId, u64>,
    running: Running,
}

/// Prints the status of a pipeline.
pub(crate) fn status(args: &StatusArgs) -> anyhow::Result<()> {
    let pipeline = Pipeline::open(pipeline::load(&args.file)?, StopRequest::default())?;
    let look = async { tokio::join!(look(&pipeline), running::ask(&pipeline.config, pipeline.source.identity())) };
    let (looked, running) = runtime::tokio()?.block_on(look);
    let (mut tables, files, unfinished) = looked?;
    let running = match claimed(&tables) {
        Some((run, _)) => running.beside(run.0),
        None => running,
    };
    TABLES.iter().zip(&mut tables).for_each(|(role, table)| table.correct(running.drained(role)));
    let status = Status { tables, files, unfinished, running };
    match args.json {
        true => print_json(&to_json(&pipeline, &status)),
        false => print(text(&pipeline, &status, args.files)),
    }
}

type Looked = (Vec<TableStatus>, Vec<Listed>, BTreeMap<PartitionId, u64>);

async fn look(pipeline: &Pipeline) -> anyhow::Result<Looked> {
    let mut files = pipeline.source.list().await?.files;
    let mut standings = Vec::new();
    for spec in &pipeline.tables {
        standings.push(standing(spec, &pipeline.config.pipeline).await?);
    }
    let (unfinished, encoded) = unfinished(pipeline, &standings).await;
    files.retain(|file| !encoded.contains(&file.name));
    for file in &mut files {
        let newest =
            unfinished.range(PartitionId::first(&file.name)..).take_while(|(id, _)| id.name == file.name).last();
        file.length = file.length.saturating_sub(newest.map_or(0, |(_, bytes)| *bytes));
    }
    let table = |(spec, found): (&TableSpec, Option<(Held, Recorded)>)| {
        let lag = Reach::new(pipeline, found.as_ref().map(|(_, recorded)| &recorded.standing)).lag(&files);
        let process = found.as_ref().and_then(|(_, recorded)| recorded.process.clone());
        let standing = found.map(|(held, recorded)| (held, recorded.standing));
        TableStatus { name: spec.name.clone(), standing, process, lag }
    };
    Ok((pipeline.tables.iter().zip(standings).map(table).collect(), files, unfinished))
}

/// The lines that wait for their newline, in files that the tables know, and the names of files
/// that are no text and so never land. Empty if the source cannot be read: `run` reports why.
async fn unfinished(
    pipeline: &Pipeline,
    standings: &[Option<(Held, Recorded)>],
) -> (BTreeMap<PartitionId, u64>, BTreeSet<String>) {
    let furthest = standings.iter().flatten().max_by_key(|(held, _)| held.position);
    let Some((_, furthest)) = furthest else { return <_>::default() };
    let settle = pipeline.config.source.listing.settle;
    let rules = watch::Rules { on_rewrite: watch::OnRewrite::Stop, unterminated: watch::Unterminated::Leave, settle };
    let mut watcher = Watcher::new(pipeline.source.clone(), &furthest.standing.offsets, rules);
    match watcher.poll().await {
        Ok(polled) => {
            let encoded = polled.passed_over.into_iter().filter(|file| matches!(file.why, Why::Encoded(_)));
            let unfinished = watcher.unfinished().map(|(id, bytes)| (id.clone(), bytes)).collect();
            (unfinished, encoded.map(|file| file.name).collect())
        }
        Err(_) => <_>::default(),
    }
}

/// Where a table of `pipeline` stands, and what it has recorded.
pub(crate) async fn standing(spec: &TableSpec, pipeline: &str) -> Result<Option<(Held, Recorded)>, Stop> {
    let held = async || Ok::<_, Stop>(delta::read(&spec.place, pipeline).await?.and_then(|s| s.state.held));
    let table = DeltaTable::attach(spec.clone(), pipeline, Arc::new(SystemClock));
    while let Some(now) = held().await? {
        match OffsetsFiles::read(&table, now).await {
            Ok(recorded) => return Ok(Some((now, recorded))),
            // A live run has committed since, and deleted the offsets file of the position before.
            Err(_) if held().await? != Some(now) => {}
            Err(stop) => return Err(stop),
        }
    }
    Ok(None)
}

impl TableStatus {
    /// Subtracts from the lag what is empty for the table: the run knows that the table is drained
    /// up to `drained`, though its transaction has not moved there yet.
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

/// How far a table holds the files of its source.
struct Reach<'s> {
    pipeline: &'s Pipeline,
    standing: Option<&'s Standing>,
    /// By creation, as the store reports it: that still identifies a renamed file.
    created: HashMap<&'s str, &'s Mark>,
}

impl<'s> Reach<'s> {
    fn new(pipeline: &'s Pipeline, standing: Option<&'s Standing>) -> Self {
        let standings = standing.filter(|_| pipeline.source.has_links()).into_iter();
        let offsets = standings.flat_map(|standing| standing.offsets.partitions.values());
        Reach { pipeline, standing, created: offsets.map(|at| (at.identity.created.as_str(), at)).collect() }
    }

    /// Bytes of whole lines that are in the source and not in the table.
    fn lag(&self, files: &[Listed]) -> u64 {
        files.iter().map(|file| self.behind(file)).sum()
    }

    /// The same for one file. A rewritten file counts whole, a retired one not at all.
    fn behind(&self, file: &Listed) -> u64 {
        let left_before_ms = self.standing.map_or(0, |s| s.offsets.retired.before_ms);
        let named = || self.standing.and_then(|s| s.offsets.newest(&file.name)).map(|(_, at)| at);
        match self.created.get(file.created.as_str()).copied().or_else(named) {
            Some(at) if at.offset > file.length => file.length,
            Some(at) => file.length - at.offset,
            None if self.pipeline.source.created_ms(&file.created).is_some_and(|at| at < left_before_ms) => 0,
            None => file.length,
        }
    }
}

fn to_json(pipeline: &Pipeline, status: &Status) -> Value {
    let by_partition = |entries: &mut dyn Iterator<Item = (&PartitionId, u64)>| -> Value {
        Value::Object(entries.map(|(id, bytes)| (id.to_string(), Value::from(bytes))).collect())
    };
    let mut by_role = Map::new();
    for (role, table) in TABLES.iter().zip(&status.tables) {
        let standing = table.standing.as_ref();
        let offsets =
            standing.map(|(_, s)| by_partition(&mut s.offsets.partitions.iter().map(|(id, at)| (id, at.offset))));
        let status = json!({
            "table": table.name,
            "position": standing.map(|(held, _)| held.position),
            "run": standing.map(|(held, _)| held.run),
            "offsets": offsets,
            "lag": table.lag,
        });
        by_role.insert((*role).to_owned(), status);
    }
    let claimed = claimed(&status.tables).map(|(run, process)| {
        let process = process.map(|at| json!({"host": at.host, "pid": at.pid, "since": rfc3339(at.since_ms)}));
        json!({"run": run, "process": process})
    });
    let mut json = json!({
        "pipeline": pipeline.config.pipeline,
        "source": pipeline.source.identity(),
        "claimed": claimed,
        "unit": pg_logs::outline().unit.as_str(),
        "tables": by_role,
        "unfinished": by_partition(&mut status.unfinished.iter().map(|(id, bytes)| (id, *bytes))),
    });
    if pipeline.config.http.is_some() {
        json["running"] = status.running.json();
    }
    json
}

fn text(pipeline: &Pipeline, status: &Status, all_files: bool) -> String {
    let source = one_line(pipeline.source.identity());
    let mut text = format!("pipeline {} reads {source}\n", pipeline.config.pipeline);
    if let Some((run, Some(Process { host, pid, since_ms }))) = claimed(&status.tables) {
        let (host, since) = (one_line(host), rfc3339(*since_ms));
        text.push_str(&format!("  claimed by run {run}: process {pid} on {host}, at {since}\n"));
    }
    text.push_str(&status.running.text());
    for (role, table) in TABLES.iter().zip(&status.tables) {
        let name = one_line(&table.name);
        match &table.standing {
            None => text.push_str(&format!("  {role:<8} {name}: no position yet, {} bytes behind\n", table.lag)),
            Some((held, standing)) => {
                text.push_str(&format!(
                    "  {role:<8} {name}: position {} (run {}), {} bytes behind\n",
                    held.position, held.run, table.lag
                ));
                text.push_str(&files(pipeline, &status.files, standing, all_files));
            }
        }
    }
    for (partition, bytes) in status.unfinished.iter().take(if all_files { usize::MAX } else { BEHIND }) {
        let partition = partition.to_string();
        let partition = one_line(&partition);
        text.push_str(&format!(
            "  {partition} ends in {bytes} bytes without a newline: the line lands once it has one\n"
        ));
    }
    if status.unfinished.len() > BEHIND && !all_files {
        text.push_str(&format!("  {} files end without a newline; --files lists all\n", status.unfinished.len()));
    }
    text
}

/// How far a table holds each file; if there are many, how many, and which are furthest behind.
fn files(pipeline: &Pipeline, files: &[Listed], standing: &Standing, all: bool) -> String {
    let partitions = &standing.offsets.partitions;
    let mut text = String::new();
    if all || partitions.len() <= LISTED {
        for (partition, at) in partitions {
            text.push_str(&format!("           {} {}\n", one_line(&partition.to_string()), at.offset));
        }
        return text;
    }
    let reach = Reach::new(pipeline, Some(standing));
    let behind = files.iter().map(|file| (reach.behind(file), &file.name));
    let mut behind: Vec<_> = behind.filter(|(bytes, _)| *bytes > 0).collect();
    behind.sort_by_key(|(bytes, name)| (Reverse(*bytes), *name));
    text.push_str(&format!(
        "           {} files, {} of them behind; --files lists all\n",
        partitions.len(),
        behind.len()
    ));
    for (bytes, name) in behind.into_iter().take(BEHIND) {
        text.push_str(&format!("           {} is {bytes} bytes behind\n", one_line(name)));
    }
    text
}
