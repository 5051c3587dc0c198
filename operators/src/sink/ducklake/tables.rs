//! The tables of a lake as they are defined at its newest snapshot.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use arrow_schema::Field;
use tokio_postgres::Client;

use super::catalog::Lake;
use super::types::{self, LakeType};
use crate::error::StoreError;
use crate::postgres::{self, Ask};
use crate::protocol::names::TableId;
use crate::sink::files::Place;

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its number in the catalog.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Where its files are.
    pub place: Place,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// How it is partitioned.
    pub partition: Option<Partition>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its number, which is the field id in files.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its type.
    pub of: LakeType,
    /// Whether it may be null.
    pub nullable: bool,
    /// The number of a list's elements.
    pub element: Option<i64>,
    /// What rows have that do not say: as files without the column are read, and as they are
    /// inserted.
    pub defaults: (Option<String>, Option<String>),
}

/// How a table is partitioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number in the catalog.
    pub id: i64,
    /// The numbers of its columns, each with its transform, in the order of the keys.
    pub keys: Vec<(i64, String)>,
}

impl Table {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Column {
    /// Its field in files; none if its type cannot be written.
    pub fn field(&self) -> Option<Field> {
        types::field(&self.name, &self.of, self.nullable, self.id, self.element)
    }
}

/// The tables of a pipeline, by their ids. They change between cuts, never within one.
#[derive(Default)]
pub struct Tables {
    all: RwLock<Vec<Arc<Table>>>,
    /// The number of the column by which the rows of a table are counted, by that of the table.
    sequences: RwLock<BTreeMap<i64, i64>>,
}

impl Tables {
    /// Replaces all of them.
    pub fn set(&self, tables: Vec<Table>) {
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = tables.into_iter().map(Arc::new).collect();
    }

    /// Notes which columns number the rows: of each table the column's number, by the table's.
    pub fn number_by(&self, sequences: BTreeMap<i64, i64>) {
        *self.sequences.write().unwrap_or_else(PoisonError::into_inner) = sequences;
    }

    /// One of them.
    pub fn get(&self, table: TableId) -> Option<Arc<Table>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).get(table.0).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Table>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The column that numbers the rows of the catalog's table `table`, if one does.
    pub(super) fn sequence(&self, table: i64) -> Option<i64> {
        self.sequences.read().unwrap_or_else(PoisonError::into_inner).get(&table).copied()
    }
}

/// The lake's schema, if it is there: its number and its place.
pub(super) async fn schema(lake: &Lake, client: &Client) -> Result<Option<(i64, Place)>, StoreError> {
    let sql = format!(
        "SELECT schema_id, path, path_is_relative FROM {}.ducklake_schema WHERE lower(schema_name) = lower($1) \
         AND end_snapshot IS NULL",
        lake.schema
    );
    let failed = |e| postgres::failed(format!("read the schemas of {}", lake.shown()), e);
    let row = client.ask_opt(&sql, &[&lake.spec().schema]).await.map_err(failed)?;
    row.map(|row| Ok((row.get(0), within(lake, &lake.spec().data, row.get(1), row.get(2))?))).transpose()
}

/// Those of the tables `names` that there are, by these names; the lake may have them in another
/// case.
pub(super) async fn read(
    lake: &Lake,
    client: &Client,
    names: &[String],
) -> Result<BTreeMap<String, Table>, StoreError> {
    let failed = |e| postgres::failed(format!("read the tables of {}", lake.shown()), e);
    let Some((schema_id, place)) = schema(lake, client).await? else { return Ok(BTreeMap::new()) };
    let sql = format!(
        "SELECT table_id, table_name, path, path_is_relative FROM {}.ducklake_table \
         WHERE schema_id = $1 AND end_snapshot IS NULL",
        lake.schema
    );
    // DuckDB's names differ in more than case.
    let wanted = |row: &tokio_postgres::Row| names.iter().find(|name| name.eq_ignore_ascii_case(row.get(1))).cloned();
    let found = client.ask(&sql, &[&schema_id]).await.map_err(failed)?;
    let found: Vec<_> = found.iter().filter_map(|row| Some((wanted(row)?, row))).collect();
    let ids: Vec<i64> = found.iter().map(|(_, row)| row.get(0)).collect();
    let (mut columns, mut partitions) = (columns(lake, client, &ids).await?, partitions(lake, client, &ids).await?);
    let table = |(wanted, row): &(String, &tokio_postgres::Row)| {
        let (id, name): (i64, String) = (row.get(0), row.get(1));
        let place = within(lake, &place, row.get(2), row.get(3))?;
        let (columns, partition) = (columns.remove(&id).unwrap_or_default(), partitions.remove(&id));
        Ok((wanted.clone(), Table { id, name, place, columns, partition }))
    };
    found.iter().map(table).collect()
}

