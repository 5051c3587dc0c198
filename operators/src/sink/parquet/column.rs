//! One column of a row group: its rows become pages, and its pages a chunk.

use std::io::Write;

use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::writer::TrackedWrite;
use parquet::schema::types::ColumnDescPtr;

use super::chunk::{Chunk, PAGE_ROWS, Press};
use super::indices::Rows;
use super::levels::Levels;
use super::numbers::{Numbers, numbers};
use super::texts::{TextArray, Texts};

pub(super) struct Column {
    values: Values,
    levels: Levels,
    chunk: Chunk,
}

enum Values {
    Texts(Texts),
    Numbers(Numbers),
}

impl Column {
    /// A column of one of the types that our tables have.
    pub(super) fn new(data_type: &DataType) -> Result<Self, ParquetError> {
        let values = match data_type {
            DataType::Utf8 => Values::Texts(Texts::new(true)),
            DataType::Binary => Values::Texts(Texts::new(false)),
            DataType::Int64 | DataType::Timestamp(TimeUnit::Microsecond, _) => Values::Numbers(Numbers::new()),
            other => return Err(ParquetError::NYI(format!("columns of type {other}"))),
        };
        Ok(Column { values, levels: Levels::new(), chunk: Chunk::default() })
    }

    /// Appends `array`, which is of the column's type or, for texts, a dictionary of it.
    pub(super) fn write(&mut self, array: &ArrayRef, press: &mut Press) -> Result<(), ParquetError> {
        let other = || ParquetError::General(format!("an array of {} does not match its column", array.data_type()));
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let mut from = 0;
        while from < array.len() {
            let count = (array.len() - from).min(PAGE_ROWS - self.levels.rows());
            let rows = Rows { nulls: nulls.as_ref(), from, count };
            let (taken, page_ends) = match &mut self.values {
                Values::Texts(texts) => {
                    let taken = texts.take(TextArray::of(array).ok_or_else(other)?, rows);
                    (taken, texts.page_ends())
                }
                Values::Numbers(all) => {
                    let taken = all.take(numbers(array).ok_or_else(other)?, rows);
                    (taken, all.page_ends())
                }
            };
            self.levels.append(nulls.as_ref(), from, taken);
            from += taken;
            if page_ends || self.levels.rows() == PAGE_ROWS {
                self.close_page(false, press)?;
            }
        }
        Ok(())
    }

    /// Memory in use, in bytes.
    pub(super) fn memory(&self) -> usize {
        let values = match &self.values {
            Values::Texts(texts) => texts.memory(),
            Values::Numbers(numbers) => numbers.memory(),
        };
        values + self.levels.memory() + self.chunk.memory()
    }

    /// Writes the column to a file.
    pub(super) fn close<W: Write + Send>(
        mut self,
        column: ColumnDescPtr,
        press: &mut Press,
        out: &mut TrackedWrite<W>,
    ) -> Result<ColumnChunkMetaData, ParquetError> {
        if self.levels.rows() > 0 {
            self.close_page(true, press)?;
        }
        let nulls = self.chunk.nulls();
        let statistics = match &mut self.values {
            Values::Texts(texts) => texts.statistics(nulls),
            Values::Numbers(numbers) => numbers.statistics(nulls),
        };
        let dictionary = match &self.values {
            Values::Texts(texts) => texts.dictionary(),
            Values::Numbers(numbers) => numbers.dictionary(),
        };
        self.chunk.write(dictionary, statistics, column, press, out)
    }

    /// A page that must end before its first row is not written.
    fn close_page(&mut self, last: bool, press: &mut Press) -> Result<(), ParquetError> {
        let rows = (self.levels.rows(), self.levels.nulls());
        let (mut levels, mut buffer) = (Vec::new(), Vec::new());
        self.levels.finish(&mut levels);
        let (encoding, page) = match &mut self.values {
            Values::Texts(texts) => texts.page(&levels, last, &mut buffer),
            Values::Numbers(numbers) => (numbers.page(&mut levels), &levels[..]),
        };
        if rows.0 > 0 {
            self.chunk.push(page, encoding, rows, press)?;
        }
        if let Values::Texts(texts) = &mut self.values {
            texts.next_page();
        }
        Ok(())
    }
}
