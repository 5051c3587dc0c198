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
use crate::protocol::names::TableId;
use crate::protocol::standing::Standing;
use crate::run::clock::Stopwatch;
use crate::run::metrics::flushes::{Void, Work};
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
            let watch = Stopwatch::start();
            let deleted = flush.delete().await;
            self.metrics.commit_waited(watch.elapsed());
            match deleted {
                Ok(deleted) => {
                    flush.compare(commit, deleted)?;
                    flush.goes_to(Progress::Deleted);
                    Ok(Some(flush.owner.clone()))
                }
                Err(Failed::Void(why)) => {
                    tracing::info!(flush = flush.number, why, "its rows could not be deleted");
                    flush.is_lost(flush.or_disconnected(Void::Changed), why);
                    flush.goes_to(Progress::Lost);
                    Ok(None)
                }
                Err(Failed::Definite(why)) => Err(StoreError::definite("delete rows that are copied", why.clone())),
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

    fn has_lost(&self, commit: &Commit, why: &str) {
        if let Some(flush) = self.flush(commit.held.position.0) {
            flush.is_lost(flush.or_disconnected(Void::Conflict), why);
        }
    }

    fn is_void(&self, commit: &Commit) {
        let number = commit.held.position.0;
        let lost = self.flush(number).and_then(|flush| flush.lost());
        let (class, why) = lost.unwrap_or_else(|| (Void::Disconnected, "its connection was lost".to_owned()));
        self.void(number, (class, &why));
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

    fn has_lost(&self, commit: &Commit, why: &str) {
        self.buffer.has_lost(commit, why);
    }

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
    /// The class of a failure, which is another one if the owner's connection was lost.
    pub(super) fn or_disconnected(&self, class: Void) -> Void {
        if self.owner.is_closed() { Void::Disconnected } else { class }
    }

    /// Commits that the rows are deleted. If that fails, they are deleted as late ones, before the
    /// next flush. Returns whether they are gone.
    async fn forget(&self) -> bool {
        fail::fail_point!("flush-forget");
        let forgotten = self.owner.batch_execute("COMMIT").await;
        if let Err(error) = &forgotten {
            let error = postgres::told(error);
            tracing::warn!(
                flush = self.number,
                error,
                "rows that have landed are still hot: the next flush deletes them"
            );
        }
        fail::fail_point!("flush-forgotten");
        forgotten.is_ok()
    }
}

impl Acknowledge<Flushes> for Buffer {
    /// The rows went with the commit, or are deleted in a transaction that may commit now.
    fn acknowledge<'a>(&'a self, standing: &'a Standing<Flushes>) -> Pending<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let number = standing.position().0;
            let flush = self.flush(number);
            let is_gone = match flush.as_ref().filter(|flush| flush.progress() == Progress::Deleted) {
                Some(flush) => flush.forget().await,
                None => true,
            };
            if let Some(flush) = flush {
                flush.counts.landed(flush.deleted.get().filter(|_| is_gone), &flush.replaced);
                self.landed(number);
                self.recycle(&flush).await;
            }
            Ok(())
        })
    }
}

impl Buffer {
    /// Gives the space of deleted rows back. A failure is only told, because the next one is due
    /// soon.
    pub(super) async fn vacuum(&self) {
        let Ok(client) = self.sessions().session().await else { return };
        for (i, BufferTable { name: table, .. }) in self.settings.tables.iter().enumerate() {
            let watch = Stopwatch::start();
            let sql = format!("VACUUM (ANALYZE) {}.{}", quoted(&self.settings.schema), quoted(table));
            if let Err(error) = client.batch_execute(&sql).await {
                tracing::warn!(table, error = postgres::told(&error), "could not vacuum a table");
            }
            self.metrics.spent(TableId(i), Work::Vacuum, watch.elapsed());
        }
        self.sessions().give_back(client);
    }
}
