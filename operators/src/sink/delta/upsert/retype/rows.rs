//! The rows of a table in its new columns.

use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array, new_null_array};
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use arrow_select::take::take;
use serde_json::{Map, Value};

use super::cast::cast;
use super::{Retype, Values};
use crate::error::StoreError;
use crate::sink::delta::upsert::definition::UpsertSpec;
use crate::sink::delta::upsert::outcome::Written;
use crate::sink::delta::upsert::stage::{Open, Writing, with_types};

/// What was written.
#[derive(Default)]
pub(super) struct Rewritten {
    pub(super) data: Vec<Written>,
    /// What the rows were, for the change feed alone.
    pub(super) before: Vec<Written>,
    pub(super) rows: u64,
    /// The `add` actions of the files that leave the table.
    pub(super) removed: Vec<Map<String, Value>>,
}

impl Rewritten {
    /// Completes files.
    pub(super) async fn take(&mut self, (data, before): (Writing, Writing)) -> Result<(), StoreError> {
        self.data.extend(data.finish().await?);
        self.before.extend(before.finish().await?);
        Ok(())
    }
}

/// Files that rows are being written to.
pub(super) struct Opened {
    pub(super) data: Open,
    pub(super) before: Option<Open>,
    pub(super) rows: u64,
    /// Why a value cannot be what it was in the new type. Nothing is written from then on.
    pub(super) odd: Option<String>,
}

impl Opened {
    pub(super) fn write(&mut self, batch: &RecordBatch, retypes: &[Retype], to: &UpsertSpec) -> Result<(), StoreError> {
        if self.odd.is_some() {
            return Ok(());
        }
        let rows = match retyped(batch, retypes, &to.columns()) {
            Ok(rows) => rows,
            Err(odd) => {
                self.odd = Some(odd);
                return Ok(());
            }
        };
        let failed = |error| StoreError::definite(format!("write rows of {} anew", to.table.shown()), error);
        let told = |rows: &RecordBatch, kind: &str| with_types(to, rows, vec![kind; rows.num_rows()]).map_err(failed);
        if let Some(before) = &mut self.before {
            before.write(&told(&widened(batch, &to.columns()).map_err(failed)?, "update_preimage")?)?;
        }
        self.rows += rows.num_rows() as u64;
        self.data.write(&told(&rows, "update_postimage")?)
    }
}

/// The columns of a table after the change.
pub(super) fn schema(is: &SchemaRef, retypes: &[Retype]) -> SchemaRef {
    let of = |name: &str| retypes.iter().find(|retype| retype.column == name);
    let fields = is.fields().iter().map(|field| match of(field.name()) {
        Some(retype) => Arc::new(Field::new(field.name(), retype.to.clone(), true)),
        None => field.clone(),
    });
    let asides = retypes.iter().filter_map(|retype| match &retype.values {
        Values::Aside(name) => {
            let of = is.field_with_name(&retype.column).ok()?.data_type().clone();
            Some(Arc::new(Field::new(name, of, true)))
        }
        Values::Filled(..) => Some(Arc::new(Field::new(&retype.column, retype.to.clone(), true))),
        Values::Converted => None,
    });
    Arc::new(Schema::new(fields.chain(asides).collect::<Vec<_>>()))
}

/// Rows with the new columns, those of `schema`. The error says which column cannot have them.
fn retyped(batch: &RecordBatch, retypes: &[Retype], schema: &SchemaRef) -> Result<RecordBatch, String> {
    let mut columns = batch.columns().to_vec();
    let in_words = |error: ArrowError| error.to_string();
    for Retype { column, to, values, .. } in retypes {
        let at = || batch.schema_ref().index_of(column).map_err(in_words);
        match values {
            Values::Converted => {
                let at = at()?;
                columns[at] = cast(&columns[at], to).map_err(|cause| format!("column {column:?} {cause}"))?;
            }
            Values::Aside(_) => {
                let none = new_null_array(to, batch.num_rows());
                let aside = std::mem::replace(&mut columns[at()?], none);
                columns.push(aside);
            }
            Values::Filled(value, _) => {
                let all = UInt32Array::from(vec![0; batch.num_rows()]);
                columns.push(take(value, &all, None).map_err(in_words)?);
            }
        }
    }
    RecordBatch::try_new(schema.clone(), columns).map_err(in_words)
}

/// Rows with null in the columns of `schema` that they lack, which are its last.
fn widened(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let none = schema.fields().iter().skip(batch.num_columns());
    let none = none.map(|field| new_null_array(field.data_type(), batch.num_rows()));
    let columns = batch.columns().iter().cloned().chain(none).collect();
    RecordBatch::try_new(schema.clone(), columns)
}
