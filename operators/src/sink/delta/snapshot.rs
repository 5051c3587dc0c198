//! Reads the state of a Delta table through the `deltalake` crate.

use std::time::Duration;

use deltalake::DeltaTableError;
use deltalake::table::config::TablePropertiesExt;
use serde_json::Value;

use super::log::AppIds;
use super::place::Place;
use crate::error::StoreError;
use crate::position::Position;
use crate::protocol::table::{Held, Retention, RunId, TableState, Version};

/// A Delta table as its log says it is now.
pub struct Snapshot {
    /// What the protocol must know.
    pub state: TableState,
    /// The `protocol` action.
    pub(super) protocol: Value,
    /// The `metaData` action.
    pub(super) metadata: Value,
    /// A log checkpoint is due every so many versions.
    pub(super) checkpoint_interval: u64,
}

impl Snapshot {
    /// The table's properties, as its metadata has them.
    pub fn properties(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let configuration = self.metadata["configuration"].as_object();
        configuration.into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
    }
}

/// Reads the table in `place` as `pipeline` sees it; none if there is no table.
pub async fn read(place: &Place, pipeline: &str) -> Result<Option<Snapshot>, StoreError> {
    let log = place.join("_delta_log");
    if !log.holds(|name| name.ends_with(".json") || name.ends_with(".parquet")).await? {
        return Ok(None);
    }
    let failed = |error: DeltaTableError| place.library_failure(format!("read table {place}"), error);
    let table = place.open().await?;
    let snapshot = table.snapshot().map_err(failed)?;
    let ids = AppIds::of(pipeline);
    let log_store = table.log_store();
    let position = snapshot.transaction_version(&*log_store, &ids.position).await.map_err(failed)?;
    let run = snapshot.transaction_version(&*log_store, &ids.run).await.map_err(failed)?;
    let config = snapshot.table_config();
    let retention = Retention {
        log_ms: millis(config.log_retention_duration()),
        files_ms: millis(config.deleted_file_retention_duration()),
    };
    let held = position
        .zip(run)
        .map(|(position, run)| Held { position: Position(position.unsigned_abs()), run: RunId(run.unsigned_abs()) });
    let json =
        |value: serde_json::Result<Value>| value.map_err(|e| StoreError::definite(format!("read table {place}"), e));
    Ok(Some(Snapshot {
        state: TableState { head: Version(snapshot.version()), held, retention },
        protocol: json(serde_json::to_value(snapshot.protocol()))?,
        metadata: json(serde_json::to_value(snapshot.metadata()))?,
        checkpoint_interval: config.checkpoint_interval().get(),
    }))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
