//! The lake's side: a table, pinned where the pipeline stands in it, and its rows.

use std::sync::Arc;

use arrow_array::RecordBatch;

use super::Table;
use super::columns::Plan;
use crate::error::{Stop, StoreError};
use crate::protocol::document::Recorded;
use crate::protocol::offsets_files::OffsetsFiles;
use crate::prove::Progress;
use crate::run::clock::SystemClock;
use crate::sink::delta::{self, DeltaTable};
use crate::source::kafka::kind::Topics;

/// How often a table is pinned anew because a run went on meanwhile.
const ATTEMPTS: u32 = 10;

/// A table at one version, and what is recorded of it there.
pub(super) struct Pinned {
    pub(super) at: delta::Pinned,
    pub(super) recorded: Recorded<Topics>,
}

impl Pinned {
    /// Pins `table` at its newest version.
    pub(super) async fn newest(table: &Table<'_>, pipeline: &str) -> Result<Pinned, Stop> {
        let spec = table.spec;
        let nothing = || {
            Stop::Refused(format!(
                "table {:?} ({}) holds no position of pipeline {pipeline:?}: nothing has landed that could be proved; run the \
                 pipeline first",
                spec.name, spec.place
            ))
        };
        let delta = DeltaTable::attach(spec.clone(), pipeline, Arc::new(SystemClock));
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let at = delta::Pinned::newest(&spec.place, pipeline).await?.ok_or_else(nothing)?;
            let held = at.held().ok_or_else(nothing)?;
            match OffsetsFiles::read(&delta, held).await {
                Ok(recorded) => return Ok(Pinned { at, recorded }),
                // A live run has committed since, and deleted the file of the position before.
                Err(_) if last != Some(at.version()) => last = Some(at.version()),
                Err(stop) => return Err(stop),
            }
        }
        let why = "a run goes on faster than its position can be read: try again";
        Err(StoreError::transient(format!("pin table {:?}", spec.name), why).into())
    }

    /// Gives all rows to `each`, batch by batch: the plan's columns, in its order.
    pub(super) async fn rows(
        &self,
        plan: &Plan,
        progress: &Progress,
        mut each: impl FnMut(&RecordBatch),
    ) -> Result<(), StoreError> {
        let mut batches = self.at.rows(|name| plan.names.iter().any(|one| one == name)).await?;
        while let Some(batch) = batches.recv().await {
            let batch = batch?;
            progress.count(batch.num_rows() as u64);
            let places: Result<Vec<usize>, _> =
                plan.names.iter().map(|name| batch.schema_ref().index_of(name)).collect();
            let batch = places.and_then(|places| batch.project(&places));
            let failed = |error| StoreError::definite("understand the rows of a table", error);
            each(&batch.map_err(failed)?);
        }
        Ok(())
    }

    /// How many rows there are.
    pub(super) async fn count(&self, progress: &Progress) -> Result<u64, StoreError> {
        let rows = self.at.count().await?;
        progress.count(rows);
        Ok(rows)
    }
}
