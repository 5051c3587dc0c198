//! Claim and genesis: before a run reads any position, it claims every group, in one fixed order.
//!
//! A claim is a commit without files that carries the run's number. The first group's conditional
//! write makes the number unique; a later group that holds an equal or higher one means that a
//! newer run is ahead. So the newest run wins, and an older one that is still alive meets the claim
//! at its next commit and stops. A group without a position gets its start offsets with the claim
//! (*genesis*): they are resolved once, in the first group, and copied to the rest.
//!
//! Reasons to refuse are found before anything is written ([`preflight`](super::preflight)). A
//! claim that has landed nothing gives way: groups that all stand where they began, and were
//! claimed for another source, are first claimed as they are, so that no other run can land in
//! them, and then begin anew.

use std::sync::Arc;

use uuid::Uuid;

use crate::error::Stop;
use crate::position::Position;
use crate::protocol::account::Account;
use crate::protocol::clock::{Clock, Stamp};
use crate::protocol::commit::{Committer, is_stale, recheck};
use crate::protocol::document::{Origin, Recorded};
use crate::protocol::group::{Commit, Created, Group, GroupState};
use crate::protocol::intent::Intent;
use crate::protocol::kind::Kind;
use crate::protocol::last_rows::LastRows;
use crate::protocol::names::{Held, RunId, Version};
use crate::protocol::neighbours::{refuse_overlap, strangers};
use crate::protocol::offsets_files::OffsetsFiles;
use crate::protocol::preflight::{Positioned, Survey, Verdict, check, joins, judge, look, survey};
use crate::protocol::refusals;
use crate::protocol::retry::{Retry, ask};
use crate::protocol::standing::Standing;

/// A group that this run has claimed.
pub struct Claimed<K: Kind> {
    /// Commits its cuts.
    pub committer: Committer<K>,
    /// Where it stands.
    pub standing: Standing<K>,
}

/// Claims `groups` in their order and reads where they stand.
///
/// Here, a Delta table that is new:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use lakefront_operators::error::Stop;
/// use lakefront_operators::format::logs::lines::{Intent, Offsets};
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::Pending;
/// use lakefront_operators::protocol::claim::claim;
/// use lakefront_operators::protocol::group::Group;
/// use lakefront_operators::protocol::layout::Layout;
/// use lakefront_operators::protocol::names::RunId;
/// use lakefront_operators::sink::delta::{self, TableSpec};
/// use lakefront_operators::sink::files::Place;
/// use lakefront_operators::source::files::reading::{File, Files};
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
///
/// let folder = tempfile::tempdir()?;
/// let spec = TableSpec {
///     place: Place::Disk(folder.path().to_owned()),
///     name: "events".to_owned(),
///     schema: shared::batch(&[]).schema(),
///     partition: None,
/// };
/// let env = shared::env();
/// let tables = delta::open(&[spec], "logs", env.clock.clone(), |_held| Ok(())).await?;
/// let groups: Vec<_> = tables.iter().map(|table| table.clone() as Arc<dyn Group>).collect();
/// // Asked only if another pipeline writes into the same table.
/// let listed = || -> Pending<'_, Result<Vec<File>, Stop>> { Box::pin(async { Ok(Vec::new()) }) };
/// // From the beginning of the source.
/// let cold_start =
///     || -> Pending<'_, Result<Offsets, Stop>> { Box::pin(async { Ok(Offsets::default()) }) };
/// let intent = Intent {
///     pipeline: "logs",
///     reading: &Files::new("file:/var/log/a.log", "file:/var/log", &listed),
///     layout: &Layout::each(&["events"]),
///     settings: shared::settings(),
///     known: None,
///     process: None,
///     adopt: false,
///     cold_start: &cold_start,
/// };
/// let claimed = claim(&groups, env.clock.clone(), &intent).await?;
/// assert_eq!(claimed[0].committer.run(), RunId(1));
/// assert_eq!(claimed[0].standing.position(), Position(0));
/// // The next run takes the table over.
/// let next = claim(&groups, env.clock.clone(), &intent).await?;
/// assert_eq!(next[0].committer.run(), RunId(2));
/// # Ok(())
/// # }
/// ```
pub async fn claim<'a, K: Kind>(
    groups: &'a [Arc<dyn Group>],
    clock: Arc<dyn Clock>,
    intent: &'a Intent<'a, K>,
) -> Result<Vec<Claimed<K>>, Stop> {
    let there: Vec<_> = groups.iter().map(|group| &**group).enumerate().collect();
    let Survey { run, furthest } = survey(&there, &*clock, intent).await?;
    let mut run = RunId(run.0 + 1);
    let round = Round { groups, clock: clock.clone(), intent, furthest };
    let mut claimed = round.claim(&mut run, None).await?;
    if judge(&places(&claimed, groups), intent)? == Verdict::BeginAnew {
        tracing::warn!("nothing had landed in the tables for their earlier source or role: they start over");
        let judged = run;
        run = RunId(run.0 + 1);
        claimed = round.claim(&mut run, Some(judged)).await?;
        judge(&places(&claimed, groups), intent)?;
    }
    for group in groups {
        // Another pipeline may have claimed the group at the same time: each records its claim
        // before it looks.
        refuse_overlap(&**group, &*clock, intent.reading).await?;
    }
    Ok(claimed)
}

