//! A source of records, in memory: partitions of numbers, written flush by flush. It shares no type
//! with logs. A flush lands as one cut, and the log forgets what was acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use lakefront_operators::acknowledge::Acknowledge;
use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::fetch::{Read, Reader};
use lakefront_operators::plan::Feed;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::clock::Stamp;
use lakefront_operators::protocol::document::{Origin, Recorded};
use lakefront_operators::protocol::kind::{Kind, Mark, TooNew};
use lakefront_operators::protocol::neighbours::Reading;
use lakefront_operators::protocol::offsets::{Offsets, PartitionId, Partitions};
use lakefront_operators::protocol::standing::Standing;
use lakefront_operators::protocol::supply::{Boundary, Lost, Supply};
use lakefront_operators::run::memory::Budget;
use lakefront_operators::run::metrics::Lag;
use lakefront_operators::work::Work;
use serde::{Deserialize, Serialize};

/// Numbered records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records;

/// The number of a partition's next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Next {
    next: u64,
}

impl Mark for Next {
    fn precedes(&self, later: &Next) -> bool {
        self.next <= later.next
    }
}

impl Kind for Records {
    const NAME: &'static str = "records";
    type Mark = Next;
    type Retired = ();
    /// The version of the rules by which records become rows.
    type Settings = u32;

    fn sum(partitions: &Partitions<Next>, _retired: &()) -> Option<Position> {
        Some(Position(partitions.values().map(|at| at.next).sum()))
    }

    fn adds_up(lower: &Offsets<Records>, higher: &Offsets<Records>) -> bool {
        lower.partitions.keys().all(|id| higher.partitions.contains_key(id))
    }

    fn check(settings: &u32) -> Result<(), TooNew> {
        if *settings <= 1 { Ok(()) } else { Err(TooNew { version: *settings, known: 1 }) }
    }
}

/// Some records of one partition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    partition: PartitionId,
    pub(crate) numbers: Range<u64>,
}

impl Work for Piece {
    fn partition(&self) -> &PartitionId {
        &self.partition
    }

    fn moves(&self) -> u64 {
        self.numbers.end - self.numbers.start
    }

    fn bytes(&self) -> u64 {
        8 * self.moves()
    }
}

/// The records that belong together, by partition.
type Flush = BTreeMap<PartitionId, Range<u64>>;

/// The log, as its clients share it.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    partitions: BTreeMap<PartitionId, Vec<i64>>,
    /// Those that are not forgotten.
    flushes: Vec<Flush>,
    /// Where each flush ended, as a position.
    ends: Vec<u64>,
    forgotten: BTreeMap<PartitionId, u64>,
    /// How often it was told what to forget.
    told: u32,
}

impl Log {
    fn with<R>(&self, act: impl FnOnce(&mut Content) -> R) -> R {
        act(&mut self.0.lock().expect("no thread panicked"))
    }

    /// Writes `values` to each of the partitions, as one flush.
    pub(crate) fn flush(&self, of: &[(&str, Range<i64>)]) {
        self.with(|log| {
            let mut flush = Flush::new();
            for (name, values) in of {
                let id = PartitionId::first(*name);
                let records = log.partitions.entry(id.clone()).or_default();
                let from = records.len() as u64;
                records.extend(values.clone());
                flush.insert(id, from..records.len() as u64);
            }
            let records: u64 = flush.values().map(|range| range.end - range.start).sum();
            log.ends.push(log.ends.last().copied().unwrap_or_default() + records);
            log.flushes.push(flush);
        });
    }

    /// The positions at which flushes end.
    pub(crate) fn ends(&self) -> Vec<u64> {
        self.with(|log| log.ends.clone())
    }

    /// How many records were forgotten.
    pub(crate) fn forgotten(&self) -> u64 {
        self.with(|log| log.forgotten.values().sum())
    }
}

impl Acknowledge<Records> for Log {
    /// The first reply of three is lost, after the log has done as it was told.
    fn acknowledge<'a>(&'a self, standing: &'a Standing<Records>) -> Pending<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.with(|log| {
                for (id, at) in &standing.offsets.partitions {
                    let forgotten = log.forgotten.entry(id.clone()).or_default();
                    *forgotten = at.next.max(*forgotten);
                }
                let Content { flushes, forgotten, .. } = log;
                let lives =
                    |(id, range): (&PartitionId, &Range<u64>)| forgotten.get(id).is_none_or(|at| *at < range.end);
                flushes.retain(|flush| flush.iter().any(lives));
                log.told += 1;
                match log.told % 3 {
                    1 => Err(StoreError::transient("tell the log what to forget", "no reply")),
                    _ => Ok(()),
                }
            })
        })
    }
}

impl Reader<Piece> for Log {
    type Block = Vec<i64>;

