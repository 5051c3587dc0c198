//! Inlined rows: those that the catalog holds itself, because they are few.
//!
//! For each definition of a table there may be a table `ducklake_inlined_data_<table>_<version>` of
//! the catalog's database, listed in `ducklake_inlined_data_tables`. Beside three columns that say
//! when a row came and went, it has those that the lake's table had in that version of the schema,
//! by the names of then. Texts and blobs are `bytea` there, and what PostgreSQL cannot hold is in
//! DuckDB's own spelling (`texts`).
//!
//! Guarantees: a column is taken for the one with its name at that version. If one of them has no
//! meaning any more, the rows are refused.

use std::collections::BTreeMap;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;
use tokio_postgres::Row;

use super::columns::{Columns, default};
use super::files::Attribute;
use super::{Asking, BATCH, texts};
use crate::error::StoreError;
use crate::postgres::{self, quoted};
use crate::sink::ducklake::tables::Column;
use crate::sink::ducklake::types::LakeType;

/// What specification 1.1 puts before the names of the columns that are not the table's.
const PREFIX: &str = "_ducklake_";
/// Their names: the row's number, and the snapshots that added and ended it.
const SYSTEM: [&str; 3] = ["row_id", "begin_snapshot", "end_snapshot"];
/// The SQLSTATE of a table that is not there (`undefined_table`).
const NO_TABLE: &str = "42P01";

/// Some inlined rows, all of them of one table of the catalog.
pub(super) struct Inlined {
    /// That table's name.
    pub(super) table: String,
    /// The ids of the rows.
    pub(super) row_ids: Vec<i64>,
    /// The rows, in the same order.
    pub(super) batch: RecordBatch,
}

/// Where the values of a column are in the rows of a question.
#[derive(Clone, Copy)]
struct Cell {
    index: usize,
    is_bytes: bool,
}

