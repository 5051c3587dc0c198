//! Where rows land. Each sink is a folder; all of them pass the conformance suite in
//! `tests/conformance`. What sinks share are two rooms that know none of them: `parquet`, the
//! encoding of files, and `files`, the places where files are.

pub mod delta;
pub mod files;
mod parquet;

use arrow_array::RecordBatch;

use crate::error::StoreError;
use crate::protocol::Pending;
use crate::protocol::staged::StagedFile;

/// Begins files that no reader can see yet. Every worker has one per table.
pub trait Stage {
    /// Begins a writer for one cut.
    fn begin(&self) -> Result<Box<dyn StageWriter>, StoreError>;
}

/// Writes the rows of one cut and one table on one worker. If it is dropped before it is finished,
/// it leaves orphans at most.
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
