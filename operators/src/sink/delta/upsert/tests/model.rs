//! Rows as plain values, and what changes make of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BinaryArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::super::{Changes, Operation, Order};

/// The columns that may be unavailable, by their places.
pub(in crate::sink::delta::upsert) const TOASTED: [usize; 2] = [3, 5];

/// A row of the table under test; its key is in two parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::sink::delta::upsert) struct Row {
    pub(in crate::sink::delta::upsert) id: i64,
    pub(in crate::sink::delta::upsert) part: Option<String>,
    pub(in crate::sink::delta::upsert) amount: Option<f64>,
    pub(in crate::sink::delta::upsert) note: Option<String>,
    pub(in crate::sink::delta::upsert) at: Option<i64>,
    pub(in crate::sink::delta::upsert) blob: Option<Vec<u8>>,
    pub(in crate::sink::delta::upsert) local: Option<i64>,
    pub(in crate::sink::delta::upsert) tags: Option<Vec<Option<String>>>,
}

pub(in crate::sink::delta::upsert) type Key = (i64, Option<String>);

impl Row {
    pub(in crate::sink::delta::upsert) fn key(&self) -> Key {
        (self.id, self.part.clone())
    }
}

/// A change, and the columns that it keeps.
#[derive(Clone, Debug)]
pub(in crate::sink::delta::upsert) struct Change {
    pub(in crate::sink::delta::upsert) row: Row,
    pub(in crate::sink::delta::upsert) operation: Operation,
    pub(in crate::sink::delta::upsert) unavailable: BTreeSet<usize>,
    pub(in crate::sink::delta::upsert) order: Order,
    /// Later changes have a higher one.
    pub(in crate::sink::delta::upsert) at: u64,
}

impl Change {
    /// What is to come back with it if it cannot be made.
    fn origin(&self) -> Option<Vec<u8>> {
        (!self.unavailable.is_empty()).then(|| origin(self.order))
    }
}

pub(in crate::sink::delta::upsert) fn origin(of: Order) -> Vec<u8> {
    format!("the record at {} of partition {}", of.offset, of.partition).into_bytes()
}

/// All rows go.
#[derive(Clone, Copy, Debug)]
pub(in crate::sink::delta::upsert) struct Truncation {
    pub(in crate::sink::delta::upsert) order: Order,
    pub(in crate::sink::delta::upsert) at: u64,
}

pub(in crate::sink::delta::upsert) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("part", DataType::Utf8, true),
        Field::new("amount", DataType::Float64, true),
        Field::new("note", DataType::Utf8, true),
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("blob", DataType::Binary, true),
        Field::new("local", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new_list("tags", Field::new("element", DataType::Utf8, true), true),
    ]))
}

/// `rows` as the table's columns.
pub(in crate::sink::delta::upsert) fn batch(rows: &[&Row]) -> RecordBatch {
    let element = Field::new("element", DataType::Utf8, true);
    let mut tags = ListBuilder::new(StringBuilder::new()).with_field(element);
    rows.iter().for_each(|row| tags.append_option(row.tags.clone()));
    RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.id))),
            Arc::new(StringArray::from_iter(rows.iter().map(|row| row.part.as_deref()))),
            Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.amount))),
            Arc::new(StringArray::from_iter(rows.iter().map(|row| row.note.as_deref()))),
            Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|row| row.at)).with_timezone("UTC")),
            Arc::new(BinaryArray::from_iter(rows.iter().map(|row| row.blob.as_deref()))),
            Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|row| row.local))),
            Arc::new(tags.finish()),
        ],
    )
    .unwrap()
}

