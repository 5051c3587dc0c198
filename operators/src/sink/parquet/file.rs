//! One Parquet file: row groups of columns, and the footer that says where they are.

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataWriter, RowGroupMetaData};
use parquet::file::writer::TrackedWrite;
use parquet::schema::types::SchemaDescPtr;

use super::chunk::Press;
use super::column::Column;
use super::leaf::Leaf;
use super::schema;
use super::statistics::{self, LeafStatistics};

const MAGIC: &[u8] = b"PAR1";
/// The end of a file takes this many bytes: the length of its footer, and [`MAGIC`].
const END: usize = 8;
/// The version of the format in the footer, which is that of the pages.
const VERSION: i32 = 1;
const CREATED_BY: &str = concat!("lakefront ", env!("CARGO_PKG_VERSION"));

/// Encodes batches into a file.
pub(in crate::sink) struct FileEncoder<W: Write> {
    out: TrackedWrite<W>,
    schema: SchemaRef,
    descriptor: SchemaDescPtr,
    leaves: Vec<Leaf>,
    /// Which leaves have a value that is NaN, in the row groups that are closed.
    has_nan: Vec<bool>,
    press: Press,
    /// The columns of the open row group; empty until a batch is written.
    columns: Vec<Column>,
    /// The number of rows in the open row group.
    rows: usize,
    row_groups: Vec<RowGroupMetaData>,
}

/// A complete file.
pub(in crate::sink) struct Finished<W> {
    /// Where it was written, which has all of it.
    pub(in crate::sink) out: W,
    /// The content of its footer.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests compare it with what was written"))]
    pub(in crate::sink) metadata: ParquetMetaData,
    /// The length of its footer in bytes, without the eight bytes at the end that say it.
    pub(in crate::sink) footer_length: u32,
    /// How many rows it has.
    pub(in crate::sink) rows: u64,
    /// What it holds, column by column.
    pub(in crate::sink) leaves: Vec<LeafStatistics>,
}

impl<W: Write + Send> FileEncoder<W> {
    /// Begins a file with the columns of `schema`. The error names a column that cannot be written.
    pub(in crate::sink) fn begin(out: W, schema: SchemaRef) -> Result<Self, ParquetError> {
        let descriptor = schema::descriptor(&schema)?;
        let leaves = Leaf::all(&schema, &descriptor)?;
        let has_nan = vec![false; leaves.len()];
        let mut out = TrackedWrite::new(out);
        out.write_all(MAGIC)?;
        let (press, columns, row_groups) = (Press::new(), Vec::new(), Vec::new());
        Ok(FileEncoder { out, schema, descriptor, leaves, has_nan, press, columns, rows: 0, row_groups })
    }

    /// Appends `batch`, which has the columns of the schema in their order; texts may come with a
    /// dictionary.
    pub(in crate::sink) fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let fields = self.schema.fields();
        if batch.num_columns() != fields.len() {
            let (ours, theirs) = (fields.len(), batch.num_columns());
            return Err(ParquetError::General(format!("a batch has {theirs} columns, the file {ours}")));
        }
        if self.columns.is_empty() {
            self.columns = self.leaves.iter().map(Column::new).collect::<Result<_, _>>()?;
        }
        for (column, leaf) in self.columns.iter_mut().zip(&self.leaves) {
            column.write(leaf, batch.column(leaf.root), &mut self.press)?;
        }
        self.rows += batch.num_rows();
        Ok(())
    }

    /// How many rows the open row group has.
    pub(in crate::sink) fn rows(&self) -> usize {
        self.rows
    }

    /// The memory that the open row group takes, in bytes.
    pub(in crate::sink) fn memory(&self) -> usize {
        self.press.memory() + self.columns.iter().map(Column::memory).sum::<usize>()
    }

    /// Writes the open row group, if it has rows, and gives back its memory.
    pub(in crate::sink) fn close_row_group(&mut self) -> Result<(), ParquetError> {
        let (columns, rows) = (std::mem::take(&mut self.columns), std::mem::take(&mut self.rows));
        if rows == 0 {
            return Ok(());
        }
        let start = self.out.bytes_written();
        let mut chunks = Vec::new();
        for ((column, leaf), has_nan) in columns.into_iter().zip(&self.leaves).zip(&mut self.has_nan) {
            let (chunk, nan) = column.close(leaf, &mut self.press, &mut self.out)?;
            chunks.push(chunk);
            *has_nan |= nan;
        }
        self.press = Press::new();
        let ordinal = i16::try_from(self.row_groups.len())
            .map_err(|_| ParquetError::General("a file has too many row groups".into()))?;
        let row_group = RowGroupMetaData::builder(self.descriptor.clone())
            .set_num_rows(rows as i64)
            .set_total_byte_size(chunks.iter().map(|chunk| chunk.uncompressed_size()).sum())
            .set_ordinal(ordinal)
            .set_file_offset(start as i64)
            .set_column_metadata(chunks)
            .build()?;
        self.row_groups.push(row_group);
        Ok(())
    }

    /// Completes the file with its last row group and its footer.
    pub(in crate::sink) fn finish(mut self) -> Result<Finished<W>, ParquetError> {
        self.close_row_group()?;
        let arrow_schema = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encode_arrow_schema(&self.schema));
        let file = FileMetaData::new(
            VERSION,
            self.row_groups.iter().map(RowGroupMetaData::num_rows).sum(),
            Some(CREATED_BY.to_owned()),
            Some(vec![arrow_schema]),
            self.descriptor.clone(),
            // The crate writes the usual column orders.
            None,
        );
        let metadata = ParquetMetaData::new(file, self.row_groups);
        // The writer of the footer flushes when it is dropped, where an error would be lost;
        // writing into memory has none.
        let mut footer = Vec::new();
        ParquetMetaDataWriter::new(&mut footer, &metadata).finish()?;
        self.out.write_all(&footer)?;
        let footer_length = u32::try_from(footer.len() - END)
            .map_err(|_| ParquetError::General("a file has too long a footer".into()))?;
        let rows = metadata.file_metadata().num_rows().unsigned_abs();
        let leaves = statistics::of(&metadata, &self.leaves, &self.has_nan);
        Ok(Finished { out: self.out.into_inner()?, metadata, footer_length, rows, leaves })
    }
}
