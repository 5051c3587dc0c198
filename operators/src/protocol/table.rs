//! The port through which the protocol sees one table of a sink.
//!
//! A sink implements [`Table`]; the simulation implements it too, with crashes, rivals and lost
//! replies between any two calls. Every method is one atomic step of the outside world. Rules for
//! implementors:
//!
//! - [`Table::put`] and [`Table::write_offsets`] create; they never overwrite. What they report as
//!   done is durable.
//! - A [`StoreError::Transient`] from a write means "unknown": the write may have happened, or may
//!   yet.
//! - Nothing remembered between calls may change an answer: `load` and `read` ask the store.

use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::StoreError;
use crate::position::Position;

/// A future of the protocol's ports.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A table of a pipeline, by its place in the pipeline's fixed order (the order in which a run
/// claims them).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableId(pub usize);

/// The number of a run of a pipeline: unique, because only one run can claim the first table with
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The version of a table: each commit makes the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub u64);

impl Version {
    /// The version that the next commit makes.
    pub fn next(self) -> Version {
        Version(self.0 + 1)
    }
}

/// What a table's transactions hold for one pipeline: each of our commits moves both at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Held {
    /// The table holds every row below this position.
    pub position: Position,
    /// The run that made the last commit; together with the position, it names the offsets file.
    pub run: RunId,
}

/// Where a table stands, according to its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableState {
    /// The newest version.
    pub head: Version,
    /// What the pipeline's transactions hold; `None` before its first claim.
    pub held: Option<Held>,
    /// How long the store keeps what the protocol relies on.
    pub retention: Retention,
}

/// How long a table keeps what the protocol relies on, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Commits in the log, at least this long.
    pub log_ms: u64,
    /// Files that no commit references, at least this long.
    pub files_ms: u64,
}

/// A moment, on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// In milliseconds since 1970.
    pub wall_ms: u64,
    /// In milliseconds, on the clock that nobody sets.
    pub steady_ms: u64,
}

impl Stamp {
    /// This moment.
    pub fn now(clock: &dyn Clock) -> Stamp {
        Stamp { wall_ms: clock.now_ms(), steady_ms: clock.steady_ms() }
    }

    /// The most time that can have passed since then, in milliseconds, to judge what others may
    /// have done meanwhile by their time of day. It is the larger value of both clocks, because
    /// setting the time back hides time from one, and a machine's sleep hides it from the other.
    pub fn age_ms(self, clock: &dyn Clock) -> u64 {
        let now = Stamp::now(clock);
        now.wall_ms.saturating_sub(self.wall_ms).max(now.steady_ms.saturating_sub(self.steady_ms))
    }
}

/// A file that is written, durable, and seen by no reader yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Relative to the table.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// How many rows it holds.
    pub rows: u64,
    /// What else its commit will say of it, in the sink's own form.
    pub detail: String,
    /// When it was begun.
    pub staged_at: Stamp,
}

/// What one commit makes visible, all at once.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The id by which a run recognises its own commit after a lost reply.
    pub id: Uuid,
    /// What the table holds from this commit on.
    pub held: Held,
    /// The files; none for a claim, or for a commit that only moves the position.
    pub files: Vec<StagedFile>,
}

/// The answer to a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It did not exist, and was created.
    Yes,
    /// It exists already.
    No,
}

/// What the protocol must know of a commit in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its id, if lakefront made it.
    pub id: Option<Uuid>,
    /// Whether it carries a transaction of this pipeline.
    pub ours: bool,
    /// Whether it changes the table's schema, properties or protocol.
    pub changes_table: bool,
    /// Whether it removes rows (not merely rearranges them).
    pub removes_rows: bool,
}

/// The name of an offsets file: written once, never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OffsetsName(pub Held);

impl std::fmt::Display for OffsetsName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.json", self.0.position, self.0.run)
    }
}

impl std::str::FromStr for OffsetsName {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        let (position, run) = name.strip_suffix(".json").and_then(|n| n.split_once('.')).ok_or(())?;
        let held =
            Held { position: Position(position.parse().map_err(|_| ())?), run: RunId(run.parse().map_err(|_| ())?) };
        Ok(OffsetsName(held))
    }
}

/// Another pipeline's name, and the table as that pipeline sees it.
pub type Neighbour = (String, Box<dyn Table>);

/// One table of a sink, for one pipeline.
pub trait Table: Send + Sync {
    /// The name used in messages.
    fn name(&self) -> &str;

    /// Reads where the table stands.
    fn load(&self) -> Pending<'_, Result<TableState, StoreError>>;

    /// Makes `version`, if it does not exist and its predecessor does.
    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>>;

    /// Reads the commit that made `version`; `None` if there is none.
    fn read(&self, version: Version) -> Pending<'_, Result<Option<Seen>, StoreError>>;

    /// Checks the table anew after a foreign commit changed it: an error if rows of this pipeline
    /// no longer fit.
    fn recheck(&self) -> Pending<'_, Result<(), StoreError>>;

    /// Writes an offsets file, unless there is one of that name.
    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>>;

    /// Reads an offsets file; `None` if there is none.
    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>>;

    /// Lists this pipeline's offsets files.
    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>>;

    /// Every other pipeline that has offsets files here, with the table as that pipeline sees it.
    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>>;

    /// How many rows a reader sees, whoever landed them. This may take long.
    fn rows(&self) -> Pending<'_, Result<u64, StoreError>>;

    /// Deletes an offsets file; it is no error if it is gone already.
    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>>;
}

/// The clocks, and the protocol's only way to wait.
pub trait Clock: Send + Sync {
    /// The time of day, in milliseconds since 1970: for people, and to compare with the time of day
    /// that others report. Somebody may set it.
    fn now_ms(&self) -> u64;

    /// Milliseconds on a clock that nobody sets, for durations. They count from a moment that is
    /// the same for the whole process.
    fn steady_ms(&self) -> u64;

    /// Returns after `ms` milliseconds.
    fn pause(&self, ms: u64) -> Pending<'_, ()>;

    /// The same, before something that failed with this error is tried again.
    fn pause_after(&self, _error: &StoreError, ms: u64) -> Pending<'_, ()> {
        self.pause(ms)
    }
}
