//! Writes tables anew whose columns have changed in PostgreSQL. Other types are taken when a person
//! accepts them, or where wider ones are wanted anyway, so that a table that stands still goes on;
//! new columns get the values that PostgreSQL has for rows from before.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::error::{Stop, chain};
use lakefront_operators::events::{self, Hold, Next, OnWiden, OtherType};
use lakefront_operators::format::debezium::Decoder;
use lakefront_operators::format::debezium::typed::LakeType;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::names::Version;
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::run::fatal::Fatal;
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::delta::upsert::{Older, Retype, RetypeError, Values, retype};
use lakefront_operators::sink::delta::{self, DeltaTable, TableSpec};
use lakefront_operators::source::kafka::kind::{Mark, Topics, place_of};

use super::catalog::Catalog;
use super::{Changes, Described, Known, find, first};
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
    let hold = waiting(&changes, table).await?;
    refuse_apart(&changes, &hold.partition).await?;
    let retypes = retypes(&changes, table, &hold, aside).await?;
    let done = retype(&table.spec.table, &retypes, changes.clock.clone()).await;
    let done = done.map_err(|error| advised(error, table, &hold))?;
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
/// was done: the next run goes by it. A table that cannot have them stands still, as others do.
pub(super) async fn widen(changes: &Changes) -> Option<String> {
    for table in changes.tables.iter().filter(|table| table.event.wish.on_widen == OnWiden::Widen) {
        let mut of_table = changes.holds.iter().filter(|hold| hold.role == table.event.role && hold.key.is_none());
        let Some(hold) = of_table.next() else { continue };
        match widened(changes, table, hold).await {
            Ok(None) => {}
            Ok(Some(version)) => {
                return Some(format!(
                    "columns of table {} are wider from its version {version} on",
                    one_line(&hold.role)
                ));
            }
            Err(error) => {
                let table = one_line(&hold.role);
                tracing::warn!(%table, error = %chain(&error), "its columns could not be made wider: it stands still");
            }
        }
    }
    None
}

/// Gives a table the types that `hold` names, if they are wider. Returns its version.
async fn widened(changes: &Changes, table: &Known, hold: &Hold) -> Result<Option<u64>, RetypeError> {
    let retypes = retypes(changes, table, hold, false).await?;
    let is_wider = |(other, retype): (&OtherType, &Retype)| {
        LakeType::of_arrow(&retype.to).is_some_and(|to| other.from.widens_to(&to))
    };
    if !hold.columns.iter().zip(&retypes).all(is_wider) {
        return Ok(None);
    }
    Ok(Some(retype(&table.spec.table, &retypes, changes.clock.clone()).await?.version.0))
}

/// Gives new columns the values that rows from before have in them. Returns what was done: the next
/// run goes by it. Where that cannot be, the columns are added with null.
pub(super) async fn fill(changes: &Changes) -> Option<String> {
    for table in changes.tables.iter().filter(|table| !table.fills.is_empty()) {
        let columns = table.fills.iter().map(|fill| one_line(&fill.column)).collect::<Vec<_>>().join(", ");
        let role = one_line(&table.event.role);
        tracing::info!(table = %role, columns, "rows get the values of new columns");
        match retype(&table.spec.table, &table.fills, changes.clock.clone()).await {
            Ok(done) => {
                let version = done.version.0;
                return Some(format!("columns {columns} of table {role} have values from its version {version} on"));
            }
            Err(error) => tracing::warn!(
                table = %role, columns, error = %chain(&error),
                "rows could not get the values of new columns: they have null until they change"
            ),
        }
    }
    None
}

