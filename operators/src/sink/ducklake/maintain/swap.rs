//! Merged files take the place of the files that they were made of, in one snapshot.
//!
//! What readers see does not change, of no snapshot: the rows keep their ids and the snapshots that
//! added them. The catalog's statistics of tables stay too, so a flush of the same table that is
//! under way does not lose against it. The lock is held for a fixed number of statements.
//!
//! The snapshot says `merge_adjacent`, and beside it `inline_flush`. DuckDB 1.5.5 looks only for
//! the latter when it commits a DELETE of few rows: without it the deleted rows would silently come
//! back, because the file that the delete is of is gone. With it the DELETE reports a conflict.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tokio_postgres::Client;

use super::enter::{Entered, Outside};
use super::merging::Merged;
use super::schedule::Gone;
use super::{Keeping, candidates};
use crate::error::{StoreError, chain};
use crate::sink::ducklake::catalog::Head;
use crate::sink::ducklake::log::signed;
use crate::sink::ducklake::rows::{self, Placed, PlacedFile};
use crate::sink::ducklake::tables::{self, Table};

/// The tables of the catalog that tell of data files.
const TELLING: [&str; 4] = [
    "ducklake_data_file",
    "ducklake_file_column_stats",
    "ducklake_file_partition_value",
    "ducklake_file_variant_stats",
];

impl Keeping {
    /// Puts `all` in place, without those whose sources another writer has touched since. Returns
    /// how many files were merged; `None` if nothing can be changed now.
    pub(super) async fn swap(&self, all: Vec<Merged>, number: u64) -> Result<Option<usize>, StoreError> {
        let Entered { session, head } = match self.enter().await? {
            Ok(entered) => entered,
            Err(outside) => {
                match outside {
                    Outside::Busy => tracing::info!("other writers hold the catalog: files are merged another time"),
                    Outside::TakenOver => tracing::info!("another run has taken the pipeline over: nothing is merged"),
                }
                self.discard(&all).await;
                return Ok(None);
            }
        };
        fail::fail_point!("ducklake-merge-locked");
        let (tables, ids) = sources(&all);
        let untouched = candidates::untouched(&self.lake, &session, &tables, &ids).await?;
        // A file may have got a column after its table was looked at, which the merged one lacks.
        let columns = tables::columns(&self.lake, &session, &tables).await?;
        let is_defined = |table: &Table| columns.get(&table.id).is_some_and(|columns| *columns == table.columns);
        let is_untouched = |merged: &Merged| {
            is_defined(&merged.table) && merged.sources.iter().all(|source| untouched.contains(&source.id))
        };
        let (whole, touched): (Vec<Merged>, Vec<Merged>) = all.into_iter().partition(is_untouched);
        let mut count = 0;
        if !whole.is_empty() {
            count = self.write(&session, &head, &whole, number).await?;
            fail::fail_point!("ducklake-merge-swapped");
            // If the answer is lost, nobody knows whether the files are needed.
            session.batch_execute("COMMIT").await.map_err(|e| self.failed("commit to", e))?;
            fail::fail_point!("ducklake-merge-committed");
        }
        drop(session);
        self.discard(&touched).await;
        Ok(Some(count))
    }

    /// Writes the snapshot; returns how many files it ends.
    async fn write(&self, session: &Client, head: &Head, whole: &[Merged], number: u64) -> Result<usize, StoreError> {
        let (m, snapshot) = (&self.lake.schema, head.snapshot + 1);
        let failed = |e| self.failed("write to", e);
        let sql = format!(
            "INSERT INTO {m}.ducklake_snapshot (snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id) \
             VALUES ($1, clock_timestamp(), $2, $3, $4)"
        );
        let next = head.next_file_id + whole.len() as i64;
        let inserted = session.execute(&sql, &[&snapshot, &head.schema_version, &head.next_catalog_id, &next]).await;
        inserted.map_err(failed)?;
        let placed = Placed::merged((head.next_file_id..).zip(whole).map(placed).collect());
        rows::insert(m, session, snapshot, &placed).await.map_err(failed)?;
        let (tables, ids) = sources(whole);
        for telling in TELLING {
            let sql = format!("DELETE FROM {m}.{telling} WHERE data_file_id = ANY($1)");
            session.execute(&sql, &[&ids]).await.map_err(failed)?;
        }
        let gone = whole.iter().flat_map(|merged| merged.sources.iter());
        let gone = gone.map(|file| Gone { id: file.id, table: file.table, path: (file.path.clone(), true) });
        self.schedule(session, &gone.collect::<Vec<_>>()).await?;
        let mut changes = String::new();
        for table in tables {
            let comma = if changes.is_empty() { "" } else { "," };
            let _ = write!(changes, "{comma}inline_flush:{table},merge_adjacent:{table}");
        }
        let message = format!("merge after flush {number} of {}", self.pipeline);
        let sql = format!(
            "INSERT INTO {m}.ducklake_snapshot_changes (snapshot_id, changes_made, author, commit_message, \
             commit_extra_info) VALUES ($1, $2, 'lakefront', $3, NULL)"
        );
        session.execute(&sql, &[&snapshot, &changes, &message]).await.map_err(failed)?;
        Ok(ids.len())
    }

    /// Deletes files that nobody will name. What stays is an orphan.
    pub(super) async fn discard(&self, merged: &[Merged]) {
        for Merged { table, staged, .. } in merged {
            if let Err(error) = table.place.join(&staged.path).delete().await {
                tracing::warn!(file = staged.path, error = %chain(&error), "could not delete a discarded file");
            }
        }
    }
}

/// The tables of `merged`, each once, and the files that they are made of.
fn sources(merged: &[Merged]) -> (Vec<i64>, Vec<i64>) {
    let files = || merged.iter().flat_map(|merged| merged.sources.iter());
    let tables: BTreeSet<i64> = files().map(|file| file.table).collect();
    (tables.into_iter().collect(), files().map(|file| file.id).collect())
}

fn placed((id, merged): (i64, &Merged)) -> PlacedFile {
    let snapshots = merged.sources.iter().map(|source| source.snapshots);
    let oldest = snapshots.clone().map(|(oldest, _)| oldest).min();
    let newest = snapshots.map(|(_, newest)| newest).max();
    PlacedFile {
        id,
        row_id_start: merged.row_id,
        snapshots: oldest.zip(newest),
        path: merged.staged.path.clone(),
        rows: signed(merged.staged.rows),
        bytes: signed(merged.staged.size),
        detail: merged.detail.clone(),
    }
}
