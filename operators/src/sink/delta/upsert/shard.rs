//! A shard: the keys of a table that one worker looks after.
//!
//! ```text
//!   changes ─▶ follow the log ─▶ collapse ─▶ index ─▶ read rows ─▶ plan ─▶ write files ─▶ outcome
//! ```

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow_row::Rows;
use futures::{StreamExt, TryStreamExt, stream};
use roaring::RoaringTreemap;
use serde_json::Value;

use super::cache::Cache;
use super::changes::{Changes, Order};
use super::collapse::{Collapsed, collapse};
use super::counts::Counts;
use super::definition::UpsertSpec;
use super::files::Files;
use super::index::{Index, Place};
use super::keys::{self, Keys};
use super::lookup::{self, Found};
use super::merge::{self, Plan};
use super::outcome::{Dead, Outcome};
use super::read::{Reader, Target};
use super::stage::Stages;
use super::vectors;
use crate::error::{StoreError, chain};
use crate::position::Position;
use crate::protocol::clock::{Clock, Stamp};
use crate::protocol::names::Held;
use crate::protocol::retry::Retry;
use crate::protocol::staged::StagedFile;
use crate::sink::delta::log::{self, AppIds};
use crate::sink::files::blocking;

/// How long a shard waits between two looks at whether its cuts have landed, in milliseconds.
const LOOK_MS: u64 = 20;
/// How many files are indexed at a time.
const READS: usize = 4;
/// A file has fewer rows than this, because the index counts them in 32 bits.
const MOST_ROWS: u64 = 1 << 32;
/// An index is not kept again for fewer places than these: to read their keys takes no second.
const LEAST_KEPT: usize = 250_000;

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

/// A data file, as a shard knows it.
struct DataFile {
    target: Target,
    /// Its deletion vector, as the log last pointed at it.
    vector: Option<Value>,
    /// Its rows that are dead, or will be once the shard's cuts have landed. Those of other shards
    /// may be missing.
    dead: RoaringTreemap,
    is_active: bool,
}

impl DataFile {
    fn of(target: Target) -> DataFile {
        DataFile { target, vector: None, dead: RoaringTreemap::new(), is_active: true }
    }
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
    /// The files of the table at the last version that was looked at.
    log: Files,
    /// Files by the numbers that the index has for them.
    files: Vec<DataFile>,
    numbers: HashMap<String, u32>,
    index: Arc<Index>,
    /// Where the index is kept, and how many places it had then.
    cache: Option<Cache>,
    kept: usize,
    /// How many files were read for their keys.
    read: usize,
    /// Where the pipeline stands according to the log.
    held: Option<Held>,
    /// Whether another run has claimed the table since. Its commits are none of this shard's.
    is_fenced: bool,
    /// The last cut that was staged.
    last: Option<Position>,
}

/// A cut before it is looked up.
struct Prepared {
    changes: Changes,
    keys: Rows,
    collapsed: Collapsed,
    /// Hashes in rising order, each with the change that it is of.
    hashes: Vec<(u64, usize)>,
}

impl Shard {
    /// A shard of the table of `spec`, for a run of `pipeline` that has claimed it. Reads the keys
    /// of all rows, but for those of files that are in an index which was kept in `folder`. That is
    /// a folder of this machine and this table alone, and is made if need be.
    pub async fn open(
        spec: UpsertSpec,
        pipeline: &str,
        sharding: Sharding,
        folder: Option<&Path>,
        clock: Arc<dyn Clock>,
    ) -> Result<Shard, StoreError> {
        let log = Files::load(&spec.table.place, None).await?;
        let held = log.held(pipeline).await?;
        let (keys, whole) = (Arc::new(Keys::of(&spec)?), Arc::new(Keys::whole(&spec)?));
        let (reader, spec) = (Reader::of(&spec, clock.clone())?, Arc::new(spec));
        let cache = folder.map(|folder| Cache::of(folder, sharding));
        let (kept, spec) = match cache.clone() {
            None => (None, spec),
            Some(cache) => blocking(move || Ok((cache.load(&spec, sharding), spec))).await?,
        };
        let (files, index) = kept.unwrap_or_default();
        let mut shard = Shard {
            kept: index.len(),
            read: 0,
            stages: Stages::of(&spec, &clock),
            ids: AppIds::of(pipeline),
            numbers: files.iter().map(|target| target.path.clone()).zip(0..).collect(),
            files: files.into_iter().map(DataFile::of).collect(),
            index: Arc::new(index),
            cache,
            held,
            is_fenced: false,
            last: None,
            spec,
            keys,
            whole,
            sharding,
            clock,
            reader,
            log,
        };
        shard.settle().await?;
        shard.keep_if_due().await;
        Ok(shard)
    }

