//! Lanes: each partition that is being read has a queue of its own, which librdkafka fills ahead of
//! its reads. There are only so many of them, because each holds memory: the one that was used
//! longest ago makes room for another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex as Lock};
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use tokio::sync::{Mutex, Notify, OwnedMutexGuard};
use tokio::time::timeout;

use super::records::Records;
use crate::error::StoreError;
use crate::kafka::client::Client;
use crate::kafka::failure::{Outcome, told};
use crate::kafka::native::queue::{Given, Queue};
use crate::run::clock::Stopwatch;

/// The most lanes that are open. With what librdkafka fetches ahead of each, this bounds its
/// memory: `MOST * (PREFETCH + one answer of a broker)`.
const MOST: usize = 32;
/// How long a read waits for a queue before it looks around.
const SLICE: Duration = Duration::from_millis(100);
/// How long a read waits for the one before it, which may be on its way on another worker. To begin
/// anew costs what was fetched ahead.
const TURN: Duration = Duration::from_secs(1);

/// The lanes of a run.
pub(super) struct Lanes {
    client: Arc<Client>,
    lanes: Lock<HashMap<(String, i32), Lane>>,
    /// Counts uses of lanes.
    clock: AtomicU64,
    /// A read has ended.
    moved: Notify,
}

#[derive(Clone, Default)]
struct Lane {
    cursor: Arc<Mutex<Option<Cursor>>>,
    /// When it was used last, by the clock that counts uses; `None` if it is closed.
    used: Option<u64>,
    /// Where the last read has ended.
    done: Option<u64>,
}

/// A partition that is being read, if it is; held by one read at a time.
pub(super) type Held = OwnedMutexGuard<Option<Cursor>>;

impl Lanes {
    pub(super) fn new(client: Arc<Client>) -> Lanes {
        let (lanes, clock, moved) = (Lock::new(HashMap::new()), AtomicU64::new(0), Notify::new());
        Lanes { client, lanes, clock, moved }
    }

    /// Waits for the lane of a partition, and, if the read at `from` `follows` another, for that.
    pub(super) async fn hold(&self, topic: &str, partition: i32, from: u64, follows: bool) -> Held {
        let begun = Stopwatch::start();
        loop {
            let moved = self.moved.notified();
            let left = TURN.saturating_sub(begun.elapsed());
            if !follows || left.is_zero() || self.done(topic, partition) == Some(from) {
                return self.open(topic, partition).lock_owned().await;
            }
            // Whether the other read has ended, or takes too long, is seen above.
            let _ = timeout(left, moved).await;
        }
    }

    /// The read that `held` a lane has ended at `to`.
    pub(super) fn end(&self, held: Held, topic: &str, partition: i32, to: u64) {
        drop(held);
        let mut lanes = self.lanes.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(lane) = lanes.get_mut(&(topic.to_owned(), partition)) {
            lane.done = Some(to);
        }
        drop(lanes);
        self.moved.notify_waiters();
    }

    /// Whether a record came over a queue that nobody reads.
    pub(super) fn has_strays(&self) -> bool {
        self.client.context().has_strays.load(Relaxed)
    }

    fn done(&self, topic: &str, partition: i32) -> Option<u64> {
        let lanes = self.lanes.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        lanes.get(&(topic.to_owned(), partition))?.done
    }

    fn open(&self, topic: &str, partition: i32) -> Arc<Mutex<Option<Cursor>>> {
        let mut lanes = self.lanes.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let place = (topic.to_owned(), partition);
        let is_open = lanes.get(&place).is_some_and(|lane| lane.used.is_some());
        if !is_open && lanes.values().filter(|lane| lane.used.is_some()).count() >= MOST {
            make_room(&mut lanes);
        }
        let lane = lanes.entry(place).or_default();
        lane.used = Some(self.clock.fetch_add(1, Relaxed));
        lane.cursor.clone()
    }

    /// Begins a read at `from` in the lane that is `held`, which goes on where the last one has
    /// ended if that is there.
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

/// Closes the lane that was used longest ago, of those that nobody holds.
fn make_room(lanes: &mut HashMap<(String, i32), Lane>) {
    let mut by_age: Vec<&mut Lane> = lanes.values_mut().filter(|lane| lane.used.is_some()).collect();
    by_age.sort_unstable_by_key(|lane| lane.used);
    for lane in by_age {
        if let Ok(mut cursor) = lane.cursor.clone().try_lock_owned() {
            *cursor = None;
            lane.used = None;
            return;
        }
    }
}

/// Where a partition is being read.
pub(super) struct Cursor {
    queue: Queue,
    client: Arc<Client>,
    topic: String,
    partition: i32,
    /// Where the last read has ended; `None` while one is under way, so that nobody goes on from
    /// the middle of a read that was given up.
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
    /// The range is whole once a record behind it has come, or the partition was seen to end at
    /// `to` or behind: before that, records may still come, because not every offset has one.
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
