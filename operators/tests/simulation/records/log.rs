//! The source: a log of numbered records in partitions, written in flushes, which forgets what was
//! acknowledged. Partitions come, and end.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use lakefront_operators::position::Position;
use lakefront_operators::protocol::offsets::{Offsets, PartitionId};
use lakefront_operators::protocol::standing::Standing;

use crate::kind::Groups;
use crate::records::{Left, Next, Records};
use crate::rng::{Rng, mix};
use crate::world::{World, ev};

/// The most partitions that may be written to at once.
const PARTITIONS: usize = 4;

/// How many records before a record the one is whose place it takes.
pub(crate) const REPLACED: u64 = 5;

/// Three tables that are one group, and two that are one beside a third.
const ONE: Groups = &[("lake", &["red", "green", "blue"])];
const TWO: Groups = &[("pair", &["red", "green"]), ("lone", &["blue"])];

/// A partition: the numbers of its records count from zero.
#[derive(Clone, Default)]
pub(crate) struct Partition {
    /// The flush of each record.
    pub(crate) flushes: Vec<usize>,
    /// Records below this number are not there any more.
    pub(crate) forgotten: u64,
    /// Whether no record follows.
    pub(crate) has_ended: bool,
}

/// Records that are written together.
#[derive(Clone)]
pub(crate) struct Flush {
    /// Numbers of records, by partition, in their order.
    pub(crate) ranges: Vec<(u64, Range<u64>)>,
    /// Whether no cut may end inside it.
    pub(crate) is_whole: bool,
    /// Whether a cut must end with it.
    pub(crate) is_forced: bool,
    /// Whether nothing is added to it any more.
    pub(crate) is_done: bool,
}

pub(crate) struct Log {
    pub(crate) partitions: BTreeMap<u64, Partition>,
    /// All flushes there ever were, in order.
    pub(crate) flushes: Vec<Flush>,
    /// Whether a position is a number of records; otherwise it is one of flushes.
    pub(crate) is_sum: bool,
    /// Whether some records take the place of earlier ones.
    pub(crate) has_masks: bool,
    pub(crate) groups: Groups,
    /// Whether the schedule is long, and partitions come and go.
    pub(crate) turnover: bool,
    /// Whether `cold_start` is the end of the log.
    latest: bool,
    /// How many of the flushes are whole, and how many force a boundary.
    whole: f64,
    forced: f64,
}

impl Partition {
    /// The number of the next record.
    pub(crate) fn end(&self) -> u64 {
        self.flushes.len() as u64
    }
}

impl Flush {
    /// How many records it has.
    pub(crate) fn len(&self) -> u64 {
        self.ranges.iter().map(|(_, range)| range.end - range.start).sum()
    }
}

/// What offsets call a partition.
pub(crate) fn id_of(uid: u64) -> PartitionId {
    PartitionId::first(format!("p{uid}"))
}

/// The partition that offsets call so.
pub(crate) fn uid_of(name: &str) -> u64 {
    name.trim_start_matches('p').parse().expect("a simulated name")
}

/// Up to which number `offsets` hold the records of a partition; a retired one is held whole.
pub(crate) fn held_of(offsets: &Offsets<Records>, uid: u64) -> u64 {
    let left = if uid < offsets.retired.before { u64::MAX } else { 0 };
    offsets.partitions.get(&id_of(uid)).map_or(left, |at| at.next)
}

impl Log {
    pub(crate) fn new(rng: &mut Rng) -> Log {
        Log {
            partitions: BTreeMap::new(),
            flushes: Vec::new(),
            is_sum: rng.chance(0.5),
            has_masks: rng.chance(0.5),
            groups: rng.pick(&[ONE, TWO]),
            turnover: rng.chance(0.4),
            latest: rng.chance(0.3),
            whole: rng.pick(&[0.0, 0.5, 1.0]),
            forced: rng.pick(&[0.0, 0.3, 1.0]),
        }
    }

    /// A log that has nothing, for whoever reads another by mistake.
    pub(crate) fn empty(&self) -> Log {
        Log { partitions: BTreeMap::new(), flushes: Vec::new(), ..*self }
    }

