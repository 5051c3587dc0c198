//! Values that the catalog has as texts: inlined rows, and defaults of columns.
//!
//! | type | text |
//! |---|---|
//! | integers, floats | as Rust reads them: `NaN`, `Infinity`, `1e+300` |
//! | boolean | `true`, `false`, also `1`, `0` |
//! | decimal, date, time, timestamps | as in `bounds`, where `infinity` and years BC are told |
//! | varchar, json | UTF-8, as it is |
//! | blob | bytes, as they are |
//! | lists | as in `lists`, but none of blobs |

use std::str::FromStr;
use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, PrimitiveArray,
    StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow_schema::DataType;
use uuid::Uuid;

use super::lists;
use crate::sink::ducklake::bounds;
use crate::sink::ducklake::types::LakeType;
use crate::sink::parquet::Bound;

/// The bytes of a UUID.
const UUID_BYTES: i32 = 16;

/// The values of a column of type `of`, whose Arrow type is `to`. None if one of them cannot be
/// read.
pub(super) fn array(values: &[Option<&[u8]>], of: &LakeType, to: &DataType) -> Option<ArrayRef> {
    if *of == LakeType::Blob {
        return Some(Arc::new(BinaryArray::from(values.to_vec())));
    }
    let texts = read(values, |bytes| std::str::from_utf8(bytes).ok())?;
    let whole = || read(&texts, |text| signed(text, of));
    let array: ArrayRef = match of {
        LakeType::Boolean => Arc::new(BooleanArray::from(read(&texts, boolean)?)),
        LakeType::Int8 => numbers::<Int8Type>(&texts)?,
        LakeType::Int16 => numbers::<Int16Type>(&texts)?,
        LakeType::Int32 => numbers::<Int32Type>(&texts)?,
        LakeType::Int64 => numbers::<Int64Type>(&texts)?,
        LakeType::UInt8 => numbers::<UInt8Type>(&texts)?,
        LakeType::UInt16 => numbers::<UInt16Type>(&texts)?,
        LakeType::UInt32 => numbers::<UInt32Type>(&texts)?,
        LakeType::UInt64 => numbers::<UInt64Type>(&texts)?,
        LakeType::Float32 => numbers::<Float32Type>(&texts)?,
        LakeType::Float64 => numbers::<Float64Type>(&texts)?,
        LakeType::Decimal { precision, scale } => {
            let digits: Decimal128Array = read(&texts, |text| decimal(text, of))?.into_iter().collect();
            Arc::new(digits.with_precision_and_scale(*precision, i8::try_from(*scale).ok()?).ok()?)
        }
        LakeType::Varchar | LakeType::Json => Arc::new(StringArray::from(texts)),
        LakeType::Uuid => {
            let uuids = read(&texts, |text| Uuid::parse_str(text).ok().map(Uuid::into_bytes))?;
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(uuids.into_iter(), UUID_BYTES).ok()?)
        }
        LakeType::Date => {
            let days = read(&texts, |text| i32::try_from(signed(text, of)?).ok())?;
            Arc::new(days.into_iter().collect::<Date32Array>())
        }
        LakeType::Time => Arc::new(whole()?.into_iter().collect::<Time64MicrosecondArray>()),
        LakeType::Timestamp => Arc::new(whole()?.into_iter().collect::<TimestampMicrosecondArray>()),
        LakeType::Timestamptz => {
            Arc::new(whole()?.into_iter().collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        LakeType::List(element) => lists::array(&texts, element, to)?,
        LakeType::Blob | LakeType::Interval | LakeType::Other(_) => return None,
    };
    Some(array)
}

/// Reads each value that there is.
fn read<V: Copy, T>(values: &[Option<V>], one: impl Fn(V) -> Option<T>) -> Option<Vec<Option<T>>> {
    let each = |value: &Option<V>| match value {
        Some(value) => one(*value).map(Some),
        None => Some(None),
    };
    values.iter().map(each).collect()
}

fn numbers<T>(texts: &[Option<&str>]) -> Option<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: FromStr,
{
    let numbers: PrimitiveArray<T> = read(texts, |text| text.parse::<T::Native>().ok())?.into_iter().collect();
    Some(Arc::new(numbers))
}

fn boolean(text: &str) -> Option<bool> {
    match bounds::read(text, &LakeType::Boolean, false)? {
        Bound::Bool(value) => Some(value),
        _ => None,
    }
}

fn signed(text: &str, of: &LakeType) -> Option<i64> {
    match bounds::read(text, of, false)? {
        Bound::Signed(value) => Some(value),
        _ => None,
    }
}

fn decimal(text: &str, of: &LakeType) -> Option<i128> {
    match bounds::read(text, of, false)? {
        Bound::Decimal(digits) => Some(digits),
        _ => None,
    }
}
