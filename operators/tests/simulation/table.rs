//! A Delta table as far as the protocol sees it: its log, its files, its offsets files, and the
//! port over them.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use lakefront_operators::error::StoreError;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::group::{Commit, Created, Group, GroupState, Retention, Seen, Verdict};
use lakefront_operators::protocol::names::{Held, OffsetsName, Version};
use lakefront_operators::protocol::offsets_store::{Neighbour, OffsetsStore};

use crate::files::uid_of;
use crate::saboteur::Rule;
use crate::world::{Row, TICK_MS, World, ev};

pub(crate) static NAMES: [&str; 3] = ["primary", "replica", "rejects"];
/// Log clean-up and vacuum spare what is younger than this.
pub(crate) const RETENTION_MS: u64 = 60 * TICK_MS;

/// The pipeline that must land everything, and one that reads the same files under another
/// spelling.
pub(crate) const MAIN: usize = 0;
pub(crate) const TWIN: usize = 1;
/// Their names.
pub(crate) const PIPELINES: [&str; 2] = ["sim", "twin"];
/// The `uid` of other writers' rows, which come from no file.
pub(crate) const FOREIGN: u64 = 0;

/// One version of a table.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// For a commit of ours: the pipeline that made it.
    pub(crate) pipeline: usize,
    pub(crate) seen: Seen,
    pub(crate) held: Option<Held>,
    pub(crate) adds: Vec<u64>,
    pub(crate) removes: Vec<u64>,
    pub(crate) fits: Option<bool>,
    pub(crate) at_ms: u64,
}

impl Entry {
    /// A commit of another writer.
    pub(crate) fn foreign() -> Self {
        let seen = Seen { id: None, ours: false, is_suspect: false, removes_rows: false };
        Entry { pipeline: MAIN, seen, held: None, adds: Vec::new(), removes: Vec::new(), fits: None, at_ms: 0 }
    }
}

/// Everything in a table's folder, and a reader's view of it.
#[derive(Clone)]
pub(crate) struct Lake {
    pub(crate) exists: bool,
    /// Changes with a restore or a re-creation: writes on their way to the old table are lost.
    pub(crate) incarnation: u32,
    pub(crate) log: BTreeMap<u64, Entry>,
    pub(crate) head: u64,
    pub(crate) active: BTreeSet<u64>,
    pub(crate) files: BTreeMap<u64, (u64, Vec<Row>)>,
    pub(crate) offsets: BTreeMap<OffsetsName, Vec<u8>>,
    pub(crate) held: Option<Held>,
    /// `offsets` and `held` of the twin.
    pub(crate) twin_offsets: BTreeMap<OffsetsName, Vec<u8>>,
    pub(crate) twin_held: Option<Held>,
    /// The lineage that the table is in.
    pub(crate) lineage: serde_json::Value,
    /// Where the table began, as an offset by file.
    pub(crate) base: BTreeMap<u64, u64>,
    /// Whether our rows fit the schema.
    pub(crate) fits: bool,
}

impl Default for Lake {
    fn default() -> Self {
        Lake {
            exists: false,
            incarnation: 0,
            log: BTreeMap::new(),
            head: 0,
            active: BTreeSet::new(),
            files: BTreeMap::new(),
            offsets: BTreeMap::new(),
            held: None,
            twin_offsets: BTreeMap::new(),
            twin_held: None,
            lineage: serde_json::Value::Null,
            base: BTreeMap::new(),
            fits: true,
        }
    }
}

impl Lake {
    pub(crate) fn offsets_of(&mut self, pipeline: usize) -> &mut BTreeMap<OffsetsName, Vec<u8>> {
        if pipeline == MAIN { &mut self.offsets } else { &mut self.twin_offsets }
    }

    pub(crate) fn held_by(&self, pipeline: usize) -> Option<Held> {
        if pipeline == MAIN { self.held } else { self.twin_held }
    }

    /// The rows that a reader sees.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.active.iter().flat_map(|f| &self.files[f].1)
    }

    pub(crate) fn document(&self, held: Held) -> serde_json::Value {
        let content = self.offsets.get(&OffsetsName(held)).map(Vec::as_slice).unwrap_or_default();
        serde_json::from_slice(content).unwrap_or_default()
    }
}

impl World {
    /// Version 0, as a sink creates it when it opens a missing table.
    pub(crate) fn create(&mut self, t: usize) {
        let (incarnation, strays) = (self.lakes[t].incarnation + 1, std::mem::take(&mut self.lakes[t].log));
        self.lakes[t] = Lake { exists: true, incarnation, log: strays, ..Lake::default() };
        self.lakes[t].log.insert(0, Entry { at_ms: self.now_ms, ..Entry::foreign() });
    }

