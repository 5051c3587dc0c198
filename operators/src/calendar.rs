//! Days and the dates that they are in the Gregorian calendar, reckoned into the past too. The year
//! before 1 is 0, and those before it are negative.
//!
//! Years are counted from March, so that the leap day is the last of its year, and months before it
//! do not depend on it. After 400 years all repeats.

const DAYS_IN_4_YEARS: i64 = 1_461;
const DAYS_IN_100_YEARS: i64 = 36_524;
const DAYS_IN_400_YEARS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const TO_1970: i64 = 719_468;

/// A date: year, month from 1, day from 1.
pub(crate) type Date = (i64, i64, i64);

/// Days from 1970-01-01 to a date. One that is none, such as the 30th of February, is taken for a
/// later one.
pub(crate) fn days((year, month, day): Date) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = before_month(month) + day - 1;
    cycle * DAYS_IN_400_YEARS + before_year(year) + day_of_year - TO_1970
}

/// The date that is so many days after 1970-01-01.
pub(crate) fn date(days: i64) -> Date {
    let days = days + TO_1970;
    let (cycle, day) = (days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
    // Without the leap days before it, a day is in the year of its 365th part.
    let leap_days = day / (DAYS_IN_4_YEARS - 1) - day / DAYS_IN_100_YEARS + day / (DAYS_IN_400_YEARS - 1);
    let year = (day - leap_days) / 365;
    let day_of_year = day - before_year(year);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - before_month(month) + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    (400 * cycle + year, month, day)
}

/// The days of a cycle before its year, from 0.
fn before_year(year: i64) -> i64 {
    365 * year + year / 4 - year / 100
}

/// The days of a year before its month, March being 0: five months have 153 days.
fn before_month(month: i64) -> i64 {
    (153 * month + 2) / 5
}
