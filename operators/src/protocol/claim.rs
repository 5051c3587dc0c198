//! Claim and genesis: before a run reads any position, it claims every table, in one fixed order.
//!
//! A claim is a commit without files that carries the run's number. The first table's conditional write makes the number
//! unique; a later table that holds an equal or higher one means that a newer run is ahead. So the newest run wins, and an
//! older one that is still alive meets the claim at its next commit and stops. A table without a position gets its start
//! offsets with the claim (*genesis*): they are resolved once, in the first table, and copied to the rest.

use std::sync::Arc;

use uuid::Uuid;

use crate::error::Stop;
use crate::offsets::Offsets;
use crate::position::Position;
use crate::protocol::commit::{Committer, Retry, ask, is_stale};
use crate::protocol::document::{Account, OffsetsFiles, Origin, Process, Recorded, Standing};
use crate::protocol::table::{Clock, Commit, Created, Held, Pending, RunId, Stamp, Table, TableState, Version};
use crate::settings::RowSettings;

/// What a run wants of its tables.
pub struct Intent<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// The source, without credentials.
    pub source: &'a str,
    /// What each table is for, in claim order.
    pub roles: &'a [&'a str],
    /// Today's settings: they hold from the tables' common position on.
    pub settings: Arc<RowSettings>,
    /// The position of the state file, if there is one. It informs and never overrides.
    pub known: Option<Position>,
    /// The process of this run, for whoever asks who has the tables.
    pub process: Option<Process>,
    /// Resolves `cold_start`; asked at most once for each time the first table turns out to have no position.
    pub cold_start: &'a (dyn Fn() -> Pending<'a, Result<Offsets, Stop>> + Send + Sync),
}

/// A table that this run has claimed.
pub struct Claimed {
    /// Commits its cuts.
    pub committer: Committer,
    /// Where it stands.
    pub standing: Standing,
}

/// Claims `tables` in their order and reads where they stand.
pub async fn claim<'a>(
    tables: &'a [Arc<dyn Table>],
    clock: Arc<dyn Clock>,
    intent: &'a Intent<'a>,
) -> Result<Vec<Claimed>, Stop> {
    let mut run = RunId(0);
    let mut furthest: Option<(Position, &str)> = None;
    for table in tables {
        refuse_other_pipelines(&**table, &*clock, intent).await?;
        // A run that died while it claimed has left a file; after a restore its number would be given out again.
        run = ask(&*clock, || table.list_offsets()).await?.iter().map(|name| name.0.run).fold(run, RunId::max);
        if let Some(held) = ask(&*clock, || table.load()).await?.held {
            run = run.max(held.run);
            furthest = furthest.max(Some((held.position, table.name())));
        }
    }
    run = RunId(run.0 + 1);
    let mut claimed: Vec<Claimed> = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let mut claim = Claim { table: table.clone(), clock: clock.clone(), intent, index, furthest };
        claimed.push(claim.take(&mut run, &claimed).await?);
    }
    level(&claimed, tables, intent)?;
    Ok(claimed)
}

async fn refuse_other_pipelines(table: &dyn Table, clock: &dyn Clock, intent: &Intent<'_>) -> Result<(), Stop> {
    for content in ask(clock, || table.others()).await? {
        if let Some(other) = OffsetsFiles::origin_of(&content).filter(|o| o.source == intent.source) {
            return Err(Stop::Refused(format!(
                "table {:?} already receives {} through pipeline {:?}: a second pipeline would land every row twice; \
                 use that pipeline's name, or another table",
                table.name(),
                other.source,
                other.pipeline
            )));
        }
    }
    Ok(())
}

/// All tables lie on one sequence of cuts: their positions order their offsets.
fn level(claimed: &[Claimed], tables: &[Arc<dyn Table>], intent: &Intent<'_>) -> Result<(), Stop> {
    let lineage = |i: usize| &claimed[i].committer.origin().lineage;
    let mut order: Vec<usize> = (0..claimed.len()).collect();
    order.sort_by_key(|&i| claimed[i].standing.position());
    for pair in order.windows(2) {
        let (low, high) = (&claimed[pair[0]].standing, &claimed[pair[1]].standing);
        if !low.offsets.precede(&high.offsets) || lineage(pair[0]) != lineage(pair[1]) {
            return Err(Stop::Refused(format!(
                "tables {:?} and {:?} were not written by one pipeline: the offsets of one do not lead to the other's; \
                 restore both from the same backup, or start over with a new pipeline name and new tables",
                tables[pair[0]].name(),
                tables[pair[1]].name()
            )));
        }
        if low.position() < high.since {
            return Err(Stop::Refused(format!(
                "table {:?} was restored to position {}, but the settings have changed since, at {}: it can only be caught \
                 up by the settings of its time; restore a newer backup, or all tables to one before the change",
                tables[pair[0]].name(),
                low.position(),
                high.since
            )));
        }
    }
    if let (Some(known), Some(&lowest)) = (intent.known, order.first()) {
        let position = claimed[lowest].standing.position();
        if known > position {
            return Err(Stop::Refused(format!(
                "the state file says position {known}, but table {:?} stands at {position}: it was restored or deleted; \
                 restore the newer table, or delete the state file to land again what the table lacks",
                tables[lowest].name()
            )));
        }
    }
    Ok(())
}

