//! Finds out which tables there are, and what they look like: by the settings that the lake's own
//! records hold, by the notes of runs, and before the first run by the first records of each
//! partition.

use std::sync::{Mutex, PoisonError};

use lakefront_operators::error::Stop;
use lakefront_operators::events::{EventTable, EventTables, Keyless, Met, MetTable, rejects_schema};
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::delta::upsert::UpsertSpec;
use lakefront_operators::sink::delta::{self, TableSpec};
use lakefront_operators::sink::files::Place;
use lakefront_operators::source::kafka::kind::{Keyed, Topics};

use super::catalog::Catalog;
use super::first::first_records;
use super::{Changes, Known, columns, known};
use crate::config::ChangesLake;
use crate::pipeline::look::standing;
use crate::pipeline::root;

/// The catalog's folder.
pub(super) fn catalog(lake: &ChangesLake) -> Result<Place, Stop> {
    Ok(root::place(&lake.root)?.join(&lake.catalog))
}

/// The table of what became no row.
pub(super) fn rejects(catalog: &Place, pipeline: &str) -> TableSpec {
    let name = format!("{pipeline}_rejects");
    TableSpec { place: catalog.join(&name), name, schema: rejects_schema(), partition: None }
}

/// The names of all tables, in claim order.
pub(super) fn names(rejects: &TableSpec, tables: &[Known]) -> Vec<String> {
    std::iter::once(&rejects.name).chain(tables.iter().map(|table| &table.event.role)).cloned().collect()
}

/// The tables, in claim order: the known ones as they were recorded, and behind them new ones. Also
/// why the types of new columns may be others: PostgreSQL could not be asked for them.
pub(super) async fn tables(changes: &Changes) -> Result<(Vec<Known>, Option<Stop>), Stop> {
    let recorded = recorded(changes).await?;
    let mut met = known::read(&changes.common);
    if recorded.is_empty() {
        met.add(first_records(changes).await?);
    }
    let catalog = asked(changes, &met).await;
    let (catalog, untold) = match catalog {
        Ok(catalog) => (catalog, None),
        Err(stop) => (Catalog::default(), Some(stop)),
    };
    let known = (&met, &catalog);
    let mut tables = Vec::new();
    for keyed in &recorded {
        tables.push(table(changes, &keyed.name, Some(keyed), known).await?);
    }
    for (role, _) in met.tables.iter().filter(|(role, met)| is_to_be(changes, role, met)) {
        if recorded.iter().all(|keyed| keyed.name != *role) {
            tables.push(table(changes, role, None, known).await?);
        }
    }
    refuse_doubles(&tables)?;
    Ok((tables, untold))
}

/// Whether a table that was met is to be made. What is wanted of it may have changed since.
fn is_to_be(changes: &Changes, role: &str, met: &MetTable) -> bool {
    let wish = changes.config.tables.of(role);
    met.is_new() && (!met.is_keyless || wish.key.is_some() || wish.keyless == Keyless::Append)
}

/// What PostgreSQL says of the tables that were met, if the file says where it is.
async fn asked(changes: &Changes, met: &Met) -> Result<Catalog, Stop> {
    let Some(postgres) = &changes.config.postgres else { return Ok(Catalog::default()) };
    // A table of another database may be called as one of this one is.
    let is_here = |met: &MetTable| met.database.as_ref().is_none_or(|of| *of == postgres.location.database);
    let roles: Vec<String> = met.tables.iter().filter(|(_, met)| is_here(met)).map(|(role, _)| role.clone()).collect();
    match roles.is_empty() {
        false => Catalog::ask(postgres, changes.config.connect.as_ref(), &roles).await,
        true => Ok(Catalog::default()),
    }
}

/// The tables that the settings of the lake's own records name.
async fn recorded(changes: &Changes) -> Result<Vec<Keyed>, Stop> {
    let pipeline = &changes.common.pipeline;
    let Some((_, first)) = standing::<Topics>(&changes.rejects, pipeline).await? else { return Ok(Vec::new()) };
    let mut tables = first.standing.settings.tables.clone();
    // A table that landed after the others may know of more.
    let mut at = 0;
    while let Some(keyed) = tables.get(at) {
        let spec = place_of(changes, &keyed.name)?;
        if let Some((_, recorded)) = standing::<Topics>(&spec, pipeline).await?
            && recorded.standing.settings.tables.len() > tables.len()
        {
            tables = recorded.standing.settings.tables.clone();
        }
        at += 1;
    }
    Ok(tables)
}

