//! A Delta table as far as the protocol can tell: its log, its files, its offsets files, and the port over them.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use lakefront_operators::error::StoreError;
use lakefront_operators::protocol::table::{
    Clock, Commit, Created, Held, OffsetsName, Pending, Retention, Seen, Table, TableState, Version,
};

use crate::files::uid_of;
use crate::saboteur::Rule;
use crate::world::{Row, TICK_MS, World, ev};

pub(crate) static NAMES: [&str; 3] = ["primary", "replica", "rejects"];
/// Log clean-up and vacuum spare what is younger.
pub(crate) const RETENTION_MS: u64 = 60 * TICK_MS;

/// One version of a table.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
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
        let seen = Seen { id: None, ours: false, changes_table: false, removes_rows: false };
        Entry { seen, held: None, adds: Vec::new(), removes: Vec::new(), fits: None, at_ms: 0 }
    }
}

/// Everything in a table's folder, and what a reader makes of it.
#[derive(Clone)]
pub(crate) struct Lake {
    pub(crate) exists: bool,
    /// Another one after a restore or a re-creation: what was on its way to the old one is lost.
    pub(crate) incarnation: u32,
    pub(crate) log: BTreeMap<u64, Entry>,
    pub(crate) head: u64,
    pub(crate) active: BTreeSet<u64>,
    pub(crate) files: BTreeMap<u64, (u64, Vec<Row>)>,
    pub(crate) offsets: BTreeMap<OffsetsName, Vec<u8>>,
    pub(crate) held: Option<Held>,
    /// Where the table began, by file.
    pub(crate) base: BTreeMap<u64, u64>,
    /// Rows of ours fit the schema.
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
            base: BTreeMap::new(),
            fits: true,
        }
    }
}

impl Lake {
    pub(crate) fn document(&self, held: Held) -> serde_json::Value {
        let content = self.offsets.get(&OffsetsName(held)).map(Vec::as_slice).unwrap_or_default();
        serde_json::from_slice(content).unwrap_or_default()
    }
}

impl World {
    /// Version 0, as a sink makes it when it opens a table that is not there.
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
            // Log clean-up removed it: the write succeeds, and nobody sees it.
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
        let genesis = entry.held.filter(|_| self.lakes[t].held.is_none());
        let lake = &mut self.lakes[t];
        lake.active.retain(|f| !entry.removes.contains(f));
        lake.active.extend(entry.adds);
        lake.held = entry.held.or(lake.held);
        lake.fits = entry.fits.unwrap_or(lake.fits);
        if let Some(held) = genesis {
            self.learn_base(t, held);
        }
    }

    /// A table begins where its first commit says.
    fn learn_base(&mut self, t: usize, held: Held) {
        let document = self.lakes[t].document(held);
        // Supposed: once a table has begun anew beside the others, nobody restores what it was before.
        let lineage = |b: &mut Lake| b.held.map(|h| b.document(h)["lineage"].clone());
        self.backups[t].take_if(|b| lineage(b).as_ref() == Some(&document["lineage"]));
        let entries = document["partitions"].as_array().cloned().unwrap_or_default();
        let uid = |e: &serde_json::Value| e["revision"].as_str().map(uid_of).unwrap_or_default();
        self.lakes[t].base = entries.iter().map(|e| (uid(e), e["offset"].as_u64().unwrap_or_default())).collect();
    }
}

/// Gives way once: a crash, a pause or a rival may fall here.
pub(crate) fn give_way() -> impl Future<Output = ()> + Send {
    struct GiveWay(bool);
    impl Future for GiveWay {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            // What polls many at once asks only those that woke it.
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

    /// A write. `put` takes effect at once: pauses longer than half the retention within the call itself are not supposed.
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
    /// Whether a version is a commit of ours without files that left the position where it was.
    pub(crate) fn is_claim(&self, version: Version) -> bool {
        let w = self.world();
        let log = &w.lakes[self.t].log;
        let ours = |v: u64| log.get(&v).and_then(|e| e.held);
        let before = log.range(..version.0).rev().find_map(|(_, e)| e.held);
        ours(version.0).is_some_and(|h| before.is_some_and(|b| b.position == h.position && b.run < h.run))
    }
}

impl Table for SimTable {
    fn name(&self) -> &str {
        NAMES[self.t]
    }

    fn load(&self) -> Pending<'_, Result<TableState, StoreError>> {
        self.look("load", |w| {
            let lake = &w.lakes[self.t];
            if !lake.exists {
                return Err(StoreError::definite("load", "there is no table"));
            }
            let retention = Retention { log_ms: RETENTION_MS, files_ms: RETENTION_MS };
            Ok(TableState { head: Version(lake.head), held: lake.held, retention })
        })
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        let (t, held) = (self.t, commit.held);
        let seen = Seen { id: Some(commit.id), ours: true, changes_table: false, removes_rows: false };
        let adds = commit.files.iter().map(|f| f.path.parse().expect("a simulated path")).collect();
        let entry = Entry { seen, held: Some(held), adds, ..Entry::foreign() };
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
        self.look("read", move |w| Ok(w.lakes[self.t].log.get(&version.0).map(|e| e.seen)))
    }

    fn recheck(&self) -> Pending<'_, Result<(), StoreError>> {
        self.look("recheck", |w| match w.lakes[self.t].fits {
            true => Ok(()),
            false => Err(StoreError::definite("recheck", "the schema no longer fits")),
        })
    }

    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        let (t, content) = (self.t, content.to_vec());
        self.write(true, format!("writes {name}"), move |w| match w.lakes[t].offsets.contains_key(&name) {
            true => Created::No,
            false => {
                w.lakes[t].offsets.insert(name, content);
                Created::Yes
            }
        })
    }

    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        self.look("read offsets", move |w| Ok(w.lakes[self.t].offsets.get(&name).cloned()))
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        self.look("list offsets", |w| Ok(w.lakes[self.t].offsets.keys().copied().collect()))
    }

    fn others(&self) -> Pending<'_, Result<Vec<Vec<u8>>, StoreError>> {
        self.look("others", |_| Ok(Vec::new()))
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        let t = self.t;
        self.write(true, format!("deletes {name}"), move |w| drop(w.lakes[t].offsets.remove(&name)))
    }
}

/// The clocks of a run; without the rule `stale` they stand still.
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
