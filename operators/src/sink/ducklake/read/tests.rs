//! Files as DuckDB and we write them, in small.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int32Array, Int64Array, ListArray, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};

use super::columns::Columns;
use super::decode::SNAPSHOT_FIELD_ID;
use super::deletes::Positions;
use super::{Fault, decode, deletes, seek};
use crate::sink::ducklake::tables::Column;
use crate::sink::ducklake::types::LakeType;

mod traced;
mod values;

fn column(id: i64, name: &str, of: LakeType) -> Column {
    Column { id, name: name.to_owned(), of, nullable: true, element: None, defaults: (None, None) }
}

fn with_default(column: Column, text: &str) -> Column {
    Column { defaults: (Some(text.to_owned()), None), ..column }
}

/// A file with these columns, each under its field id if it has one.
fn file(columns: Vec<(Option<i64>, &str, ArrayRef)>) -> Vec<u8> {
    let field = |(id, name, array): &(Option<i64>, &str, ArrayRef)| {
        let ids = id.iter().map(|id| (PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string()));
        Field::new(*name, array.data_type().clone(), true).with_metadata(ids.collect::<HashMap<_, _>>())
    };
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).expect("a batch");
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("a file")
}

/// All rows of a file, as one batch.
fn rows(
    content: Vec<u8>,
    columns: &[&Column],
    deleted: Vec<i64>,
    newest: Option<i64>,
) -> Result<Vec<RecordBatch>, Fault> {
    let columns = Columns::new(columns)?;
    let batches = RefCell::new(Vec::new());
    decode::rows(content, &columns, &Positions::new(deleted), newest, |batch| {
        batches.borrow_mut().push(batch);
        true
    })?;
    Ok(batches.into_inner())
}

fn numbers(values: Vec<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}

fn message<T>(result: Result<T, Fault>) -> String {
    result.err().map(|fault| fault.to_string()).unwrap_or_default()
}

#[test]
fn columns_are_found_by_their_field_ids() {
    let content = file(vec![(Some(2), "a", numbers(vec![20, 21])), (Some(1), "b", numbers(vec![10, 11]))]);
    let (a, b) = (column(1, "a", LakeType::Int64), column(2, "renamed", LakeType::Int64));
    let batches = rows(content, &[&a, &b], Vec::new(), None).expect("rows");
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().values(), &[10, 11]);
    assert_eq!(batches[0].column(1).as_primitive::<Int64Type>().values(), &[20, 21]);
    assert_eq!(batches[0].schema().field(1), &b.field().expect("a field"));
}

#[test]
fn a_file_without_field_ids_is_refused() {
    let content = file(vec![(None, "a", numbers(vec![1]))]);
    let a = column(1, "a", LakeType::Int64);
    assert_eq!(message(rows(content, &[&a], Vec::new(), None)), "its columns have no field ids");
}

#[test]
fn what_a_file_lacks_has_the_initial_default() {
    let content = file(vec![(Some(1), "a", numbers(vec![1, 2]))]);
    let number = with_default(column(2, "n", LakeType::Int32), "42");
    let text = with_default(column(3, "t", LakeType::Varchar), "it's");
    let flag = with_default(column(4, "f", LakeType::Boolean), "true");
    let null = column(5, "u", LakeType::Uuid);
    let batches = rows(content.clone(), &[&number, &text, &flag, &null], Vec::new(), None).expect("rows");
    let expected: ArrayRef = Arc::new(Int32Array::from(vec![42, 42]));
    assert_eq!(batches[0].column(0), &expected);
    let expected: ArrayRef = Arc::new(StringArray::from(vec!["it's", "it's"]));
    assert_eq!(batches[0].column(1), &expected);
    assert_eq!(batches[0].column(2).as_boolean().true_count(), 2);
    assert_eq!(batches[0].column(3).null_count(), 2);
    let blob = with_default(column(6, "b", LakeType::Blob), "41");
    assert!(message(rows(content, &[&blob], Vec::new(), None)).contains("column \"b\""));
}

#[test]
fn deleted_rows_and_those_of_later_snapshots_are_left_out() {
    let content = || {
        file(vec![
            (Some(1), "a", numbers(vec![0, 1, 2, 3])),
            (Some(SNAPSHOT_FIELD_ID), "_ducklake_internal_snapshot_id", numbers(vec![5, 6, 7, 6])),
        ])
    };
    let a = column(1, "a", LakeType::Int64);
    let left = |deleted: Vec<i64>, newest| {
        let batches = rows(content(), &[&a], deleted, newest).expect("rows");
        let values = batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
        values.collect::<Vec<_>>()
    };
    assert_eq!(left(Vec::new(), None), [0, 1, 2, 3]);
    assert_eq!(left(vec![3, 0, 3], None), [1, 2]);
    assert_eq!(left(Vec::new(), Some(6)), [0, 1, 3]);
    assert_eq!(left(vec![1], Some(6)), [0, 3]);
    assert!(left(vec![0, 1, 2, 3], None).is_empty());
}

