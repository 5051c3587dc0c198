//! Which file lags most, for display. Of each cut, only the file with the most bytes in it is kept,
//! and of what is not handed out, only the file with the most left, so that a hundred thousand
//! files cost no more than one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::position::Position;
use crate::protocol::offsets::PartitionId;

/// Bytes of one partition that have not landed, as far as they are tracked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The partition.
    pub partition: PartitionId,
    /// Bytes.
    pub bytes: u64,
}

/// Where bytes wait.
#[derive(Default)]
pub(super) struct Lagging(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    /// Not handed out, as of the last poll or cut.
    planned: Option<Lag>,
    /// In the open cut: the partition that is being handed out, and the one with the most bytes so
    /// far.
    now: Option<Lag>,
    most: Option<Lag>,
    /// In the cuts that have not landed, by their upper bounds.
    cuts: BTreeMap<Position, Lag>,
}

impl Lagging {
    /// Sets which partition has the most bytes that are not handed out; none if nothing waits.
    pub(super) fn waits(&self, lag: Option<Lag>) {
        self.lock().planned = lag;
    }

    /// Bytes of a partition were handed out.
    pub(super) fn handed_out(&self, partition: &PartitionId, bytes: u64) {
        let mut waiting = self.lock();
        if let Some(planned) = waiting.planned.as_mut().filter(|planned| planned.partition == *partition) {
            planned.bytes = planned.bytes.saturating_sub(bytes);
        }
        match waiting.now.as_mut().filter(|now| now.partition == *partition) {
            Some(now) => now.bytes += bytes,
            None => {
                let before = waiting.now.replace(Lag { partition: partition.clone(), bytes });
                waiting.most = larger(waiting.most.take(), before);
            }
        }
    }

    /// The open cut was closed.
    pub(super) fn cut_closed(&self, upper: Position) {
        let mut waiting = self.lock();
        let most = larger(waiting.most.take(), waiting.now.take());
        waiting.cuts.extend(most.map(|lag| (upper, lag)));
    }

    /// All rows up to `position` have landed.
    pub(super) fn landed(&self, position: Position) {
        self.lock().cuts.retain(|upper, _| *upper > position);
    }

    /// The partition with the most bytes; none if nothing waits.
    pub(super) fn most(&self) -> Option<Lag> {
        let waiting = self.lock();
        let Waiting { planned, now, most, cuts } = &*waiting;
        let mut sums: BTreeMap<&PartitionId, u64> = BTreeMap::new();
        for lag in [planned, now, most].into_iter().flatten().chain(cuts.values()) {
            *sums.entry(&lag.partition).or_default() += lag.bytes;
        }
        let (partition, bytes) = sums.into_iter().filter(|(_, bytes)| *bytes > 0).max_by_key(|(_, bytes)| *bytes)?;
        Some(Lag { partition: partition.clone(), bytes })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn larger(a: Option<Lag>, b: Option<Lag>) -> Option<Lag> {
    a.into_iter().chain(b).max_by_key(|lag| lag.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> PartitionId {
        PartitionId::first(name)
    }

    fn most(lagging: &Lagging) -> Option<(String, u64)> {
        lagging.most().map(|lag| (lag.partition.to_string(), lag.bytes))
    }

    fn is(name: &str, bytes: u64) -> Option<(String, u64)> {
        Some((name.to_owned(), bytes))
    }

    #[test]
    fn the_file_with_the_most_bytes_on_their_way_lags() {
        let lagging = Lagging::default();
        assert_eq!(most(&lagging), None);
        lagging.handed_out(&id("a"), 10);
        lagging.handed_out(&id("b"), 15);
        lagging.handed_out(&id("b"), 15);
        lagging.handed_out(&id("c"), 20);
        assert_eq!(most(&lagging), is("b", 30));
        lagging.waits(Some(Lag { partition: id("c"), bytes: 15 }));
        assert_eq!(most(&lagging), is("c", 35), "what waits to be handed out counts too");
        lagging.handed_out(&id("c"), 15);
        assert_eq!(most(&lagging), is("c", 35), "and is counted once");
    }

    #[test]
    fn what_has_landed_does_not_lag() {
        let lagging = Lagging::default();
        lagging.handed_out(&id("a"), 50);
        lagging.cut_closed(Position(50));
        lagging.handed_out(&id("b"), 10);
        lagging.cut_closed(Position(60));
        assert_eq!(most(&lagging), is("a", 50));
        lagging.landed(Position(50));
        assert_eq!(most(&lagging), is("b", 10));
        lagging.landed(Position(60));
        assert_eq!(most(&lagging), None);
    }
}
