//! Rows that have landed and may still be hot, because the lake is in another database: before the
//! next flush begins, it is asked what became of the transaction that was to delete them. If it was
//! rolled back, exactly those are deleted that are still as the flush saw them.
//!
//! Whoever has changed such a row since has made a new one of it. It is late: it goes by its key,
//! or lands too.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio_postgres::Client;

use super::delete::LOCK_WAIT_MS;
use super::deletion::{DeletedTable, Deletion};
use super::discover::obstacles;
use super::fate::{Fate, Server};
use super::flush::Buffer;
use super::late::{self, Late};
use super::settings::BufferTable;
use crate::error::StoreError;
use crate::position::Position;
use crate::postgres::{self, Ask, quoted};
use crate::protocol::names::TableId;

/// A flush that has landed, and whose deletion may have failed.
#[derive(Clone)]
pub(super) struct Unsettled {
    number: u64,
    deletion: Arc<Deletion>,
    /// Whether what it deleted is to be counted, if it did.
    is_counted: bool,
    /// Whether its rows are known to be gone, on the server that it has noted.
    is_settled: bool,
}

impl Unsettled {
    /// Flush `number`, with the deletion that it has noted. What it deleted `is_counted` if it is
    /// known to be gone.
    pub(super) fn new(number: u64, deletion: Deletion, is_counted: bool) -> Unsettled {
        Unsettled { number, deletion: Arc::new(deletion), is_counted, is_settled: false }
    }
}

impl Buffer {
    /// Goes on after a flush of an earlier run, which has left `note` in the lake.
    pub fn goes_on_after(&self, number: Position, note: Value) -> Result<(), StoreError> {
        let deletion = Deletion::read(note)?;
        // What an earlier run has deleted is no deed of this one.
        self.state().unsettled = Some(Unsettled::new(number.0, deletion, true));
        Ok(())
    }

    /// Sees to it that no row is hot that the last flush has landed and was to delete. Returns the
    /// session that was asked, over which the next flush has to begin: another one may lead to
    /// another server.
    pub(super) async fn settle(&self) -> Result<Option<Arc<Client>>, StoreError> {
        let Some(unsettled) = self.state().unsettled.clone() else { return Ok(None) };
        let Unsettled { number, deletion, is_counted, is_settled } = unsettled;
        let client = self.sessions().session().await?;
        let fate = match is_settled {
            // What has committed here may be missing on a standby that has taken over.
            true => match deletion.server.differs(&Server::ask(&client).await?) {
                None => return Ok(Some(client)),
                Some(why) => Fate::Unknown(why.to_owned()),
            },
            false => deletion.fate(&client, number).await?,
        };
        let is_known = !matches!(fate, Fate::Unknown(_));
        match fate {
            Fate::Committed if is_counted => {}
            Fate::Committed => {
                let rows = deletion.tables.iter().map(|table| (table, table.rows()));
                self.count_deleted(rows);
            }
            Fate::RolledBack => self.delete_left(&client, number, &deletion).await?,
            Fate::Unknown(why) => self.refuse_left(&client, number, &why).await?,
        }
        // Where nobody can tell, and no row is in doubt, those that come from now on are none.
        self.state().unsettled = is_known.then_some(Unsettled { number, deletion, is_counted, is_settled: true });
        Ok(Some(client))
    }

