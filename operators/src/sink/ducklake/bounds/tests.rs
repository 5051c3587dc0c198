//! Bounds, their texts, and the looser of two.

use super::moments::{read_date, read_time, read_timestamp};
use super::{Bound, LakeType, greatest, highest, least, lowest, read, text};
use crate::calendar;

const DECIMAL: LakeType = LakeType::Decimal { precision: 20, scale: 7 };

/// Texts that DuckDB 1.5.5 prints, from the least to the greatest of each type.
fn ordered() -> Vec<(LakeType, Vec<&'static str>)> {
    let numbers = |texts: &[&'static str]| texts.to_vec();
    vec![
        (LakeType::Boolean, numbers(&["0", "1"])),
        (LakeType::Int8, numbers(&["-128", "-1", "0", "9", "10", "127"])),
        (LakeType::Int64, numbers(&["-9223372036854775808", "0", "9", "10", "9223372036854775807"])),
        (LakeType::UInt64, numbers(&["0", "9", "10", "18446744073709551615"])),
        (LakeType::Float32, numbers(&["-inf", "-1e+38", "-1.5", "0.0", "1e-45", "0.1", "16777216.0", "1e+16", "inf"])),
        (
            LakeType::Float64,
            numbers(&[
                "-inf",
                "-1e+300",
                "-1.5",
                "0.0",
                "5e-324",
                "1e-07",
                "1e-05",
                "0.0001",
                "5.25",
                "1000000000000000.0",
                "1e+16",
                "1.2345678901234568e+17",
                "1.7976931348623157e+308",
                "inf",
            ]),
        ),
        (DECIMAL, numbers(&["-12.3400000", "-0.0000001", "0.0000000", "9.0000000", "12.3400000"])),
        (LakeType::Decimal { precision: 3, scale: 0 }, numbers(&["-999", "0", "5", "12"])),
        (
            LakeType::Date,
            numbers(&[
                "-infinity",
                "5877642-06-25 (BC)",
                "0044-03-15 (BC)",
                "0001-12-31 (BC)",
                "0001-01-01",
                "1970-01-01",
                "2024-02-29",
                "10000-01-01",
                "5881580-07-10",
                "infinity",
            ]),
        ),
        (LakeType::Time, numbers(&["00:00:00", "00:00:00.1", "12:30:00.123456", "23:59:59.999999", "24:00:00"])),
        (
            LakeType::Timestamp,
            numbers(&[
                "-infinity",
                "290309-12-22 (BC) 00:00:00",
                "0044-03-15 (BC) 12:30:00.5",
                "1969-12-31 23:59:59.999999",
                "2024-01-15 12:30:00.123456",
                "10000-01-01 00:00:00",
                "294247-01-10 04:00:54.775806",
                "infinity",
            ]),
        ),
        (
            LakeType::Timestamptz,
            numbers(&[
                "-infinity",
                "0044-03-15 (BC) 12:30:00.5+00",
                "2024-01-15 10:30:00.5+00",
                "10000-01-01 00:00:00+00",
                "infinity",
            ]),
        ),
        (
            LakeType::Uuid,
            numbers(&[
                "00000000-0000-0000-0000-000000000000",
                "550e8400-e29b-41d4-a716-446655440000",
                "ffffffff-0000-0000-0000-000000000000",
            ]),
        ),
        (LakeType::Varchar, numbers(&["", "h", "he", "héllo' \"x\"", "z", "\u{ffff}", "\u{10000}"])),
        (LakeType::Json, numbers(&["[1]", "{\"k\": 1}", "{}"])),
    ]
}

#[test]
fn texts_are_read_and_written_as_they_were() {
    for (of, texts) in ordered() {
        for written in texts {
            for is_max in [false, true] {
                let bound = read(written, &of, is_max).unwrap_or_else(|| panic!("{written} of {of:?} is read"));
                assert_eq!(text(&bound, &of, is_max).as_deref(), Some(written), "{of:?}");
            }
        }
    }
}

#[test]
fn the_looser_of_two_is_chosen_by_the_type() {
    for (of, texts) in ordered() {
        for (at, low) in texts.iter().enumerate() {
            for high in &texts[at..] {
                for (a, b) in [(low, high), (high, low)] {
                    assert_eq!(least(a, b, &of).as_deref(), Some(*low), "{a} and {b} of {of:?}");
                    assert_eq!(greatest(a, b, &of).as_deref(), Some(*high), "{a} and {b} of {of:?}");
                }
            }
        }
    }
}

#[test]
fn everything_is_within_the_widest() {
    for (of, texts) in ordered() {
        let (low, high) = (lowest(&of).expect("a least"), highest(&of).expect("a greatest"));
        for written in texts {
            assert_eq!(least(written, &low, &of), Some(low.clone()), "{written} of {of:?}");
            assert_eq!(greatest(written, &high, &of), Some(high.clone()), "{written} of {of:?}");
        }
    }
    assert_eq!(lowest(&LakeType::Decimal { precision: 3, scale: 3 }).as_deref(), Some("-0.999"));
    assert_eq!(highest(&LakeType::Decimal { precision: 38, scale: 0 }), Some("9".repeat(38)));
    let list = LakeType::List(Box::new(LakeType::Int64));
    assert_eq!((lowest(&list), highest(&list)), (None, None));
}

#[test]
fn other_spellings_of_duckdb_are_read() {
    let cases = [
        (LakeType::Boolean, "true", "1"),
        (LakeType::Boolean, "false", "0"),
        (LakeType::Float64, "5", "5.0"),
        (LakeType::Decimal { precision: 3, scale: 3 }, "-.001", "-0.001"),
        (LakeType::Decimal { precision: 3, scale: 3 }, ".000", "0.000"),
        (DECIMAL, "12.34", "12.3400000"),
        (DECIMAL, "12.34000000000", "12.3400000"),
        (LakeType::Timestamp, "2024-01-15", "2024-01-15 00:00:00"),
        (LakeType::Timestamptz, "2024-01-15 10:30:00+02", "2024-01-15 08:30:00+00"),
        (LakeType::Timestamptz, "2024-01-15 10:30:00-02:30", "2024-01-15 13:00:00+00"),
        (LakeType::Blob, r"\x00\xFFab", "00FF6162"),
        (LakeType::Blob, r"zz", "7A7A"),
        (LakeType::Blob, "00FF6162", "00FF6162"),
        (LakeType::Blob, "", ""),
    ];
    for (of, theirs, ours) in cases {
        assert_eq!(least(theirs, theirs, &of).as_deref(), Some(ours), "{theirs}");
    }
}

#[test]
fn what_is_not_understood_has_no_bound() {
    let cases: [(LakeType, &[&str]); 9] = [
        (LakeType::Boolean, &["", "2", "yes"]),
        (LakeType::Int64, &["", "1.5", "9223372036854775808", "a"]),
        (LakeType::Float64, &["", "nan", "-nan", "1,5"]),
        (DECIMAL, &["", ".", "-", "1e5", "0.12345678", "--1", "1.-5", "NaN"]),
        (LakeType::Date, &["", "2024-02-30", "2023-02-29", "0000-01-01", "2024-13-01", "2024-01-15 ", "5881580-07-11"]),
        (LakeType::Time, &["", "24:00:00.000001", "12:60:00", "12:30", "12:30:00.", "12:30:00+00"]),
        (LakeType::Timestamp, &["2024-01-15 12:30:00+00", "2024-01-15 ", "294247-01-10 04:00:54.775807", "now"]),
        (LakeType::Timestamptz, &["2024-01-15 12:30:00", "2024-01-15 12:30:00 UTC", "2024-01-15 12:30:00+"]),
        (LakeType::Blob, &[r"\x0", r"\", "é", r"a\b"]),
    ];
    for (of, texts) in cases {
        let known = lowest(&of).expect("a least");
        for wrong in texts {
            assert_eq!((least(wrong, &known, &of), greatest(&known, wrong, &of)), (None, None), "{wrong} of {of:?}");
        }
    }
    let other = LakeType::Other("int128".to_owned());
    assert_eq!((least("1", "2", &other), text(&Bound::Signed(1), &other, false)), (None, None));
}

#[test]
fn bounds_of_another_type_or_without_a_text_have_none() {
    let cases = [
        (Bound::Double(f64::NAN), LakeType::Float64),
        (Bound::Text("a\0b".to_owned()), LakeType::Varchar),
        (Bound::Bytes(vec![1, 2]), LakeType::Uuid),
        (Bound::Signed(i64::MIN), LakeType::Timestamp),
        (Bound::Signed(i64::from(i32::MIN)), LakeType::Date),
        (Bound::Signed(-1), LakeType::Time),
        (Bound::Text("1".to_owned()), LakeType::Int64),
    ];
    for (bound, of) in cases {
        assert_eq!((text(&bound, &of, false), text(&bound, &of, true)), (None, None), "{bound:?}");
    }
}

#[test]
fn moments_are_where_duckdb_has_them() {
    assert_eq!(read_date("0044-03-15 (BC)"), Some(-735_160));
    assert_eq!(read_date("10000-01-01"), Some(2_932_897));
    assert_eq!(read_date("5877642-06-25 (BC)"), Some(-2_147_483_646));
    assert_eq!(read_date("-infinity"), Some(-2_147_483_647));
    assert_eq!(read_time("12:30:00.1"), Some(45_000_100_000));
    assert_eq!(read_timestamp("0044-03-15 (BC) 12:30:00.5", false), Some(-63_517_778_999_500_000));
    assert_eq!(read_timestamp("2024-01-15 10:30:00.5+02:30:15", true), Some(1_705_305_585_500_000));
    assert_eq!(read_timestamp("290309-12-22 (BC) 00:00:00", false), Some(-9_223_372_022_400_000_000));
    assert_eq!(read_timestamp("infinity", true), Some(i64::MAX));
}

#[test]
fn days_follow_each_other() {
    let mut before = calendar::date(-800_001);
    for days in -800_000..=800_000 {
        let date = calendar::date(days);
        assert_eq!(calendar::days(date), days);
        let (year, month, day) = before;
        let is_next = date == (year, month, day + 1) || date == (year, month + 1, 1) || date == (year + 1, 1, 1);
        assert!(is_next, "{date:?} follows {before:?}");
        before = date;
    }
}

#[test]
fn a_blob_that_has_two_readings_is_bounded_by_both() {
    for ambiguous in ["42", "3132", "ABCD", "0000", "FFFF", "00FF6162", "abcd"] {
        let plain = Bound::Bytes(ambiguous.as_bytes().to_vec());
        let digits = ambiguous.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
        let bytes = digits.map(|pair| u8::from_str_radix(pair, 16).expect("two digits")).collect();
        let hexadecimal = Bound::Bytes(bytes);
        for (is_max, looser) in [(false, least as fn(&str, &str, &LakeType) -> _), (true, greatest)] {
            let bound = read(ambiguous, &LakeType::Blob, is_max).expect("bytes");
            let is_loose = |value: &Bound| if is_max { bound >= *value } else { bound <= *value };
            assert!(is_loose(&plain) && is_loose(&hexadecimal), "{ambiguous}: {bound:?}");
            // What is written does not become looser each time it is read.
            let once = looser(ambiguous, ambiguous, &LakeType::Blob).expect("a text");
            assert_eq!(looser(&once, &once, &LakeType::Blob), Some(once));
        }
    }
}

#[test]
fn long_texts_are_cut_and_remain_bounds() {
    let last = "\u{10ffff}";
    let cases = [
        ("z".repeat(300), "z".repeat(64), format!("{}{{", "z".repeat(63))),
        ("é".repeat(33), "é".repeat(32), format!("{}ê", "é".repeat(31))),
        (format!("a{}", "€".repeat(30)), format!("a{}", "€".repeat(21)), format!("a{}₭", "€".repeat(20))),
        (format!("{}\u{d7ff}z", "a".repeat(61)), format!("{}\u{d7ff}", "a".repeat(61)), {
            format!("{}\u{e000}", "a".repeat(61))
        }),
        // A character of more bytes would be too long, so the one before is raised.
        (format!("{}\u{7f}z", "a".repeat(63)), format!("{}\u{7f}", "a".repeat(63)), format!("{}b", "a".repeat(62))),
        (format!("a{}", last.repeat(20)), format!("a{}", last.repeat(15)), "b".to_owned()),
        (last.repeat(20), last.repeat(16), last.repeat(20)),
    ];
    for (long, low, high) in cases {
        assert!(low <= long && long <= high);
        let bound = Bound::Text(long.clone());
        assert_eq!(text(&bound, &LakeType::Varchar, false).as_ref(), Some(&low));
        assert_eq!(text(&bound, &LakeType::Varchar, true).as_ref(), Some(&high));
        assert_eq!(least(&long, &long, &LakeType::Varchar), Some(low));
        assert_eq!(greatest(&long, &long, &LakeType::Varchar), Some(high));
    }
}

#[test]
fn long_blobs_are_cut_and_remain_bounds() {
    let cut = |of: &[u8], is_max| text(&Bound::Bytes(of.to_vec()), &LakeType::Blob, is_max).expect("a text");
    let long = [&[0xEE; 10][..], &[0xFF; 90]].concat();
    assert_eq!(cut(&long, false), format!("{}{}", "EE".repeat(10), "FF".repeat(54)));
    assert_eq!(cut(&long, true), format!("{}EF", "EE".repeat(9)));
    assert_eq!(cut(&[0xFF; 100], true), "FF".repeat(100));
    assert_eq!(least(&"07".repeat(100), "08", &LakeType::Blob), Some("07".repeat(64)));
    assert_eq!(greatest(&"EE".repeat(100), "08", &LakeType::Blob), Some(format!("{}EF", "EE".repeat(63))));
}
