//! Hands out topics as ranges of offsets, partition by partition in turn, each up to where it may
//! be read. Says what is lost: a range that is not there any more is never skipped by itself.

mod gone;
mod steps;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::kind::{Mark, Offsets, Settings, Standing, Topics, name_of, place_of, summed};
use super::range::Range;
use super::sizes::Sizes;
use super::transactions::Step;
use crate::kafka::failure::Loss;
use crate::position::Position;
use crate::protocol::kind::Kind;
use crate::protocol::offsets::PartitionId;
use crate::protocol::supply::{Boundary, Lost, Supply};
use crate::run::metrics::Lag;

/// For how long a partition may be gone, or end before what was read of it, in milliseconds: a new
/// leader does not know at once how far it may be read, and a new broker not which topics there
/// are.
const SHORT: u64 = 60_000;

/// A range has room for so many times what is expected of it, because records differ.
const ROOM: u64 = 2;
/// The offsets of a range of a partition whose records nobody has seen: they may be far larger than
/// expected.
const UNKNOWN: u64 = 256;
/// The least room of a range, in bytes.
const LEAST: u64 = 64 << 10;

/// How far a partition may be read, as a look has found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The topic.
    pub topic: String,
    /// The number of the partition.
    pub partition: i32,
    /// The id of the topic; empty if the cluster gives none.
    pub topic_id: String,
    /// Whether the partition has a leader. Without one, nobody knows how far it may be read.
    pub has_leader: bool,
    /// The first offset that is there.
    pub earliest: u64,
    /// The offset up to which it may be read: its end, or where the first open transaction begins.
    pub end: u64,
}

/// What becomes of records that are lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLoss {
    /// The run stops: a person decides.
    #[default]
    Stop,
    /// What retention has taken is handed out as ranges that are lost, and reading goes on behind
    /// them. Of a topic that is gone, or was created anew, nothing more is handed out, and a
    /// warning says so; the new one is read from its beginning, as the next generation of its
    /// partitions.
    /// Only what lagging tables lack of such a topic is handed out, as lost.
    ///
    /// A partition that ends before what was read of it stops the run all the same: its new records
    /// have offsets that were read.
    Accept,
}

/// The offsets of a range of what belongs together, where a cut should have ended before.
const TOGETHER: u64 = 16_384;

/// What is known of a partition.
#[derive(Clone, Debug)]
struct Known {
    /// The first offset that is to be read.
    begin: u64,
    topic_id: String,
    /// What the last look has found; `None` before the first.
    limit: Option<Limit>,
    /// Since when it ends before what was read of it, on the steady clock.
    short_since_ms: Option<u64>,
    /// Since when it is not there, on the same clock.
    gone_since_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Limit {
    earliest: u64,
    end: u64,
}

/// What is left of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// How many offsets it has.
    pub offsets: u64,
    /// Room for its records, in bytes.
    pub bytes: u64,
}

/// The room of a range of which so many bytes are expected.
fn room_for(expected: u64) -> u64 {
    expected.saturating_mul(ROOM).max(LEAST)
}

/// What is seen of the topics, and what of it was handed out.
pub struct TopicSupply {
    at: Offsets,
    known: BTreeMap<PartitionId, Known>,
    /// Where partitions are not read further, because a table stands still there.
    held: BTreeMap<PartitionId, u64>,
    /// How far partitions may be handed out before a cut may end, step by step; `None` if it may
    /// end anywhere.
    steps: Option<VecDeque<Step>>,
    /// Whether a part of the first step was handed out, and not all of it.
    in_step: bool,
    /// Whether a part of what leads to the next target was.
    is_levelling: bool,
    /// Partitions with offsets to hand out.
    ready: BTreeSet<PartitionId>,
    /// The partition of the last range, so that each has its turn.
    last: Option<PartitionId>,
    /// Where the last range that this run has handed out of each partition ends.
    handed: BTreeMap<PartitionId, u64>,
    sizes: Arc<Sizes>,
    /// About how many bytes a range may have.
    most: u64,
    on_loss: OnLoss,
    /// About how many bytes a cut may have, and how many were handed out since the last one ended.
    most_of_cut: u64,
    of_cut: u64,
    /// What was handed out and is not acknowledged: up to which position, and about how many bytes.
    under_way: VecDeque<(Position, u64)>,
    /// Topics whose end was reported.
    gone: BTreeSet<String>,
    /// Whether some group lagged at the start.
    has_lag: bool,
    /// When the last look was, on the steady clock.
    seen_ms: u64,
}

