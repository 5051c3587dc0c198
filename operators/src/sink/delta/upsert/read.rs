//! Reads rows of a table's data files by their places: only those columns, and of each row group
//! only what is needed.
//!
//! Whoever wrote a file, its columns are found by their names, and come as the table has them. A
//! column that the file lacks is null.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::conform::conform;
use super::definition::UpsertSpec;
use super::object::Object;
use crate::error::StoreError;
use crate::protocol::clock::Clock;
use crate::protocol::retry::Retry;
use crate::sink::files::{Place, blocking};

/// How many rows are decoded at a time, at most.
const BATCH: usize = 8_192;
/// And what they take on average, at most, in bytes.
const BATCH_BYTES: usize = 16 << 20;
/// What cannot be decoded is tried again in batches of so many times fewer rows, because the values
/// of one column and batch must take less than 2 GiB.
const FEWER: usize = 16;
/// How many files the process reads at a time. Each keeps a thread that may block, while the store
/// of a disk needs another one, and a runtime has 512 of them.
static READS: Semaphore = Semaphore::const_new(64);

/// Reads data files of one table.
#[derive(Clone)]
pub(super) struct Reader {
    table: Place,
    store: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    /// All columns of the table.
    schema: SchemaRef,
}

/// A file that is to be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Target {
    /// Relative to the table.
    pub(super) path: String,
    /// In bytes.
    pub(super) size: u64,
}

impl Reader {
    pub(super) fn of(spec: &UpsertSpec, clock: Arc<dyn Clock>) -> Result<Reader, StoreError> {
        let table = spec.table.place.clone();
        let store = table.log_store()?.object_store(None);
        Ok(Reader { table, store, clock, schema: spec.columns() })
    }

    /// How many columns the table has.
    pub(super) fn columns(&self) -> usize {
        self.schema.fields().len()
    }

    /// The rows of `target` that are in `rows`, in the file's order, with `columns`, which are
    /// places among the table's.
    pub(super) async fn rows(
        &self,
        target: Target,
        columns: Vec<usize>,
        rows: RoaringTreemap,
    ) -> Result<Vec<RecordBatch>, StoreError> {
        let keep = |batch, all: &mut Vec<_>| {
            all.push(batch);
            Ok(())
        };
        self.scan((target, columns, Some(rows)), Vec::new(), keep).await
    }

