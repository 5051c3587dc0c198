//! One commit in one group: first the offsets file, then files, position and run atomically.
//!
//! A version that exists is a success only if it carries our own commit id. Any other commit of
//! this pipeline fences us, whatever its position. All other commits are stepped over, after a
//! check of what they changed. After a lost reply the store is read before anything is tried again.
//!
//! A commit may turn out to be void ([`Created::Void`]). An earlier attempt at it may still be on
//! its way, so the run then claims the group anew: the claim and that attempt want the same
//! version, and only one of them gets it.

use std::sync::Arc;

use uuid::Uuid;

use crate::error::{Stop, StoreError};
use crate::position::Position;
use crate::protocol::clock::{Clock, Stamp};
use crate::protocol::document::{Origin, Recorded};
use crate::protocol::group::{Commit, CommitFacts, Created, Group, Retention, Verdict};
use crate::protocol::kind::Kind;
use crate::protocol::layout::Members;
use crate::protocol::names::{Held, RunId, Version};
use crate::protocol::offsets_files::OffsetsFiles;
use crate::protocol::retry::{Retry, ask};
use crate::protocol::staged::{Counted, Staged};
use crate::protocol::standing::Standing;

/// What became of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landed {
    /// It is this version of the group.
    As(Version),
    /// Nothing of it is in the group, and nothing will be: the group stands where it stood, and the
    /// source hands the same work out again, in a later cut.
    Void,
}

/// What became of a commit.
enum Outcome {
    /// It made the next version.
    Made,
    /// The commit whose fate was to be settled has made it.
    SettledFor,
    /// It can be made no more.
    Void,
}

/// Commits the cuts of one group, for the run that claimed it.
pub struct Committer<K: Kind> {
    group: Arc<dyn Group>,
    clock: Arc<dyn Clock>,
    files: OffsetsFiles<K>,
    held: Held,
    head: Version,
    retention: Retention,
    /// `head` was the group's head at this time or later: the time is taken before the call that
    /// showed it, because its reply may be slow.
    touched: Stamp,
    /// When commits of others that may be in the way were last met: a file that was begun before
    /// may not fit them.
    suspected: Option<Stamp>,
}

impl<K: Kind> Committer<K> {
    pub(super) fn new(
        group: Arc<dyn Group>,
        clock: Arc<dyn Clock>,
        files: OffsetsFiles<K>,
        held: Held,
        head: Version,
        touched: Stamp,
        retention: Retention,
    ) -> Self {
        Committer { group, clock, files, held, head, retention, touched, suspected: None }
    }

    /// The same, pausing on `clock`: it pauses only before it tries something again.
    pub fn pausing_on(self, clock: Arc<dyn Clock>) -> Self {
        Committer { clock, ..self }
    }

    /// The group's name.
    pub fn name(&self) -> &str {
        self.group.name()
    }

    /// What messages call the group.
    pub fn shown(&self) -> String {
        self.group.shown()
    }

    /// The group's tables.
    pub fn members(&self) -> &Members {
        self.files.members()
    }

    /// The position that the group's transaction holds.
    pub fn position(&self) -> Position {
        self.held.position
    }

    /// The run that claimed the group.
    pub fn run(&self) -> RunId {
        self.held.run
    }

    /// What stays the same for this group.
    pub fn origin(&self) -> &Origin {
        self.files.origin()
    }

    /// Makes `files` visible and moves the group's position to `standing`, atomically. Without
    /// files it only moves the position. `sums` are the rows of the files.
    pub async fn land(&mut self, standing: &Standing<K>, files: Vec<Staged>, sums: &[Counted]) -> Result<Landed, Stop> {
        let held = Held { position: standing.position(), run: self.held.run };
        if held.position <= self.held.position {
            return Err(Stop::Bug(format!("{} was to go back from {:?} to {held:?}", self.shown(), self.held)));
        }
        self.files.advance(standing, sums)?;
        self.write_offsets(held).await?;
        fail::fail_point!("commit-offsets-written");
        let commit = Commit { id: Uuid::new_v4(), held, files, sums: sums.to_vec() };
        if let Outcome::Void = self.commit(&commit, None).await?
            && !self.settle(&commit).await?
        {
            self.group.discard(&commit).await;
            return Ok(Landed::Void);
        }
        fail::fail_point!("commit-done");
        debug_assert!(held.position > self.held.position && held.run == self.held.run, "one run moves it forwards");
        self.held = held;
        if let Err(error) = self.files.tidy(&*self.group, held.position).await {
            // Old offsets files only take space; the next commit tries again.
            tracing::warn!(table = self.name(), error = %crate::error::chain(&error), "could not delete old offsets files");
        }
        Ok(Landed::As(self.head))
    }