impl TopicSupply {
    /// Topics of which nothing is seen yet, from where the lowest of the groups stands, in ranges
    /// whose records are expected to have at most `most` bytes. Each takes room for twice as many.
    pub fn new(standings: &[Standing], sizes: Arc<Sizes>, most: u64, on_loss: OnLoss) -> TopicSupply {
        let lowest = standings.iter().min_by_key(|standing| standing.position());
        let at = lowest.map(|lowest| (*lowest.offsets).clone()).unwrap_or_default();
        let mut known = BTreeMap::new();
        for (id, mark) in standings.iter().flat_map(|standing| &standing.offsets.partitions) {
            let Mark { begin, topic_id, .. } = mark.clone();
            known.entry(id.clone()).or_insert(Known {
                begin,
                topic_id,
                limit: None,
                short_since_ms: None,
                gone_since_ms: None,
            });
        }
        let has_lag = standings.iter().any(|standing| standing.position() > at.position());
        let (ready, handed, gone) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        TopicSupply {
            at,
            known,
            held: BTreeMap::new(),
            steps: None,
            in_step: false,
            is_levelling: false,
            ready,
            last: None,
            handed,
            sizes,
            most,
            on_loss,
            most_of_cut: u64::MAX,
            of_cut: 0,
            under_way: VecDeque::new(),
            gone,
            has_lag,
            seen_ms: 0,
        }
    }

    /// The same, whose cuts end after about so many bytes of records. No more than two of them are
    /// under way, because their changes wait in memory until a cut is complete.
    pub fn closing_after(self, bytes: u64) -> TopicSupply {
        TopicSupply { most_of_cut: bytes, ..self }
    }

    /// The same, reading these partitions up to an offset and no further: what is behind it counts
    /// as not there. One that was read further already goes on.
    pub fn holding(mut self, mut held: BTreeMap<PartitionId, u64>) -> TopicSupply {
        held.retain(|id, offset| self.next_of(id) <= *offset);
        self.held = held;
        self
    }

    /// Learns what a look has found at `now_ms` on the steady clock. Returns what is lost, if that
    /// is not accepted.
    pub fn see(&mut self, sights: Vec<Sight>, now_ms: u64) -> Vec<(PartitionId, Loss)> {
        self.seen_ms = now_ms;
        let (mut losses, ended) = self.vanished(&sights, now_ms);
        for (topic, left) in ended {
            self.tell_end(topic, left);
        }
        for sight in sights {
            self.gone.remove(&sight.topic);
            if !sight.has_leader {
                self.without_leader(&sight, now_ms);
            } else if let Err(loss) = self.see_one(sight, now_ms) {
                losses.push(loss);
            }
        }
        self.find_ready();
        // What is left of it may be gone.
        self.in_step &= !self.is_done();
        losses
    }

    fn see_one(&mut self, sight: Sight, now_ms: u64) -> Result<(), (PartitionId, Loss)> {
        let Sight { topic, partition, topic_id, earliest, end, .. } = sight;
        let name = name_of(&topic, partition);
        let mut id = self.newest(&name).unwrap_or_else(|| PartitionId::first(name));
        // Where one of them has no id, that says nothing.
        let is_another =
            |known: &Known| ![&known.topic_id, &topic_id].iter().any(|id| id.is_empty()) && known.topic_id != topic_id;
        if self.known.get(&id).is_some_and(is_another) {
            let wanted = self.next_of(&id);
            if self.on_loss == OnLoss::Stop {
                let was = self.known[&id].topic_id.clone();
                return Err((id, Loss::Recreated { wanted, was, is: topic_id }));
            }
            tracing::warn!(
                topic,
                partition,
                wanted,
                "the topic was created anew: its records are read from the beginning, and what was left of the old one is lost"
            );
            if let Some(old) = self.known.get_mut(&id) {
                old.limit = None;
            }
            // How far the old one could be read says nothing of the new one.
            for step in self.steps.iter_mut().flatten() {
                step.remove(&id.name);
            }
            id.generation += 1;
        }
        let fresh = Known {
            begin: earliest,
            topic_id: topic_id.clone(),
            limit: None,
            short_since_ms: None,
            gone_since_ms: None,
        };
        let known = self.known.entry(id.clone()).or_insert(fresh);
        known.limit = Some(Limit { earliest, end });
        known.gone_since_ms = None;
        // What held it is lost.
        if self.held.get(&id).is_some_and(|held| *held < earliest) {
            self.held.remove(&id);
        }
        if known.topic_id.is_empty() {
            known.topic_id = topic_id;
        }
        let next = self.at.partitions.get(&id).map_or(known.begin, |mark| mark.next);
        let is_short = end < next;
        known.short_since_ms = is_short.then(|| known.short_since_ms.unwrap_or(now_ms));
        match known.short_since_ms {
            Some(since) if now_ms.saturating_sub(since) >= SHORT => Err((id, Loss::Truncated { wanted: next, end })),
            _ if earliest > next && self.on_loss == OnLoss::Stop => Err((id, Loss::Passed { wanted: next, earliest })),
            _ => Ok(()),
        }
    }

