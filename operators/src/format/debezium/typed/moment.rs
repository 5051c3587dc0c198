//! Dates and moments, as numbers, within the years that lakes have.
//!
//! Readers of Parquet and Delta agree on the years 1 to 9999 of the proleptic Gregorian calendar;
//! PostgreSQL has more, and two infinities.

use super::super::time::{self, Instant};
use super::super::types::Unit;
use super::unfit::Odd;
use crate::calendar;

/// 0001-01-01, in days since 1970.
const FIRST_DAY: i64 = -719_162;
/// 9999-12-31.
const LAST_DAY: i64 = 2_932_896;
const DAY_US: i64 = 86_400_000_000;

const INFINITY: Odd = Odd::Unrepresentable("infinity");
const MINUS_INFINITY: Odd = Odd::Unrepresentable("-infinity");
const FAR: Odd = Odd::Unrepresentable("a year outside 1 to 9999");

/// Days since 1970 of Debezium's number.
pub(super) fn date(days: i64) -> Result<i64, Odd> {
    match time::instant_of_days(days) {
        Instant::Infinity => Err(INFINITY),
        Instant::MinusInfinity => Err(MINUS_INFINITY),
        Instant::Finite(days) if (FIRST_DAY..=LAST_DAY).contains(&days) => Ok(days),
        Instant::Finite(_) => Err(FAR),
    }
}

/// Microseconds since 1970 of Debezium's number. PostgreSQL has no finer moments.
pub(super) fn timestamp(units: i64, unit: Unit) -> Result<i64, Odd> {
    match time::instant(units, unit) {
        Instant::Infinity => Err(INFINITY),
        Instant::MinusInfinity => Err(MINUS_INFINITY),
        Instant::Finite(units) => match unit {
            Unit::Millis => units.checked_mul(1000).ok_or(FAR).and_then(within),
            Unit::Micros => within(units),
            Unit::Nanos if units % 1000 == 0 => within(units / 1000),
            Unit::Nanos => Err(Odd::Unrepresentable("a fraction of a microsecond")),
        },
    }
}

fn within(micros: i64) -> Result<i64, Odd> {
    match (FIRST_DAY * DAY_US..(LAST_DAY + 1) * DAY_US).contains(&micros) {
        true => Ok(micros),
        false => Err(FAR),
    }
}

/// Days since 1970 of a text such as `2024-02-29` or `2024-02-29Z`.
pub(super) fn date_of_text(text: &str) -> Result<i64, Odd> {
    named(text)?;
    let day = day(text.strip_suffix('Z').unwrap_or(text).as_bytes());
    day.ok_or_else(|| odd(text, "date")).and_then(date)
}

/// Microseconds since 1970 of a text such as `2024-02-29T13:14:15.123456Z`. One that is in UTC has
/// its offset; `Z` stands for none.
pub(super) fn timestamp_of_text(text: &str, expected: &'static str) -> Result<i64, Odd> {
    named(text)?;
    let moment = moment(text.as_bytes()).ok_or_else(|| odd(text, expected))?;
    within(moment)
}

/// The infinities have names in texts.
fn named(text: &str) -> Result<(), Odd> {
    match text {
        "infinity" => Err(INFINITY),
        "-infinity" => Err(MINUS_INFINITY),
        _ => Ok(()),
    }
}

/// Years before 1 have a sign before them, or BC behind them; years after 9999 have a sign, or more
/// digits.
fn odd(text: &str, expected: &'static str) -> Odd {
    let year = text.trim_start_matches(['+', '-']);
    let digits = year.bytes().take_while(u8::is_ascii_digit).count();
    match digits >= 4 && (year.len() < text.len() || digits > 4 || text.ends_with("BC")) {
        true => FAR,
        false => Odd::Type(expected),
    }
}

