//! The checksum of a row. Its format is documented here, so that anybody can recompute it from the
//! table.
//!
//! ```text
//! column = XXH3-64(name, 0x00, type)
//!          type: as Delta names it (`kind` lists them)
//! value  = XXH3-128(bytes, seeded with the column)
//!          text, binary and UUIDs as they are; numbers, bits of floats, days, and moments in
//!          microseconds as 8 bytes, decimals' digits as 16, little-endian;
//!          a list as the 16 bytes of each element's value, zeros for null
//! row    = XXH3-128(sum of the values, _offset, XXH3-128(_source))
//!          16, 8 and 16 bytes, little-endian
//! ```
//!
//! Sums wrap at 2^128. `_source` and `_offset` do not count as values; neither do nulls, so that an
//! added column changes nothing, nor [`UNTOLD`], which does not come from the source. The hash
//! detects accidents. It does not withstand somebody who can write into the table and wants to
//! deceive, because such a writer could change the totals too.

mod plain;

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt16Type};
use arrow_array::{
    Array, DictionaryArray, GenericByteArray, PrimitiveArray, RecordBatch, types::ArrowPrimitiveType,
    types::ByteArrayType,
};
use arrow_schema::{DataType, TimeUnit};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128, xxh3_128_with_seed};

/// The column that holds a row's partition.
pub const SOURCE: &str = "_source";
/// The column that holds a row's place in its partition. For lines: the byte at which the line
/// starts.
pub const OFFSET: &str = "_offset";
/// The column that does not come from the source: when a line was rejected.
pub const UNTOLD: &str = "rejected_at";

/// A column that is part of the checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column(u64);

impl Column {
    /// The column `name` of a type that Delta calls `kind`.
    pub fn new(name: &str, kind: &str) -> Self {
        Column(xxh3_64(&[name.as_bytes(), b"\0", kind.as_bytes()].concat()))
    }

    /// What a text or binary value adds to a row's sum.
    pub fn bytes(self, value: &[u8]) -> u128 {
        xxh3_128_with_seed(value, self.0)
    }

    /// What an integer, or a moment in microseconds, adds to a row's sum.
    pub fn number(self, value: i64) -> u128 {
        self.bytes(&value.to_le_bytes())
    }
}

/// The rows of one partition.
#[derive(Clone, Copy, Debug)]
pub struct PartitionHash(u128);

impl PartitionHash {
    /// Rows that carry `name` in [`SOURCE`].
    pub fn new(name: &str) -> Self {
        PartitionHash(xxh3_128(name.as_bytes()))
    }

    /// The checksum of the row at `offset` whose values add up to `values`.
    pub fn row(self, offset: u64, values: u128) -> u128 {
        let mut bytes = [0_u8; 40];
        bytes[..16].copy_from_slice(&values.to_le_bytes());
        bytes[16..24].copy_from_slice(&offset.to_le_bytes());
        bytes[24..].copy_from_slice(&self.0.to_le_bytes());
        xxh3_128(&bytes)
    }
}

/// Calls `tell` with the offset of each row of `batch` and the sum of its values, in order. All
/// rows must be of one partition.
///
/// # Panics
/// On a batch without offsets, and on a column of a type that [`kind`] does not know.
pub fn rows(batch: &RecordBatch, sums: &mut Vec<u128>, mut tell: impl FnMut(u64, u128)) {
    let common = values(batch, sums, |name| !matches!(name, SOURCE | OFFSET | UNTOLD));
    let offsets = batch.column_by_name(OFFSET).expect("every row has its offset").as_primitive::<Int64Type>();
    for (offset, sum) in offsets.values().iter().zip(sums) {
        tell(offset.cast_unsigned(), sum.wrapping_add(common));
    }
}

/// The sum of the values of each row of `batch`: rows of the same columns with the same values have
/// the same.
///
/// # Panics
/// On a column of a type that [`kind`] does not know.
pub fn keys(batch: &RecordBatch) -> Vec<u128> {
    let mut sums = Vec::new();
    let common = values(batch, &mut sums, |_| true);
    sums.iter_mut().for_each(|sum| *sum = sum.wrapping_add(common));
    sums
}

/// Sets `sums` to the sums of the rows' values in the columns that count, without what all rows
/// have alike, which is returned.
fn values(batch: &RecordBatch, sums: &mut Vec<u128>, counts: impl Fn(&str) -> bool) -> u128 {
    sums.clear();
    sums.resize(batch.num_rows(), 0);
    // Values that are the same in every row are added once.
    let mut common = 0_u128;
    let schema = batch.schema_ref();
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let name = field.name().as_str();
        if !counts(name) {
            continue;
        }
        // A dictionary is another way to hold the same column.
        let of = match field.data_type() {
            DataType::Dictionary(_, of) => of,
            of => of,
        };
        let kind = kind(of).unwrap_or_else(|| panic!("{name} has a type that there is no checksum of"));
        let column = Column::new(name, &kind);
        match field.data_type() {
            DataType::Dictionary(..) => add_keys(column, array.as_dictionary(), sums, &mut common),
            DataType::Utf8 => add_bytes(column, array.as_string::<i32>(), sums, &mut common),
            DataType::Binary => add_bytes(column, array.as_binary::<i32>(), sums, &mut common),
            DataType::Int64 => add_numbers(column, array.as_primitive::<Int64Type>(), sums),
            _ => plain::add(column, array, sums),
        }
    }
    common
}

