//! The types of a Delta table's columns: all that Delta has, and what becomes of the others.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields, Schema};
use lakefront_operators::error::chain;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::group::{Commit, Group};
use lakefront_operators::protocol::names::{Held, RunId};
use lakefront_operators::sink::delta::{self, Detail, Pinned, TableSpec};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::delta::stage;
use crate::delta_only::DeltaWorld;
use crate::harness::{PIPELINE, refusal};
use crate::lake::Lake;

pub(crate) async fn a_column_that_delta_has_no_type_for_is_refused_before_anything_is_written<L: Lake>(
    world: DeltaWorld<L>,
) {
    let strange = Schema::new(vec![Field::new("n", DataType::UInt32, true)]);
    let strange = TableSpec { schema: Arc::new(strange), ..world.sink.specs[1].clone() };
    let specs = [world.sink.specs[0].clone(), strange];
    let text = refusal(delta::open(&specs, PIPELINE, world.clock.clone(), |_| Ok(())).await);
    assert!(text.contains("table \"table-1\"") && text.contains("column \"n\" of type UInt32"), "{text}");
    assert!(world.sink.lake.contents("lake").is_empty());
}

/// Three rows of every type that Delta has, nested ones among them.
fn every_type() -> RecordBatch {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("ż")]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(7), Some(-7)]));
    let nullable = |name: &str, of: &ArrayRef| Field::new(name, of.data_type().clone(), true);
    let fields = Fields::from(vec![nullable("text", &texts), nullable("number", &numbers)]);
    let nulls = Some(NullBuffer::from(vec![true, true, false]));
    let within: ArrayRef = Arc::new(StructArray::new(fields, vec![texts.clone(), numbers], nulls.clone()));
    let element = Arc::new(nullable("element", &within));
    let lists = ListArray::new(element, OffsetBuffer::from_lengths([2, 0, 1]), within.clone(), nulls);
    let decimals = Decimal128Array::from(vec![Some(-12_345), None, Some(5)]);
    let long = Decimal128Array::from(vec![None, Some(10_i128.pow(37)), Some(-1)]);
    let moments = TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1_467_000)]).with_timezone("UTC");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("byte", Arc::new(Int8Array::from(vec![Some(-128), None, Some(127)]))),
        ("short", Arc::new(Int16Array::from(vec![Some(-1), None, Some(1)]))),
        ("integer", Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)]))),
        ("float", Arc::new(Float32Array::from(vec![Some(0.5), None, Some(f32::NAN)]))),
        ("double", Arc::new(Float64Array::from(vec![Some(-0.25), None, Some(1e300)]))),
        ("decimal", Arc::new(decimals.with_precision_and_scale(9, 2).unwrap())),
        ("long_decimal", Arc::new(long.with_precision_and_scale(38, 0).unwrap())),
        ("date", Arc::new(Date32Array::from(vec![Some(-1), None, Some(20_778)]))),
        ("moment", Arc::new(moments)),
        ("binary", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\xff"), None, Some(b"")]))),
        ("text", texts),
        ("struct", within),
        ("list", Arc::new(lists)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

pub(crate) async fn every_type_of_delta_is_read_as_it_was_staged<L: Lake>(world: DeltaWorld<L>) {
    let rows = every_type();
    let spec = TableSpec { schema: rows.schema(), ..world.sink.specs[0].clone() };
    let specs = [spec];
    let table = delta::open(&specs, PIPELINE, world.clock.clone(), |_| Ok(())).await.unwrap().remove(0);

    let files = stage(&specs, 0, world.clock.clone(), vec![rows.clone()]).await;

    let stats: Value = serde_json::from_str(&Detail::of(&files[0].file).unwrap().stats).unwrap();
    let (min, max) = (&stats["minValues"], &stats["maxValues"]);
    assert_eq!((&min["decimal"], &max["decimal"]), (&json!(-123.45), &json!(0.05)));
    assert_eq!((&min["date"], &max["struct"]["number"]), (&json!("1969-12-31"), &json!(7)));
    assert_eq!((min.get("float"), min.get("list"), min.get("bool")), (None, None, None));
    let held = Held { position: Position(10), run: RunId(1) };
    let next = table.load().await.unwrap().head.next();
    table.put(next, &Commit { id: Uuid::new_v4(), held, files, sums: Vec::new() }).await.unwrap();
    let pinned = Pinned::newest(&specs[0].place, PIPELINE).await.unwrap().unwrap();
    let mut batches = pinned.rows(|_| true).await.unwrap();
    let read = batches.recv().await.unwrap().unwrap();
    for (field, expected) in std::iter::zip(rows.schema().fields(), rows.columns()) {
        assert!(read.column_by_name(field.name()).unwrap() == expected, "{}", field.name());
    }
    assert!(batches.recv().await.is_none());
    // Another writer may have replaced all columns; the library panics if it is asked for none.
    let error = pinned.rows(|_| false).await.err().unwrap();
    assert!(chain(&error).contains("it has none of the pipeline's columns any more"), "{error}");
    // A table of these columns takes them again.
    delta::open(&specs, PIPELINE, world.clock.clone(), |_| Ok(())).await.unwrap();
}
