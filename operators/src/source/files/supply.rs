//! Hands out files as chunks, up to the last line end that was seen of each (or, on request, the
//! end of a complete last line without newline). Files that the source has finished leave the
//! offsets with a cut, once every table holds all of them.

mod catch_up;
mod restate;
mod retire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::format::logs::lines::{Lines, Mark, Offsets, Standing};
use crate::format::logs::settings::RowSettings;
use crate::position::Position;
use crate::protocol::cutter::{Bounds, Cutter};
use crate::protocol::offsets::PartitionId;
use crate::protocol::supply::{Lost, Supply};
use crate::run::metrics::Lag;
use crate::source::files::chunk::Chunk;
use crate::source::files::identity::Identity;

pub(crate) use self::catch_up::missing;
pub use self::retire::Finished;

/// The cutter of a pipeline over files.
pub type Planner = Cutter<Lines, FileSupply>;
/// What it does next.
pub type Decision = crate::protocol::cutter::Decision<Lines, Chunk>;

impl Planner {
    /// A planner over tables that stand at `standings`, with today's `settings`.
    pub fn new(standings: &[Standing], settings: Arc<RowSettings>, bounds: Bounds) -> Self {
        Cutter::over(FileSupply::new(standings), standings, settings, bounds)
    }
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

/// What is seen of the files, and what of it was handed out.
pub struct FileSupply {
    at: Offsets,
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
    /// Retired and not yet returned by `retired`; the position of the cut that retired each.
    retired: BTreeMap<PartitionId, Position>,
    /// The partitions that are behind the next target of a catch-up.
    lagging: VecDeque<PartitionId>,
    /// What every table's transaction holds.
    acknowledged: Position,
}

impl FileSupply {
    /// Files of which nothing is seen yet, from where the lowest of the tables stands.
    pub fn new(standings: &[Standing]) -> Self {
        let lowest = standings.iter().min_by_key(|standing| standing.position());
        let at = lowest.map(|lowest| (*lowest.offsets).clone()).unwrap_or_default();
        FileSupply {
            acknowledged: at.position(),
            at,
            limits: BTreeMap::new(),
            ready: BTreeSet::new(),
            planned: BTreeMap::new(),
            gone: restate::gone(standings),
            restated: BTreeSet::new(),
            finished: Finished::default(),
            retired: BTreeMap::new(),
            lagging: VecDeque::new(),
        }
    }

    /// How far the source could be planned, from what was seen of it.
    pub fn source_end(&self) -> Position {
        let waiting = self.ready.iter().map(|id| self.limits[id].end.saturating_sub(self.at.at(id)));
        Position(self.at.position().0 + waiting.sum::<u64>())
    }

    /// The partition with the most bytes left to plan.
    pub fn lags_most(&self) -> Option<Lag> {
        let rest = |id: &&PartitionId| self.limits[*id].end.saturating_sub(self.at.at(id));
        let most = self.ready.iter().max_by_key(rest)?;
        Some(Lag { partition: most.clone(), lag: rest(&most) })
    }

    /// Learns how far partitions can be planned.
    pub fn limits(&mut self, seen: impl IntoIterator<Item = (PartitionId, Limit)>) {
        for (id, limit) in seen {
            // This limit predates the retirement; the next look decides.
            if self.retired.contains_key(&id) {
                continue;
            }
            if limit.end > self.at.at(&id) {
                self.ready.insert(id.clone());
            }
            self.note_identity(&id, &limit);
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

    /// How many bytes the next fresh chunk has, if it is all that is left of its file.
    pub fn rest_of_next(&self) -> Option<u64> {
        self.ready.first().map(|id| self.limits[id].end - self.at.at(id))
    }

    fn fresh_chunk(&mut self, most: u64, settings: &Arc<RowSettings>) -> Option<Chunk> {
        let id = self.ready.first()?.clone();
        let limit = self.limits[&id].clone();
        let end = chunk_end(self.at.at(&id), most, &limit, settings.max_line);
        if end == limit.end {
            self.ready.pop_first();
        }
        Some(self.chunk(id, end, limit.end, &limit, settings.clone(), false))
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
        let (identity, gone) = (limit.identity.clone(), self.gone.contains(&id));
        let position = Position(self.at.position().0 + (end - start));
        self.planned.insert(id.clone(), position);
        self.at.partitions.insert(id.clone(), Mark { offset: end, identity: identity.clone(), landed_tail, gone });
        self.at.move_to(position);
        Chunk { partition: id, identity, start, end, limit: readable, line_start, settings, catch_up }
    }
}

impl Supply<Lines> for FileSupply {
    type Work = Chunk;

    fn offsets(&self) -> &Offsets {
        &self.at
    }

    fn next(&mut self, room: u64, settings: &Arc<RowSettings>) -> Option<Chunk> {
        self.fresh_chunk(room, settings)
    }

    fn towards(&mut self, targets: &VecDeque<Standing>, room: u64) -> Result<Option<Chunk>, Lost> {
        self.catch_up_chunk(targets, room)
    }

    fn reach(&mut self, target: &Standing) {
        self.at = (*target.offsets).clone();
        self.lagging.clear();
        let at = &self.at;
        self.ready = self.limits.iter().filter(|(id, limit)| limit.end > at.at(id)).map(|(id, _)| id.clone()).collect();
    }

    fn close(&mut self) {
        self.restate();
        self.retire();
    }

    fn acknowledged(&mut self, position: Position) {
        self.acknowledged = position;
    }

    fn is_exhausted(&self) -> bool {
        self.ready.is_empty()
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
