//! Reads ranges of partitions, as `fetch` asks for them.
//!
//! Promises: a range has exactly the records that the partition has at its offsets, and they are of
//! the topic with the id that the range names. No block has more bytes than its range has room for,
//! but for one long record, which waits for its turn: what does not fit is read later. A broker
//! that is away is waited for; what is lost is an error that says so.

use std::any::Any;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use tokio::task::spawn_blocking;

use super::cursor::{Room, Trouble, Went};
use super::kind::place_of;
use super::lanes::{Held, Lanes};
use super::look::passes;
use super::quiet::Quiet;
use super::range::Range;
use super::records::Records;
use super::sizes::Sizes;
use crate::error::Stop;
use crate::fetch::{self, Read, Reader};
use crate::kafka::client::Client;
use crate::kafka::failure::{Answer, Loss, Outcome, failed};
use crate::kafka::schemas::SchemaRegistry;
use crate::kafka::settings::Isolation;
use crate::protocol::Pending;
use crate::run::clock::Stopwatch;
use crate::run::memory::{Budget, Turn};

/// The records of one range, in memory.
pub type Fetched = fetch::Fetched<Range, Records>;

/// How long one step of a read waits before it looks whether it is still wanted.
const STEP: Duration = Duration::from_millis(500);
/// For how long a topic may not be there before it counts as gone: a broker that has just come may
/// not know it yet.
const GONE: Duration = Duration::from_secs(20);
/// For how long nothing may come before the run ends.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Reads ranges.
pub struct TopicReader {
    asks: Arc<Client>,
    fetches: Arc<Client>,
    lanes: Arc<Lanes>,
    sizes: Arc<Sizes>,
    patience: Duration,
    registry: Option<Arc<SchemaRegistry>>,
}

/// A read that goes from one thread to the next.
pub(super) struct Reading {
    held: Held,
    block: Records,
    is_begun: bool,
    /// Where the lane is begun anew after a failure.
    pub(super) next: u64,
    /// Since when the topic is not there.
    gone: Option<Stopwatch>,
    /// How it has gone, if all records are there, and only the topic's identity is to be seen.
    went: Option<Went>,
    /// What has gone wrong since something came.
    pub(super) trouble: Option<Trouble>,
}

impl TopicReader {
    /// A reader that `asks` about topics with one client and `fetches` records with another: a
    /// broker answers each in order, so a fetch that waits for records would hold up the questions.
    /// It tells `sizes` how large records are. A broker that is away is waited for as long as
    /// `patience`.
    pub fn new(asks: Arc<Client>, fetches: Arc<Client>, sizes: Arc<Sizes>, patience: Duration) -> TopicReader {
        let lanes = Arc::new(Lanes::new(fetches.clone()));
        TopicReader { lanes, asks, fetches, sizes, patience, registry: None }
    }

    /// The same, which looks up the schemas of keys and values in Avro, if there is a `registry`.
    pub fn with_schemas(self, registry: Option<Arc<SchemaRegistry>>) -> TopicReader {
        TopicReader { registry, ..self }
    }

    /// Reads a range, or as much of it as there is room for.
    async fn part(&self, range: &Range, budget: &Budget) -> Result<(Records, Option<Turn>), Stop> {
        let Some((topic, partition)) = place_of(&range.partition) else {
            return Err(Stop::Bug(format!("{:?} is no partition of a topic", range.partition)));
        };
        let mut block = Records::new(topic, partition, range.from..range.to);
        block.is_lost = range.is_lost;
        if range.is_lost {
            return Ok((block, None));
        }
        if range.settings.isolation != self.fetches.isolation() {
            return Err(Stop::Refused(other_isolation(range, self.fetches.isolation())));
        }
        let held = self.lanes.hold(topic, partition, range.from, range.follows).await;
        let mut reading = Reading::new(held, block);
        let mut turn = None;
        let mut quiet = Quiet::new(self.patience);
        loop {
            let room = Room { bytes: budget.cost(range.bytes), has_turn: turn.is_some() };
            let (lanes, asks, work) = (self.lanes.clone(), self.asks.clone(), range.clone());
            let step = spawn_blocking(move || {
                let went = reading.step(&lanes, &asks, &work, room);
                (reading, went)
            });
            let (back, went) =
                step.await.map_err(|error| Stop::Bug(format!("a read of a topic has failed: {error}")))?;
            reading = back;
            match went? {
                Went::Whole | Went::Full => break,
                Went::Long => {
                    turn = Some(budget.turn().await);
                    // From here on, nothing but Kafka is waited for.
                    quiet = Quiet::new(self.patience);
                }
                Went::Waits => quiet.look(&self.fetches, range, &reading)?,
            }
        }
        let Reading { held, block, .. } = reading;
        let end = block.offsets.end;
        self.sizes.learn(&range.partition.name, end - range.from, block.bytes());
        self.lanes.end(held, end, end < range.to);
        Ok((block, turn))
    }
}

