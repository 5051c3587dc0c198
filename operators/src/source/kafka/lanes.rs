//! Lanes: each partition that is being read has a queue of its own, which librdkafka fills ahead of
//! its reads. There are only so many of them, because each holds memory: the one that was used
//! longest ago makes room for another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex as Lock, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::cursor::Cursor;
use crate::error::StoreError;
use crate::kafka::client::Client;
use crate::run::clock::Stopwatch;

/// The most lanes that are open, and the most reads at once. This bounds the memory of what was
/// fetched and not read: `MOST * 2 * (PREFETCH + one answer of a broker)`, because what has come
/// may wait for room while more is fetched.
const MOST: usize = 32;
/// How long a read waits for the one before it, which may be on its way on another worker. To begin
/// anew costs what was fetched ahead.
const TURN: Duration = Duration::from_secs(1);
/// The same, if of the one before it a part was read, and the rest waits for room.
const PARTS: Duration = Duration::from_secs(10);

/// A partition of a topic.
type Place = (String, i32);

/// The lanes of a run.
pub(super) struct Lanes {
    client: Arc<Client>,
    lanes: Lock<HashMap<Place, Lane>>,
    reads: Arc<Semaphore>,
    /// Counts uses of lanes.
    clock: AtomicU64,
    /// A read has ended.
    moved: Notify,
}

#[derive(Clone, Default)]
struct Lane {
    cursor: Arc<Mutex<Option<Cursor>>>,
    /// When it was opened or used last, by the clock that counts uses; `None` if it is closed.
    used: Option<u64>,
    /// Where the last read has ended.
    done: Option<u64>,
    /// Whether that was only a part of a range.
    has_rest: bool,
}

/// The lane of a partition, held by one read at a time.
pub(super) struct Held {
    place: Place,
    pub(super) cursor: OwnedMutexGuard<Option<Cursor>>,
    _read: OwnedSemaphorePermit,
}

