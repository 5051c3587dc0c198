//! Where hot tables and a lake meet: one transaction deletes the rows and commits them to the lake,
//! or two do.

use std::sync::Arc;

use tokio_postgres::Client;

use super::delete::Failed;
use super::flush::{Buffer, Flush, Progress};
use super::kind::Flushes;
use super::settings::BufferTable;
use crate::acknowledge::Acknowledge;
use crate::error::StoreError;
use crate::postgres::{self, quoted};
use crate::protocol::Pending;
use crate::protocol::group::Commit;
use crate::protocol::standing::Standing;
use crate::sink::ducklake::{Lake, OwnTransactions, Replaced, Transactions};

impl Transactions for Buffer {
    fn begin<'a>(&'a self, commit: &'a Commit) -> Pending<'a, Result<Option<Arc<Client>>, StoreError>> {
        Box::pin(async move {
            let Some(flush) = self.flush(commit.held.position.0) else { return Ok(None) };
            match flush.progress() {
                // Its fate is decided, whatever it is.
                Progress::Committing | Progress::Lost => return Ok(None),
                Progress::Deleted => return Ok(Some(flush.owner.clone())),
                Progress::Copying => {}
            }
            match flush.delete().await {
                Ok(deleted) => {
                    flush.compare(commit, deleted)?;
                    flush.goes_to(Progress::Deleted);
                    Ok(Some(flush.owner.clone()))
                }
                Err(Failed::Void(why)) => {
                    tracing::info!(flush = flush.number, why, "its rows could not be deleted");
                    flush.goes_to(Progress::Lost);
                    Ok(None)
                }
                Err(Failed::Definite(why)) => Err(StoreError::definite("delete rows that were copied", why.clone())),
            }
        })
    }

    fn replaces(&self, commit: &Commit) -> Option<Arc<Replaced>> {
        self.flush(commit.held.position.0).map(|flush| flush.replaced.clone())
    }

    fn committing(&self, commit: &Commit) {
        if let Some(flush) = self.flush(commit.held.position.0) {
            flush.goes_to(Progress::Committing);
        }
    }

    fn is_void(&self, commit: &Commit) {
        self.void(commit.held.position.0, "it lost against another writer, or its connection was lost");
    }

    fn hands_out_again(&self) -> bool {
        true
    }

    fn is_void_once_it_lost(&self) -> bool {
        true
    }
}

/// Hot tables and a lake in two databases: the rows are deleted before the lake commits, and that
/// is committed once it has. A crash between the two commits leaves rows that the lake has: they
/// count as late, so every table must skip or replace those by its key.
pub struct TwoSteps {
    buffer: Arc<Buffer>,
    lake: OwnTransactions,
}

impl TwoSteps {
    /// The tables of `buffer`, and the catalog of `lake`.
    pub fn new(buffer: Arc<Buffer>, lake: Arc<Lake>) -> TwoSteps {
        TwoSteps { buffer, lake: OwnTransactions::new(lake) }
    }
}

impl Transactions for TwoSteps {
    fn begin<'a>(&'a self, commit: &'a Commit) -> Pending<'a, Result<Option<Arc<Client>>, StoreError>> {
        Box::pin(async move {
            match self.buffer.begin(commit).await? {
                Some(_) => self.lake.begin(commit).await,
                None => Ok(None),
            }
        })
    }

    fn replaces(&self, commit: &Commit) -> Option<Arc<Replaced>> {
        self.buffer.replaces(commit)
    }

    // Whatever becomes of the lake's transaction, that of the owner stays open.
    fn committing(&self, _commit: &Commit) {}

    fn is_void(&self, commit: &Commit) {
        self.buffer.is_void(commit);
    }

    fn hands_out_again(&self) -> bool {
        true
    }

    fn is_void_once_it_lost(&self) -> bool {
        false
    }
}

impl Flush {
    /// Commits that the rows are deleted. If that fails, they are deleted as late ones, before the
    /// next flush.
    async fn forget(&self) {
        fail::fail_point!("flush-forget");
        if let Err(error) = self.owner.batch_execute("COMMIT").await {
            let error = postgres::told(&error);
            tracing::warn!(
                flush = self.number,
                error,
                "rows that have landed are still hot: the next flush deletes them"
            );
        }
        fail::fail_point!("flush-forgotten");
    }
}

impl Acknowledge<Flushes> for Buffer {
    /// The rows went with the commit, or are deleted in a transaction that may commit now.
    fn acknowledge<'a>(&'a self, standing: &'a Standing<Flushes>) -> Pending<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let number = standing.position().0;
            let flush = self.flush(number);
            if let Some(flush) = flush.as_ref().filter(|flush| flush.progress() == Progress::Deleted) {
                flush.forget().await;
            }
            let is_due = self.landed(number);
            if let Some(flush) = flush {
                self.recycle(flush).await;
            }
            if is_due {
                self.vacuum().await;
            }
            Ok(())
        })
    }
}

impl Buffer {
    /// Keeps the connections of a flush that has ended.
    async fn recycle(&self, flush: Arc<Flush>) {
        for reader in std::mem::take(&mut *flush.readers.lock().await) {
            // An old snapshot would keep others from cleaning up.
            if reader.batch_execute("ROLLBACK").await.is_ok() {
                self.keep(reader).await;
            }
        }
    }

    /// Gives the space of deleted rows back. A failure is only told, because the next one is due
    /// soon.
    async fn vacuum(&self) {
        let Ok(client) = self.connection().await else { return };
        for BufferTable { name: table, .. } in &self.settings.tables {
            let sql = format!("VACUUM (ANALYZE) {}.{}", quoted(&self.settings.schema), quoted(table));
            if let Err(error) = client.batch_execute(&sql).await {
                tracing::warn!(table, error = postgres::told(&error), "could not vacuum a table");
            }
        }
        self.keep(client).await;
    }
}
