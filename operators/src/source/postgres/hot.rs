//! How many rows are hot, as PostgreSQL's statistics have it.
//!
//! The server keeps these numbers up to date while rows come and go, so that asking for them reads
//! no table. They are an estimate: what a session has done shows up within seconds of its commit,
//! and a crash of the server forgets them until the next ANALYZE.

use super::flush::Buffer;
use super::settings::BufferSettings;
use crate::error::StoreError;
use crate::postgres::{self, Ask};

/// The live rows of each table of a schema, leaves of partitioned ones included.
const SQL: &str = "
    SELECT COALESCE((SELECT sum(pg_stat_get_live_tuples(l.oid)) FROM pg_class l WHERE l.relkind = 'r'
      AND (l.oid = c.oid OR l.oid IN (SELECT relid FROM pg_partition_tree(c.oid)))), 0)::int8
    FROM unnest($1::text[]) WITH ORDINALITY AS t(name, i)
    LEFT JOIN pg_namespace n ON n.nspname = $2
    LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name ORDER BY t.i";

impl Buffer {
    /// Asks how many rows each table has, for those who watch.
    pub(super) async fn count_hot(&self) -> Result<(), StoreError> {
        let BufferSettings { schema, tables, .. } = &self.settings;
        let names: Vec<&str> = tables.iter().map(|table| &*table.name).collect();
        let client = self.sessions().session().await?;
        let rows = client.ask(SQL, &[&names, &schema]).await;
        let rows = rows.map_err(|e| postgres::failed("look at the hot tables", e))?;
        self.metrics.waiting(rows.iter().map(|row| u64::try_from(row.get::<_, i64>(0)).unwrap_or_default()));
        self.sessions().give_back(client);
        Ok(())
    }
}
