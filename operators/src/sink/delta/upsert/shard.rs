//! A shard: the keys of a table that one worker looks after.
//!
//! ```text
//!   changes ─▶ collapse ─▶ follow the log ─▶ index ─▶ read rows ─▶ plan ─▶ write files ─▶ outcome
//! ```

use std::path::Path;
use std::sync::Arc;

use arrow_row::Rows;

use super::cache::Cache;
use super::changes::Changes;
use super::collapse::{Collapsed, collapse};
use super::counts::Counts;
use super::definition::UpsertSpec;
use super::files::Files;
use super::gathered::Gathered;
use super::index::{Index, Place};
use super::keys::{self, Keys};
use super::numbered::Numbered;
use super::order::Order;
use super::read::Reader;
use super::stage::Stages;
use crate::error::{StoreError, chain};
use crate::position::Position;
use crate::protocol::clock::{Clock, Stamp};
use crate::protocol::names::Held;
use crate::protocol::staged::StagedFile;
use crate::sink::delta::log::AppIds;
use crate::sink::files::blocking;

mod cut;
mod follow;

/// An index is not kept again for fewer places than these: to read their keys takes no second.
const LEAST_KEPT: usize = 250_000;
/// Files that are gone are not forgotten before they are so many.
const LEAST_FORGOTTEN: usize = 1_000;

/// Which of how many shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharding {
    /// The number of the shard.
    pub shard: usize,
    /// How many there are.
    pub shards: usize,
}

/// A change that keeps a value which is neither in the table nor in a change before it. It was left
/// out, and the row of its key is what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Where the change stands.
    pub order: Order,
    /// The columns that were not sent.
    pub columns: Vec<String>,
    /// What [`Changes::origins`] has for it; empty if that is nothing.
    pub origin: Vec<u8>,
}

/// What a shard has made of a cut.
#[derive(Clone, Debug)]
pub struct Merged {
    /// What the commit needs.
    pub staged: StagedFile,
    /// What became of the changes.
    pub counts: Counts,
    /// Changes that cannot be made, for the pipeline's rejects.
    pub gaps: Vec<Gap>,
}

/// The keys of one table that one worker looks after: where their rows are, and how they change.
pub struct Shard {
    spec: Arc<UpsertSpec>,
    keys: Arc<Keys>,
    whole: Arc<Keys>,
    sharding: Sharding,
    ids: AppIds,
    clock: Arc<dyn Clock>,
    reader: Reader,
    stages: Stages,
    /// The files of the table at the last version that was looked at, and when that was.
    log: Files,
    looked: Stamp,
    /// Whether others have changed the table's files, and the index does not go by that yet.
    has_moved: bool,
    /// Files by the numbers that the index has for them.
    files: Numbered,
    index: Arc<Index>,
    /// Where the index is kept.
    cache: Option<Cache>,
    /// How many places the index has got since it was kept.
    added: usize,
    /// How many files were read for their keys.
    read: usize,
    /// Where the run stands according to the log.
    held: Held,
    /// Whether another run has claimed the table since. Its commits are none of this shard's.
    is_fenced: bool,
    /// The last cut that was staged.
    last: Option<Position>,
    /// How many rows the next slice of a cut meets, and how many any may meet.
    slice: usize,
    most: usize,
    keeping: Keeping,
}

/// Tells when a shard keeps its index.
#[derive(Clone, Debug, Default)]
pub struct Keeping(Arc<tokio::sync::Mutex<()>>);

impl Keeping {
    /// Waits until the index that is being kept is, if there is one.
    pub async fn at_rest(&self) {
        drop(self.0.lock().await);
    }
}

/// A cut before it is looked up.
struct Prepared {
    changes: Gathered,
    keys: Rows,
    collapsed: Collapsed,
    /// Hashes in rising order, each with the change that it is of.
    hashes: Vec<(u64, usize)>,
}

impl Shard {
    /// A shard of the table of `spec`, for a run of `pipeline` that has claimed it, and so stands
    /// at `held`. Reads the keys of all rows, but for those of files that are in an index which was
    /// kept in `folder`. That is a folder of this machine and this table alone, and is made if need
    /// be.
    pub async fn open(
        spec: UpsertSpec,
        (pipeline, held): (&str, Held),
        sharding: Sharding,
        folder: Option<&Path>,
        clock: Arc<dyn Clock>,
    ) -> Result<Shard, StoreError> {
        let looked = Stamp::now(&*clock);
        let log = Files::lean(&spec.table.place, None).await?;
        let (keys, whole) = (Arc::new(Keys::of(&spec)?), Arc::new(Keys::whole(&spec)?));
        let (reader, spec) = (Reader::of(&spec, clock.clone())?, Arc::new(spec));
        let cache = folder.map(|folder| Cache::of(folder, sharding));
        let (kept, spec) = match cache.clone() {
            None => (None, spec),
            Some(cache) => blocking(move || Ok((cache.load(&spec, sharding), spec))).await?,
        };
        let (files, index) = kept.unwrap_or_default();
        let mut shard = Shard {
            added: 0,
            read: 0,
            stages: Stages::of(&spec, &clock),
            ids: AppIds::of(pipeline),
            has_moved: true,
            files: Numbered::of(files),
            index: Arc::new(index),
            cache,
            held,
            is_fenced: false,
            last: None,
            slice: cut::FIRST_SLICE,
            most: cut::SLICE,
            keeping: Keeping::default(),
            spec,
            keys,
            whole,
            sharding,
            clock,
            reader,
            log,
            looked,
        };
        shard.settle().await?;
        if shard.is_due() {
            shard.keep().await;
        }
        Ok(shard)
    }

