//! Reading: the rows of one table as a reader of the lake sees them at the newest snapshot.
//!
//! ```text
//!   catalog, one transaction ─▶ data files ─▶ decode ─▶ without deleted rows ─▶ fitted ─▶ batches
//!                            │      └ delete files, inlined deletes ─┘             │
//!                            └▶ inlined rows: texts ─▶ arrays ─────────────────────┴▶ batches
//! ```
//!
//! What DuckDB 1.5.5 leaves in a lake is understood: files that hold rows of several snapshots,
//! delete files, rows and deletes that are inlined in the catalog, columns that were added, renamed
//! or widened since. What is not understood (encrypted files, files that are read by names, Puffin)
//! is a definite error that names it, never a row too many or too few.
//!
//! Guarantees: all questions to the catalog are asked in one transaction, so that their answers are
//! of one snapshot; nothing is written and nothing locked. Files are read after that, one after the
//! other, each as a whole into memory, and decoded in batches away from the async threads. If a
//! clean-up removes one in between, that is a transient error, and reading again sees a newer
//! snapshot.

mod columns;
mod content;
mod decode;
mod deletes;
mod files;
mod fitting;
mod inlined;
mod lists;
mod open;
mod seek;
mod texts;
mod traced;
mod whole;

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::RecordBatch;
use tokio::sync::mpsc;
use tokio::task::{JoinError, spawn_blocking};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, IsolationLevel, Row};

pub use self::columns::Columns;
pub(super) use self::columns::default as default_of;
use self::deletes::Positions;
use self::files::DataFile;
use self::inlined::Inlined;
pub use self::traced::{Kept, Traced, TracedFile, Tracing};
pub(super) use self::whole::Whole;
use super::catalog::{Head, Lake};
use super::tables::{Column, Table};
use crate::error::StoreError;
use crate::postgres;
use crate::sink::files::Place;

/// How many rows a batch has at most; wide ones are fewer.
const BATCH: usize = 8192;
/// How many batches are decoded ahead.
const AHEAD: usize = 2;

/// Why a file or a value cannot be read.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What the catalog says of a table's rows.
struct Seen {
    /// The newest snapshot.
    snapshot: i64,
    /// The number that the next file gets.
    next_file: i64,
    files: Vec<DataFile>,
    inlined: Vec<Inlined>,
}

impl Lake {
    /// Calls `each` with the rows of `table` that a reader sees at the newest snapshot: batches of
    /// `columns`, in their order, with the types of [`Column::field`]. Rows come in no order, and
    /// no batch is empty.
    ///
    /// If `within` is given, files whose bounds of that (integer) column lie outside the range are
    /// not read; rows outside the range may come. After an error, part of the rows has come.
    pub async fn rows(
        &self,
        table: &Table,
        columns: &[&Column],
        within: Option<(&Column, RangeInclusive<i64>)>,
        each: &mut (dyn FnMut(RecordBatch) + Send),
    ) -> Result<(), StoreError> {
        let odd = |why: String| StoreError::definite(format!("read table {:?} of {}", table.name, self.shown()), why);
        let columns = Arc::new(Columns::new(columns).map_err(odd)?);
        let Seen { snapshot, files, inlined, .. } = self.seen(table, &columns, within.as_ref()).await?;
        for file in files {
            self.read_file(table, file, &columns, snapshot, each).await?;
        }
        inlined.into_iter().map(|inlined| inlined.batch).for_each(each);
        Ok(())
    }

    async fn seen(
        &self,
        table: &Table,
        columns: &Columns,
        within: Option<&(&Column, RangeInclusive<i64>)>,
    ) -> Result<Seen, StoreError> {
        let failed = |e| postgres::failed(format!("read table {:?} of {}", table.name, self.shown()), e);
        let mut client = self.connect().await?;
        let transaction = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let transaction = transaction.start().await.map_err(failed)?;
        let Head { snapshot, next_file_id: next_file, .. } = self.head(transaction.client()).await?;
        let asking = Asking { lake: self, client: transaction.client(), table, snapshot };
        asking.require_table().await?;
        let files = asking.files(within).await?;
        let inlined = asking.inlined(columns).await?;
        transaction.commit().await.map_err(failed)?;
        fail::fail_point!("ducklake-read-listed");
        Ok(Seen { snapshot, next_file, files, inlined })
    }

    /// Reads one file, without the rows that are deleted at `snapshot`.
    async fn read_file(
        &self,
        table: &Table,
        file: DataFile,
        columns: &Arc<Columns>,
        snapshot: i64,
        each: &mut (dyn FnMut(RecordBatch) + Send),
    ) -> Result<(), StoreError> {
        let DataFile { place, is_partial, mut deleted, delete_files, .. } = file;
        for place in &delete_files {
            let content = self.content(table, place).await?;
            let decoded = spawn_blocking(move || deletes::positions(content, snapshot)).await;
            deleted.extend(outcome(table, place, decoded)?);
        }
        let content = self.content(table, &place).await?;
        let (columns, newest) = (columns.clone(), is_partial.then_some(snapshot));
        let (sender, mut batches) = mpsc::channel(AHEAD);
        let decoding = spawn_blocking(move || {
            // If the receiver is gone, nobody needs the rest.
            let send = |batch| sender.blocking_send(batch).is_ok();
            decode::rows(content, &columns, &Positions::new(deleted), newest, send)
        });
        while let Some(batch) = batches.recv().await {
            each(batch);
        }
        outcome(table, &place, decoding.await)
    }
}

/// Questions to the catalog about one table at one snapshot, in one transaction.
struct Asking<'a> {
    lake: &'a Lake,
    client: &'a Client,
    table: &'a Table,
    snapshot: i64,
}

impl Asking<'_> {
    async fn query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        self.client.query(sql, values).await.map_err(|e| postgres::failed(self.attempt(), e))
    }

    /// A table that was dropped has no files, which is not the same as having no rows.
    async fn require_table(&self) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT FROM {}.ducklake_table WHERE table_id = $1 AND end_snapshot IS NULL LIMIT 1",
            self.lake.schema
        );
        match self.query(&sql, &[&self.table.id]).await?.is_empty() {
            true => Err(self.refused("it was dropped")),
            false => Ok(()),
        }
    }

    fn attempt(&self) -> String {
        format!("read table {:?} of {}", self.table.name, self.lake.shown())
    }

    fn refused(&self, why: impl Into<Fault>) -> StoreError {
        StoreError::definite(self.attempt(), why)
    }
}

/// What decoding the file in `place` came to. A damaged file may make the library panic, which is
/// an error like others.
fn outcome<T>(table: &Table, place: &Place, ended: Result<Result<T, Fault>, JoinError>) -> Result<T, StoreError> {
    match ended {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(fault)) => Err(StoreError::definite(attempt(table, place), fault)),
        Err(error) => Err(StoreError::definite(attempt(table, place), error)),
    }
}

fn attempt(table: &Table, place: &Place) -> String {
    format!("read file {place} of table {:?}", table.name)
}

#[cfg(test)]
mod tests;
