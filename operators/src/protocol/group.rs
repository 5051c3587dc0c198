//! The port through which the protocol sees the tables that commit as one.
//!
//! A sink implements [`Group`]; the simulation implements it too, with crashes, rivals and lost
//! replies between any two calls. In Delta each table is a group of its own, because each has a log
//! of its own; where one transaction moves many tables, they are one group. Every method is one
//! atomic step of the outside world. Rules for implementors:
//!
//! - [`Group::put`] creates; it never overwrites. What it reports as done is durable.
//! - A [`StoreError::Transient`] from it means "unknown": the write may have happened, or may yet.
//! - Nothing remembered between calls may change an answer: `load` and `read` ask the store.

use uuid::Uuid;

use crate::error::StoreError;
use crate::protocol::Pending;
use crate::protocol::names::{Held, Version};
use crate::protocol::offsets_store::OffsetsStore;
use crate::protocol::staged::{Counted, Staged};

/// Where a group stands, according to its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupState {
    /// The newest version.
    pub head: Version,
    /// What the pipeline's transactions hold; `None` before its first claim.
    pub held: Option<Held>,
    /// How long the store keeps what the protocol relies on.
    pub retention: Retention,
}

/// How long a group keeps what the protocol relies on, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Commits in the log, at least this long.
    pub log_ms: u64,
    /// Files that no commit references, at least this long.
    pub files_ms: u64,
}

/// What one commit makes visible, all at once.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The id by which a run recognises its own commit after a lost reply.
    pub id: Uuid,
    /// What the group holds from this commit on.
    pub held: Held,
    /// The files; none for a claim, or for a commit that only moves the position.
    pub files: Vec<Staged>,
    /// The rows of the files. The offsets file has added them to the totals already; a sink may
    /// keep them for this commit alone.
    pub sums: Vec<Counted>,
}

/// The answer to a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It did not exist, and was created.
    Yes,
    /// It exists already.
    No,
    /// It cannot be created any more, unless an earlier attempt whose reply was lost still does so:
    /// what its files were made from has changed, and the source hands that out again. A group says
    /// so only of a commit with files, and only if its source can.
    Void,
}

/// What the protocol must know of a commit in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitFacts {
    /// Its id, if lakefront made it.
    pub id: Option<Uuid>,
    /// Whether it carries a transaction of this pipeline.
    pub ours: bool,
    /// Whether it may be in the way of our commits: [`Group::recheck`] finds out.
    pub is_suspect: bool,
    /// Whether it removes rows (not merely rearranges them).
    pub removes_rows: bool,
}

/// What the commits of others mean for ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ours may follow them.
    Harmless,
    /// Ours must not follow them; the text says why, and what to do.
    Conflicts(String),
    /// Ours must not follow them, and the next run can go on by what they have made of the group.
    Anew(String),
}

