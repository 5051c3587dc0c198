//! What the values of plain columns add to the sums of rows: one hash a value, whatever its
//! neighbours are.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};

use super::Column;

/// Adds each value of `array` that is not null to the sum of its row.
///
/// # Panics
/// On a type that [`kind`](super::kind) does not know.
pub(super) fn add(column: Column, array: &dyn Array, sums: &mut [u128]) {
    each(column, array, |row, value| sums[row] = sums[row].wrapping_add(value));
}

/// Tells what each value of `array` that is not null adds to a sum, with its place.
fn each(column: Column, array: &dyn Array, mut tell: impl FnMut(usize, u128)) {
    let bits = |tell: &mut dyn FnMut(usize, u128), of: &dyn Fn(usize) -> u128| {
        (0..array.len()).filter(|row| array.is_valid(*row)).for_each(|row| tell(row, of(row)));
    };
    match array.data_type() {
        DataType::Boolean => bits(&mut tell, &|row| column.number(array.as_boolean().value(row).into())),
        DataType::Int8 => numbers::<Int8Type>(column, array.as_primitive(), tell, |v| v.into()),
        DataType::Int16 => numbers::<Int16Type>(column, array.as_primitive(), tell, |v| v.into()),
        DataType::Int32 => numbers::<Int32Type>(column, array.as_primitive(), tell, |v| v.into()),
        DataType::Int64 => numbers::<Int64Type>(column, array.as_primitive(), tell, |v| v),
        DataType::UInt8 => numbers::<UInt8Type>(column, array.as_primitive(), tell, |v| v.into()),
        DataType::UInt16 => numbers::<UInt16Type>(column, array.as_primitive(), tell, |v| v.into()),
        DataType::UInt32 => numbers::<UInt32Type>(column, array.as_primitive(), tell, |v| v.into()),
        DataType::UInt64 => numbers::<UInt64Type>(column, array.as_primitive(), tell, u64::cast_signed),
        DataType::Date32 => numbers::<Date32Type>(column, array.as_primitive(), tell, |v| v.into()),
        // The sign of a zero and the bits of a NaN count.
        DataType::Float32 => numbers::<Float32Type>(column, array.as_primitive(), tell, |v| v.to_bits().into()),
        DataType::Float64 => numbers::<Float64Type>(column, array.as_primitive(), tell, |v| v.to_bits().cast_signed()),
        DataType::Time64(TimeUnit::Microsecond) => {
            numbers::<Time64MicrosecondType>(column, array.as_primitive(), tell, |v| v);
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            numbers::<TimestampMicrosecondType>(column, array.as_primitive(), tell, |v| v);
        }
        DataType::Decimal128(..) => {
            let values = array.as_primitive::<Decimal128Type>();
            bits(&mut tell, &|row| column.bytes(&values.value(row).to_le_bytes()));
        }
        DataType::Utf8 => bits(&mut tell, &|row| column.bytes(array.as_string::<i32>().value(row).as_bytes())),
        DataType::Binary => bits(&mut tell, &|row| column.bytes(array.as_binary::<i32>().value(row))),
        DataType::FixedSizeBinary(_) => bits(&mut tell, &|row| column.bytes(array.as_fixed_size_binary().value(row))),
        DataType::List(_) => lists(column, array, tell),
        other => panic!("there is no checksum of values of type {other}"),
    }
}

fn numbers<T: ArrowPrimitiveType>(
    column: Column,
    values: &PrimitiveArray<T>,
    mut tell: impl FnMut(usize, u128),
    number: impl Fn(T::Native) -> i64,
) {
    match values.nulls() {
        None => values.values().iter().enumerate().for_each(|(row, v)| tell(row, column.number(number(*v)))),
        Some(nulls) => nulls.valid_indices().for_each(|row| tell(row, column.number(number(values.value(row))))),
    }
}

/// A list is the bytes of what its elements add, 16 each, zeros for null.
fn lists(column: Column, array: &dyn Array, mut tell: impl FnMut(usize, u128)) {
    let lists = array.as_list::<i32>();
    let mut elements = vec![0_u128; lists.values().len()];
    let mut keep = |at: usize, value| elements[at] = value;
    // Not generic here, or lists of lists would be instantiated without end.
    each(column, lists.values(), &mut keep as &mut dyn FnMut(usize, u128));
    let mut bytes = Vec::new();
    for row in (0..lists.len()).filter(|row| lists.is_valid(*row)) {
        let ends = lists.value_offsets();
        bytes.clear();
        for element in &elements[ends[row] as usize..ends[row + 1] as usize] {
            bytes.extend_from_slice(&element.to_le_bytes());
        }
        tell(row, column.bytes(&bytes));
    }
}