fn places<'c, K: Kind>(claimed: &'c [Claimed<K>], groups: &'c [Arc<dyn Group>]) -> Vec<Positioned<'c, K>> {
    let place = |(index, (claimed, group)): (usize, (&'c Claimed<K>, &'c Arc<dyn Group>))| Positioned {
        index,
        shown: group.shown(),
        standing: &claimed.standing,
        origin: claimed.committer.origin(),
    };
    claimed.iter().zip(groups).enumerate().map(place).collect()
}

/// One claim of all groups.
struct Round<'a, K: Kind> {
    groups: &'a [Arc<dyn Group>],
    clock: Arc<dyn Clock>,
    intent: &'a Intent<'a, K>,
    /// The furthest of the groups that stood beyond zero, if any: its position and name.
    furthest: Option<(Position, String)>,
}

impl<K: Kind> Round<'_, K> {
    /// Claims all groups for `run` or a later one. With `anew`, the run as which they were claimed
    /// and judged, those of another source, role or lineage begin anew.
    async fn claim(&self, run: &mut RunId, anew: Option<RunId>) -> Result<Vec<Claimed<K>>, Stop> {
        let mut claimed: Vec<Claimed<K>> = Vec::new();
        for (index, group) in self.groups.iter().enumerate() {
            let Round { clock, intent, furthest, .. } = self;
            let (intent, furthest) = (*intent, furthest.clone());
            let claim = Claim { group: group.clone(), clock: clock.clone(), intent, index, furthest, anew };
            claimed.push(claim.take(run, &claimed).await?);
        }
        Ok(claimed)
    }
}

/// The claim of one group.
struct Claim<'a, K: Kind> {
    group: Arc<dyn Group>,
    clock: Arc<dyn Clock>,
    intent: &'a Intent<'a, K>,
    index: usize,
    furthest: Option<(Position, String)>,
    /// The run as which this one has claimed the groups, if those of another source, role or
    /// lineage begin anew.
    anew: Option<RunId>,
}

