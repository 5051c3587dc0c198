//! Partitions that will not grow any more leave the offsets, so that those stay small.

use std::collections::BTreeSet;

use super::Planner;
use crate::offsets::{PartitionId, PartitionOffset};

/// What a look at the whole source says of partitions that will not grow any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// All that was there when the source was looked at, and was created before this, is among the limits that the planner was
    /// given. On the source's clock, in milliseconds since 1970.
    pub before_ms: u64,
    /// The partitions, each created before then.
    pub partitions: BTreeSet<PartitionId>,
}

impl Planner {
    /// Learns what is finished; the newest look counts. One that was made before the source was told what has left does not:
    /// some of the limits that it rests on were passed over.
    pub fn finished(&mut self, finished: Finished) {
        if self.left.is_empty() {
            self.finished = finished;
        }
    }

    /// The partitions that have left since this was last asked, and before when the store created what has left. They are told
    /// once no table holds them any more: then a new file of that name may take their place.
    pub fn left(&mut self) -> (BTreeSet<PartitionId>, u64) {
        let everywhere = self.left.extract_if(.., |_, position| *position <= self.durable);
        (everywhere.map(|(id, _)| id).collect(), self.at.retired.before_ms)
    }

    /// Takes finished partitions out of the offsets, with a cut only: a position has exactly one `Offsets`. Each was consumed to its
    /// end below what every table holds, so that no table will ever have to be brought up over it.
    pub(super) fn retire(&mut self) {
        if self.finished.before_ms <= self.at.retired.before_ms {
            return;
        }
        // From now on, what is old and not among the partitions has left: so all that has not must be among them.
        for (id, limit) in &self.limits {
            let nothing = || PartitionOffset { offset: 0, identity: limit.identity.clone(), landed_tail: false };
            self.at.partitions.entry(id.clone()).or_insert_with(nothing);
        }
        self.at.retired.before_ms = self.finished.before_ms;
        for id in std::mem::take(&mut self.finished.partitions) {
            let everywhere = self.planned.get(&id).is_none_or(|position| *position <= self.durable);
            // Or the earlier generation would be taken for the file of that name.
            let earliest = self.at.partitions.range(PartitionId::first(&*id.name)..id.clone()).next().is_none();
            if self.ready.contains(&id) || !everywhere || !earliest {
                continue;
            }
            self.at.retired.bytes += self.at.partitions.remove(&id).map_or(0, |at| at.offset);
            self.limits.remove(&id);
            self.planned.remove(&id);
            self.left.insert(id, self.position);
        }
    }
}
