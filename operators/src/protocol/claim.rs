//! Claim and genesis: before a run reads any position, it claims every table, in one fixed order.
//!
//! A claim is a commit without files that carries the run's number. The first table's conditional
//! write makes the number unique; a later table that holds an equal or higher one means that a
//! newer run is ahead. So the newest run wins, and an older one that is still alive meets the claim
//! at its next commit and stops. A table without a position gets its start offsets with the claim
//! (*genesis*): they are resolved once, in the first table, and copied to the rest.
//!
//! Reasons to refuse are found before anything is written ([`preflight`](super::preflight)). A
//! claim that has landed nothing gives way: tables that all stand where they began, and were
//! claimed for another source, are first claimed as they are, so that no other run can land in
//! them, and then begin anew.

use std::sync::Arc;

use uuid::Uuid;

use crate::error::Stop;
use crate::position::Position;
use crate::protocol::commit::{Committer, Retry, ask, is_stale};
use crate::protocol::document::{Account, OffsetsFiles, Origin, Process, Recorded, Standing};
use crate::protocol::kind::Kind;
use crate::protocol::last_rows::LastRows;
use crate::protocol::neighbours::{Reading, refuse_overlap, strangers};
use crate::protocol::offsets::Offsets;
use crate::protocol::preflight::{Place, Survey, Verdict, check, judge, look, survey};
use crate::protocol::table::{Clock, Commit, Created, Held, Pending, RunId, Stamp, Table, TableState, Version};

/// What a run wants from its tables.
pub struct Intent<'a, K: Kind> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// The source.
    pub reading: &'a dyn Reading<K>,
    /// Each table's role, in claim order.
    pub roles: &'a [&'a str],
    /// Today's settings: they hold from the tables' common position on.
    pub settings: Arc<K::Settings>,
    /// The state file's position, if there is one. It informs and never overrides.
    pub known: Option<Position>,
    /// The process of this run, for people who ask which run has the tables.
    pub process: Option<Process>,
    /// Whether to land beside rows that no pipeline has landed.
    pub adopt: bool,
    /// Resolves `cold_start`; called at most once each time the first table has no position.
    pub cold_start: &'a (dyn Fn() -> Pending<'a, Result<Offsets<K>, Stop>> + Send + Sync),
}

/// A table that this run has claimed.
pub struct Claimed<K: Kind> {
    /// Commits its cuts.
    pub committer: Committer<K>,
    /// Where it stands.
    pub standing: Standing<K>,
}

/// Claims `tables` in their order and reads where they stand.
pub async fn claim<'a, K: Kind>(
    tables: &'a [Arc<dyn Table>],
    clock: Arc<dyn Clock>,
    intent: &'a Intent<'a, K>,
) -> Result<Vec<Claimed<K>>, Stop> {
    let there: Vec<_> = tables.iter().map(|table| &**table).enumerate().collect();
    let Survey { run, furthest } = survey(&there, &*clock, intent).await?;
    let mut run = RunId(run.0 + 1);
    let round = Round { tables, clock: clock.clone(), intent, furthest };
    let mut claimed = round.claim(&mut run, None).await?;
    if judge(&places(&claimed, tables), intent)? == Verdict::BeginAnew {
        tracing::warn!("nothing had landed in the tables for their earlier source or role: they start over");
        let judged = run;
        run = RunId(run.0 + 1);
        claimed = round.claim(&mut run, Some(judged)).await?;
        judge(&places(&claimed, tables), intent)?;
    }
    for table in tables {
        // Another pipeline may have claimed the table at the same time: each records its claim
        // before it looks.
        refuse_overlap(&**table, &*clock, intent.reading).await?;
    }
    Ok(claimed)
}

fn places<'c, K: Kind>(claimed: &'c [Claimed<K>], tables: &'c [Arc<dyn Table>]) -> Vec<Place<'c, K>> {
    let place = |(index, (claimed, table)): (usize, (&'c Claimed<K>, &'c Arc<dyn Table>))| Place {
        index,
        name: table.name(),
        standing: &claimed.standing,
        origin: claimed.committer.origin(),
    };
    claimed.iter().zip(tables).enumerate().map(place).collect()
}

/// One claim of all tables.
struct Round<'a, K: Kind> {
    tables: &'a [Arc<dyn Table>],
    clock: Arc<dyn Clock>,
    intent: &'a Intent<'a, K>,
    /// The furthest of the tables that stood beyond zero, if any: its position and name.
    furthest: Option<(Position, &'a str)>,
}

impl<K: Kind> Round<'_, K> {
    /// Claims all tables for `run` or a later one. With `anew`, the run as which they were claimed
    /// and judged, those of another source, role or lineage begin anew.
    async fn claim(&self, run: &mut RunId, anew: Option<RunId>) -> Result<Vec<Claimed<K>>, Stop> {
        let mut claimed: Vec<Claimed<K>> = Vec::new();
        for (index, table) in self.tables.iter().enumerate() {
            let Round { clock, intent, furthest, .. } = self;
            let (intent, furthest) = (*intent, *furthest);
            let claim = Claim { table: table.clone(), clock: clock.clone(), intent, index, furthest, anew };
            claimed.push(claim.take(run, &claimed).await?);
        }
        Ok(claimed)
    }
}

/// The claim of one table.
struct Claim<'a, K: Kind> {
    table: Arc<dyn Table>,
    clock: Arc<dyn Clock>,
    intent: &'a Intent<'a, K>,
    index: usize,
    furthest: Option<(Position, &'a str)>,
    /// The run as which this one has claimed the tables, if those of another source, role or
    /// lineage begin anew.
    anew: Option<RunId>,
}