/// The claim of one table.
struct Claim<'a> {
    table: Arc<dyn Table>,
    clock: Arc<dyn Clock>,
    intent: &'a Intent<'a>,
    index: usize,
    /// The furthest of the tables that have a position already, if any.
    furthest: Option<(Position, &'a str)>,
}

impl Claim<'_> {
    /// Claims the table for `run`; the first table may have to raise it.
    async fn take(&mut self, run: &mut RunId, before: &[Claimed]) -> Result<Claimed, Stop> {
        let mut retry = Retry::default();
        loop {
            let looked = Stamp::now(&*self.clock);
            let state = self.load().await?;
            if let Some(held) = state.held.filter(|held| held.run >= *run) {
                if self.index > 0 {
                    return Err(self.fenced(format!("as run {} while this is run {run}", held.run)));
                }
                *run = RunId(held.run.0 + 1);
            }
            let recorded = match self.recorded(&state, before).await {
                Ok(found) => found,
                Err(Stop::Store(error)) => {
                    retry.after(error, &*self.clock).await?;
                    continue;
                }
                // The run before is still alive: it has committed since, and deleted the file of the position before.
                Err(_) if self.load().await?.held != state.held => continue,
                Err(stop) => return Err(stop),
            };
            let standing = recorded.standing.clone();
            let held = Held { position: standing.position(), run: *run };
            let mut files = OffsetsFiles::new(Recorded { process: self.intent.process.clone(), ..recorded });
            match files.write(&*self.table, held).await {
                Ok(true) => fail::fail_point!("claim-offsets-written"),
                // A rival computed the same number, or died after writing this file: the next number is free.
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
                // What changed the table before the claim is stepped over by nobody.
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

    /// Writes the claim after `state`. None: someone else made that version first, or it was read too long ago, so look again.
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

    /// Where the table stands; at genesis, where it begins.
    async fn recorded(&self, state: &TableState, before: &[Claimed]) -> Result<Recorded, Stop> {
        if let Some(held) = state.held {
            let recorded = OffsetsFiles::read(&*self.table, held).await?;
            self.check(&recorded.origin)?;
            return Ok(recorded);
        }
        let standing = match before.first() {
            None if self.furthest.is_none() => {
                let offsets = Arc::new((self.intent.cold_start)().await?);
                let since = offsets.position();
                Standing { offsets, settings: self.intent.settings.clone(), since }
            }
            Some(first) if self.all_at_genesis(first, before) => first.standing.clone(),
            _ => return Err(self.no_position()),
        };
        let origin = Origin {
            pipeline: self.intent.pipeline.to_owned(),
            source: self.intent.source.to_owned(),
            role: self.role().to_owned(),
            genesis: standing.position(),
            lineage: before
                .first()
                .map_or_else(|| Uuid::new_v4().to_string(), |c| c.committer.origin().lineage.clone()),
        };
        let account = Account::genesis(standing.offsets.clone());
        Ok(Recorded { origin, standing, account, process: None })
    }

    /// Nothing has landed yet: neither in the tables before this one nor in those behind it.
    fn all_at_genesis(&self, first: &Claimed, before: &[Claimed]) -> bool {
        let start = first.standing.position();
        before.iter().all(Claimed::is_at_genesis) && self.furthest.is_none_or(|(position, _)| position <= start)
    }

    fn role(&self) -> &str {
        self.intent.roles[self.index]
    }

    /// A table belongs to one source and one purpose for good.
    fn check(&self, origin: &Origin) -> Result<(), Stop> {
        let name = self.table.name();
        if origin.source != self.intent.source {
            return Err(Stop::Refused(format!(
                "table {name:?} holds what pipeline {:?} read from {}, but source.url is {}: set it back, or give the \
                 new source a pipeline name of its own",
                origin.pipeline, origin.source, self.intent.source
            )));
        }
        if origin.role != self.role() {
            return Err(Stop::Refused(format!(
                "table {name:?} is the pipeline's table for {:?}, but [tables] makes it the one for {:?}: set it back",
                origin.role,
                self.role()
            )));
        }
        Ok(())
    }

    fn no_position(&self) -> Stop {
        Stop::no_position(self.table.name(), self.intent.pipeline, self.furthest.map_or("primary", |(_, name)| name))
    }

    fn fenced(&self, seen: String) -> Stop {
        Stop::Fenced { table: self.table.name().to_owned(), seen }
    }
}

impl Claimed {
    fn is_at_genesis(&self) -> bool {
        self.committer.origin().genesis == self.standing.position()
    }
}
