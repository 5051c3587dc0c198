//! Deletes the rows of a flush, in the transaction that has its snapshot.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::error::SqlState;

use super::blocked::watched;
use super::discover::HotTable;
use super::flush::{Flush, Progress};
use crate::error::{StoreError, chain};
use crate::postgres::{self, Ask, quoted};
use crate::protocol::group::Commit;
use crate::protocol::names::TableId;
use crate::run::clock::Stopwatch;
use crate::run::metrics::flushes::{Void, Work};

/// How long a DELETE waits for another session's lock on a row, in milliseconds. Then it gives up
/// what it has locked itself, for which others wait, and the flush is made again after a pause.
pub(super) const LOCK_WAIT_MS: u32 = 10_000;

/// Why rows were not deleted.
#[derive(Clone)]
pub(super) enum Failed {
    /// The flush is made again.
    Void(String),
    /// The run ends.
    Definite(String),
}

/// What has become of the rows of a table that the snapshot sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gone {
    /// How many were deleted.
    pub(super) deleted: u64,
    /// How many stay hot, though they are copied.
    pub(super) kept: u64,
    /// How many were deleted from each leaf.
    pub(super) leaves: Vec<u64>,
    /// Whose rows they were, of the transactions in the flush's window.
    pub(super) recent: BTreeSet<i64>,
}

/// What has become of the rows of each table.
pub(super) type Deleted = Result<BTreeMap<TableId, Gone>, Failed>;

impl Flush {
    /// Deletes what the snapshot sees up to the bound: exactly the rows that were copied and need
    /// not stay. Those that stay are counted. Only the first call does; the others get what has
    /// become of it.
    pub(super) async fn delete(&self) -> &Deleted {
        let delete = async {
            self.counts.metrics.deletes(true);
            let deleted = self.delete_once().await;
            self.counts.metrics.deletes(false);
            deleted
        };
        self.deleted.get_or_init(|| delete).await
    }

    /// Deletes while the rows are still being copied, which other connections do: they see what the
    /// snapshot sees. It takes a core of the server that copying leaves idle, and a row that is
    /// locked is not changed by others any more, which would make the flush void.
    pub(super) async fn delete_early(&self) {
        if let Err(Failed::Void(why)) = self.delete().await {
            // There is no need to copy the rest.
            self.is_lost(self.or_disconnected(Void::Changed), why);
            self.goes_to(Progress::Lost);
        }
    }

    async fn delete_once(&self) -> Deleted {
        let failed = |table: &HotTable, error: tokio_postgres::Error, who: Option<String>| {
            let is_void = postgres::is_serialization(&error) || error.is_closed();
            let mut told = postgres::told(&error);
            if let Some(who) = who.filter(|_| error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)) {
                let name = &table.name;
                told =
                    format!("{told}: rows of table {name:?} are locked by {who}: end that transaction, or wait for it");
            }
            let error = postgres::failed(format!("delete rows of table {:?}", table.name), error);
            match is_void || error.is_transient() {
                true => Failed::Void(told),
                false => Failed::Definite(chain(&error)),
            }
        };
        let (mut all, mut process) = (BTreeMap::new(), None);
        for (i, (table, _)) in self.tables.iter().enumerate() {
            if !self.slices.iter().any(|slice| slice.table.0 == i) {
                continue;
            }
            let watch = Stopwatch::start();
            if process.is_none() {
                process = Some(self.may_wait().await.map_err(|error| failed(table, error, None))?);
            }
            let (gone, who) = watched(&self.sessions, process, self.delete_from(i, table)).await;
            let gone = gone.map_err(|error| failed(table, error, who))?;
            self.counts.metrics.spent(TableId(i), Work::Delete, watch.elapsed());
            all.insert(TableId(i), gone);
        }
        Ok(all)
    }

    /// Bounds how long the owner waits for a lock. Returns its process, which others see waiting.
    async fn may_wait(&self) -> Result<i32, tokio_postgres::Error> {
        let sql = format!("SELECT set_config('lock_timeout', '{LOCK_WAIT_MS}', true), pg_backend_pid()");
        Ok(self.owner.ask_one(&sql, &[]).await?.get(1))
    }

    /// Deletes the rows of the table at this place, and counts those that stay.
    async fn delete_from(&self, at: usize, table: &HotTable) -> Result<Gone, tokio_postgres::Error> {
        let (reach, column) = (&self.reaches[at], quoted(&table.sequence));
        let mut gone = Gone { kept: self.listed.rows(at) as u64, ..Gone::default() };
        for leaf in &table.leaves {
            if let Some(end) = reach.deleted(self.bound) {
                if let Some(window) = self.window {
                    gone.recent.extend(window.recent(&self.owner, leaf, &format!("{column} <= {end}")).await?);
                }
                let sql = format!("DELETE FROM ONLY {leaf} WHERE {column} <= $1::int8");
                let deleted = self.owner.tell(&sql, &[&end]).await?;
                gone.leaves.push(deleted);
                gone.deleted += deleted;
            }
            if let Some(kept) = reach.kept(&column, self.bound) {
                let sql = format!("SELECT count(*) FROM ONLY {leaf} WHERE {kept}");
                gone.kept += self.owner.ask_one(&sql, &[]).await?.get::<_, i64>(0).unsigned_abs();
            }
        }
        Ok(gone)
    }

    /// Refuses to commit other rows than were deleted or stay.
    pub(super) fn compare(&self, commit: &Commit, gone: &BTreeMap<TableId, Gone>) -> Result<(), StoreError> {
        let mut copied: BTreeMap<TableId, u64> = BTreeMap::new();
        commit.files.iter().for_each(|staged| *copied.entry(staged.table).or_default() += staged.file.rows);
        for (i, (table, _)) in self.tables.iter().enumerate() {
            let copied = copied.get(&TableId(i)).copied().unwrap_or_default();
            let (deleted, kept) = gone.get(&TableId(i)).map_or((0, 0), |gone| (gone.deleted, gone.kept));
            if deleted + kept != copied {
                let why = format!(
                    "{copied} rows were copied, but {deleted} would be deleted and {kept} would stay; nothing was \
                     changed: this is a bug in lakefront"
                );
                return Err(StoreError::definite(format!("flush table {:?}", table.name), why));
            }
        }
        Ok(())
    }
}
