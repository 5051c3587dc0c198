//! Moments: the text of a time, in microseconds since 1970. The text is split at its separators,
//! and whole years are counted. The zone of the settings is resolved by trial: an offset fits if it
//! leads to a moment at which the zone's clocks have that offset.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::{OffsetName, Tz};

use crate::format::logs::settings::{Zone, Zones};

/// Minutes east of UTC of each abbreviation that has only one meaning.
const ABBREVIATIONS: &str = "Z 0,UTC 0,GMT 0,WET 0,WEST 60,CET 60,WAT 60,CEST 120,EET 120,CAT 120,SAST 120,EEST 180,MSK 180,\
    EAT 180,PKT 300,WIB 420,AWST 480,HKT 480,WITA 480,JST 540,KST 540,WIT 540,ACST 570,AEST 600,ACDT 630,AEDT 660,NZST 720,\
    NZDT 780,HST -600,AKST -540,AKDT -480,MST -420,MDT -360,EST -300,EDT -240,NST -210,NDT -150";

/// Days from 1 January of the year 1 to 1 January 1970.
const DAYS_TO_1970: i64 = 719_162;
/// Days from the beginning of the year 1 to the end of 9999.
const DAYS_OF_ALL: i64 = 3_652_059;
/// Microseconds in a day.
pub(in crate::prove) const DAY: i64 = 86_400_000_000;

/// The moment that `text` names, in microseconds since 1970; none if it names none, or if its zone
/// is ambiguous. `zones` is what the settings say about zones; none in version 1 of the row rules.
pub(in crate::prove) fn moment(text: &str, zones: Option<&Zones>) -> Option<i64> {
    let clock_at = text.find(['T', ' '])? + 1;
    let zone_at = text[clock_at..].find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.');
    let zone_at = zone_at.map_or(text.len(), |at| at + clock_at);
    let (date, clock, zone) = (&text[..clock_at - 1], &text[clock_at..zone_at], &text[zone_at..]);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [year, month, day] = numbers(date.split('-'), [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock.split(':'), [2, 2, 2])?;
    if fraction.is_empty() || fraction.len() > 9 || !is_digits(fraction) {
        return None;
    }
    let micros: i64 = format!("{fraction:0<6}")[..6].parse().ok()?;
    let february = if is_leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *months.get(usize::try_from(month - 1).ok()?)?;
    if year == 0 || day == 0 || day > length || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let before = year - 1;
    let years = before * 365 + before / 4 - before / 100 + before / 400;
    let days = years + months[..month as usize - 1].iter().sum::<i64>() + day - 1;
    let there = ((days * 24 + hour) * 60 + minute) * 60 + second;
    let east = zone_seconds(zone.strip_prefix(' ').unwrap_or(zone), there - DAYS_TO_1970 * 86_400, zones)?;
    let since_year_1 = (there - east) * 1_000_000 + micros;
    (0..DAYS_OF_ALL * DAY).contains(&since_year_1).then_some(since_year_1 - DAYS_TO_1970 * DAY)
}

/// Why `text` is not a moment.
pub(in crate::prove) fn trouble(text: &str, zones: Option<&Zones>) -> &'static str {
    let without_letters = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    if moment(&format!("{without_letters}Z"), None).is_none() {
        return "not a time";
    }
    match zones.and_then(|zones| zones.zone) {
        _ if without_letters != text => "a zone that is not certain, see rows.zones",
        Some(_) => "a time that rows.zone has twice, or never",
        None => "a time without a zone, see rows.zone",
    }
}

/// Seconds east of UTC of a zone, when its clocks show `there` seconds since 1970.
fn zone_seconds(zone: &str, there: i64, zones: Option<&Zones>) -> Option<i64> {
    let Some(sign) = ["+", "-"].iter().position(|sign| zone.starts_with(sign)) else {
        let mut known = ABBREVIATIONS.split(',').filter_map(|entry| entry.split_once(' '));
        let listed = known.find(|(name, _)| *name == zone).and_then(|(_, minutes)| minutes.parse::<i64>().ok());
        let listed = listed.map(|minutes| minutes * 60);
        return match zones {
            Some(zones) if !["Z", "UTC", "GMT"].contains(&zone) => by_settings(zone, there, zones, listed),
            _ => listed,
        };
    };
    let size = &zone[1..];
    let [hours, minutes, seconds] = match size.len() {
        2 => numbers([size, "00", "00"].into_iter(), [2; 3])?,
        4 if is_digits(size) => numbers([&size[..2], &size[2..], "00"].into_iter(), [2; 3])?,
        5 => numbers(size.split(':').chain(["00"]), [2; 3])?,
        8 => numbers(size.split(':'), [2; 3])?,
        _ => return None,
    };
    let size = (hours <= 15 && minutes <= 59 && seconds <= 59).then_some((hours * 60 + minutes) * 60 + seconds)?;
    Some(if sign == 0 { size } else { -size })
}

/// The offset that the settings give `zone`, which may be empty; `listed` is its general meaning.
fn by_settings(zone: &str, there: i64, zones: &Zones, listed: Option<i64>) -> Option<i64> {
    let place = match zones.zone {
        Some(Zone::East(seconds)) if zone.is_empty() => return Some(i64::from(seconds)),
        // The tz database ends with 2098.
        Some(Zone::Place(place)) if there < 4_070_908_800 => Some(place),
        _ => None,
    };
    if let Some(seconds) = zones.names.get(zone) {
        return Some(i64::from(*seconds));
    }
    let listed = if zone == "BST" { Some(3600) } else { listed };
    let Some(place) = place else { return listed };
    // No clock change is longer than a day.
    let around = [there - 86_400, there, there + 86_400].map(|at| offset_at(place, at));
    let shown = around
        .into_iter()
        .flatten()
        .filter(|(seconds, _)| offset_at(place, there - seconds).is_some_and(|(then, _)| then == *seconds));
    let shown: Vec<(i64, String)> = shown
        .filter_map(|(seconds, _)| offset_at(place, there - seconds))
        .filter(|(_, name)| zone.is_empty() || name == zone)
        .collect();
    let usual =
        || (-53..=53).filter_map(|week| offset_at(place, there + week * 604_800)).filter(|(_, name)| name == zone);
    match zone {
        "" => only(shown.into_iter()),
        _ if !shown.is_empty() => only(shown.into_iter()),
        _ => listed.or_else(|| only(usual())),
    }
}

/// A place's offset at a moment, in seconds east of UTC, and the name of its zone at that time.
fn offset_at(place: Tz, moment: i64) -> Option<(i64, String)> {
    let offset = place.offset_from_utc_datetime(&DateTime::from_timestamp(moment, 0)?.naive_utc());
    Some((offset.fix().local_minus_utc().into(), offset.abbreviation().unwrap_or_default().to_owned()))
}

/// The seconds that all of them have, if they are the same.
fn only(mut offsets: impl Iterator<Item = (i64, String)>) -> Option<i64> {
    let (seconds, _) = offsets.next()?;
    offsets.all(|(other, _)| other == seconds).then_some(seconds)
}

/// Exactly three numbers, with the given numbers of digits.
fn numbers<'t>(mut parts: impl Iterator<Item = &'t str>, lengths: [usize; 3]) -> Option<[i64; 3]> {
    let mut numbers = [0; 3];
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part = parts.next().filter(|part| part.len() == length && is_digits(part))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && year % 100 != 0 || year % 400 == 0
}

#[cfg(test)]
mod tests;
