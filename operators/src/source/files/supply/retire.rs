//! Partitions that will not grow any more are retired, to keep the offsets small.

use std::collections::BTreeSet;

use super::FileSupply;
use crate::format::logs::lines::Mark;
use crate::protocol::offsets::PartitionId;

/// What a look at the whole source found out about partitions that will not grow any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// The planner has been given a limit for every file that was there at the look and was created
    /// before this instant. On the source's clock, in milliseconds since 1970.
    pub before_ms: u64,
    /// The partitions, each created before then.
    pub partitions: BTreeSet<PartitionId>,
}

impl FileSupply {
    /// Learns what is finished; the newest look counts. A look is ignored if it was made before the
    /// source knew of all retired partitions: some of its limits were passed over.
    pub fn finished(&mut self, finished: Finished) {
        if self.retired.is_empty() {
            self.finished = finished;
        }
    }

    /// The partitions that were retired since the last call, and the instant before which all
    /// retired ones were created. A partition is returned once no table holds it any more: then a
    /// new file of that name may take its place.
    pub fn retired(&mut self) -> (BTreeSet<PartitionId>, u64) {
        let everywhere = self.retired.extract_if(.., |_, position| *position <= self.acknowledged);
        (everywhere.map(|(id, _)| id).collect(), self.at.retired.before_ms)
    }

    /// Takes finished partitions out of the offsets, only together with a cut, because a position
    /// has exactly one `Offsets`. Every table holds all of such a partition, so no table will ever
    /// have to be caught up over it.
    pub(super) fn retire(&mut self) {
        if self.finished.before_ms <= self.at.retired.before_ms {
            return;
        }
        // From now on, an old file that is not among the partitions counts as retired, so every
        // file with a limit is added to them.
        for (id, limit) in &self.limits {
            let nothing = || Mark { offset: 0, identity: limit.identity.clone(), landed_tail: false, gone: false };
            self.at.partitions.entry(id.clone()).or_insert_with(nothing);
        }
        self.at.retired.before_ms = self.finished.before_ms;
        for id in std::mem::take(&mut self.finished.partitions) {
            let everywhere = self.planned.get(&id).is_none_or(|position| *position <= self.acknowledged);
            // Otherwise the earlier generation would be taken for the file of that name.
            let earliest = self.at.partitions.range(PartitionId::first(&*id.name)..id.clone()).next().is_none();
            if self.ready.contains(&id) || !everywhere || !earliest {
                continue;
            }
            self.at.retired.bytes += self.at.partitions.remove(&id).map_or(0, |at| at.offset);
            self.limits.remove(&id);
            self.planned.remove(&id);
            self.retired.insert(id, self.at.position());
        }
    }
}
