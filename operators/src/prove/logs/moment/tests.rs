//! Two readers of times agree.

use std::sync::Arc;

use super::*;
use crate::format::logs::rows::{RowClock, parse_micros};

/// The parser of times in `rows` agrees on every zone, on odd ones, and on the edges of the
/// calendar.
#[test]
fn two_readers_of_times_agree() {
    let odd =
        ["", "z", "UT", "IST", "CST", "PDT", "+2", "+16", "+15", "-0330", "+02:60", "+02:00:59", "-00:44:30", "+020"];
    let odd =
        odd.iter().chain(&["+02.00", "+-2", " Z", "  Z", "Z ", "UTC+3", "+02:0", "+0é", "+15:59:59", "-15:59:59"]);
    let named = ABBREVIATIONS.split(',').filter_map(|entry| entry.split_once(' ')).map(|(name, _)| name);
    let zones: Vec<&str> = named.chain(odd.copied()).collect();
    let dates = ["2026-11-21", "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "0001-01-01", "9999-12-31"];
    let dates =
        dates.iter().chain(&["0000-01-01", "2026-13-01", "2026-00-10", "2026-1-21", "１026-11-21", "2026-06-31"]);
    let dates: Vec<&str> = dates.copied().collect();
    let clocks =
        ["07:00:01", "23:59:59.999999", "24:00:00", "23:60:00", "00:00:60", "00:00:00.", "00:00", "00:00:00.1"];
    let clocks =
        clocks.iter().chain(&["00:00:00.1234567891", "00:00:00.123456789", "0:00:00", "00:00:00:00", "00.00.00"]);
    for clock in clocks {
        for date in &dates {
            for (zone, (separator, space)) in zones.iter().flat_map(|zone| [("T", ""), (" ", " ")].map(|s| (zone, s))) {
                let text = format!("{date}{separator}{clock}{space}{zone}");
                assert_eq!(moment(&text, None), parse_micros(&text), "{text}");
            }
        }
    }
    for text in ["", "now", "T", " ", "2026-11-21", "2026-11-21T", "2026-11-21t07:00:01Z", " 2026-11-21T07:00:01Z"] {
        assert_eq!(moment(text, None), parse_micros(text), "{text}");
    }
}

/// They also agree with settings: on both sides of each clock change, for all names that the
/// zone has then.
#[test]
fn two_readers_of_zones_agree() {
    let places = [
        "Europe/London",
        "Europe/Dublin",
        "Europe/Moscow",
        "America/Los_Angeles",
        "America/Caracas",
        "America/Sao_Paulo",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Asia/Jerusalem",
        "Africa/Casablanca",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Antarctica/Troll",
    ];
    for name in places {
        let zone: Zone = name.parse().expect("a place");
        let Zone::Place(place) = zone else { panic!("{name} is a place") };
        let names = [("XST".to_owned(), 19_800), ("EET".to_owned(), 60)].into();
        let zones = Zones::new(Some(zone), names);
        let mut clock = RowClock::new(Some(Arc::new(zones.clone())));
        let days = (12_000..23_000).map(|day| day * 86_400);
        let changes = days.filter(|day| offset_at(place, *day) != offset_at(place, day + 86_400));
        for change in changes.chain([4_070_822_400]) {
            let called = [0, 86_400].map(|after| offset_at(place, change + after).expect("a moment").1);
            let called = ["", "BST", "EET", "XST", "PDT"].into_iter().chain(called.iter().map(String::as_str));
            for (name, quarter) in called.flat_map(|name| (-60..130).map(move |quarter| (name, quarter))) {
                let there = DateTime::from_timestamp(change + quarter * 900, 0).expect("a moment");
                let text = format!("{} {name}", there.format("%Y-%m-%d %H:%M:%S"));
                assert_eq!(moment(&text, Some(&zones)), clock.parse_micros(&text), "{text} in {place}");
                assert_eq!(trouble(&text, Some(&zones)), clock.trouble(&text), "{text} in {place}");
            }
        }
    }
}
