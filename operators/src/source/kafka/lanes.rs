//! Lanes: each partition that is being read has a queue of its own, which librdkafka fills ahead of
//! its reads. There are only so many of them, because each holds memory: the one that was used
//! longest ago makes room for another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex as Lock};
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::records::Records;
use crate::error::StoreError;
use crate::kafka::client::Client;
use crate::kafka::failure::{Outcome, told};
use crate::kafka::native::queue::{Given, Queue};
use crate::run::clock::Stopwatch;

/// The most lanes. With what librdkafka fetches ahead of each, this bounds its memory:
/// `MOST * (PREFETCH + one answer of a broker)`.
const MOST: usize = 32;
/// How long a read waits for a queue before it looks around.
const SLICE: Duration = Duration::from_millis(100);

/// The lanes of a run.
pub(super) struct Lanes {
    client: Arc<Client>,
    lanes: Lock<HashMap<(String, i32), Lane>>,
    clock: AtomicU64,
}

#[derive(Clone)]
struct Lane {
    cursor: Arc<Mutex<Option<Cursor>>>,
    /// When it was used last, by a clock that counts uses.
    used: u64,
}

/// A partition that is being read, if it is; held by one read at a time, in the order in which they
/// ask.
pub(super) type Held = OwnedMutexGuard<Option<Cursor>>;

impl Lanes {
    pub(super) fn new(client: Arc<Client>) -> Lanes {
        Lanes { client, lanes: Lock::new(HashMap::new()), clock: AtomicU64::new(0) }
    }

    /// Waits for the lane of a partition.
    pub(super) async fn hold(&self, topic: &str, partition: i32) -> Held {
        let cursor = {
            let mut lanes = self.lanes.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let used = self.clock.fetch_add(1, Relaxed);
            let place = (topic.to_owned(), partition);
            if !lanes.contains_key(&place) && lanes.len() >= MOST {
                make_room(&mut lanes);
            }
            let lane = lanes.entry(place).or_insert_with(|| Lane { cursor: Arc::default(), used });
            lane.used = used;
            lane.cursor.clone()
        };
        cursor.lock_owned().await
    }

    /// Begins a read at `from` in the lane that is `held`, which goes on where the last one has ended
    /// if that is there.
    pub(super) fn begin(&self, held: &mut Held, topic: &str, partition: i32, from: u64) -> Result<(), StoreError> {
        if let Some(cursor) = held.as_mut().filter(|cursor| cursor.at == Some(from)) {
            cursor.at = None;
            return Ok(());
        }
        // The old queue goes before the new one comes.
        **held = None;
        **held = Some(Cursor::open(&self.client, topic, partition, from)?);
        Ok(())
    }
}

/// Drops the lane that was used longest ago, of those that nobody holds.
fn make_room(lanes: &mut HashMap<(String, i32), Lane>) {
    let mut by_age: Vec<_> = lanes.iter().map(|(place, lane)| (lane.used, place.clone())).collect();
    by_age.sort_unstable();
    let is_free = |place: &(String, i32)| lanes[place].cursor.clone().try_lock_owned().is_ok();
    if let Some((_, place)) = by_age.into_iter().find(|(_, place)| is_free(place)) {
        lanes.remove(&place);
    }
}

/// Where a partition is being read.
pub(super) struct Cursor {
    queue: Queue,
    client: Arc<Client>,
    topic: String,
    partition: i32,
    /// Where the last read has ended; `None` while one is under way, so that nobody goes on from the
    /// middle of a read that was given up.
    at: Option<u64>,
    /// No record below this offset is still to come.
    next: u64,
    /// Records that came with others, and belong to the next read.
    ahead: Records,
}

/// How a read has gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Went {
    /// All records up to the end of the range are there.
    Whole,
    /// The block has as many bytes as it may have.
    Full,
    /// It still waits.
    Waits,
}

/// What a queue has reported, in librdkafka's words.
pub(super) type Trouble = (RDKafkaErrorCode, String);

impl Cursor {
    fn open(client: &Arc<Client>, topic: &str, partition: i32, from: u64) -> Result<Cursor, StoreError> {
        let queue = Queue::of(client.consumer.clone(), topic, partition).ok_or_else(|| {
            let attempt = format!("read partition {partition} of topic {topic:?}");
            told(attempt, Outcome::UnknownTopic, "there can be no such partition", "")
        })?;
        client.assign((topic, partition), from)?;
        let ahead = Records::new(topic, partition, from..from);
        let (client, topic) = (client.clone(), topic.to_owned());
        Ok(Cursor { queue, client, topic, partition, at: None, next: from, ahead })
    }

    /// The offset below which nothing is still to come.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Reads records up to `to` into `block`, for as long as `patience`, until the block has `most`
    /// bytes.
    ///
    /// The range is whole once a record behind it has come, or the partition was seen to end at `to`
    /// or behind: before that, records may still come, because not every offset has one.
    pub(super) fn read(
        &mut self,
        block: &mut Records,
        to: u64,
        most: u64,
        patience: Duration,
    ) -> Result<Went, Trouble> {
        let begun = Stopwatch::start();
        block.take_from(&mut self.ahead, to);
        while self.next < to {
            if block.bytes() >= most {
                return Ok(Went::Full);
            }
            let left = patience.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(Went::Waits);
            }
            let (mut trouble, next, ahead) = (None, &mut self.next, &mut self.ahead);
            self.queue.take(left.min(SLICE), to - *next, |given| match given {
                Given::Record(message) => {
                    let Ok(offset) = u64::try_from(message.offset()) else { return };
                    // It was read before: a block of records is fetched whole.
                    if offset < *next {
                        return;
                    }
                    if offset < to { &mut *block } else { &mut *ahead }.push(offset, &message);
                    *next = offset + 1;
                }
                Given::End { offset } => *next = (*next).max(u64::try_from(offset).unwrap_or_default()),
                Given::Failed { code, words } => trouble = Some((code, words)),
            });
            if let Some(trouble) = trouble {
                return Err(trouble);
            }
        }
        self.at = Some(to);
        Ok(Went::Whole)
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        if let Err(error) = self.client.unassign((&self.topic, self.partition)) {
            tracing::debug!(error = %crate::error::chain(&error), "a partition is still fetched");
        }
    }
}