    fn count_deleted<'a>(&self, tables: impl Iterator<Item = (&'a DeletedTable, u64)>) {
        for (table, rows) in tables {
            if let Some(id) = self.settings.tables.iter().position(|known| known.name == table.name) {
                self.metrics.deleted(TableId(id), rows);
            }
        }
    }

    /// What becomes of the rows of a table; none if it is not flushed any more.
    fn settings_of(&self, table: &DeletedTable) -> Option<&BufferTable> {
        self.settings.tables.iter().find(|known| known.name == table.name)
    }

    /// Deletes the rows that the flush saw, and that are as they were.
    async fn delete_left(&self, client: &Client, number: u64, deletion: &Deletion) -> Result<(), StoreError> {
        // Rows of a table that is retained by now are to stay.
        let retained = |table: &&DeletedTable| self.settings_of(table).is_some_and(|known| known.retain);
        let tables: Vec<&DeletedTable> = deletion.tables.iter().filter(|table| !retained(table)).collect();
        let leaves = leaves(client, &tables).await?;
        if leaves.is_empty() {
            return Ok(());
        }
        let failed = |e| postgres::failed(format!("delete rows that flush {number} has landed"), e);
        // The locks come before the snapshot, so that nobody empties and fills a table in between.
        let names: Vec<String> = leaves.values().map(|leaf| format!("ONLY {leaf}")).collect();
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL lock_timeout = {LOCK_WAIT_MS}; \
             LOCK TABLE {} IN ROW EXCLUSIVE MODE",
            names.join(", ")
        );
        client.batch_execute(&begin).await.map_err(failed)?;
        let relations: Vec<u32> = leaves.keys().copied().collect();
        if let Some((relation, obstacle)) = obstacles(client, &relations).await.map_err(failed)?.deletes.pop_first() {
            let leaf = leaves.get(&relation).map_or("a table", String::as_str);
            let why = format!("{leaf} {obstacle}; nothing was changed: remove that, so that only these rows go");
            return Err(StoreError::definite(format!("delete rows that flush {number} has landed"), why));
        }
        let sql = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::int8";
        let next: i64 = client.ask_one(sql, &[]).await.map_err(failed)?.get(0);
        let (saw, recent) = deletion.saw(next);
        let mut all = Vec::new();
        for table in tables {
            let mut deleted = 0;
            for (relation, rows) in &table.leaves {
                let Some(leaf) = leaves.get(relation) else { continue };
                let sql = format!("DELETE FROM ONLY {leaf} WHERE {} <= $1::int8 AND {saw}", quoted(&table.column));
                let gone = client.tell(&sql, &[&table.end, &recent]).await.map_err(failed)?;
                if gone > *rows {
                    let why = format!(
                        "it had deleted {rows} rows of {leaf}, but {gone} look like them; nothing was changed: this is \
                         a bug in lakefront"
                    );
                    return Err(StoreError::definite(format!("delete rows that flush {number} has landed"), why));
                }
                deleted += gone;
            }
            all.push((table, deleted));
        }
        fail::fail_point!("flush-left");
        client.batch_execute("COMMIT").await.map_err(failed)?;
        self.tell_deleted(number, &all);
        self.count_deleted(all.into_iter());
        Ok(())
    }

    fn tell_deleted(&self, number: u64, all: &[(&DeletedTable, u64)]) {
        let told = |rows: &dyn Fn(&DeletedTable, u64) -> u64| {
            let rows = all.iter().map(|(table, deleted)| (&*table.name, rows(table, *deleted)));
            late::told(&rows.filter(|(_, rows)| *rows > 0).collect())
        };
        let deleted = told(&|_, deleted| deleted);
        if deleted.is_empty() {
            return tracing::info!(flush = number, "no row that has landed was still hot as it was");
        }
        tracing::info!(flush = number, tables = deleted, "rows that have landed were still hot, and are deleted");
        let lands = |table: &DeletedTable| self.settings_of(table).is_some_and(|known| known.late == Late::Append);
        let changed = told(&|table, deleted| if lands(table) { table.rows() - deleted } else { 0 });
        if !changed.is_empty() {
            tracing::warn!(
                flush = number,
                tables = changed,
                "rows that have landed were still hot, and others have changed or deleted them since: what was \
                 changed lands as a new row"
            );
        }
    }

    /// Refuses to go on if rows may be hot that the lake has, of any flush, and nothing tells them
    /// from late ones.
    async fn refuse_left(&self, client: &Client, number: u64, why: &str) -> Result<(), StoreError> {
        let marks = self.state().marks.clone();
        let (mut doubtful, mut deletes) = (BTreeMap::new(), Vec::new());
        for known in self.settings.tables.iter().filter(|known| !known.retain && known.late == Late::Append) {
            let Some(end) = marks.get(&known.name).copied() else { continue };
            let named = format!("{}.{}", quoted(&self.settings.schema), quoted(&known.name));
            let column = quoted(&known.sequence);
            let sql = format!("SELECT count(*) FROM {named} WHERE {column} <= $1::int8");
            let row = client.ask_one(&sql, &[&end]).await;
            let row = row.map_err(|e| postgres::failed(format!("look at the rows of table {:?}", known.name), e))?;
            let rows = row.get::<_, i64>(0).unsigned_abs();
            if rows > 0 {
                doubtful.insert(&*known.name, rows);
                deletes.push(format!("DELETE FROM {named} WHERE {column} <= {end}"));
            }
        }
        if doubtful.is_empty() {
            tracing::info!(
                flush = number,
                why,
                "nobody can tell whether its rows were deleted, but no row is in doubt"
            );
            return Ok(());
        }
        let why = format!(
            "nobody can tell whether the rows that flush {number} has landed were deleted: {why}. These tables append \
             rows that come back, and have such that it may have landed: {}. Nothing was changed. Compare them with the \
             lake; copy those that it lacks into another schema; then delete them: {}; start again, and insert those \
             that the lake lacks once a flush has landed",
            late::told(&doubtful),
            deletes.join("; ")
        );
        Err(StoreError::definite("begin a flush", why))
    }
}

/// The names of the leaves that are still there, by their numbers as relations.
async fn leaves(client: &Client, tables: &[&DeletedTable]) -> Result<BTreeMap<u32, String>, StoreError> {
    let relations: Vec<u32> = tables.iter().flat_map(|table| table.leaves.keys().copied()).collect();
    let sql = "SELECT c.oid, format('%I.%I', n.nspname, c.relname) FROM pg_class c \
               JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY($1) AND c.relkind = 'r'";
    let rows = client.ask(sql, &[&relations]).await;
    let rows = rows.map_err(|e| postgres::failed("look for tables that rows are deleted from", e))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
