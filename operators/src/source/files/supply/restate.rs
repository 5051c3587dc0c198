//! What else the offsets say about a partition: which file it is, and whether that is gone. A
//! change is recorded with the next cut, because a position has exactly one `Offsets`.

use std::collections::BTreeSet;

use super::{FileSupply, Limit};
use crate::format::logs::lines::{Mark, Standing};
use crate::protocol::offsets::PartitionId;

/// The partitions whose file was gone when the furthest table got there.
pub(super) fn gone(standings: &[Standing]) -> BTreeSet<PartitionId> {
    let furthest = standings.iter().max_by_key(|standing| standing.position());
    let partitions = furthest.iter().flat_map(|standing| &standing.offsets.partitions);
    partitions.filter(|(_, at)| at.gone).map(|(id, _)| id.clone()).collect()
}

impl FileSupply {
    /// The partition's file is there, and may be another than before: a copy of it.
    pub(super) fn note_identity(&mut self, id: &PartitionId, limit: &Limit) {
        let was_gone = self.gone.remove(id);
        let is_known = match self.at.partitions.get(id) {
            Some(at) => at.identity == limit.identity,
            // That another file had its name, a later run must know.
            None => id.generation == 1,
        };
        if was_gone || !is_known {
            self.restated.insert(id.clone());
        }
    }

    /// The partition's file is gone.
    pub(super) fn note_gone(&mut self, id: &PartitionId) {
        if self.gone.insert(id.clone()) {
            self.restated.insert(id.clone());
        }
    }

    /// Enters what has changed since the last cut.
    pub(super) fn restate(&mut self) {
        for id in std::mem::take(&mut self.restated) {
            if let Some(limit) = self.limits.get(&id).filter(|limit| limit.end <= self.at.at(&id)) {
                let nothing = Mark { offset: 0, identity: <_>::default(), landed_tail: false, gone: false };
                let at = self.at.partitions.entry(id.clone()).or_insert(nothing);
                at.identity = limit.identity.clone();
            }
            if let Some(at) = self.at.partitions.get_mut(&id) {
                at.gone = self.gone.contains(&id);
            }
        }
    }
}
