//! Partitions that are not there, or cannot be read at the moment.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::{Known, OnLoss, SHORT, Sight, TopicSupply, name_of, place_of};
use crate::kafka::failure::Loss;
use crate::protocol::offsets::PartitionId;

/// What was left to read of a topic that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Left {
    /// Nothing that was seen.
    Nothing,
    /// Nobody knows: this run has not seen it.
    Unknown,
    /// Records.
    Records,
}

impl TopicSupply {
    /// A partition that is there, and cannot be read at the moment: it may come from now on.
    pub(super) fn without_leader(&mut self, sight: &Sight, now_ms: u64) {
        let newest = self.newest(&name_of(&sight.topic, sight.partition));
        if let Some(known) = newest.and_then(|id| self.known.get_mut(&id)) {
            known.gone_since_ms = known.limit.is_none().then_some(now_ms);
        }
    }

    /// What is lost of partitions that were there, and are not among the `sights`; and the topics
    /// that are gone without that, with the most that was left of any partition.
    pub(super) fn vanished(
        &mut self,
        sights: &[Sight],
        now_ms: u64,
    ) -> (Vec<(PartitionId, Loss)>, BTreeMap<String, Left>) {
        let there: BTreeSet<(&str, i32)> = sights.iter().map(|sight| (sight.topic.as_str(), sight.partition)).collect();
        let is_gone = |id: &&PartitionId| place_of(id).is_some_and(|place| !there.contains(&place));
        let gone: Vec<PartitionId> =
            self.known.keys().filter(is_gone).filter(|id| self.is_newest(id)).cloned().collect();
        let (mut losses, mut ended) = (Vec::new(), BTreeMap::new());
        for id in gone {
            let next = self.next_of(&id);
            let Some((known, (topic, _))) = self.known.get_mut(&id).zip(place_of(&id)) else { continue };
            if now_ms.saturating_sub(*known.gone_since_ms.get_or_insert(now_ms)) < SHORT {
                continue;
            }
            let left = match known.limit.take() {
                Some(limit) if limit.end > next => Left::Records,
                Some(_) => Left::Nothing,
                None => Left::Unknown,
            };
            if left == Left::Records && self.on_loss == OnLoss::Stop {
                losses.push((id, Loss::Gone { wanted: next }));
            } else {
                let most = ended.entry(topic.to_owned()).or_insert(left);
                *most = left.max(*most);
            }
        }
        (losses, ended)
    }

    /// Reports once that a topic is gone.
    pub(super) fn tell_end(&mut self, topic: String, left: Left) {
        let lost = match left {
            Left::Nothing => "and what was seen of it was read",
            Left::Unknown => "and nobody knows whether all of it was read: this run has not seen it",
            Left::Records => "and records that were not read are lost",
        };
        if self.gone.insert(topic.clone()) {
            tracing::warn!(topic, "a topic that was read is gone, {lost}");
        }
    }

    /// Whether a partition that this run has not seen may still be there: its broker may not know
    /// it yet.
    pub(super) fn may_come(&self, id: &PartitionId, known: &Known) -> bool {
        let is_gone = known.gone_since_ms.is_none_or(|since| self.seen_ms.saturating_sub(since) >= SHORT);
        known.limit.is_none() && !is_gone && self.is_newest(id)
    }

    /// Whether no records of a partition can be read: its topic is gone, or another one has its
    /// name.
    pub(super) fn is_gone(&self, id: &PartitionId) -> bool {
        !self.is_newest(id) || self.known.get(id).is_none_or(|known| known.limit.is_none())
    }

    /// Whether no later generation of this name is known.
    pub(super) fn is_newest(&self, id: &PartitionId) -> bool {
        let behind = self.known.range((Bound::Excluded(id), Bound::Unbounded)).next();
        behind.is_none_or(|(other, _)| other.name != id.name)
    }
}
