//! Hands out the source as chunks and closes cuts. Decisions only: it reads nothing and waits for
//! nothing.
//!
//! - First it brings lagging tables level, by *catch-up cuts* over exactly the byte ranges between
//!   their offsets, with the settings that were in force there. Where the tables are known to lack
//!   no rows, the cut has no bytes. Planning goes on only when every table's transaction stands
//!   level.
//! - It never plans beyond the last line end that was seen (or, on request, the end of a complete
//!   last line without newline).
//! - Partitions that the source has finished leave the offsets with a cut, once every table holds
//!   all of them.
//! - What is planned but not durable stays within `ahead`. At that bound the planner closes the
//!   open cut and settles the tables, because an open cut can never become durable.

mod catch_up;
mod restate;
mod retire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::metrics::Lag;
use crate::offsets::{Identity, Offsets, PartitionId, PartitionOffset};
use crate::position::Position;
use crate::protocol::cut::{Chunk, Control, Cut};
use crate::protocol::document::Standing;
use crate::settings::RowSettings;

pub use self::retire::Finished;

/// Tables that got no rows are settled after this many cuts.
const SETTLE_CUTS: u32 = 4;
/// They are also settled this long after the first unsettled cut was closed, in milliseconds.
const SETTLE_MS: u64 = 30_000;

/// How much the planner hands out.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// A chunk's maximum length, in bytes.
    pub chunk: u64,
    /// A cut's maximum length, in bytes.
    pub cut_bytes: u64,
    /// A cut is closed this long after its first chunk, in milliseconds.
    pub cut_ms: u64,
    /// The most that is planned but not durable, in bytes.
    pub ahead: u64,
}

/// How far a partition can be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The byte after the last line end seen.
    pub end: u64,
    /// Which file this is.
    pub identity: Identity,
    /// `end` is not a line end: a last line without newline is to be landed.
    pub landed_tail: bool,
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Hand this chunk to a worker, at the time of the open cut.
    Chunk(Chunk),
    /// Send this to every table, then advance the time to the planner's position.
    Tell(Control),
    /// Wait for a credit, a newer limit, a newer durable position, or this time (milliseconds on
    /// the steady clock).
    Wait(Option<u64>),
    /// Everything is planned, and every table was asked to settle.
    Done,
    /// A lagging table needs these bytes, and the source does not have them any more.
    Lost {
        /// The piece of the source.
        partition: PartitionId,
        /// The bytes.
        range: Range<u64>,
    },
}

struct OpenCut {
    lower: Position,
    opened_ms: u64,
    settings: Arc<RowSettings>,
}

/// The one planner of a pipeline.
pub struct Planner {
    bounds: Bounds,
    settings: Arc<RowSettings>,
    /// From where today's settings are in force: the position of the furthest table, or earlier if
    /// that table has them already.
    since: Position,
    at: Offsets,
    position: Position,
    limits: BTreeMap<PartitionId, Limit>,
    /// Partitions with bytes to plan, so that a thousand finished ones cost nothing.
    ready: BTreeSet<PartitionId>,
    /// The position after the last chunk that this run planned of each partition.
    planned: BTreeMap<PartitionId, Position>,
    /// Partitions whose file is gone.
    gone: BTreeSet<PartitionId>,
    /// Partitions of which something other than the offset has changed.
    restated: BTreeSet<PartitionId>,
    /// What the source reports as finished.
    finished: Finished,
    /// Retired and not yet returned by `left`; the position of the cut that retired each.
    left: BTreeMap<PartitionId, Position>,
    open: Option<OpenCut>,
    /// Where each table stood at the start, in claim order, and whether it knew where rows end.
    stood: Vec<(Position, bool)>,
    catch_up: VecDeque<Standing>,
    /// The partitions in which the planner is behind the next target.
    lagging: VecDeque<PartitionId>,
    levelling: bool,
    durable: Position,
    settled: Position,
    unsettled_cuts: u32,
    unsettled_since_ms: u64,
    finishing: bool,
}

impl Planner {
    /// A planner over tables that stand at `standings`, with today's `settings`.
    pub fn new(standings: &[Standing], settings: Arc<RowSettings>, bounds: Bounds) -> Self {
        let mut order: Vec<&Standing> = standings.iter().collect();
        order.sort_by_key(|s| s.position());
        order.dedup_by_key(|s| s.position());
        let since = match order.last() {
            Some(last) if last.settings == settings => last.since,
            last => last.map(|s| s.position()).unwrap_or_default(),
        };
        let mut order = order.into_iter().cloned();
        let lowest = order.next();
        let at = lowest.map(|s| (*s.offsets).clone()).unwrap_or_default();
        let position = at.position();
        Planner {
            bounds,
            settings,
            since,
            position,
            at,
            limits: BTreeMap::new(),
            ready: BTreeSet::new(),
            planned: BTreeMap::new(),
            gone: restate::gone(standings),
            restated: BTreeSet::new(),
            finished: Finished::default(),
            left: BTreeMap::new(),
            open: None,
            stood: standings.iter().map(|s| (s.position(), !s.last_rows.is_unknown())).collect(),
            catch_up: order.collect(),
            lagging: VecDeque::new(),
            levelling: false,
            durable: position,
            settled: position,
            unsettled_cuts: 0,
            unsettled_since_ms: 0,
            finishing: false,
        }
    }

