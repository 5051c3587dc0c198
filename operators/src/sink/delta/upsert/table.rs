//! A table whose rows are changed by key, as a group of its own.
//!
//! A cut says which rows of which files die, and a commit makes that true of the files as they are
//! when it is made: it unites the rows with those that are dead already, and where another writer
//! has rewritten a file, it finds the rows in the files that took its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringTreemap;
use serde_json::Value;

use super::actions::{self, Touched};
use super::definition::UpsertSpec;
use super::files::Files;
use super::keys::Keys;
use super::moved::{self, Lost, Moved};
use super::outcome::Outcome;
use super::read::Reader;
use super::vectors;
use crate::error::{StoreError, chain};
use crate::protocol::Pending;
use crate::protocol::clock::Clock;
use crate::protocol::group::{Commit, CommitFacts, Created, Group, GroupState, Verdict};
use crate::protocol::names::{OffsetsName, Version};
use crate::protocol::offsets_store::{Neighbour, OffsetsStore};
use crate::sink::delta::DeltaTable;
use crate::sink::delta::log::{self, AppIds};

/// A Delta table whose rows a pipeline changes.
pub struct UpsertTable {
    table: Arc<DeltaTable>,
    spec: UpsertSpec,
    ids: AppIds,
    clock: Arc<dyn Clock>,
    keys: Arc<Keys>,
    reader: Reader,
    known: tokio::sync::Mutex<Known>,
}

/// What is known of the table's files.
#[derive(Default)]
struct Known {
    files: Option<Files>,
    vectors: Vectors,
}

/// Deletion vectors by the file that they are of, each as the log points at it.
type Vectors = BTreeMap<String, (Value, RoaringTreemap)>;

impl UpsertTable {
    pub(super) fn new(
        spec: UpsertSpec,
        pipeline: &str,
        table: Arc<DeltaTable>,
        clock: Arc<dyn Clock>,
    ) -> Result<UpsertTable, StoreError> {
        Ok(UpsertTable {
            table,
            ids: AppIds::of(pipeline),
            keys: Arc::new(Keys::of(&spec)?),
            reader: Reader::of(&spec, clock.clone())?,
            known: tokio::sync::Mutex::default(),
            spec,
            clock,
        })
    }

    /// Waits for the log checkpoint that is being written, if there is one.
    pub async fn at_rest(&self) {
        self.table.at_rest().await;
    }

    /// The content of the commit that makes a version of what the shards have staged, where the
    /// table has `files` before it.
    async fn change(&self, commit: &Commit, files: &Files, known: &mut Vectors) -> Result<Vec<u8>, StoreError> {
        let outcomes = commit.files.iter().map(|staged| Outcome::of(&staged.file)).collect::<Result<Vec<_>, _>>()?;
        let (mut dying, mut lost) = (BTreeMap::<String, RoaringTreemap>::new(), BTreeMap::new());
        for (path, dead) in outcomes.iter().flat_map(|outcome| &outcome.dead) {
            let rows = if files.active.contains_key(path) { &mut dying } else { &mut lost };
            *rows.entry(path.clone()).or_default() |= &dead.0;
        }
        for (path, rows) in self.find(files, lost).await?.rows {
            *dying.entry(path).or_default() |= rows;
        }
        let touched = self.touch(files, known, dying).await?;
        let touched = self.write_vectors(touched, known).await?;
        let told = (commit, &self.ids, self.clock.now_ms());
        Ok(actions::content(told, &outcomes, &touched, self.spec.feed))
    }

    /// Where the rows are now that died in files which are the table's no more.
    async fn find(&self, files: &Files, lost: BTreeMap<String, RoaringTreemap>) -> Result<Moved, StoreError> {
        let attempt = || format!("change rows of {} that another writer has moved", self.spec.table.shown());
        let (mut all, mut is_change) = (Vec::new(), false);
        for (path, rows) in lost {
            let Some(gone) = files.gone.get(&path).copied() else {
                let cause = format!("{path} is gone, and the log does not say where its rows are: start again");
                return Err(StoreError::definite(attempt(), cause));
            };
            is_change |= gone.is_change;
            all.push(Lost { path, gone, rows });
        }
        if is_change && self.spec.feed {
            let cause = "it has changed rows of the same files, so what the change feed was to say of them may be wrong: start \
                         again, and the changes are made anew";
            return Err(StoreError::definite(attempt(), cause));
        }
        let moved = moved::find((&self.reader, &self.keys), files, all).await?;
        if moved.missing > 0 && !is_change {
            let cause = format!("rows of {} keys are in no file that it has added: start again", moved.missing);
            return Err(StoreError::definite(attempt(), cause));
        }
        Ok(moved)
    }

