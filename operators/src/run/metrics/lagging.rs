//! Which partition lags most, for display. Of each cut, only the one with the most in it is kept,
//! and of what is not handed out, only the one with the most left, so that a hundred thousand cost
//! no more than one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::position::Position;
use crate::protocol::offsets::PartitionId;

/// What of one partition has not landed, as far as it is tracked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The partition.
    pub partition: PartitionId,
    /// In the unit of positions.
    pub lag: u64,
}

/// What waits.
#[derive(Default)]
pub(super) struct Lagging(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    /// Not handed out, as of the last look or cut.
    planned: Option<Lag>,
    /// In the open cut: the partition that is being handed out, and the one with the most so far.
    now: Option<Lag>,
    most: Option<Lag>,
    /// In the cuts that have not landed, by their upper bounds.
    cuts: BTreeMap<Position, Lag>,
}

impl Lagging {
    /// Sets which partition has the most that is not handed out; none if nothing waits.
    pub(super) fn waits(&self, lag: Option<Lag>) {
        self.lock().planned = lag;
    }

    /// Part of a partition was handed out.
    pub(super) fn handed_out(&self, partition: &PartitionId, lag: u64) {
        let mut waiting = self.lock();
        if let Some(planned) = waiting.planned.as_mut().filter(|planned| planned.partition == *partition) {
            planned.lag = planned.lag.saturating_sub(lag);
        }
        match waiting.now.as_mut().filter(|now| now.partition == *partition) {
            Some(now) => now.lag += lag,
            None => {
                let before = waiting.now.replace(Lag { partition: partition.clone(), lag });
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

    /// The partition with the most; none if nothing waits.
    pub(super) fn most(&self) -> Option<Lag> {
        let waiting = self.lock();
        let Waiting { planned, now, most, cuts } = &*waiting;
        let mut sums: BTreeMap<&PartitionId, u64> = BTreeMap::new();
        for lag in [planned, now, most].into_iter().flatten().chain(cuts.values()) {
            *sums.entry(&lag.partition).or_default() += lag.lag;
        }
        let (partition, lag) = sums.into_iter().filter(|(_, lag)| *lag > 0).max_by_key(|(_, lag)| *lag)?;
        Some(Lag { partition: partition.clone(), lag })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn larger(a: Option<Lag>, b: Option<Lag>) -> Option<Lag> {
    a.into_iter().chain(b).max_by_key(|lag| lag.lag)
}

#[cfg(test)]
mod tests;
