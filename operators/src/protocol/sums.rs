//! How many rows a table holds of each partition, and their checksum.
//!
//! [`Sum`]s add up in any order and in any grouping, so they do not depend on workers, pieces of
//! work or cuts. Each commit's offsets file carries the [`Totals`] up to its position; `prove`
//! compares them with the source and with the table.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::protocol::kind::Kind;
use crate::protocol::offsets::{Offsets, PartitionId};

/// A range of a partition, 2^[`FINEST_LOG2`] wide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bucket {
    /// The partition.
    pub partition: PartitionId,
    /// Its number: the first one begins at zero.
    pub range: u64,
    /// The number of the finer range within it, if the kind of source has those
    /// ([`Kind::RANGE`]); otherwise zero. Totals do not tell them apart; a sink may.
    pub part: u64,
}

/// A number of rows and the sum of their checksums. In JSON it is one text, because there may be
/// many: the number, a space, the sum in hexadecimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sum {
    /// How many rows.
    pub rows: u64,
    /// The sum of their checksums, modulo 2^128.
    pub checksum: u128,
}

impl Sum {
    /// The sum of no rows.
    pub const NONE: Sum = Sum { rows: 0, checksum: 0 };

    /// The sum of one row.
    pub fn row(checksum: u128) -> Self {
        Sum { rows: 1, checksum }
    }
}

impl std::ops::AddAssign for Sum {
    fn add_assign(&mut self, other: Sum) {
        self.rows = self.rows.wrapping_add(other.rows);
        self.checksum = self.checksum.wrapping_add(other.checksum);
    }
}

impl std::iter::Sum for Sum {
    fn sum<I: Iterator<Item = Sum>>(sums: I) -> Sum {
        sums.fold(Sum::default(), |mut all, sum| {
            all += sum;
            all
        })
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{} {:032x}", self.rows, self.checksum))
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let (rows, checksum) = text.split_once(' ').ok_or_else(|| Error::custom("a sum has two numbers"))?;
        let checksum = u128::from_str_radix(checksum, 16).map_err(Error::custom)?;
        Ok(Sum { rows: rows.parse().map_err(Error::custom)?, checksum })
    }
}

/// The width of a partition's buckets while it is short, and of the ranges in which rows are
/// counted: this power of two, in the unit of the partition's offsets. For bytes, that is a
/// mebibyte.
pub const FINEST_LOG2: u32 = 20;
/// The widest bucket: offsets have 63 bits.
const WIDEST_LOG2: u32 = 63 - BUCKETS.ilog2();
/// A partition has at most this many buckets: they grow wider as it grows longer. Each takes some
/// fifty bytes of every full offsets file, and is needed to locate a difference only if the source
/// is gone.
const BUCKETS: usize = 16;

/// The rows of one partition, by ranges of their offsets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Buckets {
    /// A bucket is this power of two wide.
    width_log2: u32,
    /// One for each bucket, from the partition's beginning on.
    sums: Vec<Sum>,
}

impl Default for Buckets {
    fn default() -> Self {
        Buckets { width_log2: FINEST_LOG2, sums: Vec::new() }
    }
}

impl Buckets {
    /// Adds rows whose offsets lie in the same range as `offset`.
    pub fn add(&mut self, offset: u64, sum: Sum) {
        while offset >> self.width_log2 >= BUCKETS as u64 {
            self.sums = self.sums.chunks(2).map(|pair| pair.iter().copied().sum()).collect();
            self.width_log2 += 1;
        }
        let bucket = (offset >> self.width_log2) as usize;
        if self.sums.len() <= bucket {
            self.sums.resize(bucket + 1, Sum::default());
        }
        self.sums[bucket] += sum;
    }

    /// All rows.
    pub fn sum(&self) -> Sum {
        self.sums.iter().copied().sum()
    }

    /// Each bucket: the range of its offsets, and its rows. There are none beyond the last.
    pub fn iter(&self) -> impl Iterator<Item = (Range<u64>, Sum)> {
        let width = 1_u64 << self.width_log2;
        (0..).map(move |bucket| bucket * width..(bucket + 1) * width).zip(self.sums.iter().copied())
    }
}

