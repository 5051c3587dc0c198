//! The columns that are read: how they are found in a file, and what stands for those that it
//! lacks.
//!
//! A column is found by its Parquet field id, which is its number in the catalog, whatever it is
//! called in the file. A file without it is from before the column was added: its rows have the
//! column's initial default.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::take::take;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::{Fault, fitting, texts};
use crate::sink::ducklake::tables::Column;
use crate::sink::ducklake::types::LakeType;

/// Columns of one table, in the order in which their values are wanted.
pub struct Columns {
    all: Vec<Column>,
    schema: SchemaRef,
}

impl Columns {
    /// These columns. The error names one whose type cannot be read.
    pub fn new(columns: &[&Column]) -> Result<Columns, String> {
        let field = |column: &&Column| {
            let (name, of) = (&column.name, column.of.sql());
            column.field().ok_or_else(|| format!("column {name:?} has type {of}, which lakefront cannot read"))
        };
        let fields: Vec<Field> = columns.iter().map(field).collect::<Result<_, _>>()?;
        let all = columns.iter().map(|column| (*column).clone()).collect();
        Ok(Columns { all, schema: Arc::new(Schema::new(fields)) })
    }

    /// Each with its Arrow type.
    pub(super) fn each(&self) -> impl Iterator<Item = (&Column, &DataType)> {
        self.all.iter().zip(self.schema.fields().iter().map(|field| field.data_type()))
    }

    /// A batch of `rows` rows, of which `arrays` are the columns.
    pub(super) fn batch(&self, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
        // Without columns, nothing else says how many rows there are.
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
    }

    /// The rows of `batch`, which has a file's columns with their field ids. The error names a
    /// column that cannot be read.
    pub fn of_file(&self, batch: &RecordBatch) -> Result<RecordBatch, Fault> {
        let array = |(column, to): (&Column, &DataType)| -> Result<ArrayRef, Fault> {
            let Some((field, array)) = found(batch, column.id) else { return default(column, to, batch.num_rows()) };
            let fitted = if has_elements_of(field, column) { fitting::fitted(array, to) } else { None };
            let (name, from, of) = (&column.name, field.data_type(), column.of.sql());
            fitted.ok_or_else(|| format!("column {name:?} has type {from} there, which cannot be read as {of}").into())
        };
        let arrays: Vec<ArrayRef> = self.each().map(array).collect::<Result<_, _>>()?;
        Ok(self.batch(arrays, batch.num_rows())?)
    }
}

/// The column of `batch` with this field id.
pub(super) fn found(batch: &RecordBatch, id: i64) -> Option<(&Field, &ArrayRef)> {
    let fields = batch.schema_ref().fields().iter().map(|field| &**field);
    fields.zip(batch.columns()).find(|(field, _)| field_id(field) == Some(id))
}

fn field_id(field: &Field) -> Option<i64> {
    field.metadata().get(PARQUET_FIELD_ID_META_KEY)?.parse().ok()
}

/// Whether the elements in the file are those of `column`, if both are lists: they have numbers of
/// their own.
fn has_elements_of(field: &Field, column: &Column) -> bool {
    match (field.data_type(), column.element) {
        (DataType::List(element), Some(id)) => field_id(element).is_none_or(|found| found == id),
        _ => true,
    }
}

/// What `rows` rows have that were written before the column was added.
pub(in crate::sink::ducklake) fn default(column: &Column, to: &DataType, rows: usize) -> Result<ArrayRef, Fault> {
    let Some(text) = &column.defaults.0 else { return Ok(new_null_array(to, rows)) };
    let one = match column.of {
        // The text of a blob has several readings.
        LakeType::Blob => None,
        _ => texts::array(&[Some(text.as_bytes())], &column.of, to),
    };
    let odd = || format!("column {:?} has an initial default that lakefront cannot read", column.name);
    Ok(take(&one.ok_or_else(odd)?, &UInt32Array::from(vec![0; rows]), None)?)
}
