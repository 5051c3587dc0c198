//! Hot rows that the lake has too, found by their primary keys, whatever their sequences.
//!
//! All files of the lake's table are read once for about a million hot keys. Of a table that is
//! retained most rows are both hot and in the lake, so there the number says little.

use std::collections::HashSet;

use arrow_array::RecordBatch;

use super::count::is_left;
use crate::error::{Stop, StoreError};
use crate::sink::ducklake::{Column, Columns, PinnedLake, Table, Traced, TracedFile};
use crate::source::postgres::{HotTable, Key, Remaining};

/// How many rows of `hot` at or below `mark` a reader of `table` sees; `None` if there is no key to
/// find them by.
pub(super) async fn landed(
    remaining: &Remaining,
    hot: &HotTable,
    mark: i64,
    pinned: &PinnedLake,
    table: &Table,
    files: &[TracedFile],
) -> Result<Option<u64>, Stop> {
    let mut landed = 0;
    let each = async |key: &Key, keys: HashSet<u128>| {
        landed += seen(pinned, table, key, files, &keys).await?;
        Ok(())
    };
    let has_key = remaining.late(hot, table, mark, each).await?;
    Ok(has_key.then_some(landed))
}

/// How many of `keys` a reader of `table` sees. They are hashes of the columns of `key`.
async fn seen(
    pinned: &PinnedLake,
    table: &Table,
    key: &Key,
    files: &[TracedFile],
    keys: &HashSet<u128>,
) -> Result<u64, StoreError> {
    let refused = |why: String| StoreError::definite(format!("look for hot rows in table {:?}", table.name), why);
    let found: Option<Vec<Column>> = key.names.iter().map(|name| table.column(name).cloned()).collect();
    let found = found.ok_or_else(|| refused("a column of the key is gone".to_owned()))?;
    let nullable: Vec<Column> = found.into_iter().map(|column| Column { nullable: true, ..column }).collect();
    let columns = Columns::new(&nullable.iter().collect::<Vec<_>>()).map_err(refused)?;
    let ids: Vec<i64> = nullable.iter().map(|column| column.id).collect();
    let mut there: HashSet<u128> = HashSet::new();
    let known = |batch: &RecordBatch| {
        let hashes = key.hashes(batch).into_iter().enumerate();
        hashes.filter(|(_, hash)| keys.contains(hash)).collect::<Vec<_>>()
    };
    for file in files {
        let mut each = |traced: Traced| {
            let rows = known(&columns.of_file(&traced.batch)?);
            there.extend(rows.into_iter().filter(|(row, _)| is_left(&traced, *row)).map(|(_, hash)| hash));
            Ok(())
        };
        // What cannot be read was said of it before.
        let _ = pinned.trace(table, file, &ids, &mut each).await?;
    }
    for batch in pinned.inlined_rows(table, &columns).await? {
        there.extend(known(&batch).into_iter().map(|(_, hash)| hash));
    }
    Ok(there.len() as u64)
}
