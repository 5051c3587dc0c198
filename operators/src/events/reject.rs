//! Records that became no row, as rows of the table that keeps them.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::source::kafka::records::{Borrowed, Records};

/// The moments that readers of a lake take, the years 1 to 9999, in milliseconds since 1970:
/// whoever writes records may give them any.
const MOMENTS: RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// Why a record became no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Why {
    /// It is nothing that Debezium writes.
    NoEvent,
    /// It does not name its table.
    NoTable,
    /// Its table has no key, or the event does not have all of it.
    NoKey,
    /// Its key is another one than that by which the table is changed.
    OtherKey,
    /// A column has another type now.
    OtherType,
    /// A value is none of its column's type.
    Value,
    /// The lake has no such value.
    Unrepresentable,
    /// It keeps a value that nobody has.
    ToastGap,
    /// Its record was lost before anybody read it, and that was accepted.
    Lost,
}

/// Why records become rejects, in the words that the table has for it.
pub const REASONS: [&str; 9] =
    ["no_event", "no_table", "no_key", "other_key", "other_type", "value", "unrepresentable", "toast_gap", "lost"];

impl Why {
    /// Whether all events of the table are rejects from now on, until somebody decides.
    pub(super) fn stops_table(self) -> bool {
        matches!(self, Why::OtherKey | Why::OtherType)
    }

    /// The word that the table has for it.
    pub(super) fn word(self) -> &'static str {
        REASONS[self as usize]
    }
}

/// A key or a value as it stands in its record: what is text stays text in JSON too, where bytes
/// take several times their size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Raw {
    /// It is UTF-8.
    Text(String),
    /// It is not.
    Bytes(Vec<u8>),
}

impl Raw {
    fn of(raw: &[u8]) -> Raw {
        match std::str::from_utf8(raw) {
            Ok(text) => Raw::Text(text.to_owned()),
            Err(_) => Raw::Bytes(raw.to_vec()),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Raw::Text(text) => Some(text),
            Raw::Bytes(_) => None,
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Raw::Text(_) => None,
            Raw::Bytes(bytes) => Some(bytes),
        }
    }
}

/// A record that became no row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reject {
    /// Its topic.
    pub topic: String,
    /// The number of its partition.
    pub partition: i32,
    /// Which topic of that name, counted from the first that was read.
    pub generation: u32,
    /// Its offset.
    pub offset: u64,
    /// When it was written, in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<Raw>,
    /// Its value.
    pub value: Option<Raw>,
    /// Why.
    pub why: Why,
    /// The same in words, which show no value.
    pub detail: String,
}

impl Reject {
    /// A record of a block.
    pub(super) fn of(records: &Records, record: Borrowed<'_>, generation: u32, why: Why, detail: String) -> Reject {
        Reject {
            generation,
            topic: records.topic.clone(),
            partition: records.partition,
            offset: record.offset(),
            timestamp_ms: record.timestamp_ms(),
            key: record.key().map(Raw::of),
            value: record.value().map(Raw::of),
            why,
            detail,
        }
    }

    /// The offsets of a block that were lost.
    pub(super) fn lost(records: &Records, generation: u32) -> Reject {
        let (from, to) = (records.offsets.start, records.offsets.end);
        Reject {
            generation,
            topic: records.topic.clone(),
            partition: records.partition,
            offset: from,
            timestamp_ms: None,
            key: None,
            value: None,
            why: Why::Lost,
            detail: format!("the records of offsets {from} to {} are lost, which was accepted", to.saturating_sub(1)),
        }
    }
}

/// The columns of the table. A key or a value that is no UTF-8 is in the column of bytes.
pub fn rejects_schema() -> SchemaRef {
    let moment = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let fields = [
        ("_topic", DataType::Utf8),
        ("_partition", DataType::Int32),
        ("_offset", DataType::Int64),
        ("_timestamp", moment),
        ("_key", DataType::Utf8),
        ("_key_bytes", DataType::Binary),
        ("value", DataType::Utf8),
        ("value_bytes", DataType::Binary),
        ("reason", DataType::Utf8),
        ("detail", DataType::Utf8),
    ];
    let fields = fields.map(|(name, of)| Field::new(name, of, true));
    Arc::new(Schema::new(fields.to_vec()))
}

/// Rejects as rows.
pub(super) fn rows(rejects: &[Reject]) -> RecordBatch {
    let text = |raw: fn(&Reject) -> &Option<Raw>| -> ArrayRef {
        Arc::new(StringArray::from_iter(rejects.iter().map(|reject| raw(reject).as_ref().and_then(Raw::text))))
    };
    let bytes = |raw: fn(&Reject) -> &Option<Raw>| -> ArrayRef {
        Arc::new(BinaryArray::from_iter(rejects.iter().map(|reject| raw(reject).as_ref().and_then(Raw::bytes))))
    };
    let moments =
        rejects.iter().map(|reject| reject.timestamp_ms.filter(|ms| MOMENTS.contains(ms)).map(|ms| ms * 1000));
    let moments: TimestampMicrosecondArray = moments.collect();
    let column = |of: ArrayRef| of;
    let columns = vec![
        column(Arc::new(StringArray::from_iter_values(rejects.iter().map(|reject| &reject.topic)))),
        column(Arc::new(Int32Array::from_iter_values(rejects.iter().map(|reject| reject.partition)))),
        column(Arc::new(Int64Array::from_iter_values(rejects.iter().map(|reject| reject.offset.cast_signed())))),
        column(Arc::new(moments.with_timezone("UTC"))),
        text(|reject| &reject.key),
        bytes(|reject| &reject.key),
        text(|reject| &reject.value),
        bytes(|reject| &reject.value),
        column(Arc::new(StringArray::from_iter_values(rejects.iter().map(|reject| reject.why.word())))),
        column(Arc::new(StringArray::from_iter_values(rejects.iter().map(|reject| &reject.detail)))),
    ];
    RecordBatch::try_new(rejects_schema(), columns).expect("the columns are those of the schema above")
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;

    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_kept_as_bytes() {
        let reject = Reject {
            topic: "t".to_owned(),
            partition: 3,
            generation: 1,
            offset: 7,
            timestamp_ms: Some(5),
            key: Some(Raw::of(b"k")),
            value: Some(Raw::of(b"\xff")),
            why: Why::NoEvent,
            detail: "it is none".to_owned(),
        };
        let json = serde_json::to_string(&reject).unwrap();
        assert!(json.contains(r#""key":"k","value":[255]"#), "{json}");
        let rows = rows(&[serde_json::from_str(&json).unwrap()]);
        let text = |name: &str| rows[name].as_string::<i32>().iter().next().flatten().map(str::to_owned);
        assert_eq!(
            (text("_key").as_deref(), text("value"), text("reason").as_deref()),
            (Some("k"), None, Some("no_event"))
        );
        assert_eq!(rows["value_bytes"].as_binary::<i32>().value(0), b"\xff");
    }
}
