//! Values in another type, if they are the same there.

use arrow_array::ArrayRef;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType;

/// `array` as one of type `to`, which [has counterparts](has_counterparts) of its values. Each
/// value comes back from there as it was, so none is rounded, cut off, or left out.
///
/// # Errors
/// In words that follow the column's name.
pub(super) fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    let from = array.data_type();
    if from == to {
        return Ok(array.clone());
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let there = cast_with_options(array, to, &options);
    let back = there.as_ref().ok().and_then(|there| cast_with_options(there, from, &options).ok());
    match there {
        Ok(there) if back.is_some_and(|back| *back == **array) => Ok(there),
        _ => Err(format!("is {from}, and has values that {to} does not have exactly")),
    }
}

/// Whether it is clear what a value is in the other type. Texts are as PostgreSQL would write them;
/// of floating-point numbers and moments, settings of a session decide that.
pub(super) fn has_counterparts(from: &DataType, to: &DataType) -> bool {
    let is_exact = |of: &DataType| of.is_integer() || matches!(of, DataType::Decimal128(..));
    match (from, to) {
        (DataType::List(from), DataType::List(to)) => has_counterparts(from.data_type(), to.data_type()),
        (from, to) if is_exact(from) => is_exact(to) || to.is_floating() || *to == DataType::Utf8,
        (DataType::Float32, DataType::Float64) => true,
        (DataType::Boolean | DataType::Date32, DataType::Utf8) => true,
        (DataType::Date32, DataType::Timestamp(_, None)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::{Float64Type, Int64Type};
    use arrow_array::{
        Array, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array,
        ListArray, StringArray, TimestampMicrosecondArray,
    };
    use arrow_schema::TimeUnit;

    use super::*;

    fn decimals(values: &[Option<i128>], precision: u8, scale: i8) -> ArrayRef {
        let array = Decimal128Array::from(values.to_vec()).with_precision_and_scale(precision, scale);
        Arc::new(array.expect("digits that fit"))
    }

    #[test]
    fn values_are_the_same_in_a_type_that_has_them() {
        let integers: ArrayRef = Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(7)]));
        let texts = |of: &[Option<&str>]| Arc::new(StringArray::from(of.to_vec())) as ArrayRef;
        let list = |of: &[i64]| {
            let items = of.iter().map(|item| Some(*item)).collect::<Vec<_>>();
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(items), None])) as ArrayRef
        };
        for (from, to) in [
            (integers.clone(), Arc::new(Int64Array::from(vec![Some(i64::from(i32::MIN)), None, Some(7)])) as ArrayRef),
            (integers.clone(), texts(&[Some("-2147483648"), None, Some("7")])),
            (integers, decimals(&[Some(-214_748_364_800), None, Some(700)], 12, 2)),
            (decimals(&[Some(-1), Some(1050), None], 10, 2), texts(&[Some("-0.01"), Some("10.50"), None])),
            (decimals(&[Some(1050), None], 10, 2), decimals(&[Some(105_000), None], 12, 4)),
            (decimals(&[Some(1050)], 10, 2), decimals(&[Some(105)], 4, 1)),
            (
                Arc::new(Float32Array::from(vec![0.1, f32::NAN])),
                Arc::new(Float64Array::from(vec![f64::from(0.1_f32), f64::NAN])),
            ),
            (Arc::new(BooleanArray::from(vec![Some(true), None])), texts(&[Some("true"), None])),
            (Arc::new(Date32Array::from(vec![-1, 19_000])), texts(&[Some("1969-12-31"), Some("2022-01-08")])),
            (Arc::new(Date32Array::from(vec![1])), Arc::new(TimestampMicrosecondArray::from(vec![86_400_000_000]))),
        ] {
            assert_eq!(&cast(&from, to.data_type()).expect("a counterpart"), &to, "{from:?}");
        }
        let as_doubles = DataType::new_list(DataType::Float64, true);
        let doubles = ListArray::from_iter_primitive::<Float64Type, _, _>([Some(vec![Some(3.0)]), None]);
        let cast_list = cast(&list(&[3]), &as_doubles).expect("a counterpart");
        assert_eq!(cast_list.to_data(), doubles.to_data());
        assert!(cast(&list(&[(1 << 53) + 1]), &as_doubles).is_err());
    }

    #[test]
    fn what_would_become_another_value_is_refused_in_words() {
        let wide: ArrayRef = Arc::new(Int64Array::from(vec![1 << 40, (1 << 53) + 1]));
        for (from, to, word) in [
            (wide.clone(), DataType::Int32, "has values that Int32"),
            (wide.clone(), DataType::Float64, "exactly"),
            (wide, DataType::Decimal128(5, 2), "exactly"),
            (decimals(&[Some(1055)], 10, 2), DataType::Decimal128(10, 1), "exactly"),
            (decimals(&[Some(1050)], 10, 2), DataType::Int32, "exactly"),
        ] {
            let error = cast(&from, &to).expect_err("no counterpart");
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn what_a_session_decides_has_no_counterpart() {
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let local = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (from, to) in [(DataType::Utf8, DataType::Int32), (DataType::Float64, DataType::Utf8), (local, zoned)] {
            assert!(!has_counterparts(&from, &to), "{from} {to}");
        }
    }
}
