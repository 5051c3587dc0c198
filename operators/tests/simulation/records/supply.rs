//! Hands out records, flush by flush. It forces and forbids boundaries where the flushes do, and
//! says what it cannot give again. A partition that has ended leaves the offsets with a cut, once
//! every group holds all of it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use lakefront_operators::position::Position;
use lakefront_operators::protocol::offsets::Offsets;
use lakefront_operators::protocol::standing::Standing;
use lakefront_operators::protocol::supply::{Boundary, Lost, Supply};

use crate::records::log::{Flush, Log, Partition, held_of, id_of, uid_of};
use crate::records::{Next, Records, Routing};

/// Records that one worker turns into rows.
pub(crate) struct Piece {
    /// Numbers of records, by partition.
    pub(crate) ranges: Vec<(u64, Range<u64>)>,
    pub(crate) settings: Arc<Routing>,
    pub(crate) catch_up: bool,
}

/// What is seen of a partition.
struct View {
    end: u64,
    forgotten: u64,
    has_ended: bool,
}

/// What is seen of the log, and what of it was handed out.
pub(crate) struct RecordSupply {
    at: Offsets<Records>,
    /// The flushes and partitions when they were last looked at.
    flushes: Vec<Flush>,
    partitions: BTreeMap<u64, View>,
    /// The flush that is handed out, and how many of its records have been.
    flush: usize,
    begun: u64,
    /// The position after the last record that this run has handed out of each partition.
    planned: BTreeMap<u64, Position>,
    acknowledged: Position,
    /// Whether boundaries are neither forced nor forbidden, for lack of the rule.
    is_lax: bool,
}

impl RecordSupply {
    /// A log of which nothing is seen yet, from where the lowest of the groups stands.
    pub(crate) fn new(standings: &[Standing<Records>], is_lax: bool) -> RecordSupply {
        let lowest = standings.iter().min_by_key(|standing| standing.position()).expect("there is a group");
        RecordSupply {
            at: (*lowest.offsets).clone(),
            flushes: Vec::new(),
            partitions: BTreeMap::new(),
            flush: 0,
            begun: 0,
            planned: BTreeMap::new(),
            acknowledged: lowest.position(),
            is_lax,
        }
    }

    /// Learns what is in the log.
    pub(crate) fn see(&mut self, log: &Log) {
        self.flushes.truncate(self.flushes.len().saturating_sub(1));
        self.flushes.extend(log.flushes[self.flushes.len()..].iter().cloned());
        let view = |(uid, partition): (&u64, &Partition)| {
            let Partition { forgotten, has_ended, .. } = *partition;
            (*uid, View { end: partition.end(), forgotten, has_ended })
        };
        self.partitions = log.partitions.iter().map(view).collect();
        self.find();
    }

    /// Finds the place in the flushes that the offsets mean.
    fn find(&mut self) {
        while let Some(flush) = self.flushes.get(self.flush) {
            let held =
                |(uid, range): &(u64, Range<u64>)| held_of(&self.at, *uid).clamp(range.start, range.end) - range.start;
            self.begun = flush.ranges.iter().map(held).sum();
            if !flush.is_done || self.begun < flush.len() {
                return;
            }
            (self.flush, self.begun) = (self.flush + 1, 0);
        }
    }

    /// The records that come next, if the log has forgotten them.
    pub(crate) fn lost(&self) -> Option<Lost> {
        let (uid, range) = self.rest(u64::MAX).into_iter().next()?;
        let is_gone = self.partitions[&uid].forgotten > range.start;
        is_gone.then(|| Lost::for_good(format!("{range:?} of p{uid}")))
    }

    /// At most `count` of the records of the flush that were not handed out yet.
    fn rest(&self, count: u64) -> Vec<(u64, Range<u64>)> {
        let (mut begun, mut left, mut rest) = (self.begun, count, Vec::new());
        for (uid, range) in self.flushes.get(self.flush).map_or(&[][..], |flush| &flush.ranges) {
            let skipped = begun.min(range.end - range.start);
            let start = range.start + skipped;
            let end = range.end.min(start.saturating_add(left));
            (begun, left) = (begun - skipped, left - (end - start));
            if start < end {
                rest.push((*uid, start..end));
            }
        }
        rest
    }