impl Asking<'_> {
    /// The inlined rows of the table.
    pub(super) async fn inlined(&self, columns: &Columns) -> Result<Vec<Inlined>, StoreError> {
        let m = &self.lake.schema;
        // A version in which another table was changed has no row for this one.
        let sql = format!(
            "SELECT t.table_name, COALESCE((SELECT max(v.begin_snapshot) FROM {m}.ducklake_schema_versions v \
             WHERE v.table_id = t.table_id AND v.schema_version <= t.schema_version), \
             (SELECT min(d.begin_snapshot) FROM {m}.ducklake_table d WHERE d.table_id = t.table_id), 0) \
             FROM {m}.ducklake_inlined_data_tables t WHERE t.table_id = $1 ORDER BY t.schema_version"
        );
        let mut batches = Vec::new();
        for row in self.query(&sql, &[&self.table.id]).await? {
            batches.extend(self.inlined_in(row.get(0), row.get(1), columns).await?);
        }
        Ok(batches)
    }

    /// The ids of the inlined rows, each with the snapshot that added it.
    pub(super) async fn inlined_ids(&self) -> Result<Vec<(i64, i64)>, StoreError> {
        let sql = format!(
            "SELECT table_name FROM {}.ducklake_inlined_data_tables WHERE table_id = $1 ORDER BY schema_version",
            self.lake.schema
        );
        let mut ids = Vec::new();
        for table in self.query(&sql, &[&self.table.id]).await? {
            let name: &str = table.get(0);
            let attributes = self.attributes(name).await?;
            if attributes.is_empty() {
                return Err(self.flushed());
            }
            let [row_id, begin, _] = system(&attributes);
            let rows = self.rows_in(name, &attributes, &[row_id, begin]).await?;
            ids.extend(rows.iter().map(|row| (row.get::<_, i64>(0), row.get::<_, i64>(1))));
        }
        Ok(ids)
    }

    /// The rows in the table `name`, whose columns are named as at the snapshot `defined`.
    async fn inlined_in(&self, name: &str, defined: i64, columns: &Columns) -> Result<Vec<Inlined>, StoreError> {
        let attributes = self.attributes(name).await?;
        if attributes.is_empty() {
            return Err(self.flushed());
        }
        let names = self.names(defined).await?;
        let (mut cells, mut chosen) = (Vec::new(), Vec::new());
        for (column, _) in columns.each() {
            let Some(attribute) = names.get(&column.id) else {
                cells.push(None);
                continue;
            };
            let there = attributes.iter().find(|there| there.name == *attribute);
            let (expression, is_bytes) = there
                .and_then(|there| expression(there, &column.of))
                .ok_or_else(|| self.refused(format!("column {:?} cannot be read in {name:?}", column.name)))?;
            cells.push(Some(Cell { index: chosen.len(), is_bytes }));
            chosen.push(expression);
        }
        let [row_id, ..] = system(&attributes);
        let ids = chosen.len();
        chosen.push(row_id);
        let rows = self.rows_in(name, &attributes, &chosen).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let is_known = |there: &&Attribute| {
            SYSTEM.contains(&there.name.trim_start_matches(PREFIX)) || names.values().any(|name| *name == there.name)
        };
        match attributes.iter().find(|there| !is_known(there)) {
            Some(odd) => {
                Err(self.refused(format!("the catalog does not say which column {:?} of {name:?} is", odd.name)))
            }
            None => {
                let inlined = |rows: &[Row]| -> Result<Inlined, StoreError> {
                    let row_ids = rows.iter().map(|row| row.get(ids)).collect();
                    Ok(Inlined { table: name.to_owned(), row_ids, batch: self.batch(rows, &cells, columns)? })
                };
                rows.chunks(BATCH).map(inlined).collect()
            }
        }
    }

    /// The names of the table's columns at the snapshot `defined`, by their numbers.
    async fn names(&self, defined: i64) -> Result<BTreeMap<i64, String>, StoreError> {
        let sql = format!(
            "SELECT column_id, column_name FROM {}.ducklake_column WHERE table_id = $1 AND parent_column IS NULL \
             AND begin_snapshot <= $2 AND (end_snapshot IS NULL OR end_snapshot > $2)",
            self.lake.schema
        );
        let rows = self.query(&sql, &[&self.table.id, &defined]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// The rows of the table `name` that count, with the expressions `chosen`.
    async fn rows_in(&self, name: &str, attributes: &[Attribute], chosen: &[String]) -> Result<Vec<Row>, StoreError> {
        let [_, begin, end] = system(attributes);
        // A question for nothing has rows too.
        let chosen = if chosen.is_empty() { "true".to_owned() } else { chosen.join(", ") };
        let sql = format!(
            "SELECT {chosen} FROM {}.{} WHERE {begin} <= $1 AND ({end} IS NULL OR {end} > $1)",
            self.lake.schema,
            quoted(name)
        );
        let rows = self.query(&sql, &[&self.snapshot]).await;
        rows.map_err(|error| if postgres::sqlstate(&error) == Some(NO_TABLE) { self.flushed() } else { error })
    }

    /// A table is dropped in the moment in which it is flushed, also for those who see it listed.
    fn flushed(&self) -> StoreError {
        StoreError::transient(self.attempt(), "another writer has just flushed its inlined rows")
    }

    fn batch(&self, rows: &[Row], cells: &[Option<Cell>], columns: &Columns) -> Result<RecordBatch, StoreError> {
        let array = |((column, to), cell): ((&Column, &DataType), &Option<Cell>)| -> Result<ArrayRef, StoreError> {
            let Some(Cell { index, is_bytes }) = *cell else {
                return default(column, to, rows.len()).map_err(|why| self.refused(why));
            };
            let value = |row: &Row| -> Option<Vec<u8>> {
                match is_bytes {
                    true => row.get(index),
                    false => row.get::<_, Option<String>>(index).map(String::into_bytes),
                }
            };
            let values: Vec<Option<Vec<u8>>> = rows.iter().map(value).collect();
            let values: Vec<Option<&[u8]>> = values.iter().map(Option::as_deref).collect();
            texts::array(&values, &column.of, to)
                .ok_or_else(|| self.refused(format!("an inlined value of column {:?} cannot be read", column.name)))
        };
        let arrays: Vec<ArrayRef> = columns.each().zip(cells).map(array).collect::<Result<_, _>>()?;
        columns.batch(arrays, rows.len()).map_err(|error| self.refused(error))
    }
}

/// The names that the columns of [`SYSTEM`] have among `attributes`.
fn system(attributes: &[Attribute]) -> [String; 3] {
    let prefixed = |system: &str| format!("{PREFIX}{system}");
    let is_prefixed = attributes.iter().any(|there| there.name == prefixed(SYSTEM[1]));
    SYSTEM.map(|system| if is_prefixed { prefixed(system) } else { system.to_owned() })
}

/// How the values of a column are asked for, and whether they come as bytes. None if they are those
/// of a blob in a text, which has several readings.
fn expression(there: &Attribute, of: &LakeType) -> Option<(String, bool)> {
    let name = quoted(&there.name);
    match (there.is_bytes, of) {
        (true, _) => Some((name, true)),
        (false, LakeType::Blob) => None,
        // A float of 32 bits is widened as a number: by its text it would become another one.
        (false, LakeType::Float64) => Some((format!("{name}::float8::text"), false)),
        (false, _) => Some((format!("{name}::text"), false)),
    }
}
