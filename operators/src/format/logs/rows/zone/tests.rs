//! What names of zones mean.

use std::sync::Arc;

use super::super::time::{Clock, parse_micros};
use super::*;

fn read(zone: &str, names: &[(&str, i32)], text: &str) -> Option<i64> {
    let zone = (!zone.is_empty()).then(|| zone.parse().expect("a zone"));
    let names = names.iter().map(|(name, east)| ((*name).to_owned(), *east)).collect();
    Clock::new(Some(Arc::new(Zones::new(zone, names)))).parse_micros(text)
}

/// Asserts that `text`, read in `zone`, is the same moment as `utc`.
fn same(zone: &str, text: &str, utc: &str) {
    assert_eq!(read(zone, &[], text), parse_micros(utc), "{text} in {zone}");
    assert!(parse_micros(utc).is_some(), "{utc}");
}

#[test]
fn times_without_a_zone_are_in_the_one_that_is_set() {
    same("+05:30", "2026-11-21 07:00:01", "2026-11-21 01:30:01Z");
    same("Europe/London", "2026-11-21T07:00:01.5", "2026-11-21 07:00:01.5Z");
    same("Europe/London", "2026-07-21 07:00:01 ", "2026-07-21 06:00:01Z");
    same("America/Los_Angeles", "2026-03-08 01:59:59", "2026-03-08 09:59:59Z");
    assert_eq!(read("", &[], "2026-11-21 07:00:01"), None);
    for twice_or_never in ["2026-10-25 01:30:00", "2026-03-29 01:30:00"] {
        assert_eq!(read("Europe/London", &[], twice_or_never), None, "{twice_or_never}");
    }
}

#[test]
fn the_names_of_winter_and_summer_are_both_read_in_their_zone() {
    same("Europe/London", "2026-01-21 07:00:01 GMT", "2026-01-21 07:00:01Z");
    same("Europe/London", "2026-07-21 07:00:01 BST", "2026-07-21 06:00:01Z");
    same("Europe/Dublin", "2026-07-21 07:00:01 IST", "2026-07-21 06:00:01Z");
    same("Asia/Kolkata", "2026-07-21 07:00:01 IST", "2026-07-21 01:30:01Z");
    same("Asia/Jerusalem", "2026-07-21 07:00:01 IDT", "2026-07-21 04:00:01Z");
    same("Asia/Shanghai", "2026-07-21 07:00:01 CST", "2026-07-20 23:00:01Z");
    same("America/Chicago", "2026-07-21 07:00:01 CDT", "2026-07-21 12:00:01Z");
    same("America/Los_Angeles", "2026-11-21 07:00:01 PST", "2026-11-21 15:00:01Z");
    // The name decides, even out of its season; so does a numeric offset.
    same("America/Los_Angeles", "2026-11-21 07:00:01 PDT", "2026-11-21 14:00:01Z");
    same("America/Los_Angeles", "2026-11-21 07:00:01 +03", "2026-11-21 04:00:01Z");
    same("America/Los_Angeles", "2026-11-21 07:00:01 CET", "2026-11-21 06:00:01Z");
    assert_eq!(read("America/Los_Angeles", &[], "2026-11-21 07:00:01 IST"), None);
}

#[test]
fn the_name_decides_in_the_hour_that_is_there_twice() {
    same("Europe/London", "2026-10-25 01:30:00 BST", "2026-10-25 00:30:00Z");
    same("Europe/London", "2026-10-25 01:30:00 GMT", "2026-10-25 01:30:00Z");
    same("America/Los_Angeles", "2026-11-01 01:30:00 PDT", "2026-11-01 08:30:00Z");
    same("America/Los_Angeles", "2026-11-01 01:30:00 PST", "2026-11-01 09:30:00Z");
}

#[test]
fn a_zone_knows_what_its_names_meant_before() {
    same("Europe/Moscow", "2012-06-01 12:00:00 MSK", "2012-06-01 08:00:00Z");
    same("Europe/Moscow", "2026-06-01 12:00:00 MSK", "2026-06-01 09:00:00Z");
    // Moscow's clocks were put back and kept their name: that hour occurs twice.
    assert_eq!(read("Europe/Moscow", &[], "2014-10-26 01:30:00 MSK"), None);
}

#[test]
fn names_mean_what_the_settings_say() {
    let utc = parse_micros("2026-11-21 01:30:01Z");
    assert_eq!(read("", &[("IST", 19_800)], "2026-11-21 07:00:01 IST"), utc);
    assert_eq!(read("Asia/Jerusalem", &[("IST", 19_800)], "2026-11-21 07:00:01 IST"), utc);
    assert_eq!(read("", &[("IST", 19_800)], "2026-11-21 07:00:01 ist"), None);
}

#[test]
fn without_settings_what_is_certain_is_read() {
    same("", "2026-07-21 07:00:01 BST", "2026-07-21 06:00:01Z");
    same("", "2026-07-21 07:00:01 GMT", "2026-07-21 07:00:01Z");
    for name in ["IST", "IDT", "CST", "CDT", "PST", "PDT", "AST", "ADT", "SST"] {
        assert_eq!(read("", &[], &format!("2026-07-21 07:00:01 {name}")), None, "{name}");
    }
    assert_eq!(parse_micros("2026-07-21 07:00:01 BST"), None, "in version 1");
}

#[test]
fn where_the_database_ends_nothing_is_certain() {
    same("Europe/London", "2098-07-21 07:00:01", "2098-07-21 06:00:01Z");
    assert_eq!(read("Europe/London", &[], "2099-07-21 07:00:01"), None);
    same("Europe/London", "0001-01-01 12:00:00", "0001-01-01 12:01:15Z");
}
