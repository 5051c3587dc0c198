//! What `status` and `validate --connect` show of a `pg_changes` pipeline.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lakefront_operators::error::chain;
use lakefront_operators::protocol::document::Recorded;
use lakefront_operators::protocol::names::Held;
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::delta::TableSpec;
use lakefront_operators::source::kafka::kind::{Topics, name_of};
use lakefront_operators::source::kafka::supply::Sight;
use serde_json::{Map, Value, json};

use super::Changes;
use crate::pipeline::look::standing;
use crate::pipeline::{Look, Opened, TableLook};

/// What is said if Kafka has none of the topics.
const NO_TOPIC: &str = "no topic matches source.topics: Connect makes them with their first records";

/// Up to this many partitions are listed unless all are asked for.
const LISTED: usize = 20;

/// Looks at the topics and the tables. If Kafka cannot be reached, the tables are shown all the
/// same.
pub(super) async fn look(changes: &Changes, all: bool) -> anyhow::Result<Look> {
    let (ends, notes) = match changes.watch().look().await {
        Ok(sights) if sights.is_empty() => (Some(BTreeMap::new()), format!("  {NO_TOPIC}\n")),
        Ok(sights) => (Some(ends(&sights)), String::new()),
        Err(error) => (None, format!("  Kafka could not be looked at: {}\n", one_line(&chain(&error)))),
    };
    let outline = changes.outline();
    let specs = std::iter::once(&changes.rejects).chain(changes.tables.iter().map(|table| &table.spec.table));
    let mut tables = Vec::new();
    for (spec, members) in specs.zip(outline.layout.groups()) {
        let found = standing(spec, &changes.common.pipeline).await?;
        tables.push(table(spec, &members.role, found, ends.as_ref(), all));
    }
    Ok(Look { tables, unfinished: Value::Object(Map::new()), notes, more: Map::new() })
}

/// Where each partition ends, by its name.
fn ends(sights: &[Sight]) -> BTreeMap<String, u64> {
    sights.iter().map(|sight| (name_of(&sight.topic, sight.partition), sight.end)).collect()
}

fn table(
    spec: &TableSpec,
    role: &str,
    found: Option<(Held, Recorded<Topics>)>,
    ends: Option<&BTreeMap<String, u64>>,
    all: bool,
) -> TableLook {
    let partitions = found.as_ref().map(|(_, recorded)| &recorded.standing.offsets.partitions);
    let next = |name: &String| partitions.and_then(|of| of.iter().rfind(|(id, _)| id.name == *name));
    let behind = |(name, end): (&String, &u64)| end.saturating_sub(next(name).map_or(0, |(_, mark)| mark.next));
    let mut offsets = Map::new();
    let mut details = String::new();
    for (id, mark) in partitions.into_iter().flatten() {
        let end = ends.and_then(|ends| ends.get(&id.name));
        offsets.insert(id.to_string(), json!({"next": mark.next, "end": end}));
        if all || offsets.len() <= LISTED {
            let of = end.map_or_else(String::new, |end| format!(" of {end}"));
            let _ = writeln!(details, "           {} {}{of}", one_line(&id.to_string()), mark.next);
        }
    }
    if offsets.len() > LISTED && !all {
        let _ = writeln!(details, "           {} partitions in all; --files lists them", offsets.len());
    }
    TableLook {
        role: role.to_owned(),
        name: spec.name.clone(),
        held: found.as_ref().map(|(held, _)| *held),
        lag: ends.map(|ends| ends.iter().map(behind).sum()),
        offsets: if partitions.is_none() { Value::Null } else { Value::Object(offsets) },
        details,
        process: found.and_then(|(_, recorded)| recorded.process),
    }
}

/// The topics, and what becomes of each table.
pub(super) async fn connect(changes: &Changes) -> anyhow::Result<String> {
    let sights = changes.watch().look().await?;
    let topics: std::collections::BTreeSet<&str> = sights.iter().map(|sight| &*sight.topic).collect();
    let mut text =
        format!("source   {}: {} topics, {} partitions\n", one_line(&changes.source), topics.len(), sights.len());
    if sights.is_empty() {
        let _ = writeln!(text, "source   {NO_TOPIC}");
    }
    let _ = writeln!(text, "lake     {}", one_line(&changes.catalog.to_string()));
    for known in &changes.tables {
        let what = if known.is_old { "it goes on" } else { "new to the pipeline" };
        let key: Vec<String> = known.event.key.iter().map(|name| one_line(name).into_owned()).collect();
        let role = one_line(&known.event.role);
        let by =
            if key.is_empty() { "without a key, appended to".to_owned() } else { format!("by {}", key.join(", ")) };
        let _ = writeln!(text, "table    {role} {by}: {} columns, {what}", known.event.columns.len());
    }
    if changes.tables.is_empty() {
        text.push_str("table    none yet: tables are made as their first events come\n");
    }
    Ok(text)
}
