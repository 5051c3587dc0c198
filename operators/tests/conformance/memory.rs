//! A sink in memory, whose groups have any number of tables: the contract in its simplest form, to
//! test the stories themselves. A file may mask a row: its commit takes that row from the readers,
//! and conflicts with whoever has taken it first.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::clock::Stamp;
use lakefront_operators::protocol::group::{Commit, CommitFacts, Created, Group, GroupState, Retention, Verdict};
use lakefront_operators::protocol::names::{Held, OffsetsName, TableId, Version};
use lakefront_operators::protocol::offsets_store::{Neighbour, OffsetsStore};
use lakefront_operators::protocol::staged::{Staged, StagedFile};
use uuid::Uuid;

use crate::harness::{Foreign, GROUPS, Sink, TestClock, table_of};
use crate::kinds::StoryKind;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const RETENTION: Retention = Retention { log_ms: 30 * DAY_MS, files_ms: 7 * DAY_MS };

/// A commit in a group's log.
#[derive(Clone, Default)]
struct Entry {
    id: Option<Uuid>,
    pipeline: Option<String>,
    is_suspect: bool,
    removes_rows: bool,
}

/// What one group's store holds.
#[derive(Clone, Default)]
struct Store {
    log: BTreeMap<u64, Entry>,
    held: BTreeMap<String, Held>,
    visible: Vec<(TableId, u64)>,
    staged: BTreeMap<String, Vec<u64>>,
    offsets: BTreeMap<(String, OffsetsName), Vec<u8>>,
    fits: bool,
}

impl Store {
    fn head(&self) -> u64 {
        *self.log.keys().next_back().expect("a group has a version")
    }

    fn append(&mut self, entry: Entry) {
        self.log.insert(self.head() + 1, entry);
    }

    /// Whether a reader sees the row.
    fn has(&self, row: u64) -> bool {
        self.visible.iter().any(|(_, seen)| *seen == row)
    }
}

/// The row that the file masks, in its opaque detail.
fn masked(staged: &Staged) -> Option<u64> {
    staged.file.detail.strip_prefix("masks ").map(|row| row.parse().expect("our own detail"))
}

type Shared = Arc<Mutex<Option<Store>>>;

/// Groups of `T` tables in memory, for a source of kind `K`.
pub(crate) struct MemorySink<K, const T: usize> {
    stores: [Shared; GROUPS],
    clock: Arc<TestClock>,
    of: PhantomData<K>,
}

impl<K: StoryKind, const T: usize> MemorySink<K, T> {
    fn with<R>(&self, group: usize, act: impl FnOnce(&mut Store) -> R) -> R {
        act(self.stores[group].lock().unwrap().as_mut().expect("the group exists"))
    }

    /// Stages a file with one row, which masks another.
    pub(crate) fn stage_masking(&self, group: usize, row: u64, masked: u64) -> Staged {
        let staged = self.stage_in(table_of::<Self>(group, row), group, vec![row]);
        Staged { file: StagedFile { detail: format!("masks {masked}"), ..staged.file }, ..staged }
    }

    fn stage_in(&self, table: TableId, group: usize, rows: Vec<u64>) -> Staged {
        let (path, staged_at) = (Uuid::new_v4().to_string(), Stamp::now(&*self.clock));
        let file = StagedFile { path, size: 1, rows: rows.len() as u64, detail: String::new(), staged_at };
        self.with(group, |store| store.staged.insert(file.path.clone(), rows));
        Staged { table, file }
    }
}

fn done<'a, R: Send + 'a>(value: R) -> Pending<'a, R> {
    Box::pin(std::future::ready(value))
}

impl<K: StoryKind, const T: usize> Sink for MemorySink<K, T> {
    type Kind = K;
    const TABLES: usize = T;

    fn new(clock: Arc<TestClock>) -> Self {
        MemorySink { stores: Default::default(), clock, of: PhantomData }
    }

    fn open<'a>(&'a self, pipeline: &'a str) -> Pending<'a, Result<Vec<Arc<dyn Group>>, Stop>> {
        let group = |(index, store): (usize, &Shared)| {
            store.lock().unwrap().get_or_insert_with(|| Store {
                log: [(0, Entry { is_suspect: true, ..Entry::default() })].into(),
                fits: true,
                ..Store::default()
            });
            let (name, pipeline) = (format!("table-{index}"), pipeline.to_owned());
            Arc::new(MemoryGroup { name, pipeline, store: store.clone() }) as Arc<dyn Group>
        };
        done(Ok(self.stores.iter().enumerate().map(group).collect()))
    }

    fn stage<'a>(&'a self, group: usize, rows: &'a [u64]) -> Pending<'a, Vec<Staged>> {
        let mut by_table: BTreeMap<TableId, Vec<u64>> = BTreeMap::new();
        rows.iter().for_each(|row| by_table.entry(table_of::<Self>(group, *row)).or_default().push(*row));
        done(by_table.into_iter().map(|(table, rows)| self.stage_in(table, group, rows)).collect())
    }

