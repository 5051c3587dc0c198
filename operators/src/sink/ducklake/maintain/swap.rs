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
use crate::postgres;
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

/// Why files are not in place.
enum Not {
    /// Nothing can be changed now.
    Outside(Outside),
    /// It failed, and nothing was changed.
    Failed(StoreError),
    /// It failed, and nobody knows whether they are in place.
    Unknown(StoreError),
}

impl From<StoreError> for Not {
    fn from(error: StoreError) -> Not {
        Not::Failed(error)
    }
}

impl Keeping {
    /// Puts `all` in place, without those whose sources another writer has touched since. Returns
    /// how many files were merged; `None` if nothing can be changed now. Files that are surely not
    /// in place are deleted.
    pub(super) async fn swap(&self, all: Vec<Merged>, number: u64) -> Result<Option<usize>, StoreError> {
        match self.put(&all, number).await {
            Ok((count, touched)) => {
                self.discard(&touched).await;
                Ok(Some(count))
            }
            Err(Not::Outside(outside)) => {
                match outside {
                    Outside::Busy => tracing::info!("other writers hold the catalog: files are merged another time"),
                    Outside::Claimed => {
                        tracing::info!("the pipeline was claimed meanwhile: nothing is merged this time")
                    }
                }
                self.discard(&all.iter().collect::<Vec<_>>()).await;
                Ok(None)
            }
            Err(Not::Failed(error)) => {
                self.discard(&all.iter().collect::<Vec<_>>()).await;
                Err(error)
            }
            Err(Not::Unknown(error)) => {
                tracing::warn!(
                    files = all.len(),
                    "nobody knows whether merged files are in place, so they stay: if no snapshot names them, \
                     ducklake_delete_orphaned_files deletes them"
                );
                Err(error)
            }
        }
    }

    /// The transaction. Returns how many files were merged, and what was not put in place.
    async fn put<'m>(&self, all: &'m [Merged], number: u64) -> Result<(usize, Vec<&'m Merged>), Not> {
        let Entered { session, head } = self.enter().await?.map_err(Not::Outside)?;
        fail::fail_point!("ducklake-merge-locked");
        let (tables, ids) = sources(all.iter());
        let untouched = candidates::untouched(&self.lake, &session, &tables, &ids).await?;
        // A file may have got a column after its table was looked at, which the merged one lacks.
        let columns = tables::columns(&self.lake, &session, &tables).await?;
        let is_defined = |table: &Table| columns.get(&table.id).is_some_and(|columns| *columns == table.columns);
        let is_untouched = |merged: &&Merged| {
            is_defined(&merged.table) && merged.sources.iter().all(|source| untouched.contains(&source.id))
        };
        let (whole, touched): (Vec<&Merged>, Vec<&Merged>) = all.iter().partition(is_untouched);
        if whole.is_empty() {
            return Ok((0, touched));
        }
        let count = self.write(&session, &head, &whole, number).await?;
        fail::fail_point!("ducklake-merge-swapped");
        session.batch_execute("COMMIT").await.map_err(|error| match postgres::is_undone(&error) {
            true => Not::Failed(self.failed("commit to", error)),
            // The answer may be all that is lost.
            false => Not::Unknown(self.failed("commit to", error)),
        })?;
        fail::fail_point!("ducklake-merge-committed");
        Ok((count, touched))
    }

    /// Writes the snapshot; returns how many files it ends.
    async fn write(&self, session: &Client, head: &Head, whole: &[&Merged], number: u64) -> Result<usize, StoreError> {
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
        let (tables, ids) = sources(whole.iter().copied());
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
    async fn discard(&self, merged: &[&Merged]) {
        for Merged { table, staged, .. } in merged {
            if let Err(error) = table.place.join(&staged.path).delete().await {
                tracing::warn!(file = staged.path, error = %chain(&error), "could not delete a discarded file");
            }
        }
    }
}

/// The tables of `merged`, each once, and the files that they are made of.
fn sources<'m>(merged: impl Iterator<Item = &'m Merged> + Clone) -> (Vec<i64>, Vec<i64>) {
    let files = || merged.clone().flat_map(|merged| merged.sources.iter());
    let tables: BTreeSet<i64> = files().map(|file| file.table).collect();
    (tables.into_iter().collect(), files().map(|file| file.id).collect())
}

fn placed((id, merged): (i64, &&Merged)) -> PlacedFile {
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
