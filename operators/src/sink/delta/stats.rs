//! Statistics of a Parquet file in Delta's form.
//!
//! What Delta has no bounds for is left out: bits, binaries, whatever is within a list, and bounds
//! that JSON or Delta's own order of values cannot have.

use arrow_schema::DataType;
use serde_json::{Map, Value, json};

use crate::calendar;
use crate::sink::parquet::{Bound, LeafStatistics};

/// A decimal of so many digits is the same number after a way through a float of 64 bits, which is
/// how JSON numbers are read.
const EXACT_DIGITS: u8 = 15;

/// The JSON text of `numRecords`, `minValues`, `maxValues` and `nullCount` of a file of `rows`.
/// Bounds may be wider than the values.
pub(super) fn of(rows: u64, leaves: &[LeafStatistics]) -> String {
    let (mut min_values, mut max_values, mut null_counts) = (Map::new(), Map::new(), Map::new());
    for leaf in leaves.iter().filter(|leaf| !leaf.is_listed) {
        set(&mut null_counts, &leaf.names, leaf.nulls.into());
        if let Some((min, max)) = bounds(leaf) {
            set(&mut min_values, &leaf.names, min);
            set(&mut max_values, &leaf.names, max);
        }
    }
    json!({"numRecords": rows, "minValues": min_values, "maxValues": max_values, "nullCount": null_counts}).to_string()
}

/// Sets a value of a struct's field, within an object for each struct.
fn set(within: &mut Map<String, Value>, names: &[String], value: Value) {
    match names {
        [] => {}
        [name] => drop(within.insert(name.clone(), value)),
        [name, names @ ..] => {
            if let Value::Object(within) = within.entry(name).or_insert_with(|| Map::new().into()) {
                set(within, names, value);
            }
        }
    }
}

fn bounds(leaf: &LeafStatistics) -> Option<(Value, Value)> {
    // Readers of Delta take NaN for the greatest value, which our bounds leave out.
    if leaf.has_nan {
        return None;
    }
    let (min, max) = (leaf.min.as_ref()?, leaf.max.as_ref()?);
    bound(min, &leaf.data_type).zip(bound(max, &leaf.data_type))
}

fn bound(bound: &Bound, data_type: &DataType) -> Option<Value> {
    match (bound, data_type) {
        (Bound::Signed(micros), DataType::Timestamp(_, Some(_))) => Some(timestamp(*micros)),
        (Bound::Signed(micros), DataType::Timestamp(..)) => Some(moment(*micros).into()),
        (Bound::Signed(days), DataType::Date32) => Some(date(*days).into()),
        (Bound::Signed(number), _) => Some((*number).into()),
        (Bound::Text(text), _) => Some(text.clone().into()),
        // An infinity is no number of JSON.
        (Bound::Double(number), _) => serde_json::Number::from_f64(*number).map(Value::Number),
        (Bound::Float(number), _) => serde_json::Number::from_f64((*number).into()).map(Value::Number),
        (Bound::Decimal(digits), DataType::Decimal128(precision, scale)) => decimal(*digits, *precision, *scale),
        (Bound::Bool(_) | Bound::Bytes(_) | Bound::Unsigned(_) | Bound::Decimal(_), _) => None,
    }
}

/// A decimal as a number of JSON.
fn decimal(digits: i128, precision: u8, scale: i8) -> Option<Value> {
    if let (0, Ok(number)) = (scale, i64::try_from(digits)) {
        return Some(number.into());
    }
    let number: f64 = format!("{digits}e-{scale}").parse().ok()?;
    (precision <= EXACT_DIGITS).then(|| number.into())
}

/// Microseconds since 1970 as ISO 8601 in UTC.
fn timestamp(micros: i64) -> Value {
    format!("{}Z", moment(micros)).into()
}

/// The same without a zone.
fn moment(micros: i64) -> String {
    let (days, rest) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    let time = format!("{:02}:{:02}:{:02}.{micros:06}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{}T{time}", date(days))
}

/// Days since 1970 as `YYYY-MM-DD`.
pub(super) fn date(days: i64) -> String {
    let (year, month, day) = calendar::date(days);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests;
