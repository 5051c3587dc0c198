//! A lake as it is at one moment, for a proof: the newest snapshot, where the pipeline stands in
//! it, and what is known of the snapshots before.
//!
//! Snapshot and position are read in one transaction, which ends at once: nothing is locked, and no
//! writer waits. What is read later is read as it was at the snapshot; if that has expired in the
//! meantime, it is an error that passes when the proof is begun again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use arrow_array::RecordBatch;
use futures::TryStreamExt;
use tokio_postgres::{Client, IsolationLevel};

use super::catalog::Lake;
use super::log;
use super::noted::Noted;
use super::read::{Columns, Fault, Kept, Traced, TracedFile, Tracing};
use super::tables::{self, Column, Table};
use crate::error::StoreError;
use crate::postgres;
use crate::protocol::names::{Held, Version};

/// The author of our own snapshots.
const OURSELVES: &str = "lakefront";

/// A lake, pinned.
pub struct PinnedLake {
    lake: Arc<Lake>,
    pipeline: String,
    /// The pipeline's newest version.
    pub version: Version,
    /// What that holds.
    pub held: Held,
    /// The newest snapshot of the lake.
    pub snapshot: i64,
    /// The snapshots that have not expired.
    pub history: History,
    /// The numbers of the tables that commits of the pipeline have ever brought rows.
    noted: BTreeSet<i64>,
}

/// A commit with rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The position that it moved to.
    pub position: u64,
    /// Its snapshot.
    pub snapshot: i64,
    /// What it brought the table.
    pub noted: Noted,
}

impl PinnedLake {
    /// Pins `lake`; `None` if `pipeline` has never landed there.
    pub async fn new(lake: &Arc<Lake>, pipeline: &str) -> Result<Option<PinnedLake>, StoreError> {
        if !lake.is_there().await? {
            return Ok(None);
        }
        let failed = |e| postgres::failed(format!("pin {}", lake.shown()), e);
        let mut client = lake.connect().await?;
        let transaction = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let transaction = transaction.start().await.map_err(failed)?;
        if !log::is_there(lake, transaction.client()).await? {
            return Ok(None);
        }
        let Some((version, held)) = log::head(lake, transaction.client(), pipeline).await? else { return Ok(None) };
        let snapshot = lake.head(transaction.client()).await?.snapshot;
        let history = History::read(lake, transaction.client(), snapshot).await.map_err(failed)?;
        let sql = format!(
            "SELECT DISTINCT jsonb_object_keys(tables) FROM {}.lakefront_commits WHERE pipeline = $1 AND tables IS NOT NULL",
            lake.schema
        );
        let noted = transaction.query(&sql, &[&pipeline]).await.map_err(failed)?;
        let noted = noted.iter().filter_map(|row| row.get::<_, &str>(0).parse().ok()).collect();
        transaction.commit().await.map_err(failed)?;
        let (lake, pipeline) = (lake.clone(), pipeline.to_owned());
        Ok(Some(PinnedLake { lake, pipeline, version, held, snapshot, history, noted }))
    }

    /// Those of the tables `names` that there are.
    pub async fn tables(&self, names: &[String]) -> Result<BTreeMap<String, Table>, StoreError> {
        self.lake.tables(names).await
    }

    /// Whether rows have landed in a table that is none of `known`: one that was dropped since, or
    /// that the pipeline no longer has.
    pub fn has_noted_others(&self, known: &[i64]) -> bool {
        self.noted.iter().any(|table| !known.contains(table))
    }

