//! Moments: the text of a timestamp becomes microseconds since 1970-01-01 00:00 UTC, or is refused.
//!
//! The form is `YYYY-MM-DD`, `T` or one space, `HH:MM:SS`, an optional fraction of one to nine
//! digits, at most one space, and a zone. A fraction finer than microseconds is truncated: it can
//! only come from a program other than PostgreSQL, which counts microseconds. Years are 0001 to
//! 9999, days are checked against the calendar. The second 60 is refused, because PostgreSQL never
//! prints it and it has no moment of its own here. So is the hour 24.
//!
//! A zone is `Z`, `UTC`, `GMT`, an offset `+HH`, `+HHMM`, `+HH:MM`, `+HH:MM:SS` (plus is east, also
//! in what PostgreSQL prints; at most 15:59:59, PostgreSQL's own limit), or an abbreviation that
//! means one offset only, see `abbreviation`. The settings may allow other abbreviations, or a
//! missing zone, see `zone.rs`.
//!
//! It uses no library, because the form is fixed, this is the hot path, and the calendar is a few
//! lines.

use std::sync::Arc;

use super::zone;
use crate::format::logs::settings::Zones;

const MICROS_PER_SECOND: i64 = 1_000_000;
/// 0001-01-01T00:00:00Z.
const FIRST_MICROS: i64 = -62_135_596_800 * MICROS_PER_SECOND;
/// The last microsecond of the year 9999, in UTC.
const LAST_MICROS: i64 = 253_402_300_800 * MICROS_PER_SECOND - 1;
const SECONDS_PER_DAY: i64 = 86_400;
/// Microseconds in a day.
pub(super) const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;

/// The moment that `text` names, in microseconds since the epoch, or `None` if it is malformed or
/// its zone is not certain.
#[cfg(test)]
pub(crate) fn parse_micros(text: &str) -> Option<i64> {
    Clock::default().parse_micros(text)
}

/// Reads the moments of one column. Neighbours mostly lie in the same second and in the same zone.
#[derive(Default)]
pub(crate) struct Clock {
    /// What the settings say about zones; `None` under version 1 of the row rules.
    zones: Option<Arc<Zones>>,
    /// The date and time of day that were read last, and their seconds since the epoch if the zone
    /// is UTC.
    last: Option<([u8; CLOCK], i64)>,
    /// The zone that was last looked up in the settings, the local second of that lookup, and how
    /// many seconds east the zone is then.
    last_zone: Option<(Vec<u8>, i64, Option<i64>)>,
}

/// The date and the time of day take this many bytes, whatever follows.
const CLOCK: usize = 19;

impl Clock {
    /// A clock that knows `zones`, which is `None` under version 1 of the row rules.
    pub(crate) fn new(zones: Option<Arc<Zones>>) -> Self {
        Clock { zones, ..Clock::default() }
    }

    /// The moment that `text` names, in microseconds since the epoch, or `None` if it is malformed
    /// or its zone is not certain.
    pub(crate) fn parse_micros(&mut self, text: &str) -> Option<i64> {
        let (clock, rest) = text.as_bytes().split_first_chunk::<CLOCK>()?;
        let seconds_there = match self.last {
            Some((last, seconds)) if last == *clock => seconds,
            _ => {
                let seconds = clock_seconds(clock)?;
                self.last = Some((*clock, seconds));
                seconds
            }
        };
        let (fraction_micros, zone) = fraction(rest)?;
        let east_seconds = self.zone_seconds(zone.strip_prefix(b" ").unwrap_or(zone), seconds_there)?;
        let micros = (seconds_there - east_seconds) * MICROS_PER_SECOND + fraction_micros;
        // The year is that in UTC: readers of the lake know no day before the year 1 or after 9999.
        (FIRST_MICROS..=LAST_MICROS).contains(&micros).then_some(micros)
    }

    /// How many seconds `zone` is east of UTC when local time is `seconds_there`, counted from the
    /// epoch.
    fn zone_seconds(&mut self, zone: &[u8], seconds_there: i64) -> Option<i64> {
        match zone {
            b"Z" | b"UTC" | b"GMT" => Some(0),
            [b'+', offset @ ..] => offset_seconds(offset),
            [b'-', offset @ ..] => offset_seconds(offset).map(|seconds| -seconds),
            _ => match &self.zones {
                None => abbreviation(zone),
                Some(zones) if zones.is_empty() => zone::certain(zone),
                Some(zones) => match &self.last_zone {
                    Some((last, at, seconds)) if last == zone && *at == seconds_there => *seconds,
                    _ => {
                        let seconds = zone::seconds(zones, zone, seconds_there);
                        self.last_zone = Some((zone.to_vec(), seconds_there, seconds));
                        seconds
                    }
                },
            },
        }
    }

