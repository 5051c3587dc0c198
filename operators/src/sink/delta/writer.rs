//! Stages the rows of one cut as Parquet files, one per partition, that no reader sees until a
//! commit names them.
//!
//! Encoding and writing happen on the worker's thread. The output goes to the page cache, so memory
//! is bounded by a row group however long the cut is; on request, row groups and then files are
//! closed early. Files are made durable on the runtime: on a disk they are synced where they are,
//! to blobs they are uploaded from scratch files.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use futures::{StreamExt, TryStreamExt, stream};
use parquet::errors::ParquetError;
use uuid::Uuid;

use super::{Detail, TableSpec, stats};
use crate::error::StoreError;
use crate::protocol::Pending;
use crate::protocol::clock::{Clock, Stamp};
use crate::protocol::retry::Retry;
use crate::protocol::staged::StagedFile;
use crate::sink::files::scratch::{self, Pile, Written};
use crate::sink::files::{Blobs, Place, blocking, disk};
use crate::sink::parquet::FileEncoder;
use crate::sink::{Stage, StageWriter};

/// A row group is closed once its encoded pages take this many bytes of memory.
const ROW_GROUP_MEMORY: usize = 64 << 20;
/// Or once it has this many rows.
const ROW_GROUP_ROWS: usize = 1 << 20;
/// An open file without rows takes less than this many bytes of memory, for its columns' encoders;
/// measured at a quarter of it.
const OPEN_FILE: u64 = 256 << 10;
/// A row group that takes less than this many bytes of memory is a short one.
const SHORT_ROW_GROUP: u64 = 2 << 20;
/// A writer has at most this many files open; to open one more, it closes the one it began first.
const OPEN_FILES: usize = 16;
/// How many files of a cut are uploaded at a time.
const UPLOADS: usize = 4;

/// Begins Parquet files in a Delta table's folder.
pub struct DeltaStage {
    spec: Arc<TableSpec>,
    clock: Arc<dyn Clock>,
}

impl DeltaStage {
    /// Stages into the table of `spec`.
    pub fn new(spec: TableSpec, clock: Arc<dyn Clock>) -> Self {
        DeltaStage { spec: Arc::new(spec), clock }
    }
}

impl Stage for DeltaStage {
    fn begin(&self) -> Result<Box<dyn StageWriter>, StoreError> {
        Ok(Box::new(CutWriter {
            spec: self.spec.clone(),
            clock: self.clock.clone(),
            open: BTreeMap::new(),
            begun: 0,
            closed: Vec::new(),
            pile: Pile::default(),
        }))
    }
}

/// Days since 1970; none for rows of the null partition, and for all rows of an unpartitioned
/// table.
type Day = Option<i32>;

struct CutWriter {
    spec: Arc<TableSpec>,
    clock: Arc<dyn Clock>,
    open: BTreeMap<Day, PartWriter>,
    begun: u64,
    /// Files that are closed but not yet durable. No handle is kept, because a cut may have more
    /// files than a process may have open.
    closed: Vec<Closed>,
    /// The contents of the files for blobs that were closed before the cut was.
    pile: Pile,
}

/// A complete file, and where its content is: none if it is in place already.
type Closed = (StagedFile, Option<Written>);

impl StageWriter for CutWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        fail::fail_point!("stage-write");
        let Some(partition) = self.spec.partition else { return self.write_part(None, batch) };
        let days = (partition.of)(batch);
        let first = days.iter().next().flatten();
        if days.iter().all(|day| day == first) {
            return self.write_part(first, batch);
        }
        let distinct: std::collections::BTreeSet<Day> = days.iter().collect();
        for day in distinct {
            let mask: BooleanArray = days.iter().map(|d| Some(d == day)).collect();
            let part = arrow_select::filter::filter_record_batch(batch, &mask)
                .map_err(|e| StoreError::definite(format!("stage rows of table {:?}", self.spec.name), e))?;
            self.write_part(day, &part)?;
        }
        Ok(())
    }

    fn memory(&self) -> u64 {
        self.open.values().map(PartWriter::memory).sum()
    }

    fn relieve(&mut self) -> Result<(), StoreError> {
        let Some((day, part)) = self.open.iter_mut().max_by_key(|(_, part)| part.memory()) else { return Ok(()) };
        // Short row groups cost the readers, and short files everybody, so those come last.
        if part.memory() > SHORT_ROW_GROUP {
            return part.close_row_group();
        }
        let day = *day;
        self.close_part(day)
    }

    fn finish(mut self: Box<Self>) -> Result<Pending<'static, Result<Vec<StagedFile>, StoreError>>, StoreError> {
        while let Some((_, part)) = self.open.pop_first() {
            self.closed.push(part.close()?);
        }
        fail::fail_point!("stage-closed");
        let closed = self.closed;
        Ok(match self.spec.place.clone() {
            Place::Disk(directory) => Box::pin(blocking(move || sync(&directory, closed))),
            Place::Blobs(table) => Box::pin(upload(table, closed, self.clock)),
        })
    }
}

impl CutWriter {
    fn write_part(&mut self, day: Day, batch: &RecordBatch) -> Result<(), StoreError> {
        if !self.open.contains_key(&day) {
            if self.open.len() >= OPEN_FILES {
                let first = self.open.iter().min_by_key(|(_, part)| part.order).map(|(day, _)| *day);
                first.map_or(Ok(()), |day| self.close_part(day))?;
            }
            self.begun += 1;
            let part = PartWriter::begin(&self.spec, day, self.begun, Stamp::now(&*self.clock))?;
            self.open.insert(day, part);
        }
        let part = self.open.get_mut(&day).expect("it was just opened");
        part.write(batch)
    }

