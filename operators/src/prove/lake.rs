//! The table's side: its rows, read as any reader reads them, and counted.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

use super::logs::columns::{Columns, ITEM, LOGGED, RECEIVED, REJECT, REST};
use super::logs::moment::DAY;
use super::subject::Subject;
use super::sums::{At, RowSums, Sums};
use super::{Progress, extent};
use crate::error::StoreError;
use crate::format::logs::settings::Format;
use crate::protocol::sums::Sum;
use crate::sink::delta::Pinned;
use crate::totals::hash;

/// The rows of a table.
#[derive(Default)]
pub(super) struct Lake {
    /// Rows that landed under the present settings, judging by their offsets.
    pub(super) present: Sums,
    /// Rows that landed under earlier settings.
    pub(super) earlier: Sum,
    /// Rows without `_source` or `_offset`, or with a negative offset.
    pub(super) nameless: Sum,
    /// Rows of others that the pipeline was told to land alongside: no pipeline has landed them.
    pub(super) strangers: Sum,
}

impl Lake {
    /// Counts rows without a valid place as rows of others.
    pub(super) fn set_strangers_apart(&mut self) {
        self.strangers = std::mem::take(&mut self.nameless);
    }

    /// All rows that a pipeline has landed, or may have landed.
    pub(super) fn sum(&self) -> Sum {
        [self.present.sum(), self.earlier, self.nameless].into_iter().sum()
    }
}

/// How the rows of one table are read.
pub(super) struct Reader<'t> {
    pinned: &'t Pinned,
    /// The columns that go into checksums.
    columns: Vec<String>,
    /// The column that holds the day, if there is one.
    day: Option<&'static str>,
    floors: BTreeMap<String, u64>,
}

/// A row of a table: its `_source` and place, if it has them, and the sum of its values.
type SummedRow<'b> = (Option<(&'b str, At)>, u128);

impl<'t> Reader<'t> {
    /// A reader of a table; `is_rejects` if it is the rejects table.
    pub(super) fn new(subject: &'t Subject<'_>, is_rejects: bool) -> Self {
        let Subject { spec, pinned, recorded, foreign, .. } = subject;
        let format = recorded.standing.settings.format;
        // Rows of earlier settings, and those of other pipelines, may have the columns of another
        // format.
        let formats = match recorded.totals().earlier.rows == 0 && foreign.rows == 0 {
            true => vec![format],
            false => vec![Format::Azure, Format::Jsonlog],
        };
        let of_rows = || formats.iter().flat_map(|format| Columns::of(*format).all).map(|column| column.name);
        let mut columns: Vec<&str> = if is_rejects { REJECT.to_vec() } else { of_rows().chain([REST]).collect() };
        columns.extend([hash::SOURCE, hash::OFFSET, ITEM]);
        let columns = columns.into_iter().map(str::to_owned).collect();
        let day = spec.partition.map(|partition| partition.column);
        Reader { pinned, columns, day, floors: extent::floors(&recorded.account.from) }
    }

    /// Counts all rows.
    pub(super) async fn count(&self, progress: &Progress) -> Result<Lake, StoreError> {
        let mut lake = Lake::default();
        self.each_row(
            |(at, values)| match at {
                None => lake.nameless += Sum::row(values),
                Some((source, (offset, _))) => {
                    let row = hash::PartitionHash::new(source).row(offset, values);
                    match self.floors.get(source) {
                        Some(floor) if offset < *floor => lake.earlier += Sum::row(row),
                        _ => lake.present.add(source, offset, row),
                    }
                }
            },
            progress,
        )
        .await?;
        Ok(lake)
    }