    /// The conditional write of a version.
    pub(crate) fn put(&mut self, t: usize, version: u64, entry: Entry) -> Result<Created, StoreError> {
        let lake = &mut self.lakes[t];
        let entry = Entry { at_ms: self.now_ms, ..entry };
        if !lake.exists || version > lake.head + 1 {
            if self.without == Some(Rule::Predecessor) {
                lake.log.entry(version).or_insert(entry);
                ev!(self, "    STRAY {} v{version}", NAMES[t]);
                return Ok(Created::Yes);
            }
            return Err(StoreError::definite("commit", "the version before it is gone"));
        }
        if lake.log.contains_key(&version) {
            return Ok(Created::No);
        }
        if version <= lake.head {
            // Log clean-up removed this version: the write succeeds, and nobody sees it.
            ev!(self, "    GHOST {} v{version}", NAMES[t]);
            return Ok(Created::Yes);
        }
        lake.log.insert(version, entry);
        while let Some(entry) = self.lakes[t].log.get(&(self.lakes[t].head + 1)).cloned() {
            self.lakes[t].head += 1;
            self.apply(t, entry);
        }
        Ok(Created::Yes)
    }

    fn apply(&mut self, t: usize, entry: Entry) {
        let head = self.lakes[t].head;
        if entry.adds.iter().any(|f| !self.lakes[t].files.contains_key(f)) {
            self.violate(format!("VACUUMED: {} v{head} points at a file that is gone", NAMES[t]));
        }
        if entry.seen.ours && !entry.adds.is_empty() && !self.lakes[t].fits {
            self.violate(format!("MISFIT: {} v{head} adds rows to a table whose schema changed", NAMES[t]));
        }
        let (ours, anew) = (entry.pipeline == MAIN, entry.adds.is_empty());
        // A table begins with its first claim, and again with one of another lineage.
        let begins = |h: &Held| {
            let lake = &self.lakes[t];
            lake.held.is_none() || (anew && lake.document(*h)["lineage"] != lake.lineage)
        };
        let genesis = entry.held.filter(|held| ours && begins(held));
        let lake = &mut self.lakes[t];
        lake.active.retain(|f| !entry.removes.contains(f));
        lake.active.extend(entry.adds);
        match ours {
            true => lake.held = entry.held.or(lake.held),
            false => lake.twin_held = entry.held.or(lake.twin_held),
        }
        lake.fits = entry.fits.unwrap_or(lake.fits);
        if let Some(held) = genesis {
            self.learn_base(t, held);
        }
    }

    /// Takes the beginning of a table from the offsets of its first commit.
    fn learn_base(&mut self, t: usize, held: Held) {
        let document = self.lakes[t].document(held);
        let strangers = self.lakes[t].rows().filter(|row| row.uid == FOREIGN).count();
        if self.lakes[t].held == Some(held) && strangers > 0 && document["adopted"].is_null() {
            self.violate(format!("SILENT: {} is claimed beside {strangers} rows of others", NAMES[t]));
        }
        self.lakes[t].lineage = document["lineage"].clone();
        // Assumed: once a table has begun anew beside the others, nobody restores an earlier state
        // of the same lineage.
        let lineage = |b: &mut Lake| b.held.map(|h| b.document(h)["lineage"].clone());
        self.backups[t].take_if(|b| lineage(b).as_ref() == Some(&document["lineage"]));
        let entries = document["partitions"].as_array().cloned().unwrap_or_default();
        let uid = |e: &serde_json::Value| e["revision"].as_str().map(uid_of).unwrap_or_default();
        self.lakes[t].base = entries.iter().map(|e| (uid(e), e["offset"].as_u64().unwrap_or_default())).collect();
    }
}

/// Gives way once: a crash, a pause or a rival may happen here.
pub(crate) fn give_way() -> impl Future<Output = ()> + Send {
    struct GiveWay(bool);
    impl Future for GiveWay {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            // An executor of many futures polls only those that woke it.
            context.waker().wake_by_ref();
            if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
        }
    }
    GiveWay(false)
}

/// The port as run `tag` sees it.
pub(crate) struct SimTable {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) t: usize,
    pub(crate) tag: u64,
    pub(crate) pipeline: usize,
}

impl SimTable {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("one thread a world")
    }

    fn look<'a, R: Send + 'a>(
        &'a self,
        what: &'static str,
        answer: impl FnOnce(&mut World) -> Result<R, StoreError> + Send + 'a,
    ) -> Pending<'a, Result<R, StoreError>> {
        Box::pin(async move {
            if self.world().rng.chance(0.3) {
                give_way().await;
            }
            let result = self.world().ask(what, answer);
            give_way().await;
            result?
        })
    }

    /// A write. `put` takes effect at once, because pauses longer than half the retention within
    /// the call itself are assumed not to happen.
    fn write<'a, R: Send + std::fmt::Debug + 'a>(
        &'a self,
        wait: bool,
        what: String,
        effect: impl FnOnce(&mut World) -> R + Send + 'static,
    ) -> Pending<'a, Result<R, StoreError>> {
        Box::pin(async move {
            if wait && self.world().rng.chance(0.3) {
                give_way().await;
            }
            let what = format!("run{} {} {what}", self.tag, NAMES[self.t]);
            let result = {
                let mut w = self.world();
                let result = w.send(self.t, what.clone(), effect);
                if let Ok(answer) = &result {
                    ev!(w, "{what} -> {answer:?}");
                }
                result
            };
            give_way().await;
            result
        })
    }
}