    /// Settles the fate of a `void` commit, of which an attempt may be under way: claims the group
    /// anew, where it stands. Whether the commit was first.
    async fn settle(&mut self, void: &Commit) -> Result<bool, Stop> {
        let mut files = OffsetsFiles::new(self.files.members().clone(), self.recorded().await?);
        files.survey(&*self.group, &*self.clock).await?;
        std::mem::swap(&mut self.files, &mut files);
        let held = Held { run: RunId(self.held.run.0 + 1), ..self.held };
        self.write_offsets(held).await?;
        let claim = Commit { id: Uuid::new_v4(), held, files: Vec::new(), sums: Vec::new() };
        match self.commit(&claim, Some(void)).await? {
            Outcome::Made => self.held = held,
            Outcome::SettledFor => {
                // What was to be written with it is what the group holds now.
                self.files = files;
                return Ok(true);
            }
            Outcome::Void => return Err(Stop::Bug(format!("{} called a claim void", self.shown()))),
        }
        Ok(false)
    }

    /// What the group has recorded where this run stands.
    async fn recorded(&self) -> Result<Recorded<K>, Stop> {
        let mut retry = Retry::default();
        loop {
            match OffsetsFiles::read(&*self.group, self.held).await {
                Err(Stop::Store(error)) => retry.after(error, &*self.clock).await?,
                // Another run has claimed the group and committed since, and deleted the file.
                Err(_) if ask(&*self.clock, || self.group.load()).await?.held != Some(self.held) => {
                    return Err(self.fenced(format!("when position {} was read again", self.held.position)));
                }
                read => return read,
            }
        }
    }