    /// Keeps the index for the next run, if all cuts have landed: at the end of a run, or whenever
    /// there is time. Whatever fails costs the next run some time and nothing else.
    pub async fn keep(&mut self) {
        if let Err(error) = self.try_keep().await {
            tracing::warn!(error = %chain(&error), "the next run reads keys from the table again");
        }
    }

    async fn try_keep(&mut self) -> Result<(), StoreError> {
        self.follow().await?;
        let Some(cache) = self.cache.clone().filter(|_| self.has_landed()) else { return Ok(()) };
        let target = |file: &DataFile| file.is_active.then(|| file.target.clone());
        let files: Vec<_> = self.files.iter().map(target).collect();
        let (spec, sharding, index) = (self.spec.clone(), self.sharding, self.index.clone());
        blocking(move || cache.save((&spec, sharding), &files, &index)).await?;
        self.kept = self.index.len();
        Ok(())
    }

    /// How many files were read for their keys so far, because no index had them.
    pub fn files_read(&self) -> usize {
        self.read
    }

    /// Adds places to the index.
    fn add(&mut self, places: Vec<(u64, Place)>) {
        let (files, index) = (&self.files, Arc::get_mut(&mut self.index).expect("nobody keeps it meanwhile"));
        index.add(places, |place| is_alive(files, place));
    }

    /// Keeps the index if it has grown by a quarter.
    async fn keep_if_due(&mut self) {
        let (now, kept) = (self.index.len(), self.kept);
        if self.cache.is_some() && self.has_landed() && now.abs_diff(kept) > LEAST_KEPT.max(kept / 4) {
            self.keep().await;
        }
    }

    /// Whether all cuts that were staged are in the log.
    fn has_landed(&self) -> bool {
        !self.is_fenced && self.last.is_none_or(|last| self.held.is_some_and(|held| held.position > last))
    }