    /// How far the position can move within the flush.
    fn left(&self) -> u64 {
        match self.flushes.get(self.flush) {
            None => 0,
            Some(flush) if self.at.retired.is_sum => flush.len() - self.begun,
            Some(flush) => u64::from(flush.is_done),
        }
    }

    fn hand_out(&mut self, most: u64, settings: &Arc<Routing>, catch_up: bool) -> Option<Piece> {
        // Where no boundary may be, there may be no room left.
        let step = self.left().min(most.max(1));
        if step == 0 {
            return None;
        }
        let ranges = self.rest(if self.at.retired.is_sum { step } else { u64::MAX });
        let position = Position(self.at.position().0 + step);
        for (uid, range) in &ranges {
            self.at.partitions.insert(id_of(*uid), Next { next: range.end });
            self.planned.insert(*uid, position);
        }
        self.at.move_to(position);
        self.find();
        Some(Piece { ranges, settings: settings.clone(), catch_up })
    }
}

impl Supply<Records> for RecordSupply {
    type Work = Piece;

    fn offsets(&self) -> &Offsets<Records> {
        &self.at
    }

    fn next(&mut self, room: u64, settings: &Arc<Routing>) -> Option<Piece> {
        self.hand_out(room, settings, false)
    }

    fn towards(&mut self, targets: &VecDeque<Standing<Records>>, room: u64) -> Result<Option<Piece>, Lost> {
        let target = targets.front().expect("a group is further");
        let settings = target.settings.clone();
        let left = target.position().since(self.at.position());
        match self.lost() {
            Some(lost) => Err(lost),
            None => Ok(self.hand_out(room.max(1).min(left), &settings, true)),
        }
    }

    fn reach(&mut self, target: &Standing<Records>) {
        self.at = (*target.offsets).clone();
        (self.flush, self.begun) = (0, 0);
        self.find();
    }

    fn boundary(&self) -> Boundary {
        let flush = if self.begun > 0 { Some(self.flush) } else { self.flush.checked_sub(1) };
        match flush.and_then(|flush| self.flushes.get(flush)).filter(|_| !self.is_lax) {
            Some(flush) if self.begun > 0 && flush.is_whole => Boundary::MustNot,
            Some(flush) if self.begun == 0 && flush.is_forced => Boundary::Must,
            _ => Boundary::May,
        }
    }

    /// Partitions leave that have ended, and that every group holds to their end. All others that
    /// were seen are named from then on: one that is not is retired.
    fn close(&mut self) {
        let is_held = |uid: &u64| self.planned.get(uid).is_none_or(|planned| *planned <= self.acknowledged);
        let has_ended = |uid: &u64, at: &Next| {
            self.partitions.get(uid).is_some_and(|partition| partition.has_ended && partition.end == at.next)
        };
        let named = self.at.partitions.iter().map(|(id, at)| (uid_of(&id.name), *at));
        let leaving: Vec<(u64, Next)> = named.filter(|(uid, at)| has_ended(uid, at) && is_held(uid)).collect();
        if leaving.is_empty() {
            return;
        }
        let before = self.at.retired.before;
        for uid in self.partitions.keys().filter(|uid| **uid >= before) {
            self.at.partitions.entry(id_of(*uid)).or_insert(Next { next: 0 });
            self.at.retired.before = uid + 1;
        }
        for (uid, at) in leaving {
            self.at.partitions.remove(&id_of(uid));
            self.at.retired.records += at.next;
        }
    }

    fn acknowledged(&mut self, position: Position) {
        self.acknowledged = position;
    }

    fn is_exhausted(&self) -> bool {
        self.left() == 0
    }
}