/// The rows of a batch that has the table's columns by their names.
pub(in crate::sink::delta::upsert) fn rows(batch: &RecordBatch) -> Vec<Row> {
    let column = |name: &str| batch.column_by_name(name).unwrap_or_else(|| panic!("{name} in {:?}", batch.schema()));
    let text = |name: &str, at: usize| {
        let column = column(name);
        column.is_valid(at).then(|| column.as_string::<i32>().value(at).to_owned())
    };
    let moment = |name: &str, at: usize| {
        let column = column(name);
        column.is_valid(at).then(|| column.as_primitive::<TimestampMicrosecondType>().value(at))
    };
    let row = |at: usize| Row {
        id: column("id").as_primitive::<Int64Type>().value(at),
        part: text("part", at),
        amount: column("amount").is_valid(at).then(|| column("amount").as_primitive::<Float64Type>().value(at)),
        note: text("note", at),
        at: moment("at", at),
        local: moment("local", at),
        blob: column("blob").is_valid(at).then(|| column("blob").as_binary::<i32>().value(at).to_vec()),
        tags: column("tags").is_valid(at).then(|| {
            let tags = column("tags").as_list::<i32>().value(at);
            tags.as_string::<i32>().iter().map(|tag| tag.map(str::to_owned)).collect()
        }),
    };
    (0..batch.num_rows()).map(row).collect()
}

/// As the sink takes them.
pub(in crate::sink::delta::upsert) fn changes(of: &[Change]) -> Changes {
    let unsent = |column: usize| -> BooleanBuffer { of.iter().map(|c| c.unavailable.contains(&column)).collect() };
    Changes {
        rows: batch(&of.iter().map(|change| &change.row).collect::<Vec<_>>()),
        operations: of.iter().map(|change| change.operation).collect(),
        unavailable: TOASTED.into_iter().map(|column| (column, unsent(column))).collect(),
        order: of.iter().map(|change| change.order).collect(),
        origins: Some(of.iter().map(Change::origin).collect()),
        truncations: Vec::new(),
    }
}

/// A table by its keys.
#[derive(Clone, Debug, Default)]
pub(in crate::sink::delta::upsert) struct Model(pub(in crate::sink::delta::upsert) BTreeMap<Key, Row>);

impl Model {
    /// Makes the changes of a cut, one after the other. Returns those that keep what is not there,
    /// and that no later change of their key has taken the place of.
    pub(in crate::sink::delta::upsert) fn apply(
        &mut self,
        changes: &[Change],
        truncations: &[Truncation],
    ) -> Vec<Order> {
        let last = truncations.iter().map(|truncation| truncation.at).max();
        if last.is_some() {
            self.0.clear();
        }
        // What came before it is as if it had never been.
        let mut sorted: Vec<_> = changes.iter().filter(|change| last.is_none_or(|last| change.at > last)).collect();
        sorted.sort_by_key(|change| change.at);
        let last: BTreeMap<Key, u64> = sorted.iter().map(|change| (change.row.key(), change.at)).collect();
        let (mut gaps, mut deleted) = (Vec::new(), BTreeSet::new());
        for change in sorted {
            let key = change.row.key();
            if change.operation == Operation::Delete {
                self.0.remove(&key);
                deleted.insert(key);
                continue;
            }
            let mut row = change.row.clone();
            if !change.unavailable.is_empty() {
                let Some(old) = self.0.get(&key) else {
                    // After a delete of the same cut, it is sure that there is nothing to keep.
                    let is_told = deleted.contains(&key) || last[&key] == change.at;
                    gaps.extend(is_told.then_some(change.order));
                    continue;
                };
                if change.unavailable.contains(&TOASTED[0]) {
                    row.note.clone_from(&old.note);
                }
                if change.unavailable.contains(&TOASTED[1]) {
                    row.blob.clone_from(&old.blob);
                }
            }
            self.0.insert(key, row);
        }
        by_place(gaps)
    }

    pub(in crate::sink::delta::upsert) fn rows(&self) -> Vec<Row> {
        self.0.values().cloned().collect()
    }
}

/// Places as they are compared, in no order of time.
pub(in crate::sink::delta::upsert) fn by_place(mut places: Vec<Order>) -> Vec<Order> {
    places.sort_by_key(|place| (place.partition, place.offset));
    places
}
