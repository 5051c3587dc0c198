//! Values of keys, at the ends of what there is.

use arrow_array::{ArrayRef, Date32Array, Int64Array, TimestampMicrosecondArray};

use super::*;

fn parts(array: &dyn Array, row: usize, of: &LakeType) -> Vec<Option<String>> {
    PARTS.iter().map(|part| value(array, row, of, part)).collect()
}

fn told(parts: [&str; 4]) -> Vec<Option<String>> {
    parts.map(|part| Some(part.to_owned())).to_vec()
}

#[test]
fn keys_are_read_as_they_are_written() {
    assert_eq!(partition_key("ledger_range"), ("ledger_range", "identity"));
    assert_eq!(partition_key("day(closed_at)"), ("closed_at", "day"));
    assert_eq!(partition_key("hour( closed_at )"), ("closed_at", "hour"));
    assert_eq!(partition_key("daylight"), ("daylight", "identity"));
    assert_eq!(partition_key("bucket(4, n)"), ("bucket(4, n)", "identity"));
}

#[test]
fn dates_have_parts() {
    // 2026-03-05, 1969-12-31, 0044-03-15 BC, and what has none.
    let days = Date32Array::from(vec![Some(20_517), Some(-1), Some(-735_160), Some(i32::MAX), Some(-i32::MAX), None]);
    let of = LakeType::Date;
    assert_eq!(parts(&days, 0, &of), told(["2026", "3", "5", "0"]));
    assert_eq!(parts(&days, 1, &of), told(["1969", "12", "31", "0"]));
    assert_eq!(parts(&days, 2, &of), told(["-43", "3", "15", "0"]));
    (3..6).for_each(|row| assert_eq!(parts(&days, row, &of), [const { None }; 4]));
}

#[test]
fn moments_have_parts_in_utc() {
    let micros = vec![Some(-1), Some(20_517 * DAY_US + 13 * HOUR_US), Some(-735_160 * DAY_US), Some(i64::MAX), None];
    let plain = TimestampMicrosecondArray::from(micros);
    let zoned = plain.clone().with_timezone("UTC");
    let arrays: [(ArrayRef, LakeType, &str); 2] = [
        (std::sync::Arc::new(plain), LakeType::Timestamp, "-43"),
        (std::sync::Arc::new(zoned), LakeType::Timestamptz, "44"),
    ];
    for (array, of, year) in arrays {
        assert_eq!(parts(&array, 0, &of), told(["1969", "12", "31", "23"]));
        assert_eq!(parts(&array, 1, &of), told(["2026", "3", "5", "13"]));
        assert_eq!(parts(&array, 2, &of), told([year, "3", "15", "0"]));
        (3..5).for_each(|row| assert_eq!(parts(&array, row, &of), [const { None }; 4]));
    }
}

#[test]
fn what_has_no_keys_is_told() {
    let refused = |of: LakeType, transform| refuse(transform, &of).expect_err("it has no keys");
    assert_eq!(refused(LakeType::Int64, "day"), "the day of a column of type BIGINT");
    assert_eq!(refused(LakeType::Int64, "bucket(4)"), "bucket(4)");
    assert_eq!(refused(LakeType::Float64, IDENTITY), "a column of type DOUBLE");
    assert_eq!(refused(LakeType::Timestamp, IDENTITY), "a column of type TIMESTAMP");
    assert_eq!(refuse(IDENTITY, &LakeType::Int64), Ok(()));
    assert_eq!(value(&Int64Array::from(vec![1]), 0, &LakeType::Int64, IDENTITY), Some("1".to_owned()));
}
