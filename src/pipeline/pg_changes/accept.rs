//! Writes tables anew whose columns have changed in PostgreSQL. Other types are taken when a person
//! accepts them, or where wider ones are wanted anyway, so that a table that stands still goes on;
//! new columns get the values that PostgreSQL has for rows from before.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::error::{Stop, chain};
use lakefront_operators::events::{self, Hold, OnWiden, OtherType};
use lakefront_operators::fetch::Reader;
use lakefront_operators::format::debezium::Decoder;
use lakefront_operators::format::debezium::typed::LakeType;
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::protocol::supply::Supply;
use lakefront_operators::run::fatal::Fatal;
use lakefront_operators::run::memory::Budget;
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::delta::upsert::{Older, Retype, Values, retype};
use lakefront_operators::sink::delta::{self, TableSpec};
use lakefront_operators::source::kafka::kind::{Mark, Topics, place_of};
use lakefront_operators::source::kafka::reader::{PATIENCE, TopicReader};
use lakefront_operators::source::kafka::sizes::Sizes;
use lakefront_operators::source::kafka::supply::{OnLoss, TopicSupply};

use super::catalog::Catalog;
use super::{Changes, Described, Known, find};
use crate::config::{self, Kind};
use crate::exit::Usage;
use crate::pipeline::look::standing;

/// Records of each partition that are looked at, from where the lake stands.
const FIRST: u64 = 64;
/// Time between two looks at the tables that stand still.
const LOOK: Duration = Duration::from_secs(2);

/// Accepts the types that the next events of the table called `role` have. With `aside`, the values
/// that are there go into columns of their own. Returns what was done, as lines for people.
pub(crate) async fn accept(config: config::Config, role: &str, aside: bool) -> anyhow::Result<String> {
    let config::Config { common, kind } = config;
    let Kind::PgChanges(changes) = kind else {
        let text = "lakefront schema is for pipelines with topology = \"pg_changes\"".to_owned();
        return Err(Usage(text).into());
    };
    let changes = Changes::open(Described { common, changes: *changes }).await?;
    let table = changes.tables.iter().find(|table| table.event.role == role && table.is_old).ok_or_else(|| {
        let known = changes.tables.iter().map(|table| one_line(&table.event.role).into_owned()).collect::<Vec<_>>();
        let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
        Usage(format!("the pipeline has no table {:?}; its tables are: {known}", one_line(role)))
    })?;
    let hold = waiting(&changes, table).await?.ok_or_else(|| {
        Stop::Refused(format!(
            "nothing waits to be accepted: the next events of table {} have the types that it has, or none has come; if \
             the run has not come to the first of them yet, let it go on until /health names the table",
            one_line(role)
        ))
    })?;
    refuse_apart(&changes, &hold.partition).await?;
    let retypes = retypes(&changes, table, &hold, aside).await?;
    let done = retype(&table.spec.table, &retypes, changes.clock.clone()).await.map_err(|stop| advised(stop, role))?;
    let mut text = format!("table    {} ({})\n", one_line(role), table.spec.table.place);
    for (retype, OtherType { from, .. }) in retypes.iter().zip(&hold.columns) {
        let to = LakeType::of_arrow(&retype.to).map(|of| of.to_string()).unwrap_or_default();
        let what = match &retype.values {
            Values::Converted => "its values are the same".to_owned(),
            Values::Aside(name) => {
                format!("its values are in {:?} now, and null here until rows change", one_line(name))
            }
            Values::Filled(..) => "all rows have one value".to_owned(),
        };
        let _ = writeln!(text, "column   {}: {from}, now {to}; {what}", one_line(&retype.column));
    }
    let _ = writeln!(text, "done     {} rows in {} files are version {}", done.rows, done.files, done.version.0);
    text.push_str("next     a run that is up goes on by itself; otherwise, start it\n");
    Ok(text)
}

/// Gives tables that stand still for wider types alone those types, if that is wanted. Returns what
/// was done: the next run goes by it.
pub(super) async fn widen(changes: &Changes) -> Result<Option<String>, Stop> {
    for table in &changes.tables {
        let mut of_table = changes.holds.iter().filter(|hold| hold.role == table.event.role && hold.key.is_none());
        let is_wanted = table.event.wish.on_widen == OnWiden::Widen;
        let Some(hold) = of_table.next().filter(|_| is_wanted) else { continue };
        let retypes = retypes(changes, table, hold, false).await?;
        let is_wider = |(other, retype): (&OtherType, &Retype)| {
            LakeType::of_arrow(&retype.to).is_some_and(|to| other.from.widens_to(&to))
        };
        if !hold.columns.iter().zip(&retypes).all(is_wider) {
            continue;
        }
        let done = retype(&table.spec.table, &retypes, changes.clock.clone()).await?;
        let (role, version) = (one_line(&table.event.role), done.version.0);
        return Ok(Some(format!("columns of table {role} are wider from its version {version} on")));
    }
    Ok(None)
}

/// Gives new columns the values that rows from before have in them. Returns what was done: the next
/// run goes by it.
pub(super) async fn fill(changes: &Changes) -> Result<Option<String>, Stop> {
    for table in changes.tables.iter().filter(|table| !table.fills.is_empty()) {
        let done = retype(&table.spec.table, &table.fills, changes.clock.clone()).await?;
        let columns: Vec<&str> = table.fills.iter().map(|fill| &*fill.column).collect();
        let (role, columns, version) = (one_line(&table.event.role), columns.join(", "), done.version.0);
        tracing::info!(table = %role, columns = %one_line(&columns), rows = done.rows, "rows have the values of new columns");
        return Ok(Some(format!("columns {columns} of table {role} have values from its version {version} on")));
    }
    Ok(None)
}

