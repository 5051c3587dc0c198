//! Which small files become one.
//!
//! Files are ranked by how many rows they have: rank `r` has at least `FEW`^r rows and fewer than
//! `FEW`^(r+1). Only files of one rank are merged, `FEW` at least, so what comes of them has a
//! higher rank: a row is written anew no more often than there are ranks, which is the logarithm of
//! the number of rows. And of each rank fewer than `FEW` files stay.

use std::collections::BTreeMap;

/// So many files at least become one.
pub(super) const FEW: usize = 8;
/// And so many at most.
const MANY: usize = 256;
/// A file of so many bytes is not small any more.
pub(super) const LARGE: i64 = 16 << 20;
/// The files that become one have about so many bytes together, at most.
const MOST_BYTES: i64 = FEW as i64 * LARGE;

/// A file that may be merged: a small one, of whose rows none is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Small {
    pub(super) id: i64,
    /// The number of its table.
    pub(super) table: i64,
    /// Its path in the table's folder.
    pub(super) path: String,
    /// The oldest and the newest of the snapshots that added its rows.
    pub(super) snapshots: (i64, i64),
    pub(super) rows: i64,
    pub(super) bytes: i64,
    /// The id of its first row; none if each row says its own.
    pub(super) row_id: Option<i64>,
    /// The number of the partitioning that it was written for, and its values.
    pub(super) partition: Option<i64>,
    pub(super) values: Vec<Option<String>>,
}

/// The files that become one each. `files` come in the order of their snapshots.
pub(super) fn choose(files: Vec<Small>) -> Vec<Vec<Small>> {
    let mut alike: BTreeMap<_, Vec<Small>> = BTreeMap::new();
    for file in files.into_iter().filter(|file| file.bytes < LARGE && file.rows > 0) {
        let key = (rank(file.rows), file.table, file.partition, file.values.clone());
        alike.entry(key).or_default().push(file);
    }
    // Files of few rows come first: they are the most, and the cheapest.
    alike.into_values().flat_map(parts).filter(|part| part.len() >= FEW).collect()
}

fn rank(rows: i64) -> u32 {
    rows.unsigned_abs().ilog(FEW as u64)
}

/// `files`, cut where one would get too many of them or too many bytes.
fn parts(files: Vec<Small>) -> Vec<Vec<Small>> {
    let (mut parts, mut bytes): (Vec<Vec<Small>>, i64) = (Vec::new(), 0);
    for file in files {
        match parts.last_mut().filter(|part| part.len() < MANY && bytes + file.bytes <= MOST_BYTES) {
            Some(part) => {
                bytes += file.bytes;
                part.push(file);
            }
            None => {
                bytes = file.bytes;
                parts.push(vec![file]);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests;
