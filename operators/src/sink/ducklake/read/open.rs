//! Opening a Parquet file that is in memory.

use azure_core::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::schema::types::TypePtr;

use super::{BATCH, Fault};

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
    let mask = ProjectionMask::roots(schema, chosen);
    Ok(builder.with_projection(mask).with_batch_size(BATCH).build()?)
}
