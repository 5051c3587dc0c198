//! Rows that a cut deletes from files that others have rewritten since: they are looked for, by
//! their keys, in the files that were added since then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_row::Row;
use roaring::RoaringTreemap;

use super::files::{Files, Gone};
use super::keys::Keys;
use super::read::{Reader, Target};
use crate::error::StoreError;

/// Rows of a file that is the table's no more.
pub(super) struct Lost {
    pub(super) path: String,
    pub(super) gone: Gone,
    pub(super) rows: RoaringTreemap,
}

/// Where rows are now.
#[derive(Default)]
pub(super) struct Moved {
    /// By file of the table.
    pub(super) rows: BTreeMap<String, RoaringTreemap>,
    /// How many keys are nowhere.
    pub(super) missing: usize,
}

/// What was looked for in one file.
#[derive(Default)]
struct Looked {
    rows: RoaringTreemap,
    /// The keys of these rows.
    keys: BTreeSet<Vec<u8>>,
    /// How many rows were looked at so far.
    seen: u64,
}

/// Finds the rows that are `lost`. Their files are still there: a vacuum leaves what has left the
/// table alone for longer than a cut takes.
pub(super) async fn find(
    (reader, keys): (&Reader, &Arc<Keys>),
    files: &Files,
    lost: Vec<Lost>,
) -> Result<Moved, StoreError> {
    let Some(since) = lost.iter().map(|lost| lost.gone.at).min() else { return Ok(Moved::default()) };
    let (mut wanted, columns) = (BTreeSet::new(), keys.columns().to_vec());
    for Lost { path, gone, rows } in lost {
        let target = Target { path, size: gone.size };
        for batch in reader.rows(target, columns.clone(), rows).await? {
            wanted.extend(keys.of_these(&batch)?.iter().map(|key| key.as_ref().to_vec()));
        }
    }
    let (mut rows, mut found, wanted) = (BTreeMap::new(), BTreeSet::new(), Arc::new(wanted));
    for (path, dead) in files.dead(|_, file| file.since >= since).await? {
        let (keys, wanted, target) = (keys.clone(), wanted.clone(), files.active[&path].target(&path));
        let take = move |batch: RecordBatch, looked: &mut Looked| {
            let of_rows = keys.of_these(&batch)?;
            let is_alive = |(_, row): &(Row<'_>, u64)| !dead.contains(*row);
            for (key, row) in of_rows.iter().zip(looked.seen..).filter(is_alive) {
                if let Some(key) = wanted.get(key.as_ref()) {
                    looked.rows.insert(row);
                    looked.keys.insert(key.clone());
                }
            }
            looked.seen += batch.num_rows() as u64;
            Ok(())
        };
        let looked = reader.scan((target, columns.clone(), None), Looked::default(), take).await?;
        if !looked.rows.is_empty() {
            rows.insert(path, looked.rows);
        }
        found.extend(looked.keys);
    }
    // There may be several rows of one key, so rows cannot be counted instead.
    Ok(Moved { rows, missing: wanted.len() - found.len() })
}
