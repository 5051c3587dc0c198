//! Keys as bytes: equal keys have equal bytes, whatever their types.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_row::{Row, RowConverter, Rows, SortField};
use xxhash_rust::xxh3::xxh3_64;

use super::definition::UpsertSpec;
use crate::error::StoreError;

/// Makes bytes of some columns of a table's rows.
pub(super) struct Keys {
    columns: Vec<usize>,
    converter: RowConverter,
    attempt: String,
}

impl Keys {
    /// The key of `spec`.
    pub(super) fn of(spec: &UpsertSpec) -> Result<Keys, StoreError> {
        Keys::by(spec, spec.key_columns())
    }

    /// All columns, to tell whether two rows are the same.
    pub(super) fn whole(spec: &UpsertSpec) -> Result<Keys, StoreError> {
        Keys::by(spec, (0..spec.table.schema.fields().len()).collect())
    }

    fn by(spec: &UpsertSpec, columns: Vec<usize>) -> Result<Keys, StoreError> {
        let attempt = format!("compare rows of {}", spec.table.shown());
        let field = |column: &usize| SortField::new(spec.table.schema.field(*column).data_type().clone());
        let converter = RowConverter::new(columns.iter().map(field).collect());
        let converter = converter.map_err(|e| StoreError::definite(attempt.clone(), e))?;
        Ok(Keys { columns, converter, attempt })
    }

    /// The columns of the key, by their places in the table.
    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The keys of `batch`, which has all columns of the table.
    pub(super) fn of_all(&self, batch: &RecordBatch) -> Result<Rows, StoreError> {
        let columns: Vec<_> = self.columns.iter().map(|column| batch.column(*column).clone()).collect();
        self.rows(&columns)
    }

    /// The keys of `batch`, which has the key's columns alone.
    pub(super) fn of_these(&self, batch: &RecordBatch) -> Result<Rows, StoreError> {
        self.rows(batch.columns())
    }

    /// The keys of all `batches`, which have all columns of the table, after one another.
    pub(super) fn of_batches(&self, batches: &[RecordBatch]) -> Result<Rows, StoreError> {
        let mut keys = self.converter.empty_rows(batches.iter().map(RecordBatch::num_rows).sum(), 0);
        for batch in batches {
            let columns: Vec<_> = self.columns.iter().map(|column| batch.column(*column).clone()).collect();
            let appended = self.converter.append(&mut keys, &columns);
            appended.map_err(|e| StoreError::definite(self.attempt.clone(), e))?;
        }
        Ok(keys)
    }

    fn rows(&self, columns: &[ArrayRef]) -> Result<Rows, StoreError> {
        self.converter.convert_columns(columns).map_err(|e| StoreError::definite(self.attempt.clone(), e))
    }
}

/// The hash of a key.
pub(super) fn hash(key: Row<'_>) -> u64 {
    xxh3_64(key.as_ref())
}

/// The shard, of so many, of each row of `batch`, which has all columns of the table.
///
/// Rows of one key are in one shard, in every process of one release.
pub fn shard_of(spec: &UpsertSpec, batch: &RecordBatch, shards: usize) -> Result<Vec<usize>, StoreError> {
    let keys = Keys::of(spec)?.of_all(batch)?;
    Ok(keys.iter().map(|key| shard(hash(key), shards)).collect())
}

/// The shard of a key with this hash.
pub(super) fn shard(hash: u64, shards: usize) -> usize {
    (hash % shards.max(1) as u64) as usize
}