    /// The commits with rows of `table`, in their order. Rows of commits never change.
    pub async fn committed(&self, table: &Table) -> Result<Vec<Committed>, StoreError> {
        let what = || format!("read the commits of {}", self.lake.shown());
        let sql = format!(
            "SELECT position, snapshot_id, (tables -> $3::text)::text FROM {}.lakefront_commits \
             WHERE pipeline = $1 AND version <= $2 AND snapshot_id IS NOT NULL AND tables -> $3::text IS NOT NULL \
             ORDER BY snapshot_id",
            self.lake.schema
        );
        let (version, id) = (log::signed(self.version.0), table.id.to_string());
        let client = self.lake.reader().await?;
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&self.pipeline, &version, &id];
        let rows = client.query_raw(&sql, values).await.map_err(|e| postgres::failed(what(), e))?;
        let mut rows = std::pin::pin!(rows);
        let mut all = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(|e| postgres::failed(what(), e))? {
            let noted = serde_json::from_str(row.get(2)).map_err(|e| StoreError::definite(what(), e))?;
            all.push(Committed { position: log::unsigned(row.get(0)), snapshot: row.get(1), noted });
        }
        Ok(all)
    }

    /// The columns of `table` as they were at `snapshot`.
    pub async fn columns(&self, table: &Table, snapshot: i64) -> Result<Vec<Column>, StoreError> {
        let client = self.lake.reader().await?;
        let mut all = tables::columns_at(&self.lake, &client, &[table.id], Some(snapshot)).await?;
        Ok(all.remove(&table.id).unwrap_or_default())
    }

    /// The snapshots at which the columns of `table` became what they were from then on.
    pub async fn definitions(&self, table: &Table) -> Result<Vec<i64>, StoreError> {
        let m = &self.lake.schema;
        let sql = format!(
            "SELECT begin_snapshot FROM {m}.ducklake_column WHERE table_id = $1 UNION \
             SELECT end_snapshot FROM {m}.ducklake_column WHERE table_id = $1 AND end_snapshot IS NOT NULL ORDER BY 1"
        );
        let rows = self.lake.reader().await?.query(&sql, &[&table.id]).await;
        let rows = rows.map_err(|e| postgres::failed(format!("read the tables of {}", self.lake.shown()), e))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// The files and inlined rows of `table`.
    pub async fn files(&self, table: &Table) -> Result<Tracing, StoreError> {
        self.lake.tracing(table, self.snapshot).await
    }

    /// The files that `table` had before, as far as they have not expired.
    pub async fn ended(&self, table: &Table) -> Result<Vec<TracedFile>, StoreError> {
        self.lake.ended(table, self.snapshot).await
    }

    /// The inlined rows of `table`.
    pub async fn inlined_rows(&self, table: &Table, columns: &Columns) -> Result<Vec<RecordBatch>, StoreError> {
        self.lake.inlined_rows(table, columns, self.snapshot).await
    }

    /// Calls `each` with all rows of `file`, deleted ones too: those of its columns that have the
    /// field ids `wanted`. What is wrong with a file that is gone or damaged is returned, unless
    /// the catalog has let it go by now: then the proof is to be begun again.
    pub async fn trace(
        &self,
        table: &Table,
        file: &TracedFile,
        wanted: &[i64],
        each: &mut (dyn FnMut(Traced) -> Result<(), Fault> + Send),
    ) -> Result<Kept, StoreError> {
        let kept = file.trace(table, wanted, self.snapshot, each).await?;
        if kept != Kept::Whole && !self.lake.still_has(table, file).await? {
            let why = "a clean-up removed it while it was read: try again";
            return Err(StoreError::transient(format!("read file {} of table {:?}", file.shown(), table.name), why));
        }
        Ok(kept)
    }
}

/// The snapshots of a lake that have not expired, and what they say that they did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    newest: i64,
    known: BTreeMap<i64, Snapshot>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Snapshot {
    changes: String,
    author: Option<String>,
}

impl History {
    async fn read(lake: &Lake, client: &Client, newest: i64) -> Result<History, tokio_postgres::Error> {
        let m = &lake.schema;
        let sql = format!(
            "SELECT s.snapshot_id, COALESCE(c.changes_made, ''), c.author FROM {m}.ducklake_snapshot s \
             LEFT JOIN {m}.ducklake_snapshot_changes c ON c.snapshot_id = s.snapshot_id"
        );
        let snapshot = |row: &tokio_postgres::Row| {
            (row.get(0), Snapshot { changes: row.get(1), author: row.get::<_, Option<String>>(2) })
        };
        Ok(History { newest, known: client.query(&sql, &[]).await?.iter().map(snapshot).collect() })
    }

    /// Snapshots with what they did, by nobody; the newest is the last.
    #[cfg(test)]
    pub(crate) fn of(known: &[(i64, &str)]) -> History {
        let snapshot = |(id, changes): &(i64, &str)| (*id, Snapshot { changes: (*changes).to_owned(), author: None });
        let known: BTreeMap<i64, Snapshot> = known.iter().map(snapshot).collect();
        History { newest: known.keys().copied().max().unwrap_or_default(), known }
    }

    /// Whether the lake can still be read as it was at `snapshot`.
    pub fn is_there(&self, snapshot: i64) -> bool {
        self.known.contains_key(&snapshot)
    }

