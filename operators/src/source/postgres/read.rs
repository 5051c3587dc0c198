//! Copies slices, over connections that see their flush's snapshot.

use std::any::Any;
use std::sync::Arc;

use futures::TryStreamExt;
use tokio_postgres::Client;

use super::flush::{Buffer, Flush, Progress};
use super::slices::{SLICE, Slice};
use super::types::Plan;
use crate::error::{Stop, StoreError, chain};
use crate::fetch::{Read, Reader};
use crate::postgres::{self, quoted};
use crate::protocol::Pending;
use crate::run::memory::{Budget, Turn};

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
}

impl Copied {
    /// How the rows of `slice` were copied; none if the flush cannot land any more.
    pub(crate) fn plan(&self, slice: &Slice) -> Option<&Plan> {
        self.flush.as_ref()?.tables.get(slice.table.0).map(|(_, plan)| plan)
    }
}

impl Reader<Slice> for CopyReader {
    type Block = Copied;

    fn read<'a>(&'a self, slice: &'a Slice, budget: &'a Arc<Budget>) -> Pending<'a, Result<Read<Copied>, Stop>> {
        Box::pin(async move {
            let given_up = Read { block: Copied { bytes: Vec::new(), flush: None }, turn: None };
            let Some(flush) = self.0.flush(slice.flush) else { return Ok(given_up) };
            if flush.progress() == Progress::Lost {
                self.0.copied(&flush, false, None);
                return Ok(given_up);
            }
            match self.0.copy(&flush, slice, budget).await {
                Ok((bytes, turn)) => {
                    self.0.copied(&flush, bytes.len() > EMPTY, None);
                    let turn = turn.map(|turn| Box::new(turn) as Box<dyn Any + Send>);
                    Ok(Read { block: Copied { bytes, flush: Some(flush) }, turn })
                }
                // What was copied by then is not committed.
                Err(error) if error.is_transient() => {
                    self.0.copied(&flush, false, Some(&chain(&error)));
                    Ok(given_up)
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
        let reader = self.reader(flush).await?;
        let (table, plan) = &flush.tables[slice.table.0];
        let failed = |e| postgres::failed(format!("copy rows of table {:?}", table.name), e);
        let (leaf, column) = (&table.leaves[slice.leaf], quoted(&table.sequence));
        let mut sql = format!(
            "COPY (SELECT {} FROM ONLY {leaf} WHERE {column} <= {} AND ctid >= '({},0)'::tid",
            plan.select, flush.bound, slice.from
        );
        if let Some(to) = slice.to {
            sql.push_str(&format!(" AND ctid < '({to},0)'::tid"));
        }
        sql.push_str(") TO STDOUT (FORMAT binary)");
        // Not waited for: whoever wants the table for itself waits for the owner's own lock, which
        // the owner gives up only after us.
        let lock = format!("LOCK TABLE ONLY {leaf} IN ACCESS SHARE MODE NOWAIT");
        reader.batch_execute(&lock).await.map_err(failed)?;
        let mut stream = Box::pin(reader.copy_out(&sql).await.map_err(failed)?);
        let mut bytes = Vec::with_capacity(usize::try_from(slice.bytes).unwrap_or_default());
        let mut turn = None;
        while let Some(row) = stream.try_next().await.map_err(failed)? {
            if turn.is_none() && bytes.len() + row.len() > LONG {
                turn = Some(budget.turn().await);
            }
            bytes.extend_from_slice(&row);
        }
        drop(stream);
        flush.readers.lock().await.push(reader);
        Ok((bytes, turn))
    }

    /// A connection that sees the flush's snapshot.
    async fn reader(&self, flush: &Flush) -> Result<Client, StoreError> {
        if let Some(reader) = flush.readers.lock().await.pop() {
            return Ok(reader);
        }
        let client = self.connection().await?;
        let begin =
            format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{}'", flush.snapshot);
        match client.batch_execute(&begin).await {
            Ok(()) => postgres::require_settings(&client).await.map(|()| client),
            // The owner's connection was lost, and its snapshot with it.
            Err(error) if flush.owner.is_closed() => {
                Err(StoreError::transient("see a flush's snapshot", postgres::told(&error)))
            }
            Err(error) => Err(postgres::failed("see a flush's snapshot", error)),
        }
    }
}
