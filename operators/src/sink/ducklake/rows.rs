//! The catalog's rows of a snapshot's new files.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use super::catalog::Head;
use super::columns::TableStatistics;
use super::commit::NewFile;
use super::log::signed;

/// Files that have their numbers.
pub(super) struct Placed {
    pub(super) files: Vec<PlacedFile>,
    /// The first row id and the number of rows of each table.
    tables: BTreeMap<i64, (i64, i64)>,
    /// How many rows of a table they replace.
    replaced: BTreeMap<i64, u64>,
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
    let (mut placed, mut tables) = (Vec::new(), BTreeMap::new());
    for (id, NewFile { staged, detail }) in (head.next_file_id..).zip(files) {
        let (rows, bytes) = (signed(staged.file.rows), signed(staged.file.size));
        let of = statistics.get_mut(&detail.table).ok_or("a table is gone")?;
        let row_id_start = of.add(rows, bytes, &detail.leaves)?;
        tables.entry(detail.table).or_insert((row_id_start, 0)).1 += rows;
        let (path, detail) = (staged.file.path.clone(), detail.clone());
        let row_id_start = Some(row_id_start);
        placed.push(PlacedFile { id, row_id_start, snapshots: None, path, rows, bytes, detail });
    }
    Ok(Placed { files: placed, tables, replaced: BTreeMap::new() })
}

impl Placed {
    /// Notes that `rows` rows of `table` are replaced.
    pub(super) fn replace(&mut self, table: i64, rows: u64) {
        *self.replaced.entry(table).or_default() += rows;
    }

    /// Files that have the rows of others.
    pub(super) fn merged(files: Vec<PlacedFile>) -> Placed {
        Placed { files, tables: BTreeMap::new(), replaced: BTreeMap::new() }
    }

    /// The row ids of each table, as the pipeline's own row keeps them: they survive whatever
    /// others do to the files. Beside them, how many rows of the table were replaced.
    pub(super) fn noted(&self) -> String {
        let of = |(table, (first, rows)): (&i64, &(i64, i64))| {
            let replaced = self.replaced.get(table).map(|rows| format!(", \"replaced\": {rows}")).unwrap_or_default();
            format!("\"{table}\": {{\"row_id\": {first}, \"rows\": {rows}{replaced}}}")
        };
        format!("{{{}}}", self.tables.iter().map(of).collect::<Vec<_>>().join(", "))
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
        .execute(
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
    session.execute(&sql, &[&ids, &tables, &columns, &bytes, &values, &nulls, &min, &max, &nan]).await.map(drop)
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
    session.execute(&sql, &[&ids, &tables, &keys, &texts]).await.map(drop)
}