    /// Writes the offsets file of `held`.
    async fn write_offsets(&mut self, held: Held) -> Result<(), Stop> {
        let mut retry = Retry::default();
        loop {
            match self.files.write(&*self.group, held).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(self.fenced(format!("by its offsets file at position {}", held.position))),
                Err(error) => retry.after(error, &*self.clock).await?,
            }
        }
    }

    /// Checks whether another run has claimed the group, for a run that has nothing to commit and
    /// so would never meet the claim. While nobody else writes, this costs one lookup of one file.
    pub async fn look(&mut self) -> Result<(), Stop> {
        while !is_stale(self.touched, self.retention, &*self.clock) {
            let (asked, version) = (Stamp::now(&*self.clock), self.head.next());
            let Some(seen) = ask(&*self.clock, || self.group.read(version)).await? else {
                // The head is young: a later commit would still be in the log.
                self.touched = asked;
                return Ok(());
            };
            if seen.ours {
                return Err(self.fenced(format!("in version {}", version.0)));
            }
            self.step_over(version, &seen, None).await?;
        }
        self.re_read(None, None).await.map(drop)
    }

    /// Makes `commit` the next version. If `void`, whose fate is not known, has become that,
    /// nothing is made.
    async fn commit(&mut self, commit: &Commit, void: Option<&Commit>) -> Result<Outcome, Stop> {
        let begun = Stamp::now(&*self.clock);
        if self.was_begun_before_a_suspect(commit) {
            recheck(&*self.group, &*self.clock, Some(commit)).await?;
        }
        let (mut retry, mut silence) = (Retry::default(), Retry::default());
        loop {
            // Nothing is awaited between these two checks of the clock and the write.
            self.refuse_old_files(commit)?;
            if is_stale(self.touched, self.retention, &*self.clock) {
                silence.after_silence(&*self.group, &*self.clock).await?;
                match self.re_read(Some(commit), void).await? {
                    Some(outcome) => return Ok(outcome),
                    None => continue,
                }
            }
            let version = self.head.next();
            match self.group.put(version, commit).await {
                Ok(Created::Yes) => return Ok(self.won(version, begun, Outcome::Made)),
                Ok(Created::No) => {}
                Ok(Created::Void) => return Ok(Outcome::Void),
                Err(error) => retry.after(error, &*self.clock).await?,
            }
            let seen = match self.group.read(version).await {
                Ok(Some(seen)) => seen,
                // The reply was lost and the commit is not there. If it appears later, its id shows
                // that it is ours.
                Ok(None) => continue,
                Err(error) => {
                    retry.after(error, &*self.clock).await?;
                    continue;
                }
            };
            if seen.id == Some(commit.id) {
                return Ok(self.won(version, begun, Outcome::Made));
            }
            if void.is_some_and(|void| seen.id == Some(void.id)) {
                return Ok(self.won(version, begun, Outcome::SettledFor));
            }
            if seen.ours {
                return Err(self.fenced(format!("in version {}", version.0)));
            }
            self.step_over(version, &seen, Some(commit)).await?;
        }
    }

    fn won(&mut self, version: Version, begun: Stamp, outcome: Outcome) -> Outcome {
        debug_assert_eq!(version, self.head.next(), "a commit follows the head that was known");
        self.head = version;
        if begun.steady_ms > self.touched.steady_ms {
            self.touched = begun;
        }
        outcome
    }

    /// Steps over a foreign commit, unless the sink says that it is in the way of `commit`, which
    /// is to follow it, or of our rows in general.
    async fn step_over(&mut self, version: Version, seen: &CommitFacts, commit: Option<&Commit>) -> Result<(), Stop> {
        if seen.is_suspect {
            recheck(&*self.group, &*self.clock, commit).await?;
            self.suspected = Some(Stamp::now(&*self.clock));
        }
        if seen.removes_rows {
            tracing::warn!(table = self.name(), version = version.0, "another writer removed rows");
        }
        self.head = version;
        Ok(())
    }

    /// Reads the group again after a long silence. `commit`, or `void`, may have landed after all.
    async fn re_read(&mut self, commit: Option<&Commit>, void: Option<&Commit>) -> Result<Option<Outcome>, Stop> {
        let asked = Stamp::now(&*self.clock);
        let state = ask(&*self.clock, || self.group.load()).await?;
        let is = |commit: Option<&Commit>, held| commit.is_some_and(|commit| commit.held == held);
        let (landed, to_follow) = match state.held {
            Some(held) if is(commit, held) => (Some(Outcome::Made), None),
            Some(held) if is(void, held) => (Some(Outcome::SettledFor), None),
            Some(held) if held == self.held => (None, commit),
            _ => return Err(self.fenced(format!("when it was read again at version {}", state.head.0))),
        };
        recheck(&*self.group, &*self.clock, to_follow).await?;
        // Set only once the group is known to fit: a failed look does not end the run, and the next
        // commit must still meet a change that does not fit.
        if state.head != self.head {
            self.suspected = Some(Stamp::now(&*self.clock));
        }
        self.head = state.head;
        self.touched = asked;
        Ok(landed)
    }

    /// Whether a file of the commit is older than the last suspect that was stepped over. It was
    /// not compared with that one: an earlier commit was, or none.
    fn was_begun_before_a_suspect(&self, commit: &Commit) -> bool {
        let Some(suspected) = self.suspected else { return false };
        commit.files.iter().any(|staged| staged.file.staged_at.steady_ms <= suspected.steady_ms)
    }

    /// Refuses files that vacuum may have deleted because no commit references them. A restart
    /// stages them again.
    fn refuse_old_files(&self, commit: &Commit) -> Result<(), Stop> {
        let old = |staged: &&Staged| staged.file.staged_at.age_ms(&*self.clock) > self.retention.files_ms / 2;
        match commit.files.iter().find(old) {
            None => Ok(()),
            Some(staged) => Err(Stop::Refused(format!(
                "{}: {} was staged so long ago that a vacuum may have deleted it: start again to restage it",
                self.shown(),
                staged.file.path
            ))),
        }
    }

    fn fenced(&self, seen: String) -> Stop {
        Stop::Fenced { group: self.shown(), seen }
    }
}

/// Whether log clean-up may have removed the versions after the one that was the head at `touched`:
/// a commit below the real head would exist, but nobody would see it.
pub(super) fn is_stale(touched: Stamp, retention: Retention, clock: &dyn Clock) -> bool {
    touched.age_ms(clock) > retention.log_ms / 2
}

/// Looks again after commits of others. It is an error if they are in the way of `commit`, which is
/// to follow them, or of our rows in general.
pub(super) async fn recheck(group: &dyn Group, clock: &dyn Clock, commit: Option<&Commit>) -> Result<(), Stop> {
    match ask(clock, || group.recheck(commit)).await? {
        Verdict::Harmless => Ok(()),
        Verdict::Conflicts(why) => {
            let attempt = format!("go on after another writer changed {}", group.shown());
            Err(StoreError::definite(attempt, why).into())
        }
        Verdict::Anew(why) => Err(Stop::Anew(format!("another writer changed {}: {why}", group.shown()))),
    }
}

#[cfg(test)]
mod tests;