    /// Stages what `parts` change, which are all changes that the cut at `cut` has for keys of this
    /// shard; none if there are none. Cuts come in their order, one at a time, and after one that
    /// failed no other may follow.
    pub async fn merge(&mut self, cut: Position, parts: Vec<Changes>) -> Result<Option<Merged>, StoreError> {
        debug_assert!(self.last.is_none_or(|last| last < cut), "cuts come in their order");
        let staged_at = Stamp::now(&*self.clock);
        let (spec, keys) = (self.spec.clone(), self.keys.clone());
        let Some(prepared) = blocking(move || prepare(&spec, &keys, &parts)).await? else { return Ok(None) };
        self.follow().await?;
        self.keep_if_due().await;
        let found = self.look(&prepared).await?;
        let (spec, whole) = (self.spec.clone(), self.whole.clone());
        let (prepared, plan) = blocking(move || {
            let plan = merge::plan((&spec, &whole), &prepared.changes, &prepared.collapsed, &found)?;
            Ok((prepared, plan))
        })
        .await?;
        let gaps = plan.gaps.iter().map(|row| self.gap(&prepared.changes, *row)).collect();
        let outcome = self.stage(&prepared, plan).await?;
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

    fn gap(&self, changes: &Changes, row: usize) -> Gap {
        let unsent = changes.unavailable.keys().filter(|column| changes.is_unavailable(row, **column));
        let name = |column: &usize| self.spec.table.schema.field(*column).name().clone();
        Gap { order: changes.order[row], columns: unsent.map(name).collect() }
    }

    /// The rows of the table that have the keys of a cut.
    async fn look(&self, prepared: &Prepared) -> Result<Found, StoreError> {
        let hashes: Vec<u64> = prepared.hashes.iter().map(|(hash, _)| *hash).collect();
        let found = self.index.find(&hashes).into_iter().filter(|(_, place)| is_alive(&self.files, *place));
        let candidates = found.map(|(number, place)| (prepared.hashes[number].1, place)).collect();
        let (by, cut) = ((&self.reader, &*self.keys), (&prepared.collapsed, &prepared.keys));
        let target = |file: u32| self.files[file as usize].target.clone();
        lookup::look(by, cut, candidates, target, self.spec.feed).await
    }

    /// Writes the files of `plan`, and goes on as if it had landed.
    async fn stage(&mut self, prepared: &Prepared, plan: Plan) -> Result<Outcome, StoreError> {
        let mut dead = BTreeMap::<String, Dead>::new();
        for place in &plan.dead {
            let file = &mut self.files[place.file as usize];
            file.dead.insert(place.row.into());
            dead.entry(file.target.path.clone()).or_default().0.insert(place.row.into());
        }
        let (data, before) = futures::try_join!(self.stages.data(plan.data), self.stages.before(plan.before))?;
        let mut nets = plan.nets.iter();
        for written in &data {
            let target = Target { path: written.path.clone(), size: written.size };
            let file = self.number(target);
            let rows = (0..written.rows as u32).zip(&mut nets);
            let of = |net: &usize| keys::hash(prepared.keys.row(prepared.collapsed.nets[*net].row));
            self.add(rows.map(|(row, net)| (of(net), Place { file, row })).collect());
        }
        debug_assert!(nets.next().is_none(), "every row is in a file");
        Ok(Outcome { data, before, dead, counts: plan.counts })
    }

    /// The number of a file, which is a new one if it is not known.
    fn number(&mut self, target: Target) -> u32 {
        *self.numbers.entry(target.path.clone()).or_insert_with(|| {
            self.files.push(DataFile::of(target));
            (self.files.len() - 1) as u32
        })
    }

    /// Reads the log on to its end. If others have changed the table's files, the shard waits until
    /// its own cuts have landed, and then goes by the log. If another run has claimed the table, it
    /// waits for its own run to find that out.
    async fn follow(&mut self) -> Result<(), StoreError> {
        if !self.read_on().await? {
            return Ok(());
        }
        while !self.has_landed() {
            self.clock.pause(LOOK_MS).await;
            self.read_on().await?;
        }
        self.settle().await
    }

    /// Whether there are commits of others that have moved files.
    async fn read_on(&mut self) -> Result<bool, StoreError> {
        let (mut moved, mut retry) = (false, Retry::default());
        loop {
            let next = self.log.version.next();
            let read = self.log.commit(next).await.and_then(|content| {
                let Some(content) = content else { return Ok(None) };
                let did = self.log.apply(next, &content)?;
                Ok(Some((did, log::held(&content, &self.ids))))
            });
            match read {
                Ok(None) => return Ok(moved),
                Ok(Some((did, Some(held)))) => {
                    did.gone.iter().for_each(|path| self.retire(path));
                    self.is_fenced |= self.held.is_some_and(|known| known.run != held.run);
                    self.held = Some(held);
                }
                Ok(Some((did, None))) => moved |= did.has_moved_files,
                Err(error) => retry.after(error, &*self.clock).await?,
            }
        }
    }

    /// A file is the table's no more: no row of it is alive.
    fn retire(&mut self, path: &str) {
        if let Some(number) = self.numbers.get(path) {
            let file = &mut self.files[*number as usize];
            (file.is_active, file.dead) = (false, RoaringTreemap::new());
        }
    }

    /// Makes the index one of the files that the log has.
    async fn settle(&mut self) -> Result<(), StoreError> {
        let gone = self.numbers.keys().filter(|path| !self.log.active.contains_key(*path));
        for path in gone.cloned().collect::<Vec<_>>() {
            self.retire(&path);
        }
        let known = |path: &String| self.numbers.get(path).map(|number| *number as usize);
        let is_new = |path: &String, vector: &Value| {
            known(path).is_none_or(|number| self.files[number].vector.as_ref() != Some(vector))
        };
        let changed = self.log.active.iter().filter_map(|(path, file)| {
            let vector = file.vector().filter(|vector| is_new(path, vector))?;
            Some((path.clone(), vector.clone()))
        });
        let changed: Vec<_> = changed.collect();
        let mut dead = vectors::read(&self.spec.table.place, changed.iter().cloned()).await?;
        let unknown: Vec<_> = self.log.active.iter().filter(|(path, _)| known(path).is_none()).collect();
        let unknown: Vec<_> =
            unknown.into_iter().map(|(path, file)| Target { path: path.clone(), size: file.size() }).collect();
        for (path, vector) in changed {
            let rows = dead.remove(&path).unwrap_or_default();
            let size = self.log.active.get(&path).map_or(0, |file| file.size());
            let number = self.number(Target { path, size });
            let file = &mut self.files[number as usize];
            (file.vector, file.dead) = (Some(vector), rows);
        }
        self.index(unknown).await
    }

    /// Adds the keys of files to the index, of those rows that are alive.
    async fn index(&mut self, targets: Vec<Target>) -> Result<(), StoreError> {
        let numbered: Vec<_> = targets.into_iter().map(|target| (self.number(target.clone()), target)).collect();
        let reads = numbered.into_iter().map(|(number, target)| {
            let (keys, sharding) = (self.keys.clone(), self.sharding);
            let (attempt, dead) = (format!("index {}", target.path), self.files[number as usize].dead.clone());
            let take = move |batch, all: &mut (u64, Vec<(u64, Place)>, Option<StoreError>)| {
                let (first, places, failed) = all;
                match keys.of_these(&batch) {
                    Err(error) => *failed = Some(error),
                    Ok(rows) => places.extend(rows.iter().zip(*first..).filter_map(|(key, row)| {
                        let (hash, row_of) = (keys::hash(key), u32::try_from(row).ok()?);
                        let is_ours = keys::shard(hash, sharding.shards) == sharding.shard && !dead.contains(row);
                        is_ours.then_some((hash, Place { file: number, row: row_of }))
                    })),
                }
                *first += batch.num_rows() as u64;
            };
            let read = self.reader.scan(target, self.keys.columns().to_vec(), None, take);
            async move {
                match read.await? {
                    (_, _, Some(error)) => Err(error),
                    (rows, _, _) if rows > MOST_ROWS => Err(StoreError::definite(attempt, "it has too many rows")),
                    (_, places, None) => Ok(places),
                }
            }
        });
        let all: Vec<Vec<_>> = stream::iter(reads.collect::<Vec<_>>()).buffered(READS).try_collect().await?;
        self.read += all.len();
        self.add(all.concat());
        Ok(())
    }
}

fn is_alive(files: &[DataFile], place: Place) -> bool {
    let file = &files[place.file as usize];
    file.is_active && !file.dead.contains(place.row.into())
}

/// Puts the changes of a cut together, one a key; none if there are none.
fn prepare(spec: &UpsertSpec, by: &Keys, parts: &[Changes]) -> Result<Option<Prepared>, StoreError> {
    let Some(changes) = Changes::concat(parts)?.filter(|changes| changes.rows.num_rows() > 0) else { return Ok(None) };
    changes.check(spec)?;
    let keys = by.of_all(&changes.rows)?;
    let collapsed = collapse(&changes, &keys);
    let nets = collapsed.nets.iter().enumerate();
    let mut hashes: Vec<_> = nets.map(|(net, change)| (keys::hash(keys.row(change.row)), net)).collect();
    hashes.sort_unstable();
    Ok(Some(Prepared { changes, keys, collapsed, hashes }))
}