impl Reader<Range> for TopicReader {
    type Block = Records;

    fn read<'a>(&'a self, range: &'a Range, budget: &'a Arc<Budget>) -> Pending<'a, Result<Read<Records>, Stop>> {
        Box::pin(async move {
            let (mut block, turn) = self.part(range, budget).await?;
            if let Some(registry) = &self.registry {
                block.schemas = Some(registry.all(block.schema_ids()).await?);
            }
            Ok(Read { block, turn: turn.map(|turn| Box::new(turn) as Box<dyn Any + Send>) })
        })
    }

    fn rest(&self, range: &Range, block: &Records) -> Option<Range> {
        let from = block.offsets.end;
        (from < range.to).then(|| Range { from, follows: true, ..range.clone() })
    }
}

impl Reading {
    pub(super) fn new(held: Held, block: Records) -> Reading {
        let next = block.offsets.start;
        Reading { held, block, is_begun: false, next, gone: None, went: None, trouble: None }
    }

    /// Reads on for a while. It waits, so it must be called where that is allowed.
    fn step(&mut self, lanes: &Lanes, asks: &Client, range: &Range, room: Room) -> Result<Went, Stop> {
        if !std::mem::replace(&mut self.is_begun, true) || self.held.cursor.is_none() {
            lanes.begin(&mut self.held, self.next)?;
        }
        let Some(cursor) = self.held.cursor.as_mut() else {
            return Err(Stop::Bug("a lane that was begun has no cursor".to_owned()));
        };
        let went = match self.went {
            Some(went) => Ok(went),
            None => cursor.read(&mut self.block, range.to, room, STEP),
        };
        if cursor.next(range.to) > self.next {
            (self.next, self.trouble) = (cursor.next(range.to), None);
        }
        if lanes.has_strays() {
            return Err(Stop::Bug("a record of a topic came over a queue that nobody reads".to_owned()));
        }
        match went {
            Ok(went @ (Went::Whole | Went::Full)) => {
                self.went = Some(went);
                Ok(if self.is_of_same_topic(asks, range)? { went } else { Went::Waits })
            }
            Ok(went) => Ok(went),
            Err(trouble) => {
                let (code, words) = &trouble;
                tracing::debug!(partition = %range.partition, next = self.next, ?code, words, "a read is begun anew");
                // Whatever it is, the queue may have gone on behind records that it has not given.
                lanes.close(&mut self.held);
                self.trouble = Some(trouble.clone());
                if self.is_of_same_topic(asks, range)? {
                    diagnosed(asks, (&self.block.topic, self.block.partition), self.next, trouble)?;
                    thread::park_timeout(STEP);
                }
                Ok(Went::Waits)
            }
        }
    }

    /// Whether the topic is known to be that of the range still; false if nobody can say at the
    /// moment.
    fn is_of_same_topic(&mut self, asks: &Client, range: &Range) -> Result<bool, Stop> {
        match same_topic(asks, range, &self.block.topic, self.block.partition) {
            Ok(()) => {
                self.gone = None;
                return Ok(true);
            }
            // The brokers have gone meanwhile, or do not let us in: they are waited for.
            Err(Stop::Store(error)) if passes(&error) => {}
            Err(stop) => {
                let Stop::Store(error) = &stop else { return Err(stop) };
                let is_unknown = Answer::behind(error).is_some_and(|answer| answer.outcome == Outcome::UnknownTopic);
                let since = self.gone.get_or_insert_with(Stopwatch::start);
                if !is_unknown || since.elapsed() >= GONE {
                    return Err(stop);
                }
            }
        }
        thread::park_timeout(STEP);
        Ok(false)
    }
}