/// The rows of a table at one position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Rows that landed under the present settings, of the partitions that are still among the
    /// offsets.
    #[serde(with = "listed", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub partitions: BTreeMap<PartitionId, Buckets>,
    /// Rows that landed under the present settings, of retired partitions.
    #[serde(alias = "left")]
    pub retired: Sum,
    /// Rows that landed under earlier settings.
    pub earlier: Sum,
}

impl Totals {
    /// No rows.
    pub const NONE: Totals = Totals { partitions: BTreeMap::new(), retired: Sum::NONE, earlier: Sum::NONE };

    /// Adds rows of `bucket`.
    pub fn add(&mut self, bucket: &Bucket, sum: Sum) {
        let Bucket { partition, range, .. } = bucket;
        if !self.partitions.contains_key(partition) {
            self.partitions.insert(partition.clone(), Buckets::default());
        }
        self.partitions.get_mut(partition).expect("it was just inserted").add(range << FINEST_LOG2, sum);
    }

    /// All rows.
    pub fn sum(&self) -> Sum {
        self.partitions.values().map(Buckets::sum).chain([self.retired, self.earlier]).sum()
    }

    /// Moves the partitions that are no longer among `offsets` to `retired`.
    pub fn retire<K: Kind>(&mut self, offsets: &Offsets<K>) {
        let retired = self.partitions.extract_if(.., |id, _| !offsets.partitions.contains_key(id));
        self.retired += retired.map(|(_, buckets)| buckets.sum()).sum();
    }

    /// Counts all rows so far as `earlier`, because other settings are in force from here on.
    pub fn begin_anew(&mut self) {
        *self = Totals { earlier: self.sum(), ..Totals::default() };
    }

    /// The totals of the partitions that changed since `base`; [`Totals::updated`] applies them to
    /// it.
    pub fn since<K: Kind>(&self, base: &Totals, offsets: &Offsets<K>) -> Totals {
        let changed = self.partitions.iter().filter(|(id, buckets)| base.partitions.get(*id) != Some(*buckets));
        // A retired partition whose name another one has taken is listed without rows.
        let anew = |id: &&PartitionId| !self.partitions.contains_key(*id) && offsets.partitions.contains_key(*id);
        let anew = base.partitions.keys().filter(anew).map(|id| (id.clone(), Buckets::default()));
        Totals { partitions: changed.map(|(id, buckets)| (id.clone(), buckets.clone())).chain(anew).collect(), ..*self }
    }

    /// Applies `changed`, and drops the partitions that are not among `offsets`.
    pub fn updated<K: Kind>(mut self, changed: Totals, offsets: &Offsets<K>) -> Totals {
        self.partitions.retain(|id, _| offsets.partitions.contains_key(id));
        self.partitions.extend(changed.partitions);
        self.partitions.retain(|_, buckets| !buckets.sums.is_empty());
        Totals { partitions: self.partitions, ..changed }
    }
}

/// Partitions as a list, as in [`Offsets`].
mod listed {
    use super::{BTreeMap, BUCKETS, Buckets, Deserialize, FINEST_LOG2, PartitionId, Serialize, Sum, WIDEST_LOG2};
    use serde::{Deserializer, Serializer, de::Error};

    #[derive(Serialize)]
    struct Entry<'t> {
        #[serde(flatten)]
        id: &'t PartitionId,
        #[serde(flatten)]
        buckets: &'t Buckets,
    }

    /// An entry as a file has it, which may be damaged.
    #[derive(Deserialize)]
    struct Unchecked {
        #[serde(flatten)]
        id: PartitionId,
        width_log2: u32,
        sums: Vec<Sum>,
    }

    pub(super) fn serialize<S: Serializer>(all: &BTreeMap<PartitionId, Buckets>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(all.iter().map(|(id, buckets)| Entry { id, buckets }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<PartitionId, Buckets>, D::Error> {
        let buckets = |Unchecked { id, width_log2, sums }| {
            if !(FINEST_LOG2..=WIDEST_LOG2).contains(&width_log2) || sums.len() > BUCKETS {
                return Err(D::Error::custom(format!(
                    "the totals of {id} are damaged: {} buckets that are 2^{width_log2} wide",
                    sums.len()
                )));
            }
            Ok((id, Buckets { width_log2, sums }))
        };
        Vec::<Unchecked>::deserialize(from)?.into_iter().map(buckets).collect()
    }
}

#[cfg(test)]
mod tests;
