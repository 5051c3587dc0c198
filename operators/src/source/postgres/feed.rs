//! Hands out flushes: one begins when it is due and the one before has ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::flush::{Buffer, Flush, Last};
use super::kind::{Flushes, Watermark};
use super::settings::Schedule;
use super::slices::Slice;
use crate::error::{Stop, StoreError, chain};
use crate::plan::{self, Feed};
use crate::position::Position;
use crate::protocol::Pending;
use crate::protocol::clock::Stamp;
use crate::protocol::offsets::{Offsets, PartitionId};
use crate::protocol::standing::Standing;
use crate::protocol::supply::{Boundary, Lost, Supply};
use crate::run::fatal::StopRequest;
use crate::run::metrics::Lag;
use crate::run::metrics::flushes::Void;

/// What worker 0 needs to plan flushes.
pub type Planning = plan::Planning<Flushes, FlushFeed>;

/// The pause after a flush that could not be made; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Between two flushes, hot rows are counted this often.
const COUNT: Duration = Duration::from_secs(5);
/// A run stops after this many flushes in a row that could not be made.
const ATTEMPTS: u32 = 20;

/// Looks for rows that wait.
pub struct Watch {
    buffer: Arc<Buffer>,
    schedule: Schedule,
    /// The number of the last flush.
    number: u64,
    begun: Option<Instant>,
    failures: u32,
    /// The request to end, after one last flush.
    closing: StopRequest,
    /// Whether that was begun.
    is_last: bool,
    /// Ends the dataflow.
    end: StopRequest,
    /// The vacuum that was begun last.
    vacuuming: Option<JoinHandle<()>>,
}

impl Watch {
    /// Flushes after `number`. Once `closing` is requested, one more is made, and then `end` is
    /// requested.
    pub fn new(
        buffer: Arc<Buffer>,
        schedule: Schedule,
        number: Position,
        closing: StopRequest,
        end: StopRequest,
    ) -> Watch {
        let number = number.0;
        Watch { buffer, schedule, number, begun: None, failures: 0, closing, is_last: false, end, vacuuming: None }
    }

