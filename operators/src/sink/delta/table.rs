//! One Delta table, as a group of its own: it has a log of its own.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{Date32Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::opening::offsets_folder;
use super::schema::{self, Fit};
use super::snapshot::{self, Snapshot};
use super::{checkpoint, log, referred, types};
use crate::error::{StoreError, chain};
use crate::protocol::Pending;
use crate::protocol::clock::{Clock, Stamp};
use crate::protocol::group::{Commit, CommitFacts, Created, Group, GroupState, Verdict};
use crate::protocol::names::{OffsetsName, Version};
use crate::protocol::offsets_store::{Neighbour, OffsetsStore};
use crate::sink::files::Place;
use crate::sink::parquet;

/// How many versions there are between log checkpoints, unless the table says otherwise.
const CHECKPOINT_INTERVAL: u64 = 100;
/// Log checkpoints may take one part in this many of the time; those that would take more are
/// skipped.
const CHECKPOINT_PARTS: u64 = 20;
/// But they are never skipped for more than this many intervals, because whoever opens the table
/// reads the commits since the last one.
const CHECKPOINT_SKIPS: u64 = 8;
/// A snapshot that was read this long ago, in milliseconds, is not followed any more, because its
/// log may have been cleaned up since.
const FOLLOW_MS: u64 = 60_000;

/// Which table, and what it must be able to hold.
#[derive(Clone)]
pub struct TableSpec {
    /// Where it is.
    pub place: Place,
    /// The name that messages use.
    pub name: String,
    /// The columns of its files.
    pub schema: SchemaRef,
    /// How rows are spread over folders, if they are.
    pub partition: Option<DayPartition>,
}

/// A partition column that holds a day and is computed from the row.
#[derive(Clone, Copy)]
pub struct DayPartition {
    /// The column's name.
    pub column: &'static str,
    /// The day of each row.
    pub of: fn(&RecordBatch) -> Date32Array,
}

/// The last log checkpoint of this run. One of a table with many files takes as long as hundreds of
/// commits.
#[derive(Clone, Copy, Default)]
struct Checkpointed {
    version: Version,
    /// When it ended, on the steady clock.
    ended_ms: u64,
    took_ms: u64,
}

impl Checkpointed {
    /// Whether a checkpoint of `version`, a multiple of `interval`, would come too soon after this
    /// one.
    fn is_recent(&self, version: Version, interval: u64, now_ms: u64) -> bool {
        let rest_ms = self.took_ms * (CHECKPOINT_PARTS - 1);
        now_ms.saturating_sub(self.ended_ms) < rest_ms
            && version.0.saturating_sub(self.version.0) < CHECKPOINT_SKIPS * interval
    }
}

impl TableSpec {
    /// What messages call the table.
    pub(super) fn shown(&self) -> String {
        format!("table {:?}", self.name)
    }

    /// All columns of the table, the partition column last.
    pub(super) fn columns(&self) -> Schema {
        let mut fields: Vec<_> = self.schema.fields().iter().cloned().collect();
        fields.extend(self.partition.map(|p| Arc::new(Field::new(p.column, DataType::Date32, true))));
        Schema::new(fields)
    }

    pub(super) fn partition_columns(&self) -> Vec<&'static str> {
        self.partition.iter().map(|p| p.column).collect()
    }

    /// Whether there can be such a table; the error names a column, in words that follow "would
    /// have".
    pub(super) fn check_columns(&self) -> Result<(), String> {
        parquet::check(&self.schema)?;
        types::plain_fields(self.columns().fields()).map(drop)
    }

    /// Whether a table of this definition can take our rows; the error says what is in the way.
    pub(super) fn check(&self, snapshot: &Snapshot) -> Result<Fit, String> {
        schema::check_retention(snapshot.state.retention)?;
        schema::check(&snapshot.protocol, &snapshot.metadata, &self.columns(), &self.partition_columns())
    }
}

/// A Delta table that a pipeline writes into.
pub struct DeltaTable {
    spec: TableSpec,
    ids: log::AppIds,
    clock: Arc<dyn Clock>,
    checkpoint_interval: u64,
    /// The last log checkpoint; locked while one is being written.
    checkpointing: Arc<tokio::sync::Mutex<Checkpointed>>,
    /// The table when it was last read, and when that was.
    known: Mutex<Option<(Snapshot, Stamp)>>,
    /// The last version that this run wrote to a disk, and what it wrote.
    written: Mutex<Option<(Version, Vec<u8>)>>,
}

