//! Which texts are times, and to the microsecond which.

use super::*;

/// 2026-11-21 07:00:01 UTC.
const SEVEN: i64 = 1_795_244_401 * MICROS_PER_SECOND;
const HOUR: i64 = 3600 * MICROS_PER_SECOND;

#[test]
fn well_formed_times_become_microseconds() {
    let cases = [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2026-11-21T07:00:01Z", SEVEN),
        ("2026-11-21T07:00:01.468Z", SEVEN + 468_000),
        ("2026-11-21 07:00:01.467 UTC", SEVEN + 467_000),
        ("2026-11-21 07:00:01 GMT", SEVEN),
        ("2026-11-21 07:00:01UTC", SEVEN),
        ("2026-11-21T07:00:01 Z", SEVEN),
        ("2026-11-21T07:00:01.1Z", SEVEN + 100_000),
        ("2026-11-21T07:00:01.000001Z", SEVEN + 1),
        ("2026-11-21T07:00:01.0000019Z", SEVEN + 1),
        ("2026-11-21T07:00:01.123456789Z", SEVEN + 123_456),
        ("2026-11-21T07:00:01+02:00", SEVEN - 2 * HOUR),
        ("2026-11-21 07:00:01.5 +03", SEVEN + 500_000 - 3 * HOUR),
        ("2026-11-21 07:00:01 -0330", SEVEN + 3 * HOUR + HOUR / 2),
        ("2026-11-21 07:00:01 -00:44:30", SEVEN + 2_670 * MICROS_PER_SECOND),
        ("2026-11-21 07:00:01 +15:59:59", SEVEN - 16 * HOUR + MICROS_PER_SECOND),
        ("2026-11-21 07:00:01 -00", SEVEN),
        ("2026-11-21 07:00:01 CET", SEVEN - HOUR),
        ("2026-11-21 07:00:01 MSK", SEVEN - 3 * HOUR),
        ("2026-11-21 07:00:01 EDT", SEVEN + 4 * HOUR),
        ("2026-11-21 07:00:01 NST", SEVEN + 3 * HOUR + HOUR / 2),
        ("2024-02-29T00:00:00Z", 1_709_164_800 * MICROS_PER_SECOND),
        ("2000-02-29T00:00:00Z", 951_782_400 * MICROS_PER_SECOND),
        ("0001-01-01T00:00:00Z", -62_135_596_800 * MICROS_PER_SECOND),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_800 * MICROS_PER_SECOND - 1),
    ];
    for (text, micros) in cases {
        assert_eq!(parse_micros(text), Some(micros), "{text}");
    }
}

#[test]
fn the_second_that_was_read_last_changes_nothing() {
    let mut clock = Clock::default();
    let moments = ["2026-11-21T07:00:01.5Z", "2026-11-21T07:00:01+02", "2026-11-21T07:00:01", "2026-11-21 07:00:01Z"];
    for text in moments.iter().chain(&moments) {
        assert_eq!(clock.parse_micros(text), parse_micros(text), "{text}");
    }
    assert_eq!(Clock::default().parse_micros(&"\0".repeat(19)), None);
}

#[test]
fn malformed_times_are_refused() {
    let moments = [
        "",
        "now",
        "2026-11-21",
        "2026-11-21T07:00:01",
        "2026-11-21 07:00:01.467",
        "2026-11-21T07:00Z",
        "2026-11-21t07:00:01Z",
        "2026/11/21T07:00:01Z",
        "2026-11-21T07.00.01Z",
        " 2026-11-21T07:00:01Z",
        "2026-11-21T07:00:01Z ",
        "2026-11-21T07:00:01  Z",
        "20261-11-21T07:00:01Z",
        "+026-11-21T07:00:01Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01",
        "9999-12-31T23:59:59-15:00",
        "2026-00-21T07:00:01Z",
        "2026-13-21T07:00:01Z",
        "2026-11-00T07:00:01Z",
        "2026-11-31T07:00:01Z",
        "2026-02-29T07:00:01Z",
        "2100-02-29T07:00:01Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T07:60:01Z",
        "2026-11-21T23:59:60Z",
        "2026-11-21T07:00:01.Z",
        "2026-11-21T07:00:01,5Z",
        "2026-11-21T07:00:01.1234567890Z",
        "２026-11-21T07:00:01Z",
        "2026-11-21T07:00:0é1Z",
    ];
    for text in moments {
        assert_eq!(parse_micros(text), None, "{text}");
    }
}

#[test]
fn zones_that_are_malformed_or_not_certain_are_refused() {
    let zones = [
        "z",
        "utc",
        "UT",
        "UTC+3",
        "+",
        "+2",
        "+02:",
        "+02:0",
        "+020",
        "+16",
        "+02:60",
        "+02:00:60",
        "+02:00:00:00",
        "+02.00",
        "+-2",
        "Europe/Berlin",
        "IST",
        "CST",
        "CDT",
        "BST",
        "AST",
        "ADT",
        "PST",
        "PDT",
        "SST",
        "cet",
        "X",
    ];
    for zone in zones {
        assert_eq!(parse_micros(&format!("2026-11-21 07:00:01 {zone}")), None, "{zone}");
    }
}

#[test]
fn days_follow_one_another_over_four_centuries() {
    let mut expected = days_from_civil(1999, 12, 31);
    assert_eq!(expected, 10_956);
    for year in 2000..2401 {
        for month in 1..=12 {
            for day in 1..=days_in_month(year, month) {
                expected += 1;
                assert_eq!(days_from_civil(year, month, day), expected, "{year}-{month}-{day}");
            }
        }
    }
}
