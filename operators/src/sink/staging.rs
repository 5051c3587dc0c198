//! Stages the rows of one cut as Parquet files, one per partition, that no reader sees until a
//! commit names them.
//!
//! Encoding and writing happen on the worker's thread. The output goes to the page cache, so memory
//! is bounded by a row group however long the cut is; on request, row groups and then files are
//! closed early. Files are made durable on the runtime: on a disk they are synced where they are,
//! to blobs they are uploaded from scratch files. What is a sink's own, it says by a [`Shape`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::{StreamExt, TryStreamExt, stream};
use parquet::errors::ParquetError;

use crate::error::StoreError;
use crate::protocol::Pending;
use crate::protocol::clock::{Clock, Stamp};
use crate::protocol::retry::Retry;
use crate::protocol::staged::StagedFile;
use crate::sink::files::scratch::{self, Pile, Written};
use crate::sink::files::{Blobs, Place, blocking, disk};
use crate::sink::parquet::{FileEncoder, Finished};
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

/// What a sink decides about the files of one table.
pub(in crate::sink) trait Shape: 'static {
    /// A partition.
    type Key: Ord + Clone;

    /// Where the table is.
    fn place(&self) -> &Place;

    /// The columns of a file that begins with `part`.
    fn schema(&self, part: &RecordBatch) -> SchemaRef;

    /// The rows of `batch`, by partition.
    fn parts(&self, batch: &RecordBatch) -> Result<Vec<(Self::Key, RecordBatch)>, StoreError>;

    /// The path of a new file, relative to the table. No other file has it.
    fn path(&self, key: &Self::Key) -> String;

    /// What the commit will say of a complete file.
    fn detail(&self, key: &Self::Key, file: &Finished<File>) -> Result<String, StoreError>;
}

/// Begins Parquet files in a table's folder.
pub(in crate::sink) struct FileStage<S> {
    shape: Arc<S>,
    clock: Arc<dyn Clock>,
}

impl<S: Shape> FileStage<S> {
    /// Stages into the table of `shape`.
    pub(in crate::sink) fn new(shape: S, clock: Arc<dyn Clock>) -> Self {
        FileStage { shape: Arc::new(shape), clock }
    }

    /// Begins a writer that may go from thread to thread, if the shape can.
    pub(in crate::sink) fn writer(&self) -> CutWriter<S> {
        CutWriter {
            shape: self.shape.clone(),
            clock: self.clock.clone(),
            open: BTreeMap::new(),
            begun: 0,
            closed: Vec::new(),
            pile: Pile::default(),
        }
    }
}

impl<S: Shape> Stage for FileStage<S> {
    fn begin(&self) -> Result<Box<dyn StageWriter>, StoreError> {
        Ok(Box::new(self.writer()))
    }
}

/// The files of one cut.
pub(in crate::sink) struct CutWriter<S: Shape> {
    shape: Arc<S>,
    clock: Arc<dyn Clock>,
    open: BTreeMap<S::Key, PartWriter>,
    begun: u64,
    /// Files that are closed but not yet durable. No handle is kept, because a cut may have more
    /// files than a process may have open.
    closed: Vec<Closed>,
    /// The contents of the files for blobs that were closed before the cut was.
    pile: Pile,
}

/// A complete file, and where its content is: none if it is in place already.
type Closed = (StagedFile, Option<Written>);

impl<S: Shape> StageWriter for CutWriter<S> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        fail::fail_point!("stage-write");
        for (key, part) in self.shape.parts(batch)? {
            self.write_part(&key, &part)?;
        }
        Ok(())
    }

    fn memory(&self) -> u64 {
        self.open.values().map(PartWriter::memory).sum()
    }

    fn relieve(&mut self) -> Result<(), StoreError> {
        let Some((key, part)) = self.open.iter_mut().max_by_key(|(_, part)| part.memory()) else { return Ok(()) };
        // Short row groups cost the readers, and short files everybody, so those come last.
        if part.memory() > SHORT_ROW_GROUP {
            return part.close_row_group();
        }
        let key = key.clone();
        self.close_part(&key)
    }

    fn finish(mut self: Box<Self>) -> Result<Pending<'static, Result<Vec<StagedFile>, StoreError>>, StoreError> {
        while let Some((key, part)) = self.open.pop_first() {
            self.closed.push(part.close(&*self.shape, &key)?);
        }
        fail::fail_point!("stage-closed");
        let closed = self.closed;
        Ok(match self.shape.place().clone() {
            Place::Disk(directory) => Box::pin(blocking(move || sync(&directory, closed))),
            Place::Blobs(table) => Box::pin(upload(table, closed, self.clock)),
        })
    }
}

impl<S: Shape> CutWriter<S> {
    fn write_part(&mut self, key: &S::Key, batch: &RecordBatch) -> Result<(), StoreError> {
        if !self.open.contains_key(key) {
            if self.open.len() >= OPEN_FILES {
                let first = self.open.iter().min_by_key(|(_, part)| part.order).map(|(key, _)| key.clone());
                first.map_or(Ok(()), |key| self.close_part(&key))?;
            }
            self.begun += 1;
            let part = PartWriter::begin(&*self.shape, (key, batch), self.begun, Stamp::now(&*self.clock))?;
            self.open.insert(key.clone(), part);
        }
        let part = self.open.get_mut(key).expect("it was just opened");
        part.write(batch)
    }

    /// Completes a file before the cut is closed.
    fn close_part(&mut self, key: &S::Key) -> Result<(), StoreError> {
        if let Some(part) = self.open.remove(key) {
            let (staged, written) = part.close(&*self.shape, key)?;
            let written = written.map(|written| self.pile.take(written)).transpose()?;
            self.closed.push((staged, written));
        }
        Ok(())
    }
}

struct PartWriter {
    encoder: FileEncoder<File>,
    staged: StagedFile,
    /// Whether it is written to a scratch file.
    in_scratch: bool,
    /// What was attempted if writing fails.
    attempt: String,
    order: u64,
}

impl PartWriter {
    fn begin<S: Shape>(
        shape: &S,
        (key, part): (&S::Key, &RecordBatch),
        order: u64,
        staged_at: Stamp,
    ) -> Result<Self, StoreError> {
        let path = shape.path(key);
        let (file, in_scratch, attempt) = match shape.place() {
            Place::Disk(directory) => {
                let path = directory.join(&path);
                (create(&path)?, false, format!("write {}", path.display()))
            }
            Place::Blobs(_) => (scratch::file()?, true, scratch::attempt("write")),
        };
        let encoder = FileEncoder::begin(file, shape.schema(part));
        let encoder = encoder.map_err(|e| StoreError::definite(attempt.clone(), e))?;
        let staged = StagedFile { path, size: 0, rows: 0, detail: String::new(), staged_at };
        Ok(PartWriter { encoder, staged, in_scratch, attempt, order })
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

    fn close<S: Shape>(mut self, shape: &S, key: &S::Key) -> Result<Closed, StoreError> {
        let failed = |e: ParquetError| StoreError::definite(self.attempt.clone(), e);
        let finished = self.encoder.finish().map_err(failed)?;
        self.staged.detail = shape.detail(key, &finished)?;
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
    let mut parents = BTreeSet::<PathBuf>::new();
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