    fn read<'a>(&'a self, work: &'a Piece, _budget: &'a Arc<Budget>) -> Pending<'a, Result<Read<Vec<i64>>, Stop>> {
        Box::pin(async move {
            self.with(|log| {
                let Piece { partition, numbers } = work;
                if log.forgotten.get(partition).is_some_and(|forgotten| *forgotten > numbers.start) {
                    return Err(Stop::Refused(format!("{numbers:?} of {partition} are forgotten")));
                }
                let block = log.partitions[partition][numbers.start as usize..numbers.end as usize].to_vec();
                Ok(Read { block, turn: None })
            })
        })
    }
}

impl Reading<Records> for Log {
    fn source(&self) -> &str {
        "log:memory"
    }

    fn root(&self) -> &str {
        self.source()
    }

    fn continues(&self, origin: &Origin) -> Result<(), String> {
        if origin.source == self.source() { Ok(()) } else { Err(String::new()) }
    }

    fn shared<'a>(&'a self, others: &'a [Recorded<Records>]) -> Pending<'a, Result<Vec<Option<String>>, Stop>> {
        Box::pin(async move { Ok(others.iter().map(|_| Some(self.source().to_owned())).collect()) })
    }
}

/// Hands out the flushes, none of which may be divided between cuts.
pub(crate) struct FlushSupply {
    at: Offsets<Records>,
    flushes: Vec<Flush>,
}

impl FlushSupply {
    /// A log of which nothing was seen yet, from `at` on.
    pub(crate) fn new(at: Offsets<Records>) -> FlushSupply {
        FlushSupply { at, flushes: Vec::new() }
    }

    fn next_of(&self, id: &PartitionId) -> u64 {
        self.at.partitions.get(id).map_or(0, |at| at.next)
    }

    /// What is left of the first flush that is not handed out whole, and whether it was begun.
    fn rest(&self) -> Option<(PartitionId, Range<u64>, bool)> {
        let is_done = |(id, range): (&PartitionId, &Range<u64>)| self.next_of(id) >= range.end;
        let flush = self.flushes.iter().find(|flush| !flush.iter().all(is_done))?;
        let (id, range) = flush.iter().find(|(id, range)| self.next_of(id) < range.end)?;
        let begun = flush.iter().any(|(id, range)| self.next_of(id) > range.start);
        Some((id.clone(), self.next_of(id)..range.end, begun))
    }
}

impl Supply<Records> for FlushSupply {
    type Work = Piece;

    fn offsets(&self) -> &Offsets<Records> {
        &self.at
    }

    fn next(&mut self, room: u64, _settings: &Arc<u32>) -> Option<Piece> {
        let (partition, rest, _) = self.rest()?;
        // There may be no room left where no cut may end.
        let numbers = rest.start..rest.end.min(rest.start.saturating_add(room.max(1)));
        let position = Position(self.at.position().0 + (numbers.end - numbers.start));
        self.at.partitions.insert(partition.clone(), Next { next: numbers.end });
        self.at.move_to(position);
        Some(Piece { partition, numbers })
    }

    fn towards(&mut self, _: &VecDeque<Standing<Records>>, _: u64) -> Result<Option<Piece>, Lost> {
        Err(Lost::for_good("records that were acknowledged".to_owned()))
    }

    fn reach(&mut self, target: &Standing<Records>) {
        self.at = (*target.offsets).clone();
    }

    fn boundary(&self) -> Boundary {
        match self.rest() {
            Some((_, _, true)) => Boundary::MustNot,
            _ => Boundary::Must,
        }
    }

    fn close(&mut self) {}

    fn acknowledged(&mut self, _position: Position) {}

    fn is_exhausted(&self) -> bool {
        self.rest().is_none()
    }
}

/// Looks for flushes.
pub(crate) struct FlushFeed;

impl Feed<Records> for FlushFeed {
    type Work = Piece;
    type Supply = FlushSupply;
    type Watch = Log;
    type Found = Vec<Flush>;

    fn look(watch: &mut Log) -> Pending<'_, Result<Vec<Flush>, Stop>> {
        Box::pin(async move { Ok(watch.with(|log| log.flushes.clone())) })
    }

    fn found(&mut self, _: &mut Log, found: Vec<Flush>, supply: &mut FlushSupply, _: Stamp) -> bool {
        supply.flushes = found;
        false
    }

    fn end(supply: &FlushSupply) -> Position {
        let ranges = supply.flushes.iter().flatten();
        let rest = ranges.map(|(id, range)| range.end.saturating_sub(supply.next_of(id).max(range.start)));
        Position(supply.at.position().0 + rest.sum::<u64>())
    }

    fn lags_most(_supply: &FlushSupply) -> Option<Lag> {
        None
    }
}
