//! The transaction of a change that no rows come with: under the lock that orders snapshots, and
//! only as long as the pipeline is this run's.

use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::Keeping;
use crate::error::StoreError;
use crate::postgres::{self, Ask};
use crate::sink::ducklake::catalog::Head;
use crate::sink::ducklake::log::signed;

/// How long the lock is waited for, in milliseconds. Others wait behind whoever waits, so it is
/// short; a merge can wait.
const LOCK_WAIT_MS: u32 = 500;
/// How often the lock is asked for.
const ASKS: u32 = 10;
/// From one time to the next.
const BETWEEN: Duration = Duration::from_secs(1);

/// A transaction that holds the lock.
pub(super) struct Entered {
    pub(super) session: Client,
    pub(super) head: Head,
}

/// Why nothing can be changed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    /// Another writer holds the catalog.
    Busy,
    /// The pipeline was claimed since the flush landed: by another run, or by this one after a void
    /// flush.
    Claimed,
}

impl Keeping {
    /// Begins a transaction, unless others need the catalog.
    pub(super) async fn enter(&self) -> Result<Result<Entered, Outside>, StoreError> {
        let m = &self.lake.schema;
        let session = self.connect().await?;
        // A claim of the pipeline waits until it is known what this transaction comes to.
        let begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {LOCK_WAIT_MS}; \
             LOCK TABLE {m}.ducklake_snapshot IN SHARE ROW EXCLUSIVE MODE; \
             LOCK TABLE {m}.lakefront_commits IN SHARE MODE"
        );
        for _ in 0..ASKS {
            match session.batch_execute(&begin).await {
                Ok(()) => {
                    if !self.is_ours(&session).await? {
                        return Ok(Err(Outside::Claimed));
                    }
                    let head = self.lake.head(&session).await?;
                    return Ok(Ok(Entered { session, head }));
                }
                Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                    session.batch_execute("ROLLBACK").await.map_err(|e| self.failed("leave", e))?;
                    tokio::time::sleep(BETWEEN).await;
                }
                Err(error) => return Err(self.failed("lock", error)),
            }
        }
        Ok(Err(Outside::Busy))
    }

    /// Whether the run that has landed the flush is still the pipeline's newest.
    pub(super) async fn is_ours(&self, client: &Client) -> Result<bool, StoreError> {
        let commits = format!("{}.lakefront_commits WHERE pipeline = $1", self.lake.schema);
        let sql = format!(
            "SELECT run = (SELECT run FROM {commits} AND position = $2 AND snapshot_id IS NOT NULL \
             ORDER BY version DESC LIMIT 1) FROM {commits} ORDER BY version DESC LIMIT 1"
        );
        let row = client.ask_opt(&sql, &[&self.pipeline, &signed(self.flush)]).await;
        let row = row.map_err(|e| self.failed("read the commits of", e))?;
        Ok(row.and_then(|row| row.get::<_, Option<bool>>(0)).unwrap_or(false))
    }

    pub(super) fn failed(&self, verb: &str, error: tokio_postgres::Error) -> StoreError {
        postgres::failed(format!("{verb} {}", self.lake.shown()), error)
    }
}