    fn rows(&self, group: usize) -> Pending<'_, Vec<u64>> {
        let visible = self.with(group, |store| store.visible.clone());
        let strays: Vec<_> = visible.iter().filter(|(table, row)| *table != table_of::<Self>(group, *row)).collect();
        assert!(strays.is_empty(), "rows in a table that is not theirs: {strays:?}");
        let mut rows: Vec<u64> = visible.into_iter().map(|(_, row)| row).collect();
        rows.sort();
        done(rows)
    }

    fn held<'a>(&'a self, group: usize, pipeline: &'a str) -> Pending<'a, Option<Held>> {
        done(self.with(group, |store| store.held.get(pipeline).copied()))
    }

    fn foreign(&self, group: usize, what: Foreign) -> Pending<'_, ()> {
        let mut entry = Entry::default();
        self.with(group, |store| {
            match what {
                Foreign::Append(rows) => {
                    store.visible.extend(rows.iter().map(|row| (table_of::<Self>(group, *row), *row)));
                }
                Foreign::Compact => {}
                Foreign::Delete => {
                    (entry.is_suspect, entry.removes_rows, store.visible) = (true, true, Vec::new());
                }
                Foreign::AddColumn => entry.is_suspect = true,
                Foreign::Retype => (entry.is_suspect, store.fits) = (true, false),
            }
            store.append(entry);
        });
        done(())
    }

    fn clean_log(&self, group: usize) -> Pending<'_, ()> {
        self.with(group, |store| store.log = store.log.split_off(&store.head()));
        done(())
    }

    fn drop_group(&self, group: usize) {
        *self.stores[group].lock().unwrap() = None;
    }

    fn tamper(&self, group: usize, pipeline: &str, name: OffsetsName, content: Option<&[u8]>) {
        let key = (pipeline.to_owned(), name);
        self.with(group, |store| match content {
            Some(content) => store.offsets.insert(key, content.to_vec()),
            None => store.offsets.remove(&key),
        });
    }
}

/// One of the groups, as one pipeline sees it.
struct MemoryGroup {
    name: String,
    pipeline: String,
    store: Shared,
}

impl MemoryGroup {
    /// Acts when awaited, not before.
    fn act<'a, R: Send + 'a>(
        &'a self,
        act: impl FnOnce(&mut Store) -> Result<R, StoreError> + Send + 'a,
    ) -> Pending<'a, Result<R, StoreError>> {
        Box::pin(async move {
            let mut store = self.store.lock().unwrap();
            act(store.as_mut().ok_or_else(|| StoreError::definite("use the group", "it was deleted"))?)
        })
    }
}

impl Group for MemoryGroup {
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
        self.act(|store| {
            let held = store.held.get(&self.pipeline).copied();
            Ok(GroupState { head: Version(store.head()), held, retention: RETENTION })
        })
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        self.act(move |store| {
            if store.log.contains_key(&version.0) {
                return Ok(Created::No);
            }
            if !store.log.contains_key(&(version.0 - 1)) {
                return Err(StoreError::definite("commit", "the version before it is gone"));
            }
            for staged in &commit.files {
                let rows = store.staged.get(&staged.file.path).cloned().unwrap_or_default();
                store.visible.retain(|(_, row)| Some(*row) != masked(staged));
                store.visible.extend(rows.into_iter().map(|row| (staged.table, row)));
            }
            store.held.insert(self.pipeline.clone(), commit.held);
            store.append(Entry { id: Some(commit.id), pipeline: Some(self.pipeline.clone()), ..Entry::default() });
            Ok(Created::Yes)
        })
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>> {
        self.act(move |store| {
            Ok(store.log.get(&version.0).map(|entry| CommitFacts {
                id: entry.id,
                ours: entry.pipeline.as_ref() == Some(&self.pipeline),
                is_suspect: entry.is_suspect,
                removes_rows: entry.removes_rows,
            }))
        })
    }

    fn recheck<'a>(&'a self, commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>> {
        self.act(move |store| {
            if !store.fits {
                return Ok(Verdict::Conflicts("a column was retyped".to_owned()));
            }
            let masked = commit.into_iter().flat_map(|commit| commit.files.iter().filter_map(masked));
            Ok(match masked.into_iter().find(|row| !store.has(*row)) {
                Some(row) => Verdict::Conflicts(format!("another writer has taken row {row}: start again")),
                None => Verdict::Harmless,
            })
        })
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        self.act(|store| Ok(store.visible.len() as u64))
    }
}

impl OffsetsStore for MemoryGroup {
    fn name(&self) -> &str {
        &self.name
    }

    fn shown(&self) -> String {
        format!("group {:?}", self.name)
    }

    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        self.act(move |store| match store.offsets.entry((self.pipeline.clone(), name)) {
            std::collections::btree_map::Entry::Occupied(_) => Ok(Created::No),
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(content.to_vec());
                Ok(Created::Yes)
            }
        })
    }

    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        self.act(move |store| Ok(store.offsets.get(&(self.pipeline.clone(), name)).cloned()))
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        self.act(|store| {
            Ok(store.offsets.keys().filter(|(pipeline, _)| *pipeline == self.pipeline).map(|(_, name)| *name).collect())
        })
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        self.act(move |store| {
            store.offsets.remove(&(self.pipeline.clone(), name));
            Ok(())
        })
    }

    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
        self.act(|store| {
            let mut names: Vec<String> = store.offsets.keys().map(|(pipeline, _)| pipeline.clone()).collect();
            names.dedup();
            names.retain(|name| *name != self.pipeline);
            let group = |pipeline: String| {
                let (name, store) = (self.name.clone(), self.store.clone());
                (pipeline.clone(), Box::new(MemoryGroup { name, pipeline, store }) as Box<dyn Group>)
            };
            Ok(names.into_iter().map(group).collect())
        })
    }
}