    /// Whether another look must tell: some partition ends before what was read of it, or before
    /// what belongs together, or lagging tables may lack something of one that is not there.
    pub fn is_short(&self) -> bool {
        let waits = self.ready.is_empty() && !self.is_done();
        waits
            || self
                .known
                .iter()
                .any(|(id, known)| known.short_since_ms.is_some() || (self.has_lag && self.may_come(id, known)))
    }

    /// How far the topics could be handed out, from what was seen of them.
    pub fn end(&self) -> Position {
        Position(self.at.position().0 + self.known.keys().map(|id| self.left_of(id)).sum::<u64>())
    }

    /// The partition with the most offsets left to hand out.
    pub fn lags_most(&self) -> Option<Lag> {
        let most = self.known.keys().max_by_key(|id| self.left_of(id))?;
        let lag = self.left_of(most);
        (lag > 0).then(|| Lag { partition: most.clone(), lag })
    }

    /// What the next range takes, if it is all that is left of its partition.
    pub fn rest_of_next(&self) -> Option<Rest> {
        let id = self.turn()?;
        let offsets = self.rest_of(id);
        let expected = offsets.saturating_mul(self.sizes.of(&id.name));
        (expected <= self.most).then_some(Rest { offsets, bytes: room_for(expected) })
    }

    /// The newest generation of this name.
    fn newest(&self, name: &str) -> Option<PartitionId> {
        let first = PartitionId::first(name);
        let last = PartitionId { name: name.to_owned(), generation: u32::MAX };
        self.known.range(first..=last).next_back().map(|(id, _)| id.clone())
    }

    /// The offset that is handed out next of a partition.
    fn next_of(&self, id: &PartitionId) -> u64 {
        let begin = || self.known.get(id).map_or(0, |known| known.begin);
        self.at.partitions.get(id).map_or_else(begin, |mark| mark.next)
    }

    /// How many offsets there are to hand out, whether or not they may be yet.
    fn left_of(&self, id: &PartitionId) -> u64 {
        let end = self.known.get(id).and_then(|known| known.limit).map_or(0, |limit| limit.end);
        let held = self.held.get(id).copied().unwrap_or(u64::MAX);
        end.min(held).saturating_sub(self.next_of(id))
    }

    /// How many may be handed out.
    fn rest_of(&self, id: &PartitionId) -> u64 {
        match &self.steps {
            None => self.left_of(id),
            Some(steps) => steps.front().map_or(0, |step| self.left_to(id, step)),
        }
    }

    fn find_ready(&mut self) {
        self.ready = self.known.keys().filter(|id| self.rest_of(id) > 0).cloned().collect();
    }

    /// The partition whose turn it is.
    fn turn(&self) -> Option<&PartitionId> {
        let after = self.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut behind = self.ready.range((after, Bound::Unbounded));
        behind.next().or_else(|| self.ready.first())
    }

    /// How many offsets of a partition may go at once.
    fn most_offsets(&self, id: &PartitionId, room: u64) -> u64 {
        let most = room.min(self.most / self.sizes.of(&id.name)).max(1);
        if self.sizes.knows(&id.name) { most } else { most.min(UNKNOWN) }
    }

    /// Hands out a partition from where it stands, up to `to` at most.
    fn range(&mut self, id: PartitionId, to: u64, room: u64, settings: Arc<Settings>, catch_up: bool) -> Range {
        let (from, known) = (self.next_of(&id), &self.known[&id]);
        let earliest = known.limit.map_or(0, |limit| limit.earliest);
        let is_gone = self.is_gone(&id);
        // Unless that is accepted, a range is read as if all of it were there, and the read fails.
        let is_lost = (is_gone || earliest > from) && self.on_loss == OnLoss::Accept;
        let most = if is_lost { room.max(1) } else { self.most_offsets(&id, room) };
        let to = if is_lost && !is_gone { earliest.min(to) } else { to }.min(from.saturating_add(most));
        let expected = (to - from).saturating_mul(self.sizes.of(&id.name));
        let bytes = if is_lost { 0 } else { room_for(expected) };
        let (begin, topic_id) = (known.begin, known.topic_id.clone());
        let position = Position(self.at.position().0 + (to - from));
        // Nothing is read of what is lost.
        let before = if is_lost { self.handed.remove(&id) } else { self.handed.insert(id.clone(), to) };
        let follows = before == Some(from) && !is_lost;
        self.at.partitions.insert(id.clone(), Mark { next: to, begin, topic_id: topic_id.clone() });
        self.at.move_to(position);
        Range { partition: id, topic_id, from, to, bytes, follows, is_lost, settings, catch_up }
    }
}

