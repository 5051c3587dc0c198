//! PostgreSQL's side: one snapshot, and the rows that it sees.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::pin;

use arrow_array::RecordBatch;
use futures::TryStreamExt;
use tokio_postgres::{Client, Error};

use super::columns::Plan;
use super::{Subject, Table, judge};
use crate::error::{Stop, StoreError};
use crate::postgres::{self, Ask, Location, quoted};
use crate::prove::Proof;
use crate::sink::delta;
use crate::source::postgres::columns_of_tables;

/// What a binary COPY begins with: the signature, no flags, and no extension.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
const TRAILER: &[u8; 2] = &(-1_i16).to_be_bytes();
/// Bytes that are decoded at a time.
const AT_A_TIME: usize = 4 << 20;
/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// A place in PostgreSQL's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lsn(pub(super) u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & u64::from(u32::MAX))
    }
}

/// A snapshot, which lasts as long as this does.
pub(super) struct Snapshot {
    client: Client,
    /// What is committed in it is before this place in the log.
    pub(super) lsn: Lsn,
}

impl Snapshot {
    /// Takes one.
    pub(super) async fn take(location: &Location) -> Result<Snapshot, StoreError> {
        let client = postgres::connect(location, "lakefront prove").await?;
        let failed = |error| postgres::failed("take a snapshot of PostgreSQL", error);
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(failed)?;
        // The first statement takes it, before it asks for the place.
        let sql = "SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
                   ELSE pg_current_wal_insert_lsn() END, '0/0')::int8";
        let lsn: i64 = client.ask_one(sql, &[]).await.map_err(failed)?.get(0);
        Ok(Snapshot { client, lsn: Lsn(lsn.unsigned_abs()) })
    }

    /// How each of `tables` is compared; `None` for one that PostgreSQL does not have.
    pub(super) async fn plans(&self, tables: &[Table<'_>], pipeline: &str) -> Result<Vec<Option<Plan>>, Stop> {
        let names: Vec<(&str, &str)> =
            tables.iter().map(|table| table.spec.name.split_once('.').unwrap_or_default()).collect();
        let columns = columns_of_tables(&self.client, &names).await?;
        let mut plans = Vec::new();
        for ((table, columns), (schema, relation)) in tables.iter().zip(columns).zip(names) {
            let Some(columns) = columns else {
                plans.push(None);
                continue;
            };
            let fields = delta::read(&table.spec.place, pipeline).await?.and_then(|there| there.columns());
            let fields = fields.unwrap_or_else(|| table.spec.schema.fields().clone());
            let relation = format!("{}.{}", quoted(schema), quoted(relation));
            plans.push(Some(Plan::new(relation, &columns, &fields, table.key)));
        }
        Ok(plans)
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

    /// The proofs of tables that are captured and have rows, and that the lake does not have.
    pub(super) async fn lacking(&self, subject: &Subject<'_>) -> Result<Vec<Proof>, StoreError> {
        let failed = |error| postgres::failed("look at the publication's tables", error);
        let sql = "SELECT schemaname::text, tablename::text FROM pg_publication_tables WHERE pubname = $1::text::name \
                   ORDER BY 1, 2";
        let published = self.client.ask(sql, &[&subject.publication]).await.map_err(failed)?;
        let known: BTreeSet<&str> = subject.tables.iter().map(|table| &*table.spec.name).collect();
        let mut lacking = Vec::new();
        for row in &published {
            let (schema, relation): (&str, &str) = (row.get(0), row.get(1));
            let name = format!("{schema}.{relation}");
            if known.contains(&*name) || !(subject.is_wanted)(&name) {
                continue;
            }
            let sql = format!("SELECT count(*) FROM {}.{}", quoted(schema), quoted(relation));
            let rows: i64 = self.client.ask_one(&sql, &[]).await.map_err(failed)?.get(0);
            if rows > 0 {
                lacking.push(judge::lacking(name, rows.unsigned_abs(), self.lsn));
            }
        }
        Ok(lacking)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_the_log_look_like_postgresqls() {
        assert_eq!(Lsn(0x16_B374_D848).to_string(), "16/B374D848");
        assert_eq!(Lsn(0x0A).to_string(), "0/A");
    }
}
