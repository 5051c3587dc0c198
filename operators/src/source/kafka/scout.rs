//! Reads ahead, so that no cut parts a transaction of PostgreSQL: what is planned must be known to
//! be whole before it is handed out.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::kind::{self, Offsets, name_of};
use super::range;
use super::reader::TopicReader;
use super::records::{Borrowed, Records};
use super::supply::Sight;
use super::topics::Topics;
use super::transactions::{Change, End, Said, Step, Transactions};
use crate::error::Stop;
use crate::fetch::Reader;
use crate::format::debezium::{Decoded, Decoder, Operation, Status, Texts};
use crate::protocol::clock::Clock;
use crate::protocol::offsets::PartitionId;
use crate::run::memory::Budget;

/// Offsets of one range.
const RANGE: u64 = 16_384;
/// How many steps make a cut, about.
const STEPS: u64 = 4;
/// How many cuts one look finds, about: a tail pauses between two looks.
const LOOKS: u64 = 4;
/// How many cuts may wait for the rest of their transactions before only that is looked for.
const WAITING: u64 = 16;
/// The pause of a look that finds that enough waits, in milliseconds.
const PAUSE: u64 = 200;
/// For how long nothing may be given before that is reported, in milliseconds.
const QUIET: u64 = 60_000;
/// For how long a partition may have no leader in a backfill, in milliseconds.
const LEADERLESS: u64 = 300_000;
/// How many records of the topic of ends are looked at from before where reading begins.
const BEFORE: u64 = 64;
/// What a record takes before any was seen, in bytes.
const RECORD: u64 = 1024;