    /// The rows of one `_source` in a range of offsets that landed under the present settings.
    pub(super) async fn rows(&self, of: &str, range: Range<u64>) -> Result<RowSums, StoreError> {
        let floor = self.floors.get(of).copied().unwrap_or_default();
        let mut rows = RowSums::new();
        self.each_row(
            |(at, values)| {
                let wanted =
                    at.filter(|(source, (offset, _))| *source == of && *offset >= floor && range.contains(offset));
                if let Some((source, at)) = wanted {
                    rows.entry(at).or_default().push(hash::PartitionHash::new(source).row(at.0, values));
                }
            },
            &Progress::default(),
        )
        .await?;
        Ok(rows)
    }

    async fn each_row(&self, mut tell: impl FnMut(SummedRow<'_>), progress: &Progress) -> Result<(), StoreError> {
        let day = self.day;
        let (columns, is_day) = (self.columns.clone(), move |name: &str| day == Some(name));
        let mut batches = self.pinned.rows(|name| columns.iter().any(|column| column == name) || is_day(name)).await?;
        let mut sums = Vec::new();
        while let Some(batch) = batches.recv().await {
            let batch = batch?;
            progress.count(batch.num_rows() as u64);
            rows(&batch, day, &mut sums, &mut tell)?;
        }
        Ok(())
    }
}

/// Whether the tables of `pg_logs` have columns of this type.
fn is_of_ours(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Binary | DataType::Int64 | DataType::Timestamp(_, Some(_)))
}

fn rows(
    batch: &RecordBatch,
    day: Option<&str>,
    sums: &mut Vec<u128>,
    tell: &mut impl FnMut(SummedRow<'_>),
) -> Result<(), StoreError> {
    let failed = |cause: String| StoreError::definite("understand the rows of a table", cause);
    let mut counted = Vec::new();
    for (at, field) in batch.schema_ref().fields().iter().enumerate().filter(|(_, field)| day != Some(field.name())) {
        if !is_of_ours(field.data_type()) {
            return Err(failed(format!("column {:?} is of type {}", field.name(), field.data_type())));
        }
        counted.push(at);
    }
    let plain = batch.project(&counted).map_err(|e| failed(e.to_string()))?;
    let column =
        |name: &str| plain.column_by_name(name).ok_or_else(|| failed(format!("it no longer has column {name:?}")));
    let sources = column(hash::SOURCE)?.as_string_opt::<i32>();
    let offsets = column(hash::OFFSET)?.as_primitive_opt::<Int64Type>();
    let (Some(sources), Some(offsets)) = (sources, offsets) else {
        return Err(failed("_source is not text, or _offset is not an integer".to_owned()));
    };
    // Tables older than this column lack it, and have no such rows.
    let items = plain.column_by_name(ITEM).and_then(|items| items.as_primitive_opt::<Int64Type>());
    let item = |row| items.filter(|items| items.is_valid(row)).map(|items| items.value(row).cast_unsigned());
    let mut row = 0;
    hash::rows(&plain, sums, |offset, values| {
        let is_placed = sources.is_valid(row) && offsets.is_valid(row) && offsets.value(row) >= 0;
        let at = is_placed.then(|| (sources.value(row), (offset, item(row))));
        let wrong_day = day.and_then(|day| wrong_day(batch, day, row));
        tell((at, values.wrapping_add(wrong_day.unwrap_or_default())));
        row += 1;
    });
    Ok(())
}

/// What is added to the checksum of a row in another day's partition than its times imply, so that
/// it differs from the source's row.
fn wrong_day(batch: &RecordBatch, column: &str, row: usize) -> Option<u128> {
    let moment = |name: &str| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        column.is_valid(row).then(|| column.value(row))
    };
    let logged = LOGGED.into_iter().find_map(moment).or_else(|| moment(RECEIVED));
    let expected = logged.map(|moment| moment.div_euclid(DAY));
    let days = batch.column_by_name(column)?.as_primitive_opt::<Date32Type>()?;
    let found = days.is_valid(row).then(|| i64::from(days.value(row)));
    (found != expected).then(|| hash::Column::new(column, "date").number(found.unwrap_or(i64::MIN)))
}