    /// How far the source is planned.
    pub fn position(&self) -> Position {
        self.position
    }

    /// How far the source could be planned, from what was seen of it.
    pub fn source_end(&self) -> Position {
        let waiting = self.ready.iter().map(|id| self.limits[id].end.saturating_sub(self.at.at(id)));
        Position(self.position.0 + waiting.sum::<u64>())
    }

    /// The partition with the most bytes left to plan.
    pub fn lags_most(&self) -> Option<Lag> {
        let left = |id: &&PartitionId| self.limits[*id].end.saturating_sub(self.at.at(id));
        let most = self.ready.iter().max_by_key(left)?;
        Some(Lag { partition: most.clone(), bytes: left(&most) })
    }

    /// The time of data that is handed out now: the open cut's lower bound.
    pub fn time(&self) -> Position {
        self.open.as_ref().map_or(self.position, |open| open.lower)
    }

    /// The offsets up to which each partition is planned.
    pub fn offsets(&self) -> &Offsets {
        &self.at
    }

    /// Learns how far partitions can be planned.
    pub fn limits(&mut self, seen: impl IntoIterator<Item = (PartitionId, Limit)>) {
        for (id, limit) in seen {
            // This limit predates the retirement; the next look decides.
            if self.left.contains_key(&id) {
                continue;
            }
            if limit.end > self.at.at(&id) {
                self.ready.insert(id.clone());
            } else {
                self.note_identity(&id, &limit);
            }
            self.limits.insert(id, limit);
        }
    }

    /// Learns that nothing more can be read of a partition, because its file was deleted or
    /// replaced. Returns how many bytes were left to plan.
    pub fn gone(&mut self, id: &PartitionId) -> u64 {
        self.note_gone(id);
        self.ready.remove(id);
        let limit = self.limits.remove(id);
        limit.map_or(0, |limit| limit.end.saturating_sub(self.at.at(id)))
    }

    /// Learns the position that every table's transaction holds.
    pub fn durable(&mut self, position: Position) {
        self.durable = self.durable.max(position);
    }

    /// No new chunk is handed out from now on; the open cut is closed and settled.
    pub fn finish(&mut self) {
        self.finishing = true;
    }

    /// Whether all bytes up to the limits have been handed out.
    pub fn is_exhausted(&self) -> bool {
        let level = !self.levelling || self.durable >= self.position;
        self.catch_up.is_empty() && level && self.ready.is_empty()
    }

    /// What to do next, at `now_ms` on the steady clock. `credit` is whether a worker can take a
    /// chunk.
    pub fn next(&mut self, now_ms: u64, credit: bool) -> Step {
        if self.finishing {
            return self.wind_up(now_ms);
        }
        if self.levelling {
            if self.durable < self.position {
                return Step::Wait(None);
            }
            self.levelling = false;
        }
        if self.catch_up.front().is_some_and(|target| target.position() == self.position) {
            return self.reach_target(now_ms, credit);
        }
        if self.lacks_no_rows() {
            self.skip_to_target(now_ms);
            return self.reach_target(now_ms, credit);
        }
        let open_bytes = self.position.since(self.time());
        let catching_up = !self.catch_up.is_empty();
        if open_bytes >= self.bounds.cut_bytes || self.open_expired(now_ms) {
            return self.close(now_ms);
        }
        if self.settle_due(now_ms) {
            return self.settle();
        }
        let room = self.bounds.ahead.saturating_sub(self.position.since(self.durable));
        if room == 0 {
            return self.relieve(now_ms);
        }
        let most = self.bounds.chunk.min(self.bounds.cut_bytes - open_bytes).min(room);
        let chunk = match credit {
            false => None,
            true if catching_up => match self.catch_up_chunk(most) {
                Ok(chunk) => chunk,
                Err((partition, range)) => return Step::Lost { partition, range },
            },
            true => self.fresh_chunk(most),
        };
        match chunk {
            Some(chunk) => self.hand_out(chunk, now_ms),
            None => Step::Wait(self.alarm()),
        }
    }

    /// Whether the next fresh chunk is all that is left of its partition, and together with `bytes`
    /// is no longer than a chunk may be.
    pub fn completes_a_chunk_of(&self, bytes: u64) -> bool {
        let left = self.ready.first().map(|id| self.limits[id].end - self.at.at(id));
        !self.finishing && self.catch_up.is_empty() && left.is_some_and(|left| bytes + left <= self.bounds.chunk)
    }

