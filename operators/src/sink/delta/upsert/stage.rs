//! Writes the files of a cut: its rows as they are now, and what they were before.

use std::fs::File;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use uuid::Uuid;

use super::definition::{CHANGE_TYPE, UpsertSpec};
use super::outcome::Written;
use crate::error::StoreError;
use crate::protocol::clock::Clock;
use crate::sink::Stage;
use crate::sink::delta::stats;
use crate::sink::files::{Place, blocking};
use crate::sink::parquet::Finished;
use crate::sink::staging::{FileStage, Shape};

/// How many rows are encoded between two looks at whether a row group is full.
const SLICE: usize = 1 << 16;

/// Which files these are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The table's.
    Data,
    /// The change feed's alone.
    Before,
}

/// Files of one kind.
struct Files {
    spec: Arc<UpsertSpec>,
    kind: Kind,
}

/// Writes the files of cuts into the folder of one table.
#[derive(Clone)]
pub(super) struct Stages {
    data: Arc<FileStage<Files>>,
    before: Arc<FileStage<Files>>,
}

impl Stages {
    pub(super) fn of(spec: &Arc<UpsertSpec>, clock: &Arc<dyn Clock>) -> Stages {
        let stage = |kind| Arc::new(FileStage::new(Files { spec: spec.clone(), kind }, clock.clone()));
        Stages { data: stage(Kind::Data), before: stage(Kind::Before) }
    }

    /// Writes `rows`, which have the columns of [`written`], into data files, in their order.
    pub(super) async fn data(&self, rows: RecordBatch) -> Result<Vec<Written>, StoreError> {
        write(self.data.clone(), rows).await
    }

    /// Writes `rows` into files that only readers of the change feed see.
    pub(super) async fn before(&self, rows: RecordBatch) -> Result<Vec<Written>, StoreError> {
        write(self.before.clone(), rows).await
    }
}

/// The columns of a file: those of the table, and with a feed what happened to the row.
pub(super) fn written(spec: &UpsertSpec) -> SchemaRef {
    let mut fields: Vec<_> = spec.columns().fields().iter().cloned().collect();
    fields.extend(spec.feed.then(|| Arc::new(Field::new(CHANGE_TYPE, DataType::Utf8, true))));
    Arc::new(Schema::new(fields))
}

async fn write(stage: Arc<FileStage<Files>>, rows: RecordBatch) -> Result<Vec<Written>, StoreError> {
    if rows.num_rows() == 0 {
        return Ok(Vec::new());
    }
    let encode = move || {
        let mut writer = stage.begin()?;
        for first in (0..rows.num_rows()).step_by(SLICE) {
            writer.write(&rows.slice(first, SLICE.min(rows.num_rows() - first)))?;
        }
        writer.finish()
    };
    let files = blocking(encode).await?.await?;
    let written = files.into_iter().map(|file| Written {
        path: file.path,
        size: file.size,
        rows: file.rows,
        stats: file.detail,
        begun_ms: file.staged_at.wall_ms,
    });
    Ok(written.collect())
}

impl Shape for Files {
    type Key = ();

    fn place(&self) -> &Place {
        &self.spec.table.place
    }

    fn schema(&self, _part: &RecordBatch) -> SchemaRef {
        written(&self.spec)
    }

    fn parts(&self, batch: &RecordBatch) -> Result<Vec<((), RecordBatch)>, StoreError> {
        Ok(vec![((), batch.clone())])
    }

    fn path(&self, (): &()) -> String {
        let id = Uuid::new_v4();
        match self.kind {
            Kind::Data => format!("part-{id}.snappy.parquet"),
            Kind::Before => format!("_change_data/cdc-{id}.snappy.parquet"),
        }
    }

    /// The statistics; those of a column that is not the table's are left out.
    fn detail(&self, (): &(), file: &Finished<File>) -> Result<String, StoreError> {
        if self.kind == Kind::Before {
            return Ok(String::new());
        }
        let is_ours = |names: &[String]| names.first().is_none_or(|name| !self.spec.feed || name != CHANGE_TYPE);
        let leaves: Vec<_> = file.leaves.iter().filter(|leaf| is_ours(&leaf.names)).cloned().collect();
        Ok(stats::of(file.rows, &leaves))
    }
}
