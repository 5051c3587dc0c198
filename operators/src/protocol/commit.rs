//! One commit in one group: first the offsets file, then files, position and run atomically.
//!
//! A version that exists is a success only if it carries our own commit id. Any other commit of
//! this pipeline fences us, whatever its position. All other commits are stepped over, after a
//! check of what they changed. After a lost reply the store is read before anything is tried again.

use std::sync::Arc;

use uuid::Uuid;

use crate::error::{Stop, StoreError};
use crate::position::Position;
use crate::protocol::clock::{Clock, Stamp};
use crate::protocol::document::Origin;
use crate::protocol::group::{Commit, CommitFacts, Created, Group, Retention, Verdict};
use crate::protocol::kind::Kind;
use crate::protocol::layout::Members;
use crate::protocol::names::{Held, RunId, Version};
use crate::protocol::offsets_files::OffsetsFiles;
use crate::protocol::retry::{Retry, ask};
use crate::protocol::staged::{Counted, Staged};
use crate::protocol::standing::Standing;

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
    pub async fn land(
        &mut self,
        standing: &Standing<K>,
        files: Vec<Staged>,
        sums: &[Counted],
    ) -> Result<Version, Stop> {
        let held = Held { position: standing.position(), run: self.held.run };
        if held.position <= self.held.position {
            return Err(Stop::Bug(format!("{} was to go back from {:?} to {held:?}", self.shown(), self.held)));
        }
        self.files.advance(standing, sums)?;
        let mut retry = Retry::default();
        loop {
            match self.files.write(&*self.group, held).await {
                Ok(true) => break,
                Ok(false) => return Err(self.fenced(format!("by its offsets file at position {}", held.position))),
                Err(error) => retry.after(error, &*self.clock).await?,
            }
        }
        fail::fail_point!("commit-offsets-written");
        self.commit(Commit { id: Uuid::new_v4(), held, files }).await?;
        fail::fail_point!("commit-done");
        debug_assert!(held.position > self.held.position && held.run == self.held.run, "one run moves it forwards");
        self.held = held;
        if let Err(error) = self.files.tidy(&*self.group, held.position).await {
            // Old offsets files only take space; the next commit tries again.
            tracing::warn!(table = self.name(), error = %crate::error::chain(&error), "could not delete old offsets files");
        }
        Ok(self.head)
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
        self.re_read(None).await.map(drop)
    }

    async fn commit(&mut self, commit: Commit) -> Result<(), Stop> {
        let begun = Stamp::now(&*self.clock);
        if self.was_begun_before_a_suspect(&commit) {
            recheck(&*self.group, &*self.clock, Some(&commit)).await?;
        }
        let (mut retry, mut silence) = (Retry::default(), Retry::default());
        loop {
            // Nothing is awaited between these two checks of the clock and the write.
            self.refuse_old_files(&commit)?;
            if is_stale(self.touched, self.retention, &*self.clock) {
                silence.after_silence(&*self.group, &*self.clock).await?;
                match self.re_read(Some(&commit)).await? {
                    true => return Ok(()),
                    false => continue,
                }
            }
            let version = self.head.next();
            match self.group.put(version, &commit).await {
                Ok(Created::Yes) => return self.won(version, begun),
                Ok(Created::No) => {}
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
                return self.won(version, begun);
            }
            if seen.ours {
                return Err(self.fenced(format!("in version {}", version.0)));
            }
            self.step_over(version, &seen, Some(&commit)).await?;
        }
    }

    fn won(&mut self, version: Version, begun: Stamp) -> Result<(), Stop> {
        debug_assert_eq!(version, self.head.next(), "a commit follows the head that was known");
        self.head = version;
        if begun.steady_ms > self.touched.steady_ms {
            self.touched = begun;
        }
        Ok(())
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

    /// Reads the group again after a long silence. `true` means that `commit` had landed after all.
    async fn re_read(&mut self, commit: Option<&Commit>) -> Result<bool, Stop> {
        let asked = Stamp::now(&*self.clock);
        let state = ask(&*self.clock, || self.group.load()).await?;
        let (landed, to_follow) = match state.held {
            Some(held) if commit.is_some_and(|commit| commit.held == held) => (true, None),
            Some(held) if held == self.held => (false, commit),
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
    }
}

#[cfg(test)]
mod tests;
