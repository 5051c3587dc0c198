//! Old snapshots are forgotten, and with them the files that only they needed.
//!
//! As DuckDB's `ducklake_expire_snapshots` does it, for all tables of the lake: the newest snapshot
//! always stays, and a file stays as long as one snapshot that is left needs it. Definitions of
//! what was dropped stay in the catalog; they are small, and DuckDB removes them with the next
//! snapshots that it expires.

use std::time::Duration;

use super::Keeping;
use super::enter::Entered;
use super::schedule::Gone;
use crate::error::StoreError;

impl Keeping {
    /// Expires snapshots that are older than `age`. Returns how many.
    pub(super) async fn expire(&self, age: Duration) -> Result<usize, StoreError> {
        let m = &self.lake.schema;
        let failed = |e| self.failed("expire snapshots of", e);
        let old = format!(
            "snapshot_time < clock_timestamp() - make_interval(secs => $1) \
             AND snapshot_id < (SELECT max(snapshot_id) FROM {m}.ducklake_snapshot)"
        );
        let age = age.as_secs_f64();
        // Mostly there is nothing to do, and no need to lock anything.
        let sql = format!("SELECT EXISTS (SELECT FROM {m}.ducklake_snapshot WHERE {old})");
        if !self.connect().await?.query_one(&sql, &[&age]).await.map_err(failed)?.get::<_, bool>(0) {
            return Ok(0);
        }
        let Ok(Entered { session, .. }) = self.enter().await? else { return Ok(0) };
        let sql = format!("DELETE FROM {m}.ducklake_snapshot WHERE {old} RETURNING snapshot_id");
        let expired = session.query(&sql, &[&age]).await.map_err(failed)?;
        let expired: Vec<i64> = expired.iter().map(|row| row.get(0)).collect();
        let sql = format!("DELETE FROM {m}.ducklake_snapshot_changes WHERE snapshot_id = ANY($1)");
        session.execute(&sql, &[&expired]).await.map_err(failed)?;
        let unseen = format!(
            "end_snapshot IS NOT NULL AND NOT EXISTS (SELECT FROM {m}.ducklake_snapshot s \
             WHERE s.snapshot_id >= begin_snapshot AND s.snapshot_id < end_snapshot)"
        );
        let told = "table_id, path, path_is_relative";
        let sql = format!("DELETE FROM {m}.ducklake_data_file WHERE {unseen} RETURNING data_file_id, {told}");
        let mut gone: Vec<Gone> = session.query(&sql, &[]).await.map_err(failed)?.iter().map(file).collect();
        let ids: Vec<i64> = gone.iter().map(|file| file.id).collect();
        for telling in ["ducklake_file_column_stats", "ducklake_file_partition_value", "ducklake_file_variant_stats"] {
            let sql = format!("DELETE FROM {m}.{telling} WHERE data_file_id = ANY($1)");
            session.execute(&sql, &[&ids]).await.map_err(failed)?;
        }
        let sql = format!(
            "DELETE FROM {m}.ducklake_delete_file WHERE data_file_id = ANY($1) OR ({unseen}) \
             RETURNING delete_file_id, {told}"
        );
        gone.extend(session.query(&sql, &[&ids]).await.map_err(failed)?.iter().map(file));
        self.schedule(&session, &gone).await?;
        fail::fail_point!("ducklake-expire-written");
        session.batch_execute("COMMIT").await.map_err(failed)?;
        fail::fail_point!("ducklake-expire-committed");
        tracing::info!(snapshots = expired.len(), files = gone.len(), "expired old snapshots");
        Ok(expired.len())
    }
}

fn file(row: &tokio_postgres::Row) -> Gone {
    let path = (row.get::<_, Option<_>>(2).unwrap_or_default(), row.get::<_, Option<_>>(3).unwrap_or(true));
    Gone { id: row.get(0), table: row.get(1), path }
}
