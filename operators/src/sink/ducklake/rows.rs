//! The catalog's rows of a snapshot's new files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use tokio_postgres::Client;

use super::catalog::Head;
use super::columns::TableStatistics;
use super::commit::NewFile;
use super::log::signed;
use super::noted::{self, Noted, SOURCE};
use super::tables::Tables;
use crate::postgres::Ask;
use crate::protocol::names::TableId;
use crate::protocol::staged::Counted;

/// Files that have their numbers.
pub(super) struct Placed {
    pub(super) files: Vec<PlacedFile>,
    /// What is noted of each table.
    tables: BTreeMap<i64, (TableId, Noted)>,
}

/// A file with its numbers.
pub(super) struct PlacedFile {
    pub(super) id: i64,
    /// The id of its first row; none if each row says its own.
    pub(super) row_id_start: Option<i64>,
    /// The oldest and the newest snapshot of its rows, if it was merged of others.
    pub(super) snapshots: Option<(i64, i64)>,
    pub(super) path: String,
    pub(super) rows: i64,
    pub(super) bytes: i64,
    pub(super) detail: super::detail::Detail,
}

/// Gives each file its number and its row ids, and adds what it holds to the `statistics` of its
/// table. The error says which statistics could not be understood.
pub(super) fn place(
    files: &[NewFile<'_>],
    head: &Head,
    statistics: &mut BTreeMap<i64, TableStatistics>,
) -> Result<Placed, String> {
    let mut placed = Vec::new();
    let mut tables: BTreeMap<i64, (TableId, Noted)> = BTreeMap::new();
    let mut columns: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for (id, NewFile { staged, detail }) in (head.next_file_id..).zip(files) {
        let (rows, bytes) = (signed(staged.file.rows), signed(staged.file.size));
        let of = statistics.get_mut(&detail.table).ok_or("a table is gone")?;
        let row_id_start = of.add(rows, bytes, &detail.leaves)?;
        let first = || (staged.table, Noted { row_id: row_id_start, ..Noted::default() });
        tables.entry(detail.table).or_insert_with(first).1.rows += rows;
        columns.entry(detail.table).or_default().extend(detail.leaves.iter().map(|leaf| leaf.column));
        let (path, detail) = (staged.file.path.clone(), detail.clone());
        let row_id_start = Some(row_id_start);
        placed.push(PlacedFile { id, row_id_start, snapshots: None, path, rows, bytes, detail });
    }
    for (table, (_, noted)) in &mut tables {
        noted.columns = columns.get(table).map(noted::spans);
    }
    Ok(Placed { files: placed, tables })
}

impl Placed {
    /// Notes that `rows` rows of `table` are replaced.
    pub(super) fn replace(&mut self, table: i64, rows: u64) {
        if let Some((_, noted)) = self.tables.get_mut(&table) {
            noted.replaced += rows;
        }
    }

    /// Files that have the rows of others.
    pub(super) fn merged(files: Vec<PlacedFile>) -> Placed {
        Placed { files, tables: BTreeMap::new() }
    }

    /// What the pipeline's own row keeps of each of `tables`, whose rows were counted as `sums`,
    /// and what the `source` wants to find there.
    pub(super) fn noted(
        &self,
        sums: &[Counted],
        tables: &Tables,
        source: Option<Value>,
    ) -> Result<String, serde_json::Error> {
        let of = |(table, (id, noted)): (&i64, &(TableId, Noted))| {
            let mut noted = Noted { sequence: tables.sequence(*table), ..noted.clone() };
            for Counted { bucket, sum, .. } in sums.iter().filter(|counted| counted.table == *id) {
                *noted.sums.entry(bucket.part).or_default() += *sum;
            }
            Ok((table.to_string(), serde_json::to_value(noted)?))
        };
        let mut all = self.tables.iter().map(of).collect::<Result<Map<String, Value>, serde_json::Error>>()?;
        all.extend(source.map(|source| (SOURCE.to_owned(), source)));
        serde_json::to_string(&all)
    }
}

/// Inserts the rows of all files, in as many statements as there are tables of the catalog.
pub(super) async fn insert(
    m: &str,
    session: &Client,
    snapshot: i64,
    Placed { files, .. }: &Placed,
) -> Result<(), tokio_postgres::Error> {
    let of = |value: fn(&PlacedFile) -> i64| files.iter().map(value).collect::<Vec<_>>();
    let paths: Vec<&str> = files.iter().map(|file| &*file.path).collect();
    let partitions: Vec<Option<i64>> = files.iter().map(|file| file.detail.partition).collect();
    let sql = format!(
        "INSERT INTO {m}.ducklake_data_file (data_file_id, table_id, begin_snapshot, end_snapshot, file_order, path, \
         path_is_relative, file_format, record_count, file_size_bytes, footer_size, row_id_start, partition_id, \
         encryption_key, mapping_id, partial_max) SELECT id, t, COALESCE(oldest, $1), NULL, NULL, path, true, \
         'parquet', n, bytes, footer, row_id, part, NULL, NULL, newest FROM unnest($2::bigint[], $3::bigint[], \
         $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], \
         $11::bigint[]) AS f(id, t, path, n, bytes, footer, row_id, part, oldest, newest)"
    );
    let (ids, tables) = (of(|file| file.id), of(|file| file.detail.table));
    let (counts, bytes) = (of(|file| file.rows), of(|file| file.bytes));
    let footers = of(|file| file.detail.footer.into());
    let starts: Vec<Option<i64>> = files.iter().map(|file| file.row_id_start).collect();
    let (oldest, newest): (Vec<Option<i64>>, Vec<Option<i64>>) = files
        .iter()
        .map(|file| file.snapshots.map_or((None, None), |(oldest, newest)| (Some(oldest), Some(newest))))
        .unzip();
    session
        .tell(
            &sql,
            &[&snapshot, &ids, &tables, &paths, &counts, &bytes, &footers, &starts, &partitions, &oldest, &newest],
        )
        .await?;
    statistics(m, session, files).await?;
    partition_values(m, session, files).await
}

async fn statistics(m: &str, session: &Client, files: &[PlacedFile]) -> Result<(), tokio_postgres::Error> {
    let leaves = || files.iter().flat_map(|file| file.detail.leaves.iter().map(move |leaf| (file, leaf)));
    let (ids, tables): (Vec<i64>, Vec<i64>) = leaves().map(|(file, _)| (file.id, file.detail.table)).unzip();
    let columns: Vec<i64> = leaves().map(|(_, leaf)| leaf.column).collect();
    let bytes: Vec<i64> = leaves().map(|(_, leaf)| signed(leaf.bytes)).collect();
    let (values, nulls): (Vec<i64>, Vec<i64>) =
        leaves().map(|(_, leaf)| (signed(leaf.values), signed(leaf.nulls))).unzip();
    let min: Vec<Option<&str>> = leaves().map(|(_, leaf)| leaf.min.as_deref()).collect();
    let max: Vec<Option<&str>> = leaves().map(|(_, leaf)| leaf.max.as_deref()).collect();
    let nan: Vec<Option<bool>> = leaves().map(|(_, leaf)| leaf.nan).collect();
    let sql = format!(
        "INSERT INTO {m}.ducklake_file_column_stats (data_file_id, table_id, column_id, column_size_bytes, value_count, \
         null_count, min_value, max_value, contains_nan, extra_stats) SELECT *, NULL FROM unnest($1::bigint[], \
         $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::boolean[])"
    );
    session.tell(&sql, &[&ids, &tables, &columns, &bytes, &values, &nulls, &min, &max, &nan]).await.map(drop)
}

async fn partition_values(m: &str, session: &Client, files: &[PlacedFile]) -> Result<(), tokio_postgres::Error> {
    let values =
        || files.iter().flat_map(|file| (0_i64..).zip(&file.detail.values).map(move |(i, value)| (file, i, value)));
    if values().next().is_none() {
        return Ok(());
    }
    let (ids, tables): (Vec<i64>, Vec<i64>) = values().map(|(file, ..)| (file.id, file.detail.table)).unzip();
    let keys: Vec<i64> = values().map(|(_, key, _)| key).collect();
    let texts: Vec<Option<&str>> = values().map(|(.., value)| value.as_deref()).collect();
    let sql = format!(
        "INSERT INTO {m}.ducklake_file_partition_value (data_file_id, table_id, partition_key_index, partition_value) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])"
    );
    session.tell(&sql, &[&ids, &tables, &keys, &texts]).await.map(drop)
}