/// The columns of tables, at the newest snapshot.
pub(super) async fn columns(
    lake: &Lake,
    client: &Client,
    ids: &[i64],
) -> Result<BTreeMap<i64, Vec<Column>>, StoreError> {
    columns_at(lake, client, ids, None).await
}

/// The columns of tables, at a snapshot or at the newest one. What was defined once stays in the
/// catalog, also when snapshots expire.
pub(super) async fn columns_at(
    lake: &Lake,
    client: &Client,
    ids: &[i64],
    snapshot: Option<i64>,
) -> Result<BTreeMap<i64, Vec<Column>>, StoreError> {
    let sql = format!(
        "SELECT table_id, column_id, column_name, column_type, COALESCE(nulls_allowed, true), parent_column, \
         initial_default, default_value FROM {}.ducklake_column WHERE table_id = ANY($1) AND CASE \
         WHEN $2::bigint IS NULL THEN end_snapshot IS NULL \
         ELSE begin_snapshot <= $2 AND (end_snapshot IS NULL OR end_snapshot > $2) END \
         ORDER BY table_id, column_order, column_id",
        lake.schema
    );
    let failed = |e| postgres::failed(format!("read the columns of {}", lake.shown()), e);
    let rows = client.ask(&sql, &[&ids, &snapshot]).await.map_err(failed)?;
    // The elements of lists, by table and list.
    let element = |table: i64, list: i64| {
        let mut within = rows.iter().filter(|row| row.get::<_, Option<i64>>(5) == Some(list));
        within.find(|row| row.get::<_, i64>(0) == table)
    };
    let mut all: BTreeMap<i64, Vec<Column>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.get::<_, Option<i64>>(5).is_none()) {
        let (table, id): (i64, i64) = (row.get(0), row.get(1));
        let element = element(table, id);
        // A list of lists is one that we cannot write.
        let of = |row: &tokio_postgres::Row| LakeType::parse(row.get(3), None);
        let default = |at| row.get::<_, Option<String>>(at).filter(|text| text != "NULL");
        all.entry(table).or_default().push(Column {
            id,
            name: row.get(2),
            of: LakeType::parse(row.get(3), element.map(of)),
            nullable: row.get(4),
            element: element.map(|row| row.get(1)),
            defaults: (default(6), default(7)),
        });
    }
    Ok(all)
}

/// How tables are partitioned, at the newest snapshot.
pub(super) async fn partitions(
    lake: &Lake,
    client: &Client,
    ids: &[i64],
) -> Result<BTreeMap<i64, Partition>, StoreError> {
    let m = &lake.schema;
    let sql = format!(
        "SELECT i.table_id, i.partition_id, c.column_id, c.transform FROM {m}.ducklake_partition_info i \
         JOIN {m}.ducklake_partition_column c ON c.partition_id = i.partition_id AND c.table_id = i.table_id \
         WHERE i.table_id = ANY($1) AND i.end_snapshot IS NULL ORDER BY i.table_id, c.partition_key_index"
    );
    let failed = |e| postgres::failed(format!("read the partitions of {}", lake.shown()), e);
    let mut all: BTreeMap<i64, Partition> = BTreeMap::new();
    for row in client.ask(&sql, &[&ids]).await.map_err(failed)? {
        let partition = all.entry(row.get(0)).or_insert(Partition { id: row.get(1), keys: Vec::new() });
        partition.keys.push((row.get(2), row.get(3)));
    }
    Ok(all)
}

/// The place at `path`: within `folder` if it is relative.
fn within(lake: &Lake, folder: &Place, path: &str, is_relative: bool) -> Result<Place, StoreError> {
    match folder {
        _ if is_relative => Ok(folder.join(path.trim_end_matches('/'))),
        Place::Disk(_) if Path::new(path).is_absolute() => Ok(Place::Disk(path.into())),
        _ => Err(StoreError::definite(
            format!("use {}", lake.shown()),
            format!("it has a table at {path:?}, which lies outside its data path"),
        )),
    }
}
