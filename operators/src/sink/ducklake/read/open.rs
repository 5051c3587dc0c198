//! Opening a Parquet file that is in memory.

use azure_core::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::TypePtr;

use super::{BATCH, Fault};

/// A batch of rows of average width takes about this many bytes at most.
const BATCH_BYTES: i64 = 16 << 20;

/// The rows of the file with this content, in batches: those of its top-level columns that
/// `choose` returns the indices of, in the order of the file. Their fields carry the field ids.
///
/// Types are those of the Parquet schema alone; an Arrow schema that a writer left beside it is not
/// looked at.
pub(super) fn open(
    content: Vec<u8>,
    choose: impl FnOnce(&[TypePtr]) -> Result<Vec<usize>, Fault>,
) -> Result<ParquetRecordBatchReader, Fault> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(Bytes::from(content), options)?;
    let schema = builder.parquet_schema();
    let chosen = choose(schema.root_schema().get_fields())?;
    let rows = batch_rows(builder.metadata(), &chosen);
    let mask = ProjectionMask::roots(schema, chosen);
    Ok(builder.with_projection(mask).with_batch_size(rows).build()?)
}

/// How many rows of the columns `chosen` a batch has: fewer if they are wide in one of the file's
/// row groups. A text that a dictionary has once counts once, unless the file says otherwise.
fn batch_rows(file: &ParquetMetaData, chosen: &[usize]) -> usize {
    let schema = file.file_metadata().schema_descr();
    let bytes = |group: &RowGroupMetaData| -> i64 {
        let columns = group.columns().iter().enumerate();
        let wanted = columns.filter(|(leaf, _)| chosen.contains(&schema.get_column_root_idx(*leaf)));
        let size = |(_, column): (usize, &ColumnChunkMetaData)| {
            column.unencoded_byte_array_data_bytes().unwrap_or_default().max(column.uncompressed_size())
        };
        wanted.map(size).sum()
    };
    let fits = |group: &RowGroupMetaData| {
        let width = bytes(group).max(0) / group.num_rows().max(1);
        usize::try_from(BATCH_BYTES / width.max(1)).unwrap_or(BATCH)
    };
    file.row_groups().iter().map(fits).min().unwrap_or(BATCH).clamp(1, BATCH)
}
