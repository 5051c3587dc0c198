//! Opens the tables of a pipeline that changes rows: all of them are read and must fit, and only
//! then are those created that are missing.

use std::sync::Arc;

use uuid::Uuid;

use super::definition::UpsertSpec;
use super::table::UpsertTable;
use crate::error::Stop;
use crate::protocol::clock::Clock;
use crate::protocol::names::{Held, Version};
use crate::protocol::retry::ask;
use crate::sink::delta::opening::{Opening, define};
use crate::sink::delta::{TableSpec, log, probe};

/// Opens the tables of `pipeline`. `refuse` sees where they stand before anything is written.
pub async fn open(
    specs: &[UpsertSpec],
    pipeline: &str,
    clock: Arc<dyn Clock>,
    refuse: impl FnOnce(&[Option<Held>]) -> Result<(), Stop>,
) -> Result<Vec<Arc<UpsertTable>>, Stop> {
    specs.iter().try_for_each(UpsertSpec::can_be)?;
    let tables: Vec<TableSpec> = specs.iter().map(|spec| spec.table.clone()).collect();
    let opening = look(specs, &tables, pipeline, &clock).await?;
    refuse(&opening.held())?;
    let missing = specs.iter().zip(opening.snapshots()).filter(|(_, there)| there.is_none());
    let missing: Vec<_> = missing.map(|(spec, _)| spec).collect();
    if !missing.is_empty() {
        ask(&*clock, || Box::pin(async { probe(tables.iter()).await })).await?;
    }
    for spec in missing {
        create(spec, pipeline, &clock).await?;
    }
    let opened = look(specs, &tables, pipeline, &clock).await?.make().await?;
    let table = |(spec, table): (&UpsertSpec, _)| UpsertTable::new(spec.clone(), pipeline, table, clock.clone());
    Ok(specs.iter().zip(opened).map(table).map(|table| table.map(Arc::new)).collect::<Result<_, _>>()?)
}

/// Reads the tables, and refuses those whose rows cannot be changed.
async fn look(
    specs: &[UpsertSpec],
    tables: &[TableSpec],
    pipeline: &str,
    clock: &Arc<dyn Clock>,
) -> Result<Opening, Stop> {
    let opening = Opening::read(tables, pipeline, clock.clone()).await?;
    for (spec, there) in specs.iter().zip(opening.snapshots()) {
        if let Some(snapshot) = there {
            spec.check(snapshot).map_err(|obstacle| spec.refused(&obstacle))?;
        }
    }
    Ok(opening)
}

/// Makes the first version of a table. If another writer is faster, its table must fit.
async fn create(spec: &UpsertSpec, pipeline: &str, clock: &Arc<dyn Clock>) -> Result<(), Stop> {
    let (now_ms, id) = (clock.now_ms(), Uuid::new_v4().to_string());
    let metadata = spec.metadata(&id, now_ms).map_err(|column| spec.refused(&format!("would have {column}")))?;
    let content = log::definition(Some(spec.protocol()), metadata, "CREATE TABLE", now_ms);
    spec.table.place.join("_delta_log").prepare().await?;
    define(&spec.table, pipeline, Version(0), content, &**clock).await
}
