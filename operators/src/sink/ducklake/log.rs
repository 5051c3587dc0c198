//! The pipeline's own tables in the catalog: a row for each commit, and the offsets files.
//!
//! They lie beside DuckLake's, so that they go with the catalog into any dump or clone. Rows of
//! commits are never changed and never deleted.

use std::sync::atomic::Ordering;

use tokio_postgres::Client;

use super::catalog::Lake;
use crate::error::StoreError;
use crate::position::Position;
use crate::postgres::{self, Ask};
use crate::protocol::names::{Held, RunId, Version};

/// Makes the tables, if they are not there. A lock of its own keeps two runs from doing so at once.
pub(super) async fn make(lake: &Lake) -> Result<(), StoreError> {
    if is_there(lake, &*lake.reader().await?).await? {
        return Ok(());
    }
    // Not the one for questions, which a failure here would leave in a transaction.
    let (client, m) = (lake.connect().await?, &lake.schema);
    let sql = format!(
        "BEGIN;
         SELECT pg_advisory_xact_lock(hashtextextended('lakefront', 0));
         CREATE TABLE IF NOT EXISTS {m}.lakefront_commits (
           pipeline text NOT NULL,
           version bigint NOT NULL,
           id uuid NOT NULL,
           position bigint NOT NULL,
           run bigint NOT NULL,
           snapshot_id bigint,
           tables jsonb,
           committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
           PRIMARY KEY (pipeline, version));
         CREATE TABLE IF NOT EXISTS {m}.lakefront_offsets (
           pipeline text NOT NULL,
           position bigint NOT NULL,
           run bigint NOT NULL,
           content bytea NOT NULL,
           PRIMARY KEY (pipeline, position, run));
         COMMIT"
    );
    let made = client.batch_execute(&sql).await;
    made.map_err(|e| postgres::failed(format!("make lakefront's tables in {}", lake.shown()), e))
}

/// Whether the tables are there. They are never dropped, so what was found once is not looked for
/// again.
pub(super) async fn is_there(lake: &Lake, client: &Client) -> Result<bool, StoreError> {
    if lake.has_ours.load(Ordering::Relaxed) {
        return Ok(true);
    }
    let named = format!("{}.lakefront_offsets", lake.schema);
    let there = client.ask_one("SELECT to_regclass($1) IS NOT NULL", &[&named]).await;
    let there = there.map_err(|e| postgres::failed(format!("look at {}", lake.shown()), e))?.get(0);
    lake.has_ours.store(there, Ordering::Relaxed);
    Ok(there)
}

/// The pipeline's newest version, and what it holds.
pub(super) async fn head(lake: &Lake, client: &Client, pipeline: &str) -> Result<Option<(Version, Held)>, StoreError> {
    let sql = format!(
        "SELECT version, position, run FROM {}.lakefront_commits WHERE pipeline = $1 ORDER BY version DESC LIMIT 1",
        lake.schema
    );
    let row = client.ask_opt(&sql, &[&pipeline]).await;
    let row = row.map_err(|e| postgres::failed(format!("read the commits of {}", lake.shown()), e))?;
    Ok(row.map(|row| (Version(unsigned(row.get(0))), held(row.get(1), row.get(2)))))
}

/// What numbers of the catalog mean.
pub(super) fn held(position: i64, run: i64) -> Held {
    Held { position: Position(unsigned(position)), run: RunId(unsigned(run)) }
}

/// The catalog has no numbers without a sign.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that [`signed`] has made.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