/// Where the table of this role is, without its columns.
pub(super) fn place_of(changes: &Changes, role: &str) -> Result<TableSpec, Stop> {
    let bug = || Stop::Bug(format!("{role:?} names no schema"));
    let (schema, table) = role.split_once('.').ok_or_else(bug)?;
    let schema = changes.config.lake.schema.as_deref().unwrap_or(schema);
    if schema == changes.rejects.name {
        return Err(Stop::Refused(format!(
            "schema {schema:?} would lie in the folder of the rejects: give the pipeline another name, or set lake.schema"
        )));
    }
    let place = changes.catalog.join(schema).join(table);
    Ok(TableSpec { place, name: role.to_owned(), schema: EventTable::schema(&[]), partition: None })
}

/// A table with its columns: those that it has, and behind them those that were met.
async fn table(
    changes: &Changes,
    role: &str,
    keyed: Option<&Keyed>,
    (met, catalog): (&Met, &Catalog),
) -> Result<Known, Stop> {
    let wish = changes.config.tables.of(role);
    let spec = place_of(changes, role)?;
    let refused = |what: String| Stop::Refused(format!("table {} ({}) {what}", one_line(role), spec.place));
    let snapshot = delta::read(&spec.place, &changes.common.pipeline).await?;
    if keyed.is_some() && snapshot.is_none() {
        return Err(refused(
            "was the pipeline's, and is not there any more: restore it, or begin anew with another pipeline name and \
             lake.catalog"
                .to_owned(),
        ));
    }
    let met = met.tables.get(role);
    // A table of another database may be called as one of this one is.
    let postgres = changes.config.postgres.as_ref().map(|postgres| &postgres.location.database);
    let is_here = keyed.is_some_and(|keyed| keyed.database.as_ref().is_none_or(|of| Some(of) == postgres));
    let (columns, fills) = columns::of((role, &wish), snapshot.as_ref(), met, (catalog, is_here)).map_err(refused)?;
    let usual = || met.map(|met| met.key.clone()).unwrap_or_default();
    let key = keyed.map(|keyed| keyed.key.clone()).or_else(|| wish.key.clone()).unwrap_or_else(usual);
    if let Some(wanted) = wish.key.as_ref().filter(|wanted| **wanted != key) {
        return Err(refused(format!(
            "is changed by the key {key:?}{}, but [tables] makes it {wanted:?}: set it back, or begin anew with another \
             lake.catalog",
            if key.is_empty() { " (its rows are only appended)" } else { "" }
        )));
    }
    let schema = EventTable::schema(&columns);
    let table = TableSpec { schema, ..spec };
    let feed = wish.feed;
    let database =
        keyed.map(|keyed| keyed.database.clone()).unwrap_or_else(|| met.and_then(|met| met.database.clone()));
    let (older, added) = snapshot.map(|there| (there.older_types(), there.added_columns())).unwrap_or_default();
    let (role, columns) = (role.to_owned(), columns.into());
    let event = EventTable { role, columns, key: key.clone(), database, wish, older, added };
    Ok(Known { event, spec: UpsertSpec { table, key, feed }, is_old: keyed.is_some(), fills })
}

/// File systems and catalogs that fold case would merge two tables whose names differ only in case;
/// one schema for all may merge others.
fn refuse_doubles(tables: &[Known]) -> Result<(), Stop> {
    let place = |known: &Known| known.spec.table.place.to_string().to_lowercase();
    for (at, table) in tables.iter().enumerate() {
        if let Some(other) = tables[..at].iter().find(|other| place(other) == place(table)) {
            return Err(Stop::Refused(format!(
                "tables {} and {} would be one in the lake: leave lake.schema out, or leave one of them out of source.topics",
                one_line(&other.event.role),
                one_line(&table.event.role)
            )));
        }
    }
    Ok(())
}

/// The tables as events name them.
pub(super) fn known_tables(changes: &Changes, tables: Vec<EventTable>) -> EventTables {
    let (rules, schema) = (changes.config.tables.clone(), changes.config.lake.schema.clone());
    let (folder, pipeline) = (changes.common.state_folder(), changes.common.pipeline.clone());
    // Several workers may meet something at once.
    let turn = Mutex::new(());
    let note = move |met: &Met| {
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        known::note(&folder, &pipeline, met)
    };
    EventTables::new(tables, move |role| rules.of(role), schema, Box::new(note))
}