impl DeltaTable {
    /// The table of `spec` as it is, unchecked: for callers that only read.
    pub fn attach(spec: TableSpec, pipeline: &str, clock: Arc<dyn Clock>) -> Self {
        DeltaTable {
            ids: log::AppIds::of(pipeline),
            spec,
            clock,
            checkpoint_interval: CHECKPOINT_INTERVAL,
            checkpointing: Arc::default(),
            known: Mutex::default(),
            written: Mutex::default(),
        }
    }

    /// The same table with a known `snapshot`, which was read at `asked`.
    pub(super) fn knowing(mut self, snapshot: Snapshot, asked: Stamp) -> Self {
        self.checkpoint_interval = snapshot.checkpoint_interval.max(1);
        self.known = Mutex::new(Some((snapshot, asked)));
        self
    }

    fn log(&self) -> Place {
        self.spec.place.join("_delta_log")
    }

    fn offsets(&self) -> Place {
        offsets_folder(&self.spec, &self.ids.position)
    }

    /// The table as it is now; none if it is gone.
    async fn now(&self) -> Result<Option<Snapshot>, StoreError> {
        let (asked, place) = (Stamp::now(&*self.clock), &self.spec.place);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fresh =
            |(known, at): &(Snapshot, Stamp)| at.age_ms(&*self.clock) < FOLLOW_MS.min(known.state.retention.log_ms / 2);
        let now = match known.filter(fresh) {
            Some((known, _)) => snapshot::follow(place, &known, &self.ids).await?,
            None => None,
        };
        let now = match now {
            Some(now) => Some(now),
            None => snapshot::read(place, &self.ids.position).await?,
        };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = now.clone().map(|now| (now, asked));
        Ok(now)
    }

    /// The files that the last commit of this run has added, if another program has put its own
    /// commit in the place of that one: as lines of a commit.
    ///
    /// Delta's `HDFSLogStore`, with which Spark writes to a local disk, looks whether a version
    /// exists and then renames its file to that name, which replaces a file that came in between.
    /// No store of blobs is used in this way.
    async fn lost(&self) -> Result<Vec<u8>, StoreError> {
        let Some((version, content)) = self.replaced().await? else { return Ok(Vec::new()) };
        tracing::warn!(
            table = self.spec.name,
            version = version.0,
            "another program has replaced a commit of this run, as Spark does on a local disk: what it had added \
             is added again; stop the run before such a program writes"
        );
        Ok(log::adds(&content))
    }

    /// The last commit of this run and its content, if another program has put its own commit in
    /// the place of that one.
    pub(super) async fn replaced(&self) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((version, content)) = written else { return Ok(None) };
        // One that is gone was cleaned up with its log.
        let found = self.log().join(&log::file_name(version)).read().await?;
        Ok(found.is_some_and(|found| found != content).then_some((version, content)))
    }

    /// The table as it is now, as `check` sees it; none if it is gone.
    pub(super) async fn check<T>(&self, check: impl FnOnce(&Snapshot) -> T) -> Result<Option<T>, StoreError> {
        Ok(self.now().await?.as_ref().map(check))
    }

    /// Makes `version` of a commit with this content, if its predecessor exists and it does not.
    pub(super) async fn create(&self, version: Version, content: Vec<u8>) -> Result<Created, StoreError> {
        let before = log::file_name(Version(version.0 - 1));
        let kept = matches!(self.spec.place, Place::Disk(_)).then(|| (version, content.clone()));
        let created = self.log().create_after(&before, &log::file_name(version), content).await?;
        let created = created.ok_or_else(|| {
            let attempt = format!("commit version {} of table {:?}", version.0, self.spec.name);
            let cause = "the version before it is gone: the table was deleted, replaced or restored under this run";
            StoreError::definite(attempt, cause)
        })?;
        if created == Created::Yes {
            *self.written.lock().unwrap_or_else(PoisonError::into_inner) = kept;
            self.checkpoint_if_due(version);
        }
        Ok(created)
    }

    /// Starts a log checkpoint in the background when one is due, unless the last one was too
    /// recent.
    fn checkpoint_if_due(&self, version: Version) {
        let due = version.0 > 0 && version.0.is_multiple_of(self.checkpoint_interval);
        if !due {
            return;
        }
        let Ok(mut last) = self.checkpointing.clone().try_lock_owned() else { return };
        let (began_ms, clock) = (self.clock.steady_ms(), self.clock.clone());
        if last.is_recent(version, self.checkpoint_interval, began_ms) {
            return;
        }
        let (place, name) = (self.spec.place.clone(), self.spec.name.clone());
        let runtime = tokio::runtime::Handle::current();
        // The library computes for long stretches without yielding, so keep it off the threads that
        // wait for I/O.
        tokio::task::spawn_blocking(move || match runtime.block_on(checkpoint::write(&place, version)) {
            Ok(()) => {
                let ended_ms = clock.steady_ms();
                *last = Checkpointed { version, ended_ms, took_ms: ended_ms.saturating_sub(began_ms) };
            }
            Err(error) => {
                tracing::warn!(table = name, error = %chain(&error), "wrote no log checkpoint; the next is due later");
            }
        });
    }

    /// Waits for the log checkpoint that is being written, if there is one.
    pub async fn at_rest(&self) {
        drop(self.checkpointing.lock().await);
    }
}