/// Tables of a sink that commit as one, for one pipeline.
///
/// Here, one in memory, in which one pipeline writes and nobody else. Its offsets files are
/// those of the example of [`OffsetsStore`]:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::{Mutex, MutexGuard};
///
/// use lakefront_operators::error::StoreError;
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::Pending;
/// use lakefront_operators::protocol::group::{
///     Commit, CommitFacts, Created, Group, GroupState, Retention, Verdict,
/// };
/// use lakefront_operators::protocol::names::OffsetsName;
/// use lakefront_operators::protocol::names::{Held, RunId, Version};
/// # use lakefront_operators::protocol::offsets_store::{Neighbour, OffsetsStore};
/// use uuid::Uuid;
///
/// /// Its commits. The first makes version 1: version 0 is the empty group.
/// #[derive(Default)]
/// struct Memory(Mutex<Vec<Commit>>);
///
/// impl Memory {
///     fn log(&self) -> MutexGuard<'_, Vec<Commit>> {
///         self.0.lock().expect("no panic")
///     }
/// }
///
/// impl Group for Memory {
///     fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
///         Box::pin(async {
///             let log = self.log();
///             let (head, held) = (Version(log.len() as u64), log.last().map(|last| last.held));
///             let retention = Retention { log_ms: u64::MAX, files_ms: u64::MAX };
///             Ok(GroupState { head, held, retention })
///         })
///     }
///
///     fn put<'a>(
///         &'a self,
///         version: Version,
///         commit: &'a Commit,
///     ) -> Pending<'a, Result<Created, StoreError>> {
///         Box::pin(async move {
///             let mut log = self.log();
///             match version.0.checked_sub(log.len() as u64 + 1) {
///                 None => return Ok(Created::No),
///                 Some(0) => log.push(commit.clone()),
///                 Some(_) => {
///                     return Err(StoreError::definite("commit", "its predecessor is missing"));
///                 }
///             }
///             Ok(Created::Yes)
///         })
///     }
///
///     fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>> {
///         Box::pin(async move {
///             let at = version.0.checked_sub(1).map(|at| at as usize);
///             let id = at.and_then(|at| Some(self.log().get(at)?.id));
///             let (ours, is_suspect, removes_rows) = (true, false, false);
///             Ok(id.map(|id| CommitFacts { id: Some(id), ours, is_suspect, removes_rows }))
///         })
///     }
///
///     fn recheck<'a>(
///         &'a self,
///         _commit: Option<&'a Commit>,
///     ) -> Pending<'a, Result<Verdict, StoreError>> {
///         Box::pin(async { Ok(Verdict::Harmless) })
///     }
///
///     fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
///         Box::pin(async {
///             let log = self.log();
///             Ok(log.iter().flat_map(|commit| &commit.files).map(|staged| staged.file.rows).sum())
///         })
///     }
/// }
/// # impl OffsetsStore for Memory {
/// #     fn name(&self) -> &str {
/// #         "events"
/// #     }
/// #     fn shown(&self) -> String {
/// #         "events".to_owned()
/// #     }
/// #     fn write_offsets<'a>(
/// #         &'a self,
/// #         _name: OffsetsName,
/// #         _content: &'a [u8],
/// #     ) -> Pending<'a, Result<Created, StoreError>> {
/// #         Box::pin(async { Ok(Created::Yes) })
/// #     }
/// #     fn read_offsets(
/// #         &self,
/// #         _name: OffsetsName,
/// #     ) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
/// #         Box::pin(async { Ok(None) })
/// #     }
/// #     fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
/// #         Box::pin(async { Ok(Vec::new()) })
/// #     }
/// #     fn delete_offsets(&self, _name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
/// #         Box::pin(async { Ok(()) })
/// #     }
/// #     fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
/// #         Box::pin(async { Ok(Vec::new()) })
/// #     }
/// # }
///
/// let group = Memory::default();
/// let held = Held { position: Position(0), run: RunId(1) };
/// let claim = Commit { id: Uuid::new_v4(), held, files: Vec::new(), sums: Vec::new() };
/// assert_eq!(group.put(Version(1), &claim).await?, Created::Yes);
/// // Another run comes too late for this version, and reads that it is not its own.
/// let rival = Commit { id: Uuid::new_v4(), ..claim.clone() };
/// assert_eq!(group.put(Version(1), &rival).await?, Created::No);
/// assert_eq!(group.read(Version(1)).await?.and_then(|facts| facts.id), Some(claim.id));
/// assert_eq!(group.load().await?.held, Some(held));
/// # Ok(())
/// # }
/// ```
pub trait Group: OffsetsStore {
    /// Reads where the group stands.
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>>;

    /// Makes `version`, if it does not exist and its predecessor does.
    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>>;

    /// Reads the commit that made `version`; `None` if there is none.
    fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>>;

    /// Looks again after commits of others: whether rows of this pipeline still fit, and whether
    /// `commit`, if one is to be made, may follow them. A commit is asked about if one of its files
    /// was begun before a suspect was met.
    fn recheck<'a>(&'a self, commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>>;

    /// A commit is void for good: no attempt at it is under way any more, so its files may be
    /// deleted. Whoever cleans up the store takes what stays.
    fn discard<'a>(&'a self, commit: &'a Commit) -> Pending<'a, ()> {
        let _ = commit;
        Box::pin(async {})
    }

    /// How many rows a reader sees in its tables, whoever landed them. This may take long.
    fn rows(&self) -> Pending<'_, Result<u64, StoreError>>;
}