    /// Who made `snapshot`; `None` if it does not say or has expired.
    pub fn author(&self, snapshot: i64) -> Option<&str> {
        self.known.get(&snapshot)?.author.as_deref()
    }

    /// The last snapshot that has removed or changed rows of `table`, or that may have, because it
    /// has expired; -1 if there is none.
    pub fn last_removal(&self, table: i64) -> i64 {
        let mut expired = self.newest;
        for snapshot in self.known.keys().rev().filter(|snapshot| **snapshot <= self.newest) {
            if *snapshot < expired {
                break;
            }
            expired -= 1;
        }
        let removal = self.known.iter().rev().find(|(_, snapshot)| snapshot.removes(table));
        removal.map_or(-1, |(snapshot, _)| *snapshot).max(expired)
    }

    /// The authors of the snapshots after `after` that have removed or changed rows of `table`,
    /// without ourselves; `None` for those that do not say.
    pub fn removers(&self, table: i64, after: i64) -> BTreeSet<Option<String>> {
        let since = self.known.range((Bound::Excluded(after), Bound::Unbounded)).map(|(_, snapshot)| snapshot);
        let others = since.filter(|snapshot| snapshot.removes(table) && snapshot.author.as_deref() != Some(OURSELVES));
        others.map(|snapshot| snapshot.author.clone()).collect()
    }

    /// The snapshots that have only rearranged rows of `table`.
    pub fn rearranging(&self, table: i64) -> BTreeSet<i64> {
        let words = ["rewrite_delete", "merge_adjacent", "compacted_table"];
        let is = |snapshot: &Snapshot| snapshot.has(table, &words) && !snapshot.removes(table);
        self.known.iter().filter(|(_, snapshot)| is(snapshot)).map(|(id, _)| *id).collect()
    }
}

impl Snapshot {
    fn removes(&self, table: i64) -> bool {
        self.has(table, &["deleted_from_table", "inlined_delete"])
    }

    /// Whether it did one of the things that DuckLake calls `words` to `table`.
    fn has(&self, table: i64, words: &[&str]) -> bool {
        let is = |change: &str, word: &str| {
            change.split_once(':').is_some_and(|(w, id)| w == word && id == table.to_string())
        };
        self.changes.split(',').any(|change| words.iter().any(|word| is(change, word)))
    }
}

impl Lake {
    /// Whether the catalog still names `file`.
    async fn still_has(&self, table: &Table, file: &TracedFile) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT EXISTS (SELECT FROM {}.ducklake_data_file WHERE data_file_id = $1 AND table_id = $2)",
            self.schema
        );
        let row = self.reader().await?.query_one(&sql, &[&file.id(), &table.id]).await;
        row.map(|row| row.get(0)).map_err(|e| postgres::failed(format!("read the files of {}", self.shown()), e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(known: &[(i64, &str, Option<&str>)], newest: i64) -> History {
        let snapshot = |(id, changes, author): &(i64, &str, Option<&str>)| {
            (*id, Snapshot { changes: (*changes).to_owned(), author: author.map(str::to_owned) })
        };
        History { newest, known: known.iter().map(snapshot).collect() }
    }

    #[test]
    fn snapshots_tell_who_has_removed_rows() {
        let history = history(
            &[
                (1, "inserted_into_table:7", Some("lakefront")),
                (2, "inserted_into_table:8,deleted_from_table:8", Some("ann")),
                (3, "inlined_insert:7,inlined_delete:7", None),
                (4, "rewrite_delete:7", None),
                (5, "inserted_into_table:7,deleted_from_table:7", Some("lakefront")),
            ],
            5,
        );
        assert_eq!((history.last_removal(7), history.last_removal(8), history.last_removal(9)), (5, 2, 0));
        assert_eq!(history.removers(7, 1), [None].into(), "not ourselves");
        assert_eq!(history.removers(8, 0), [Some("ann".to_owned())].into());
        assert_eq!((history.rearranging(7), history.rearranging(8)), ([4].into(), [].into()));
        assert_eq!(history.author(2), Some("ann"));
    }

    #[test]
    fn what_has_expired_may_have_done_anything() {
        let history = history(&[(4, "inserted_into_table:7", None), (5, "inserted_into_table:7", None)], 5);
        assert_eq!(history.last_removal(7), 3);
        assert!(!history.is_there(3) && history.is_there(4));
        assert_eq!(history.author(3), None);
    }
}
