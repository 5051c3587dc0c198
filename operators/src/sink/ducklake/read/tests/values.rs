//! Values and positions, without files.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Date32Array, Decimal128Array, Float32Array, Int32Array};
use arrow_schema::{DataType, TimeUnit};

use super::numbers;
use crate::sink::ducklake::read::deletes::Positions;
use crate::sink::ducklake::read::{files, fitting, lists, texts};
use crate::sink::ducklake::types::LakeType;

#[test]
fn positions_are_those_of_the_file() {
    let positions = Positions::new(vec![9, 2, 5, 2, -1, i64::MAX]);
    let left = |first, rows| positions.left(first, rows).map(|left| left.values().iter().collect::<Vec<_>>());
    assert_eq!(left(0, 4), Some(vec![true, true, false, true]));
    assert_eq!(left(4, 2), Some(vec![true, false]));
    assert_eq!(left(6, 3), None);
    assert_eq!(left(9, 1), Some(vec![false]));
    assert_eq!(left(10, 100), None);
}

#[test]
fn files_outside_the_range_are_not_read() {
    assert!(files::is_outside(Some("10"), Some("19"), &(0..=9)));
    assert!(files::is_outside(Some("10"), Some("19"), &(20..=30)));
    assert!(files::is_outside(None, Some("19"), &(20..=30)));
    for (min, max) in [(Some("10"), Some("19")), (Some("19"), None), (None, None), (Some("a"), Some("b"))] {
        assert!(!files::is_outside(min, max, &(19..=20)), "{min:?} {max:?}");
    }
}

#[test]
fn narrower_values_are_widened() {
    let of = |array: ArrayRef, to: &DataType| fitting::fitted(&array, to);
    let wide = of(Arc::new(Int32Array::from(vec![Some(-7), None])), &DataType::Int64).expect("wider");
    assert_eq!(wide.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(-7), None]);
    let wide = of(Arc::new(Float32Array::from(vec![1.1])), &DataType::Float64).expect("wider");
    assert_eq!(wide.as_primitive::<Float64Type>().value(0), f64::from(1.1_f32));
    let narrow = Decimal128Array::from(vec![150]).with_precision_and_scale(9, 2).expect("a decimal");
    let wide = of(Arc::new(narrow), &DataType::Decimal128(12, 4)).expect("wider");
    assert_eq!(wide.as_primitive::<Decimal128Type>().value(0), 15_000);
    let days = Date32Array::from(vec![1, i32::MAX]);
    let wide = of(Arc::new(days), &DataType::Timestamp(TimeUnit::Microsecond, None)).expect("wider");
    assert_eq!(wide.as_primitive::<TimestampMicrosecondType>().values(), &[86_400_000_000, i64::MAX]);
    assert!(of(numbers(vec![1]), &DataType::Int32).is_none());
    assert!(of(numbers(vec![1]), &DataType::Utf8).is_none());
}

#[test]
fn lists_are_read_as_duckdb_prints_them() {
    let text = r#"[abc, a b, ' lead', 'x,y', 'x]', 'q\'q', 'd"d', b\s, 'NULL', NULL, '', é, \, 'a\\']"#;
    let expected = ["abc", "a b", " lead", "x,y", "x]", "q'q", "d\"d", "b\\s", "NULL", "-", "", "é", "\\", "a\\"];
    let split = lists::split(text).expect("a list");
    let shown: Vec<&str> = split.iter().map(|element| element.as_deref().unwrap_or("-")).collect();
    assert_eq!(shown, expected);
    assert_eq!(lists::split("[]"), Some(Vec::new()));
    for odd in ["", "[", "]", "[1", "[1,2]", "['a]", "[1] ", "['a'b]", "[1, ", "['\\"] {
        assert_eq!(lists::split(odd), None, "{odd:?}");
    }
}

#[test]
fn inlined_texts_are_values() {
    let read = |text: &str, of: LakeType| {
        let to = of.arrow()?;
        let array = texts::array(&[Some(text.as_bytes()), None], &of, &to)?;
        assert_eq!(array.data_type(), &to);
        assert!(array.len() == 2 && array.is_null(1));
        Some(array)
    };
    let decimal = LakeType::Decimal { precision: 20, scale: 7 };
    let known = [
        ("true", LakeType::Boolean),
        ("-3", LakeType::Int8),
        ("18000000000000000000", LakeType::UInt64),
        ("NaN", LakeType::Float32),
        ("-Infinity", LakeType::Float64),
        ("1e+300", LakeType::Float64),
        ("-12.3400000", decimal.clone()),
        ("héllo", LakeType::Varchar),
        ("\u{0}", LakeType::Blob),
        ("550e8400-e29b-41d4-a716-446655440000", LakeType::Uuid),
        ("0044-03-15 (BC)", LakeType::Date),
        ("infinity", LakeType::Timestamp),
        ("12:30:00.5", LakeType::Time),
        ("2024-01-15 10:30:00.5+00", LakeType::Timestamptz),
        ("['2024-01-15 12:30:00.5']", LakeType::List(Box::new(LakeType::Timestamp))),
    ];
    for (text, of) in known {
        assert!(read(text, of.clone()).is_some(), "{text:?} {of:?}");
    }
    let value = read("-12.3400000", decimal).expect("a decimal");
    assert_eq!(value.as_primitive::<Decimal128Type>().value(0), -123_400_000);
    for (text, of) in [("yes", LakeType::Boolean), ("300", LakeType::Int8), ("", LakeType::Uuid)] {
        assert!(read(text, of.clone()).is_none(), "{text:?} {of:?}");
    }
    assert!(read("['41']", LakeType::List(Box::new(LakeType::Blob))).is_none());
}
