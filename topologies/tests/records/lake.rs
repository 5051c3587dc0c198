//! A sink in memory: two tables that commit as one. What its files hold is in their detail, which
//! only the sink reads. Another writer takes every third version, and some replies are lost.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Condvar, Mutex};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use lakefront_operators::error::StoreError;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::clock::Stamp;
use lakefront_operators::protocol::group::{Commit, CommitFacts, Created, Group, GroupState, Retention, Verdict};
use lakefront_operators::protocol::names::{Held, OffsetsName, TableId, Version};
use lakefront_operators::protocol::offsets_store::{Neighbour, OffsetsStore};
use lakefront_operators::protocol::staged::StagedFile;
use lakefront_operators::run::clock::SystemClock;
use lakefront_operators::sink::{Stage, StageWriter};
use uuid::Uuid;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const RETENTION: Retention = Retention { log_ms: DAY_MS, files_ms: DAY_MS };

/// The lake, as its clients share it.
#[derive(Clone, Default)]
pub(crate) struct Lake(Arc<(Mutex<Content>, Condvar)>);

#[derive(Default)]
struct Content {
    /// By version, from 1 on. The id is missing in what the other writer has committed.
    log: Vec<Option<Uuid>>,
    held: Option<Held>,
    /// The positions at which commits with rows ended.
    cuts: Vec<u64>,
    rows: BTreeMap<TableId, Vec<i64>>,
    offsets: BTreeMap<OffsetsName, Vec<u8>>,
    calls: u32,
    /// Commits with rows until the store fails for good.
    lasts: Option<usize>,
}

impl Lake {
    fn with<R>(&self, act: impl FnOnce(&mut Content) -> R) -> R {
        act(&mut self.0.0.lock().expect("no thread panicked"))
    }

    /// Waits until it holds all rows up to `end`.
    pub(crate) fn wait_for(&self, end: u64) {
        let (content, moved) = &*self.0;
        let content = content.lock().expect("no thread panicked");
        let lacks = |lake: &mut Content| lake.held.is_none_or(|held| held.position.0 < end);
        drop(moved.wait_while(content, lacks).expect("no thread panicked"));
    }

    /// Fails for good after so many more commits with rows.
    pub(crate) fn fails_after(&self, commits: Option<usize>) {
        self.with(|lake| lake.lasts = commits);
    }

    /// The rows of a table, in order.
    pub(crate) fn rows(&self, table: usize) -> Vec<i64> {
        let mut rows = self.with(|lake| lake.rows.get(&TableId(table)).cloned().unwrap_or_default());
        rows.sort_unstable();
        rows
    }

    /// The positions at which commits with rows ended.
    pub(crate) fn cuts(&self) -> Vec<u64> {
        self.with(|lake| lake.cuts.clone())
    }

    /// Up to where it holds all rows.
    pub(crate) fn holds(&self) -> u64 {
        self.with(|lake| lake.held.map_or(0, |held| held.position.0))
    }

    /// What stages the rows of a table.
    pub(crate) fn stage(&self) -> Box<dyn Stage> {
        Box::new(Staging)
    }

    /// Acts when awaited, not before.
    fn act<'a, R: Send + 'a>(
        &'a self,
        act: impl FnOnce(&mut Content) -> Result<R, StoreError> + Send + 'a,
    ) -> Pending<'a, Result<R, StoreError>> {
        Box::pin(async move { self.with(act) })
    }
}

/// Writes each file into its detail: the values, in order, each with a blank behind it.
struct Staging;

impl Stage for Staging {
    fn begin(&self) -> Result<Box<dyn StageWriter>, StoreError> {
        Ok(Box::new(Writer { begun: Stamp::now(&SystemClock), values: Vec::new(), file: String::new(), rows: 0 }))
    }
}

struct Writer {
    begun: Stamp,
    /// Rows that are not written yet.
    values: Vec<i64>,
    file: String,
    rows: u64,
}

impl StageWriter for Writer {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let values = batch.column_by_name("value").expect("every row has a value");
        self.values.extend(values.as_primitive::<Int64Type>().values());
        Ok(())
    }

    fn memory(&self) -> u64 {
        8 * self.values.len() as u64
    }

    fn relieve(&mut self) -> Result<(), StoreError> {
        for value in self.values.drain(..) {
            let _ = write!(self.file, "{value} ");
            self.rows += 1;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Pending<'static, Result<Vec<StagedFile>, StoreError>>, StoreError> {
        self.relieve()?;
        let Writer { begun: staged_at, file: detail, rows, .. } = *self;
        let (path, size) = (Uuid::new_v4().to_string(), detail.len() as u64);
        Ok(Box::pin(async move { Ok(vec![StagedFile { path, size, rows, detail, staged_at }]) }))
    }
}

impl Group for Lake {
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
        self.act(|lake| Ok(GroupState { head: Version(lake.log.len() as u64), held: lake.held, retention: RETENTION }))
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        self.act(move |lake| {
            self.0.1.notify_all();
            if lake.log.len() as u64 + 1 == version.0 && version.0.is_multiple_of(3) {
                lake.log.push(None);
            }
            if lake.log.len() as u64 + 1 != version.0 {
                return Ok(Created::No);
            }
            if !commit.files.is_empty() && lake.lasts.as_mut().is_some_and(|lasts| lasts.checked_sub(1).is_none()) {
                return Err(StoreError::definite("commit", "the store is gone"));
            }
            for staged in &commit.files {
                let values = staged.file.detail.split_whitespace().map(|value| value.parse::<i64>().expect("ours"));
                lake.rows.entry(staged.table).or_default().extend(values);
            }
            if !commit.files.is_empty() {
                lake.cuts.push(commit.held.position.0);
                lake.lasts = lake.lasts.map(|lasts| lasts - 1);
            }
            lake.log.push(Some(commit.id));
            lake.held = Some(commit.held);
            lake.calls += 1;
            match lake.calls % 4 {
                0 => Err(StoreError::transient("commit", "no reply")),
                _ => Ok(Created::Yes),
            }
        })
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>> {
        self.act(move |lake| {
            let facts = |id: &Option<Uuid>| CommitFacts {
                id: *id,
                ours: id.is_some(),
                is_suspect: id.is_none(),
                removes_rows: false,
            };
            Ok(usize::try_from(version.0 - 1).ok().and_then(|at| lake.log.get(at)).map(facts))
        })
    }

    fn recheck<'a>(&'a self, _commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>> {
        Box::pin(async { Ok(Verdict::Harmless) })
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        self.act(|lake| Ok(lake.rows.values().map(|rows| rows.len() as u64).sum()))
    }
}

impl OffsetsStore for Lake {
    fn name(&self) -> &str {
        "lake"
    }

    fn shown(&self) -> String {
        "the lake in memory".to_owned()
    }

    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        self.act(move |lake| {
            let before = lake.offsets.len();
            lake.offsets.entry(name).or_insert_with(|| content.to_vec());
            Ok(if lake.offsets.len() > before { Created::Yes } else { Created::No })
        })
    }

    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        self.act(move |lake| Ok(lake.offsets.get(&name).cloned()))
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        self.act(|lake| Ok(lake.offsets.keys().copied().collect()))
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        self.act(move |lake| {
            lake.offsets.remove(&name);
            Ok(())
        })
    }

    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