/// The day of `YYYY-MM-DD`, since 1970.
fn day(text: &[u8]) -> Option<i64> {
    let [y @ .., b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let (year, month, day) = (number(y, 4)?, number(&[*m1, *m2], 2)?, number(&[*d1, *d2], 2)?);
    // The reckoning takes a day that is none for a later one.
    let days = calendar::days((year, month, day));
    let is_one = year >= 1 && (1..=12).contains(&month) && calendar::date(days) == (year, month, day);
    is_one.then_some(days)
}

fn moment(text: &[u8]) -> Option<i64> {
    let at = text.iter().position(|byte| matches!(byte, b'T' | b' '))?;
    let (date, clock) = (day(&text[..at])?, &text[at + 1..]);
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = clock else { return None };
    let (hours, minutes, seconds) = (number(&[*h1, *h2], 2)?, number(&[*m1, *m2], 2)?, number(&[*s1, *s2], 2)?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let (fraction, zone) = match rest {
        [b'.', rest @ ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (micros(&rest[..digits])?, &rest[digits..])
        }
        rest => (0, rest),
    };
    let of_day = ((hours * 60 + minutes) * 60 + seconds - offset(zone)?) * 1_000_000 + fraction;
    (date * DAY_US).checked_add(of_day)
}

/// Microseconds of up to nine digits of a fraction, of which the last three are zeros.
fn micros(digits: &[u8]) -> Option<i64> {
    let (kept, beyond) = digits.split_at(digits.len().min(6));
    if digits.is_empty() || digits.len() > 9 || beyond.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let factor = 10_i64.pow(u32::try_from(6 - kept.len()).ok()?);
    Some(number(kept, kept.len())? * factor)
}

/// Seconds east of Greenwich.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        [] | [b'Z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let seconds = number(&[*h1, *h2], 2)? * 3600 + number(&[*m1, *m2], 2)? * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// A number of so many digits.
fn number(digits: &[u8], many: usize) -> Option<i64> {
    let is_one = digits.len() == many && digits.iter().all(u8::is_ascii_digit);
    is_one.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_those_of_their_texts() {
        let known = [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.5Z", 500_000),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2024-02-29T13:14:15.123456+02:00", 1_709_205_255_123_456),
            ("2024-02-29T11:14:15.123456Z", 1_709_205_255_123_456),
            ("2024-02-29T11:14:15.123456000Z", 1_709_205_255_123_456),
            ("0001-01-01T00:00:00Z", FIRST_DAY * DAY_US),
            ("9999-12-31T23:59:59.999999Z", (LAST_DAY + 1) * DAY_US - 1),
        ];
        for (text, micros) in known {
            assert_eq!(timestamp_of_text(text, "moment"), Ok(micros), "{text}");
        }
        assert_eq!(date_of_text("2024-02-29"), Ok(19_782));
        assert_eq!(date_of_text("2024-02-29Z"), Ok(19_782));
    }

    #[test]
    fn what_no_lake_has_is_told_from_what_is_no_moment() {
        let far = ["-0043-03-15T12:00:00.000000Z", "+10000-01-01T00:00:00Z", "10000-01-01T00:00:00Z"];
        for text in far {
            assert_eq!(timestamp_of_text(text, "moment"), Err(FAR), "{text}");
        }
        // A zone may carry a moment out of the years.
        assert_eq!(timestamp_of_text("9999-12-31T23:59:59-01:00", "moment"), Err(FAR));
        assert_eq!(timestamp_of_text("infinity", "moment"), Err(INFINITY));
        assert_eq!(date_of_text("-infinity"), Err(MINUS_INFINITY));
        let none = [
            "",
            "T",
            "2024-02-30T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2024-02-29",
            "2024-02-29T24:00:00Z",
            "2024-02-29T00:00:00.Z",
            "2024-02-29T00:00:00.1234567Z",
            "2024-02-29T00:00:00+2",
            "2024-02-29T00:00:00Zx",
            "é024-02-29T00:00:00Z",
        ];
        for text in none {
            assert_eq!(timestamp_of_text(text, "moment"), Err(Odd::Type("moment")), "{text}");
        }
    }

    #[test]
    fn units_are_exact_or_refused() {
        assert_eq!(timestamp(-1, Unit::Millis), Ok(-1000));
        assert_eq!(timestamp(1_000, Unit::Nanos), Ok(1));
        assert!(matches!(timestamp(1, Unit::Nanos), Err(Odd::Unrepresentable(_))));
        assert_eq!(timestamp(i64::MAX, Unit::Millis), Err(FAR));
        assert_eq!(timestamp(9_223_372_036_825_200_000, Unit::Micros), Err(INFINITY));
        assert_eq!((date(FIRST_DAY), date(FIRST_DAY - 1)), (Ok(FIRST_DAY), Err(FAR)));
        assert_eq!((date(LAST_DAY), date(LAST_DAY + 1)), (Ok(LAST_DAY), Err(FAR)));
        assert_eq!((date(-2_147_472_692), date(-625_821_272)), (Err(INFINITY), Err(MINUS_INFINITY)));
    }
}
