//! How tables are partitioned: what their keys are, and the values of these.
//!
//! | transform | of | value |
//! |---|---|---|
//! | identity | integers, dates, booleans, texts | the value itself |
//! | `year`, `month`, `day`, `hour` | dates, timestamps, also with a zone | a part, such as `3` |
//!
//! A part is not counted on: March of every year has the value `3`. It is taken in UTC, as DuckDB
//! takes it in a session whose time zone is UTC. DuckDB 1.5.5 finds rows by the bounds of the
//! columns, and not by these values, so other sessions miss nothing. The year before 1 is `0`, but
//! `1` (BC) for a timestamp with a zone; a date's hour is `0`; infinities have no parts, and so the
//! value that NULL has.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_schema::{DataType, TimeUnit};

use super::bounds;
use super::types::LakeType;
use crate::calendar;
use crate::sink::parquet::Bound;

/// The catalog's name of the transform that changes nothing.
const IDENTITY: &str = "identity";
/// The transforms of a date or moment.
const PARTS: [&str; 4] = ["year", "month", "day", "hour"];

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// A key as people write it, `ledger_range` or `day(closed_at)`: its column, and its transform as
/// the catalog names it.
pub fn partition_key(text: &str) -> (&str, &str) {
    let named = PARTS.into_iter().find_map(|part| {
        let column = text.strip_prefix(part)?.strip_prefix('(')?.strip_suffix(')')?;
        Some((column.trim(), part))
    });
    named.unwrap_or((text, IDENTITY))
}

/// Refuses a key of which no values are known; in words that follow "it is partitioned by".
pub(super) fn refuse(transform: &str, of: &LakeType) -> Result<(), String> {
    use LakeType::{Boolean, Date, Int16, Int32, Int64, Json, Timestamp, Timestamptz, Varchar};
    let is_part = PARTS.contains(&transform);
    match of {
        Boolean | Int16 | Int32 | Int64 | Varchar | Json | Date if transform == IDENTITY => Ok(()),
        Date | Timestamp | Timestamptz if is_part => Ok(()),
        of if transform == IDENTITY => Err(format!("a column of type {}", of.sql())),
        of if is_part => Err(format!("the {transform} of a column of type {}", of.sql())),
        _ => Err(transform.to_owned()),
    }
}

/// The value of a key that is not refused, in a row of its column; none for null.
pub(super) fn value(array: &dyn Array, row: usize, of: &LakeType, transform: &str) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    if transform != IDENTITY {
        return part(transform, moment(array, row)?, *of == LakeType::Timestamptz);
    }
    let bound = match array.data_type() {
        DataType::Int16 => Bound::Signed(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Bound::Signed(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Bound::Signed(array.as_primitive::<Int64Type>().value(row)),
        DataType::Date32 => Bound::Signed(array.as_primitive::<Date32Type>().value(row).into()),
        DataType::Boolean => return Some(array.as_boolean().value(row).to_string()),
        DataType::Utf8 => return Some(array.as_string::<i32>().value(row).to_owned()),
        _ => return None,
    };
    bounds::text(&bound, of, false)
}

/// Days since 1970, and the microseconds of the day; none for infinities.
fn moment(array: &dyn Array, row: usize) -> Option<(i64, i64)> {
    match array.data_type() {
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(row);
            (days != i32::MAX && days != -i32::MAX).then_some((days.into(), 0))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let moment = (micros.div_euclid(DAY_US), micros.rem_euclid(DAY_US));
            (micros != i64::MAX && micros != -i64::MAX).then_some(moment)
        }
        _ => None,
    }
}

/// The part of a moment.
fn part(transform: &str, (days, micros): (i64, i64), has_zone: bool) -> Option<String> {
    let (year, month, day) = calendar::date(days);
    let part = match transform {
        "year" if has_zone && year < 1 => 1 - year,
        "year" => year,
        "month" => month,
        "day" => day,
        "hour" => micros / HOUR_US,
        _ => return None,
    };
    Some(part.to_string())
}

#[cfg(test)]
mod tests;