    /// Completes a file before the cut is closed.
    fn close_part(&mut self, day: Day) -> Result<(), StoreError> {
        if let Some(part) = self.open.remove(&day) {
            let (staged, written) = part.close()?;
            let written = written.map(|written| self.pile.take(written)).transpose()?;
            self.closed.push((staged, written));
        }
        Ok(())
    }
}

struct PartWriter {
    encoder: FileEncoder<File>,
    staged: StagedFile,
    /// The partition column and its value, if there is one.
    partition_values: BTreeMap<String, Option<String>>,
    /// Whether it is written to a scratch file.
    in_scratch: bool,
    /// What was attempted if writing fails.
    attempt: String,
    order: u64,
}

impl PartWriter {
    fn begin(spec: &TableSpec, day: Day, order: u64, staged_at: Stamp) -> Result<Self, StoreError> {
        let name = format!("part-{}.snappy.parquet", Uuid::new_v4());
        let partition =
            spec.partition.map(|partition| (partition.column.to_owned(), day.map(|d| stats::date(d.into()))));
        let path = match &partition {
            None => name,
            Some((column, None)) => format!("{column}=__HIVE_DEFAULT_PARTITION__/{name}"),
            Some((column, Some(value))) => format!("{column}={value}/{name}"),
        };
        let (file, in_scratch, attempt) = match &spec.place {
            Place::Disk(directory) => {
                let path = directory.join(&path);
                (create(&path)?, false, format!("write {}", path.display()))
            }
            Place::Blobs(_) => (scratch::file()?, true, scratch::attempt("write")),
        };
        let encoder = FileEncoder::begin(file, spec.schema.clone());
        let encoder = encoder.map_err(|e| StoreError::definite(attempt.clone(), e))?;
        let partition_values = partition.into_iter().collect();
        let staged = StagedFile { path, size: 0, rows: 0, detail: String::new(), staged_at };
        Ok(PartWriter { encoder, staged, partition_values, in_scratch, attempt, order })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.encoder.write(batch).map_err(|e| StoreError::definite(self.attempt.clone(), e))?;
        self.staged.rows += batch.num_rows() as u64;
        let full = self.encoder.memory() > ROW_GROUP_MEMORY || self.encoder.rows() >= ROW_GROUP_ROWS;
        if full { self.close_row_group() } else { Ok(()) }
    }

    /// The memory that it holds, in bytes.
    fn memory(&self) -> u64 {
        OPEN_FILE + self.encoder.memory() as u64
    }

    fn close_row_group(&mut self) -> Result<(), StoreError> {
        self.encoder.close_row_group().map_err(|e| StoreError::definite(self.attempt.clone(), e))
    }

    fn close(mut self) -> Result<Closed, StoreError> {
        let failed = |e: ParquetError| StoreError::definite(self.attempt.clone(), e);
        let finished = self.encoder.finish().map_err(failed)?;
        let stats = stats::of(finished.rows, &finished.leaves);
        self.staged.detail = Detail { partition_values: self.partition_values, stats }.note()?;
        if !self.in_scratch {
            return Ok((self.staged, None));
        }
        let written = Written::whole(finished.out)?;
        self.staged.size = written.length();
        Ok((self.staged, Some(written)))
    }
}

/// A new file at `path`, in a directory that is created for it if necessary.
fn create(path: &Path) -> Result<File, StoreError> {
    if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
        disk::create_directories(parent)?;
    }
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    created.map_err(|e| StoreError::definite(format!("create {}", path.display()), e))
}

/// Makes staged files and their names durable on disk.
fn sync(directory: &Path, closed: Vec<Closed>) -> Result<Vec<StagedFile>, StoreError> {
    let mut files = Vec::new();
    let mut parents = std::collections::BTreeSet::<PathBuf>::new();
    for (mut staged, _) in closed {
        let path = directory.join(&staged.path);
        let failed = |error: io::Error| StoreError::definite(format!("sync {}", path.display()), error);
        let file = File::open(&path).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        staged.size = file.metadata().map_err(failed)?.len();
        parents.extend(path.parent().map(Path::to_owned));
        files.push(staged);
    }
    for parent in parents {
        disk::sync_directory(&parent).map_err(|e| StoreError::definite(format!("sync {}", parent.display()), e))?;
    }
    fail::fail_point!("stage-synced");
    Ok(files)
}

/// Uploads staged files as blobs. Their scratch files are freed after that.
async fn upload(table: Blobs, closed: Vec<Closed>, clock: Arc<dyn Clock>) -> Result<Vec<StagedFile>, StoreError> {
    let upload = |(staged, written): Closed| {
        let (blob, clock) = (table.join(&staged.path), clock.clone());
        async move {
            if let Some(written) = written.map(Arc::new) {
                let mut retry = Retry::default();
                while let Err(error) = blob.upload(written.clone()).await {
                    retry.after(error, &*clock).await?;
                }
            }
            Ok(staged)
        }
    };
    let files = stream::iter(closed).map(upload).buffered(UPLOADS).try_collect().await?;
    fail::fail_point!("stage-synced");
    Ok(files)
}
