//! An array's values in the form in which pages store them.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, ByteArrayType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::types::{BinaryType, LargeBinaryType, LargeUtf8Type, Utf8Type};
use arrow_array::{Array, ArrayRef, GenericByteArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};
use parquet::basic::Type;
use parquet::schema::types::ColumnDescriptor;

use super::fixed::Fixed;
use super::texts::TextArray;
use super::value::Value;

/// The values of an array, arbitrary where it is null.
pub(super) enum ValueArray<'a> {
    Texts(TextArray<'a>),
    Longs(Cow<'a, [i64]>),
    Ints(Cow<'a, [i32]>),
    Doubles(&'a [f64]),
    Floats(&'a [f32]),
    Bools(Vec<bool>),
    Fixed(Vec<Fixed>),
}

impl<'a> ValueArray<'a> {
    /// The values of `array` for a column with this descriptor; none if there are no such columns.
    pub(super) fn of(array: &'a dyn Array, column: &ColumnDescriptor) -> Option<Self> {
        use TimeUnit::{Microsecond, Millisecond, Nanosecond};
        Some(match array.data_type() {
            DataType::Utf8 | DataType::Binary | DataType::Dictionary(..) => ValueArray::Texts(TextArray::of(array)?),
            DataType::Int64 => longs::<Int64Type>(array),
            DataType::Timestamp(Millisecond, _) => longs::<TimestampMillisecondType>(array),
            DataType::Timestamp(Microsecond, _) => longs::<TimestampMicrosecondType>(array),
            DataType::Timestamp(Nanosecond, _) => longs::<TimestampNanosecondType>(array),
            DataType::Time64(Microsecond) => longs::<Time64MicrosecondType>(array),
            DataType::Time64(Nanosecond) => longs::<Time64NanosecondType>(array),
            DataType::UInt64 => ValueArray::Longs(turned::<UInt64Type, _>(array, u64::cast_signed)),
            DataType::Int32 => ints::<Int32Type>(array),
            DataType::Date32 => ints::<Date32Type>(array),
            DataType::Time32(Millisecond) => ints::<Time32MillisecondType>(array),
            DataType::UInt32 => ValueArray::Ints(turned::<UInt32Type, _>(array, u32::cast_signed)),
            DataType::Int16 => ValueArray::Ints(turned::<Int16Type, _>(array, i32::from)),
            DataType::UInt16 => ValueArray::Ints(turned::<UInt16Type, _>(array, i32::from)),
            DataType::Int8 => ValueArray::Ints(turned::<Int8Type, _>(array, i32::from)),
            DataType::UInt8 => ValueArray::Ints(turned::<UInt8Type, _>(array, i32::from)),
            DataType::Null => ValueArray::Ints(vec![0; array.len()].into()),
            DataType::Float64 => ValueArray::Doubles(array.as_primitive::<Float64Type>().values()),
            DataType::Float32 => ValueArray::Floats(array.as_primitive::<Float32Type>().values()),
            DataType::Boolean => ValueArray::Bools(array.as_boolean().values().iter().collect()),
            DataType::Decimal128(..) => decimals(array, column),
            DataType::FixedSizeBinary(12 | 16) => {
                let values = array.as_fixed_size_binary();
                ValueArray::Fixed((0..values.len()).map(|row| Fixed::of(values.value(row))).collect())
            }
            _ => return None,
        })
    }
}

fn longs<T: ArrowPrimitiveType<Native = i64>>(array: &dyn Array) -> ValueArray<'_> {
    ValueArray::Longs(Cow::Borrowed(array.as_primitive::<T>().values()))
}

fn ints<T: ArrowPrimitiveType<Native = i32>>(array: &dyn Array) -> ValueArray<'_> {
    ValueArray::Ints(Cow::Borrowed(array.as_primitive::<T>().values()))
}

fn turned<T: ArrowPrimitiveType, V: Copy>(array: &dyn Array, turn: impl Fn(T::Native) -> V) -> Cow<'_, [V]> {
    Cow::Owned(array.as_primitive::<T>().values().iter().copied().map(turn).collect())
}

/// Where the array is null, a number may have more digits than the column: those are cut off.
fn decimals<'a>(array: &'a dyn Array, column: &ColumnDescriptor) -> ValueArray<'a> {
    match column.physical_type() {
        Type::INT32 => ValueArray::Ints(turned::<Decimal128Type, _>(array, |number| number as i32)),
        Type::INT64 => ValueArray::Longs(turned::<Decimal128Type, _>(array, |number| number as i64)),
        _ => {
            let length = usize::try_from(column.type_length()).unwrap_or_default().min(16);
            let numbers = turned::<Decimal128Type, _>(array, |number| Fixed::number(number, length));
            ValueArray::Fixed(numbers.into_owned())
        }
    }
}

/// Whether all decimals of `array` have no more digits than their type, which Arrow does not see
/// to; true for other types. What is null does not count.
pub(super) fn digits_fit(array: &ArrayRef, nulls: Option<&NullBuffer>) -> bool {
    let DataType::Decimal128(precision, _) = array.data_type() else { return true };
    let Some(most) = 10_i128.checked_pow(u32::from(*precision)) else { return true };
    let numbers = array.as_primitive::<Decimal128Type>().values().iter().enumerate();
    let fits = |number: i128| -most < number && number < most;
    numbers.into_iter().all(|(row, number)| fits(*number) || nulls.is_some_and(|nulls| nulls.is_null(row)))
}

/// `array` with offsets of 32 bits, if it has longer ones; none if its values are too long for
/// them.
pub(super) fn with_short_offsets(array: &ArrayRef) -> Option<ArrayRef> {
    fn short<L, S>(array: &GenericByteArray<L>) -> Option<ArrayRef>
    where
        L: ByteArrayType<Offset = i64>,
        S: ByteArrayType<Offset = i32>,
    {
        let offsets = array.value_offsets();
        let (start, end) = (offsets[0], offsets[array.len()]);
        let short = offsets.iter().map(|offset| i32::try_from(offset - start)).collect::<Result<Vec<_>, _>>().ok()?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(short));
        let bytes = array.values().slice_with_length(start as usize, (end - start) as usize);
        let array = GenericByteArray::<S>::try_new(offsets, bytes, array.nulls().cloned()).ok()?;
        Some(std::sync::Arc::new(array))
    }
    match array.data_type() {
        DataType::LargeUtf8 => short::<LargeUtf8Type, Utf8Type>(array.as_bytes()),
        DataType::LargeBinary => short::<LargeBinaryType, BinaryType>(array.as_bytes()),
        _ => Some(array.clone()),
    }
}