    /// The files in which rows are `dying`, each with all rows that are dead then.
    async fn touch(
        &self,
        files: &Files,
        known: &mut Vectors,
        dying: BTreeMap<String, RoaringTreemap>,
    ) -> Result<Vec<(Touched, RoaringTreemap)>, StoreError> {
        known.retain(|path, (vector, _)| files.active.get(path).and_then(|file| file.vector()) == Some(vector));
        let unknown = dying.keys().filter(|path| !known.contains_key(*path));
        let unknown: Vec<_> = unknown.filter_map(|path| Some((path.clone(), files.active[path].vector()?))).collect();
        let vectors: Vec<_> = unknown.iter().map(|(path, vector)| (path.clone(), (*vector).clone())).collect();
        let mut read = vectors::read(&self.spec.table.place, vectors.clone()).await?;
        known.extend(
            vectors.into_iter().filter_map(|(path, vector)| Some((path.clone(), (vector, read.remove(&path)?)))),
        );
        let mut touched = Vec::new();
        for (path, rows) in dying {
            let file = files.active[&path].clone();
            let all_rows = match file.rows() {
                Some(rows) => rows,
                None => self.reader.count(&file.target(&path)).await?,
            };
            let mut dead = known.get(&path).map(|(_, dead)| dead.clone()).unwrap_or_default();
            if !dead.is_disjoint(&rows) || rows.max() >= Some(all_rows) {
                let attempt = format!("delete rows of {path} in {}", self.spec.table.shown());
                let cause = "another writer has deleted some of them: start again, and the changes are made anew";
                return Err(StoreError::definite(attempt, cause));
            }
            dead |= rows;
            touched.push((Touched { file, rows: all_rows, vector: None }, dead));
        }
        Ok(touched)
    }

    /// Writes the vectors of files that keep rows.
    async fn write_vectors(
        &self,
        mut touched: Vec<(Touched, RoaringTreemap)>,
        known: &mut Vectors,
    ) -> Result<Vec<Touched>, StoreError> {
        let keeps = |(touched, dead): &(Touched, RoaringTreemap)| dead.len() < touched.rows;
        if !touched.iter().any(keeps) {
            return Ok(touched.into_iter().map(|(touched, _)| touched).collect());
        }
        let written = vectors::write(touched.iter().filter(|file| keeps(file)).map(|(_, dead)| dead))?;
        let place = self.spec.table.place.join(&written.name);
        // Its name is new. If it exists, an earlier request whose reply was lost has made it.
        place.create(written.content).await?;
        for ((touched, dead), vector) in touched.iter_mut().filter(|file| keeps(file)).zip(written.descriptors) {
            let path = touched.file.add.get("path").and_then(Value::as_str).unwrap_or_default().to_owned();
            known.insert(path, (vector.clone(), dead.clone()));
            touched.vector = Some(vector);
        }
        Ok(touched.into_iter().map(|(touched, _)| touched).collect())
    }

    /// Refuses to go on if another program has put its own commit in the place of our last one.
    async fn refuse_replaced(&self) -> Result<(), StoreError> {
        if self.table.replaced().await?.is_none() {
            return Ok(());
        }
        let attempt = format!("change rows of {}", self.spec.table.shown());
        let cause = "another program has replaced a commit of this run, as Spark does on a local disk: what it had changed is \
                     not in the table; start again, and the changes are made anew";
        Err(StoreError::definite(attempt, cause))
    }
}

impl Group for UpsertTable {
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
        self.table.load()
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        Box::pin(async move {
            self.refuse_replaced().await?;
            let Known { files, vectors } = &mut *self.known.lock().await;
            let before = Version(version.0 - 1);
            // The first commit of a run claims the table: from then on, it is known which files
            // others take from under it.
            let files = match files {
                Some(files) if files.version <= before => {
                    files.follow(before).await?;
                    files
                }
                files => files.insert(Files::load(&self.spec.table.place, Some(before)).await?),
            };
            let content = match commit.files.is_empty() {
                true => log::commit(commit, &self.ids, self.clock.now_ms())?,
                false => match self.change(commit, files, vectors).await {
                    // A shard may have seen a later version than the one before this. Then this one
                    // exists, and what is in the way before it may be none after it.
                    Err(error) if !error.is_transient() && files.commit(version).await?.is_some() => {
                        tracing::debug!(error = %chain(&error), "another writer was faster");
                        return Ok(Created::No);
                    }
                    changed => changed?,
                },
            };
            let created = self.table.create(version, content.clone()).await?;
            if created == Created::Yes {
                files.apply(version, &content)?;
            }
            Ok(created)
        })
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>> {
        self.table.read(version)
    }

    /// Files that others move are in nobody's way: a commit finds where its rows are. Another
    /// definition of the table is, and the next run goes by it, or says what is wrong with it.
    fn recheck<'a>(&'a self, commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>> {
        Box::pin(async move {
            Ok(match self.table.recheck(commit).await? {
                Verdict::Harmless => match self.table.check(|snapshot| self.spec.check(snapshot)).await? {
                    Some(Err(obstacle)) => Verdict::Anew(format!("it {obstacle}")),
                    _ => Verdict::Harmless,
                },
                verdict => verdict,
            })
        })
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        self.table.rows()
    }
}

impl OffsetsStore for UpsertTable {
    fn name(&self) -> &str {
        self.table.name()
    }

    fn shown(&self) -> String {
        self.table.shown()
    }

    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        self.table.write_offsets(name, content)
    }

    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        self.table.read_offsets(name)
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        self.table.list_offsets()
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        self.table.delete_offsets(name)
    }

    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
        self.table.others()
    }
}
