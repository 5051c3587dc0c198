//! The port over a group of tables, and the clocks, as a run sees them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use lakefront_operators::error::StoreError;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::group::{Commit, CommitFacts, Created, Group, GroupState, Retention, Verdict};
use lakefront_operators::protocol::names::{OffsetsName, Version};
use lakefront_operators::protocol::offsets_store::{Neighbour, OffsetsStore};

use crate::kind::{SimKind, Transaction};
use crate::lake::Entry;
use crate::saboteur::Rule;
use crate::world::{TICK_MS, Target, World, ev};

/// Log clean-up and vacuum spare what is younger than this.
pub(crate) const RETENTION_MS: u64 = 60 * TICK_MS;

/// The pipeline that must land everything, and one that reads the same source under another
/// spelling.
pub(crate) const MAIN: usize = 0;
pub(crate) const TWIN: usize = 1;
/// Their names.
pub(crate) const PIPELINES: [&str; 2] = ["sim", "twin"];
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
pub(crate) struct SimGroup<K: SimKind> {
    pub(crate) world: Arc<Mutex<World<K>>>,
    pub(crate) name: &'static str,
    pub(crate) g: usize,
    pub(crate) tag: u64,
    pub(crate) pipeline: usize,
}

impl<K: SimKind> SimGroup<K> {
    pub(crate) fn world(&self) -> MutexGuard<'_, World<K>> {
        self.world.lock().expect("one thread a world")
    }

    fn look<'a, R: Send + 'a>(
        &'a self,
        what: &'static str,
        answer: impl FnOnce(&mut World<K>) -> Result<R, StoreError> + Send + 'a,
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
        effect: impl FnOnce(&mut World<K>) -> R + Send + 'static,
    ) -> Pending<'a, Result<R, StoreError>> {
        Box::pin(async move {
            if wait && self.world().rng.chance(0.3) {
                give_way().await;
            }
            let what = format!("run{} {} {what}", self.tag, self.name);
            let result = {
                let mut w = self.world();
                let result = w.send(Target::Group(self.g), what.clone(), effect);
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

impl<K: SimKind> SimGroup<K> {
    /// The conditional write of a version. What is made together with it is made in the same
    /// moment, or not at all.
    fn make<'a>(
        &'a self,
        version: Version,
        commit: &'a Commit,
        transaction: Option<Transaction>,
    ) -> Pending<'a, Result<Result<Created, StoreError>, StoreError>> {
        let (g, held, id) = (self.g, commit.held, commit.id);
        let seen = CommitFacts { id: Some(id), ours: true, is_suspect: false, removes_rows: false };
        let adds = commit.files.iter().map(|staged| staged.file.path.parse().expect("a simulated path")).collect();
        let masks = masks::<K>(commit);
        let entry = Entry { pipeline: self.pipeline, seen, held: Some(held), adds, masks, ..Entry::foreign() };
        let what = format!("v{} at={} run={} files={:?}", version.0, held.position, held.run, entry.adds);
        let sent_ms = self.world().now_ms;
        self.write(false, what, move |w| {
            let (lake, is_late) = (&w.lakes[g], w.now_ms != sent_ms);
            if lake.exists && version.0 <= lake.head && !lake.log.contains_key(&version.0) && !is_late {
                w.violate(format!("GHOST: a run commits {} v{}, below the head", w.name(g), version.0));
            }
            if transaction.is_some_and(|transaction| !K::stands(w, g, transaction, is_late)) {
                return Ok(Created::Void);
            }
            let is_free = w.lacks(Rule::Anew) && w.voids.contains(&id);
            let version = if is_free { w.lakes[g].head + 1 } else { version.0 };
            let created = w.put(g, version, entry)?;
            if w.lakes[g].log.get(&version).is_some_and(|entry| created == Created::Yes && entry.seen.id == Some(id)) {
                K::landed(w, g, held, transaction);
            }
            Ok(created)
        })
    }

    /// The commit is called void.
    fn void(&self, commit: &Commit) -> Created {
        let mut w = self.world();
        ev!(w, "run{} {} calls {:?} void", self.tag, self.name, commit.held);
        w.voids.insert(commit.id);
        Created::Void
    }

    /// Whether the commit that made a version was called void before.
    pub(crate) fn was_called_void(&self, seen: &CommitFacts) -> bool {
        seen.id.is_some_and(|id| self.world().voids.contains(&id))
    }

    /// Whether a version is a claim of ours: a commit by a newer run that left the position where
    /// it was.
    pub(crate) fn is_claim(&self, version: Version) -> bool {
        let w = self.world();
        let log = &w.lakes[self.g].log;
        let of_mine = |e: &Entry<K>| e.held.filter(|_| e.pipeline == self.pipeline);
        let ours = |v: u64| log.get(&v).and_then(of_mine);
        let before = log.range(..version.0).rev().find_map(|(_, e)| of_mine(e));
        ours(version.0).is_some_and(|h| before.is_some_and(|b| b.position == h.position && b.run < h.run))
    }
}

/// The rows that the files of a commit mask.
fn masks<K: SimKind>(commit: &Commit) -> Vec<(u64, K::Row)> {
    commit.files.iter().flat_map(|staged| K::masks(&staged.file.detail)).collect()
}

impl<K: SimKind> Group for SimGroup<K> {
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
        self.look("load", |w| {
            let lake = &w.lakes[self.g];
            if !lake.exists {
                return Err(StoreError::definite("load", "there is no table"));
            }
            let retention = Retention { log_ms: RETENTION_MS, files_ms: RETENTION_MS };
            Ok(GroupState { head: Version(lake.head), held: lake.held_by(self.pipeline), retention })
        })
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        Box::pin(async move {
            let transaction = match commit.files.is_empty() {
                true => None,
                false => match K::begin(self, commit).await? {
                    Some(transaction) => Some(transaction),
                    None => return Ok(self.void(commit)),
                },
            };
            Ok(match self.make(version, commit, transaction).await?? {
                Created::Void => self.void(commit),
                created => created,
            })
        })
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>> {
        let seen = |e: &Entry<K>| CommitFacts { ours: e.seen.ours && e.pipeline == self.pipeline, ..e.seen };
        self.look("read", move |w| Ok(w.lakes[self.g].log.get(&version.0).map(seen)))
    }

    fn recheck<'a>(&'a self, commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>> {
        self.look("recheck", move |w| {
            if K::COMPARES {
                return Ok(Verdict::Harmless);
            }
            let lake = &w.lakes[self.g];
            let missed = commit.and_then(|commit| lake.misses(&masks::<K>(commit)));
            match (lake.fits, missed) {
                (false, _) => Ok(Verdict::Conflicts("the schema no longer fits".to_owned())),
                (true, Some(file)) => {
                    Ok(Verdict::Conflicts(format!("file {file}, of which it masks a row, was taken")))
                }
                (true, None) => Ok(Verdict::Harmless),
            }
        })
    }

    fn discard<'a>(&'a self, commit: &'a Commit) -> Pending<'a, ()> {
        Box::pin(async move {
            give_way().await;
            let mut w = self.world();
            ev!(w, "run{} {} discards {:?}", self.tag, self.name, commit.held);
            if w.lakes[self.g].log.values().any(|entry| entry.seen.id == Some(commit.id)) {
                w.violate(format!("DISCARDED: {:?} of {}, which has landed", commit.held, self.name));
            }
            for staged in &commit.files {
                w.lakes[self.g].files.remove(&staged.file.path.parse().expect("a simulated path"));
            }
            K::discarded(&mut w, self.tag, commit.held);
        })
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        self.look("rows", |w| Ok(w.lakes[self.g].rows().count() as u64 + w.lakes[self.g].strangers() as u64))
    }
}

impl<K: SimKind> OffsetsStore for SimGroup<K> {
    fn name(&self) -> &str {
        self.name
    }

    fn shown(&self) -> String {
        format!("{} {:?}", K::GROUP, self.name)
    }

    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        let (g, pipeline, content) = (self.g, self.pipeline, content.to_vec());
        self.write(true, format!("writes {name}"), move |w| {
            let offsets = w.lakes[g].offsets_of(pipeline);
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
        self.look("read offsets", move |w| Ok(w.lakes[self.g].offsets_of(self.pipeline).get(&name).cloned()))
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        self.look("list offsets", |w| Ok(w.lakes[self.g].offsets_of(self.pipeline).keys().copied().collect()))
    }

    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
        let other = 1 - self.pipeline;
        self.look("others", move |w| {
            let is_there = !w.lakes[self.g].offsets_of(other).is_empty();
            let SimGroup { g, name, tag, .. } = *self;
            let theirs = SimGroup { world: self.world.clone(), name, g, tag, pipeline: other };
            Ok(is_there
                .then(|| (PIPELINES[other].to_owned(), Box::new(theirs) as Box<dyn Group>))
                .into_iter()
                .collect())
        })
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        let (g, pipeline) = (self.g, self.pipeline);
        self.write(true, format!("deletes {name}"), move |w| drop(w.lakes[g].offsets_of(pipeline).remove(&name)))
    }
}

/// The clocks of a run. Without the rule `Stale` they stand still.
pub(crate) struct SimClock<K: SimKind>(pub(crate) Arc<Mutex<World<K>>>);

impl<K: SimKind> Clock for SimClock<K> {
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