    /// The next flush; `None` if the run has nothing more to do.
    async fn next(&mut self) -> Result<Option<Arc<Flush>>, Stop> {
        loop {
            let last = self.buffer.last().await;
            if self.buffer.vacuum_is_due() {
                self.vacuum().await;
            }
            // For those who watch. If it fails, the flush says why, which does not wait for it
            // long.
            let _ = timeout(COUNT, self.buffer.count_hot()).await;
            match last {
                Last::Void(why) => self.failed(StoreError::transient("finish a flush", why)).await?,
                Last::Landed { more: true } => self.succeeded(),
                Last::Landed { more: false } if !self.is_last && !self.schedule.once => {
                    self.succeeded();
                    self.wait().await;
                }
                Last::Landed { .. } => return Ok(self.ended().await),
                Last::None => {}
            }
            if self.closing.is_requested() && std::mem::replace(&mut self.is_last, true) && self.failures == 0 {
                return Ok(self.ended().await);
            }
            self.begun = Some(Instant::now());
            self.buffer.metrics.due_in(None);
            match self.buffer.begin_flush(self.number + 1).await {
                Ok(Some(flush)) => {
                    self.number += 1;
                    return Ok(Some(flush));
                }
                Ok(None) if self.schedule.once || self.is_last => return Ok(self.ended().await),
                Ok(None) => {
                    self.succeeded();
                    self.wait().await;
                }
                Err(Stop::Store(error)) => {
                    self.buffer.metrics.void(Void::NotBegun);
                    self.failed(error).await?;
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    fn succeeded(&mut self) {
        self.failures = 0;
        self.buffer.metrics.succeeded();
    }

    /// Begins a vacuum, beside the flushes to come, once the one before is done.
    async fn vacuum(&mut self) {
        self.vacuumed().await;
        let buffer = self.buffer.clone();
        self.vacuuming = Some(tokio::spawn(async move { buffer.vacuum().await }));
    }

    /// Waits for the vacuum that was begun last, unless the run is to end.
    async fn vacuumed(&mut self) {
        let Some(mut vacuuming) = self.vacuuming.take() else { return };
        tokio::select! {
            _ = &mut vacuuming => {}
            () = self.closing.requested() => vacuuming.abort(),
        }
    }

    async fn ended(&mut self) -> Option<Arc<Flush>> {
        self.buffer.metrics.succeeded();
        self.vacuumed().await;
        if self.is_last {
            self.end.request();
        }
        None
    }

    /// Waits until the next flush is due, or the run is to end.
    async fn wait(&self) {
        if self.schedule.once {
            return;
        }
        let due = self.begun.map_or_else(Instant::now, |begun| begun + self.schedule.interval);
        self.buffer.metrics.due_in(Some(due.saturating_duration_since(Instant::now())));
        tokio::select! {
            () = self.look_on(due) => {}
            () = self.closing.requested() => {}
        }
    }

    /// Counts what waits until the next flush is due. That the tables cannot be looked at is told
    /// before a flush meets it.
    async fn look_on(&self, due: Instant) {
        while Instant::now() + COUNT < due {
            sleep(COUNT).await;
            match timeout_at(due, self.buffer.count_hot()).await {
                Ok(Ok(())) => self.buffer.metrics.succeeded(),
                Ok(Err(error)) => self.buffer.metrics.failed("a look at the hot tables", chain(&error)),
                Err(_) => {}
            }
        }
        sleep_until(due).await;
    }

    /// Pauses after a flush that could not be made, or ends the run if that goes on.
    async fn failed(&mut self, error: StoreError) -> Result<(), Stop> {
        self.failures += 1;
        self.buffer.metrics.failed("a flush", chain(&error));
        if !error.is_transient() || self.failures >= ATTEMPTS {
            return Err(error.into());
        }
        tracing::warn!(error = %chain(&error), attempt = self.failures, "trying again");
        sleep((PAUSE_MIN * (1 << self.failures.min(16))).min(PAUSE_MAX)).await;
        Ok(())
    }
}

/// Hands out the slices of one flush after the other, none of which is divided between cuts.
pub struct FlushSupply {
    at: Offsets<Flushes>,
    slices: VecDeque<Slice>,
    /// What the flush moves when its first slice goes.
    moves: Vec<(PartitionId, Watermark)>,
    is_begun: bool,
}

impl FlushSupply {
    /// Flushes after those in `at`.
    pub fn new(at: Offsets<Flushes>) -> FlushSupply {
        FlushSupply { at, slices: VecDeque::new(), moves: Vec::new(), is_begun: false }
    }

    /// Takes the `slices` of a flush, which has begun once the one before had ended. It moves the
    /// tables to `ends`, from the watermarks that have `landed`.
    pub fn take<'e>(
        &mut self,
        slices: Vec<Slice>,
        ends: impl Iterator<Item = (&'e str, Watermark)>,
        landed: &BTreeMap<String, i64>,
    ) {
        debug_assert!(self.slices.is_empty(), "a flush begins after the one before");
        // What a void flush has moved has not landed, and the next may go less far.
        self.at.partitions.retain(|id, at| {
            let landed = landed.get(&id.name);
            at.watermark = landed.map_or(at.watermark, |landed| at.watermark.min(*landed));
            landed.is_some()
        });
        self.slices = slices.into();
        self.moves = ends.map(|(table, end)| (PartitionId::first(table), end)).collect();
        self.is_begun = false;
    }
}

impl Supply<Flushes> for FlushSupply {
    type Work = Slice;

    fn offsets(&self) -> &Offsets<Flushes> {
        &self.at
    }

    fn next(&mut self, _room: u64, _settings: &Arc<u32>) -> Option<Slice> {
        let slice = self.slices.pop_front()?;
        if !std::mem::replace(&mut self.is_begun, true) {
            for (id, to) in self.moves.drain(..) {
                let at = self.at.partitions.entry(id).or_insert(to);
                *at = Watermark { watermark: at.watermark.max(to.watermark), ..to };
            }
            self.at.move_to(Position(slice.flush));
        }
        Some(slice)
    }

    fn towards(&mut self, _: &VecDeque<Standing<Flushes>>, _: u64) -> Result<Option<Slice>, Lost> {
        Err(Lost::for_good("rows that were deleted from PostgreSQL".to_owned()))
    }

    fn reach(&mut self, target: &Standing<Flushes>) {
        self.at = (*target.offsets).clone();
    }

    fn boundary(&self) -> Boundary {
        match self.is_begun && !self.slices.is_empty() {
            true => Boundary::MustNot,
            false => Boundary::Must,
        }
    }

    fn close(&mut self) {}

    fn acknowledged(&mut self, _position: Position) {}

    fn is_exhausted(&self) -> bool {
        self.slices.is_empty()
    }
}

/// Looks for flushes.
pub struct FlushFeed;

impl Feed<Flushes> for FlushFeed {
    type Work = Slice;
    type Supply = FlushSupply;
    type Watch = Watch;
    type Found = Option<Arc<Flush>>;

    fn look(watch: &mut Watch) -> Pending<'_, Result<Option<Arc<Flush>>, Stop>> {
        Box::pin(watch.next())
    }

    fn found(&mut self, _: &mut Watch, found: Option<Arc<Flush>>, supply: &mut FlushSupply, _: Stamp) -> bool {
        // Only the look after a flush tells whether it has landed, and whether more waits.
        found.inspect(|flush| supply.take(flush.slices.clone(), flush.ends(), &flush.landed)).is_some()
    }

    fn end(supply: &FlushSupply) -> Position {
        Position(supply.at.position().0 + u64::from(!supply.slices.is_empty() && !supply.is_begun))
    }

    fn lags_most(_supply: &FlushSupply) -> Option<Lag> {
        None
    }
}
