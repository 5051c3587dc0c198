//! Values of a file as the table has them now.
//!
//! A column may have been widened since the file was written; its values are widened with it.
//! DuckDB 1.5.5 allows more changes than are read here: truths that became integers, and decimals
//! and integers of 64 bits that became floats.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ListArray};
use arrow_schema::{DataType, FieldRef, TimeUnit};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// A value of date or timestamp that is the greatest is DuckDB's `infinity`, and its negative is
/// `-infinity`.
const ENDLESS_DATE: i32 = i32::MAX;
const ENDLESS: i64 = i64::MAX;

/// `array` with the type `to`: itself, or widened without loss. None if that cannot be.
pub(super) fn fitted(array: &ArrayRef, to: &DataType) -> Option<ArrayRef> {
    use DataType::*;
    if array.data_type() == to {
        return Some(array.clone());
    }
    Some(match (array.data_type(), to) {
        (Int8, Int16) => wider::<Int8Type, Int16Type>(array),
        (Int8, Int32) => wider::<Int8Type, Int32Type>(array),
        (Int8, Int64) => wider::<Int8Type, Int64Type>(array),
        (Int16, Int32) => wider::<Int16Type, Int32Type>(array),
        (Int16, Int64) => wider::<Int16Type, Int64Type>(array),
        (Int32, Int64) => wider::<Int32Type, Int64Type>(array),
        (UInt8, UInt16) => wider::<UInt8Type, UInt16Type>(array),
        (UInt8, UInt32) => wider::<UInt8Type, UInt32Type>(array),
        (UInt8, UInt64) => wider::<UInt8Type, UInt64Type>(array),
        (UInt16, UInt32) => wider::<UInt16Type, UInt32Type>(array),
        (UInt16, UInt64) => wider::<UInt16Type, UInt64Type>(array),
        (UInt32, UInt64) => wider::<UInt32Type, UInt64Type>(array),
        (UInt8, Int16) => wider::<UInt8Type, Int16Type>(array),
        (UInt8, Int32) => wider::<UInt8Type, Int32Type>(array),
        (UInt8, Int64) => wider::<UInt8Type, Int64Type>(array),
        (UInt16, Int32) => wider::<UInt16Type, Int32Type>(array),
        (UInt16, Int64) => wider::<UInt16Type, Int64Type>(array),
        (UInt32, Int64) => wider::<UInt32Type, Int64Type>(array),
        (Int8, Float32) => wider::<Int8Type, Float32Type>(array),
        (Int16, Float32) => wider::<Int16Type, Float32Type>(array),
        (Int8, Float64) => wider::<Int8Type, Float64Type>(array),
        (Int16, Float64) => wider::<Int16Type, Float64Type>(array),
        (Int32, Float64) => wider::<Int32Type, Float64Type>(array),
        (Float32, Float64) => wider::<Float32Type, Float64Type>(array),
        (Date32, Timestamp(TimeUnit::Microsecond, None)) => midnights(array)?,
        (Decimal128(digits, from), Decimal128(precision, scale))
            if i16::from(*digits) - i16::from(*from) <= i16::from(*precision) - i16::from(*scale) =>
        {
            decimals(array, *from, *precision, *scale)?
        }
        (List(_), List(element)) => list(array, element)?,
        _ => return None,
    })
}

fn wider<F, T>(array: &ArrayRef) -> ArrayRef
where
    F: ArrowPrimitiveType,
    T: ArrowPrimitiveType,
    T::Native: From<F::Native>,
{
    Arc::new(array.as_primitive::<F>().unary::<_, T>(T::Native::from))
}

fn midnights(array: &ArrayRef) -> Option<ArrayRef> {
    let midnight = |days: i32| match days {
        ENDLESS_DATE => Ok(ENDLESS),
        days if days == -ENDLESS_DATE => Ok(-ENDLESS),
        days => i64::from(days).checked_mul(DAY).ok_or(()),
    };
    let moments = array.as_primitive::<Date32Type>().try_unary::<_, TimestampMicrosecondType, ()>(midnight);
    Some(Arc::new(moments.ok()?))
}

/// Decimals of which `scale` digits are behind the point, instead of `from`, which are no more.
fn decimals(array: &ArrayRef, from: i8, precision: u8, scale: i8) -> Option<ArrayRef> {
    let more = u32::try_from(i32::from(scale) - i32::from(from)).ok()?;
    let factor = 10_i128.checked_pow(more)?;
    let scaled = |digits: i128| digits.checked_mul(factor).ok_or(());
    let scaled = array.as_primitive::<Decimal128Type>().try_unary::<_, Decimal128Type, ()>(scaled).ok()?;
    Some(Arc::new(scaled.with_precision_and_scale(precision, scale).ok()?))
}

/// Lists with the elements' field `element`.
fn list(array: &ArrayRef, element: &FieldRef) -> Option<ArrayRef> {
    let (_, offsets, values, nulls) = array.as_list::<i32>().clone().into_parts();
    let values = fitted(&values, element.data_type())?;
    Some(Arc::new(ListArray::try_new(element.clone(), offsets, values, nulls).ok()?))
}
