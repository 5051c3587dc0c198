//! Where the next read of each partition starts.
//!
//! A partition is one ordered piece of a source: a *generation* of a file or blob. A re-created
//! file has the same name and the next generation. [`Offsets`] only ever grow, partition by
//! partition, and their sum is their [`Position`].
//!
//! A finished partition *leaves* the offsets. Its bytes still count, in [`Retired`], so that
//! offsets stay small however many blobs there ever were.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

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
    /// The value of the column `_source`: the name, with `#2` and so on for later generations. If
    /// the name itself ends like that, its first generation gets `#1`, so that no two partitions
    /// look the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            1 if !ends_like_a_generation(&self.name) => f.write_str(&self.name),
            n => write!(f, "{}#{n}", self.name),
        }
    }
}

fn ends_like_a_generation(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, end)| !end.is_empty() && end.bytes().all(|b| b.is_ascii_digit()))
}

/// A hash of a partition's first bytes, by which it is recognised again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// The fingerprint of no bytes, which every file begins with.
impl Default for Fingerprint {
    fn default() -> Self {
        Fingerprint::of(b"")
    }
}

/// A hash of the bytes before one byte of a partition. It tells apart files that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The byte after those that it covers. It may lie beyond the partition's offset, never beyond
    /// what was seen.
    pub end: u64,
    /// FNV-1a (64 bit) of the [`Fingerprint::MAX`] bytes before `end`.
    pub hash: u64,
}

impl Anchor {
    /// The anchor at `end`, whose `bytes` are those of [`Anchor::range`].
    pub fn of(end: u64, bytes: &[u8]) -> Self {
        Anchor { end, hash: Fingerprint::of(bytes).hash }
    }

    /// The bytes that an anchor at `end` covers; `None` if the fingerprint covers them, too.
    pub fn range(end: u64) -> Option<Range<u64>> {
        (end > Fingerprint::MAX).then(|| end - Fingerprint::MAX..end)
    }
}

/// What tells a partition's bytes from those of another file of the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The store's mark of the file's creation: opaque, compared for equality only.
    pub created: String,
    /// The store's mark of the content when it was looked into (an ETag), equal only while the
    /// content is. An equal mark saves another look; a different one never means another file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// The partition's first bytes.
    pub fingerprint: Fingerprint,
    /// Some of its later bytes; `None` if they are not known, or the store tells files apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Anchor>,
}

/// How far one partition has been consumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionOffset {
    /// Where the next read starts, in bytes.
    pub offset: u64,
    /// Which file this is.
    #[serde(flatten)]
    pub identity: Identity,
    /// The last line was landed without a newline: the bytes after `offset` start a new line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub landed_tail: bool,
    /// Its file is known to exist no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

/// The partitions that have left the offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// Bytes consumed of them, in total.
    pub bytes: u64,
    /// Files created before this instant (the store's clock, milliseconds since 1970) that are not
    /// among the partitions are done: consumed and retired, or excluded. Zero means none.
    pub before_ms: u64,
}

impl Retired {
    fn is_none(&self) -> bool {
        *self == Retired::default()
    }
}

/// Per partition, where the next read starts. An absent partition stands at zero, or has left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// The partitions that may still grow.
    pub partitions: BTreeMap<PartitionId, PartitionOffset>,
    /// Those that have left.
    pub retired: Retired,
}

/// The difference between some offsets and later ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// The partitions that are new or have changed, and everything retired by then.
    pub changed: Offsets,
    /// The partitions that have left in between.
    pub gone: Vec<PartitionId>,
}

impl Delta {
    /// How many partitions it names.
    pub fn len(&self) -> usize {
        self.changed.len() + self.gone.len()
    }

    /// Whether it names none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Offsets {
    /// The one position these offsets belong to.
    pub fn position(&self) -> Position {
        Position(self.retired.bytes + self.partitions.values().map(|p| p.offset).sum::<u64>())
    }

    /// How many partitions there are.
    pub fn len(&self) -> usize {
        self.partitions.len()
    }

