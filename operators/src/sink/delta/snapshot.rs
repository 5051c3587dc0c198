//! Reads the state of a Delta table through the `deltalake` crate: its definition and our
//! transactions, but not its files, so that a table of many files opens as fast as one of few.

use std::time::Duration;

use arrow_schema::{FieldRef, Fields, Schema};
use deltalake::DeltaTableError;
use deltalake::kernel;
use deltalake::table::config::TablePropertiesExt;
use serde_json::Value;

use super::log::{self, AppIds};
use super::types;
use crate::error::StoreError;
use crate::position::Position;
use crate::protocol::group::{GroupState, Retention};
use crate::protocol::names::{Held, RunId, Version};
use crate::sink::files::Place;

/// How many commits are followed one by one; if there are more, the log is read anew.
const FOLLOWED: usize = 8;
/// How many of the newest commits are searched for a torn one.
const SEARCHED: usize = 100;

/// A Delta table as its log describes it now.
#[derive(Clone)]
pub struct Snapshot {
    /// What the protocol must know about it.
    pub state: GroupState,
    /// The `protocol` action.
    pub(super) protocol: Value,
    /// The `metaData` action.
    pub(super) metadata: Value,
    /// How many versions there are between log checkpoints.
    pub(super) checkpoint_interval: u64,
    /// The commit that made the head, by which the log is recognized; none if it was cleaned up.
    head: Option<Vec<u8>>,
}

impl Snapshot {
    /// A table whose log is not at hand.
    #[cfg(test)]
    pub(super) fn of(state: GroupState, protocol: Value, metadata: Value) -> Snapshot {
        Snapshot { state, protocol, metadata, checkpoint_interval: 1, head: None }
    }

    /// The table's columns, each of which may be null; none if one has a type that there is none
    /// for here.
    pub fn columns(&self) -> Option<Fields> {
        let schema: Value = serde_json::from_str(self.metadata["schemaString"].as_str()?).ok()?;
        types::arrow_fields(&schema)
    }

    /// Whether it has all columns of `schema`, of the same types.
    pub fn has_columns(&self, schema: &Schema) -> bool {
        let columns = self.columns().unwrap_or_default();
        let has =
            |field: &FieldRef| columns.find(field.name()).is_some_and(|(_, of)| of.data_type() == field.data_type());
        schema.fields().iter().all(has)
    }

    /// The table's properties, as its metadata has them.
    pub fn properties(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let configuration = self.metadata["configuration"].as_object();
        configuration.into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
    }
}

/// Reads the table in `place` as `pipeline` sees it; none if there is no table.
pub async fn read(place: &Place, pipeline: &str) -> Result<Option<Snapshot>, StoreError> {
    match read_log(place, pipeline).await {
        // The library does not say which of the log's files it could not read.
        Err(error) => Err(torn(place, pipeline).await.unwrap_or(error)),
        read => read,
    }
}

async fn read_log(place: &Place, pipeline: &str) -> Result<Option<Snapshot>, StoreError> {
    let log = place.join("_delta_log");
    if !log.holds(|name| name.ends_with(".json") || name.ends_with(".parquet")).await? {
        return Ok(None);
    }
    let failed = |error: DeltaTableError| place.library_failure(format!("read table {place}"), error);
    let store = place.log_store()?;
    let snapshot = kernel::Snapshot::try_new(&*store, None).await.map_err(failed)?;
    let scan = snapshot.scan_builder().build().map_err(failed)?;
    let (inner, engine, asked) = (scan.snapshot().clone(), store.engine(None), AppIds::of(pipeline));
    // The library computes and waits for its own requests, so keep it off the threads that make
    // them.
    let transactions = tokio::task::spawn_blocking(move || {
        let version = |id: &str| inner.get_app_id_version(id, &*engine).map_err(DeltaTableError::from);
        Ok((version(&asked.position)?, version(&asked.run)?))
    });
    let transactions = transactions.await.map_err(|e| StoreError::definite(format!("read table {place}"), e))?;
    let (position, run) = transactions.map_err(failed)?;
    let config = snapshot.table_properties();
    let retention = Retention {
        log_ms: millis(config.log_retention_duration()),
        files_ms: millis(config.deleted_file_retention_duration()),
    };
    let held = position
        .zip(run)
        .map(|(position, run)| Held { position: Position(position.unsigned_abs()), run: RunId(run.unsigned_abs()) });
    let json =
        |value: serde_json::Result<Value>| value.map_err(|e| StoreError::definite(format!("read table {place}"), e));
    let version = Version(snapshot.version());
    Ok(Some(Snapshot {
        state: GroupState { head: version, held, retention },
        protocol: json(serde_json::to_value(snapshot.protocol()))?,
        metadata: json(serde_json::to_value(snapshot.metadata()))?,
        checkpoint_interval: config.checkpoint_interval().get(),
        head: log.join(&log::file_name(version)).read().await?,
    }))
}

/// Why a log cannot be read, if the cause is one of its newest commits.
async fn torn(place: &Place, pipeline: &str) -> Option<StoreError> {
    let (log, ids) = (place.join("_delta_log"), AppIds::of(pipeline));
    let is_commit = |name: &String| name.strip_suffix(".json").is_some_and(|version| version.parse::<u64>().is_ok());
    let mut commits: Vec<_> = log.names().await.ok()?.into_iter().filter(is_commit).collect();
    commits.sort();
    for name in commits.iter().rev().take(SEARCHED) {
        let file = log.join(name);
        if let Err(error) = log::seen(&file.read().await.ok()??, &ids) {
            let (attempt, cause) = log::torn(&file, &error);
            return Some(StoreError::definite(attempt, cause));
        }
    }
    None
}

/// The table in `place` as it is now, if it is `known` plus a few commits that did not change its
/// definition. Otherwise none, and the table has to be read.
pub(super) async fn follow(place: &Place, known: &Snapshot, ids: &AppIds) -> Result<Option<Snapshot>, StoreError> {
    let log = place.join("_delta_log");
    let commit = async |version: Version| log.join(&log::file_name(version)).read().await;
    let mut now = known.clone();
    if now.head.is_none() || commit(now.state.head).await? != now.head {
        return Ok(None);
    }
    for _ in 0..FOLLOWED {
        let Some(content) = commit(now.state.head.next()).await? else { return Ok(Some(now)) };
        match (log::seen(&content, ids), log::held(&content, ids)) {
            (Ok(seen), None) if !seen.is_suspect && !seen.ours => {}
            (Ok(seen), Some(held)) if !seen.is_suspect => now.state.held = Some(held),
            _ => return Ok(None),
        }
        now.state.head = now.state.head.next();
        now.head = Some(content);
    }
    Ok(None)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
