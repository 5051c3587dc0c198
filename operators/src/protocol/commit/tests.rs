//! Commits beside another writer, in a group that remembers which commits it was asked about.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use super::*;
use crate::protocol::Pending;
use crate::protocol::account::Account;
use crate::protocol::document::Recorded;
use crate::protocol::group::GroupState;
use crate::protocol::layout::Layout;
use crate::protocol::names::{OffsetsName, TableId};
use crate::protocol::numbers::{Numbers, standing};
use crate::protocol::offsets_store::{Neighbour, OffsetsStore};
use crate::protocol::staged::StagedFile;

mod void;

/// A log of ours and of others, and the paths of the files that it was asked about.
#[derive(Default)]
struct Remembering {
    log: Mutex<Vec<CommitFacts>>,
    held: Mutex<Option<Held>>,
    rechecked: Mutex<Vec<String>>,
    /// Whether the reply to the next write is lost, and a suspect follows it.
    loses: AtomicBool,
    /// Whether the next read fails.
    fails: AtomicBool,
}

/// A clock that moves by a millisecond whenever it is read, and by each pause.
#[derive(Default)]
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now_ms(&self) -> u64 {
        0
    }

    fn steady_ms(&self) -> u64 {
        self.0.fetch_add(1, Relaxed)
    }

    fn pause(&self, ms: u64) -> Pending<'_, ()> {
        self.0.fetch_add(ms, Relaxed);
        Box::pin(async {})
    }
}

fn done<'a, T: Send + 'a>(answer: T) -> Pending<'a, Result<T, StoreError>> {
    Box::pin(async { Ok(answer) })
}

impl OffsetsStore for Remembering {
    fn name(&self) -> &str {
        "t"
    }

    fn shown(&self) -> String {
        "group \"t\"".to_owned()
    }

    fn write_offsets<'a>(&'a self, _name: OffsetsName, _content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        done(Created::Yes)
    }

    fn read_offsets(&self, _name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        done(None)
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        done(Vec::new())
    }

    fn delete_offsets(&self, _name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        done(())
    }

    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
        done(Vec::new())
    }
}

impl Group for Remembering {
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
        let head = Version(self.log.lock().expect("one thread").len() as u64 - 1);
        done(GroupState { head, held: *self.held.lock().expect("one thread"), retention: RETENTION })
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        let mut log = self.log.lock().expect("one thread");
        let is_free = log.len() as u64 == version.0;
        if is_free {
            log.push(CommitFacts { id: Some(commit.id), ours: true, is_suspect: false, removes_rows: false });
            *self.held.lock().expect("one thread") = Some(commit.held);
        }
        if self.loses.swap(false, Relaxed) {
            log.push(SUSPECT);
            self.fails.store(true, Relaxed);
            return Box::pin(async { Err(StoreError::transient("commit", "its reply was lost")) });
        }
        done(if is_free { Created::Yes } else { Created::No })
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>> {
        if self.fails.swap(false, Relaxed) {
            return Box::pin(async { Err(StoreError::transient("read", "no answer")) });
        }
        done(self.log.lock().expect("one thread").get(version.0 as usize).copied())
    }

    fn recheck<'a>(&'a self, commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>> {
        let paths = commit.into_iter().flat_map(|commit| &commit.files).map(|staged| staged.file.path.clone());
        let mut rechecked = self.rechecked.lock().expect("one thread");
        rechecked.extend(paths);
        rechecked.extend(commit.is_none().then(|| "the rest".to_owned()));
        done(Verdict::Harmless)
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        done(0)
    }
}

/// A committer of a group at version 0 and position 0, its group and its clock.
fn committer() -> (Committer<Numbers>, Arc<Remembering>, Arc<Ticking>) {
    let (group, clock) = (Arc::new(Remembering::default()), Arc::new(Ticking::default()));
    group.log.lock().expect("one thread").push(SUSPECT);
    (claimed(group.clone(), clock.clone(), files(), RETENTION), group, clock)
}

/// A committer of run 1 over a group at version 0 and position 0.
fn claimed(
    group: Arc<dyn Group>,
    clock: Arc<Ticking>,
    files: OffsetsFiles<Numbers>,
    retention: Retention,
) -> Committer<Numbers> {
    let held = Held { position: Position(0), run: RunId(1) };
    let touched = Stamp::now(&*clock);
    Committer::new(group, clock, files, held, Version(0), touched, retention)
}

/// The offsets files of a group that is to begin at position 0.
fn files() -> OffsetsFiles<Numbers> {
    let origin = Origin {
        pipeline: "p".into(),
        source: "s".into(),
        root: None,
        role: "t".into(),
        genesis: Position(0),
        lineage: String::new(),
        adopted: None,
    };
    let standing = standing(0);
    let account = Account::genesis(standing.offsets.clone());
    let recorded = Recorded { origin, standing, account, process: None };
    OffsetsFiles::new(Layout::each(&["t"]).groups()[0].clone(), recorded)
}

/// Half of it is less than the first pause.
const RETENTION: Retention = Retention { log_ms: 150, files_ms: 1_000 };

const SUSPECT: CommitFacts = CommitFacts { id: None, ours: false, is_suspect: true, removes_rows: false };

fn file(path: &str, clock: &Ticking) -> Vec<Staged> {
    let (path, staged_at) = (path.to_owned(), Stamp::now(clock));
    vec![Staged { table: TableId(0), file: StagedFile { path, size: 1, rows: 1, detail: String::new(), staged_at } }]
}

/// Nothing here waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match Box::pin(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn asked_about(group: &Remembering) -> Vec<String> {
    std::mem::take(&mut group.rechecked.lock().expect("one thread"))
}

#[test]
fn a_file_is_compared_with_a_suspect_that_an_earlier_commit_stepped_over() {
    let (mut committer, group, clock) = committer();
    let (first, second) = (file("first", &clock), file("second", &clock));
    group.log.lock().expect("one thread").push(SUSPECT);
    at_once(committer.land(&standing(10), first, &[])).expect("a commit");
    assert_eq!(asked_about(&group), ["first"]);
    at_once(committer.land(&standing(20), second, &[])).expect("a commit");
    assert_eq!(asked_about(&group), ["second"], "it was begun before the suspect was met");
    let third = file("third", &clock);
    at_once(committer.land(&standing(30), third, &[])).expect("a commit");
    assert!(asked_about(&group).is_empty(), "it was begun after that");
}

#[test]
fn a_file_is_compared_with_a_suspect_that_a_look_stepped_over() {
    let (mut committer, group, clock) = committer();
    let first = file("first", &clock);
    group.log.lock().expect("one thread").push(SUSPECT);
    at_once(committer.look()).expect("nobody has claimed the group");
    assert_eq!(asked_about(&group), ["the rest"]);
    at_once(committer.land(&standing(10), first, &[])).expect("a commit");
    assert_eq!(asked_about(&group), ["first"]);
}

#[test]
fn what_follows_a_commit_that_is_found_after_a_long_silence_is_looked_at_too() {
    let (mut committer, group, clock) = committer();
    let first = file("first", &clock);
    group.loses.store(true, Relaxed);
    at_once(committer.land(&standing(10), first, &[])).expect("it had landed");
    assert_eq!(asked_about(&group), ["the rest"], "the table may have changed since");
}
