//! Columns that say where a row's last change is from, for tables that want them.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};

use super::reading::Place;
use crate::format::debezium::Source;
use crate::format::debezium::typed::{LakeColumn, LakeType};

/// The moments that readers of a lake take, the years 1 to 9999, in microseconds since 1970.
const MOMENTS: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// The columns, by their names in the lake.
const NAMES: [&str; 6] = ["_lsn", "_tx_id", "_source_ts", "_topic", "_partition", "_offset"];

/// The columns, with their types.
pub fn metadata_columns() -> [LakeColumn; 6] {
    let long = LakeType::Integer(64);
    let types =
        [long.clone(), long.clone(), LakeType::Timestamp { is_utc: true }, LakeType::Text, LakeType::Integer(32), long];
    let mut types = types.into_iter();
    NAMES.map(|name| LakeColumn { name: name.to_owned(), of: types.next().unwrap_or(LakeType::Text), as_text: false })
}

/// Whether this is the name of such a column.
pub fn is_metadata(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Where changes are from, one after the other.
#[derive(Default)]
pub(super) struct Metadata {
    lsns: Vec<Option<i64>>,
    transactions: Vec<Option<i64>>,
    moments: Vec<Option<i64>>,
    topics: Vec<Option<String>>,
    partitions: Vec<Option<i32>>,
    offsets: Vec<Option<i64>>,
}

impl Metadata {
    /// The next change is of this record and source.
    pub(super) fn push(&mut self, place: Place<'_>, source: &Source) {
        self.lsns.push(source.lsn);
        self.transactions.push(source.tx_id);
        self.moments.push(source.ts_us.filter(|micros| MOMENTS.contains(micros)));
        self.topics.push(Some(place.records.topic.clone()));
        self.partitions.push(Some(place.records.partition));
        self.offsets.push(Some(place.record.offset().cast_signed()));
    }

    /// The next change has no row.
    pub(super) fn push_none(&mut self) {
        self.lsns.push(None);
        self.transactions.push(None);
        self.moments.push(None);
        self.topics.push(None);
        self.partitions.push(None);
        self.offsets.push(None);
    }

    /// Puts the columns into `rows`, which have one row for each change, and forgets them.
    pub(super) fn fill(&mut self, rows: &RecordBatch) -> RecordBatch {
        let Metadata { lsns, transactions, moments, topics, partitions, offsets } = std::mem::take(self);
        let columns: [ArrayRef; 6] = [
            Arc::new(Int64Array::from(lsns)),
            Arc::new(Int64Array::from(transactions)),
            Arc::new(TimestampMicrosecondArray::from(moments).with_timezone("UTC")),
            Arc::new(StringArray::from(topics)),
            Arc::new(Int32Array::from(partitions)),
            Arc::new(Int64Array::from(offsets)),
        ];
        let schema = rows.schema();
        let column = |(at, field): (usize, &Arc<arrow_schema::Field>)| {
            let ours = NAMES.iter().position(|name| name == field.name());
            ours.map_or_else(|| rows.column(at).clone(), |ours| columns[ours].clone())
        };
        let all = schema.fields().iter().enumerate().map(column).collect();
        RecordBatch::try_new(schema.clone(), all).expect("the table's columns have these types")
    }
}
