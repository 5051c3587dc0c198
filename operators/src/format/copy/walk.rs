//! The walk over the tuples of a stream, and where one batch ends and the next begins.

use std::mem;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;

use super::codec::Codec;
use super::column::{BadRow, Column};
use super::cursor::{Cursor, NoField};
use super::error::{BadValue, CopyError};

/// The count of fields that no tuple has, but the trailer.
const TRAILER: i16 = -1;
/// A batch is closed once its rows have this many bytes in the stream. No column of it has more
/// before its last row, so Arrow's offsets of 32 bits have room for that row, which PostgreSQL
/// limits to 1 GiB.
const MOST_BYTES: usize = i32::MAX as usize / 2;

/// A stream that is being decoded.
pub(super) struct Walk<'a> {
    schema: &'a SchemaRef,
    cursor: Cursor<'a>,
    columns: Vec<Column>,
    /// How many bytes a tuple without NULLs has at least.
    least_bytes: usize,
    /// Rows in the batches before the one that is filled.
    before: u64,
    /// Rows in the batch that is filled.
    held: usize,
}

impl<'a> Walk<'a> {
    /// `cursor` is after the header.
    pub(super) fn new(schema: &'a SchemaRef, codecs: &[Codec], cursor: Cursor<'a>) -> Self {
        let columns = codecs.iter().zip(schema.fields()).map(|(codec, field)| Column::new(codec, field)).collect();
        let least_bytes = 2 + codecs.iter().map(|codec| 4 + codec.least_bytes()).sum::<usize>();
        Walk { schema, cursor, columns, least_bytes, before: 0, held: 0 }
    }

    /// Decodes all tuples and the trailer. Returns how many rows there were.
    pub(super) fn run(mut self, rows: usize, mut each: impl FnMut(RecordBatch)) -> Result<u64, CopyError> {
        loop {
            let ended = self.fill(rows)?;
            if self.held > 0 {
                each(self.batch()?);
            }
            match self.cursor.left() {
                0 if ended => return Ok(self.before),
                _ if ended => return Err(CopyError::GoesOn { rows: self.before }),
                _ => {}
            }
        }
    }

    /// Decodes tuples until the batch is full. Returns whether the trailer was met.
    fn fill(&mut self, rows: usize) -> Result<bool, CopyError> {
        let begin = self.cursor.left();
        // What is asked for in advance is never much more than the bytes that are still to be read.
        let likely = rows.min(begin / self.least_bytes);
        self.columns.iter_mut().for_each(|column| column.reserve(likely));
        while self.held < rows && begin - self.cursor.left() < MOST_BYTES {
            if self.tuple()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Decodes one tuple. Returns whether it was the trailer.
    #[inline]
    fn tuple(&mut self) -> Result<bool, CopyError> {
        let rows = self.before + self.held as u64;
        // A copy stays in registers, which the cursor behind `self` would not.
        let mut cursor = self.cursor;
        let found = cursor.i16().ok_or(CopyError::Ends { rows })?;
        if found == TRAILER {
            self.cursor = cursor;
            return Ok(true);
        }
        if usize::try_from(found) != Ok(self.columns.len()) {
            return Err(CopyError::Fields { row: rows + 1, found, expected: self.columns.len() });
        }
        for (index, column) in self.columns.iter_mut().enumerate() {
            let pushed = match cursor.field() {
                Ok(Some(value)) => column.push(value),
                Ok(None) => column.push_null(),
                Err(NoField::Ends) => return Err(CopyError::Ends { rows }),
                Err(NoField::Length) => Err(BadValue::Length),
            };
            if let Err(wrong) = pushed {
                return Err(bad_value(self.schema, index, rows, wrong));
            }
        }
        self.cursor = cursor;
        self.held += 1;
        Ok(false)
    }

    /// The rows that are held, as a batch. None is held afterwards.
    fn batch(&mut self) -> Result<RecordBatch, CopyError> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (index, column) in self.columns.iter_mut().enumerate() {
            let array = column.finish().map_err(|BadRow { index: row, wrong }| {
                bad_value(self.schema, index, self.before + row as u64, wrong)
            })?;
            arrays.push(array);
        }
        let rows = mem::take(&mut self.held);
        self.before += rows as u64;
        // A batch without columns has rows too, which nothing else tells.
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options);
        // The types are compared with the schema when the decoder is made, every tuple appends one
        // value to every column, and a column that is not nullable refuses NULL.
        Ok(batch.expect("columns of one length that have the schema's types"))
    }
}

/// That a value is wrong, in the row that follows `rows` others.
#[cold]
fn bad_value(schema: &SchemaRef, index: usize, rows: u64, wrong: BadValue) -> CopyError {
    CopyError::Value { column: schema.field(index).name().clone(), row: rows + 1, wrong }
}
