//! What `status` shows of a `pg_logs` pipeline: how far each table holds each file, and lines that
//! wait for their newline.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use lakefront_operators::format::logs::lines::{Mark, Recorded, Standing};
use lakefront_operators::protocol::names::Held;
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::delta::TableSpec;
use lakefront_operators::source::files::watch::{self, Watcher};
use lakefront_operators::source::files::{Listed, Why};
use lakefront_topologies::pg_logs::TABLES;
use serde_json::{Map, Value};

use super::Logs;
use crate::pipeline::look::standing;
use crate::pipeline::{Look, TableLook};

/// Up to this many files are listed unless all are asked for; if there are more, only those that
/// are behind.
const LISTED: usize = 20;
/// At most this many of those.
const BEHIND: usize = 10;

/// Looks at the source and the tables.
pub(super) async fn look(pipeline: &Logs, all: bool) -> anyhow::Result<Look> {
    let mut files = pipeline.source.list().await?.files;
    let mut standings = Vec::new();
    for spec in &pipeline.tables {
        standings.push(standing(spec, &pipeline.common.pipeline).await?);
    }
    let (unfinished, encoded) = unfinished(pipeline, &standings).await;
    files.retain(|file| !encoded.contains(&file.name));
    // Each length counts whole lines only.
    for file in &mut files {
        let newest =
            unfinished.range(PartitionId::first(&file.name)..).take_while(|(id, _)| id.name == file.name).last();
        file.length = file.length.saturating_sub(newest.map_or(0, |(_, bytes)| *bytes));
    }
    let tables = TABLES.iter().zip(&pipeline.tables).zip(standings);
    let tables = tables.map(|((role, spec), found)| table(pipeline, &files, role, spec, found, all)).collect();
    let notes = notes(&unfinished, all);
    let unfinished = by_partition(&mut unfinished.iter().map(|(id, bytes)| (id, *bytes)));
    Ok(Look { tables, unfinished, notes, more: Map::new() })
}

/// One table, with how far it holds the `files`.
fn table(
    pipeline: &Logs,
    files: &[Listed],
    role: &str,
    spec: &TableSpec,
    found: Option<(Held, Recorded)>,
    all: bool,
) -> TableLook {
    let standing = found.as_ref().map(|(_, recorded)| &recorded.standing);
    let offsets = standing.map(|s| by_partition(&mut s.offsets.partitions.iter().map(|(id, at)| (id, at.offset))));
    TableLook {
        role: role.to_owned(),
        name: spec.name.clone(),
        held: found.as_ref().map(|(held, _)| *held),
        lag: Some(Reach::new(pipeline, standing).lag(files)),
        offsets: offsets.unwrap_or(Value::Null),
        details: standing.map(|standing| of_files(pipeline, files, standing, all)).unwrap_or_default(),
        process: found.and_then(|(_, recorded)| recorded.process),

        more: Map::new(),
    }
}

fn by_partition(entries: &mut dyn Iterator<Item = (&PartitionId, u64)>) -> Value {
    Value::Object(entries.map(|(id, bytes)| (id.to_string(), Value::from(bytes))).collect())
}

/// The last lines that wait for a newline.
fn notes(unfinished: &BTreeMap<PartitionId, u64>, all: bool) -> String {
    let mut text = String::new();
    for (partition, bytes) in unfinished.iter().take(if all { usize::MAX } else { BEHIND }) {
        let partition = partition.to_string();
        let partition = one_line(&partition);
        text.push_str(&format!(
            "  {partition} ends in {bytes} bytes without a newline: the line lands once it has one\n"
        ));
    }
    if unfinished.len() > BEHIND && !all {
        text.push_str(&format!("  {} files end without a newline; --files lists all\n", unfinished.len()));
    }
    text
}

/// The lines that wait for their newline, in files that the tables know, and the names of files
/// that are no text and so never land. Empty if the source cannot be read: `run` reports why.
async fn unfinished(
    pipeline: &Logs,
    standings: &[Option<(Held, Recorded)>],
) -> (BTreeMap<PartitionId, u64>, BTreeSet<String>) {
    let furthest = standings.iter().flatten().max_by_key(|(held, _)| held.position);
    let Some((_, furthest)) = furthest else { return <_>::default() };
    let quiet = pipeline.config.source.listing.quiet;
    let rules =
        watch::WatchRules { on_rewrite: watch::OnRewrite::Stop, unterminated: watch::Unterminated::Leave, quiet };
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

/// How far a table holds the files of its source.
struct Reach<'s> {
    pipeline: &'s Logs,
    standing: Option<&'s Standing>,
    /// By creation, as the store reports it: that still identifies a renamed file.
    created: HashMap<&'s str, &'s Mark>,
}

impl<'s> Reach<'s> {
    fn new(pipeline: &'s Logs, standing: Option<&'s Standing>) -> Self {
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
        let retired_before_ms = self.standing.map_or(0, |s| s.offsets.retired.before_ms);
        let named = || self.standing.and_then(|s| s.offsets.newest(&file.name)).map(|(_, at)| at);
        match self.created.get(file.created.as_str()).copied().or_else(named) {
            Some(at) if at.offset > file.length => file.length,
            Some(at) => file.length - at.offset,
            None if self.pipeline.source.created_ms(&file.created).is_some_and(|at| at < retired_before_ms) => 0,
            None => file.length,
        }
    }
}

/// How far a table holds each file; if there are many, how many, and which are furthest behind.
fn of_files(pipeline: &Logs, files: &[Listed], standing: &Standing, all: bool) -> String {
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
