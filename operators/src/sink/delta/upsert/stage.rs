//! Writes the files of a cut: its rows as they are now, and what they were before.

use std::fs::File;
use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use uuid::Uuid;

use super::definition::{CHANGE_TYPE, UpsertSpec};
use super::outcome::Written;
use crate::error::StoreError;
use crate::protocol::clock::Clock;
use crate::sink::StageWriter;
use crate::sink::delta::stats;
use crate::sink::files::{Place, blocking};
use crate::sink::parquet::Finished;
use crate::sink::staging::{CutWriter, FileStage, Shape};

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

    /// The data files of a cut.
    pub(super) fn data(&self) -> Writing {
        Writing { stage: self.data.clone(), open: None }
    }

    /// The files of a cut that only readers of the change feed see.
    pub(super) fn before(&self) -> Writing {
        Writing { stage: self.before.clone(), open: None }
    }
}

/// Files of one kind and one cut, none before there is a row.
pub(super) struct Writing {
    stage: Arc<FileStage<Files>>,
    open: Option<Open>,
}

/// Files that rows are written to, on a thread that may block.
pub(super) struct Open(Box<CutWriter<Files>>);

impl Open {
    /// Writes `rows`, which have the columns of [`written`].
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), StoreError> {
        let slices = (0..rows.num_rows()).step_by(SLICE);
        let mut slices = slices.map(|first| rows.slice(first, SLICE.min(rows.num_rows() - first)));
        slices.try_for_each(|slice| self.0.write(&slice))
    }
}

impl Writing {
    /// Writes the rows of `batches`, after those before.
    pub(super) async fn write(&mut self, batches: Vec<RecordBatch>) -> Result<(), StoreError> {
        if batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(());
        }
        let mut open = self.take();
        let write = move || {
            batches.iter().try_for_each(|batch| open.write(batch))?;
            Ok(open)
        };
        self.open = Some(blocking(write).await?);
        Ok(())
    }

    /// The files, for who writes to them and [gives them back](Writing::put).
    pub(super) fn take(&mut self) -> Open {
        self.open.take().unwrap_or_else(|| Open(Box::new(self.stage.writer())))
    }

    pub(super) fn put(&mut self, open: Open) {
        self.open = Some(open);
    }

    /// Completes the files. Their rows are in the order in which they were written.
    pub(super) async fn finish(self) -> Result<Vec<Written>, StoreError> {
        let Some(Open(writer)) = self.open else { return Ok(Vec::new()) };
        let files = blocking(move || writer.finish()).await?.await?;
        let written = files.into_iter().map(|file| Written {
            path: file.path,
            size: file.size,
            rows: file.rows,
            stats: file.detail,
            begun_ms: file.staged_at.wall_ms,
        });
        Ok(written.collect())
    }
}

/// The columns of a file: those of the table, and with a feed what happened to the row.
pub(super) fn written(spec: &UpsertSpec) -> SchemaRef {
    let mut fields: Vec<_> = spec.columns().fields().iter().cloned().collect();
    fields.extend(spec.feed.then(|| Arc::new(Field::new(CHANGE_TYPE, DataType::Utf8, true))));
    Arc::new(Schema::new(fields))
}

/// `rows`, which have the columns of the table, as a file has them: each with what has become of
/// it.
pub(super) fn with_types(spec: &UpsertSpec, rows: &RecordBatch, types: Vec<&str>) -> Result<RecordBatch, ArrowError> {
    let mut columns = rows.columns().to_vec();
    if spec.feed {
        columns.push(Arc::new(StringArray::from(types)));
    }
    RecordBatch::try_new(written(spec), columns)
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
