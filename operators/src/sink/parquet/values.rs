//! The values of a column, whatever their type.

use arrow_schema::DataType;
use parquet::basic::{Encoding, Type};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescriptor;

use super::arrays::ValueArray;
use super::fixed::Fixed;
use super::indices::RowRange;
use super::numbers::Numbers;
use super::texts::Texts;

/// The values of one chunk, and of its current page.
pub(super) enum Values {
    Texts(Texts),
    Longs(Numbers<i64>),
    Ints(Numbers<i32>),
    Doubles(Numbers<f64>),
    Floats(Numbers<f32>),
    Bools(Numbers<bool>),
    Fixed(Numbers<Fixed>),
}

/// Does the same with whatever values there are, texts aside.
macro_rules! with {
    ($values:expr, $texts:ident => $of_texts:expr, $numbers:ident => $of_numbers:expr) => {
        match $values {
            Values::Texts($texts) => $of_texts,
            Values::Longs($numbers) => $of_numbers,
            Values::Ints($numbers) => $of_numbers,
            Values::Doubles($numbers) => $of_numbers,
            Values::Floats($numbers) => $of_numbers,
            Values::Bools($numbers) => $of_numbers,
            Values::Fixed($numbers) => $of_numbers,
        }
    };
}

impl Values {
    /// The values of a column with this descriptor; none if there are no such columns.
    pub(super) fn new(column: &ColumnDescriptor, data_type: &DataType) -> Option<Self> {
        let signed = column.sort_order().is_signed();
        Some(match column.physical_type() {
            Type::BYTE_ARRAY => Values::Texts(Texts::new(matches!(data_type, DataType::Utf8 | DataType::LargeUtf8))),
            Type::INT64 => Values::Longs(Numbers::new(signed)),
            Type::INT32 => Values::Ints(Numbers::new(signed)),
            Type::DOUBLE => Values::Doubles(Numbers::new(signed)),
            Type::FLOAT => Values::Floats(Numbers::new(signed)),
            Type::BOOLEAN => Values::Bools(Numbers::new(signed)),
            Type::FIXED_LEN_BYTE_ARRAY => Values::Fixed(Numbers::new(signed)),
            Type::INT96 => return None,
        })
    }

    /// Takes rows, and returns how many: zero only if the page [has to end](Values::page_ends);
    /// none if the array is of another type.
    pub(super) fn take(&mut self, array: &ValueArray<'_>, rows: RowRange<'_>) -> Option<usize> {
        Some(match (self, array) {
            (Values::Texts(texts), ValueArray::Texts(array)) => texts.take(*array, rows),
            (Values::Longs(numbers), ValueArray::Longs(array)) => numbers.take(array, rows),
            (Values::Ints(numbers), ValueArray::Ints(array)) => numbers.take(array, rows),
            (Values::Doubles(numbers), ValueArray::Doubles(array)) => numbers.take(array, rows),
            (Values::Floats(numbers), ValueArray::Floats(array)) => numbers.take(array, rows),
            (Values::Bools(numbers), ValueArray::Bools(array)) => numbers.take(array, rows),
            (Values::Fixed(numbers), ValueArray::Fixed(array)) => numbers.take(array, rows),
            _ => return None,
        })
    }

    /// Whether the current page can take no more.
    pub(super) fn page_ends(&self) -> bool {
        with!(self, texts => texts.page_ends(), numbers => numbers.page_ends())
    }

    /// The current page after its `levels`: in `levels` or in `buffer`, or in a buffer of its own.
    /// `last` means that it is the last of its chunk.
    pub(super) fn page<'a>(
        &'a mut self,
        levels: &'a mut Vec<u8>,
        last: bool,
        buffer: &'a mut Vec<u8>,
    ) -> (Encoding, &'a [u8]) {
        with!(self, texts => texts.page(levels, last, buffer), numbers => (numbers.page(levels), &levels[..]))
    }

    /// Begins the next page.
    pub(super) fn next_page(&mut self) {
        if let Values::Texts(texts) = self {
            texts.next_page();
        }
    }

    /// The dictionary's values and how many they are, if pages refer to them.
    pub(super) fn dictionary(&self) -> Option<(usize, &[u8])> {
        with!(self, texts => texts.dictionary(), numbers => numbers.dictionary())
    }

    /// The statistics of the chunk, all of whose pages are closed, and whether one of its values is
    /// NaN.
    pub(super) fn statistics(&mut self, nulls: u64) -> (Statistics, bool) {
        with!(self, texts => (texts.statistics(nulls), false), numbers => (numbers.statistics(nulls), numbers.has_nan()))
    }

    /// Memory in use, in bytes.
    pub(super) fn memory(&self) -> usize {
        with!(self, texts => texts.memory(), numbers => numbers.memory())
    }
}
