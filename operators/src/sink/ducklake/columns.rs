//! The statistics of tables: how many rows they have, and the bounds of their columns.
//!
//! They may be loose and never wrong: readers leave out whole tables by them, and DuckDB takes a
//! bound that is missing for a table without values.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;

use super::bounds;
use super::catalog::Lake;
use super::commit::NewFile;
use super::detail::LeafDetail;
use super::tables;
use super::types::LakeType;
use crate::error::StoreError;
use crate::postgres::{self, Ask};

/// What the catalog says of a table.
#[derive(Default)]
pub(super) struct TableStatistics {
    rows: i64,
    next_row_id: i64,
    bytes: i64,
    /// Whether the catalog has a row of them.
    is_there: bool,
    columns: BTreeMap<i64, ColumnStatistics>,
    types: BTreeMap<i64, LakeType>,
    /// Columns that rows from before them do not have as null.
    defaults: BTreeSet<i64>,
}

/// What the catalog says of a column.
#[derive(Default)]
struct ColumnStatistics {
    has_null: bool,
    has_nan: Option<bool>,
    min: Option<String>,
    max: Option<String>,
    is_there: bool,
}

/// The statistics of the tables that `files` are of.
pub(super) async fn read(
    lake: &Lake,
    client: &Client,
    files: &[NewFile<'_>],
) -> Result<BTreeMap<i64, TableStatistics>, StoreError> {
    let mut all: BTreeMap<i64, TableStatistics> = BTreeMap::new();
    for file in files {
        all.entry(file.detail.table).or_default();
    }
    let ids: Vec<i64> = all.keys().copied().collect();
    let m = &lake.schema;
    let failed = |e| postgres::failed(format!("read the statistics of {}", lake.shown()), e);
    let sql = format!(
        "SELECT table_id, record_count, next_row_id, file_size_bytes FROM {m}.ducklake_table_stats WHERE table_id = ANY($1)"
    );
    for row in client.ask(&sql, &[&ids]).await.map_err(failed)? {
        let of = all.entry(row.get(0)).or_default();
        (of.rows, of.next_row_id, of.bytes, of.is_there) = (row.get(1), row.get(2), row.get(3), true);
    }
    let sql = format!(
        "SELECT table_id, column_id, COALESCE(contains_null, true), contains_nan, min_value, max_value \
         FROM {m}.ducklake_table_column_stats WHERE table_id = ANY($1)"
    );
    for row in client.ask(&sql, &[&ids]).await.map_err(failed)? {
        let (has_null, has_nan, min, max) = (row.get(2), row.get(3), row.get(4), row.get(5));
        let column = ColumnStatistics { has_null, has_nan, min, max, is_there: true };
        all.entry(row.get(0)).or_default().columns.insert(row.get(1), column);
    }
    for (table, columns) in tables::columns(lake, client, &ids).await? {
        let of = all.entry(table).or_default();
        of.defaults = columns.iter().filter(|c| c.defaults.0.is_some()).map(|column| column.id).collect();
        of.types = columns.into_iter().map(|column| (column.id, column.of)).collect();
    }
    Ok(all)
}

impl TableStatistics {
    /// Adds a file; returns the id of its first row. The error names statistics that cannot be
    /// understood.
    pub(super) fn add(&mut self, rows: i64, bytes: i64, leaves: &[LeafDetail]) -> Result<i64, String> {
        let had_rows = self.rows > 0;
        for leaf in leaves.iter().filter(|leaf| !leaf.is_listed) {
            let of = self.types.get(&leaf.column).ok_or("a column is gone")?;
            let column = self.columns.entry(leaf.column);
            // A column without statistics in a table with rows is one that was added since: the
            // rows before have its default, or null.
            let is_new = matches!(column, std::collections::btree_map::Entry::Vacant(_));
            let column = column.or_default();
            column.has_null |= is_new && had_rows;
            let has_default = self.defaults.contains(&leaf.column);
            // What others have left unsaid may be a NaN.
            let may_be_nan = leaf.nan.is_some() && column.is_there && column.has_nan.is_none();
            column.has_nan = column.has_nan.or((may_be_nan && had_rows).then_some(true));
            let is_unknown = had_rows && ((is_new && has_default) || column.has_nan == Some(true));
            column.add(leaf, of, is_unknown)?;
        }
        self.leave_out(leaves);
        let first = self.next_row_id;
        (self.rows, self.next_row_id, self.bytes) = (self.rows + rows, first + rows, self.bytes + bytes);
        Ok(first)
    }
}

impl TableStatistics {
    /// Rows came without some columns: they read as null there, or as the column's default.
    fn leave_out(&mut self, leaves: &[LeafDetail]) {
        let is_there = |id: &i64| leaves.iter().any(|leaf| leaf.column == *id);
        for (id, column) in self.columns.iter_mut().filter(|(id, _)| !is_there(id)) {
            match (self.defaults.contains(id), self.types.get(id)) {
                (true, Some(of)) => (column.min, column.max) = (bounds::lowest(of), bounds::highest(of)),
                _ => column.has_null = true,
            }
        }
    }
}

impl ColumnStatistics {
    /// Adds what a file holds. `is_unknown`: there may be values of which nothing is known.
    fn add(&mut self, leaf: &LeafDetail, of: &LakeType, is_unknown: bool) -> Result<(), String> {
        self.has_null |= leaf.nulls > 0;
        if let Some(nan) = leaf.nan {
            self.has_nan = Some(self.has_nan.unwrap_or_default() || nan);
        }
        // Without values there is nothing to bound; NaN is in no bound.
        if leaf.min.is_none() && leaf.max.is_none() && (leaf.values == 0 || leaf.nan == Some(true)) {
            return Ok(());
        }
        // DuckDB writes none for intervals, and leaves out no table by them.
        if *of == LakeType::Interval {
            return Ok(());
        }
        // A bound that is missing or not understood is as wide as the type.
        let (lowest, highest) = (|| bounds::lowest(of), || bounds::highest(of));
        let odd = || format!("there are no bounds of type {}", of.sql());
        let (min, max) = (leaf.min.clone().or_else(lowest), leaf.max.clone().or_else(highest));
        let min = match &self.min {
            Some(known) => min.and_then(|min| bounds::least(known, &min, of)).or_else(lowest),
            None if is_unknown => lowest(),
            None => min,
        };
        let max = match &self.max {
            Some(known) => max.and_then(|max| bounds::greatest(known, &max, of)).or_else(highest),
            None if is_unknown => highest(),
            None => max,
        };
        (self.min, self.max) = (Some(min.ok_or_else(odd)?), Some(max.ok_or_else(odd)?));
        Ok(())
    }
}

/// Writes the statistics. `false` if another writer has, since the transaction began.
pub(super) async fn update(
    m: &str,
    session: &Client,
    all: &BTreeMap<i64, TableStatistics>,
) -> Result<bool, tokio_postgres::Error> {
    for is_there in [true, false] {
        let of = || all.iter().filter(move |(_, table)| table.is_there == is_there);
        let ids: Vec<i64> = of().map(|(id, _)| *id).collect();
        let (rows, next): (Vec<i64>, Vec<i64>) = of().map(|(_, table)| (table.rows, table.next_row_id)).unzip();
        let bytes: Vec<i64> = of().map(|(_, table)| table.bytes).collect();
        let values = "unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS n(id, rows, next, bytes)";
        let sql = match is_there {
            true => format!(
                "UPDATE {m}.ducklake_table_stats SET record_count = n.rows, next_row_id = n.next, \
                 file_size_bytes = n.bytes FROM {values} WHERE table_id = n.id"
            ),
            false => format!(
                "INSERT INTO {m}.ducklake_table_stats (table_id, record_count, next_row_id, file_size_bytes) \
                 SELECT * FROM {values}"
            ),
        };
        if !ids.is_empty() && session.tell(&sql, &[&ids, &rows, &next, &bytes]).await? != ids.len() as u64 {
            return Ok(false);
        }
    }
    for is_there in [true, false] {
        if !update_columns(m, session, all, is_there).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn update_columns(
    m: &str,
    session: &Client,
    all: &BTreeMap<i64, TableStatistics>,
    is_there: bool,
) -> Result<bool, tokio_postgres::Error> {
    let of = || {
        let columns =
            all.iter().flat_map(|(table, of)| of.columns.iter().map(move |(id, column)| (*table, *id, column)));
        columns.filter(move |(_, _, column)| column.is_there == is_there)
    };
    let (tables, ids): (Vec<i64>, Vec<i64>) = of().map(|(table, id, _)| (table, id)).unzip();
    if ids.is_empty() {
        return Ok(true);
    }
    let nulls: Vec<bool> = of().map(|(_, _, column)| column.has_null).collect();
    let nans: Vec<Option<bool>> = of().map(|(_, _, column)| column.has_nan).collect();
    let min: Vec<Option<&str>> = of().map(|(_, _, column)| column.min.as_deref()).collect();
    let max: Vec<Option<&str>> = of().map(|(_, _, column)| column.max.as_deref()).collect();
    let values = "unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::boolean[], $5::text[], $6::text[]) \
                  AS n(t, c, nulls, nans, min, max)";
    let sql = match is_there {
        true => format!(
            "UPDATE {m}.ducklake_table_column_stats SET contains_null = n.nulls, contains_nan = n.nans, \
             min_value = n.min, max_value = n.max FROM {values} WHERE table_id = n.t AND column_id = n.c"
        ),
        false => format!(
            "INSERT INTO {m}.ducklake_table_column_stats (table_id, column_id, contains_null, contains_nan, min_value, \
             max_value) SELECT * FROM {values}"
        ),
    };
    Ok(session.tell(&sql, &[&tables, &ids, &nulls, &nans, &min, &max]).await? == ids.len() as u64)
}
