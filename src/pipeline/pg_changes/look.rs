//! What `status` and `validate --connect` show of a `pg_changes` pipeline.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lakefront_operators::error::chain;
use lakefront_operators::events::Hold;
use lakefront_operators::postgres::Lsn;
use lakefront_operators::protocol::document::Recorded;
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::names::Held;
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::delta::{DeltaTable, TableSpec};
use lakefront_operators::source::kafka::kind::{REJECTS, Topics, name_of};
use lakefront_operators::source::kafka::supply::Sight;
use serde_json::{Map, Value, json};

use super::reached::{Reached, reached};
use super::{Changes, known};
use crate::pipeline::look::standing;
use crate::pipeline::{Look, Opened, TableLook};

/// What is said if Kafka has none of the topics.
const NO_TOPIC: &str = "no topic matches source.topics: Connect makes them with their first records";

/// Up to this many partitions are listed unless all are asked for.
const LISTED: usize = 20;

/// Looks at the topics and the tables. If Kafka cannot be reached, the tables are shown all the
/// same.
pub(super) async fn look(changes: &Changes, all: bool) -> anyhow::Result<Look> {
    let (sights, notes) = match changes.watch().look().await {
        Ok(sights) if sights.is_empty() => (Some(sights), format!("  {NO_TOPIC}\n")),
        Ok(sights) => (Some(sights), String::new()),
        Err(error) => (None, format!("  Kafka could not be looked at: {}\n", one_line(&chain(&error)))),
    };
    let ends = sights.as_deref().map(ends);
    let outline = changes.outline();
    let specs = std::iter::once(&changes.rejects).chain(changes.tables.iter().map(|table| &table.spec.table));
    let (mut found, mut furthest) = (Vec::new(), None);
    for spec in specs {
        let of = standing::<Topics>(spec, &changes.common.pipeline).await?;
        let at = of.as_ref().map(|(_, recorded)| recorded.standing.offsets.clone());
        furthest = furthest.into_iter().chain(at).max_by_key(|offsets| offsets.position());
        found.push((spec, of));
    }
    let standings: Vec<_> =
        found.iter().flat_map(|(_, of)| of).map(|(_, recorded)| recorded.standing.clone()).collect();
    let holds = known::still(&changes.holds, &standings);
    let reached = match furthest.zip(sights) {
        Some((offsets, sights)) => reached(changes, &offsets, &sights).await,
        None => BTreeMap::new(),
    };
    let mut tables = Vec::new();
    for ((spec, found), members) in found.into_iter().zip(outline.layout.groups()) {
        let mut looked = table(spec, &members.role, found, ends.as_ref(), all);
        tell((changes, &holds), &mut looked, spec, reached.get(&members.role)).await;
        tables.push(looked);
    }
    Ok(Look { tables, unfinished: Value::Object(Map::new()), notes, more: Map::new() })
}

/// Tells of a table what version it has, how many rows, how far it is, and whether it goes on.
async fn tell(
    (changes, holds): (&Changes, &[Hold]),
    looked: &mut TableLook,
    spec: &TableSpec,
    reached: Option<&Reached>,
) {
    let pipeline = &changes.common.pipeline;
    let group = DeltaTable::attach(spec.clone(), pipeline, changes.clock.clone());
    let version = group.load().await.ok().map(|state| state.head.0);
    let rows = if version.is_some() { group.rows().await.ok() } else { None };
    looked.more.extend([("version".to_owned(), json!(version)), ("rows".to_owned(), json!(rows))]);
    let rows = rows.map_or_else(String::new, |rows| format!("{rows} rows"));
    if looked.role == REJECTS {
        looked.details.insert_str(0, &format!("           {rows}\n"));
        return;
    }
    let hold = holds.iter().find(|hold| hold.role == looked.role);
    let state = match (hold, reached) {
        (Some(hold), _) => format!("stopped: {}", hold.reason),
        (None, Some(reached)) if reached.is_snapshot => "snapshot".to_owned(),
        (None, _) => "running".to_owned(),
    };
    let lsn = reached.filter(|reached| reached.lsn > 0).map(|reached| Lsn(reached.lsn).to_string());
    let now_ms = changes.clock.now_ms().cast_signed();
    let seconds = |reached: &Reached| reached.waits_since_ms.map_or(0, |since| (now_ms - since).max(0) / 1_000);
    let behind =
        reached.map(|reached| json!({"records": reached.records, "bytes": reached.bytes, "seconds": seconds(reached)}));
    let at = lsn.as_ref().map_or_else(String::new, |lsn| format!(", at LSN {lsn}"));
    let waits = reached.filter(|reached| reached.records > 0);
    let waits =
        waits.map_or_else(String::new, |reached| format!(", the oldest record waits for {} s", seconds(reached)));
    looked.details.insert_str(0, &format!("           {rows}{at}{waits}; {}\n", one_line(&state)));
    looked.more.extend([
        ("state".to_owned(), json!(state)),
        ("lsn".to_owned(), json!(lsn)),
        ("behind".to_owned(), json!(behind)),
    ]);
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
        more: Map::new(),
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
    if let Some(registry) = &changes.registry {
        registry.check().await?;
        let _ = writeln!(text, "schemas  {}", one_line(registry.url()));
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
    let is_there = |name: &str| changes.tables.iter().any(|known| known.event.role == name);
    for name in changes.config.tables.named().filter(|name| !is_there(name)) {
        let _ = writeln!(text, "tables   {} is in [tables], and no event of it has come yet", one_line(name));
    }
    if changes.tables.is_empty() {
        text.push_str("table    none yet: tables are made as their first events come\n");
    }
    Ok(text)
}