    /// Where a run begins that finds no position: at what the log still has, or at its end.
    pub(crate) fn start(&self) -> Offsets<Records> {
        let mut marks: BTreeMap<u64, u64> = BTreeMap::new();
        let mut flushes = 0;
        let is_held = |flush: &Flush| match self.latest {
            true => flush.is_done,
            false => flush.ranges.iter().all(|(uid, range)| range.end <= self.partitions[uid].forgotten),
        };
        for flush in self.flushes.iter().take_while(|flush| is_held(flush)) {
            flushes += 1;
            marks.extend(flush.ranges.iter().map(|(uid, range)| (*uid, range.end)));
        }
        // A flush that is not whole may be forgotten in part.
        for (uid, partition) in self.partitions.iter().filter(|(_, partition)| self.is_sum && partition.forgotten > 0) {
            let mark = marks.entry(*uid).or_default();
            *mark = (*mark).max(partition.forgotten);
        }
        let before = self.partitions.keys().next_back().map_or(0, |newest| newest + 1);
        let retired = Left { records: 0, before, is_sum: self.is_sum };
        let next = |uid: &u64| (id_of(*uid), Next { next: marks.get(uid).copied().unwrap_or_default() });
        let partitions = self.partitions.keys().map(next).collect();
        let position = if self.is_sum { marks.values().sum() } else { flushes };
        Offsets::new(Position(position), partitions, retired)
    }

    /// The record whose place a record takes, if it takes one.
    pub(crate) fn replaced_by(&self, uid: u64, number: u64) -> Option<u64> {
        let takes_one = self.has_masks && mix(uid << 20 | number) & 0x100 == 0;
        number.checked_sub(REPLACED).filter(|_| takes_one)
    }
}

impl World<Records> {
    /// A writer begins a flush, goes on with one, or ends it.
    pub(crate) fn write(&mut self) {
        let is_open = self.source.flushes.last().is_some_and(|flush| !flush.is_done);
        if is_open && self.rng.chance(0.4) {
            return self.end_flush();
        }
        if !is_open {
            let (is_whole, is_forced) = (self.rng.chance(self.source.whole), self.rng.chance(self.source.forced));
            self.source.flushes.push(Flush { ranges: Vec::new(), is_whole, is_forced, is_done: false });
        }
        for _ in 0..self.rng.between(1, 2) {
            self.append();
        }
        if self.rng.chance(0.6) {
            self.end_flush();
        }
    }

    fn append(&mut self) {
        let open = self.source.partitions.iter().filter(|(_, partition)| !partition.has_ended);
        let mut open: Vec<u64> = open.map(|(uid, _)| *uid).collect();
        if open.is_empty() || (open.len() < PARTITIONS && self.rng.chance(0.1)) {
            open = vec![self.id()];
        }
        let (uid, count) = (self.rng.pick(&open), self.rng.between(1, 4));
        let flush = self.source.flushes.len() - 1;
        let partition = self.source.partitions.entry(uid).or_default();
        let range = partition.end()..partition.end() + count;
        partition.flushes.extend(range.clone().map(|_| flush));
        ev!(self, "flush {flush} has {range:?} of p{uid}");
        self.source.flushes[flush].ranges.push((uid, range));
    }

    /// The last flush is done.
    pub(crate) fn end_flush(&mut self) {
        let number = self.source.flushes.len();
        if let Some(flush) = self.source.flushes.last_mut().filter(|flush| !flush.is_done) {
            flush.is_done = true;
            let (whole, forced) = (flush.is_whole, flush.is_forced);
            ev!(self, "flush {} is done, whole: {whole}, forced: {forced}", number - 1);
        }
    }

    /// No more records follow in a partition.
    pub(crate) fn end_partition(&mut self) {
        let open: BTreeSet<u64> = match self.source.flushes.last() {
            Some(flush) if !flush.is_done => flush.ranges.iter().map(|(uid, _)| *uid).collect(),
            _ => BTreeSet::new(),
        };
        let may_end = self.source.partitions.iter().filter(|(uid, p)| !p.has_ended && !open.contains(uid));
        let may_end: Vec<u64> = may_end.map(|(uid, _)| *uid).collect();
        if may_end.is_empty() {
            return;
        }
        let uid = self.rng.pick(&may_end);
        ev!(self, "p{uid} ends at {}", self.source.partitions[&uid].end());
        self.source.partitions.entry(uid).or_default().has_ended = true;
    }

    /// Forgets what is held up to `standing`, whether or not it was told before.
    pub(crate) fn forget(&mut self, standing: &Standing<Records>) {
        for (uid, partition) in &mut self.source.partitions {
            let held = held_of(&standing.offsets, *uid).min(partition.end());
            partition.forgotten = partition.forgotten.max(held);
        }
    }
}
