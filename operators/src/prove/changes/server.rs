//! PostgreSQL's side: one snapshot, and the rows that it sees.

use std::collections::BTreeSet;
use std::pin::pin;

use arrow_array::RecordBatch;
use futures::TryStreamExt;
use tokio_postgres::{Client, Error};

use super::columns::Plan;
use super::{Subject, Table};
use crate::error::{Stop, StoreError};
use crate::postgres::{self, Ask, Location, Lsn, quoted};
use crate::sink::delta;
use crate::source::postgres::{TableColumns, columns_of_tables};

/// What a binary COPY begins with: the signature, no flags, and no extension.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
const TRAILER: &[u8; 2] = &(-1_i16).to_be_bytes();
/// Bytes that are decoded at a time.
const AT_A_TIME: usize = 4 << 20;
/// From which version on a publication may have some rows of a table only.
const HAS_ROW_FILTERS: i32 = 150_000;
/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// A snapshot, which lasts as long as this does.
pub(super) struct Snapshot {
    client: Client,
    /// What is committed in it is before this place in the log.
    pub(super) lsn: Lsn,
}

impl Snapshot {
    /// Takes one, in which nobody can change what `tables` are, or empty them, until it ends.
    pub(super) async fn take(location: &Location, tables: &[Table<'_>]) -> Result<Snapshot, StoreError> {
        let client = postgres::connect(location, "lakefront prove").await?;
        let failed = |error| postgres::failed("take a snapshot of PostgreSQL", error);
        let there = columns_of_tables(&client, &names(tables)).await?;
        let there = names(tables).into_iter().zip(there).filter(|(_, there)| there.is_some());
        let there: Vec<String> = there.map(|((schema, name), _)| named(schema, name)).collect();
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(failed)?;
        // TRUNCATE and some forms of ALTER TABLE do not keep to snapshots: they wait for this lock.
        // Taking it takes no snapshot.
        if !there.is_empty() {
            let sql = format!("LOCK TABLE {} IN ACCESS SHARE MODE", there.join(", "));
            client.batch_execute(&sql).await.map_err(failed)?;
        }
        // The first query takes it, before it asks for the place.
        let sql = "SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
                   ELSE pg_current_wal_insert_lsn() END, '0/0')::int8";
        let lsn: i64 = client.ask_one(sql, &[]).await.map_err(failed)?.get(0);
        Ok(Snapshot { client, lsn: Lsn(lsn.unsigned_abs()) })
    }

    /// How each table of `subject` is compared; or why it cannot be.
    pub(super) async fn plans(&self, subject: &Subject<'_>) -> Result<Vec<Result<Plan, String>>, Stop> {
        let names = names(&subject.tables);
        let columns = columns_of_tables(&self.client, &names).await?;
        let filtered = self.filtered(subject.publication).await?;
        let mut plans = Vec::new();
        for ((table, found), (schema, relation)) in subject.tables.iter().zip(columns).zip(names) {
            let ours = &subject.postgres.database;
            plans.push(match (table.database.filter(|of| of != ours), found) {
                (Some(other), _) => Err(format!("it is of database {other:?}, and [postgres] names {ours:?}")),
                (None, None) => Err("PostgreSQL has no such table any more".to_owned()),
                (None, Some(_)) if filtered.contains(&table.spec.name) => {
                    Err("the publication has a filter for its rows".to_owned())
                }
                (None, Some(TableColumns { is_partitioned, columns })) => {
                    let fields =
                        delta::read(&table.spec.place, subject.pipeline).await?.and_then(|there| there.columns());
                    let fields = fields.unwrap_or_else(|| table.spec.schema.fields().clone());
                    Ok(Plan::new(from(schema, relation, is_partitioned), &columns, &fields, table.key))
                }
            });
        }
        Ok(plans)
    }

    /// The tables of which a publication has some rows only.
    async fn filtered(&self, publication: &str) -> Result<BTreeSet<String>, StoreError> {
        let failed = |error| postgres::failed("look at the publication's tables", error);
        let version = self.client.ask_one("SELECT current_setting('server_version_num')::int4", &[]).await;
        if version.map_err(failed)?.get::<_, i32>(0) < HAS_ROW_FILTERS {
            return Ok(BTreeSet::new());
        }
        let sql = "SELECT schemaname || '.' || tablename FROM pg_publication_tables \
                   WHERE pubname = $1::text::name AND rowfilter IS NOT NULL";
        let filtered = self.client.ask(sql, &[&publication]).await.map_err(failed)?;
        Ok(filtered.iter().map(|row| row.get(0)).collect())
    }

