//! Compares the sums of one table from three sides (source, totals, table), and finds where they
//! first differ.
//!
//! The table's rows are compared with the totals all together, the source's partition by partition.
//! Ranges are compared only when one of these comparisons fails, to find the first that differs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::extent::Extent;
use super::lake::Lake;
use super::subject::Subject;
use super::sums::{Mebibytes, Sums, bytes, first_difference, within};
use super::told::PieceId;
use crate::format::logs::lines::Recorded;
use crate::protocol::offsets::PartitionId;
use crate::protocol::sums::{Buckets, FINEST_LOG2, Sum};

/// All that is known of one table.
pub(super) struct Evidence<'e> {
    pub(super) recorded: &'e Recorded,
    pub(super) extent: &'e Extent,
    /// The sums of the rows that the source yields, by piece.
    pub(super) source: &'e BTreeMap<PieceId, Mebibytes>,
    pub(super) lake: &'e Lake,
    /// Rows of other pipelines in the same table, and their `_source`s.
    pub(super) foreign: Sum,
    pub(super) foreign_sources: &'e BTreeSet<String>,
}

/// Where the source and the totals, or the table and the totals, first differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FirstDifference {
    /// In a mebibyte of a `_source` that can be read again.
    Mebibyte(String, u64),
    /// In a range of a `_source` that cannot be read again: the numbers of rows in totals and
    /// table.
    Range(String, Range<u64>, [u64; 2]),
    /// In the totals of a range of a `_source` where source and table agree.
    Totals(String, Range<u64>),
    /// In rows without a valid `_source` and `_offset`.
    Nameless,
    /// In rows that landed under earlier settings, or whose partition is retired: the
    /// numbers of rows in totals and table.
    Elsewhere([u64; 2]),
}

/// What agrees: the number of rows, and the checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Agreement {
    pub(super) rows: bool,
    pub(super) checksums: bool,
}

impl Agreement {
    fn of(pairs: impl Iterator<Item = (Sum, Sum)>) -> Self {
        pairs.fold(Agreement { rows: true, checksums: true }, |all, (a, b)| Agreement {
            rows: all.rows && a.rows == b.rows,
            checksums: all.checksums && a.checksum == b.checksum,
        })
    }

    pub(super) fn is_whole(self) -> bool {
        self.rows && self.checksums
    }
}

impl<'e> Evidence<'e> {
    /// What is known of `subject`.
    pub(super) fn of(
        subject: &'e Subject<'_>,
        extent: &'e Extent,
        source: &'e BTreeMap<PieceId, Mebibytes>,
        lake: &'e Lake,
    ) -> Self {
        let Subject { recorded, foreign, foreign_sources, .. } = subject;
        Evidence { recorded, extent, source, lake, foreign: *foreign, foreign_sources }
    }

    /// The sum of all rows that the source yields.
    pub(super) fn source_sum(&self) -> Sum {
        self.source.values().flat_map(BTreeMap::values).copied().sum()
    }

    /// Whether the table holds what the totals say.
    pub(super) fn lake_agrees(&self) -> Agreement {
        let totals = [self.recorded.totals().sum(), self.foreign].into_iter().sum();
        Agreement::of([(self.lake.sum(), totals)].into_iter())
    }

    /// Whether the source, as far as it can be read again, yields what the totals say.
    pub(super) fn source_agrees(&self) -> Agreement {
        let totals = self.recorded.totals();
        let partitions = self.recorded.standing.offsets.partitions.keys().filter(|id| !self.extent.gone.contains(*id));
        let of_partition = |id| {
            let told = self.source.get(&(Clone::clone(id), false)).map(total).unwrap_or_default();
            (told, totals.partitions.get(id).map(Buckets::sum).unwrap_or_default())
        };
        let retired = self.extent.retired_are_there.then(|| {
            let pieces = self.source.iter().filter(|((_, retired), _)| *retired);
            (pieces.map(|(_, rows)| total(rows)).sum(), totals.retired)
        });
        Agreement::of(partitions.map(of_partition).chain(retired))
    }

    /// Whether retired blobs were renamed after they were read: the table
    /// agrees with the totals, it holds rows of blobs that are no longer there, and the source has
    /// blobs of which the table holds no rows. A service may let a blob be renamed and keep its
    /// creation time. A blob that is still there under its own name must agree with the table.
    pub(super) fn left_is_renamed(&self) -> bool {
        let retired: Vec<_> = self.source.iter().filter(|((_, retired), _)| *retired).collect();
        let sum: Sum = retired.iter().map(|(_, rows)| total(rows)).sum();
        if !self.extent.retired_are_there || sum == self.recorded.totals().retired || !self.lake_agrees().is_whole() {
            return false;
        }
        let told: BTreeSet<String> = self.source.keys().map(|(id, _)| id.to_string()).collect();
        let is_ours = |source: &String| !self.foreign_sources.contains(source);
        let lacks = |source: &String| is_ours(source) && !self.is_among(source) && !told.contains(source);
        let fits = |id: &PartitionId, rows: &Mebibytes| {
            let held = self.lake.present.of(&id.to_string());
            held.is_empty() || first_difference(rows, &held).is_none()
        };
        self.lake.present.0.keys().any(lacks) && retired.iter().all(|((id, _), rows)| fits(id, rows))
    }

