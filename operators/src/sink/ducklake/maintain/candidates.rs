//! What the catalog says of small files: which there are, and whether they are untouched.
//!
//! A file is left alone if one of its rows is deleted, or was: by a delete file or in the catalog
//! itself. So are files from before a column was dropped, renamed or given another type, because
//! their rows could not be written as a reader of an older snapshot sees them; and files that are
//! encrypted, that are read by names of columns, or that lie outside the table's folder.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tokio_postgres::Client;

use super::choose::{LARGE, Small};
use crate::error::StoreError;
use crate::postgres;
use crate::sink::ducklake::catalog::Lake;

/// The small files of `tables`, in the order of their snapshots.
pub(super) async fn read(lake: &Lake, client: &Client, tables: &[i64]) -> Result<Vec<Small>, StoreError> {
    let m = &lake.schema;
    let failed = |e| postgres::failed(format!("read the files of {}", lake.shown()), e);
    let sql = format!(
        "SELECT f.data_file_id, f.table_id, f.path, f.begin_snapshot, COALESCE(f.partial_max, f.begin_snapshot), \
         f.record_count, f.file_size_bytes, f.row_id_start, f.partition_id, v.partition_values \
         FROM {m}.ducklake_data_file f \
         LEFT JOIN (SELECT data_file_id, array_agg(partition_value::text ORDER BY partition_key_index) AS partition_values \
           FROM {m}.ducklake_file_partition_value WHERE table_id = ANY($1) GROUP BY 1) v USING (data_file_id) \
         LEFT JOIN (SELECT table_id, max(end_snapshot) AS changed \
           FROM {m}.ducklake_column WHERE table_id = ANY($1) GROUP BY 1) c USING (table_id) \
         WHERE f.table_id = ANY($1) AND f.end_snapshot IS NULL AND f.file_size_bytes < $2 AND f.path_is_relative \
         AND lower(f.file_format) = 'parquet' AND COALESCE(f.encryption_key, '') = '' AND f.mapping_id IS NULL \
         AND f.begin_snapshot >= COALESCE(c.changed, 0) \
         AND NOT EXISTS (SELECT FROM {m}.ducklake_delete_file d WHERE d.data_file_id = f.data_file_id) \
         ORDER BY f.begin_snapshot, f.data_file_id"
    );
    let rows = client.query(&sql, &[&tables, &LARGE]).await.map_err(failed)?;
    let small = |row: &tokio_postgres::Row| Small {
        id: row.get(0),
        table: row.get(1),
        path: row.get(2),
        snapshots: (row.get(3), row.get(4)),
        rows: row.get(5),
        bytes: row.get(6),
        row_id: row.get(7),
        partition: row.get(8),
        values: row.get::<_, Option<_>>(9).unwrap_or_default(),
    };
    let files: Vec<Small> = rows.iter().map(small).collect();
    let ids: Vec<i64> = files.iter().map(|file| file.id).collect();
    let deleted = inlined(lake, client, tables, &ids).await?;
    Ok(files.into_iter().filter(|file| !deleted.contains(&file.id)).collect())
}

/// Those of the files `ids` that are still there, and of whose rows none is deleted.
pub(super) async fn untouched(
    lake: &Lake,
    client: &Client,
    tables: &[i64],
    ids: &[i64],
) -> Result<BTreeSet<i64>, StoreError> {
    let m = &lake.schema;
    let sql = format!(
        "SELECT f.data_file_id FROM {m}.ducklake_data_file f WHERE f.data_file_id = ANY($1) AND f.end_snapshot IS NULL \
         AND NOT EXISTS (SELECT FROM {m}.ducklake_delete_file d WHERE d.data_file_id = f.data_file_id)"
    );
    let rows = client.query(&sql, &[&ids]).await;
    let rows = rows.map_err(|e| postgres::failed(format!("read the files of {}", lake.shown()), e))?;
    let deleted = inlined(lake, client, tables, ids).await?;
    Ok(rows.iter().map(|row| row.get(0)).filter(|id| !deleted.contains(id)).collect())
}

/// Those of the files `ids` that have deletes in the catalog itself. A table for them is made with
/// the first one. Specification 1.1 puts a prefix before the names of the catalog's own columns.
async fn inlined(lake: &Lake, client: &Client, tables: &[i64], ids: &[i64]) -> Result<BTreeSet<i64>, StoreError> {
    let attempt = || format!("read the deletes of {}", lake.shown());
    let sql = "SELECT t, (SELECT attname::text FROM pg_attribute WHERE attrelid = named \
               AND attname IN ('file_id', '_ducklake_file_id')) FROM unnest($1::bigint[]) t, \
               to_regclass($2::text || '.ducklake_inlined_delete_' || t) named WHERE named IS NOT NULL";
    let mut all = String::new();
    for row in client.query(sql, &[&tables, &lake.schema]).await.map_err(|e| postgres::failed(attempt(), e))? {
        let (m, table, file): (_, i64, Option<&str>) = (&lake.schema, row.get(0), row.get(1));
        let odd = || format!("ducklake_inlined_delete_{table} does not say which file a delete is of");
        let file = file.ok_or_else(|| StoreError::definite(attempt(), odd()))?;
        let union = if all.is_empty() { "" } else { " UNION " };
        let _ = write!(all, "{union}SELECT {file} FROM {m}.ducklake_inlined_delete_{table} WHERE {file} = ANY($1)");
    }
    if all.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows = client.query(&all, &[&ids]).await.map_err(|e| postgres::failed(attempt(), e))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
