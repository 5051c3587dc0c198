//! Moments as text: for generated lines and for people. Generated lines share one rendering per
//! second, because computing a date costs more than writing a line.

/// 2026-11-21 07:00:00 UTC, in seconds since 1970: the time of the first line. It is fixed so that
/// files are reproducible.
const START: u64 = 1_795_244_400;
const DAY: u64 = 86_400;

/// One second.
pub(crate) struct Second {
    /// Seconds since 1970.
    pub(crate) unix: u64,
    /// Such as `2026-11-21`.
    pub(crate) date: String,
    /// Such as `07:00:01`.
    pub(crate) time: String,
}

impl Second {
    /// The first second of the `n`th hour.
    pub(crate) fn of_hour(n: u64) -> Second {
        Second::at(START + n * 3600)
    }

    pub(crate) fn at(unix: u64) -> Second {
        let (year, month, day) = civil(unix / DAY);
        let second = unix % DAY;
        Second {
            unix,
            date: format!("{year:04}-{month:02}-{day:02}"),
            time: format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60),
        }
    }

    pub(crate) fn next(&self) -> Second {
        Second::at(self.unix + 1)
    }

    /// The folder in which Azure keeps this hour's blob, such as `y=2026/m=11/d=21/h=07/m=00`.
    pub(crate) fn hour_folder(&self) -> String {
        let (year, month, day) = (&self.date[..4], &self.date[5..7], &self.date[8..]);
        format!("y={year}/m={month}/d={day}/h={}/m=00", &self.time[..2])
    }
}

/// A moment in milliseconds since 1970, to the second, such as `2026-11-21T07:00:01Z`.
pub(crate) fn rfc3339(unix_ms: u64) -> String {
    let Second { date, time, .. } = Second::at(unix_ms / 1000);
    format!("{date}T{time}Z")
}

/// The Gregorian date that is `days` after 1970-01-01. Eras of 400 years begin on the first of
/// March, as in Howard Hinnant's algorithm.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_folders() {
        let shown = |second: Second| format!("{} {} {}", second.date, second.time, second.hour_folder());
        assert_eq!(shown(Second::of_hour(0)), "2026-11-21 07:00:00 y=2026/m=11/d=21/h=07/m=00");
        assert_eq!(shown(Second::at(START - 1).next()), shown(Second::of_hour(0)));
        assert_eq!(shown(Second::of_hour(17)), "2026-11-22 00:00:00 y=2026/m=11/d=22/h=00/m=00");
    }

    #[test]
    fn a_moment_for_people_is_to_the_second() {
        assert_eq!(rfc3339(START * 1000 + 999), "2026-11-21T07:00:00Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn leap_days() {
        for (unix, date) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_709_251_199, "2024-02-29"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(Second::at(unix).date, date);
        }
    }
}
