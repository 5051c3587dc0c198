//! Commits that turn out to be void: the group is claimed anew, and whichever comes first there,
//! that claim or an earlier attempt at the commit, is what counts.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::protocol::offsets::PartitionId;
use crate::protocol::sums::{Bucket, Sum};

/// What becomes of an attempt.
enum Attempt {
    /// It is void.
    Void,
    /// It is under way, and nobody knows that.
    UnderWay,
    /// What is under way arrives before it.
    AfterThat,
    /// A rival's claim arrives before it.
    AfterARival,
}

/// A group whose attempts follow a script, and after it are as usual.
#[derive(Default)]
struct Voiding {
    group: Remembering,
    script: Mutex<VecDeque<Attempt>>,
    under_way: Mutex<Option<Commit>>,
    /// The commits that were discarded.
    discarded: Mutex<Vec<Uuid>>,
    offsets: Mutex<BTreeMap<OffsetsName, Vec<u8>>>,
}

impl OffsetsStore for Voiding {
    fn name(&self) -> &str {
        self.group.name()
    }

    fn shown(&self) -> String {
        self.group.shown()
    }

    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        let mut offsets = self.offsets.lock().expect("one thread");
        if offsets.contains_key(&name) {
            return done(Created::No);
        }
        offsets.insert(name, content.to_vec());
        done(Created::Yes)
    }

    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        done(self.offsets.lock().expect("one thread").get(&name).cloned())
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        done(self.offsets.lock().expect("one thread").keys().copied().collect())
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        self.offsets.lock().expect("one thread").remove(&name);
        done(())
    }

    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
        self.group.others()
    }
}

impl Group for Voiding {
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
        self.group.load()
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        match self.script.lock().expect("one thread").pop_front() {
            None => {}
            Some(Attempt::Void) => return done(Created::Void),
            Some(Attempt::UnderWay) => {
                *self.under_way.lock().expect("one thread") = Some(commit.clone());
                return Box::pin(async { Err(StoreError::transient("commit", "no answer")) });
            }
            Some(Attempt::AfterThat) => {
                let earlier = self.under_way.lock().expect("one thread").take().expect("an attempt under way");
                at_once(self.group.put(version, &earlier)).expect("it arrives");
            }
            Some(Attempt::AfterARival) => {
                let rival = CommitFacts { id: Some(Uuid::new_v4()), ours: true, ..SUSPECT };
                self.group.log.lock().expect("one thread").push(rival);
            }
        }
        self.group.put(version, commit)
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>> {
        self.group.read(version)
    }

    fn recheck<'a>(&'a self, commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>> {
        self.group.recheck(commit)
    }

    fn discard<'a>(&'a self, commit: &'a Commit) -> Pending<'a, ()> {
        self.discarded.lock().expect("one thread").push(commit.id);
        Box::pin(async {})
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        self.group.rows()
    }
}

impl Voiding {
    /// How many commits were discarded.
    fn discards(&self) -> usize {
        self.discarded.lock().expect("one thread").len()
    }

    /// The offsets files, as (position, run).
    fn names(&self) -> Vec<(u64, u64)> {
        let offsets = self.offsets.lock().expect("one thread");
        offsets.keys().map(|name| (name.0.position.0, name.0.run.0)).collect()
    }

    /// The sum of all rows that the group counts.
    fn counted(&self) -> Sum {
        let held = self.group.held.lock().expect("one thread").expect("a commit");
        at_once(OffsetsFiles::<Numbers>::read(self, held)).expect("its offsets").account.sum()
    }
}

/// Nothing here takes long enough for the log to be cleaned.
const LONG: Retention = Retention { log_ms: 1_000_000, files_ms: 1_000_000 };

/// A committer of a group that was claimed as run 1 and stands at position 0, and its group.
fn following(script: impl IntoIterator<Item = Attempt>) -> (Committer<Numbers>, Arc<Voiding>, Arc<Ticking>) {
    let group = Arc::new(Voiding { script: Mutex::new(script.into_iter().collect()), ..Voiding::default() });
    let clock = Arc::new(Ticking::default());
    group.group.log.lock().expect("one thread").push(SUSPECT);
    let held = Held { position: Position(0), run: RunId(1) };
    *group.group.held.lock().expect("one thread") = Some(held);
    let mut files = files();
    assert!(at_once(files.write(&*group, held)).expect("a store"), "the claim's file");
    (claimed(group.clone(), clock.clone(), files, LONG), group, clock)
}

