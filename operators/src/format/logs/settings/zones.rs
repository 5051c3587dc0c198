//! Zones: the zone of times that do not state one, and the meaning of ambiguous abbreviations.
//!
//! Places are those of the tz database that is compiled in, so that a line becomes the same row on
//! every machine. The version of the database is part of the settings, because another version is
//! another rule.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono_tz::{IANA_TZDB_VERSION, Tz};
use serde::{Deserialize, Serialize};

/// What the settings say about zones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zones {
    /// The zone of `log_timezone`, and of times without a zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// Abbreviations, in seconds east of UTC.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, i32>,
    /// The version of the tz database that `zone` is looked up in, if it is a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

/// A zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Zone {
    /// This many seconds east of UTC, all year.
    East(i32),
    /// A place in the tz database.
    Place(Tz),
}

impl Zones {
    /// `zone` is looked up in the database that is compiled in; `names` are in seconds east of UTC.
    pub fn new(zone: Option<Zone>, names: BTreeMap<String, i32>) -> Self {
        let database = matches!(zone, Some(Zone::Place(_))).then(|| IANA_TZDB_VERSION.to_owned());
        Zones { zone, names, database }
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Zones::default()
    }
}

/// The seconds east of UTC of `+HH`, `+HHMM` or `+HH:MM`, with a sign; at most 15:59, PostgreSQL's
/// own limit.
pub fn offset(text: &str) -> Option<i32> {
    let (sign, size) = match text.split_at_checked(1)? {
        ("+", size) => (1, size),
        ("-", size) => (-1, size),
        _ => return None,
    };
    let (hours, minutes) = match size.len() {
        2 => (size, "00"),
        4 => size.split_at_checked(2)?,
        _ => size.split_once(':').filter(|(hours, minutes)| hours.len() == 2 && minutes.len() == 2)?,
    };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i32>().ok())?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 15 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60)
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = || text.parse().ok().map(Zone::Place);
        let zone = offset(text).map(Zone::East).or_else(place);
        zone.ok_or_else(|| format!("{text:?} is neither a zone of the tz database {IANA_TZDB_VERSION} nor an offset"))
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        match zone {
            Zone::Place(place) => place.name().to_owned(),
            Zone::East(seconds) => {
                let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
                format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_have_a_sign_and_stay_within_postgresqls_limit() {
        let good = [("+05:30", 19_800), ("-0330", -12_600), ("+00", 0), ("-15:59", -57_540)];
        for (text, seconds) in good {
            assert_eq!(offset(text), Some(seconds), "{text}");
        }
        for text in ["", "+", "05:30", "+5", "+5:30", "+16", "+02:60", "+02:00:00", "++02", "+-2", "+0é", "+02:0"] {
            assert_eq!(offset(text), None, "{text}");
        }
    }

    #[test]
    fn zones_come_back_as_they_were_written_down() {
        for zone in ["Europe/London", "+05:30", "-03:30", "UTC", "Asia/Kolkata"] {
            let zones = Zones::new(Some(zone.parse().expect("a zone")), [("IST".to_owned(), 19_800)].into());
            let text = serde_json::to_string(&zones).expect("JSON");
            assert!(text.contains(&format!("{zone:?}")), "{text}");
            assert_eq!(serde_json::from_str::<Zones>(&text).expect("zones"), zones);
        }
        assert!("europe/london".parse::<Zone>().is_err() && "IST".parse::<Zone>().is_err());
        assert_eq!(serde_json::to_string(&Zones::default()).expect("JSON"), "{}");
    }
}