/// Delta's name for a type, or ours where Delta has none; none for types without a checksum.
pub fn kind(of: &DataType) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match of {
        DataType::Utf8 => "string",
        DataType::Binary => "binary",
        DataType::Boolean => "boolean",
        DataType::Int8 => "byte",
        DataType::Int16 => "short",
        DataType::Int32 => "integer",
        DataType::Int64 => "long",
        DataType::UInt8 => "unsigned byte",
        DataType::UInt16 => "unsigned short",
        DataType::UInt32 => "unsigned integer",
        DataType::UInt64 => "unsigned long",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Date32 => "date",
        DataType::Time64(TimeUnit::Microsecond) => "time",
        DataType::FixedSizeBinary(16) => "uuid",
        DataType::FixedSizeBinary(12) => "interval",
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamp",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp_ntz",
        DataType::Decimal128(precision, scale) => return Some(format!("decimal({precision},{scale})").into()),
        DataType::List(element) => return Some(format!("array<{}>", kind(element.data_type())?).into()),
        _ => return None,
    }))
}

/// Hashes each value of the dictionary once, or each row's value if there are fewer rows.
fn add_keys(column: Column, values: &DictionaryArray<UInt16Type>, sums: &mut [u128], common: &mut u128) {
    let (keys, texts) = (values.keys(), values.values().as_string::<i32>());
    if keys.len() < texts.len() {
        // A few rows of a large dictionary.
        for (sum, key) in sums.iter_mut().zip(keys) {
            let value = key.map_or(0, |key| column.bytes(texts.value(key.into()).as_bytes()));
            *sum = sum.wrapping_add(value);
        }
        return;
    }
    let added: Vec<u128> = texts.iter().map(|text| text.map_or(0, |text| column.bytes(text.as_bytes()))).collect();
    match (keys.nulls(), added.as_slice()) {
        (None, [same]) => *common = common.wrapping_add(*same),
        (None, _) => {
            for (sum, key) in sums.iter_mut().zip(keys.values()) {
                *sum = sum.wrapping_add(added[usize::from(*key)]);
            }
        }
        (Some(nulls), _) => {
            for row in nulls.valid_indices() {
                sums[row] = sums[row].wrapping_add(added[usize::from(keys.value(row))]);
            }
        }
    }
}

fn add_bytes<T>(column: Column, values: &GenericByteArray<T>, sums: &mut [u128], common: &mut u128)
where
    T: ByteArrayType<Offset = i32>,
    T::Native: AsRef<[u8]>,
{
    match (repeated(values), values.nulls()) {
        (Some(value), _) => *common = common.wrapping_add(column.bytes(value)),
        (None, None) => {
            for (sum, value) in sums.iter_mut().zip(windows(values)) {
                *sum = sum.wrapping_add(column.bytes(value));
            }
        }
        (None, Some(nulls)) => {
            for row in nulls.valid_indices() {
                sums[row] = sums[row].wrapping_add(column.bytes(values.value(row).as_ref()));
            }
        }
    }
}

/// The values of an array without nulls.
fn windows<T: ByteArrayType<Offset = i32>>(values: &GenericByteArray<T>) -> impl Iterator<Item = &[u8]> {
    let data = values.value_data();
    values.value_offsets().windows(2).map(|ends| &data[ends[0] as usize..ends[1] as usize])
}

/// The value that every row has, if there is one. Columns such as server names mostly have one, and
/// comparing the data with itself, shifted by one value, costs much less than a hash per row.
fn repeated<T: ByteArrayType<Offset = i32>>(values: &GenericByteArray<T>) -> Option<&[u8]> {
    let ends = values.value_offsets();
    let (first, last) = (*ends.first()? as usize, *ends.last()? as usize);
    let (length, data) = ((last - first) / values.len().max(1), &values.value_data()[first..last]);
    let same = values.null_count() == 0 && same_length(ends) && data[length..] == data[..data.len() - length];
    same.then(|| &data[..length])
}

/// Whether the values that end at `ends` are all of one length. There is no branch per value, so it
/// costs next to nothing.
fn same_length(ends: &[i32]) -> bool {
    let lengths = || ends.iter().zip(&ends[1..]).map(|(start, end)| end - start);
    let first = lengths().next().unwrap_or_default();
    lengths().fold(0, |difference, length| difference | (length ^ first)) == 0
}

fn add_numbers<T: ArrowPrimitiveType<Native = i64>>(column: Column, values: &PrimitiveArray<T>, sums: &mut [u128]) {
    let Some(nulls) = values.nulls() else {
        for (sum, value) in sums.iter_mut().zip(values.values()) {
            *sum = sum.wrapping_add(column.number(*value));
        }
        return;
    };
    for row in nulls.valid_indices() {
        sums[row] = sums[row].wrapping_add(column.number(values.value(row)));
    }
}