    /// Gives all rows of a table to `each`, batch by batch: the plan's columns, and behind them the
    /// row's place.
    pub(super) async fn rows(&self, plan: &Plan, mut each: impl FnMut(&RecordBatch)) -> Result<(), StoreError> {
        let attempt = || format!("read table {}", plan.relation);
        let failed = |error: Error| postgres::failed(attempt(), error);
        let sql = format!("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT binary)", plan.select, plan.relation);
        let mut messages = pin!(self.client.copy_out(&sql).await.map_err(failed)?);
        let mut decode = |bytes: &mut Vec<u8>| {
            bytes.extend_from_slice(TRAILER);
            let decoded = plan.decoder.decode(bytes, BATCH_ROWS, |batch| each(&batch));
            bytes.truncate(HEADER.len());
            decoded.map_err(|error| StoreError::definite(attempt(), error))
        };
        let mut bytes = HEADER.to_vec();
        let mut is_first = true;
        // PostgreSQL sends one message for each row. The header comes before the first.
        while let Some(message) = messages.try_next().await.map_err(failed)? {
            let row = match std::mem::take(&mut is_first) {
                true => message.strip_prefix(HEADER).ok_or_else(|| {
                    StoreError::definite(attempt(), "PostgreSQL has sent something else than a binary COPY")
                })?,
                false => &message[..],
            };
            if row != TRAILER {
                bytes.extend_from_slice(row);
            }
            if bytes.len() > AT_A_TIME {
                decode(&mut bytes)?;
            }
        }
        decode(&mut bytes)?;
        Ok(())
    }

    /// The tables that are captured and have rows, with their number, and that are not among those
    /// of `subject`. The error says why nobody knows.
    pub(super) async fn lacking(
        &self,
        subject: &Subject<'_>,
    ) -> Result<Result<Vec<(String, u64)>, String>, StoreError> {
        let failed = |error| postgres::failed("look at the publication's tables", error);
        let Some(is_wanted) = subject.is_wanted else {
            return Ok(Err(
                "source.topics do not tell which tables are captured: name them in connect.tables".to_owned()
            ));
        };
        let sql = "SELECT EXISTS (SELECT FROM pg_publication WHERE pubname = $1::text::name)";
        if !self.client.ask_one(sql, &[&subject.publication]).await.map_err(failed)?.get::<_, bool>(0) {
            let publication = subject.publication;
            return Ok(Err(format!("PostgreSQL has no publication {publication:?}: name it in postgres.publication")));
        }
        let sql = "SELECT p.schemaname::text, p.tablename::text, c.relkind = 'p' FROM pg_publication_tables p \
                   JOIN pg_namespace n ON n.nspname = p.schemaname \
                   JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename \
                   WHERE p.pubname = $1::text::name ORDER BY 1, 2";
        let published = self.client.ask(sql, &[&subject.publication]).await.map_err(failed)?;
        let known: BTreeSet<&str> = subject.tables.iter().map(|table| &*table.spec.name).collect();
        let mut lacking = Vec::new();
        for row in &published {
            let (schema, relation): (&str, &str) = (row.get(0), row.get(1));
            let name = format!("{schema}.{relation}");
            if known.contains(&*name) || !is_wanted(&name) {
                continue;
            }
            let sql = format!("SELECT count(*) FROM {}", from(schema, relation, row.get(2)));
            let rows: i64 = self.client.ask_one(&sql, &[]).await.map_err(failed)?.get(0);
            if rows > 0 {
                lacking.push((name, rows.unsigned_abs()));
            }
        }
        Ok(Ok(lacking))
    }
}

/// Schema and name of each table.
fn names<'s>(tables: &[Table<'s>]) -> Vec<(&'s str, &'s str)> {
    tables.iter().map(|table| table.spec.name.split_once('.').unwrap_or_default()).collect()
}

fn named(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}

/// A table in a query, without the rows of tables that inherit from it: their events are their own.
fn from(schema: &str, name: &str, is_partitioned: bool) -> String {
    format!("{}{}", if is_partitioned { "" } else { "ONLY " }, named(schema, name))
}

/// Up to where the connector has confirmed PostgreSQL's log; `None` if the slot is not there, or
/// has confirmed nothing.
pub(super) async fn confirmed(location: &Location, slot: &str) -> Result<Option<Lsn>, StoreError> {
    let client = postgres::connect(location, "lakefront prove").await?;
    let sql = "SELECT pg_wal_lsn_diff(confirmed_flush_lsn, '0/0')::int8 FROM pg_replication_slots \
               WHERE slot_name = $1::text::name AND confirmed_flush_lsn IS NOT NULL";
    let found = client.ask_opt(sql, &[&slot]).await;
    let found = found.map_err(|error| postgres::failed("look at the replication slot", error))?;
    Ok(found.map(|row| Lsn(row.get::<_, i64>(0).unsigned_abs())))
}
