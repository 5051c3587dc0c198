//! Lagging tables are brought level over exactly the byte ranges between their offsets, with the
//! settings that were in force there. Where no lagging table lacks a row, nothing need be read.

use std::ops::Range;

use super::{Limit, OpenCut, Planner, Step, chunk_end};
use crate::offsets::PartitionId;
use crate::position::Position;
use crate::protocol::cut::Chunk;
use crate::record::TableId;

impl Planner {
    /// The planner stands where the next table stands: that table takes part from here on.
    pub(super) fn reach_target(&mut self, now_ms: u64, credit: bool) -> Step {
        if self.open.is_some() {
            return self.close(now_ms);
        }
        // The target's offsets may hold more than the ranges did, such as newly learnt identities.
        if let Some(target) = self.catch_up.pop_front() {
            self.at = (*target.offsets).clone();
        }
        if self.catch_up.is_empty() {
            self.levelling = true;
            self.refresh_ready();
            return self.settle();
        }
        self.next(now_ms, credit)
    }

    /// Whether the table that is the next target knows that no table behind it has rows between
    /// here and there. Here, a table must have stood: within a catch-up, positions say nothing.
    pub(super) fn lacks_no_rows(&self) -> bool {
        let Some(target) = self.catch_up.front() else { return false };
        let is_behind = |(_, (stood, _)): &(usize, &(Position, bool))| *stood < target.position();
        let lacks_none = |(table, (_, knew)): (usize, &(Position, bool))| {
            *knew && target.last_rows.of(TableId(table)).is_some_and(|last| last <= self.position)
        };
        self.stood.iter().any(|(stood, _)| *stood == self.position)
            && self.stood.iter().enumerate().filter(is_behind).all(lacks_none)
    }

    /// Moves to the next target without bytes, in the open cut or one of its own.
    pub(super) fn skip_to_target(&mut self, now_ms: u64) {
        let Some(target) = self.catch_up.front() else { return };
        let (lower, settings) = (self.position, target.settings.clone());
        (self.position, self.at) = (target.position(), (*target.offsets).clone());
        self.lagging.clear();
        self.open.get_or_insert(OpenCut { lower, opened_ms: now_ms, settings });
    }

    fn refresh_ready(&mut self) {
        let at = &self.at;
        self.ready = self.limits.iter().filter(|(id, limit)| limit.end > at.at(id)).map(|(id, _)| id.clone()).collect();
    }

    /// The next chunk towards the next target; the error names the bytes that are missing for it.
    pub(super) fn catch_up_chunk(&mut self, most: u64) -> Result<Option<Chunk>, (PartitionId, Range<u64>)> {
        let Some(target) = self.catch_up.front() else { return Ok(None) };
        if self.lagging.is_empty() {
            let behind = target.offsets.partitions.iter().filter(|(id, to)| to.offset > self.at.at(id));
            self.lagging = behind.map(|(id, _)| id.clone()).collect();
        }
        let next = self.lagging.front().and_then(|id| target.offsets.partitions.get_key_value(id));
        let Some((id, to)) = next else { return Ok(None) };
        // If a partition has left by the last target, a file seen under its id may be another.
        let stays = self.catch_up.back().is_some_and(|last| last.offsets.partitions.contains_key(id));
        let seen = self.limits.get(id).filter(|_| stays);
        if stays && seen.is_none() {
            // It may be back by the time of the read, but where its last line ends is not known.
            return Err((id.clone(), self.at.at(id)..to.offset));
        }
        // The last line before the target may go on beyond it: it starts here, so it belongs here.
        let further = self.catch_up.iter().map(|target| target.offsets.at(id)).chain(seen.map(|seen| seen.end));
        let readable = if to.landed_tail { to.offset } else { further.fold(to.offset, u64::max) };
        // A copy of the file is recognised by its first bytes, and has an identity of its own.
        let identity = seen.map_or(&to.identity, |seen| &seen.identity).clone();
        let (id, limit) = (id.clone(), Limit { end: to.offset, identity, landed_tail: to.landed_tail });
        let settings = target.settings.clone();
        let end = chunk_end(self.at.at(&id), most, &limit, settings.max_line);
        if end == limit.end {
            self.lagging.pop_front();
        }
        Ok(Some(self.chunk(id, end, readable, &limit, settings, true)))
    }
}
