//! A sink in memory: the contract in its simplest form, to test the stories themselves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::protocol::table::{
    Commit, Created, Held, OffsetsName, Pending, Retention, Seen, StagedFile, Stamp, Table, TableState, Version,
};
use uuid::Uuid;

use crate::harness::{Foreign, Sink, TABLES, TestClock};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const RETENTION: Retention = Retention { log_ms: 30 * DAY_MS, files_ms: 7 * DAY_MS };

/// A commit in a table's log.
#[derive(Clone, Default)]
struct Entry {
    id: Option<Uuid>,
    pipeline: Option<String>,
    changes_table: bool,
    removes_rows: bool,
}

/// What one table's store holds.
#[derive(Clone, Default)]
struct Store {
    log: BTreeMap<u64, Entry>,
    held: BTreeMap<String, Held>,
    visible: Vec<u64>,
    staged: BTreeMap<String, Vec<u64>>,
    offsets: BTreeMap<(String, OffsetsName), Vec<u8>>,
    fits: bool,
}

impl Store {
    fn head(&self) -> u64 {
        *self.log.keys().next_back().expect("a table has a version")
    }

    fn append(&mut self, entry: Entry) {
        self.log.insert(self.head() + 1, entry);
    }
}

type Shared = Arc<Mutex<Option<Store>>>;

/// Three tables in memory.
pub(crate) struct MemorySink {
    stores: [Shared; TABLES],
    clock: Arc<TestClock>,
}

impl MemorySink {
    fn with<T>(&self, table: usize, act: impl FnOnce(&mut Store) -> T) -> T {
        act(self.stores[table].lock().unwrap().as_mut().expect("the table exists"))
    }
}

fn done<'a, T: Send + 'a>(value: T) -> Pending<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Sink for MemorySink {
    fn new(clock: Arc<TestClock>) -> Self {
        MemorySink { stores: Default::default(), clock }
    }

    fn open<'a>(&'a self, pipeline: &'a str) -> Pending<'a, Result<Vec<Arc<dyn Table>>, Stop>> {
        let table = |(index, store): (usize, &Shared)| {
            store.lock().unwrap().get_or_insert_with(|| Store {
                log: [(0, Entry { changes_table: true, ..Entry::default() })].into(),
                fits: true,
                ..Store::default()
            });
            let (name, pipeline) = (format!("table-{index}"), pipeline.to_owned());
            Arc::new(MemoryTable { name, pipeline, store: store.clone() }) as Arc<dyn Table>
        };
        done(Ok(self.stores.iter().enumerate().map(table).collect()))
    }

    fn stage<'a>(&'a self, table: usize, rows: &'a [u64]) -> Pending<'a, Vec<StagedFile>> {
        let (path, staged_at) = (Uuid::new_v4().to_string(), Stamp::now(&*self.clock));
        self.with(table, |store| store.staged.insert(path.clone(), rows.to_vec()));
        done(vec![StagedFile { path, size: 1, rows: rows.len() as u64, detail: String::new(), staged_at }])
    }

    fn rows(&self, table: usize) -> Pending<'_, Vec<u64>> {
        let mut rows = self.with(table, |store| store.visible.clone());
        rows.sort();
        done(rows)
    }

    fn held<'a>(&'a self, table: usize, pipeline: &'a str) -> Pending<'a, Option<Held>> {
        done(self.with(table, |store| store.held.get(pipeline).copied()))
    }

    fn foreign(&self, table: usize, what: Foreign) -> Pending<'_, ()> {
        let mut entry = Entry::default();
        self.with(table, |store| {
            match what {
                Foreign::Append(rows) => store.visible.extend(rows),
                Foreign::Compact => {}
                Foreign::Delete => (entry.removes_rows, store.visible) = (true, Vec::new()),
                Foreign::AddColumn => entry.changes_table = true,
                Foreign::Retype => (entry.changes_table, store.fits) = (true, false),
            }
            store.append(entry);
        });
        done(())
    }

    fn clean_log(&self, table: usize) -> Pending<'_, ()> {
        self.with(table, |store| store.log = store.log.split_off(&store.head()));
        done(())
    }

    fn drop_table(&self, table: usize) {
        *self.stores[table].lock().unwrap() = None;
    }

    fn tamper(&self, table: usize, pipeline: &str, name: OffsetsName, content: Option<&[u8]>) {
        let key = (pipeline.to_owned(), name);
        self.with(table, |store| match content {
            Some(content) => store.offsets.insert(key, content.to_vec()),
            None => store.offsets.remove(&key),
        });
    }
}

/// One of the tables, as one pipeline sees it.
struct MemoryTable {
    name: String,
    pipeline: String,
    store: Shared,
}

impl MemoryTable {
    /// Acts when awaited, not before.
    fn act<'a, T: Send + 'a>(
        &'a self,
        act: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'a,
    ) -> Pending<'a, Result<T, StoreError>> {
        Box::pin(async move {
            let mut store = self.store.lock().unwrap();
            act(store.as_mut().ok_or_else(|| StoreError::definite("use the table", "it was deleted"))?)
        })
    }
}

impl Table for MemoryTable {
    fn name(&self) -> &str {
        &self.name
    }

    fn load(&self) -> Pending<'_, Result<TableState, StoreError>> {
        self.act(|store| {
            let held = store.held.get(&self.pipeline).copied();
            Ok(TableState { head: Version(store.head()), held, retention: RETENTION })
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
            for file in &commit.files {
                store.visible.extend(store.staged.get(&file.path).cloned().unwrap_or_default());
            }
            store.held.insert(self.pipeline.clone(), commit.held);
            store.append(Entry { id: Some(commit.id), pipeline: Some(self.pipeline.clone()), ..Entry::default() });
            Ok(Created::Yes)
        })
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<Seen>, StoreError>> {
        self.act(move |store| {
            Ok(store.log.get(&version.0).map(|entry| Seen {
                id: entry.id,
                ours: entry.pipeline.as_ref() == Some(&self.pipeline),
                changes_table: entry.changes_table,
                removes_rows: entry.removes_rows,
            }))
        })
    }

    fn recheck(&self) -> Pending<'_, Result<(), StoreError>> {
        self.act(|store| store.fits.then_some(()).ok_or_else(|| StoreError::definite("go on", "a column was retyped")))
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

    fn others(&self) -> Pending<'_, Result<Vec<(String, Box<dyn Table>)>, StoreError>> {
        self.act(|store| {
            let mut names: Vec<String> = store.offsets.keys().map(|(pipeline, _)| pipeline.clone()).collect();
            names.dedup();
            names.retain(|name| *name != self.pipeline);
            let table = |pipeline: String| {
                let (name, store) = (self.name.clone(), self.store.clone());
                (pipeline.clone(), Box::new(MemoryTable { name, pipeline, store }) as Box<dyn Table>)
            };
            Ok(names.into_iter().map(table).collect())
        })
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        self.act(|store| Ok(store.visible.len() as u64))
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        self.act(move |store| {
            store.offsets.remove(&(self.pipeline.clone(), name));
            Ok(())
        })
    }
}