/// That the topic is still the one that the range is of. Ids never come back, so all that was read
/// before is of that topic too.
fn same_topic(client: &Client, range: &Range, topic: &str, partition: i32) -> Result<(), Stop> {
    match client.describe(&[topic])?.into_iter().next() {
        // A cluster that gives no id, or gave none, says nothing.
        Some(Ok(described)) if [&described.id, ""].contains(&&*range.topic_id) || described.id.is_empty() => Ok(()),
        Some(Ok(described)) => {
            let loss = Loss::Recreated { wanted: range.from, was: range.topic_id.clone(), is: described.id };
            Err(loss.failure(topic, partition).into())
        }
        Some(Err((code, _))) if Outcome::of(code) == Outcome::UnknownTopic => {
            Err(Loss::Gone { wanted: range.from }.failure(topic, partition).into())
        }
        Some(Err((code, words))) => Err(failed(format!("look at topic {topic:?}"), code, &words).into()),
        None => Err(Stop::Bug(format!("Kafka was asked for topic {topic:?}, and has answered nothing"))),
    }
}

/// What is behind `trouble` with a partition of a topic that is there, of which the offset `wanted`
/// is read next; nothing if it may pass. What was read may be behind the end for a moment, because
/// a new leader does not know at once how far it may be read; whether that stays so, looks tell.
fn diagnosed(
    client: &Client,
    (topic, partition): (&str, i32),
    wanted: u64,
    (code, words): Trouble,
) -> Result<(), Stop> {
    if Outcome::of(code) == Outcome::UnknownTopic || Outcome::of(code).may_pass() {
        return Ok(());
    }
    let attempt = format!("read partition {partition} of topic {topic:?} from offset {wanted} on");
    if !matches!(code, RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset) {
        return Err(failed(attempt, code, &words).into());
    }
    match client.earliest(&[(topic, partition)]).map(|earliest| earliest[0]) {
        Ok(earliest) if earliest > wanted => Err(Loss::Passed { wanted, earliest }.failure(topic, partition).into()),
        Ok(_) => Ok(()),
        Err(error) if passes(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A range that tables lack which stood behind others when the isolation was changed.
fn other_isolation(range: &Range, ours: Isolation) -> String {
    let (theirs, ours) = (range.settings.isolation.name(), ours.name());
    format!(
        "could not read {} from offset {} to {}: other tables hold these offsets as {theirs} has them, and this run \
         reads {ours}: run once with {theirs} until all tables are level, then change it",
        range.partition, range.from, range.to
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::settings::Settings;
    use crate::protocol::offsets::PartitionId;

    #[test]
    fn what_is_left_of_a_range_follows_its_first_part() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let open = || Arc::new(Client::open(&Settings::new("127.0.0.1:1"), runtime.handle()).expect("a client"));
        let reader = TopicReader::new(open(), open(), Arc::default(), PATIENCE);
        let range = Range {
            partition: PartitionId::first("t/0"),
            topic_id: "id".to_owned(),
            from: 3,
            to: 10,
            bytes: 7,
            follows: false,
            is_lost: false,
            settings: Arc::default(),
            catch_up: true,
        };
        let rest = reader.rest(&range, &Records::new("t", 0, 3..5));
        assert_eq!(rest, Some(Range { from: 5, follows: true, ..range.clone() }));
        assert_eq!(reader.rest(&range, &Records::new("t", 0, 3..10)), None);
        // Rows of another isolation are other rows.
        let settings =
            crate::source::kafka::kind::Settings { isolation: Isolation::ReadUncommitted, ..Default::default() };
        let parts = crate::run::memory::Parts {
            workers: 1,
            groups: 1,
            work: 1,
            beyond: 0,
            in_flight: 1,
            turn: 0,
            batches: 0,
            uploads: 0,
        };
        let read = runtime.block_on(async {
            let range = Range { settings: Arc::new(settings), ..range };
            reader.part(&range, &Budget::new(parts.usual(), parts)).await.map(drop)
        });
        let Err(Stop::Refused(text)) = read else { panic!("{read:?}") };
        assert!(text.contains("offset 3 to 10") && text.contains("run once with read_uncommitted"), "{text}");
    }
}
