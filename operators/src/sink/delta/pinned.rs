//! One version of a table, pinned: where the pipelines stand in it, and its rows as any reader sees
//! them.
//!
//! Rows come through the Delta kernel, which knows what other tools may have done to a table: it
//! leaves out rows that deletion vectors delete, fills in partition values and missing columns, and
//! follows files that were compacted or clustered. Nothing is written. If a clean-up removes files
//! that are still to be read, that is an error, and a newer version can be pinned.

use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;
use deltalake::DeltaTableError;
use deltalake::kernel::engine::arrow_data::ArrowEngineData;
use deltalake::kernel::{SchemaRef, Snapshot};
use deltalake::logstore::LogStoreRef;
use tokio::sync::mpsc;

use super::log::AppIds;
use super::referred::{self, Lost};
use crate::error::StoreError;
use crate::position::Position;
use crate::protocol::names::{Held, RunId, Version};
use crate::sink::files::Place;

/// How many batches are read ahead.
const AHEAD: usize = 2;

/// A table at one version.
pub struct Pinned {
    place: Place,
    store: LogStoreRef,
    version: Version,
    held: Option<Held>,
    /// The other pipelines that have a position in the table.
    others: Vec<(String, Held)>,
}

impl Pinned {
    /// The table in `place` at its newest version, as `pipeline` sees it; none if there is no
    /// table.
    pub async fn newest(place: &Place, pipeline: &str) -> Result<Option<Pinned>, StoreError> {
        let log = place.join("_delta_log");
        if !log.holds(|name| name.ends_with(".json") || name.ends_with(".parquet")).await? {
            return Ok(None);
        }
        let table = place.open().await?;
        let failed = |error: DeltaTableError| place.library_failure(format!("read table {place}"), error);
        let snapshot = table.snapshot().map_err(failed)?;
        let store = table.log_store();
        let (mut held, mut others) = (None, Vec::new());
        let mut names = place.join("_lakefront").names().await?;
        names.retain(|name| !name.starts_with('_') && name != pipeline);
        for name in names.iter().map(String::as_str).chain([pipeline]) {
            let ids = AppIds::of(name);
            let position = snapshot.transaction_version(&*store, &ids.position).await.map_err(failed)?;
            let run = snapshot.transaction_version(&*store, &ids.run).await.map_err(failed)?;
            let Some((position, run)) = position.zip(run) else { continue };
            let at = Held { position: Position(position.unsigned_abs()), run: RunId(run.unsigned_abs()) };
            match name == pipeline {
                true => held = Some(at),
                false => others.push((name.to_owned(), at)),
            }
        }
        Ok(Some(Pinned { place: place.clone(), store, version: Version(snapshot.version()), held, others }))
    }

    /// The version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Where the pipeline stands in it; none before its first claim.
    pub fn held(&self) -> Option<Held> {
        self.held
    }

    /// Where other pipelines stand in it, by name.
    pub fn others(&self) -> &[(String, Held)] {
        &self.others
    }

    /// How many rows there are, counted one by one.
    pub async fn count(&self) -> Result<u64, StoreError> {
        let first = AtomicBool::new(true);
        let mut batches = self.rows(|_| first.swap(false, Ordering::Relaxed)).await?;
        let mut rows = 0;
        while let Some(batch) = batches.recv().await {
            rows += batch?.num_rows() as u64;
        }
        Ok(rows)
    }

    /// The files that the table refers to now but that cannot be read.
    pub async fn lost(&self) -> Result<Vec<Lost>, StoreError> {
        referred::lost(&self.place).await
    }

    /// All rows, in any order, with those columns of the table that `is_wanted` accepts.
    pub async fn rows(
        &self,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<mpsc::Receiver<Result<RecordBatch, StoreError>>, StoreError> {
        let attempt = format!(
            "read the rows of version {} of table {} (if a clean-up has just removed its files, try again)",
            self.version.0, self.place
        );
        let snapshot = Snapshot::try_new(&*self.store, Some(self.version.0)).await;
        let snapshot = snapshot.map_err(|e| self.place.library_failure(attempt.clone(), e))?;
        let all = snapshot.schema();
        let names: Vec<&String> = all.fields().map(|field| field.name()).filter(|name| is_wanted(name)).collect();
        // The kernel panics if it is asked for rows without columns.
        if names.is_empty() {
            return Err(StoreError::definite(attempt, "it has none of the pipeline's columns any more"));
        }
        let columns = all.project(&names).map_err(|e| self.place.library_failure(attempt.clone(), e.into()))?;
        let (batches, receiver) = mpsc::channel(AHEAD);
        let (place, store) = (self.place.clone(), self.store.clone());
        // The kernel waits for its own requests, so keep it off the threads that make them.
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let _runtime = runtime.enter();
            if let Err(error) = scan(snapshot, columns, &store, &batches) {
                // If the receiver is gone, nobody needs the error.
                let _ = batches.blocking_send(Err(place.library_failure(attempt, error)));
            }
        });
        Ok(receiver)
    }
}

fn scan(
    snapshot: Snapshot,
    columns: SchemaRef,
    store: &LogStoreRef,
    batches: &mpsc::Sender<Result<RecordBatch, StoreError>>,
) -> Result<(), DeltaTableError> {
    let engine = store.engine(None);
    // The library's own scan only lists files; the kernel's, of the same snapshot, reads them too.
    let kernel = snapshot.into_scan_builder().build()?.snapshot().clone();
    let scan = kernel.scan_builder().with_schema(columns).build()?;
    for data in scan.execute(engine)? {
        let batch = RecordBatch::from(ArrowEngineData::try_from_engine_data(data?)?);
        if batches.blocking_send(Ok(batch)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
