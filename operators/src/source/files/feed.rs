//! Feeds `plan` with what a [`Watcher`] finds of files: how far each can be read, which are
//! finished, which are gone. It warns of what may be missed, and keeps the age of what it hands
//! out.

use std::sync::Arc;

use crate::error::Stop;
use crate::format::logs::lines::Lines;
use crate::plan::{self, Feed};
use crate::position::Position;
use crate::protocol::Pending;
use crate::protocol::clock::Stamp;
use crate::protocol::offsets::PartitionId;
use crate::run::metrics::{Lag, Metrics};
use crate::shown::one_line;
use crate::source::files::appends::Appends;
use crate::source::files::chunk::Chunk;
use crate::source::files::supply::FileSupply;
use crate::source::files::waiting::Waiting;
use crate::source::files::watch::{Polled, Watcher};
use crate::work::Work;

/// What worker 0 needs to plan files.
pub type Planning = plan::Planning<Lines, FileFeed>;

/// Feeds a [`FileSupply`].
pub struct FileFeed {
    metrics: Arc<Metrics>,
    /// Whether the source is followed until the run is asked to stop.
    is_tail: bool,
    appends: Appends,
    waiting: Waiting,
}

impl FileFeed {
    /// A feed of which nothing is handed out yet.
    pub fn new(metrics: Arc<Metrics>, is_tail: bool) -> FileFeed {
        FileFeed { metrics, is_tail, appends: Appends::default(), waiting: Waiting::default() }
    }

    /// Reports the last lines that have no newline.
    fn tell_unfinished(&mut self, watch: &Watcher, now: Stamp) {
        if self.is_tail {
            for (partition, bytes) in self.waiting.seen(watch.unfinished(), now.steady_ms) {
                warn_unfinished(&partition, bytes, "the last line has no newline: it lands once that is written");
            }
        } else {
            for (partition, bytes) in watch.unfinished() {
                warn_unfinished(partition, bytes, "the last line has no newline: it is left in the source");
            }
        }
    }
}

impl Feed<Lines> for FileFeed {
    type Work = Chunk;
    type Supply = FileSupply;
    type Watch = Watcher;
    type Found = Polled;

    fn look(watch: &mut Watcher) -> Pending<'_, Result<Polled, Stop>> {
        Box::pin(watch.poll())
    }

    fn found(&mut self, watch: &mut Watcher, found: Polled, supply: &mut FileSupply, now: Stamp) -> bool {
        let Polled { limits, appended, finished, gone, passed_over, again } = found;
        gone.iter().for_each(|id| warn_gone(id, supply.gone(id)));
        supply.limits(limits);
        self.metrics.passed_over(passed_over);
        appended.into_iter().for_each(|append| self.appends.found(append, now));
        finished.into_iter().for_each(|finished| supply.finished(finished));
        let (retired, before_ms) = supply.retired();
        watch.forget(&retired, before_ms);
        // A backfill that looks again reports these after its last look.
        if self.is_tail || !again {
            self.tell_unfinished(watch, now);
        }
        again
    }

    fn end(supply: &FileSupply) -> Position {
        supply.source_end()
    }

    fn lags_most(supply: &FileSupply) -> Option<Lag> {
        supply.lags_most()
    }

    /// A position counts bytes, so the `room` is that of memory too.
    fn is_small(supply: &FileSupply, room: u64, _bytes: u64) -> bool {
        supply.rest_of_next().is_some_and(|rest| rest <= room)
    }

    fn handed_out(&mut self, work: &Chunk) -> Option<u64> {
        self.appends.handed_out(work)
    }
}

impl Work for Chunk {
    fn partition(&self) -> &PartitionId {
        &self.partition
    }

    fn moves(&self) -> u64 {
        self.len()
    }

    fn bytes(&self) -> u64 {
        self.len()
    }
}

/// The name is escaped, because a file's name must not control somebody's terminal.
fn warn_unfinished(partition: &PartitionId, bytes: u64, what: &'static str) {
    let partition = partition.to_string();
    let partition = one_line(&partition);
    tracing::warn!(%partition, bytes, "{what}");
}

/// The partition's file was deleted or replaced, with `bytes` to read.
fn warn_gone(partition: &PartitionId, bytes: u64) {
    if bytes > 0 {
        let partition = partition.to_string();
        let partition = partition.escape_debug();
        tracing::warn!(%partition, bytes, "the file was deleted, or replaced, before these bytes were read: their lines are lost");
    }
}