impl Lanes {
    pub(super) fn new(client: Arc<Client>) -> Lanes {
        let (lanes, reads) = (Lock::new(HashMap::new()), Arc::new(Semaphore::new(MOST)));
        Lanes { client, lanes, reads, clock: AtomicU64::new(0), moved: Notify::new() }
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<Place, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the lane of a partition, and, if the read at `from` `follows` another, for that.
    ///
    /// Whoever holds a lane may wait for the turn for more memory; so nobody who has the turn may
    /// wait for a lane.
    pub(super) async fn hold(&self, topic: &str, partition: i32, from: u64, follows: bool) -> Held {
        let (begun, place) = (Stopwatch::start(), (topic.to_owned(), partition));
        let cursor = loop {
            let moved = self.moved.notified();
            let Lane { cursor, done, has_rest, .. } = self.lanes().entry(place.clone()).or_default().clone();
            let left = if has_rest { PARTS } else { TURN }.saturating_sub(begun.elapsed());
            if !follows || left.is_zero() || done == Some(from) {
                break cursor;
            }
            // Whether the other read has ended, or takes too long, is seen above.
            let _ = timeout(left, moved).await;
        };
        let read = self.reads.clone().acquire_owned().await.expect("it is never closed");
        Held { place, cursor: cursor.lock_owned().await, _read: read }
    }

    /// The read that `held` a lane has ended at `to`. `has_rest` tells whether its range goes on
    /// there.
    pub(super) fn end(&self, held: Held, to: u64, has_rest: bool) {
        let Held { place, .. } = held;
        if let Some(lane) = self.lanes().get_mut(&place) {
            (lane.done, lane.has_rest) = (Some(to), has_rest);
        }
        self.moved.notify_waiters();
    }

    /// Whether a record came over a queue that nobody reads.
    pub(super) fn has_strays(&self) -> bool {
        self.client.context().has_strays.load(Relaxed)
    }

    /// Begins a read at `from` in the lane that is `held`, which goes on where the last one has
    /// ended if that is there. It waits, so it must be called where that is allowed.
    pub(super) fn begin(&self, held: &mut Held, from: u64) -> Result<(), StoreError> {
        let goes_on = held.cursor.as_mut().is_some_and(|cursor| cursor.goes_on(from));
        if !goes_on {
            // The old queue goes before the new one comes.
            self.close(held);
        }
        if let Some(mut oldest) = self.open(&held.place) {
            *oldest = None;
        }
        if !goes_on {
            *held.cursor = Some(Cursor::open(&self.client, &held.place.0, held.place.1, from)?);
        }
        Ok(())
    }

    /// Closes the lane that is `held`. It waits, as above.
    pub(super) fn close(&self, held: &mut Held) {
        *held.cursor = None;
        if let Some(lane) = self.lanes().get_mut(&held.place) {
            lane.used = None;
        }
    }

    /// Counts a lane as open, and as used now. Returns what has to go for it: the one that was used
    /// longest ago, of those that nobody holds. There is one, because no more are held than may be
    /// open.
    fn open(&self, place: &Place) -> Option<OwnedMutexGuard<Option<Cursor>>> {
        let mut lanes = self.lanes();
        let is_open = lanes.get(place).is_some_and(|lane| lane.used.is_some());
        let count = lanes.values().filter(|lane| lane.used.is_some()).count();
        let oldest = if !is_open && count >= MOST { close_oldest(&mut lanes) } else { None };
        lanes.entry(place.clone()).or_default().used = Some(self.clock.fetch_add(1, Relaxed));
        oldest
    }
}

/// Takes the lane that was used longest ago, of those that nobody holds. It counts as closed; it is
/// held until it is, so that its partition is not begun anew before.
fn close_oldest(lanes: &mut HashMap<Place, Lane>) -> Option<OwnedMutexGuard<Option<Cursor>>> {
    let mut by_age: Vec<&mut Lane> = lanes.values_mut().filter(|lane| lane.used.is_some()).collect();
    by_age.sort_unstable_by_key(|lane| lane.used);
    by_age.into_iter().find_map(|lane| {
        let cursor = lane.cursor.clone().try_lock_owned().ok()?;
        lane.used = None;
        Some(cursor)
    })
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;
    use crate::kafka::settings::Settings;

    #[test]
    fn no_more_lanes_are_open_than_may_be_whoever_holds_them() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let client = Client::open(&Settings::new("127.0.0.1:1"), runtime.handle()).expect("a client");
        let lanes = Lanes::new(Arc::new(client));
        let open = |lanes: &Lanes| lanes.lanes().values().filter(|lane| lane.used.is_some()).count();
        runtime.block_on(async {
            let mut held = Vec::new();
            for partition in 0..MOST as i32 {
                held.push(lanes.hold("t", partition, 0, false).await);
                assert!(lanes.open(&("t".to_owned(), partition)).is_none(), "there is room");
            }
            let mut another = std::pin::pin!(lanes.hold("t", 100, 0, false));
            assert!(poll!(another.as_mut()).is_pending(), "all are held");
            lanes.end(held.remove(7), 0, false);
            lanes.end(held.remove(3), 0, false);
            let another = another.await;
            let closed = lanes.open(&another.place).expect("one has to go");
            assert_eq!((open(&lanes), lanes.lanes()[&("t".to_owned(), 3)].used), (MOST, None), "the oldest");
            // Who wants that one waits until it is closed.
            let mut again = std::pin::pin!(lanes.hold("t", 3, 0, false));
            assert!(poll!(again.as_mut()).is_pending());
            drop(closed);
            assert!(lanes.open(&again.await.place).is_some());
            assert_eq!(open(&lanes), MOST);
        });
    }

    #[test]
    fn a_read_waits_longer_for_what_is_left_of_the_one_before() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let client = Client::open(&Settings::new("127.0.0.1:1"), runtime.handle()).expect("a client");
        let lanes = Lanes::new(Arc::new(client));
        runtime.block_on(async {
            let first = lanes.hold("t", 0, 0, false).await;
            lanes.end(first, 5, true);
            let rest = lanes.hold("t", 0, 5, true).await;
            let mut next = std::pin::pin!(lanes.hold("t", 0, 10, true));
            assert!(poll!(next.as_mut()).is_pending(), "the rest comes first");
            lanes.end(rest, 10, false);
            drop(next.await);
        });
    }
}
