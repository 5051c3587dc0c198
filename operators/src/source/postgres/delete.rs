//! Deletes the rows of a flush, in the transaction that has its snapshot.

use std::collections::BTreeMap;

use super::discover::HotTable;
use super::flush::Flush;
use crate::error::{StoreError, chain};
use crate::postgres::{self, quoted};
use crate::protocol::group::Commit;
use crate::protocol::names::TableId;
use crate::run::clock::Stopwatch;
use crate::run::metrics::flushes::Work;

/// How long a DELETE waits for another session's lock on a row, in milliseconds.
const LOCK_WAIT_MS: u32 = 10_000;

/// Why rows were not deleted.
#[derive(Clone)]
pub(super) enum Failed {
    /// The flush is made again.
    Void(String),
    /// The run ends.
    Definite(String),
}

/// How many rows of each table were deleted.
pub(super) type Deleted = Result<BTreeMap<TableId, u64>, Failed>;

impl Flush {
    /// Deletes what the snapshot sees up to the bound: exactly the rows that were copied. Only the
    /// first call does; the others get what has become of it.
    pub(super) async fn delete(&self) -> &Deleted {
        let delete = async {
            self.counts.metrics.deletes(true);
            let deleted = self.delete_once().await;
            self.counts.metrics.deletes(false);
            deleted
        };
        self.deleted.get_or_init(|| delete).await
    }

    async fn delete_once(&self) -> Deleted {
        let failed = |table: &HotTable, error: tokio_postgres::Error| {
            let is_void = postgres::is_serialization(&error) || error.is_closed();
            let told = postgres::told(&error);
            let error = postgres::failed(format!("delete rows of table {:?}", table.name), error);
            match is_void || error.is_transient() {
                true => Failed::Void(told),
                false => Failed::Definite(chain(&error)),
            }
        };
        let mut all = BTreeMap::new();
        for (i, (table, _)) in self.tables.iter().enumerate() {
            if !self.slices.iter().any(|slice| slice.table.0 == i) {
                continue;
            }
            let watch = Stopwatch::start();
            let wait = format!("SET LOCAL lock_timeout = {LOCK_WAIT_MS}");
            self.owner.batch_execute(&wait).await.map_err(|error| failed(table, error))?;
            let mut deleted = 0;
            for leaf in &table.leaves {
                let sql = format!("DELETE FROM ONLY {leaf} WHERE {} <= $1::int8", quoted(&table.sequence));
                deleted += self.owner.execute(&sql, &[&self.bound]).await.map_err(|error| failed(table, error))?;
            }
            self.counts.metrics.spent(TableId(i), Work::Delete, watch.elapsed());
            all.insert(TableId(i), deleted);
        }
        Ok(all)
    }

    /// Refuses to commit other rows than were deleted.
    pub(super) fn compare(&self, commit: &Commit, deleted: &BTreeMap<TableId, u64>) -> Result<(), StoreError> {
        let mut copied: BTreeMap<TableId, u64> = BTreeMap::new();
        commit.files.iter().for_each(|staged| *copied.entry(staged.table).or_default() += staged.file.rows);
        for (i, (table, _)) in self.tables.iter().enumerate() {
            let of = |rows: &BTreeMap<TableId, u64>| rows.get(&TableId(i)).copied().unwrap_or_default();
            let (copied, deleted) = (of(&copied), of(deleted));
            if deleted != copied {
                let why = format!(
                    "{copied} rows were copied, but {deleted} would be deleted; nothing was: this is a bug in lakefront"
                );
                return Err(StoreError::definite(format!("flush table {:?}", table.name), why));
            }
        }
        Ok(())
    }
}