#[test]
fn positions_count_deleted_rows_too() {
    let content = file(vec![(Some(1), "a", numbers((0..20_000).collect()))]);
    let a = column(1, "a", LakeType::Int64);
    let columns = Columns::new(&[&a]).expect("columns");
    let seen = RefCell::new(Vec::new());
    let deleted = vec![0, 8192, 19_999];
    seek::placed(content, &columns, &Positions::new(deleted.clone()), |(batch, positions)| {
        assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), positions.values());
        seen.borrow_mut().extend_from_slice(positions.values());
        true
    })
    .expect("rows");
    let expected: Vec<i64> = (0..20_000).filter(|position| !deleted.contains(position)).collect();
    assert_eq!(seen.into_inner(), expected);
}

#[test]
fn batches_of_wide_rows_have_few() {
    // Different ones, because a dictionary has equal ones once.
    let texts: StringArray = (0..60).map(|i| Some(format!("{i}").repeat(1 << 19))).collect();
    let texts: ArrayRef = Arc::new(texts);
    let content = file(vec![(Some(1), "a", numbers((0..60).collect())), (Some(2), "b", texts)]);
    let (a, b) = (column(1, "a", LakeType::Int64), column(2, "b", LakeType::Varchar));
    let batches = rows(content.clone(), &[&a, &b], Vec::new(), None).expect("rows");
    assert!(batches.len() > 2 && batches.iter().all(|batch| batch.num_rows() <= 32), "{}", batches.len());
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 60);
    // Columns that are not read do not count.
    assert_eq!(rows(content, &[&a], Vec::new(), None).expect("rows").len(), 1);
}

#[test]
fn rows_are_counted_without_columns_too() {
    let content = file(vec![(Some(1), "a", numbers(vec![0, 1, 2]))]);
    let batches = rows(content, &[], vec![1], None).expect("rows");
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
}

#[test]
fn a_file_that_does_not_say_its_rows_snapshots_is_refused() {
    let content = file(vec![(Some(1), "a", numbers(vec![0]))]);
    let a = column(1, "a", LakeType::Int64);
    assert!(message(rows(content, &[&a], Vec::new(), Some(6))).contains("does not say"));
}

#[test]
fn broken_files_are_errors() {
    let content = file(vec![(Some(1), "a", numbers(vec![0, 1, 2]))]);
    let a = column(1, "a", LakeType::Int64);
    for end in 0..content.len() {
        assert!(rows(content[..end].to_vec(), &[&a], Vec::new(), None).is_err(), "{end}");
    }
}

#[test]
fn delete_files_tell_positions_and_snapshots() {
    let path: ArrayRef = Arc::new(StringArray::from(vec!["f", "f"]));
    let plain = file(vec![(None, "file_path", path.clone()), (None, "pos", numbers(vec![4, 9]))]);
    assert_eq!(deletes::positions(plain, 5).expect("positions"), [4, 9]);
    let snapshots = (None, "_ducklake_internal_snapshot_id", numbers(vec![7, 6]));
    let partial = file(vec![(None, "file_path", path.clone()), (None, "pos", numbers(vec![4, 9])), snapshots]);
    assert_eq!(deletes::positions(partial, 6).expect("positions"), [9]);
    let none = file(vec![(None, "file_path", path.clone())]);
    assert!(message(deletes::positions(none, 6)).contains("\"pos\""));
    let odd = file(vec![(None, "pos", path)]);
    assert!(message(deletes::positions(odd, 6)).contains("\"pos\""));
}

#[test]
fn elements_of_lists_have_the_fields_of_the_table() {
    let of = LakeType::List(Box::new(LakeType::Int64));
    let list = Column { element: Some(8), ..column(7, "l", of) };
    let written =
        ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(Vec::new())]);
    let content = file(vec![(Some(7), "l", Arc::new(written))]);
    let batches = rows(content, &[&list], Vec::new(), None).expect("rows");
    assert_eq!(batches[0].column(0).data_type(), list.field().expect("a field").data_type());
    let read = batches[0].column(0).as_list::<i32>();
    assert_eq!(read.value(0).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), None]);
    assert!(read.is_null(1) && read.value(2).is_empty());
}