impl<K: Kind> Claim<'_, K> {
    /// Claims the group for `run`; the first group may have to raise it.
    async fn take(&self, run: &mut RunId, before: &[Claimed<K>]) -> Result<Claimed<K>, Stop> {
        let mut retry = Retry::default();
        loop {
            let looked = Stamp::now(&*self.clock);
            let (state, found) = look(&*self.group, &*self.clock).await?;
            // Groups begin anew only while they are as they were judged.
            if let Some(held) = state.held.filter(|held| self.anew.is_some_and(|claimed| held.run != claimed)) {
                return Err(self.fenced(format!("as run {} while this is run {run}", held.run)));
            }
            if let Some(held) = state.held.filter(|held| held.run >= *run) {
                if self.index > 0 {
                    return Err(self.fenced(format!("as run {} while this is run {run}", held.run)));
                }
                *run = RunId(held.run.0 + 1);
            }
            let recorded = match self.recorded(found, before).await {
                Ok(recorded) => recorded,
                Err(Stop::Store(error)) => {
                    retry.after(error, &*self.clock).await?;
                    continue;
                }
                // Another run has moved the group since.
                Err(_) if self.load().await?.held != state.held => continue,
                Err(stop) => return Err(stop),
            };
            let standing = recorded.standing.clone();
            let held = Held { position: standing.position(), run: *run };
            let members = self.intent.layout.groups()[self.index].clone();
            let mut files = OffsetsFiles::new(members, Recorded { process: self.intent.process.clone(), ..recorded });
            match files.write(&*self.group, held).await {
                Ok(true) => fail::fail_point!("claim-offsets-written"),
                // A rival computed the same number, or a run died after writing this file: try the
                // next number.
                Ok(false) if self.index == 0 => {
                    *run = RunId(run.0 + 1);
                    continue;
                }
                Ok(false) => return Err(self.fenced(format!("while it was being claimed as run {run}"))),
                Err(error) => {
                    retry.after(error, &*self.clock).await?;
                    continue;
                }
            }
            if let Some(version) = self.put(&state, looked, held, &mut retry).await? {
                // No commit will step over changes from before the claim, so they are checked here.
                recheck(&*self.group, &*self.clock, None).await?;
                files.survey(&*self.group, &*self.clock).await?;
                let (group, clock) = (self.group.clone(), self.clock.clone());
                let committer = Committer::new(group, clock, files, held, version, looked, state.retention);
                return Ok(Claimed { committer, standing });
            }
        }
    }

    async fn load(&self) -> Result<GroupState, Stop> {
        ask(&*self.clock, || self.group.load()).await
    }

    /// Writes the claim after `state`. `None` means to look again: another commit made that version
    /// first, or `state` was read too long ago.
    async fn put(
        &self,
        state: &GroupState,
        looked: Stamp,
        held: Held,
        retry: &mut Retry,
    ) -> Result<Option<Version>, Stop> {
        let version = state.head.next();
        let commit = Commit { id: Uuid::new_v4(), held, files: Vec::new(), sums: Vec::new() };
        loop {
            if is_stale(looked, state.retention, &*self.clock) {
                retry.after_silence(&*self.group, &*self.clock).await?;
                return Ok(None);
            }
            match self.group.put(version, &commit).await {
                Ok(Created::Yes) => return Ok(Some(version)),
                Ok(Created::No) => {}
                Ok(Created::Void) => return Err(Stop::Bug(format!("{} called a claim void", self.group.shown()))),
                Err(error) => retry.after(error, &*self.clock).await?,
            }
            match self.group.read(version).await {
                Ok(Some(seen)) if seen.id == Some(commit.id) => return Ok(Some(version)),
                Ok(Some(_)) => return Ok(None),
                Ok(None) => {}
                Err(error) => retry.after(error, &*self.clock).await?,
            }
        }
    }

    /// What the claim records: what the group holds already or, at genesis, where it begins.
    async fn recorded(&self, found: Option<Recorded<K>>, before: &[Claimed<K>]) -> Result<Recorded<K>, Stop> {
        let mut adopted = found.as_ref().and_then(|found| found.origin.adopted);
        if self.intent.adopt {
            let rows = strangers::<K>(&*self.group, &*self.clock).await?;
            adopted = (rows > 0).then_some(rows).or(adopted);
        }
        let reading = self.intent.reading;
        let (source, root) = (reading.source().to_owned(), Some(reading.root().to_owned()));
        let found = found.filter(|found| !joins(found, self.furthest_of(before), self.role()));
        if let Some(mut found) = found {
            match self.fits(&found, before) {
                Ok(true) => {
                    found.origin = Origin { source, root, adopted, ..found.origin };
                    return Ok(found);
                }
                // All groups are claimed before any begins anew, because no other run can land in a
                // claimed one.
                _ if self.anew.is_none() => return Ok(found),
                Err(stop) if found.standing.position() > Position(0) => return Err(stop),
                Ok(false) | Err(_) => {}
            }
        }
        let standing = match before.first() {
            None if self.furthest.is_none() => {
                let offsets = Arc::new((self.intent.cold_start)().await?);
                let since = offsets.position();
                let last_rows = LastRows::none(since, self.intent.layout.groups().len());
                Standing { offsets, settings: self.intent.settings.clone(), since, last_rows }
            }
            Some(first) if self.all_at_genesis(first, before) => {
                let (standing, origin) = (&first.standing, first.committer.origin());
                if standing.position() > Position(0) {
                    // Groups that another source's run began beyond zero do not give way, and are
                    // not mixed with this one's.
                    check(&Positioned { index: 0, shown: first.committer.shown(), standing, origin }, self.intent)?;
                }
                standing.clone()
            }
            // It is new to the others.
            _ => match self.furthest_of(before).filter(|standing| !K::has_role(&standing.settings, self.role())) {
                Some(standing) => standing.clone(),
                None => return Err(self.no_position()),
            },
        };
        let origin = Origin {
            pipeline: self.intent.pipeline.to_owned(),
            source,
            root,
            role: self.role().to_owned(),
            genesis: standing.position(),
            lineage: before
                .first()
                .map_or_else(|| Uuid::new_v4().to_string(), |c| c.committer.origin().lineage.clone()),
            adopted,
        };
        let account = Account::genesis(standing.offsets.clone());
        Ok(Recorded { origin, standing, account, process: None })
    }

    fn role(&self) -> &str {
        &self.intent.layout.groups()[self.index].role
    }

    /// Where the furthest of the groups before this one stands.
    fn furthest_of<'c>(&self, before: &'c [Claimed<K>]) -> Option<&'c Standing<K>> {
        before.iter().map(|claimed| &claimed.standing).max_by_key(|standing| standing.position())
    }

    /// Whether the group has this pipeline's source, role and lineage. The error says which of the
    /// first two differs.
    fn fits(&self, found: &Recorded<K>, before: &[Claimed<K>]) -> Result<bool, Stop> {
        let Recorded { origin, standing, .. } = found;
        check(&Positioned { index: self.index, shown: self.group.shown(), standing, origin }, self.intent)?;
        Ok(before.first().is_none_or(|first| first.committer.origin().lineage == origin.lineage))
    }

    /// Whether nothing has landed yet, neither in the groups before this one nor in those after it.
    fn all_at_genesis(&self, first: &Claimed<K>, before: &[Claimed<K>]) -> bool {
        let start = first.standing.position();
        before.iter().all(Claimed::is_at_genesis)
            && self.furthest.as_ref().is_none_or(|(position, _)| *position <= start)
    }

    fn no_position(&self) -> Stop {
        let shown = self.furthest.as_ref().map_or("another of its tables", |(_, shown)| shown);
        refusals::no_position(&self.group.shown(), self.intent.pipeline, shown)
    }

    fn fenced(&self, seen: String) -> Stop {
        Stop::Fenced { group: self.group.shown(), seen }
    }
}

impl<K: Kind> Claimed<K> {
    fn is_at_genesis(&self) -> bool {
        self.committer.origin().genesis == self.standing.position()
    }
}
