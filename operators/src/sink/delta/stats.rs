//! Statistics of a Parquet file in Delta's form, taken from the file's own footer: nothing is
//! computed twice.

use arrow_schema::{DataType, SchemaRef};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};

/// The JSON text of `numRecords`, `minValues`, `maxValues` and `nullCount`. Bounds may be wider
/// than the values.
pub(in crate::sink) fn of(metadata: &ParquetMetaData, schema: &SchemaRef) -> String {
    let (mut min_values, mut max_values, mut null_counts) = (Map::new(), Map::new(), Map::new());
    for (index, field) in schema.fields().iter().enumerate() {
        let groups = || metadata.row_groups().iter().map(move |group| group.column(index).statistics());
        let nulls: Option<u64> = groups().map(|s| s.and_then(Statistics::null_count_opt)).sum();
        if let Some(nulls) = nulls {
            null_counts.insert(field.name().clone(), nulls.into());
        }
        if let Some((min, max)) = bounds(groups(), field.data_type()) {
            min_values.insert(field.name().clone(), min);
            max_values.insert(field.name().clone(), max);
        }
    }
    let rows = metadata.file_metadata().num_rows();
    json!({"numRecords": rows, "minValues": min_values, "maxValues": max_values, "nullCount": null_counts}).to_string()
}

fn bounds<'a>(groups: impl Iterator<Item = Option<&'a Statistics>>, data_type: &DataType) -> Option<(Value, Value)> {
    let (mut integers, mut texts) = (None::<(i64, i64)>, None::<(String, String)>);
    for statistics in groups {
        match statistics? {
            Statistics::Int64(s) => {
                // A group with only nulls has no bounds, and narrows nothing.
                let (Some(&min), Some(&max)) = (s.min_opt(), s.max_opt()) else { continue };
                let (low, high) = integers.unwrap_or((min, max));
                integers = Some((low.min(min), high.max(max)));
            }
            Statistics::ByteArray(s) if *data_type == DataType::Utf8 => {
                let (min, max) = match (s.min_opt(), s.max_opt()) {
                    (Some(min), Some(max)) => (min, max),
                    (None, None) => continue,
                    // There are values, but their bounds are unknown.
                    _ => return None,
                };
                let (min, max) = (min.as_utf8().ok()?.to_owned(), max.as_utf8().ok()?.to_owned());
                let (low, high) = texts.unwrap_or_else(|| (min.clone(), max.clone()));
                texts = Some((low.min(min), high.max(max)));
            }
            _ => return None,
        }
    }
    match data_type {
        DataType::Timestamp(..) => integers.map(|(min, max)| (timestamp(min), timestamp(max))),
        DataType::Int64 => integers.map(|(min, max)| (min.into(), max.into())),
        DataType::Utf8 => texts.map(|(min, max)| (min.into(), max.into())),
        _ => None,
    }
}

/// Microseconds since 1970 as ISO 8601 in UTC.
fn timestamp(micros: i64) -> Value {
    let (days, rest) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    let time = format!("{:02}:{:02}:{:02}.{micros:06}Z", seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{}T{time}", date(days)).into()
}

/// Days since 1970 as `YYYY-MM-DD`, in the proleptic Gregorian calendar (Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
pub(super) fn date(days: i64) -> String {
    let z = days + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_microseconds_read_as_the_calendar_has_them() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(20_778), "2026-11-21");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(timestamp(1_467_000), json!("1970-01-01T00:00:01.467000Z"));
        assert_eq!(timestamp(-1), json!("1969-12-31T23:59:59.999999Z"));
    }
}