/// A row, as it was counted.
fn row(checksum: u128) -> [Counted; 1] {
    let bucket = Bucket { partition: PartitionId::first("a"), range: 0, part: 0 };
    [Counted { table: TableId(0), bucket, sum: Sum::row(checksum) }]
}

#[test]
fn what_is_void_is_discarded_and_the_next_cut_lands_without_it() {
    let (mut committer, group, clock) = following([Attempt::Void]);

    let landed = at_once(committer.land(&standing(10), file("void", &clock), &row(7)));

    assert_eq!(landed.expect("no error"), Landed::Void);
    assert_eq!(group.discards(), 1);
    assert_eq!((committer.position(), committer.run()), (Position(0), RunId(2)), "it is claimed anew, where it stood");
    assert_eq!(group.counted(), Sum::default());
    let landed = at_once(committer.land(&standing(20), file("next", &clock), &row(8)));
    assert_eq!(landed.expect("a commit"), Landed::As(Version(2)));
    assert_eq!((committer.position(), committer.run()), (Position(20), RunId(2)));
    assert_eq!(group.counted(), Sum::row(8), "the rows of the void cut do not count");
    assert_eq!(group.names(), [(0, 2), (20, 2)], "the base, and what refers to it");
    assert_eq!(group.discards(), 1);
}

#[test]
fn what_is_void_and_has_landed_after_all_counts() {
    let (mut committer, group, clock) = following([Attempt::UnderWay, Attempt::Void, Attempt::AfterThat]);

    let landed = at_once(committer.land(&standing(10), file("late", &clock), &row(7)));

    assert_eq!(landed.expect("a commit"), Landed::As(Version(1)));
    assert_eq!(group.discards(), 0);
    assert_eq!((committer.position(), committer.run()), (Position(10), RunId(1)));
    assert_eq!(group.counted(), Sum::row(7));
    let landed = at_once(committer.land(&standing(20), file("next", &clock), &row(8)));
    assert_eq!(landed.expect("a commit"), Landed::As(Version(2)));
    assert_eq!(group.counted(), [7, 8].map(Sum::row).into_iter().sum::<Sum>());
}

#[test]
fn a_rival_that_claims_before_the_fate_of_a_void_commit_is_settled_fences() {
    let (mut committer, group, clock) = following([Attempt::Void, Attempt::AfterARival]);
    let landed = at_once(committer.land(&standing(10), file("void", &clock), &row(7)));
    assert!(landed.is_err_and(|stop| stop.is_fenced()));
    assert_eq!(group.discards(), 0, "the files may be of a commit that is still under way");
}

#[test]
fn a_rival_that_has_the_number_of_the_claim_fences() {
    let (mut committer, group, clock) = following([Attempt::Void]);
    let name = OffsetsName(Held { position: Position(0), run: RunId(2) });
    assert_eq!(at_once(group.write_offsets(name, b"{}")).expect("a store"), Created::Yes);
    let landed = at_once(committer.land(&standing(10), file("void", &clock), &row(7)));
    assert!(landed.is_err_and(|stop| stop.is_fenced()));
    assert_eq!(group.discards(), 0);
}

#[test]
fn a_rival_that_has_moved_on_before_the_fate_of_a_void_commit_is_settled_fences() {
    let (mut committer, group, clock) = following([Attempt::Void]);
    let ours = Held { position: Position(0), run: RunId(1) };
    at_once(group.delete_offsets(OffsetsName(ours))).expect("a store");
    *group.group.held.lock().expect("one thread") = Some(Held { position: Position(20), run: RunId(2) });
    let landed = at_once(committer.land(&standing(10), file("void", &clock), &row(7)));
    assert!(landed.is_err_and(|stop| stop.is_fenced()));
    assert_eq!(group.discards(), 0);
}