impl<K: Kind> Claim<'_, K> {
    /// Claims the table for `run`; the first table may have to raise it.
    async fn take(&self, run: &mut RunId, before: &[Claimed<K>]) -> Result<Claimed<K>, Stop> {
        let mut retry = Retry::default();
        loop {
            let looked = Stamp::now(&*self.clock);
            let (state, found) = look(&*self.table, &*self.clock).await?;
            // Tables begin anew only while they are as they were judged.
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
                // Another run has moved the table since.
                Err(_) if self.load().await?.held != state.held => continue,
                Err(stop) => return Err(stop),
            };
            let standing = recorded.standing.clone();
            let held = Held { position: standing.position(), run: *run };
            let mut files = OffsetsFiles::new(Recorded { process: self.intent.process.clone(), ..recorded });
            match files.write(&*self.table, held).await {
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
                ask(&*self.clock, || self.table.recheck()).await?;
                files.survey(&*self.table, &*self.clock).await?;
                let (table, clock) = (self.table.clone(), self.clock.clone());
                let committer = Committer::new(table, clock, files, held, version, looked, state.retention);
                return Ok(Claimed { committer, standing });
            }
        }
    }

    async fn load(&self) -> Result<TableState, Stop> {
        ask(&*self.clock, || self.table.load()).await
    }

    /// Writes the claim after `state`. `None` means to look again: another commit made that version
    /// first, or `state` was read too long ago.
    async fn put(
        &self,
        state: &TableState,
        looked: Stamp,
        held: Held,
        retry: &mut Retry,
    ) -> Result<Option<Version>, Stop> {
        let version = state.head.next();
        let commit = Commit { id: Uuid::new_v4(), held, files: Vec::new() };
        loop {
            if is_stale(looked, state.retention, &*self.clock) {
                retry.after_silence(&*self.table, &*self.clock).await?;
                return Ok(None);
            }
            match self.table.put(version, &commit).await {
                Ok(Created::Yes) => return Ok(Some(version)),
                Ok(Created::No) => {}
                Err(error) => retry.after(error, &*self.clock).await?,
            }
            match self.table.read(version).await {
                Ok(Some(seen)) if seen.id == Some(commit.id) => return Ok(Some(version)),
                Ok(Some(_)) => return Ok(None),
                Ok(None) => {}
                Err(error) => retry.after(error, &*self.clock).await?,
            }
        }
    }

    /// What the claim records: what the table holds already or, at genesis, where it begins.
    async fn recorded(&self, found: Option<Recorded<K>>, before: &[Claimed<K>]) -> Result<Recorded<K>, Stop> {
        let mut adopted = found.as_ref().and_then(|found| found.origin.adopted);
        if self.intent.adopt {
            let rows = strangers::<K>(&*self.table, &*self.clock).await?;
            adopted = (rows > 0).then_some(rows).or(adopted);
        }
        let reading = self.intent.reading;
        let (source, root) = (reading.source().to_owned(), Some(reading.root().to_owned()));
        if let Some(mut found) = found {
            match self.fits(&found, before) {
                Ok(true) => {
                    found.origin = Origin { source, root, adopted, ..found.origin };
                    return Ok(found);
                }
                // All tables are claimed before any begins anew, because no other run can land in a
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
                let last_rows = LastRows::none(since, self.intent.roles.len());
                Standing { offsets, settings: self.intent.settings.clone(), since, last_rows }
            }
            Some(first) if self.all_at_genesis(first, before) => {
                let (standing, origin) = (&first.standing, first.committer.origin());
                if standing.position() > Position(0) {
                    // Tables that another source's run began beyond zero do not give way, and are
                    // not mixed with this one's.
                    check(&Place { index: 0, name: first.committer.name(), standing, origin }, self.intent)?;
                }
                standing.clone()
            }
            _ => return Err(self.no_position()),
        };
        let origin = Origin {
            pipeline: self.intent.pipeline.to_owned(),
            source,
            root,
            role: self.intent.roles[self.index].to_owned(),
            genesis: standing.position(),
            lineage: before
                .first()
                .map_or_else(|| Uuid::new_v4().to_string(), |c| c.committer.origin().lineage.clone()),
            adopted,
        };
        let account = Account::genesis(standing.offsets.clone());
        Ok(Recorded { origin, standing, account, process: None })
    }

    /// Whether the table has this pipeline's source, role and lineage. The error says which of the
    /// first two differs.
    fn fits(&self, found: &Recorded<K>, before: &[Claimed<K>]) -> Result<bool, Stop> {
        let Recorded { origin, standing, .. } = found;
        check(&Place { index: self.index, name: self.table.name(), standing, origin }, self.intent)?;
        Ok(before.first().is_none_or(|first| first.committer.origin().lineage == origin.lineage))
    }

    /// Whether nothing has landed yet, neither in the tables before this one nor in those after it.
    fn all_at_genesis(&self, first: &Claimed<K>, before: &[Claimed<K>]) -> bool {
        let start = first.standing.position();
        before.iter().all(Claimed::is_at_genesis) && self.furthest.is_none_or(|(position, _)| position <= start)
    }

    fn no_position(&self) -> Stop {
        Stop::no_position(self.table.name(), self.intent.pipeline, self.furthest.map_or("primary", |(_, name)| name))
    }

    fn fenced(&self, seen: String) -> Stop {
        Stop::Fenced { table: self.table.name().to_owned(), seen }
    }
}

impl<K: Kind> Claimed<K> {
    fn is_at_genesis(&self) -> bool {
        self.committer.origin().genesis == self.standing.position()
    }
}
