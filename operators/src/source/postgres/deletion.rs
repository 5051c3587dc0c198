//! The deletion of a flush whose lake is in another database, as the lake's own row of the flush
//! notes it: which transaction deletes which rows. A crash may come between the two commits, and
//! then whoever goes on asks what became of that transaction (`fate.rs`), and deletes the same rows
//! if it was rolled back (`settle.rs`).
//!
//! The rows are those that its snapshot saw, up to a sequence, in certain relations. A row was seen
//! if its transaction is older than any that was under way then, or if it is one of those that are
//! noted by their numbers: all others whose rows were deleted. The snapshot itself would not tell:
//! it does not name the subtransactions that are under way, and PostgreSQL takes them for ended
//! (`pg_visible_in_snapshot`).
//!
//! A server that crashes may give numbers out again if nothing with them has reached the disk. So a
//! transaction of its own, which is younger, is made durable before the lake commits.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use super::fate::Server;
use super::flush::{Buffer, Flush};
use super::seen;
use crate::error::StoreError;
use crate::postgres::{self, Ask};
use crate::protocol::names::TableId;
use crate::sink::ducklake::{numbers, spans};

/// What is made durable, so that no number up to that of its transaction is given out again.
const DURABLE: &str = "SELECT pg_logical_emit_message(true, 'lakefront', '')";

/// The transactions that a snapshot may or may not have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// All older ones had ended.
    before: i64,
    /// The first that had not begun.
    next: i64,
}

/// Which transaction deletes which rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Deletion {
    /// Where.
    pub(super) server: Server,
    /// The number of the transaction.
    pub(super) transaction: i64,
    /// All transactions before this one had ended when its snapshot was taken.
    before: i64,
    /// Others whose rows it has deleted, by 32 bits of their numbers: `1-5,8`.
    recent: String,
    /// The tables that it has deleted from.
    pub(super) tables: Vec<DeletedTable>,
}

/// A table, and how much was deleted from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DeletedTable {
    pub(super) name: String,
    /// The column that numbers its rows.
    pub(super) column: String,
    /// Up to which number.
    pub(super) end: i64,
    /// How many rows of each of its leaves, by their numbers as relations.
    pub(super) leaves: BTreeMap<u32, u64>,
}

impl DeletedTable {
    /// How many rows were deleted.
    pub(super) fn rows(&self) -> u64 {
        self.leaves.values().sum()
    }
}

impl Window {
    /// That of the snapshot of `owner`.
    pub(super) async fn ask(owner: &Client) -> Result<Window, StoreError> {
        let sql =
            "SELECT pg_snapshot_xmin(s)::text::int8, pg_snapshot_xmax(s)::text::int8 FROM pg_current_snapshot() s";
        let row = owner.ask_one(sql, &[]).await;
        let row = row.map_err(|e| postgres::failed("look at a flush's snapshot", e))?;
        Ok(Window { before: row.get(0), next: row.get(1) })
    }

    /// Which transactions in the window the rows of `leaf` have that are `asked` for, by 32 bits of
    /// their numbers.
    pub(super) async fn recent(
        self,
        owner: &Client,
        leaf: &str,
        asked: &str,
    ) -> Result<BTreeSet<i64>, tokio_postgres::Error> {
        if self.before == self.next {
            return Ok(BTreeSet::new());
        }
        let older = seen::older(self.next, self.before);
        let sql = format!("SELECT DISTINCT xmin::text::int8 FROM ONLY {leaf} WHERE {asked} AND NOT ({older})");
        Ok(owner.ask(&sql, &[]).await?.iter().map(|row| row.get(0)).collect())
    }
}

impl Deletion {
    /// What a flush has noted.
    pub(super) fn read(note: serde_json::Value) -> Result<Deletion, StoreError> {
        let read = |note| {
            let deletion: Deletion = serde_json::from_value(note).map_err(|error| error.to_string())?;
            match numbers(&deletion.recent) {
                Some(_) => Ok(deletion),
                None => Err(format!("{:?} are no numbers of transactions", deletion.recent)),
            }
        };
        read(note).map_err(|why| {
            let why = format!("{why}: a newer lakefront may know what it means");
            StoreError::definite("read what the last flush has noted of its rows", why)
        })
    }

