//! What a file's footer says of its columns, in a form that no sink owns: each renders its own.
//!
//! Bounds are taken from the footer, so that nothing is computed twice, and are of the whole file.

use arrow_schema::DataType;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use super::leaf::Leaf;

/// The statistics of one leaf of a file.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sink) struct LeafStatistics {
    /// The names of the fields from the schema down to it; those of lists have their elements'
    /// after them.
    pub(in crate::sink) names: Vec<String>,
    /// Whether it is within a list, so that a row may have any number of its values.
    pub(in crate::sink) is_listed: bool,
    /// The field id, if the schema has one.
    pub(in crate::sink) field_id: Option<i32>,
    /// The type of its values.
    pub(in crate::sink) data_type: DataType,
    /// What it takes in the file, in bytes.
    pub(in crate::sink) bytes: u64,
    /// How many values there are, nulls not counted.
    pub(in crate::sink) values: u64,
    /// How many there are not: nulls, and what is absent because something around it is null, or a
    /// list is empty.
    pub(in crate::sink) nulls: u64,
    /// No value is less; none if there are no values, or only NaN.
    pub(in crate::sink) min: Option<Bound>,
    /// No value is greater; none also if it would be too long.
    pub(in crate::sink) max: Option<Bound>,
    /// Whether a value is NaN, which no bound includes.
    pub(in crate::sink) has_nan: bool,
}

/// A least or greatest value. Only those of one leaf can be compared.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(in crate::sink) enum Bound {
    /// Of bits.
    Bool(bool),
    /// Of integers, dates, moments and times of day, in the unit of the type.
    Signed(i64),
    /// Of integers without a sign.
    Unsigned(u64),
    /// Of floats of 32 bits.
    Float(f32),
    /// Of floats of 64 bits.
    Double(f64),
    /// Of decimals: all digits, the scale being that of the type.
    Decimal(i128),
    /// Of texts; may be cut.
    Text(String),
    /// Of binaries, which may be cut, and UUIDs.
    Bytes(Vec<u8>),
}

/// The statistics of each leaf. `has_nan` says which leaves have a NaN, because a footer does not.
pub(super) fn of(file: &ParquetMetaData, leaves: &[Leaf], has_nan: &[bool]) -> Vec<LeafStatistics> {
    let one = |(index, leaf): (usize, &Leaf)| {
        let chunks = || file.row_groups().iter().map(move |group| group.column(index));
        let slots: u64 = chunks().map(|chunk| chunk.num_values().unsigned_abs()).sum();
        let nulls = chunks().filter_map(|chunk| chunk.statistics().and_then(Statistics::null_count_opt)).sum();
        let (min, max) = bounds(chunks().filter_map(|chunk| chunk.statistics()), &leaf.data_type);
        LeafStatistics {
            names: leaf.names.clone(),
            is_listed: leaf.is_listed(),
            field_id: leaf.field_id,
            data_type: leaf.data_type.clone(),
            bytes: chunks().map(|chunk| chunk.compressed_size().unsigned_abs()).sum(),
            values: slots.saturating_sub(nulls),
            nulls,
            min,
            max,
            has_nan: has_nan.get(index).copied().unwrap_or_default(),
        }
    };
    leaves.iter().enumerate().map(one).collect()
}

/// The bounds over all chunks.
fn bounds<'a>(chunks: impl Iterator<Item = &'a Statistics>, data_type: &DataType) -> (Option<Bound>, Option<Bound>) {
    let (mut all_min, mut all_max) = (None::<Bound>, None::<Bound>);
    let (mut no_min, mut no_max) = (false, false);
    for chunk in chunks {
        let (min, max) = of_chunk(chunk, data_type);
        if min.is_none() && max.is_none() {
            // A chunk without values, or with nothing but NaN, narrows nothing.
            continue;
        }
        // There are values, but a bound of theirs may be unknown.
        (no_min, no_max) = (no_min || min.is_none(), no_max || max.is_none());
        all_min = chosen(all_min, min, |new, old| new < old);
        all_max = chosen(all_max, max, |new, old| new > old);
    }
    (all_min.filter(|_| !no_min), all_max.filter(|_| !no_max))
}

fn chosen(old: Option<Bound>, new: Option<Bound>, is_better: impl Fn(&Bound, &Bound) -> bool) -> Option<Bound> {
    match (old, new) {
        (Some(old), Some(new)) if is_better(&new, &old) => Some(new),
        (old, new) => old.or(new),
    }
}

/// The bounds of a chunk; none that cannot be understood.
fn of_chunk(chunk: &Statistics, data_type: &DataType) -> (Option<Bound>, Option<Bound>) {
    fn both<T>(
        min: Option<&T>,
        max: Option<&T>,
        bound: impl Fn(&T) -> Option<Bound>,
    ) -> (Option<Bound>, Option<Bound>) {
        (min.and_then(&bound), max.and_then(&bound))
    }
    use DataType::{Decimal128, LargeUtf8, UInt8, UInt16, UInt32, UInt64, Utf8};
    match (chunk, data_type) {
        (Statistics::Boolean(s), _) => both(s.min_opt(), s.max_opt(), |v| Some(Bound::Bool(*v))),
        (Statistics::Int32(s), UInt8 | UInt16 | UInt32) => {
            both(s.min_opt(), s.max_opt(), |v| Some(Bound::Unsigned(v.cast_unsigned().into())))
        }
        (Statistics::Int64(s), UInt64) => both(s.min_opt(), s.max_opt(), |v| Some(Bound::Unsigned(v.cast_unsigned()))),
        (Statistics::Int32(s), Decimal128(..)) => both(s.min_opt(), s.max_opt(), |v| Some(Bound::Decimal((*v).into()))),
        (Statistics::Int64(s), Decimal128(..)) => both(s.min_opt(), s.max_opt(), |v| Some(Bound::Decimal((*v).into()))),
        (Statistics::FixedLenByteArray(s), Decimal128(..)) => {
            both(s.min_opt(), s.max_opt(), |v| number(v.data()).map(Bound::Decimal))
        }
        (Statistics::Int32(s), _) => both(s.min_opt(), s.max_opt(), |v| Some(Bound::Signed((*v).into()))),
        (Statistics::Int64(s), _) => both(s.min_opt(), s.max_opt(), |v| Some(Bound::Signed(*v))),
        (Statistics::Float(s), _) => both(s.min_opt(), s.max_opt(), |v| Some(Bound::Float(*v))),
        (Statistics::Double(s), _) => both(s.min_opt(), s.max_opt(), |v| Some(Bound::Double(*v))),
        (Statistics::ByteArray(s), Utf8 | LargeUtf8) => {
            both(s.min_opt(), s.max_opt(), |v| v.as_utf8().ok().map(|text| Bound::Text(text.to_owned())))
        }
        (Statistics::ByteArray(s), _) => both(s.min_opt(), s.max_opt(), |v| Some(Bound::Bytes(v.data().to_vec()))),
        (Statistics::FixedLenByteArray(s), _) => {
            both(s.min_opt(), s.max_opt(), |v| Some(Bound::Bytes(v.data().to_vec())))
        }
        (Statistics::Int96(_), _) => (None, None),
    }
}

/// The number with these bytes, the first one the highest, with its sign.
fn number(bytes: &[u8]) -> Option<i128> {
    let filling = if *bytes.first()? < 0x80 { 0 } else { 0xff };
    let mut wide = [filling; 16];
    wide[16usize.checked_sub(bytes.len())?..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}
