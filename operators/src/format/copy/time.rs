//! Dates and times, moved from PostgreSQL's epoch, 2000-01-01, to Arrow's, 1970-01-01.
//!
//! PostgreSQL has infinities at both ends of the integer, DuckDB at the greatest integer and its
//! negation; Arrow has none. The infinities here are DuckDB's, since whoever reads the files as
//! DuckDB does sees them as what they are, and no finite value becomes one of them.

use super::error::BadValue;

/// Days from Arrow's epoch to that of PostgreSQL.
const EPOCH_DAYS: i32 = 10_957;
/// Microseconds from Arrow's epoch to that of PostgreSQL.
const EPOCH_US: i64 = 946_684_800_000_000;
/// The last time of a day, which is 24:00:00, in microseconds.
const DAY_US: i64 = 86_400_000_000;

/// Days since 1970-01-01 from `days` since 2000-01-01.
#[inline]
pub(super) fn date(days: i32) -> Result<i32, BadValue> {
    match days {
        i32::MAX => Ok(i32::MAX),
        i32::MIN => Ok(-i32::MAX),
        // The shift is upwards, so nothing finite can become -infinity.
        _ => days.checked_add(EPOCH_DAYS).filter(|days| *days < i32::MAX).ok_or(BadValue::Range),
    }
}

/// Microseconds since 1970-01-01 from `us` microseconds since 2000-01-01.
#[inline]
pub(super) fn timestamp(us: i64) -> Result<i64, BadValue> {
    match us {
        i64::MAX => Ok(i64::MAX),
        i64::MIN => Ok(-i64::MAX),
        _ => us.checked_add(EPOCH_US).filter(|us| *us < i64::MAX).ok_or(BadValue::Range),
    }
}

/// `us` microseconds since midnight, if that is a time of a day.
#[inline]
pub(super) fn time(us: i64) -> Result<i64, BadValue> {
    if (0..=DAY_US).contains(&us) { Ok(us) } else { Err(BadValue::Range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_thirty_years_apart() {
        assert_eq!(date(0), Ok(10_957));
        assert_eq!(date(-10_957), Ok(0));
        assert_eq!(timestamp(0), Ok(i64::from(EPOCH_DAYS) * DAY_US));
        assert_eq!(timestamp(-EPOCH_US - 1), Ok(-1));
    }

    #[test]
    fn infinities_are_those_of_duckdb() {
        assert_eq!((date(i32::MAX), date(i32::MIN)), (Ok(i32::MAX), Ok(-i32::MAX)));
        assert_eq!((timestamp(i64::MAX), timestamp(i64::MIN)), (Ok(i64::MAX), Ok(-i64::MAX)));
    }

    #[test]
    fn nothing_finite_becomes_infinite() {
        assert_eq!(date(i32::MAX - EPOCH_DAYS - 1), Ok(i32::MAX - 1));
        assert_eq!(date(i32::MAX - EPOCH_DAYS), Err(BadValue::Range));
        assert_eq!(date(i32::MAX - 1), Err(BadValue::Range));
        assert_eq!(date(i32::MIN + 1), Ok(-i32::MAX + EPOCH_DAYS));
        assert_eq!(timestamp(i64::MAX - EPOCH_US - 1), Ok(i64::MAX - 1));
        assert_eq!(timestamp(i64::MAX - EPOCH_US), Err(BadValue::Range));
        assert_eq!(timestamp(i64::MAX - 1), Err(BadValue::Range));
        assert_eq!(timestamp(i64::MIN + 1), Ok(-i64::MAX + EPOCH_US));
    }

    #[test]
    fn a_day_ends_at_its_24th_hour() {
        assert_eq!((time(0), time(DAY_US)), (Ok(0), Ok(DAY_US)));
        assert_eq!((time(-1), time(DAY_US + 1)), (Err(BadValue::Range), Err(BadValue::Range)));
    }
}