    /// Whether there is no partition, and none has left.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty() && self.retired.is_none()
    }

    /// Where the next read of `partition` starts.
    pub fn at(&self, partition: &PartitionId) -> u64 {
        self.partitions.get(partition).map_or(0, |p| p.offset)
    }

    /// Whether no partition is further than in `later`, and those missing there have left at the
    /// offsets they have here.
    pub fn precede(&self, later: &Offsets) -> bool {
        let (mut gone, mut grown) = (0, true);
        for (id, here) in &self.partitions {
            match later.partitions.get(id) {
                Some(there) => grown &= here.offset <= there.offset,
                None => gone += here.offset,
            }
        }
        grown && self.retired.bytes + gone == later.retired.bytes
    }

    /// The newest generation known of `name`.
    pub fn newest(&self, name: &str) -> Option<(&PartitionId, &PartitionOffset)> {
        let first = PartitionId::first(name);
        let last = PartitionId { name: name.to_owned(), generation: u32::MAX };
        self.partitions.range(first..=last).next_back()
    }

    /// The difference from `base` to these offsets.
    pub fn since(&self, base: &Offsets) -> Delta {
        let changed = self.partitions.iter().filter(|(id, p)| base.partitions.get(*id) != Some(*p));
        let partitions = changed.map(|(id, p)| (id.clone(), p.clone())).collect();
        let gone = base.partitions.keys().filter(|id| !self.partitions.contains_key(*id)).cloned().collect();
        Delta { changed: Offsets { partitions, retired: self.retired }, gone }
    }

    /// These offsets with `delta` applied.
    pub fn updated(mut self, delta: Delta) -> Offsets {
        for id in &delta.gone {
            self.partitions.remove(id);
        }
        self.partitions.extend(delta.changed.partitions);
        self.retired = delta.changed.retired;
        self
    }
}

impl FromIterator<(PartitionId, PartitionOffset)> for Offsets {
    fn from_iter<I: IntoIterator<Item = (PartitionId, PartitionOffset)>>(entries: I) -> Self {
        Offsets { partitions: entries.into_iter().collect(), retired: Retired::default() }
    }
}

/// Partitions as a list, because a JSON object's keys could not tell `a#2` from the second
/// generation of `a`.
impl Serialize for Offsets {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = |(id, at): (&PartitionId, &PartitionOffset)| Entry { id: id.clone(), at: at.clone() };
        List { partitions: self.partitions.iter().map(entry).collect(), retired: self.retired }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Offsets {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let List { partitions, retired } = List::deserialize(deserializer)?;
        Ok(Offsets { partitions: partitions.into_iter().map(|e| (e.id, e.at)).collect(), retired })
    }
}

#[derive(Serialize, Deserialize)]
struct List {
    partitions: Vec<Entry>,
    #[serde(default, skip_serializing_if = "Retired::is_none")]
    retired: Retired,
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
            let at = PartitionOffset { offset, identity: Identity::default(), landed_tail: false, gone: false };
            (PartitionId { name: name.into(), generation }, at)
        };
        entries.iter().map(entry).collect()
    }

    /// The same, with `bytes` retired.
    fn retired(entries: &[(&str, u32, u64)], bytes: u64) -> Offsets {
        Offsets { retired: Retired { bytes, before_ms: 1 }, ..offsets(entries) }
    }

    #[test]
    fn the_position_is_the_sum_over_all_generations() {
        assert_eq!(offsets(&[("a", 1, 10), ("a", 2, 5), ("b", 1, 7)]).position(), Position(22));
    }

    #[test]
    fn no_two_partitions_look_the_same() {
        let shown = |name: &str, generation| PartitionId { name: name.into(), generation }.to_string();
        assert_eq!((shown("a.json", 1), shown("a.json", 2)), ("a.json".to_owned(), "a.json#2".to_owned()));
        assert_eq!((shown("a.json#2", 1), shown("a.json#2", 2)), ("a.json#2#1".to_owned(), "a.json#2#2".to_owned()));
        assert_eq!((shown("a#b", 1), shown("a#", 1), shown("#7", 1)), ("a#b".into(), "a#".into(), "#7#1".into()));
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
        assert_eq!(now.since(&base), Delta { changed: offsets(&[("b", 1, 9), ("c", 1, 1)]), gone: Vec::new() });
        assert_eq!(base.clone().updated(now.since(&base)), now);
        let later = retired(&[("b", 1, 9)], 11);
        assert_eq!(now.clone().updated(later.since(&now)), later);
    }

    #[test]
    fn a_partition_that_leaves_goes_on_counting() {
        let (before, after) = (offsets(&[("a", 1, 10), ("b", 1, 7)]), retired(&[("b", 1, 7)], 10));
        assert_eq!(before.position(), after.position());
        assert!(before.precede(&after) && !after.precede(&before));
        let json = serde_json::to_string(&after).expect("offsets are JSON");
        assert_eq!(serde_json::from_str::<Offsets>(&json).expect("our own JSON"), after);
    }

    #[test]
    fn offsets_that_lack_a_part_of_what_has_left_lead_nowhere() {
        let after = retired(&[("b", 1, 7)], 10);
        assert!(!offsets(&[("a", 1, 9), ("b", 1, 7)]).precede(&after), "a was not read to its end");
        assert!(!offsets(&[("b", 1, 7)]).precede(&after), "a was not read at all");
    }

    #[test]
    fn the_newest_generation_is_found_by_name_alone() {
        let now = offsets(&[("a", 1, 10), ("a", 3, 1), ("ab", 1, 7)]);
        assert_eq!(now.newest("a").map(|(id, _)| id.generation), Some(3));
        assert_eq!(now.newest("c"), None);
    }
}
