//! Reads ahead, so that no cut parts a transaction of PostgreSQL: what is planned must be known to
//! be whole before it is handed out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kind::{self, Offsets, name_of};
use super::range::Range;
use super::reader::TopicReader;
use super::records::{Borrowed, Records};
use super::supply::Sight;
use super::topics::Topics;
use super::transactions::{Change, Said, Step, Transactions};
use crate::error::Stop;
use crate::fetch::Reader;
use crate::format::debezium::{Decoded, Decoder, Operation, Part, Status, Texts};
use crate::protocol::clock::Clock;
use crate::protocol::offsets::PartitionId;
use crate::run::memory::Budget;

/// Offsets of one range.
const RANGE: u64 = 16_384;
/// How many steps make a cut, about.
const STEPS: u64 = 4;
/// How many cuts one look finds, about: a tail pauses between two looks.
const LOOKS: u64 = 4;
/// The pause of a look that finds that enough waits, in milliseconds.
const PAUSE: u64 = 200;
/// For how long an end may not come before that is reported, in milliseconds.
const QUIET: u64 = 60_000;

/// How a scout goes.
pub struct Ahead {
    /// The topics of tables begin with it, as that of the ends of transactions does.
    pub prefix: String,
    /// Whether it goes no further than what was there at its first look.
    pub is_backfill: bool,
    /// Offsets of one cut, about.
    pub most: u64,
    /// Bytes that one range has room for.
    pub room: u64,
}

/// Reads ahead.
pub struct Scout {
    reader: TopicReader,
    budget: Arc<Budget>,
    settings: Arc<kind::Settings>,
    clock: Arc<dyn Clock>,
    ahead: Ahead,
    /// Where it begins.
    begin: Arc<Offsets>,
    known: Transactions,
    /// The topics' ids by partition, as they were at the last look.
    ids: BTreeMap<String, String>,
    /// Up to where a backfill goes, by partition.
    ends: Option<BTreeMap<String, u64>>,
    /// Since when no end was missing, on the steady clock.
    quiet_since_ms: u64,
    decoder: Decoder,
    texts: Texts,
}

/// What a scout has found.
#[derive(Default)]
pub struct Scouted {
    /// How far partitions may be handed out next.
    pub(super) steps: Vec<Step>,
    /// Whether there is more to look at.
    pub(super) is_behind: bool,
}

impl Scout {
    /// A scout that begins where the furthest table stands.
    pub fn new(
        (reader, budget): (TopicReader, Arc<Budget>),
        (topics, begin): (Topics, Arc<Offsets>),
        settings: Arc<kind::Settings>,
        clock: Arc<dyn Clock>,
        ahead: Ahead,
    ) -> Scout {
        let known = Transactions::of(topics, &ahead.prefix);
        let (ids, ends, decoder, texts) = Default::default();
        let quiet_since_ms = clock.steady_ms();
        Scout { reader, budget, settings, clock, ahead, begin, known, ids, ends, quiet_since_ms, decoder, texts }
    }

    /// Looks at what the sights show, but not if so much waits that was found before.
    pub(super) async fn look(&mut self, sights: &[Sight], waiting: u64) -> Result<Scouted, Stop> {
        if waiting >= LOOKS * self.ahead.most {
            self.clock.pause(PAUSE).await;
            return Ok(Scouted { steps: Vec::new(), is_behind: true });
        }
        self.known.begins();
        let ends = sights.iter().map(|sight| (name_of(&sight.topic, sight.partition), sight.end)).collect();
        if self.ahead.is_backfill && self.ends.is_none() {
            self.ends = Some(ends);
        }
        let (all, mut has_all) = (LOOKS * self.ahead.most, sights.iter().all(|sight| sight.has_leader));
        let mut left = all;
        for sight in sights.iter().filter(|sight| sight.has_leader) {
            let name = name_of(&sight.topic, sight.partition);
            if self.ids.insert(name.clone(), sight.topic_id.clone()).is_some_and(|id| id != sight.topic_id) {
                self.known.forget(&name);
            }
            let begin = self.begin_of(&name, sight);
            let end = self.ends.as_ref().map_or(sight.end, |ends| ends.get(&name).map_or(0, |end| sight.end.min(*end)));
            let next = self.known.next(&name, begin, sight.earliest);
            // Each has its turn, however far behind another one is.
            let to = end.min(next + left.min(all / sights.len() as u64).max(RANGE));
            left = left.saturating_sub(to.saturating_sub(next));
            has_all &= to >= end;
            self.read(sight, &name, next..to).await?;
        }
        let steps = self.known.steps(has_all, self.clock.steady_ms(), self.ahead.most / STEPS);
        let is_behind = !has_all || !steps.is_empty() || self.known.may_give();
        self.tell(!steps.is_empty());
        Ok(Scouted { steps, is_behind })
    }