    /// Why `text` is not read, in words that follow the name of the key.
    pub(crate) fn trouble(&self, text: &str) -> &'static str {
        let stem = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let is_time = Clock::default().parse_micros(&format!("{stem}Z")).is_some();
        let is_local = self.zones.as_ref().is_some_and(|zones| zones.zone.is_some());
        match (is_time, stem.len() == text.len()) {
            (false, _) => "not a time",
            (true, false) => "a zone that is not certain, see rows.zones",
            (true, true) if is_local => "a time that rows.zone has twice, or never",
            (true, true) => "a time without a zone, see rows.zone",
        }
    }
}

/// The seconds from the epoch to a date and a time of day in UTC.
fn clock_seconds(clock: &[u8; CLOCK]) -> Option<i64> {
    let separators = [clock[4], clock[7], clock[13], clock[16]];
    if separators != *b"--::" || !matches!(clock[10], b'T' | b' ') {
        return None;
    }
    let (year, month, day) = (number(&clock[0..4])?, number(&clock[5..7])?, number(&clock[8..10])?);
    let (hour, minute, second) = (number(&clock[11..13])?, number(&clock[14..16])?, number(&clock[17..19])?);
    if year == 0 || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second)
}

/// A number of ASCII digits only; no sign, no space.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// The fraction at the start of `rest` in microseconds, zero if there is none, and what follows it.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(rest) = rest.strip_prefix(b".") else {
        return Some((0, rest));
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, zone) = rest.split_at(length);
    if !(1..=9).contains(&length) {
        return None;
    }
    let kept = &digits[..length.min(6)];
    let missing = 6 - kept.len() as u32;
    Some((number(kept)? * 10_i64.pow(missing), zone))
}

/// The size of a numeric offset without its sign: `HH`, `HHMM`, `HH:MM` or `HH:MM:SS`.
fn offset_seconds(offset: &[u8]) -> Option<i64> {
    let (hours, minutes, seconds): (&[u8], &[u8], &[u8]) = match *offset {
        [_, _] => (offset, b"0", b"0"),
        [_, _, _, _] => (&offset[..2], &offset[2..], b"0"),
        [_, _, b':', _, _] => (&offset[..2], &offset[3..], b"0"),
        [_, _, b':', _, _, b':', _, _] => (&offset[..2], &offset[3..5], &offset[6..]),
        _ => return None,
    };
    let (hours, minutes, seconds) = (number(hours)?, number(minutes)?, number(seconds)?);
    (hours <= 15 && minutes <= 59 && seconds <= 59).then_some(hours * 3600 + minutes * 60 + seconds)
}

/// The offset of an abbreviation that means only one, in seconds east.
///
/// With a named `log_timezone`, PostgreSQL prints the abbreviation that the IANA database has for
/// it. The list has those that every IANA zone uses with the same offset in all of 2022 (when
/// PostgreSQL 15 first wrote `jsonlog`) to 2027, and by which no other zone is commonly known. A
/// guess would shift rows by hours without anyone noticing, so the rest is refused: `IST` (India,
/// Israel, Ireland), `CST` and `CDT` (Chicago, Havana, Shanghai), `PST` (Los Angeles, Manila),
/// `BST` (London, but Bangladesh to many), `AST` (Halifax, but Arabia to many), `SST` (Samoa,
/// Singapore). A zone's winter and summer names are either both listed or both not (so no `PDT`);
/// otherwise a pipeline that runs in July would stop in November. `GMT` is always read, because
/// PostgreSQL prints it by default, so later versions of the row rules add `BST`, see `zone.rs`.
pub(super) fn abbreviation(zone: &[u8]) -> Option<i64> {
    let quarter_hours = match zone {
        b"HST" => -40,
        b"AKST" => -36,
        b"AKDT" => -32,
        b"MST" => -28,
        b"MDT" => -24,
        b"EST" => -20,
        b"EDT" => -16,
        b"NST" => -14,
        b"NDT" => -10,
        b"WET" => 0,
        b"WEST" | b"CET" | b"WAT" => 4,
        b"CEST" | b"EET" | b"CAT" | b"SAST" => 8,
        b"EEST" | b"MSK" | b"EAT" => 12,
        b"PKT" => 20,
        b"WIB" => 28,
        b"AWST" | b"HKT" | b"WITA" => 32,
        b"JST" | b"KST" | b"WIT" => 36,
        b"ACST" => 38,
        b"AEST" => 40,
        b"ACDT" => 42,
        b"AEDT" => 44,
        b"NZST" => 48,
        b"NZDT" => 52,
        _ => return None,
    };
    Some(quarter_hours * 900)
}

fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap_year(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, for years from 1 on.
///
/// Years are counted from March, so that the leap day is the last of its year and months before it
/// have fixed lengths.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let march_year = if month > 2 { year } else { year - 1 };
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let leap_days = march_year / 4 - march_year / 100 + march_year / 400;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    march_year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests;