/// Ends the run once one of the `tables` has other columns than the run knows: somebody has
/// accepted what it waits for.
pub(super) async fn watch(tables: Vec<TableSpec>, pipeline: String, clock: Arc<dyn Clock>, fatal: Fatal) {
    let table =
        |spec: TableSpec| (DeltaTable::attach(spec.clone(), &pipeline, clock.clone()), spec, Version::default());
    let mut tables: Vec<_> = tables.into_iter().map(table).collect();
    loop {
        for (table, spec, known) in &mut tables {
            // A store that is away for a while is looked at again.
            let Ok(head) = table.load().await.map(|state| state.head) else { continue };
            if head == *known {
                continue;
            }
            let Ok(Some(there)) = delta::read(&spec.place, &pipeline).await else { continue };
            *known = head;
            if !there.has_columns(&spec.schema) {
                let (role, version) = (one_line(&spec.name), head.0);
                return fatal.raise(Stop::Anew(format!("table {role} has other columns, at its version {version}")));
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What holds `table`, by the next events of each partition: the first by PostgreSQL's log. Refuses
/// while another partition still has events from before it.
async fn waiting(changes: &Changes, table: &Known) -> Result<Hold, Stop> {
    let role = &table.event.role;
    let nothing = || {
        Stop::Refused(format!(
            "nothing waits to be accepted: the next events of table {} have the types that it has, or none has come; if \
             the run has not come to the first of them yet, let it go on until /health names the table",
            one_line(role)
        ))
    };
    let recorded = standing::<Topics>(&table.spec.table, &changes.common.pipeline).await?;
    let (_, recorded) = recorded.ok_or_else(nothing)?;
    let tables = changes.tables.iter().map(|table| table.event.clone()).collect();
    let tables = find::known_tables(changes, tables);
    let mut decoder = Decoder::default();
    let (mut first, mut rows): (Option<Hold>, Vec<(PartitionId, u64)>) = (None, Vec::new());
    for (partition, records) in first::next_records(changes, recorded.standing, FIRST).await? {
        match events::next(&records, &partition, (&tables, role), &mut decoder) {
            Some(Next::Held(hold)) => {
                first = first.into_iter().chain([hold]).min_by_key(|hold| hold.lsn);
            }
            Some(Next::Row(lsn)) => rows.push((partition, lsn)),
            None => {}
        }
    }
    let hold = first.ok_or_else(nothing)?;
    let topic = |id: &PartitionId| place_of(id).map(|(topic, _)| topic.to_owned());
    let behind = rows.iter().find(|(id, lsn)| topic(id) == topic(&hold.partition) && *lsn < hold.lsn);
    match behind {
        None => Ok(hold),
        Some((partition, _)) => Err(Stop::Refused(format!(
            "partition {} has events from before the columns have changed: let a run land them, and then accept",
            one_line(&partition.to_string())
        ))),
    }
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
                "some tables have not landed yet what others have: try again in a minute, or stop the run".to_owned(),
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
        Some(postgres) if table.is_of(&postgres.location.database) => {
            Catalog::ask(postgres, changes.config.connect.as_ref(), std::slice::from_ref(role)).await?
        }
        _ => Catalog::default(),
    };
    let columns: Vec<&str> = table.event.columns.iter().map(|column| &*column.name).collect();
    let retype = |OtherType { name, from, to, is_told }: &OtherType| {
        if aside && table.event.key.contains(name) {
            let name = one_line(name);
            let text =
                format!("column {name:?} is of the key, and cannot be null: land the topic in another lake.catalog");
            return Err(Stop::Refused(text));
        }
        // A text may be a number, and what only a value tells may be anything that has it.
        let told = catalog.told(role, name, to, false);
        let is_open = !is_told || *to == LakeType::Text;
        let to = if is_open && told != *from { told } else { to.clone() };
        Ok(Retype {
            column: name.clone(),
            from: Some(from.arrow()),
            to: to.arrow(),
            values: if aside { Values::aside(name, columns.iter().copied()) } else { Values::Converted },
            older: Some(Older { of: from.to_string(), before: hold.lsn }),
        })
    };
    hold.columns.iter().map(retype).collect()
}

/// Values that the new type lacks can be set aside, unless they are the key's.
fn advised(error: RetypeError, table: &Known, hold: &Hold) -> Stop {
    let text = match error {
        RetypeError::Stop(stop) => return stop,
        RetypeError::NoCounterpart(text) => text,
    };
    let advice = match hold.columns.iter().any(|other| table.event.key.contains(&other.name)) {
        true => "a column of the key cannot be set aside: land the topic in another lake.catalog".to_owned(),
        false => format!(
            "to keep such values in a column of their own: lakefront schema accept FILE {:?} --aside",
            one_line(&hold.role)
        ),
    };
    Stop::Refused(format!("{text}; {advice}"))
}
