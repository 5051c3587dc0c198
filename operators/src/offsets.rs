//! Where the next read of each partition starts.
//!
//! A partition is one ordered piece of a source: a *generation* of a file or blob. A re-created file has the same name and
//! the next generation. [`Offsets`] only ever grow, partition by partition, and their sum is their [`Position`].

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::position::Position;

/// One ordered piece of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionId {
    /// The file's or blob's name, relative to the source's root, with forward slashes.
    pub name: String,
    /// 1 for the first file seen under this name, then 2 and so on.
    pub generation: u32,
}

impl PartitionId {
    /// The first generation of `name`.
    pub fn first(name: impl Into<String>) -> Self {
        PartitionId { name: name.into(), generation: 1 }
    }
}

impl fmt::Display for PartitionId {
    /// What the column `_source` holds: the name, with `#2` and so on for later generations.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            1 => f.write_str(&self.name),
            n => write!(f, "{}#{n}", self.name),
        }
    }
}

/// The first bytes of a partition, by which it is recognised again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// How many of the first bytes the hash covers, at most [`Fingerprint::MAX`].
    pub length: u64,
    /// FNV-1a (64 bit) of those bytes.
    pub hash: u64,
}

impl Fingerprint {
    /// A fingerprint covers at most this many bytes: enough for a log line with its timestamp.
    pub const MAX: u64 = 1024;

    /// The fingerprint of `head`, of which at most [`Fingerprint::MAX`] bytes count.
    pub fn of(head: &[u8]) -> Self {
        let head = &head[..head.len().min(Self::MAX as usize)];
        let hash =
            head.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
        Fingerprint { length: head.len() as u64, hash }
    }
}

/// How a partition's bytes are told from those of another file of the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What the store says of the file's creation, opaque and compared for equality only.
    pub created: String,
    /// The partition's first bytes.
    pub fingerprint: Fingerprint,
}

/// How far one partition has been consumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionOffset {
    /// Where the next read starts, in bytes.
    pub offset: u64,
    /// Which file this is.
    #[serde(flatten)]
    pub identity: Identity,
    /// A last line without a newline was landed: what follows `offset` starts a line of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub landed_tail: bool,
}

/// Per partition, where the next read starts. A partition that is absent stands at zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets(pub BTreeMap<PartitionId, PartitionOffset>);

impl Offsets {
    /// The one position these offsets belong to.
    pub fn position(&self) -> Position {
        Position(self.0.values().map(|p| p.offset).sum())
    }

    /// How many partitions there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was ever read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where the next read of `partition` starts.
    pub fn at(&self, partition: &PartitionId) -> u64 {
        self.0.get(partition).map_or(0, |p| p.offset)
    }

    /// Whether no partition stands further than in `later`.
    pub fn precede(&self, later: &Offsets) -> bool {
        self.0.iter().all(|(id, p)| p.offset <= later.at(id))
    }

    /// The newest generation known of `name`.
    pub fn newest(&self, name: &str) -> Option<(&PartitionId, &PartitionOffset)> {
        let first = PartitionId::first(name);
        let last = PartitionId { name: name.to_owned(), generation: u32::MAX };
        self.0.range(first..=last).next_back()
    }

    /// The entries that are not the same in `base`; together with `base` they give these offsets back.
    pub fn since(&self, base: &Offsets) -> Offsets {
        let changed = self.0.iter().filter(|(id, p)| base.0.get(*id) != Some(*p));
        Offsets(changed.map(|(id, p)| (id.clone(), p.clone())).collect())
    }

    /// These offsets with the entries of `newer` in place of their own.
    pub fn updated(mut self, newer: Offsets) -> Offsets {
        self.0.extend(newer.0);
        self
    }
}

/// As a list, because a JSON object's keys could not tell `a#2` from the second generation of `a`.
impl Serialize for Offsets {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(id, at)| Entry { id: id.clone(), at: at.clone() }))
    }
}

impl<'de> Deserialize<'de> for Offsets {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Vec::<Entry>::deserialize(deserializer)?;
        Ok(Offsets(entries.into_iter().map(|e| (e.id, e.at)).collect()))
    }
}

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    id: PartitionId,
    #[serde(flatten)]
    at: PartitionOffset,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(entries: &[(&str, u32, u64)]) -> Offsets {
        let entry = |&(name, generation, offset): &(&str, u32, u64)| {
            let at = PartitionOffset { offset, identity: Identity::default(), landed_tail: false };
            (PartitionId { name: name.into(), generation }, at)
        };
        Offsets(entries.iter().map(entry).collect())
    }

    #[test]
    fn the_position_is_the_sum_over_all_generations() {
        assert_eq!(offsets(&[("a", 1, 10), ("a", 2, 5), ("b", 1, 7)]).position(), Position(22));
    }

    #[test]
    fn offsets_survive_json_even_where_a_name_looks_like_a_generation() {
        let before = offsets(&[("a", 2, 10), ("a#2", 1, 5)]);
        let json = serde_json::to_string(&before).expect("offsets are JSON");
        assert_eq!(serde_json::from_str::<Offsets>(&json).expect("our own JSON"), before);
    }

    #[test]
    fn changed_entries_and_their_base_give_the_offsets_back() {
        let base = offsets(&[("a", 1, 10), ("b", 1, 7)]);
        let now = offsets(&[("a", 1, 10), ("b", 1, 9), ("c", 1, 1)]);
        assert_eq!(now.since(&base), offsets(&[("b", 1, 9), ("c", 1, 1)]));
        assert_eq!(base.clone().updated(now.since(&base)), now);
    }

    #[test]
    fn the_newest_generation_is_found_by_name_alone() {
        let now = offsets(&[("a", 1, 10), ("a", 3, 1), ("ab", 1, 7)]);
        assert_eq!(now.newest("a").map(|(id, _)| id.generation), Some(3));
        assert_eq!(now.newest("c"), None);
    }
}