    /// Which rows of one of its leaves it has seen, as SQL, in a snapshot before which all
    /// transactions have begun that are older than `next`. The second value is that of `$2`.
    pub(super) fn saw(&self, next: i64) -> (String, Vec<i64>) {
        let older = seen::older(next, self.before);
        let recent = numbers(&self.recent).unwrap_or_default();
        (format!("({older} OR xmin::text::int8 = ANY($2::int8[]))"), recent.into_iter().collect())
    }
}

impl Flush {
    /// Notes the deletion, which is done in a transaction that is open, also if no row was deleted:
    /// the server is noted with it. From here on the numbers in it are not given out again.
    pub(super) async fn note(&self, buffer: &Buffer) -> Result<(), StoreError> {
        self.deletion.get_or_try_init(|| self.noted(buffer)).await.map(drop)
    }

    async fn noted(&self, buffer: &Buffer) -> Result<Option<Deletion>, StoreError> {
        let failed = |e| postgres::failed("note which rows a flush deletes", e);
        let (Some(Window { before, .. }), Some(Ok(gone))) = (self.window, self.deleted.get()) else { return Ok(None) };
        let mut tables = Vec::new();
        for (i, (table, _)) in self.tables.iter().enumerate() {
            let Some((gone, end)) = gone.get(&TableId(i)).zip(self.reaches[i].deleted(self.bound)) else { continue };
            let leaves = self.relations[i].iter().copied().zip(gone.leaves.iter().copied());
            let leaves: BTreeMap<u32, u64> = leaves.filter(|(_, rows)| *rows > 0).collect();
            if !leaves.is_empty() {
                let (name, column) = (table.name.clone(), table.sequence.clone());
                tables.push(DeletedTable { name, column, end, leaves });
            }
        }
        let sql = "SELECT pg_current_xact_id()::text::int8";
        let transaction = self.owner.ask_one(sql, &[]).await.map_err(failed)?.get(0);
        let client = buffer.sessions().session().await?;
        client.batch_execute(DURABLE).await.map_err(failed)?;
        let server = Server::ask(&client).await?;
        buffer.sessions().give_back(client);
        if let Some(why) = Server::ask(&self.owner).await?.differs(&server) {
            return Err(StoreError::transient("note which rows a flush deletes", why));
        }
        let recent: BTreeSet<i64> = gone.values().flat_map(|gone| gone.recent.iter().copied()).collect();
        Ok(Some(Deletion { server, transaction, before, recent: spans(&recent), tables }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deletion() -> Deletion {
        let server =
            Server { system: "7".to_owned(), database: 5, timeline: "00000001".to_owned(), written: "0/1".to_owned() };
        let leaves = [(16_384, 3), (16_390, 4)].into();
        let table = DeletedTable { name: "effects".to_owned(), column: "s".to_owned(), end: 100, leaves };
        Deletion { server, transaction: 2010, before: 1000, recent: "1001-1003,1900".to_owned(), tables: vec![table] }
    }

    #[test]
    fn what_was_noted_is_read() {
        let note = serde_json::to_value(deletion()).expect("a note");
        // As the catalog gives it back.
        let note = serde_json::from_str(&note.to_string()).expect("a value");
        let read = Deletion::read(note).expect("a deletion");
        assert_eq!(read, deletion());
        assert_eq!(read.tables[0].rows(), 7);
    }

    #[test]
    fn what_is_not_understood_is_no_deletion() {
        for note in [
            serde_json::json!({}),
            serde_json::to_value(Deletion { recent: "all".to_owned(), ..deletion() }).expect("a note"),
        ] {
            let error = Deletion::read(note).expect_err("no deletion");
            assert!(crate::error::chain(&error).contains("a newer lakefront may know"), "{error:?}");
        }
    }

    #[test]
    fn rows_were_seen_that_are_older_or_named() {
        let (sql, recent) = deletion().saw(2000);
        assert_eq!(sql, "(((2000 - xmin::text::int8) & 4294967295) > 1000 OR xmin::text::int8 = ANY($2::int8[]))");
        assert_eq!(recent, [1001, 1002, 1003, 1900]);
    }
}