    /// Reports from time to time that records wait, if no end comes.
    fn tell(&mut self, has_step: bool) {
        let now_ms = self.clock.steady_ms();
        let (records, without_end) = (self.known.waiting(), self.known.without_end());
        let Some(transaction) = without_end.filter(|_| !has_step && records > 0) else {
            self.quiet_since_ms = now_ms;
            return;
        };
        if now_ms.saturating_sub(self.quiet_since_ms) >= QUIET {
            self.quiet_since_ms = now_ms;
            tracing::warn!(
                transaction,
                records,
                "records wait for the end of their transaction, which has not come: is the connector up?"
            );
        }
    }

    fn begin_of(&self, name: &str, sight: &Sight) -> u64 {
        let mut marks = self.begin.partitions.iter().filter(|(id, _)| id.name == name);
        let mark = marks.rfind(|(_, mark)| mark.topic_id.is_empty() || mark.topic_id == sight.topic_id);
        mark.map_or(sight.earliest, |(_, mark)| mark.next)
    }

    async fn read(&mut self, sight: &Sight, name: &str, offsets: std::ops::Range<u64>) -> Result<(), Stop> {
        let (mut from, mut follows) = (offsets.start, false);
        while from < offsets.end {
            let range = Range {
                partition: PartitionId::first(name),
                topic_id: sight.topic_id.clone(),
                from,
                to: offsets.end.min(from + RANGE),
                bytes: self.ahead.room,
                follows,
                is_lost: false,
                settings: self.settings.clone(),
                catch_up: false,
            };
            let block = self.reader.read(&range, &self.budget).await?.block;
            for record in block.iter() {
                let said = self.said(&block, record)?;
                self.known.record(name, record.offset(), said, self.clock.steady_ms());
            }
            self.known.seen_to(name, block.offsets.end);
            (from, follows) = (block.offsets.end, true);
        }
        Ok(())
    }

    /// What a record says of transactions. The error ends the run: it says nothing, and should.
    fn said(&mut self, records: &Records, record: Borrowed<'_>) -> Result<Said, Stop> {
        let Ok(read) = record.debezium(&mut self.texts) else { return Ok(Said::Nothing) };
        if read.value == Part::Null {
            return Ok(Said::Nothing);
        }
        let event = match self.decoder.decode(&read) {
            Ok(Decoded::Boundary(boundary)) if boundary.status == Status::End => {
                let counts = boundary.data_collections.iter();
                let counts = counts.map(|(table, count)| (table.to_string(), u64::try_from(*count).unwrap_or(0)));
                let Some((tx, lsn)) = numbers(&boundary.id) else { return Ok(Said::Nothing) };
                return Ok(Said::End { tx, lsn, counts: counts.collect() });
            }
            Ok(Decoded::Event(event)) => event,
            // What is no event becomes a reject wherever it lands.
            Ok(_) | Err(_) => return Ok(Said::Nothing),
        };
        if event.operation == Operation::Read {
            return Ok(Said::Nothing);
        }
        let order = event.transaction.as_ref().and_then(|tx| u32::try_from(tx.data_collection_order?).ok());
        let tx = event.transaction.as_ref().and_then(|tx| numbers(&tx.id)).map(|(tx, _)| tx);
        let (Some(tx), Some(order)) = (tx, order) else {
            return Err(Stop::Refused(format!(
                "the change at offset {} of partition {} of topic {:?} does not name its transaction: commit.cut_at = \
                 \"transaction\" needs provide.transaction.metadata = true of the connector (lakefront debezium register FILE \
                 sets it), from the first change that is read; or set cut_at = \"any\"",
                record.offset(),
                records.partition,
                records.topic
            )));
        };
        let schema = event.table.schema.as_deref().unwrap_or_default();
        let table = format!("{schema}.{}", event.table.name);
        let after = event.source.sequence.and_then(|sequence| sequence.last_commit_lsn);
        Ok(Said::Change(Change { tx, table, order, after }))
    }
}

/// The transaction's number, and a place in PostgreSQL's log (LSN), of an id.
fn numbers(id: &str) -> Option<(u64, u64)> {
    let (tx, lsn) = id.split_once(':')?;
    Some((tx.parse().ok()?, lsn.parse().ok()?))
}
