//! Moments: the text of a time, in microseconds since 1970. It takes the text apart at its signs, and counts whole years.

/// Minutes east of UTC of each abbreviation that means one offset only.
const ABBREVIATIONS: &str = "Z 0,UTC 0,GMT 0,WET 0,WEST 60,CET 60,WAT 60,CEST 120,EET 120,CAT 120,SAST 120,EEST 180,MSK 180,\
    EAT 180,PKT 300,WIB 420,AWST 480,HKT 480,WITA 480,JST 540,KST 540,WIT 540,ACST 570,AEST 600,ACDT 630,AEDT 660,NZST 720,\
    NZDT 780,HST -600,AKST -540,AKDT -480,MST -420,MDT -360,EST -300,EDT -240,NST -210,NDT -150";

/// Days from the first of January of the year 1 to that of 1970.
const DAYS_TO_1970: i64 = 719_162;
/// Days from the year 1 to the end of 9999.
const DAYS_OF_ALL: i64 = 3_652_059;
/// Microseconds in a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// The moment that `text` names, in microseconds since 1970; none if it names none, or its zone is not certain.
pub(super) fn moment(text: &str) -> Option<i64> {
    let clock_at = text.find(['T', ' '])? + 1;
    let zone_at = text[clock_at..].find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.')? + clock_at;
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
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - zone_seconds(zone)?;
    let since_year_1 = seconds * 1_000_000 + micros;
    (0..DAYS_OF_ALL * DAY).contains(&since_year_1).then_some(since_year_1 - DAYS_TO_1970 * DAY)
}

/// Seconds east of UTC of a zone, before which one space may stand.
fn zone_seconds(zone: &str) -> Option<i64> {
    let zone = zone.strip_prefix(' ').unwrap_or(zone);
    let Some(sign) = ["+", "-"].iter().position(|sign| zone.starts_with(sign)) else {
        let mut known = ABBREVIATIONS.split(',').filter_map(|entry| entry.split_once(' '));
        return known.find(|(name, _)| *name == zone)?.1.parse::<i64>().ok().map(|minutes| minutes * 60);
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

/// Three numbers of so many digits each, and no more.
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
mod tests {
    use super::*;
    use crate::rows::parse_micros;

    /// The rows' own reader of times says the same of every zone, of odd ones, and of the edges of the calendar.
    #[test]
    fn two_readers_of_times_agree() {
        let odd = [
            "",
            "z",
            "UT",
            "IST",
            "CST",
            "PDT",
            "+2",
            "+16",
            "+15",
            "-0330",
            "+02:60",
            "+02:00:59",
            "-00:44:30",
            "+020",
        ];
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
                for (zone, (separator, space)) in
                    zones.iter().flat_map(|zone| [("T", ""), (" ", " ")].map(|s| (zone, s)))
                {
                    let text = format!("{date}{separator}{clock}{space}{zone}");
                    assert_eq!(moment(&text), parse_micros(&text), "{text}");
                }
            }
        }
        for text in ["", "now", "T", " ", "2026-11-21", "2026-11-21T", "2026-11-21t07:00:01Z", " 2026-11-21T07:00:01Z"]
        {
            assert_eq!(moment(text), parse_micros(text), "{text}");
        }
    }
}