    /// Reads rows of a file with these columns, or all rows if none are named, and gives each batch
    /// to `take`, with what it has made of those before.
    ///
    /// Decoding takes its time, so it is done on a thread that may block. Reading goes on where it
    /// has failed for a while: no row is given twice.
    pub(super) async fn scan<T: Send + 'static>(
        &self,
        (target, columns, rows): (Target, Vec<usize>, Option<RoaringTreemap>),
        mut made: T,
        mut take: impl FnMut(RecordBatch, &mut T) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reader, runtime) = (self.clone(), tokio::runtime::Handle::current());
        let permit = READS.acquire().await.expect("it is never closed");
        blocking(move || {
            let _permit = permit;
            runtime.block_on(async move {
                let (mut retry, mut progress) = (Retry::default(), Progress { given: 0, batch: BATCH });
                loop {
                    let given = |batch| take(batch, &mut made);
                    let read = reader.read((&target, &columns, rows.as_ref()), &mut progress, given).await;
                    let error = match read {
                        Ok(taken) => {
                            taken?;
                            break;
                        }
                        Err(error) => error,
                    };
                    match error {
                        ParquetError::External(_) => {
                            retry.after(reader.failure(reader.attempt(&target), error), &*reader.clock).await?;
                        }
                        _ if progress.batch > 1 => progress.batch = (progress.batch / FEWER).max(1),
                        _ => return Err(reader.failure(reader.attempt(&target), error)),
                    }
                }
                match rows.map(|rows| rows.len()).filter(|wanted| *wanted != progress.given) {
                    None => Ok(made),
                    Some(wanted) => {
                        let cause = format!("it has {} of {wanted} rows", progress.given);
                        Err(StoreError::definite(reader.attempt(&target), cause))
                    }
                }
            })
        })
        .await
    }

    /// The inner error is one of `take`.
    async fn read(
        &self,
        (target, columns, rows): (&Target, &[usize], Option<&RoaringTreemap>),
        progress: &mut Progress,
        mut take: impl FnMut(RecordBatch) -> Result<(), StoreError>,
    ) -> Result<Result<(), StoreError>, ParquetError> {
        let mut file = self.object(target);
        let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load_async(&mut file, plain.clone()).await?;
        let hinted = plain.with_schema(self.hinted(metadata.schema()));
        let metadata = ArrowReaderMetadata::try_new(metadata.metadata().clone(), hinted)?;
        let names: Vec<&str> = columns.iter().map(|column| self.schema.field(*column).name().as_str()).collect();
        let roots = metadata.schema().fields().iter().enumerate();
        let roots = roots.filter(|(_, field)| names.contains(&field.name().as_str())).map(|(root, _)| root);
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
        let total = usize::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
        let batch = (BATCH_BYTES / row_bytes(metadata.metadata(), &mask).max(1)).clamp(1, progress.batch);
        let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(file, metadata)
            .with_projection(mask)
            .with_batch_size(batch);
        if rows.is_some() || progress.given > 0 {
            builder = builder.with_row_selection(selection(rows, progress.given, total));
        }
        let wanted = Arc::new(self.schema.project(columns)?);
        let mut stream = builder.build()?;
        while let Some(batch) = stream.try_next().await? {
            let batch = as_wanted(&batch, &wanted)?;
            progress.given += batch.num_rows() as u64;
            if let Err(error) = take(batch) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// How many rows `target` has, by its own footer.
    pub(super) async fn count(&self, target: &Target) -> Result<u64, StoreError> {
        let mut file = self.object(target);
        let metadata = ArrowReaderMetadata::load_async(&mut file, ArrowReaderOptions::new()).await;
        let metadata = metadata.map_err(|e| self.failure(self.attempt(target), e))?;
        Ok(metadata.metadata().file_metadata().num_rows().unsigned_abs())
    }

    /// The columns of a file, with moments of Spark's old form in microseconds: in their own
    /// nanoseconds, 64 bits would not reach the year 2263.
    fn hinted(&self, theirs: &SchemaRef) -> SchemaRef {
        Arc::new(Schema::new(hinted(theirs.fields(), self.schema.fields())))
    }

    fn object(&self, target: &Target) -> Object {
        Object { store: self.store.clone(), path: Path::from(target.path.as_str()), size: target.size }
    }

    fn attempt(&self, target: &Target) -> String {
        format!("read rows of {}", self.table.join(&target.path))
    }

    /// What an error of a store or of a file's content means.
    fn failure(&self, attempt: String, error: ParquetError) -> StoreError {
        match &self.table {
            Place::Disk(_) => StoreError::definite(attempt, error),
            Place::Blobs(blobs) => {
                blobs.failure(&attempt, &error).unwrap_or_else(|| StoreError::definite(attempt, error))
            }
        }
    }
}

/// The same of fields and what is within them, by their names.
fn hinted(theirs: &Fields, ours: &Fields) -> Fields {
    let hint = |field: &FieldRef| {
        let Some((_, our)) = ours.find(field.name()) else { return field.clone() };
        Arc::new(field.as_ref().clone().with_data_type(hinted_type(field.data_type(), our.data_type())))
    };
    theirs.iter().map(hint).collect()
}

fn hinted_type(theirs: &DataType, ours: &DataType) -> DataType {
    match (theirs, ours) {
        (DataType::Timestamp(TimeUnit::Nanosecond, _), DataType::Timestamp(..)) => ours.clone(),
        // Writers call a list's items as they like.
        (DataType::List(items), DataType::List(our)) => {
            let of = hinted_type(items.data_type(), our.data_type());
            DataType::List(Arc::new(items.as_ref().clone().with_data_type(of)))
        }
        (DataType::Struct(theirs), DataType::Struct(ours)) => DataType::Struct(hinted(theirs, ours)),
        _ => theirs.clone(),
    }
}

/// How far a file was read.
struct Progress {
    /// How many of the rows that are wanted were given.
    given: u64,
    /// How many rows a batch may have.
    batch: usize,
}

/// What a row of the columns of `mask` takes on average, in bytes, where it is the most.
fn row_bytes(metadata: &ParquetMetaData, mask: &ProjectionMask) -> usize {
    let bytes = |group: &RowGroupMetaData| {
        let chunks = group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
        // A value that is in the chunk's dictionary once may be that of every row.
        let bytes = chunks.map(|(_, c)| c.uncompressed_size().max(c.unencoded_byte_array_data_bytes().unwrap_or(0)));
        usize::try_from(bytes.sum::<i64>() / group.num_rows().max(1)).unwrap_or(0)
    };
    metadata.row_groups().iter().map(bytes).max().unwrap_or(0)
}

/// Rows of a file of so many, all if none are named, in runs: those after the first `given`.
fn selection(rows: Option<&RoaringTreemap>, given: u64, total: usize) -> RowSelection {
    let Some(rows) = rows else {
        let rest = (given as usize).min(total)..total;
        return RowSelection::from_consecutive_ranges(std::iter::once(rest), total);
    };
    let mut runs: Vec<Range<usize>> = Vec::new();
    for row in rows.iter().skip(given as usize).map(|row| row as usize).filter(|row| *row < total) {
        match runs.last_mut() {
            Some(run) if run.end == row => run.end += 1,
            _ => runs.push(row..row + 1),
        }
    }
    RowSelection::from_consecutive_ranges(runs.into_iter(), total)
}

/// The columns of `wanted`, from a batch that may lack some or have others.
fn as_wanted(batch: &RecordBatch, wanted: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
        Some(column) => conform(column, field.data_type())
            .map_err(|e| ArrowError::SchemaError(format!("column {:?} is of another type: {e}", field.name()))),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    };
    let columns = wanted.fields().iter().map(column).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(wanted.clone(), columns, &options)
}

#[cfg(test)]
mod tests;
