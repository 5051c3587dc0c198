//! Times whose zone is an abbreviation, or missing. The offset is looked up in this order:
//!
//! 1. without a zone: `rows.zone`, if its clocks show the time exactly once
//! 2. `rows.zones`: the meaning that the settings give to the abbreviation
//! 3. the place in `rows.zone`, if it uses the abbreviation at that time, so that an hour that its
//!    clocks show twice is read exactly
//! 4. the abbreviations that are [`certain`] everywhere
//! 5. the place in `rows.zone`, if the abbreviation means one offset there within a year: the
//!    winter name in summer still means the winter offset
//!
//! A zone found nowhere is not certain, and is refused.

use std::str::from_utf8;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::{OffsetName, Tz, TzOffset};

use super::time::abbreviation;
use crate::format::logs::settings::{Zone, Zones};

/// The tz database says nothing about times from here on: 2099-01-01, in seconds since the epoch.
const KNOWN_UNTIL: i64 = 4_070_908_800;
const WEEK_SECONDS: i64 = 7 * 86_400;
/// Weeks in a year, rounded up.
const WEEKS: i64 = 53;

/// How far east of UTC the zone called `name` is when clocks there show `local`, in seconds since
/// the epoch.
pub(super) fn seconds(zones: &Zones, name: &[u8], local: i64) -> Option<i64> {
    let name = from_utf8(name).ok()?;
    let place = match zones.zone {
        Some(Zone::Place(place)) if local < KNOWN_UNTIL => Some(place),
        Some(Zone::East(east)) if name.is_empty() => return Some(east.into()),
        _ => None,
    };
    if name.is_empty() {
        return one(there(place?, local)?.into_iter());
    }
    if let Some(east) = zones.names.get(name) {
        return Some(i64::from(*east));
    }
    let mut in_force = place.and_then(|place| there(place, local)).unwrap_or_default();
    in_force.retain(|offset| is_called(offset, name));
    match in_force.is_empty() {
        false => one(in_force.into_iter()),
        true => certain(name.as_bytes()).or_else(|| within_a_year(place?, name, local)),
    }
}

/// The offset of an abbreviation that means the same wherever PostgreSQL prints it. `BST` is
/// London's: PostgreSQL prints `+06` for Bangladesh.
pub(super) fn certain(name: &[u8]) -> Option<i64> {
    if name == b"BST" { Some(3600) } else { abbreviation(name) }
}

/// The offsets at which clocks of `place` show `local`: mostly one, two where the clocks are put
/// back, none where they are put forward.
fn there(place: Tz, local: i64) -> Option<Vec<TzOffset>> {
    Some(match place.offset_from_local_datetime(&moment(local)?) {
        MappedLocalTime::Single(one) => vec![one],
        MappedLocalTime::Ambiguous(one, other) => vec![one, other],
        MappedLocalTime::None => Vec::new(),
    })
}

fn within_a_year(place: Tz, name: &str, local: i64) -> Option<i64> {
    let weeks = (-WEEKS..=WEEKS).filter_map(|week| moment(local + week * WEEK_SECONDS));
    let offsets: Vec<TzOffset> = weeks.map(|moment| place.offset_from_utc_datetime(&moment)).collect();
    one(offsets.into_iter().filter(|offset| is_called(offset, name)))
}

/// The offset that all `offsets` have, in seconds east; none if they differ.
fn one(offsets: impl Iterator<Item = TzOffset>) -> Option<i64> {
    let mut seconds = offsets.map(|offset| i64::from(offset.fix().local_minus_utc()));
    let first = seconds.next()?;
    seconds.all(|other| other == first).then_some(first)
}

fn is_called(offset: &TzOffset, name: &str) -> bool {
    offset.abbreviation() == Some(name)
}

fn moment(seconds: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(seconds, 0).map(|moment| moment.naive_utc())
}

#[cfg(test)]
mod tests;