/// How a scout goes.
pub struct Ahead {
    /// The topics of tables begin with it, as that of the ends of transactions does.
    pub prefix: String,
    /// Whether it goes no further than what was there at its first look, but for what is missing of
    /// transactions whose ends were there.
    pub is_backfill: bool,
    /// Offsets of one cut, about.
    pub most: u64,
    /// Bytes of one cut, about.
    pub bytes: u64,
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
    topics: Topics,
    /// Where it begins.
    begin: Arc<Offsets>,
    known: Option<Transactions>,
    /// The topics' ids by partition, as they were at the last look.
    ids: BTreeMap<String, String>,
    /// Up to where a backfill goes, by partition.
    ends: Option<BTreeMap<String, u64>>,
    /// Since when nothing was given although records wait, on the steady clock.
    quiet_since_ms: u64,
    /// Since when some partition has no leader, on the steady clock.
    leaderless_since_ms: Option<u64>,
    /// Records that were looked at, and their bytes.
    looked: (u64, u64),
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
        Scout {
            reader,
            budget,
            settings,
            quiet_since_ms: clock.steady_ms(),
            clock,
            ahead,
            topics,
            begin,
            known: None,
            ids: BTreeMap::new(),
            ends: None,
            leaderless_since_ms: None,
            looked: (0, 0),
            decoder: Decoder::default(),
            texts: Texts::default(),
        }
    }

    /// Looks at what the sights show, but not if so much waits that was found before.
    pub(super) async fn look(&mut self, sights: &[Sight], waiting: u64) -> Result<Scouted, Stop> {
        if waiting >= LOOKS * self.ahead.most {
            self.clock.pause(PAUSE).await;
            return Ok(Scouted { steps: Vec::new(), is_behind: true });
        }
        let now_ms = self.clock.steady_ms();
        let mut known = match self.known.take() {
            Some(known) => known,
            None => self.first(sights).await?,
        };
        known.begins(now_ms, self.size());
        let has_leaders = self.leaders(sights, now_ms).await?;
        let (all, mut has_all) = (LOOKS * self.ahead.most, has_leaders);
        let (mut left, mut has_read) = (all, false);
        let is_full = known.waiting() >= WAITING * self.ahead.most;
        let ends_topic = known.ends_topic();
        Scout::refuse_several(sights, &ends_topic)?;
        for sight in sights {
            let name = name_of(&sight.topic, sight.partition);
            let is_ends = sight.topic == ends_topic;
            if self.ids.insert(name.clone(), sight.topic_id.clone()).is_some_and(|id| id != sight.topic_id) {
                known.forget(&name);
            }
            // Without a leader, nobody knows where it begins.
            let earliest = if sight.has_leader { sight.earliest } else { 0 };
            let next = known.next(&name, self.begin_of(&name, sight), earliest);
            let is_enough = is_full && if is_ends { known.may_give() } else { !known.is_wanted(&name) };
            if !sight.has_leader || is_enough {
                known.seen_to(&name, 0, false);
                has_all = false;
                continue;
            }
            let is_missing = !is_ends && known.may_give() && known.is_wanted(&name);
            let end = match &self.ends {
                Some(ends) if !is_missing => ends.get(&name).map_or(0, |end| sight.end.min(*end)),
                _ => sight.end,
            };
            // Each has its turn, however far behind another one is.
            let to = end.min(next + left.min(all / sights.len() as u64).max(RANGE));
            left = left.saturating_sub(to.saturating_sub(next));
            (has_all, has_read) = (has_all && to >= end, has_read || to > next);
            self.read(&mut known, sight, next..to).await?;
            known.seen_to(&name, to, to >= sight.end);
        }
        known.there(&sights.iter().map(|sight| name_of(&sight.topic, sight.partition)).collect());
        let steps = known.steps(has_all);
        // Where nothing was read, and no more may be given, only what is new helps.
        let is_behind = has_read || !has_leaders || !steps.is_empty() || known.may_give();
        self.tell(&known, !steps.is_empty(), now_ms);
        self.known = Some(known);
        Ok(Scouted { steps, is_behind })
    }

    /// What is known before the first look: what was committed last of all that has landed.
    async fn first(&mut self, sights: &[Sight]) -> Result<Transactions, Stop> {
        let of = |landed| Transactions::of(self.topics.clone(), &self.ahead.prefix, 1, landed);
        let topic = of(None).ends_topic();
        if self.ahead.is_backfill {
            let end = |sight: &Sight| (name_of(&sight.topic, sight.partition), sight.end);
            self.ends = Some(sights.iter().map(end).collect());
        }
        // Without one, no transaction has ended yet.
        let Some(sight) = sights.iter().find(|sight| sight.topic == topic) else { return Ok(of(Some(0))) };
        let Some(begin) = self.mark(&name_of(&sight.topic, sight.partition), sight) else {
            return Ok(of((sight.end == 0).then_some(0)));
        };
        let mut landed = 0;
        for (_, said) in self.records(sight, sight.earliest.max(begin.saturating_sub(BEFORE))..begin).await? {
            if let Said::End(end) = said {
                landed = landed.max(end.lsn);
            }
        }
        Ok(Transactions::of(self.topics.clone(), &self.ahead.prefix, 1, Some(landed)))
    }

    /// Ends have an order only in one partition.
    fn refuse_several(sights: &[Sight], topic: &str) -> Result<(), Stop> {
        let count = sights.iter().filter(|sight| sight.topic == topic).count();
        match count < 2 {
            true => Ok(()),
            false => Err(Stop::Refused(format!(
                "topic {topic:?} has {count} partitions, and ends of transactions have an order only in one: let Kafka Connect \
                 make it (lakefront debezium register FILE says how), make it anew, or set commit.cut_at = \"any\""
            ))),
        }
    }

    /// Offsets of a step, about.
    fn size(&self) -> u64 {
        let (records, bytes) = self.looked;
        let each = bytes.checked_div(records).unwrap_or(RECORD).max(1);
        self.ahead.most.min(self.ahead.bytes / each) / STEPS
    }

    /// Whether all partitions have a leader. A backfill does not wait for one for ever.
    async fn leaders(&mut self, sights: &[Sight], now_ms: u64) -> Result<bool, Stop> {
        let Some(sight) = sights.iter().find(|sight| !sight.has_leader) else {
            self.leaderless_since_ms = None;
            return Ok(true);
        };
        let since = *self.leaderless_since_ms.get_or_insert(now_ms);
        if self.ahead.is_backfill && now_ms - since >= LEADERLESS {
            return Err(Stop::Refused(format!(
                "partition {} of topic {:?} has had no leader for {} s: see whether its brokers run",
                sight.partition,
                sight.topic,
                LEADERLESS / 1000
            )));
        }
        self.clock.pause(PAUSE).await;
        Ok(false)
    }

    /// Reports from time to time that records wait.
    fn tell(&mut self, known: &Transactions, has_step: bool, now_ms: u64) {
        let records = known.waiting();
        let Some((transaction, table)) = known.first().filter(|_| !has_step && records > 0) else {
            self.quiet_since_ms = now_ms;
            return;
        };
        if now_ms.saturating_sub(self.quiet_since_ms) < QUIET {
            return;
        }
        self.quiet_since_ms = now_ms;
        match table {
            Some(table) => tracing::warn!(
                transaction,
                table,
                records,
                "records wait for changes of a transaction, which have not come: is the broker up that has them?"
            ),
            None => tracing::warn!(
                transaction,
                records,
                "records wait for the end of their transaction, which has not come: is the connector up?"
            ),
        }
    }

    fn mark(&self, name: &str, sight: &Sight) -> Option<u64> {
        let mut marks = self.begin.partitions.iter().filter(|(id, _)| id.name == name);
        let mark = marks.rfind(|(_, mark)| mark.topic_id.is_empty() || mark.topic_id == sight.topic_id);
        mark.map(|(_, mark)| mark.next)
    }

    fn begin_of(&self, name: &str, sight: &Sight) -> u64 {
        self.mark(name, sight).unwrap_or(sight.earliest)
    }

    async fn read(&mut self, known: &mut Transactions, sight: &Sight, offsets: Range<u64>) -> Result<(), Stop> {
        let name = name_of(&sight.topic, sight.partition);
        let (mut from, end) = (offsets.start, offsets.end);
        while from < end {
            let to = end.min(from + RANGE);
            for (offset, said) in self.records(sight, from..to).await? {
                known.record(&name, offset, said);
            }
            known.seen_to(&name, to, false);
            from = to;
        }
        Ok(())
    }

    /// What the records at some offsets of a partition say.
    async fn records(&mut self, sight: &Sight, offsets: Range<u64>) -> Result<Vec<(u64, Said)>, Stop> {
        let mut left = (!offsets.is_empty()).then(|| range::Range {
            partition: PartitionId::first(name_of(&sight.topic, sight.partition)),
            topic_id: sight.topic_id.clone(),
            from: offsets.start,
            to: offsets.end,
            bytes: self.ahead.room,
            follows: false,
            is_lost: false,
            settings: self.settings.clone(),
            catch_up: false,
        });
        let mut all = Vec::new();
        while let Some(range) = left {
            let block = self.reader.read(&range, &self.budget).await?.block;
            self.looked = (self.looked.0 + block.len() as u64, self.looked.1 + block.bytes());
            for record in block.iter() {
                all.push((record.offset(), self.said(&block, record)?));
            }
            left = self.reader.rest(&range, &block);
        }
        Ok(all)
    }

    /// What a record says of transactions. The error ends the run: it says nothing, and should.
    fn said(&mut self, records: &Records, record: Borrowed<'_>) -> Result<Said, Stop> {
        let Ok(read) = record.debezium(&mut self.texts) else { return Ok(Said::Nothing) };
        let event = match self.decoder.decode(&read) {
            Ok(Decoded::Boundary(boundary)) if boundary.status == Status::End => {
                let counts = boundary.data_collections.iter();
                let counts = counts.map(|(table, count)| (table.to_string(), u64::try_from(*count).unwrap_or(0)));
                let end = numbers(&boundary.id).map(|(tx, lsn)| End { tx, lsn, counts: counts.collect() });
                return Ok(end.map_or(Said::Nothing, Said::End));
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
        let after = event.source.sequence.and_then(|sequence| sequence.last_commit_lsn.or(sequence.lsn));
        let (Some(tx), Some(order), Some(after)) = (tx, order, after) else {
            return Err(Stop::Refused(format!(
                "the change at offset {} of partition {} of topic {:?} does not name its transaction: commit.cut_at = \
                 \"transaction\" needs provide.transaction.metadata = true of the connector, and where rows are unwrapped, \
                 delete.tombstone.handling.mode = rewrite and what lakefront debezium config has in add.fields, from the first \
                 change that is read (lakefront debezium register FILE sets that); or set cut_at = \"any\"",
                record.offset(),
                records.partition,
                records.topic
            )));
        };
        let schema = event.table.schema.as_deref().unwrap_or_default();
        let table = format!("{schema}.{}", event.table.name);
        Ok(Said::Change(Change { tx, table, order, after }))
    }
}

/// The transaction's number, and a place in PostgreSQL's log (LSN), of an id.
fn numbers(id: &str) -> Option<(u64, u64)> {
    let (tx, lsn) = id.split_once(':')?;
    Some((tx.parse().ok()?, lsn.parse().ok()?))
}