/// Ends the run once one of the `tables` has other columns than it had: somebody has accepted what
/// it waits for.
pub(super) async fn watch(tables: Vec<TableSpec>, pipeline: String, fatal: Fatal) {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    loop {
        for table in &tables {
            // A store that is away for a while is looked at again.
            let Ok(Some(there)) = delta::read(&table.place, &pipeline).await else { continue };
            let columns = format!("{:?}", there.columns());
            let before = known.entry(table.name.clone()).or_insert_with(|| columns.clone());
            if *before != columns {
                let (role, version) = (one_line(&table.name), there.state.head.0);
                return fatal.raise(Stop::Anew(format!("table {role} has other columns, at its version {version}")));
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The first event of `table`, from where the lake stands, that it cannot take.
async fn waiting(changes: &Changes, table: &Known) -> Result<Option<Hold>, Stop> {
    let Some((_, recorded)) = standing::<Topics>(&table.spec.table, &changes.common.pipeline).await? else {
        return Ok(None);
    };
    let sights = changes.watch().look().await?;
    let (partitions, sizes) = (sights.len(), Arc::new(Sizes::default()));
    let parts = changes.config.parts(1, 1);
    let budget = Budget::new(parts.usual(), parts);
    let reader = TopicReader::new(changes.asks.clone(), changes.fetches.clone(), sizes.clone(), PATIENCE);
    let mut supply = TopicSupply::new(&[recorded.standing], sizes, changes.config.range(), OnLoss::Accept);
    supply.see(sights, 0);
    let tables = changes.tables.iter().map(|table| table.event.clone()).collect();
    let tables = find::known_tables(changes, tables);
    let (settings, mut decoder) = (Arc::new(changes.settings()), Decoder::default());
    for _ in 0..partitions {
        let Some(range) = supply.next(FIRST, &settings) else { break };
        let read = reader.read(&range, &budget).await?;
        let of = (&tables, &*table.event.role);
        if let Some(hold) = events::held(&read.block, &range.partition, of, &mut decoder) {
            return Ok(Some(hold));
        }
    }
    Ok(None)
}

/// Refuses to change columns while some tables lack what others have of the topic of `partition`:
/// when they catch up, its events are read again, and must become what they were.
async fn refuse_apart(changes: &Changes, partition: &PartitionId) -> Result<(), Stop> {
    let topic = place_of(partition).map(|(topic, _)| topic.to_owned());
    let mut first: Option<BTreeMap<PartitionId, Mark>> = None;
    for spec in std::iter::once(&changes.rejects).chain(changes.tables.iter().map(|table| &table.spec.table)) {
        let Some((_, recorded)) = standing::<Topics>(spec, &changes.common.pipeline).await? else { continue };
        let partitions = &recorded.standing.offsets.partitions;
        let of_topic = partitions.iter().filter(|(id, _)| place_of(id).map(|(topic, _)| topic.to_owned()) == topic);
        let at: BTreeMap<_, _> = of_topic.map(|(id, mark)| (id.clone(), mark.clone())).collect();
        if first.get_or_insert_with(|| at.clone()) != &at {
            return Err(Stop::Refused(
                "some tables have not landed yet what others have: let a run land it, and then accept".to_owned(),
            ));
        }
    }
    Ok(())
}

/// What the columns that `hold` names become.
async fn retypes(changes: &Changes, table: &Known, hold: &Hold, aside: bool) -> Result<Vec<Retype>, Stop> {
    let role = &table.event.role;
    if let Some(key) = &hold.key {
        return Err(Stop::Refused(format!(
            "the key of table {} is {key:?} now, and its rows are told apart by {:?}: land its topic in another lake.catalog",
            one_line(role),
            table.event.key
        )));
    }
    let catalog = match &changes.config.postgres {
        None => Catalog::default(),
        Some(postgres) => Catalog::ask(postgres, changes.config.connect.as_ref(), std::slice::from_ref(role)).await?,
    };
    let columns: Vec<&str> = table.event.columns.iter().map(|column| &*column.name).collect();
    let retype = |OtherType { name, from, to }: &OtherType| {
        if aside && table.event.key.contains(name) {
            let text = "column {name:?} is of the key, and cannot be null: accept it without --aside";
            return Err(Stop::Refused(text.replace("{name:?}", &format!("{:?}", one_line(name)))));
        }
        let to = catalog.told(role, name, to, false);
        if to == *from {
            return Err(Stop::Refused(format!(
                "column {name:?} of table {} is {from} in PostgreSQL too, and the event has more digits: it is from before the \
                 column was changed back; on_incompatible = \"reject\" makes it a reject",
                one_line(role)
            )));
        }
        Ok(Retype {
            column: name.clone(),
            to: to.arrow(),
            values: if aside { Values::aside(name, columns.iter().copied()) } else { Values::Converted },
            older: Some(Older { of: from.to_string(), before: hold.lsn }),
        })
    };
    hold.columns.iter().map(retype).collect()
}

/// Values that the new type lacks can be set aside.
fn advised(stop: Stop, role: &str) -> Stop {
    match stop {
        Stop::Store(error) if !error.is_transient() => Stop::Refused(format!(
            "{}; to keep such values in a column of their own: lakefront schema accept FILE {:?} --aside",
            chain(&error),
            one_line(role)
        )),
        other => other,
    }
}