impl SimTable {
    /// Whether a version is a claim of ours: a commit by a newer run that left the position where
    /// it was.
    pub(crate) fn is_claim(&self, version: Version) -> bool {
        let w = self.world();
        let log = &w.lakes[self.t].log;
        let of_mine = |e: &Entry| e.held.filter(|_| e.pipeline == self.pipeline);
        let ours = |v: u64| log.get(&v).and_then(of_mine);
        let before = log.range(..version.0).rev().find_map(|(_, e)| of_mine(e));
        ours(version.0).is_some_and(|h| before.is_some_and(|b| b.position == h.position && b.run < h.run))
    }
}

impl Group for SimTable {
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
        self.look("load", |w| {
            let lake = &w.lakes[self.t];
            if !lake.exists {
                return Err(StoreError::definite("load", "there is no table"));
            }
            let retention = Retention { log_ms: RETENTION_MS, files_ms: RETENTION_MS };
            Ok(GroupState { head: Version(lake.head), held: lake.held_by(self.pipeline), retention })
        })
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        let (t, held) = (self.t, commit.held);
        let seen = Seen { id: Some(commit.id), ours: true, is_suspect: false, removes_rows: false };
        let adds = commit.files.iter().map(|staged| staged.file.path.parse().expect("a simulated path")).collect();
        let entry = Entry { pipeline: self.pipeline, seen, held: Some(held), adds, ..Entry::foreign() };
        let what = format!("v{} at={} run={} files={:?}", version.0, held.position, held.run, entry.adds);
        let sent_ms = self.world().now_ms;
        let write = self.write(false, what, move |w| {
            let lake = &w.lakes[t];
            if lake.exists && version.0 <= lake.head && !lake.log.contains_key(&version.0) && w.now_ms == sent_ms {
                w.violate(format!("GHOST: a run commits {} v{}, below the head", NAMES[t], version.0));
            }
            w.put(t, version.0, entry)
        });
        Box::pin(async move { write.await? })
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<Seen>, StoreError>> {
        let seen = |e: &Entry| Seen { ours: e.seen.ours && e.pipeline == self.pipeline, ..e.seen };
        self.look("read", move |w| Ok(w.lakes[self.t].log.get(&version.0).map(seen)))
    }

    fn recheck<'a>(&'a self, _commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>> {
        self.look("recheck", |w| match w.lakes[self.t].fits {
            true => Ok(Verdict::Harmless),
            false => Ok(Verdict::Conflicts("the schema no longer fits".to_owned())),
        })
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        self.look("rows", |w| Ok(w.lakes[self.t].rows().count() as u64))
    }
}

impl OffsetsStore for SimTable {
    fn name(&self) -> &str {
        NAMES[self.t]
    }

    fn shown(&self) -> String {
        format!("table {:?}", NAMES[self.t])
    }

    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        let (t, pipeline, content) = (self.t, self.pipeline, content.to_vec());
        self.write(true, format!("writes {name}"), move |w| {
            let offsets = w.lakes[t].offsets_of(pipeline);
            match offsets.contains_key(&name) {
                true => Created::No,
                false => {
                    offsets.insert(name, content);
                    Created::Yes
                }
            }
        })
    }

    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        self.look("read offsets", move |w| Ok(w.lakes[self.t].offsets_of(self.pipeline).get(&name).cloned()))
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        self.look("list offsets", |w| Ok(w.lakes[self.t].offsets_of(self.pipeline).keys().copied().collect()))
    }

    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
        let other = 1 - self.pipeline;
        self.look("others", move |w| {
            let is_there = !w.lakes[self.t].offsets_of(other).is_empty();
            let table = SimTable { world: self.world.clone(), t: self.t, tag: self.tag, pipeline: other };
            Ok(is_there.then(|| (PIPELINES[other].to_owned(), Box::new(table) as Box<dyn Group>)).into_iter().collect())
        })
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        let (t, pipeline) = (self.t, self.pipeline);
        self.write(true, format!("deletes {name}"), move |w| drop(w.lakes[t].offsets_of(pipeline).remove(&name)))
    }
}

/// The clocks of a run. Without the rule `Stale` they stand still.
pub(crate) struct SimClock(pub(crate) Arc<Mutex<World>>);

impl Clock for SimClock {
    fn now_ms(&self) -> u64 {
        let w = self.0.lock().expect("one thread a world");
        if w.lacks(Rule::Stale) { 0 } else { w.wall_ms() }
    }

    fn steady_ms(&self) -> u64 {
        let w = self.0.lock().expect("one thread a world");
        if w.lacks(Rule::Stale) { 0 } else { w.steady_ms() }
    }

    fn pause(&self, _ms: u64) -> Pending<'_, ()> {
        Box::pin(give_way())
    }
}
