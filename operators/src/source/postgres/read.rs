//! Copies slices, over connections that see their flush's snapshot.

use std::any::Any;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::blocks::Blocks;
use super::delete::Failed;
use super::flush::{Buffer, Flush, Progress};
use super::slices::{SLICE, Slice};
use super::types::Plan;
use crate::error::{Stop, StoreError, chain};
use crate::fetch::{Read, Reader};
use crate::postgres::{self, CopySession, quoted};
use crate::protocol::Pending;
use crate::run::clock::Stopwatch;
use crate::run::memory::{Budget, Turn};
use crate::run::metrics::flushes::Work;

/// A binary `COPY` without rows: a header of 19 bytes, and two at the end.
const EMPTY: usize = 21;

/// A slice that is longer waits for its turn, in bytes.
const LONG: usize = 2 * SLICE as usize;

/// Copies slices of a buffer.
pub struct CopyReader(pub Arc<Buffer>);

/// A slice that was copied.
pub struct Copied {
    /// What PostgreSQL sent: a whole binary `COPY`; empty if the flush cannot land any more.
    pub bytes: Vec<u8>,
    /// The flush; none if it cannot land any more.
    flush: Option<Arc<Flush>>,
    /// Where the bytes go back to.
    blocks: Arc<Blocks>,
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.blocks.give_back(std::mem::take(&mut self.bytes));
    }
}

impl Copied {
    /// How the rows of `slice` were copied; none if the flush cannot land any more.
    pub(crate) fn plan(&self, slice: &Slice) -> Option<&Plan> {
        self.flush.as_ref()?.tables.get(slice.table.0).map(|(_, plan)| plan)
    }

    /// Counts `rows` of `slice`.
    pub(crate) fn count(&self, slice: &Slice, rows: &RecordBatch) {
        self.flush.iter().for_each(|flush| flush.counts.copied(slice.table, rows));
    }
}

impl Reader<Slice> for CopyReader {
    type Block = Copied;

    fn read<'a>(&'a self, slice: &'a Slice, budget: &'a Arc<Budget>) -> Pending<'a, Result<Read<Copied>, Stop>> {
        Box::pin(async move {
            let copied = |bytes, flush| Copied { bytes, flush, blocks: self.0.blocks.clone() };
            let given_up = || Read { block: copied(Vec::new(), None), turn: None };
            let Some(flush) = self.0.flush(slice.flush) else { return Ok(given_up()) };
            if flush.progress() == Progress::Lost {
                self.0.copied(&flush, false, None);
                return Ok(given_up());
            }
            match self.0.copy(&flush, slice, budget).await {
                Ok((bytes, turn)) => {
                    self.0.copied(&flush, bytes.len() > EMPTY, None);
                    let turn = turn.map(|turn| Box::new(turn) as Box<dyn Any + Send>);
                    Ok(Read { block: copied(bytes, Some(flush)), turn })
                }
                // What was copied by then is not committed.
                Err(error) if error.is_transient() => {
                    self.0.copied(&flush, false, Some(&chain(&error)));
                    Ok(given_up())
                }
                Err(error) => Err(error.into()),
            }
        })
    }
}

impl Buffer {
    /// Copies a slice. Values that are compressed in the table may make it much longer than it was
    /// thought to be: then it waits for its turn, which it keeps until its rows have left memory.
    async fn copy(
        &self,
        flush: &Flush,
        slice: &Slice,
        budget: &Arc<Budget>,
    ) -> Result<(Vec<u8>, Option<Turn>), StoreError> {
        let _copying = self.copying.acquire().await.map_err(|e| StoreError::definite("copy rows", e))?;
        let watch = Stopwatch::start();
        fail::fail_point!("flush-copy", |_| Err(StoreError::transient("copy rows", "a failpoint")));
        let reader = self.reader(flush).await?;
        let (table, plan) = &flush.tables[slice.table.0];
        let failed = |e| postgres::failed(format!("copy rows of table {:?}", table.name), e);
        let leaf = &table.leaves[slice.leaf];
        let rows = flush.rows(slice, &quoted(&table.sequence));
        let sql = format!("COPY (SELECT {} FROM ONLY {leaf} WHERE {rows}) TO STDOUT (FORMAT binary)", plan.select);
        // Not waited for: whoever wants the table for itself waits for the owner's own lock, which
        // the owner gives up only after us.
        let lock = format!("LOCK TABLE ONLY {leaf} IN ACCESS SHARE MODE NOWAIT");
        let mut turn = None;
        let room = async { turn = Some(budget.turn().await) };
        let bytes = self.blocks.take(usize::try_from(slice.bytes).unwrap_or_default());
        // Sent together. Without the lock, the transaction is over, and the copy is refused.
        let (locked, bytes) = tokio::join!(biased; reader.batch_execute(&lock), reader.copy(&sql, bytes, LONG, room));
        locked.map_err(failed)?;
        let bytes = bytes.map_err(failed)?;
        flush.readers.lock().await.push(reader);
        self.metrics.spent(slice.table, Work::Copy, watch.elapsed());
        Ok((bytes, turn))
    }

    /// A connection that sees the flush's snapshot.
    async fn reader(&self, flush: &Flush) -> Result<CopySession, StoreError> {
        if let Some(reader) = flush.readers.lock().await.pop() {
            return Ok(reader);
        }
        let client = self.copy_session().await?;
        let begin =
            format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{}'", flush.snapshot);
        let (begun, is_prepared) =
            tokio::join!(biased; client.batch_execute(&begin), postgres::require_settings(&*client));
        match begun {
            Ok(()) => is_prepared.map(|()| client),
            // The owner's connection was lost, and its snapshot with it.
            Err(error) if flush.owner.is_closed() => {
                Err(StoreError::transient("see a flush's snapshot", postgres::told(&error)))
            }
            // If a DELETE failed, the owner's transaction is over, and its snapshot too.
            Err(error) => Err(match flush.delete().await {
                Err(Failed::Void(why)) => StoreError::transient("see a flush's snapshot", why.clone()),
                Err(Failed::Definite(why)) => StoreError::definite("delete rows that are copied", why.clone()),
                Ok(_) => postgres::failed("see a flush's snapshot", error),
            }),
        }
    }
}

impl Flush {
    /// Which rows of its leaf a slice has, as SQL.
    fn rows(&self, slice: &Slice, column: &str) -> String {
        let (table, from) = (slice.table.0, slice.from);
        if slice.is_listed {
            let places = &self.listed.places[table][slice.leaf];
            let to = slice.to.map_or(places.len(), |to| to as usize);
            let places: Vec<String> = places[from as usize..to].iter().map(|place| format!("{place:?}")).collect();
            return format!("ctid = ANY('{{{}}}'::tid[])", places.join(","));
        }
        let mut rows = format!("{} AND ctid >= '({from},0)'::tid", self.reaches[table].copied(column, self.bound));
        if let Some(to) = slice.to {
            rows.push_str(&format!(" AND ctid < '({to},0)'::tid"));
        }
        rows
    }
}
