//! Where rows land. Each sink is a folder; all of them pass the conformance suite in
//! `tests/conformance`. What sinks share are three rooms that know none of them: `parquet`, the
//! encoding of files, `files`, the places where files are, and `staging`, which writes the one into
//! the other. `measured` counts the time that a stage takes.

pub mod delta;
pub mod ducklake;
pub mod files;
pub mod measured;
mod parquet;
mod staging;

use arrow_array::RecordBatch;

use crate::error::StoreError;
use crate::protocol::Pending;
use crate::protocol::staged::StagedFile;

/// Begins files that no reader can see yet. Every worker has one per table.
///
/// Here, with its [`StageWriter`], a stage whose files are in memory:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::collections::BTreeMap;
/// use std::sync::{Arc, Mutex};
///
/// use arrow_array::{Int64Array, RecordBatch};
/// use lakefront_operators::run::clock::SystemClock;
/// use lakefront_operators::error::StoreError;
/// use lakefront_operators::protocol::Pending;
/// use lakefront_operators::protocol::clock::Stamp;
/// use lakefront_operators::protocol::staged::StagedFile;
/// use lakefront_operators::sink::{Stage, StageWriter};
/// use uuid::Uuid;
///
/// /// Files by their names. A commit would list those that readers see.
/// #[derive(Clone, Default)]
/// struct Memory(Arc<Mutex<BTreeMap<String, Vec<RecordBatch>>>>);
///
/// struct Writer {
///     files: Memory,
///     staged_at: Stamp,
///     /// Batches that are not written yet, and the file so far.
///     open: Vec<RecordBatch>,
///     file: Vec<RecordBatch>,
/// }
///
/// impl Stage for Memory {
///     fn begin(&self) -> Result<Box<dyn StageWriter>, StoreError> {
///         let (files, staged_at) = (self.clone(), Stamp::now(&SystemClock));
///         Ok(Box::new(Writer { files, staged_at, open: Vec::new(), file: Vec::new() }))
///     }
/// }
///
/// impl StageWriter for Writer {
///     fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
///         self.open.push(batch.clone());
///         Ok(())
///     }
///
///     fn memory(&self) -> u64 {
///         self.open.iter().map(|batch| batch.get_array_memory_size() as u64).sum()
///     }
///
///     fn relieve(&mut self) -> Result<(), StoreError> {
///         self.file.append(&mut self.open);
///         Ok(())
///     }
///
///     fn finish(
///         mut self: Box<Self>,
///     ) -> Result<Pending<'static, Result<Vec<StagedFile>, StoreError>>, StoreError> {
///         self.relieve()?;
///         let Writer { files, staged_at, file, .. } = *self;
///         let rows = file.iter().map(|batch| batch.num_rows() as u64).sum();
///         let (path, size, detail) = (Uuid::new_v4().to_string(), 8 * rows, String::new());
///         Ok(Box::pin(async move {
///             files.0.lock().expect("no panic").insert(path.clone(), file);
///             Ok(vec![StagedFile { path, size, rows, detail, staged_at }])
///         }))
///     }
/// }
///
/// let numbers = Arc::new(Int64Array::from(vec![7, 8, 9])) as _;
/// let stage = Memory::default();
/// let mut writer = stage.begin()?;
/// writer.write(&RecordBatch::try_from_iter([("number", numbers)])?)?;
/// let staged = writer.finish()?.await?;
/// assert_eq!(staged[0].rows, 3);
/// assert!(stage.0.lock().expect("no panic").contains_key(&staged[0].path));
/// # Ok(())
/// # }
/// ```
pub trait Stage {
    /// Begins a writer for one cut.
    fn begin(&self) -> Result<Box<dyn StageWriter>, StoreError>;
}

/// Writes the rows of one cut and one table on one worker. If it is dropped before it is finished,
/// it leaves orphans at most. The example of [`Stage`] has one.
pub trait StageWriter {
    /// Encodes `batch`, on the calling thread.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError>;

    /// The memory held for rows that are not written to their files yet, and for open files, in
    /// bytes.
    fn memory(&self) -> u64;

    /// Frees the largest part of [`StageWriter::memory`]; called repeatedly, all of it.
    fn relieve(&mut self) -> Result<(), StoreError>;

    /// Completes the files. The future makes them durable; it runs on the runtime.
    fn finish(self: Box<Self>) -> Result<Pending<'static, Result<Vec<StagedFile>, StoreError>>, StoreError>;
}
