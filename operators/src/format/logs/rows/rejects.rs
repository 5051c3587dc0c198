//! The rows of the rejects table: lines that could not become rows, with the offset, the reason,
//! the first bytes and the key to blame.

use std::iter::repeat_n;
use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::format::logs::record::Reject;

use super::columns::{ITEM, timestamp_type};
use super::int64;

/// The Arrow schema of the rejects table. Every field is nullable, as in the tables of rows.
pub fn rejects_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(vec![
            Field::new("_source", DataType::Utf8, true),
            Field::new("_offset", DataType::Int64, true),
            Field::new("reason", DataType::Utf8, true),
            Field::new("raw", DataType::Binary, true),
            Field::new("length", DataType::Int64, true),
            Field::new("rejected_at", timestamp_type(), true),
            Field::new("detail", DataType::Utf8, true),
            Field::new(ITEM, DataType::Int64, true),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// `rejects` of the partition `source` as one batch of the rejects table, in their order.
pub fn rejects_batch(rejects: &[Reject], source: &str, rejected_at_micros: i64) -> RecordBatch {
    let moments = TimestampMicrosecondArray::from_value(rejected_at_micros, rejects.len());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(repeat_n(source, rejects.len()))),
        Arc::new(Int64Array::from_iter_values(rejects.iter().map(|reject| int64(reject.offset)))),
        Arc::new(StringArray::from_iter_values(rejects.iter().map(|reject| reject.reason.as_str()))),
        Arc::new(BinaryArray::from_iter_values(rejects.iter().map(|reject| &reject.raw))),
        Arc::new(Int64Array::from_iter_values(rejects.iter().map(|reject| int64(reject.length)))),
        Arc::new(moments.with_timezone("UTC")),
        Arc::new(rejects.iter().map(|reject| reject.detail.as_deref()).collect::<StringArray>()),
        Arc::new(Int64Array::from_iter(rejects.iter().map(|reject| reject.item.map(int64)))),
    ];
    RecordBatch::try_new(rejects_schema(), columns).expect("the columns are those of the schema above")
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Int64Type, TimestampMicrosecondType};

    use super::*;
    use crate::format::logs::record::{REJECT_RAW_LIMIT, Reason};

    #[test]
    fn rejects_keep_their_evidence() {
        let long = vec![b'x'; REJECT_RAW_LIMIT + 1];
        let detail = Some("time: boolean, expected time".to_owned());
        let first = Reject::of(b"\xff{", 7, Reason::InvalidUtf8).at_item(3).detailed(detail);
        let rejects = [first, Reject::of(&long, 10, Reason::LineTooLong)];

        let batch = rejects_batch(&rejects, "a/PT1H.json", 1_000_001);

        assert_eq!(batch.schema(), rejects_schema());
        let sources: Vec<_> = batch["_source"].as_string::<i32>().iter().collect();
        assert_eq!(sources, [Some("a/PT1H.json"); 2]);
        assert_eq!(batch["_offset"].as_primitive::<Int64Type>().values(), &[7, 10]);
        let reasons: Vec<_> = batch["reason"].as_string::<i32>().iter().flatten().collect();
        assert_eq!(reasons, ["invalid_utf8", "line_too_long"]);
        assert_eq!(batch["raw"].as_binary::<i32>().value(0), b"\xff{");
        assert_eq!(batch["raw"].as_binary::<i32>().value(1).len(), REJECT_RAW_LIMIT);
        let details: Vec<_> = batch["detail"].as_string::<i32>().iter().collect();
        assert_eq!(details, [Some("time: boolean, expected time"), None]);
        assert_eq!(batch["length"].as_primitive::<Int64Type>().values(), &[2, 65537]);
        let items: Vec<_> = batch["_item"].as_primitive::<Int64Type>().iter().collect();
        assert_eq!(items, [Some(3), None]);
        assert_eq!(batch["rejected_at"].as_primitive::<TimestampMicrosecondType>().values(), &[1_000_001; 2]);
    }

    #[test]
    fn no_rejects_are_an_empty_batch() {
        let batch = rejects_batch(&[], "a", 0);
        assert_eq!((batch.num_rows(), batch.schema()), (0, rejects_schema()));
    }
}
