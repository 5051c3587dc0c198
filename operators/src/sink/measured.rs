//! Measures how long the files of a hot table take: encoding them, and making them durable.

use std::sync::Arc;

use arrow_array::RecordBatch;

use super::{Stage, StageWriter};
use crate::error::StoreError;
use crate::protocol::Pending;
use crate::protocol::names::TableId;
use crate::protocol::staged::StagedFile;
use crate::run::clock::Stopwatch;
use crate::run::metrics::FlushMetrics;
use crate::run::metrics::flushes::Work;

/// A stage whose work is counted. Without metrics it only does the work.
pub struct Measured<S> {
    /// What stages.
    pub stage: S,
    /// The table whose files these are.
    pub table: TableId,
    /// Where the time is counted.
    pub metrics: Option<Arc<FlushMetrics>>,
}

impl<S: Stage> Stage for Measured<S> {
    fn begin(&self) -> Result<Box<dyn StageWriter>, StoreError> {
        let writer = self.stage.begin()?;
        Ok(match &self.metrics {
            Some(metrics) => Box::new(Writer { writer, time: Time { table: self.table, metrics: metrics.clone() } }),
            None => writer,
        })
    }
}

struct Writer {
    writer: Box<dyn StageWriter>,
    time: Time,
}

#[derive(Clone)]
struct Time {
    table: TableId,
    metrics: Arc<FlushMetrics>,
}

impl Time {
    fn spent<T>(&self, work: impl FnOnce() -> T) -> T {
        let watch = Stopwatch::start();
        let done = work();
        self.metrics.spent(self.table, Work::Encode, watch.elapsed());
        done
    }
}

impl StageWriter for Writer {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.time.spent(|| self.writer.write(batch))
    }

    fn memory(&self) -> u64 {
        self.writer.memory()
    }

    fn relieve(&mut self) -> Result<(), StoreError> {
        self.time.spent(|| self.writer.relieve())
    }

    fn finish(self: Box<Self>) -> Result<Pending<'static, Result<Vec<StagedFile>, StoreError>>, StoreError> {
        let Writer { writer, time } = *self;
        let durable = time.spent(|| writer.finish())?;
        Ok(Box::pin(async move {
            let watch = Stopwatch::start();
            let files = durable.await;
            time.metrics.spent(time.table, Work::Upload, watch.elapsed());
            files
        }))
    }
}