impl Supply<Topics> for TopicSupply {
    type Work = Range;

    fn offsets(&self) -> &Offsets {
        &self.at
    }

    fn next(&mut self, room: u64, settings: &Arc<Settings>) -> Option<Range> {
        self.step_on();
        // What belongs together goes, however much it is.
        let room = if self.in_step { room.max(TOGETHER) } else { room };
        let id = self.turn()?.clone();
        let end = self.next_of(&id) + self.rest_of(&id);
        let range = self.range(id.clone(), end, room, settings.clone(), false);
        let bytes = range.bytes / ROOM;
        self.of_cut = self.of_cut.saturating_add(bytes);
        self.under_way.push_back((self.at.position(), bytes));
        if range.to == end {
            self.ready.remove(&id);
        }
        self.in_step = !self.is_done();
        self.last = Some(id);
        Some(range)
    }

    fn towards(&mut self, targets: &VecDeque<Standing>, room: u64) -> Result<Option<Range>, Lost> {
        let Some(target) = targets.front() else { return Ok(None) };
        let behind = target.offsets.partitions.iter().find(|(id, mark)| mark.next > self.next_of(id));
        let Some((id, to)) = behind.map(|(id, mark)| (id.clone(), mark.next)) else { return Ok(None) };
        if self.known.get(&id).is_some_and(|known| self.may_come(&id, known)) {
            return Ok(None);
        }
        let (from, limit) = (self.next_of(&id), self.known.get(&id).and_then(|known| known.limit));
        // That it ends before `to` may pass, as [`Self::see`] finds out.
        if self.on_loss == OnLoss::Stop && (self.is_gone(&id) || limit.is_none_or(|limit| limit.earliest > from)) {
            let there = match limit {
                Some(limit) if !self.is_gone(&id) => {
                    format!("the topic has those from {} to {}", limit.earliest, limit.end)
                }
                _ => "the topic is gone".to_owned(),
            };
            return Err(Lost::for_good(format!("records {from} to {to} of {id}, and {there}")));
        }
        // Where cuts end between transactions, that is at the target, and not before.
        let room = if self.steps.is_some() { room.max(TOGETHER) } else { room };
        let range = self.range(id, to, room, target.settings.clone(), true);
        self.is_levelling = self.steps.is_some() && self.at.position() < target.position();
        Ok(Some(range))
    }

    fn reach(&mut self, target: &Standing) {
        self.is_levelling = false;
        self.at = (*target.offsets).clone();
        self.find_ready();
    }

    fn boundary(&self) -> Boundary {
        match () {
            () if self.in_step || self.is_levelling => Boundary::MustNot,
            () if self.of_cut >= self.most_of_cut => Boundary::Must,
            () => Boundary::May,
        }
    }

    fn is_full(&self) -> bool {
        let bytes: u64 = self.under_way.iter().map(|(_, bytes)| bytes).sum();
        bytes >= self.most_of_cut.saturating_mul(2)
    }

    /// Every partition that was seen is named from then on, also if nothing was read of it: what
    /// retention takes of it later is then known to be lost.
    fn close(&mut self) {
        self.of_cut = 0;
        let seen =
            self.known.iter().filter(|(id, known)| known.limit.is_some() && !self.at.partitions.contains_key(*id));
        let named: Vec<_> = seen
            .map(|(id, known)| {
                let Known { begin, topic_id, .. } = known.clone();
                (id.clone(), Mark { next: begin, begin, topic_id })
            })
            .collect();
        self.at.partitions.extend(named);
    }

    fn acknowledged(&mut self, position: Position) {
        let done = self.under_way.partition_point(|(upper, _)| *upper <= position);
        self.under_way.drain(..done);
    }

    fn is_exhausted(&self) -> bool {
        self.ready.is_empty() && self.is_done() && self.steps.as_ref().is_none_or(|steps| steps.len() < 2)
    }
}

/// Where a pipeline begins that has no position: with what is there, or behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColdStart {
    /// At the first record that each partition still has.
    #[default]
    Earliest,
    /// Behind the last record that each partition has now. Topics and partitions that come later
    /// are read from their beginning.
    Latest,
}

impl ColdStart {
    /// The offsets to begin with, from what a look has found.
    pub fn offsets(self, sights: &[Sight]) -> Offsets {
        let mark = |sight: &Sight| {
            let begin = if self == ColdStart::Latest { sight.end } else { sight.earliest };
            let id = PartitionId::first(name_of(&sight.topic, sight.partition));
            (id, Mark { next: begin, begin, topic_id: sight.topic_id.clone() })
        };
        let offsets = summed(sights.iter().map(mark).collect());
        debug_assert_eq!(Topics::sum(&offsets.partitions, &()), Some(Position(0)));
        offsets
    }
}

#[cfg(test)]
mod tests;
