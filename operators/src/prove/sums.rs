//! Sums by `_source` and mebibyte, and the rows of one mebibyte.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::protocol::sums::{FINEST_LOG2, Sum};

/// The rows of one `_source`, by mebibyte.
pub(super) type Mebibytes = BTreeMap<u64, Sum>;

/// Rows by `_source` and mebibyte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums(pub(super) BTreeMap<String, Mebibytes>);

impl Sums {
    /// Adds a row.
    pub(super) fn add(&mut self, source: &str, offset: u64, checksum: u128) {
        if !self.0.contains_key(source) {
            self.0.insert(source.to_owned(), Mebibytes::new());
        }
        let of_source = self.0.get_mut(source).expect("it was just inserted");
        *of_source.entry(offset >> FINEST_LOG2).or_default() += Sum::row(checksum);
    }

    /// Adds rows of one `_source`.
    pub(super) fn add_all(&mut self, source: &str, rows: &Mebibytes) {
        let of_source = self.0.entry(source.to_owned()).or_default();
        rows.iter().for_each(|(mebibyte, sum)| *of_source.entry(*mebibyte).or_default() += *sum);
    }

    /// The rows of a `_source`.
    pub(super) fn of(&self, source: &str) -> Mebibytes {
        self.0.get(source).cloned().unwrap_or_default()
    }

    /// All rows.
    pub(super) fn sum(&self) -> Sum {
        self.0.values().flat_map(BTreeMap::values).copied().sum()
    }
}

/// The range of offsets that a mebibyte covers.
pub(super) fn bytes(mebibyte: u64) -> Range<u64> {
    mebibyte << FINEST_LOG2..(mebibyte + 1) << FINEST_LOG2
}

/// The rows in `bytes`, a range of whole mebibytes.
pub(super) fn within(rows: &Mebibytes, bytes: &Range<u64>) -> Sum {
    rows.range(bytes.start >> FINEST_LOG2..bytes.end >> FINEST_LOG2).map(|(_, sum)| *sum).sum()
}

/// The first mebibyte in which the two differ.
pub(super) fn first_difference(a: &Mebibytes, b: &Mebibytes) -> Option<u64> {
    let of = |rows: &Mebibytes, at: u64| rows.get(&at).copied().unwrap_or_default();
    let mut all: Vec<u64> = a.keys().chain(b.keys()).copied().collect();
    all.sort_unstable();
    all.into_iter().find(|at| of(a, *at) != of(b, *at))
}

/// Where a row stands in its `_source`: its `_offset`, and its `_item` if its line has several
/// records.
pub(super) type At = (u64, Option<u64>);

/// The checksums of the rows at each place.
pub(super) type RowSums = BTreeMap<At, Vec<u128>>;
