//! Rows that a cut deletes from files that others have rewritten since: they are looked for, by
//! their keys, in the files that were added since then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roaring::RoaringTreemap;

use super::files::{Files, Gone, LakeFile};
use super::keys::Keys;
use super::read::{Reader, Target};
use super::vectors;
use crate::error::StoreError;
use crate::protocol::names::Version;
use crate::sink::files::Place;

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
    /// How many are nowhere.
    pub(super) missing: u64,
}

/// The rows of a file that are wanted, how many rows were looked at so far, and why that failed.
type Looked = (RoaringTreemap, u64, Option<StoreError>);

/// Finds the rows that are `lost`. Their files are still there: a vacuum leaves what has left the
/// table alone for longer than a cut takes.
pub(super) async fn find(
    (reader, keys): (&Reader, &Arc<Keys>),
    table: &Place,
    files: &Files,
    lost: Vec<Lost>,
) -> Result<Moved, StoreError> {
    let Some(since) = lost.iter().map(|lost| lost.gone.at).min() else { return Ok(Moved::default()) };
    let (mut wanted, columns) = (BTreeSet::new(), keys.columns().to_vec());
    for Lost { path, gone, rows } in lost {
        let target = Target { path, size: gone.size };
        let batch = reader.rows(target, columns.clone(), rows).await?;
        wanted.extend(keys.of_these(&batch)?.iter().map(|key| key.as_ref().to_vec()));
    }
    let (mut moved, wanted) = (Moved::default(), Arc::new(wanted));
    for (target, dead) in added(table, files, since).await? {
        let (keys, wanted, path) = (keys.clone(), wanted.clone(), target.path.clone());
        let take = move |batch: arrow_array::RecordBatch, (here, first, failed): &mut Looked| {
            match keys.of_these(&batch) {
                Err(error) => *failed = Some(error),
                Ok(rows) => {
                    let is_wanted = rows.iter().zip(*first..).filter(|(key, _)| wanted.contains(key.as_ref()));
                    here.extend(is_wanted.map(|(_, row)| row).filter(|row| !dead.contains(*row)));
                }
            }
            *first += batch.num_rows() as u64;
        };
        let (here, _, failed): Looked = reader.scan(target, columns.clone(), None, take).await?;
        failed.map_or(Ok(()), Err)?;
        if !here.is_empty() {
            moved.rows.insert(path, here);
        }
    }
    let found: u64 = moved.rows.values().map(RoaringTreemap::len).sum();
    moved.missing = (wanted.len() as u64).saturating_sub(found);
    Ok(moved)
}

/// The files that were added at `since` or later, with their dead rows.
async fn added(table: &Place, files: &Files, since: Version) -> Result<Vec<(Target, RoaringTreemap)>, StoreError> {
    let added: Vec<(&String, &LakeFile)> = files.active.iter().filter(|(_, file)| file.since >= since).collect();
    let vectors = added.iter().filter_map(|(path, file)| Some(((*path).clone(), file.vector()?.clone())));
    let mut dead = vectors::read(table, vectors.collect::<Vec<_>>()).await?;
    let target = |path: &String, file: &LakeFile| Target { path: path.clone(), size: file.size() };
    Ok(added.into_iter().map(|(path, file)| (target(path, file), dead.remove(path).unwrap_or_default())).collect())
}
