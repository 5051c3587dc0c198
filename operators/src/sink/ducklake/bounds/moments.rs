//! The texts of dates, times of day and moments, as DuckDB prints them, and reads them back.
//!
//! A date is in days and a moment in microseconds since 1970-01-01, as in Parquet. DuckDB has two
//! more: the greatest number is `infinity`, and its negative is `-infinity`.

use crate::calendar;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The infinity of dates; the smallest number is no date.
const ENDLESS_DATE: i64 = i32::MAX as i64;
/// The infinity of moments.
const ENDLESS: i64 = i64::MAX;
/// The first moment that DuckDB reads: 290309-12-22 (BC), midnight.
const EARLIEST: i64 = -106_751_991 * DAY;

/// The text of a date.
pub(super) fn date(days: i64) -> Option<String> {
    if let Some(endless) = endless(days, ENDLESS_DATE) {
        return Some(endless);
    }
    let (year, month, day) = calendar::date(days);
    (days.abs() < ENDLESS_DATE).then(|| match year {
        1.. => format!("{year:04}-{month:02}-{day:02}"),
        // There is no year 0: before the year 1 is the year 1 BC.
        _ => format!("{:04}-{month:02}-{day:02} (BC)", 1 - year),
    })
}

/// The text of a time of day, of which 24:00:00 is the last.
pub(super) fn time(micros: i64) -> Option<String> {
    (0..=DAY).contains(&micros).then(|| {
        let (hour, minute, second) = (micros / HOUR, micros % HOUR / MINUTE, micros % MINUTE / SECOND);
        match micros % SECOND {
            0 => format!("{hour:02}:{minute:02}:{second:02}"),
            fraction => {
                let fraction = format!("{fraction:06}");
                format!("{hour:02}:{minute:02}:{second:02}.{}", fraction.trim_end_matches('0'))
            }
        }
    })
}

/// The text of a moment, with what names its zone.
pub(super) fn timestamp(micros: i64, zone: &str) -> Option<String> {
    if let Some(endless) = endless(micros, ENDLESS) {
        return Some(endless);
    }
    if micros < EARLIEST {
        return None;
    }
    Some(format!("{} {}{zone}", date(micros.div_euclid(DAY))?, time(micros.rem_euclid(DAY))?))
}

fn endless(value: i64, limit: i64) -> Option<String> {
    (value == limit).then(|| "infinity".to_owned()).or_else(|| (value == -limit).then(|| "-infinity".to_owned()))
}

/// The date with this text.
pub(super) fn read_date(text: &str) -> Option<i64> {
    if let Some(endless) = read_endless(text, ENDLESS_DATE) {
        return Some(endless);
    }
    let mut rest = Rest(text);
    let days = rest.date()?;
    (rest.0.is_empty() && days.abs() < ENDLESS_DATE).then_some(days)
}

/// The time of day with this text.
pub(super) fn read_time(text: &str) -> Option<i64> {
    let mut rest = Rest(text);
    let micros = rest.time()?;
    rest.0.is_empty().then_some(micros)
}

/// The moment with this text, which names its zone if `is_zoned`, and none if not. Midnight if it
/// is a date alone: such are the bounds of a column that was one of dates.
pub(super) fn read_timestamp(text: &str, is_zoned: bool) -> Option<i64> {
    if let Some(endless) = read_endless(text, ENDLESS) {
        return Some(endless);
    }
    let mut rest = Rest(text);
    let midnight = rest.date()?.checked_mul(DAY)?;
    let time = if rest.skip(" ") || rest.skip("T") { rest.time()? } else { 0 };
    let east = if is_zoned { rest.zone()? } else { 0 };
    let micros = midnight.checked_add(time)?.checked_sub(east)?;
    (rest.0.is_empty() && (EARLIEST..ENDLESS).contains(&micros)).then_some(micros)
}

fn read_endless(text: &str, limit: i64) -> Option<i64> {
    match text {
        "infinity" => Some(limit),
        "-infinity" => Some(-limit),
        _ => None,
    }
}

/// What of a text is not read yet.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// Whether it goes on like this, which is then read.
    fn skip(&mut self, next: &str) -> bool {
        self.0.strip_prefix(next).map(|rest| self.0 = rest).is_some()
    }

    /// Digits, how many they are and what number.
    fn number(&mut self, most: usize) -> Option<(usize, i64)> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        Some((count, digits.parse().ok()?))
    }

    /// A number after `mark` that is less than `limit`.
    fn part(&mut self, mark: &str, limit: i64) -> Option<i64> {
        let (_, number) = self.skip(mark).then(|| self.number(2))??;
        (number < limit).then_some(number)
    }

    /// A date that there is, in days.
    fn date(&mut self) -> Option<i64> {
        let (_, year) = self.number(9)?;
        let (month, day) = (self.part("-", 13)?, self.part("-", 32)?);
        let counted = if self.skip(" (BC)") { 1 - year } else { year };
        let days = calendar::days((counted, month, day));
        (year > 0 && calendar::date(days) == (counted, month, day)).then_some(days)
    }

    /// A time of day, in microseconds.
    fn time(&mut self) -> Option<i64> {
        let (hour, minute, second) = (self.part("", 25)?, self.part(":", 60)?, self.part(":", 60)?);
        let fraction = if self.skip(".") { self.fraction()? } else { 0 };
        let micros = hour * HOUR + minute * MINUTE + second * SECOND + fraction;
        (micros <= DAY).then_some(micros)
    }

    /// The digits behind a second's point, in microseconds.
    fn fraction(&mut self) -> Option<i64> {
        let (count, mut number) = self.number(6)?;
        for _ in count..6 {
            number *= 10;
        }
        Some(number)
    }

    /// How far a zone is to the east, in microseconds: `+00`, `-02:30`.
    fn zone(&mut self) -> Option<i64> {
        let is_west = self.skip("-");
        if !is_west && !self.skip("+") {
            return None;
        }
        let mut east = self.part("", 24)? * HOUR;
        for unit in [MINUTE, SECOND] {
            if self.0.starts_with(':') {
                east += self.part(":", 60)? * unit;
            }
        }
        Some(if is_west { -east } else { east })
    }
}
