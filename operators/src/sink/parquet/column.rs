//! One column of a row group: its slots become pages, and its pages a chunk.

use std::io::Write;

use arrow_array::ArrayRef;
use parquet::basic::ConvertedType;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::file::writer::TrackedWrite;

use super::arrays::ValueArray;
use super::chunk::{ColumnChunk, PAGE_ROWS, Press};
use super::indices::RowRange;
use super::leaf::Leaf;
use super::levels::Levels;
use super::values::Values;

pub(super) struct Column {
    values: Values,
    levels: Levels,
    chunk: ColumnChunk,
}

impl Column {
    /// A column for a leaf.
    pub(super) fn new(leaf: &Leaf) -> Result<Self, ParquetError> {
        let values = Values::new(&leaf.column, &leaf.data_type).ok_or_else(|| leaf.mismatch("it cannot be written"))?;
        Ok(Column { values, levels: Levels::new(leaf), chunk: ColumnChunk::default() })
    }

    /// Appends what is of `leaf` in `array`, which is of the field that the leaf belongs to; texts
    /// may come with a dictionary.
    pub(super) fn write(&mut self, leaf: &Leaf, array: &ArrayRef, press: &mut Press) -> Result<(), ParquetError> {
        let other = || leaf.mismatch(&format!("an array of {} does not match its column", array.data_type()));
        let slots = leaf.slots(array)?;
        let values = ValueArray::of(&*slots.values, &leaf.column).ok_or_else(other)?;
        let (mut from, end) = (0, slots.values.len());
        while from < end {
            let count = (end - from).min(PAGE_ROWS - self.levels.slots());
            let rows = RowRange { nulls: slots.nulls.as_ref(), from, count };
            let taken = self.values.take(&values, rows).ok_or_else(other)?;
            self.levels.append(&slots, from, taken);
            from += taken;
            if self.values.page_ends() || self.levels.slots() == PAGE_ROWS {
                self.close_page(false, press)?;
            }
        }
        Ok(())
    }

    /// Memory in use, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.values.memory() + self.levels.memory() + self.chunk.memory()
    }

    /// Writes the column to a file. The result includes whether one of its values is NaN.
    pub(super) fn close<W: Write + Send>(
        mut self,
        leaf: &Leaf,
        press: &mut Press,
        out: &mut TrackedWrite<W>,
    ) -> Result<(ColumnChunkMetaData, bool), ParquetError> {
        if self.levels.slots() > 0 {
            self.close_page(true, press)?;
        }
        let nulls = self.chunk.nulls();
        let (mut statistics, has_nan) = self.values.statistics(nulls);
        if leaf.column.converted_type() == ConvertedType::INTERVAL {
            // Of bounds in no order a reader could only make something wrong.
            statistics = Statistics::fixed_len_byte_array(None, None, None, Some(nulls), false);
        }
        let metadata = self.chunk.write(self.values.dictionary(), statistics, leaf.column.clone(), press, out)?;
        Ok((metadata, has_nan))
    }

    /// A page that must end before its first row is not written.
    fn close_page(&mut self, last: bool, press: &mut Press) -> Result<(), ParquetError> {
        let slots = (self.levels.slots(), self.levels.nulls());
        let (mut levels, mut buffer) = (Vec::new(), Vec::new());
        self.levels.finish(&mut levels);
        let (encoding, page) = self.values.page(&mut levels, last, &mut buffer);
        if slots.0 > 0 {
            self.chunk.push(page, encoding, slots, press)?;
        }
        self.values.next_page();
        Ok(())
    }
}
