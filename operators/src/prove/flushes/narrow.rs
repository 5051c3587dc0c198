//! Values as they were before others widened their columns: files that were merged or rewritten
//! since have the wider type, and checksums count the one of then.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{ArrayRef, PrimitiveArray, RecordBatch};
use arrow_schema::{DataType, Schema};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use crate::sink::ducklake::Fault;

/// The rows of `batch`, which has a file's columns with their field ids, with the `types` of then,
/// by field id. What does not fit was changed since: it becomes null.
pub(super) fn narrowed(batch: &RecordBatch, types: &[(i64, DataType)]) -> Result<RecordBatch, Fault> {
    let schema = batch.schema();
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let id = field.metadata().get(PARQUET_FIELD_ID_META_KEY).and_then(|id| id.parse::<i64>().ok());
        let to = types.iter().find(|(known, _)| Some(*known) == id).map(|(_, to)| to);
        match to.and_then(|to| narrow(array, to)) {
            Some(array) => {
                fields.push(Arc::new((**field).clone().with_data_type(array.data_type().clone()).with_nullable(true)));
                arrays.push(array);
            }
            None => {
                fields.push(field.clone());
                arrays.push(array.clone());
            }
        }
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// The values as those of a narrower type; `None` if it is not narrower.
fn narrow(array: &ArrayRef, to: &DataType) -> Option<ArrayRef> {
    match (array.data_type(), to) {
        (DataType::Int64, to) => integers::<Int64Type>(array, to),
        (DataType::Int32, to) => integers::<Int32Type>(array, to),
        (DataType::Int16, DataType::Int8) => integers::<Int16Type>(array, to),
        (DataType::Float64, DataType::Float32) => {
            let values = array.as_primitive::<Float64Type>();
            Some(Arc::new(values.unary::<_, Float32Type>(|value| value as f32)))
        }
        (DataType::Decimal128(wide, from), DataType::Decimal128(precision, scale))
            if (wide, from) != (precision, scale) =>
        {
            let one = 10_i128.checked_pow(u32::try_from(from - scale).ok()?)?;
            let values = array.as_primitive::<Decimal128Type>();
            let whole = |digits: i128| (digits % one == 0).then_some(digits / one);
            let values: PrimitiveArray<Decimal128Type> = values.unary_opt(whole);
            Some(Arc::new(values.with_precision_and_scale(*precision, *scale).ok()?))
        }
        _ => None,
    }
}

fn integers<T>(array: &ArrayRef, to: &DataType) -> Option<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    let values = array.as_primitive::<T>();
    Some(match to {
        DataType::Int8 => Arc::new(values.unary_opt::<_, Int8Type>(|value| i8::try_from(value.into()).ok())),
        DataType::Int16 if T::DATA_TYPE != DataType::Int16 => {
            Arc::new(values.unary_opt::<_, Int16Type>(|value| i16::try_from(value.into()).ok()))
        }
        DataType::Int32 if T::DATA_TYPE == DataType::Int64 => {
            Arc::new(values.unary_opt::<_, Int32Type>(|value| i32::try_from(value.into()).ok()))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, Decimal128Array, Int16Array, Int32Array, Int64Array};

    use super::*;

    #[test]
    fn values_are_what_they_were() {
        let wide: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None, Some(i64::MAX)]));
        let narrow_to = |to: &DataType| narrow(&wide, to).expect("a narrower type");
        let expected: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None, None]));
        assert_eq!(&narrow_to(&DataType::Int32), &expected);
        let expected: ArrayRef = Arc::new(Int16Array::from(vec![Some(7), None, None]));
        assert_eq!(&narrow_to(&DataType::Int16), &expected);
        assert!(narrow(&wide, &DataType::Int64).is_none() && narrow(&expected, &DataType::Int32).is_none());
        let digits = Decimal128Array::from(vec![1500, 1501]).with_precision_and_scale(12, 4).expect("decimals");
        let narrower = narrow(&(Arc::new(digits) as ArrayRef), &DataType::Decimal128(9, 2)).expect("narrower");
        assert_eq!(narrower.as_primitive::<Decimal128Type>().value(0), 15);
        assert!(narrower.is_null(1));
    }
}