    /// The first place where they differ, in the order of `_source` and `_offset`; none if it
    /// cannot be determined.
    pub(super) fn first_difference(&self) -> Option<FirstDifference> {
        let mut told = Sums::default();
        self.source.iter().for_each(|((id, _), rows)| told.add_all(&id.to_string(), rows));
        let gone: BTreeMap<String, _> = self.extent.gone.iter().map(|id| (id.to_string(), id)).collect();
        let known = self.recorded.standing.offsets.partitions.keys().map(ToString::to_string);
        let sources: BTreeSet<String> =
            known.chain(told.0.keys().cloned()).chain(self.lake.present.0.keys().cloned()).collect();
        let sources = sources.iter().filter(|source| !self.foreign_sources.contains(*source));
        let all_is_there = self.extent.retired_are_there && self.recorded.totals().earlier.rows == 0;
        for source in sources {
            let in_lake = self.lake.present.of(source);
            let is_known = told.0.contains_key(source) || self.is_among(source);
            let place = match gone.get(source) {
                Some(id) => self.in_range(source, self.recorded.totals().partitions.get(*id), &in_lake),
                None if is_known || all_is_there => {
                    let mebibyte = first_difference(&told.of(source), &in_lake);
                    mebibyte.map(|mebibyte| FirstDifference::Mebibyte(source.clone(), mebibyte))
                }
                // Perhaps a finished blob that is no longer there.
                None => None,
            };
            if place.is_some() {
                return place;
            }
        }
        if self.lake.nameless.rows > 0 {
            return Some(FirstDifference::Nameless);
        }
        if let Some(place) = self.in_totals() {
            return Some(place);
        }
        let totals = self.recorded.totals();
        let elsewhere: Sum = [totals.earlier, totals.retired].into_iter().sum();
        let in_partitions: Sum = totals.partitions.values().map(Buckets::sum).sum();
        let rest = self.lake.sum().rows.saturating_sub(in_partitions.rows + self.foreign.rows);
        (!self.lake_agrees().is_whole()).then_some(FirstDifference::Elsewhere([elsewhere.rows, rest]))
    }

    /// Where the totals differ from a source that can be read again, though the table does not.
    fn in_totals(&self) -> Option<FirstDifference> {
        let partitions = self.recorded.totals().partitions.iter();
        partitions.filter(|(id, _)| !self.extent.gone.contains(*id)).find_map(|(id, buckets)| {
            let told = self.source.get(&(id.clone(), false));
            let told = |range: &Range<u64>| told.map(|rows| within(rows, range)).unwrap_or_default();
            let (range, _) = buckets.iter().find(|(range, sum)| told(range) != *sum)?;
            Some(FirstDifference::Totals(id.to_string(), range))
        })
    }

    /// Which of the three disagrees with the other two around a mebibyte of that `_source`.
    pub(super) fn odd_one(&self, source: &str, mebibyte: u64) -> Option<Odd> {
        let mut ids = self.recorded.standing.offsets.partitions.keys();
        let Some(id) = ids.find(|id| id.to_string() == source) else {
            // It is retired, or was never among them: of these, the totals have only one
            // common sum.
            let retired = self.source.iter().filter(|((_, retired), _)| *retired).map(|(_, rows)| total(rows));
            let is_told = self.extent.retired_are_there && retired.sum::<Sum>() == self.recorded.totals().retired;
            return match (is_told, self.lake_agrees().is_whole()) {
                (true, _) => Some(Odd::Table),
                (false, true) => Some(Odd::Source),
                (false, false) => None,
            };
        };
        let buckets = self.recorded.totals().partitions.get(id);
        let at = mebibyte << FINEST_LOG2;
        let bucket = buckets.and_then(|buckets| buckets.iter().find(|(range, _)| range.contains(&at)));
        let (range, in_totals) = bucket.unwrap_or((bytes(mebibyte), Sum::default()));
        let told = self.source.get(&(id.clone(), false)).map(|rows| within(rows, &range)).unwrap_or_default();
        let in_lake = within(&self.lake.present.of(source), &range);
        match (told == in_totals, in_lake == in_totals) {
            (true, false) => Some(Odd::Table),
            (false, true) => Some(Odd::Source),
            (false, false) if told == in_lake => Some(Odd::Totals),
            _ => None,
        }
    }

    /// Whether a partition among the offsets has that `_source`.
    fn is_among(&self, source: &str) -> bool {
        let known = &self.recorded.standing.offsets.partitions;
        let later = source.rsplit_once('#').and_then(|(name, generation)| {
            let id = PartitionId { name: name.to_owned(), generation: generation.parse().ok()? };
            (id.to_string() == source).then_some(id)
        });
        known.contains_key(&PartitionId::first(source)) || later.is_some_and(|id| known.contains_key(&id))
    }

    fn in_range(&self, source: &str, buckets: Option<&Buckets>, in_lake: &Mebibytes) -> Option<FirstDifference> {
        let place = |range: Range<u64>, rows: [u64; 2]| FirstDifference::Range(source.to_owned(), range, rows);
        let Some(buckets) = buckets else {
            let first = in_lake.first_key_value()?;
            return Some(place(bytes(*first.0), [0, first.1.rows]));
        };
        let mut end = 0;
        for (range, sum) in buckets.iter() {
            let here = within(in_lake, &range);
            if here != sum {
                return Some(place(range, [sum.rows, here.rows]));
            }
            end = range.end;
        }
        // Rows beyond the last bucket were never counted.
        let behind = in_lake.range(end >> FINEST_LOG2..).next()?;
        Some(place(bytes(*behind.0), [0, behind.1.rows]))
    }
}

/// The one of the three that differs while the other two agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Odd {
    /// The table is not what was landed.
    Table,
    /// The source is not what was read.
    Source,
    /// The table's totals are not what was counted.
    Totals,
}

fn total(rows: &Mebibytes) -> Sum {
    rows.values().copied().sum()
}

#[cfg(test)]
mod tests;
