//! The day of a row, for tables that are partitioned by day.

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, Date32Array, RecordBatch, TimestampMicrosecondArray};

use super::time::MICROS_PER_DAY;

/// The day, in UTC, of each row of `batch`: when the server logged the line (`log_timestamp`, or
/// `timestamp` in `jsonlog`), else when Azure received it (`time`), else null.
pub fn log_dates(batch: &RecordBatch) -> Date32Array {
    let logged = moments(batch, "log_timestamp").or_else(|| moments(batch, "timestamp"));
    let received = moments(batch, "time");
    (0..batch.num_rows()).map(|row| moment(logged, row).or_else(|| moment(received, row)).map(day)).collect()
}

fn moments<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a TimestampMicrosecondArray> {
    batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()
}

fn moment(column: Option<&TimestampMicrosecondArray>, row: usize) -> Option<i64> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

/// Days since 1970-01-01, rounded down and not towards zero: a moment before 1970 belongs to the
/// day that it is in.
fn day(micros: i64) -> i32 {
    i32::try_from(micros.div_euclid(MICROS_PER_DAY)).expect("the days of all int64 microseconds fit 32 bits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::logs::rows::RowBuilder;
    use crate::format::logs::settings::{Format, UnknownKeys};

    fn dates(format: Format, lines: &[&str]) -> Vec<Option<i32>> {
        let mut rows = RowBuilder::new(format, UnknownKeys::Keep);
        for line in lines {
            rows.push(line.as_bytes(), 0).expect("the test's lines are good");
        }
        log_dates(&rows.finish("a")).iter().collect()
    }

    #[test]
    fn the_log_time_comes_before_the_time_of_receipt() {
        let lines = [
            r#"{"time":"2026-11-21T00:00:01Z","properties":{"timestamp":"2026-11-20 23:59:59.999999 UTC"}}"#,
            r#"{"time":"2026-11-21T00:00:01Z","properties":{"timestamp":null}}"#,
            r#"{"time":"2026-11-21T00:00:01Z"}"#,
            r#"{"properties":{"timestamp":"2026-11-21 00:30:00 CET"}}"#,
            r#"{"time":"1969-12-31T23:59:59Z"}"#,
            r#"{"time":null}"#,
        ];
        let expected = [Some(20777), Some(20778), Some(20778), Some(20777), Some(-1), None];
        assert_eq!(dates(Format::Azure, &lines), expected);
    }

    #[test]
    fn jsonlog_has_one_time() {
        let lines = [r#"{"timestamp":"2026-11-21 07:00:01 UTC"}"#, r#"{"session_start":"2026-11-21 07:00:01 UTC"}"#];
        assert_eq!(dates(Format::Jsonlog, &lines), [Some(20778), None]);
    }

    #[test]
    fn a_batch_without_times_has_no_days() {
        let batch = crate::format::logs::rows::rejects_batch(&[], "a", 0);
        assert_eq!(log_dates(&batch).len(), 0);
    }
}
