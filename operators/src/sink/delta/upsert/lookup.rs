//! Reads the rows that the index points at, and compares their keys: what it says is a hint.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_row::Rows;
use futures::{StreamExt, TryStreamExt, stream};
use roaring::RoaringTreemap;

use super::collapse::Collapsed;
use super::gathered::bytes;
use super::index::Place;
use super::keys::Keys;
use super::read::{Reader, Target};
use crate::error::StoreError;

/// How many files are read at a time.
const READS: usize = 4;

/// A row of the table that has the key of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// The change, among those of the cut, one a key.
    pub(super) net: usize,
    /// Where the row is.
    pub(super) place: Place,
    /// Which of [`Found::batches`] has it, and at which row.
    pub(super) at: (usize, usize),
}

/// Rows of one file that were read.
pub(super) struct Batch {
    pub(super) rows: RecordBatch,
    /// Whether it has all columns of the table, and not only the key's.
    pub(super) is_whole: bool,
}

/// The rows of the table that have the keys of changes.
#[derive(Default)]
pub(super) struct Found {
    /// In the order of changes.
    pub(super) hits: Vec<Hit>,
    pub(super) batches: Vec<Batch>,
}

impl Found {
    /// What a row that was read whole takes on average, in bytes; none if there was none.
    pub(super) fn row_bytes(&self) -> Option<usize> {
        let whole = || self.batches.iter().filter(|batch| batch.is_whole).map(|batch| &batch.rows);
        let rows: usize = whole().map(RecordBatch::num_rows).sum();
        whole().map(bytes).sum::<usize>().checked_div(rows)
    }
}

/// Reads the rows at `candidates`, each for a change of `collapsed`, and keeps those that have its
/// key. `keys` are those of all changes. Rows are read whole if `whole`, or if a change needs
/// values of them.
pub(super) async fn look(
    (reader, by): (&Reader, &Keys),
    (collapsed, keys): (&Collapsed, &Rows),
    candidates: Vec<(usize, Place)>,
    target: impl Fn(u32) -> Target,
    whole: bool,
) -> Result<Found, StoreError> {
    let mut by_file = BTreeMap::<u32, Vec<(usize, Place)>>::new();
    candidates.into_iter().for_each(|(net, place)| by_file.entry(place.file).or_default().push((net, place)));
    let reads = by_file.into_iter().map(|(file, candidates)| {
        let is_whole = whole || candidates.iter().any(|(net, _)| collapsed.nets[*net].needs_lake());
        let columns = match is_whole {
            true => (0..reader.columns()).collect(),
            false => by.columns().to_vec(),
        };
        let rows: RoaringTreemap = candidates.iter().map(|(_, place)| u64::from(place.row)).collect();
        let read = reader.rows(target(file), columns, rows.clone());
        async move { Ok::<_, StoreError>((candidates, rows, read.await?, is_whole)) }
    });
    let mut reads = stream::iter(reads).buffered(READS);
    let mut found = Found::default();
    while let Some((candidates, rows, batches, is_whole)) = reads.try_next().await? {
        let (mut firsts, mut theirs, mut first) = (Vec::new(), Vec::new(), 0);
        for batch in &batches {
            firsts.push(first);
            theirs.push(if is_whole { by.of_all(batch)? } else { by.of_these(batch)? });
            first += batch.num_rows();
        }
        for (net, place) in candidates {
            let row = rows.rank(u64::from(place.row)) as usize - 1;
            let batch = firsts.partition_point(|first| *first <= row) - 1;
            let row = row - firsts[batch];
            if theirs[batch].row(row) == keys.row(collapsed.nets[net].row) {
                found.hits.push(Hit { net, place, at: (found.batches.len() + batch, row) });
            }
        }
        found.batches.extend(batches.into_iter().map(|rows| Batch { rows, is_whole }));
    }
    found.hits.sort_unstable_by_key(|hit| (hit.net, hit.place));
    Ok(found)
}