    /// Keeps the index for the next run, unless nothing is new: whenever there is time, as when it
    /// [is due](Shard::is_due), and at the end of a run. Whatever fails costs the next run some
    /// time and nothing else, and so do cuts that do not land after this.
    pub async fn keep(&mut self) {
        if let Err(error) = self.try_keep().await {
            tracing::warn!(error = %chain(&error), "the next run reads keys from the table again");
        }
    }

    /// The same as a task of its own, which gives the shard back. From now on until it has ended,
    /// [`Keeping::at_rest`] waits for it.
    pub fn kept(mut self) -> impl Future<Output = Shard> + Send + 'static {
        let guard = self.keeping.0.clone().try_lock_owned();
        async move {
            self.keep().await;
            drop(guard);
            self
        }
    }

    /// What tells when the shard keeps its index, wherever the shard is.
    pub fn keeping(&self) -> Keeping {
        self.keeping.clone()
    }

    async fn try_keep(&mut self) -> Result<(), StoreError> {
        let Some(cache) = self.cache.clone().filter(|_| self.added > 0 && !self.is_fenced) else { return Ok(()) };
        let (spec, sharding, index) = (self.spec.clone(), self.sharding, self.index.clone());
        let files = self.files.kept();
        // If it fails, it is not tried again after every cut.
        self.added = 0;
        blocking(move || cache.save((&spec, sharding), files, &index)).await
    }

    /// Whether the index should be kept: so many places are new that a quarter of it is.
    pub fn is_due(&self) -> bool {
        self.cache.is_some() && self.added > LEAST_KEPT.max(self.index.len() / 4)
    }

    /// How many files were read for their keys so far, because no index had them.
    pub fn files_read(&self) -> usize {
        self.read
    }

    /// Forgets the files that are the table's no more, if they are at least so many, and the most.
    pub(super) fn forget(&mut self, least: usize) {
        if let Some(numbers) = self.files.forget(least) {
            let index = Arc::get_mut(&mut self.index).expect("nobody keeps it meanwhile");
            index.renumber(|file| numbers[file as usize]);
        }
    }

    #[cfg(test)]
    pub(super) fn slice(&mut self, most: usize) {
        (self.slice, self.most) = (most, most);
    }

    /// Adds places to the index.
    fn add(&mut self, places: Vec<(u64, Place)>) {
        self.added += places.len();
        let (files, index) = (&self.files, Arc::get_mut(&mut self.index).expect("nobody keeps it meanwhile"));
        index.add(places, |place| files.is_alive(place));
    }

    /// Stages what `parts` change, which are all changes that the cut at `cut` has for keys of this
    /// shard, and all truncations; none if there are none. Cuts come in their order, one at a time,
    /// and after one that failed no other may follow.
    pub async fn merge(&mut self, cut: Position, parts: Vec<Changes>) -> Result<Option<Merged>, StoreError> {
        debug_assert!(self.last.is_none_or(|last| last < cut), "cuts come in their order");
        let staged_at = Stamp::now(&*self.clock);
        let (spec, keys, sharding) = (self.spec.clone(), self.keys.clone(), self.sharding);
        let Some(prepared) = blocking(move || prepare((&spec, &keys), sharding, parts)).await? else {
            return Ok(None);
        };
        self.follow().await?;
        self.forget(LEAST_FORGOTTEN);
        let (outcome, gaps) = self.make(prepared).await?;
        self.last = Some(cut);
        let name = outcome.data.iter().chain(&outcome.before).map(|file| &file.path).chain(outcome.dead.keys()).next();
        let staged = StagedFile {
            path: name.cloned().unwrap_or_default(),
            size: outcome.data.iter().chain(&outcome.before).map(|file| file.size).sum(),
            rows: outcome.counts.changes,
            detail: outcome.note()?,
            staged_at,
        };
        Ok(Some(Merged { staged, counts: outcome.counts, gaps }))
    }

    fn gap(&self, changes: &Gathered, change: usize) -> Gap {
        let unsent = changes.unavailable.keys().filter(|column| changes.is_unavailable(change, **column));
        let name = |column: &usize| self.spec.table.schema.field(*column).name().clone();
        let origin = changes.origin(change).to_vec();
        Gap { order: changes.order[change], columns: unsent.map(name).collect(), origin }
    }
}

/// Puts the changes of a cut together, one a key; none if there are none. Refuses changes of
/// another shard, because their rows would be doubled.
fn prepare(
    (spec, by): (&UpsertSpec, &Keys),
    sharding: Sharding,
    parts: Vec<Changes>,
) -> Result<Option<Prepared>, StoreError> {
    parts.iter().try_for_each(|part| part.check(spec))?;
    let Some(changes) = Gathered::of(parts) else { return Ok(None) };
    let keys = by.of_batches(changes.batches())?;
    let collapsed = collapse(&changes, &keys);
    let nets = collapsed.nets.iter().enumerate();
    let mut hashes: Vec<_> = nets.map(|(net, change)| (keys::hash(keys.row(change.row)), net)).collect();
    let Sharding { shard, shards } = sharding;
    if let Some((hash, _)) = hashes.iter().find(|(hash, _)| keys::shard(*hash, shards) != shard) {
        let other = keys::shard(*hash, shards);
        let cause = format!("a change of shard {other} came to shard {shard} of {shards}");
        return Err(StoreError::definite(format!("change {}", spec.table.shown()), cause));
    }
    hashes.sort_unstable();
    Ok(Some(Prepared { changes, keys, collapsed, hashes }))
}
