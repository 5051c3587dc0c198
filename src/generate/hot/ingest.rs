//! Writes as an ingester does: a transaction for each ledger, over all tables, that of the
//! watermark last.

use std::time::Duration;

use lakefront_operators::error::StoreError;
use lakefront_operators::postgres::{self, Client, Statement, copy_in, quoted, sqlstate};

use super::binary;
use super::course::{Batch, Part};
use super::table::Table;
use crate::cli::OnConflict;

/// How often a transaction is tried that others keep from committing.
const ATTEMPTS: u32 = 20;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// A session that writes.
pub(super) struct Ingest {
    client: Client,
    writers: Vec<Writer>,
    /// The tables in the order in which a transaction writes them.
    order: Vec<usize>,
}

/// How rows get into one table.
struct Writer {
    name: String,
    /// COPY into the table: for rows that are new.
    copy: Statement,
    /// COPY into a temporary table, and from there: for rows that may be there already.
    again: Option<(Statement, Statement)>,
}

impl Ingest {
    /// Prepares to write into `tables`, of which the one at `watermark` comes last. Rows that come
    /// again are written only if `conflict` says how.
    pub(super) async fn new(
        client: Client,
        tables: &[Table],
        watermark: usize,
        conflict: Option<OnConflict>,
    ) -> Result<Ingest, StoreError> {
        let mut writers = Vec::new();
        for (number, table) in tables.iter().enumerate() {
            let failed = |e| postgres::failed(format!("prepare to write into table {:?}", table.name), e);
            let copy = |into: &str| format!("COPY {into} ({}) FROM STDIN (FORMAT binary)", table.listed());
            let again = match conflict {
                Some(conflict) => {
                    let aside = format!("pg_temp.{}", quoted(&format!("lakefront_{number}")));
                    let sql = format!("CREATE TEMPORARY TABLE {aside} (LIKE {}) ON COMMIT DELETE ROWS", table.named);
                    client.batch_execute(&sql).await.map_err(failed)?;
                    let insert = client.prepare(&insert(table, &aside, conflict)).await.map_err(failed)?;
                    Some((client.prepare(&copy(&aside)).await.map_err(failed)?, insert))
                }
                None => None,
            };
            let copy = client.prepare(&copy(&table.named)).await.map_err(failed)?;
            writers.push(Writer { name: table.name.clone(), copy, again });
        }
        let order = (0..tables.len()).filter(|number| *number != watermark).chain([watermark]).collect();
        Ok(Ingest { client, writers, order })
    }

    /// Writes `batch` as one transaction. If others are in its way, it is written again.
    pub(super) async fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut attempts = 1;
        loop {
            let Err(error) = self.attempt(batch).await else { return Ok(()) };
            // A conflict with a DELETE of the flush: one of the two is made again.
            if attempts == ATTEMPTS || !matches!(sqlstate(&error), Some("40001" | "40P01")) {
                return Err(error);
            }
            attempts += 1;
            self.execute("ROLLBACK").await?;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn attempt(&self, batch: &Batch) -> Result<(), StoreError> {
        self.execute("BEGIN").await?;
        for number in &self.order {
            let (writer, part) = (&self.writers[*number], &batch.parts[*number]);
            if part.rows > 0 {
                let written = self.part(writer, part, batch.is_again).await;
                written.map_err(|e| postgres::failed(format!("write rows into table {:?}", writer.name), e))?;
            }
        }
        self.execute("COMMIT").await
    }

    async fn part(&self, writer: &Writer, part: &Part, is_again: bool) -> Result<(), postgres::Error> {
        let rows = binary::stream(&part.bytes);
        match &writer.again {
            Some((aside, insert)) if is_again => {
                copy_in(&self.client, aside, rows).await?;
                self.client.execute(insert, &[]).await?;
            }
            _ => {
                copy_in(&self.client, &writer.copy, rows).await?;
            }
        }
        Ok(())
    }

    async fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.client.batch_execute(sql).await.map_err(|e| postgres::failed(format!("write rows ({sql})"), e))
    }
}

/// The rows of the table `aside`, into `table`. Columns that count by themselves take the rows'
/// values, too.
fn insert(table: &Table, aside: &str, conflict: OnConflict) -> String {
    let (columns, sequence) = (table.listed(), quoted(&table.sequence));
    let otherwise = match conflict {
        // Rows without a key cannot be in each other's way.
        _ if table.key.is_empty() => String::new(),
        OnConflict::Nothing => " ON CONFLICT DO NOTHING".to_owned(),
        OnConflict::Update => {
            let key: Vec<String> = table.key.iter().map(|name| quoted(name)).collect();
            format!(" ON CONFLICT ({}) DO UPDATE SET {sequence} = excluded.{sequence}", key.join(", "))
        }
    };
    format!("INSERT INTO {} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {aside}{otherwise}", table.named)
}