impl Group for DeltaTable {
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
        Box::pin(async {
            self.now().await?.map(|s| s.state).ok_or_else(|| {
                StoreError::definite(
                    format!("read table {:?}", self.spec.name),
                    "it was deleted while this run was using it",
                )
            })
        })
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        Box::pin(async move {
            let mut content = log::commit(commit, &self.ids, self.clock.now_ms())?;
            content.extend(self.lost().await?);
            self.create(version, content).await
        })
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>> {
        Box::pin(async move {
            let file = self.log().join(&log::file_name(version));
            let Some(content) = file.read().await? else { return Ok(None) };
            // It may be whole next time.
            log::seen(&content, &self.ids).map(Some).map_err(|error| {
                let (attempt, cause) = log::torn(&file, &error);
                StoreError::transient(attempt, cause)
            })
        })
    }

    /// A commit that only appends conflicts with nothing but another definition of the table. The
    /// next run goes by that, or says what is wrong with it.
    fn recheck<'a>(&'a self, _commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>> {
        Box::pin(async {
            let Some(snapshot) = self.now().await? else {
                return Ok(Verdict::Conflicts("it is gone".to_owned()));
            };
            Ok(match self.spec.check(&snapshot) {
                Ok(Fit::Fits) => Verdict::Harmless,
                Ok(Fit::Widen(_)) => Verdict::Anew("it lacks columns now".to_owned()),
                Err(obstacle) => Verdict::Anew(format!("it {obstacle}")),
            })
        })
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        Box::pin(referred::rows(&self.spec.place))
    }
}

impl OffsetsStore for DeltaTable {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn shown(&self) -> String {
        self.spec.shown()
    }

    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        Box::pin(async move { self.offsets().join(&name.to_string()).create(content.to_vec()).await })
    }

    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(async move { self.offsets().join(&name.to_string()).read().await })
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        Box::pin(async { Ok(offsets_in(&self.offsets()).await?.collect()) })
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(async move { self.offsets().join(&name.to_string()).delete().await })
    }

    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
        Box::pin(async {
            let mut names = self.spec.place.join("_lakefront").names().await?;
            names.retain(|name| *name != self.ids.position && !name.starts_with('_'));
            let table = |name: String| {
                let table = DeltaTable::attach(self.spec.clone(), &name, self.clock.clone());
                (name, Box::new(table) as Box<dyn Group>)
            };
            Ok(names.into_iter().map(table).collect())
        })
    }
}

async fn offsets_in(folder: &Place) -> Result<impl Iterator<Item = OffsetsName> + use<>, StoreError> {
    Ok(folder.names().await?.into_iter().filter_map(|name| name.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_log_checkpoint_puts_off_the_next_but_not_for_ever() {
        let last = Checkpointed { version: Version(300), ended_ms: 10_000, took_ms: 100 };
        assert!(last.is_recent(Version(400), 100, 11_899));
        assert!(!last.is_recent(Version(400), 100, 11_900), "a twentieth of the time");
        assert!(last.is_recent(Version(1_000), 100, 11_000));
        assert!(!last.is_recent(Version(1_100), 100, 11_000), "eight intervals");
        assert!(!Checkpointed::default().is_recent(Version(100), 100, 0), "the first is due");
    }
}