    /// Shutdown: close the open cut, settle, and end. An interrupted catch-up goes on in the next
    /// run.
    fn wind_up(&mut self, now_ms: u64) -> Step {
        if self.open.is_some() {
            return self.close(now_ms);
        }
        if self.settled < self.position {
            return self.settle();
        }
        Step::Done
    }

    /// At the `ahead` bound: nothing becomes durable until the cut closes and every table moves.
    fn relieve(&mut self, now_ms: u64) -> Step {
        if self.open.is_some() {
            return self.close(now_ms);
        }
        if self.settled < self.position {
            return self.settle();
        }
        Step::Wait(None)
    }

    fn close(&mut self, now_ms: u64) -> Step {
        let open = self.open.take().expect("only an open cut is closed");
        let (offsets, between) = match self.catch_up.front() {
            Some(target) if target.position() == self.position => {
                (target.offsets.clone(), target.last_rows.is_unknown())
            }
            Some(_) => (Arc::new(self.at.clone()), true),
            None => {
                self.restate();
                self.retire();
                (Arc::new(self.at.clone()), false)
            }
        };
        if self.unsettled_cuts == 0 {
            self.unsettled_since_ms = now_ms;
        }
        self.unsettled_cuts += 1;
        // A cut never spans targets: in a catch-up, the open cut leads to the front one.
        let since = self.catch_up.front().map_or(self.since, |target| target.since);
        let (lower, upper) = (open.lower, self.position);
        Step::Tell(Control::Cut(Cut { lower, upper, offsets, settings: open.settings, since, between }))
    }

    fn settle(&mut self) -> Step {
        debug_assert!(self.open.is_none(), "an open cut cannot be settled");
        self.settled = self.position;
        self.unsettled_cuts = 0;
        Step::Tell(Control::Settle(self.position))
    }

    fn settle_due(&self, now_ms: u64) -> bool {
        let aged = now_ms.saturating_sub(self.unsettled_since_ms) >= SETTLE_MS;
        self.open.is_none() && (self.unsettled_cuts >= SETTLE_CUTS || (self.unsettled_cuts > 0 && aged))
    }

    fn open_expired(&self, now_ms: u64) -> bool {
        self.open.as_ref().is_some_and(|open| now_ms.saturating_sub(open.opened_ms) >= self.bounds.cut_ms)
    }

    fn alarm(&self) -> Option<u64> {
        let close = self.open.as_ref().map(|open| open.opened_ms + self.bounds.cut_ms);
        // An open cut is closed first; a settle that is due then is seen at once.
        let settle = (self.open.is_none() && self.unsettled_cuts > 0).then(|| self.unsettled_since_ms + SETTLE_MS);
        close.into_iter().chain(settle).min()
    }

    fn fresh_chunk(&mut self, most: u64) -> Option<Chunk> {
        let id = self.ready.first()?.clone();
        let limit = self.limits[&id].clone();
        let end = chunk_end(self.at.at(&id), most, &limit, self.settings.max_line);
        if end == limit.end {
            self.ready.pop_first();
        }
        let settings = self.settings.clone();
        Some(self.chunk(id, end, limit.end, &limit, settings, false))
    }

    /// Cuts a chunk of `id` up to `end` and moves the planned offsets there.
    fn chunk(
        &mut self,
        id: PartitionId,
        end: u64,
        readable: u64,
        limit: &Limit,
        settings: Arc<RowSettings>,
        catch_up: bool,
    ) -> Chunk {
        let before = self.at.partitions.get(&id);
        let start = before.map_or(0, |p| p.offset);
        let line_start = before.is_none_or(|p| p.offset == 0 || p.landed_tail);
        let landed_tail = limit.landed_tail && end == limit.end;
        let identity = limit.identity.clone();
        self.position = Position(self.position.0 + (end - start));
        self.planned.insert(id.clone(), self.position);
        self.at
            .partitions
            .insert(id.clone(), PartitionOffset { offset: end, identity: identity.clone(), landed_tail, gone: false });
        Chunk { partition: id, identity, start, end, limit: readable, line_start, settings, catch_up }
    }

    fn hand_out(&mut self, chunk: Chunk, now_ms: u64) -> Step {
        if self.open.is_none() {
            let lower = Position(self.position.0 - chunk.len());
            self.open = Some(OpenCut { lower, opened_ms: now_ms, settings: chunk.settings.clone() });
        }
        Step::Chunk(chunk)
    }
}

/// Where a chunk of at most `most` bytes ends. A last line without newline is never divided between
/// two chunks, because a cut could end there, and the next run could not tell that line from one
/// that goes on. Such a line is no longer than `max_line`.
fn chunk_end(start: u64, most: u64, limit: &Limit, max_line: u64) -> u64 {
    let end = limit.end.min(start + most);
    if limit.landed_tail && limit.end - end < max_line { limit.end } else { end }
}

#[cfg(test)]
mod tests;
