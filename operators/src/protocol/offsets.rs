//! Where the next read of each partition starts.
//!
//! A partition is one ordered piece of a source. What marks a place in it is the source's own
//! ([`Kind`]). [`Offsets`] only ever grow, partition by partition, and belong to one [`Position`].
//!
//! A finished partition *leaves* the offsets, so that they stay small however many there ever were.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::protocol::kind::{Kind, Mark};

/// One ordered piece of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionId {
    /// Its name in the source. For files: relative to the source's root, with forward slashes.
    pub name: String,
    /// 1 for the first partition seen under this name, then 2 and so on.
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

/// Partitions and their marks.
pub type Partitions<M> = BTreeMap<PartitionId, M>;

/// Per partition, where the next read starts. An absent partition stands at its beginning, or has
/// left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets<K: Kind> {
    /// The partitions that may still grow.
    pub partitions: Partitions<K::Mark>,
    /// What is kept of retired ones.
    pub retired: K::Retired,
    position: Position,
}

/// The difference between some offsets and later ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta<K: Kind> {
    /// The partitions that are new or have changed, and everything retired by then.
    pub changed: Offsets<K>,
    /// The partitions that were retired in between.
    pub gone: Vec<PartitionId>,
}

impl<K: Kind> Default for Offsets<K> {
    fn default() -> Self {
        Offsets { partitions: BTreeMap::new(), retired: K::Retired::default(), position: Position(0) }
    }
}

impl<K: Kind> Delta<K> {
    /// How many partitions it names.
    pub fn len(&self) -> usize {
        self.changed.len() + self.gone.len()
    }

    /// Whether it names none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Kind> Offsets<K> {
    /// The offsets of `position`.
    pub fn new(position: Position, partitions: Partitions<K::Mark>, retired: K::Retired) -> Self {
        let offsets = Offsets { partitions, retired, position };
        offsets.check_sum();
        offsets
    }

    /// The one position these offsets belong to.
    pub fn position(&self) -> Position {
        self.position
    }

    /// From here on they belong to `position`.
    pub fn move_to(&mut self, position: Position) {
        self.position = position;
        self.check_sum();
    }

    /// Where the position is a sum, nobody may have changed a mark without it.
    fn check_sum(&self) {
        debug_assert!(K::sum(&self.partitions, &self.retired).is_none_or(|sum| sum == self.position));
    }

    /// How many partitions there are.
    pub fn len(&self) -> usize {
        self.partitions.len()
    }

    /// Whether there is no partition, and none was retired.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty() && self.retired == K::Retired::default()
    }

    /// Whether no partition is further than in `later`, and those missing there were retired at the
    /// marks they have here.
    pub fn precede(&self, later: &Offsets<K>) -> bool {
        let is_behind =
            |(id, here): (&PartitionId, &K::Mark)| later.partitions.get(id).is_none_or(|there| here.precedes(there));
        self.partitions.iter().all(is_behind) && K::adds_up(self, later)
    }

    /// The newest generation known of `name`.
    pub fn newest(&self, name: &str) -> Option<(&PartitionId, &K::Mark)> {
        let first = PartitionId::first(name);
        let last = PartitionId { name: name.to_owned(), generation: u32::MAX };
        self.partitions.range(first..=last).next_back()
    }

    /// The difference from `base` to these offsets.
    pub fn since(&self, base: &Offsets<K>) -> Delta<K> {
        let changed = self.partitions.iter().filter(|(id, p)| base.partitions.get(*id) != Some(*p));
        let partitions = changed.map(|(id, p)| (id.clone(), p.clone())).collect();
        let gone = base.partitions.keys().filter(|id| !self.partitions.contains_key(*id)).cloned().collect();
        let retired = self.retired.clone();
        let position = K::sum(&partitions, &retired).unwrap_or(self.position);
        Delta { changed: Offsets { partitions, retired, position }, gone }
    }

    /// These offsets with `delta` applied.
    pub fn updated(mut self, delta: Delta<K>) -> Offsets<K> {
        for id in &delta.gone {
            self.partitions.remove(id);
        }
        self.partitions.extend(delta.changed.partitions);
        self.retired = delta.changed.retired;
        self.position = K::sum(&self.partitions, &self.retired).unwrap_or(delta.changed.position);
        self
    }
}

/// Partitions as a list, because a JSON object's keys could not tell `a#2` from the second
/// generation of `a`. The position only where it is no sum.
impl<K: Kind> Serialize for Offsets<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = |(id, at): (&PartitionId, &K::Mark)| Entry { id: id.clone(), at: at.clone() };
        let is_sum = K::sum(&self.partitions, &self.retired).is_some();
        List::<K> {
            position: (!is_sum).then_some(self.position),
            partitions: self.partitions.iter().map(entry).collect(),
            retired: self.retired.clone(),
        }
        .serialize(serializer)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Offsets<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let List::<K> { position, partitions, retired } = List::deserialize(deserializer)?;
        let partitions: Partitions<K::Mark> = partitions.into_iter().map(|e| (e.id, e.at)).collect();
        let position = position.or_else(|| K::sum(&partitions, &retired)).unwrap_or_default();
        Ok(Offsets { partitions, retired, position })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
struct List<K: Kind> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
    partitions: Vec<Entry<K::Mark>>,
    #[serde(default, skip_serializing_if = "is_default")]
    retired: K::Retired,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "M: Serialize", deserialize = "M: Deserialize<'de>"))]
struct Entry<M> {
    #[serde(flatten)]
    id: PartitionId,
    #[serde(flatten)]
    at: M,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::numbers::{Next, Numbers};

    fn offsets(position: u64, entries: &[(&str, u64)]) -> Offsets<Numbers> {
        let entries = entries.iter().map(|(name, next)| (PartitionId::first(*name), Next { next: *next }));
        Offsets::new(Position(position), entries.collect(), ())
    }

    #[test]
    fn a_position_that_is_no_sum_is_carried() {
        let before = offsets(7, &[("a", 100)]);
        let json = serde_json::to_string(&before).expect("offsets are JSON");
        let read: Offsets<Numbers> = serde_json::from_str(&json).expect("our own JSON");
        assert_eq!((read.position(), &read), (Position(7), &before));
        let later = offsets(8, &[("a", 100), ("b", 1)]);
        assert!(before.precede(&later) && !later.precede(&before));
        assert_eq!(before.clone().updated(later.since(&before)), later);
    }
}
