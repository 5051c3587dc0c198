//! Where hot tables and a lake meet: one transaction deletes the rows and commits them to the lake,
//! or two do.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;
use tokio_postgres::Client;

use super::delete::Failed;
use super::flush::{Buffer, Flush, Progress};
use super::kind::Flushes;
use super::settings::BufferTable;
use super::settle::Unsettled;
use crate::acknowledge::Acknowledge;
use crate::error::{StoreError, chain};
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

    fn notes(&self, commit: &Commit) -> Option<Value> {
        let flush = self.flush(commit.held.position.0)?;
        let deletion = flush.deletion.get()?.as_ref()?;
        Some(serde_json::to_value(deletion).expect("numbers and texts are JSON"))
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
/// is committed once it has. The lake's commit notes what the other deletes. After a crash between
/// the two, or if the second one failed, the next flush finds the same rows by that, and deletes
/// them before it begins.
pub struct TwoSteps {
    buffer: Arc<Buffer>,
    lake: OwnTransactions,
}

impl TwoSteps {
    /// The tables of `buffer`, and the catalog of `lake`.
    pub fn new(buffer: Arc<Buffer>, lake: Arc<Lake>) -> TwoSteps {
        buffer.is_apart.store(true, Ordering::Release);
        TwoSteps { buffer, lake: OwnTransactions::new(lake) }
    }
}

impl Transactions for TwoSteps {
    fn begin<'a>(&'a self, commit: &'a Commit) -> Pending<'a, Result<Option<Arc<Client>>, StoreError>> {
        Box::pin(async move {
            if self.buffer.begin(commit).await?.is_none() {
                return Ok(None);
            }
            let Some(flush) = self.buffer.flush(commit.held.position.0) else { return Ok(None) };
            if flush.owner.is_closed() {
                // Others may change its rows by now.
                flush.is_lost(Void::Disconnected, "the connection that deletes its rows was lost");
                flush.goes_to(Progress::Lost);
                return Ok(None);
            }
            match flush.note(&self.buffer).await {
                Ok(()) => self.lake.begin(commit).await,
                Err(error) if error.is_transient() => {
                    let why = chain(&error);
                    tracing::info!(flush = flush.number, why, "nothing could be noted of its rows");
                    flush.is_lost(Void::Disconnected, &why);
                    flush.goes_to(Progress::Lost);
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        })
    }

    fn replaces(&self, commit: &Commit) -> Option<Arc<Replaced>> {
        self.buffer.replaces(commit)
    }

    // Whatever becomes of the lake's transaction, that of the owner stays open.
    fn committing(&self, _commit: &Commit) {}

    fn notes(&self, commit: &Commit) -> Option<Value> {
        self.buffer.notes(commit)
    }

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

    /// Commits that the rows are deleted. If that fails, the next flush asks whether they were.
    /// Returns whether they are known to be gone.
    async fn forget(&self) -> bool {
        fail::fail_point!("flush-forget");
        let forgotten = self.owner.batch_execute("COMMIT").await;
        if let Err(error) = &forgotten {
            let error = postgres::told(error);
            tracing::warn!(
                flush = self.number,
                error,
                "rows that have landed may still be hot: the next flush asks, and deletes those that are"
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
            let is_gone = match &flush {
                Some(flush) if flush.progress() == Progress::Deleted => flush.forget().await,
                // What counts as lost was not committed, unless the lake's transaction did that.
                Some(flush) => flush.window.is_none(),
                None => true,
            };
            if let Some(flush) = flush {
                flush.counts.landed(flush.deleted.get().filter(|_| is_gone), &flush.replaced);
                if let Some(deletion) = flush.deletion.get().cloned().flatten() {
                    // Also if PostgreSQL has said so: a standby that takes over may not know it.
                    self.state().unsettled = Some(Unsettled::new(number, deletion, is_gone));
                }
                if is_gone && matches!(flush.progress(), Progress::Deleted | Progress::Committing) {
                    // Its transaction has committed.
                    self.sessions().give_back(flush.owner.clone());
                }
                self.landed(number, is_gone);
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
