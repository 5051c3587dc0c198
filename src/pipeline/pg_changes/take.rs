//! How a run takes its tables: it opens and claims them, and each worker's shards. What a run
//! refuses before it writes anything is checked here for `doctor` and `validate` too.

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::try_join_all;
use lakefront_operators::error::{Stop, StoreError, chain};
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::claim::{Claimed, claim};
use lakefront_operators::protocol::document::Process;
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::intent::Intent;
use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::protocol::names::Held;
use lakefront_operators::protocol::preflight::preflight;
use lakefront_operators::run::metrics::{Metrics, Retried};
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::delta::upsert::{self, Shard, Sharding, UpsertSpec, UpsertTable};
use lakefront_operators::sink::delta::{self, DeltaTable};
use lakefront_operators::source::kafka::kind::{Offsets, TopicSource, Topics};

use super::{Changes, Known, accept, known};
use crate::pipeline::{Opened, state_of};

/// What a run has taken.
pub(super) struct Taken {
    /// The rejects, and behind them tables without a key.
    pub(super) appended: Vec<Arc<DeltaTable>>,
    /// Tables with a key.
    pub(super) tables: Vec<Arc<UpsertTable>>,
    pub(super) claimed: Vec<Claimed<Topics>>,
    /// By worker, its shard of each table that has a key.
    pub(super) shards: Vec<Vec<Shard>>,
}

/// Claims the tables.
pub(super) async fn tables(changes: &Changes, adopt: bool, metrics: &Metrics, process: Process) -> Result<Taken, Stop> {
    refuse_untold(changes)?;
    refuse_too_little(changes)?;
    let clock = metrics.retries().counted(Retried::Commit, changes.clock.clone());
    let pipeline = &changes.common.pipeline;
    let outline = changes.outline();
    let reading = changes.reading();
    let cold_start = || -> Pending<'_, Result<Offsets, Stop>> { Box::pin(begin(changes)) };
    let intent = intent(changes, (&outline.layout, &reading), &cold_start, adopt, Some(process))?;
    // A refusal here comes before anything is written.
    preflight(&there(changes).await?, &*clock, &intent).await?;
    let done = match accept::widen(changes).await {
        None => accept::fill(changes).await,
        done => done,
    };
    if let Some(done) = done {
        return Err(Stop::Anew(done));
    }
    let (appended, keyed): (Vec<_>, Vec<_>) = changes.tables.iter().partition(|table| table.is_appended());
    tell_appended(&appended);
    let specs = std::iter::once(&changes.rejects).chain(appended.iter().map(|table| &table.spec.table));
    let mut appended = Vec::new();
    // One by one: a table may come later than the others.
    for spec in specs {
        appended.extend(delta::open(std::slice::from_ref(spec), pipeline, clock.clone(), |_| Ok(())).await?);
    }
    let specs: Vec<UpsertSpec> = keyed.iter().map(|table| table.spec.clone()).collect();
    let tables = upsert::open(&specs, pipeline, clock.clone(), |_| Ok(())).await?;
    let groups = groups(changes, &appended, &tables)?;
    let claimed = claim(&groups, clock, &intent).await?;
    let standings: Vec<_> = claimed.iter().map(|claimed| claimed.standing.clone()).collect();
    known::forget(&changes.common, &changes.tables, &known::still(&changes.holds, &standings));
    let shards = shards(changes, &claimed).await?;
    Ok(Taken { appended, tables, claimed, shards })
}

/// All groups, in claim order.
fn groups(
    changes: &Changes,
    appended: &[Arc<DeltaTable>],
    tables: &[Arc<UpsertTable>],
) -> Result<Vec<Arc<dyn Group>>, Stop> {
    let mut appended = appended.iter().map(|table| table.clone() as Arc<dyn Group>);
    let mut tables = tables.iter().map(|table| table.clone() as Arc<dyn Group>);
    let rejects = appended.next();
    let behind = changes.tables.iter().map(|known| match known.is_appended() {
        true => appended.next(),
        false => tables.next(),
    });
    let groups = std::iter::once(rejects).chain(behind).collect::<Option<_>>();
    groups.ok_or_else(|| Stop::Bug("a table was opened and is not there".into()))
}

/// Says which tables can only be appended to.
fn tell_appended(tables: &[&Known]) {
    for table in tables {
        tracing::warn!(
            table = %one_line(&table.event.role),
            "the table has no key: its new rows are appended, and updates and deletes of its rows are rejects"
        );
    }
}

/// Refuses what a run would refuse, with the same errors, and writes nothing.
pub(super) async fn judge(changes: &Changes) -> Result<(), Stop> {
    refuse_untold(changes)?;
    refuse_too_little(changes)?;
    let (outline, reading) = (changes.outline(), changes.reading());
    let cold_start = || -> Pending<'_, Result<Offsets, Stop>> { Box::pin(begin(changes)) };
    let intent = intent(changes, (&outline.layout, &reading), &cold_start, false, None)?;
    preflight(&there(changes).await?, &*changes.clock, &intent).await
}

/// Refuses less memory than the tables need that are there now.
fn refuse_too_little(changes: &Changes) -> Result<(), Stop> {
    let least = changes.parts().least();
    match changes.common.memory.filter(|memory| *memory < least) {
        None => Ok(()),
        Some(memory) => Err(Stop::Refused(format!(
            "memory = {} MiB is too little for the tables without a key, which are appended to: give it {} MiB, or {{ keyless = \
             \"refuse\" }} in [tables] to those that are not there yet",
            memory >> 20,
            least.div_ceil(1 << 20)
        ))),
    }
}

/// Refuses to make columns of types that PostgreSQL may know better: they cannot change later.
fn refuse_untold(changes: &Changes) -> Result<(), Stop> {
    match &changes.untold {
        None => Ok(()),
        Some(stop) => Err(Stop::Refused(format!(
            "a table or column is new, and PostgreSQL could not be asked for its types: {}; start again once it can, or leave \
             [postgres] out, and types are those that events tell",
            chain(stop)
        ))),
    }
}

/// Resolves where the first run begins.
type ColdStart<'a> = dyn Fn() -> Pending<'a, Result<Offsets, Stop>> + Send + Sync + 'a;

fn intent<'a>(
    changes: &'a Changes,
    (layout, reading): (&'a Layout, &'a TopicSource),
    cold_start: &'a ColdStart<'a>,
    adopt: bool,
    process: Option<Process>,
) -> Result<Intent<'a, Topics>, Stop> {
    let known = state_of(&changes.common)?;
    Ok(Intent {
        pipeline: &changes.common.pipeline,
        reading,
        layout,
        settings: Arc::new(changes.settings()),
        known: known.map(|state| state.position),
        process,
        adopt,
        cold_start,
    })
}

/// Where the first run begins.
async fn begin(changes: &Changes) -> Result<Offsets, Stop> {
    let sights = changes.watch().look().await?;
    Ok(changes.config.cold_start.offsets(&sights))
}

/// The tables that exist; refused if none holds a position, and the state file says that some did.
async fn there(changes: &Changes) -> Result<Vec<Option<Arc<dyn Group>>>, Stop> {
    let pipeline = &changes.common.pipeline;
    let specs = std::iter::once(&changes.rejects).chain(changes.tables.iter().map(|table| &table.spec.table));
    let (mut there, mut is_held) = (Vec::new(), false);
    for spec in specs {
        let snapshot = delta::read(&spec.place, pipeline).await?;
        is_held |= snapshot.as_ref().is_some_and(|snapshot| snapshot.state.held.is_some());
        let group = || Arc::new(DeltaTable::attach(spec.clone(), pipeline, changes.clock.clone())) as Arc<dyn Group>;
        let group = snapshot.map(|_| group());
        if let Some(group) = &group {
            refuse_others(&**group).await?;
        }
        there.push(group);
    }
    if let Some(state) = state_of(&changes.common)?.filter(|state| !is_held && state.position.0 > 0) {
        return Err(Stop::Refused(format!(
            "the state file says position {}, but none of the pipeline's tables holds one ({} and so on): restore them, set \
             [lake] back to the old place, or, to land the topics anew, delete {}",
            state.position,
            changes.rejects.place,
            changes.common.state_file.display()
        )));
    }
    Ok(there)
}

/// Refuses a table that another pipeline lands in: each would take the other's rows for its own.
async fn refuse_others(group: &dyn Group) -> Result<(), Stop> {
    match group.others().await?.first() {
        None => Ok(()),
        Some((other, _)) => Err(Stop::Refused(format!(
            "{} is that of pipeline {:?} too, and rows that are changed by key have one owner: give each pipeline its own \
             lake.catalog",
            group.shown(),
            other
        ))),
    }
}

/// Opens each worker's shard of each table that was `claimed` and has a key.
async fn shards(changes: &Changes, claimed: &[Claimed<Topics>]) -> Result<Vec<Vec<Shard>>, StoreError> {
    let shards = changes.common.workers;
    let mut by_worker: Vec<Vec<Shard>> = (0..shards).map(|_| Vec::new()).collect();
    let keyed = changes.tables.iter().zip(&claimed[1..]).filter(|(known, _)| !known.is_appended());
    for (known, claimed) in keyed {
        let folder = index_folder(changes, &known.event.role);
        let held = Held { position: claimed.standing.position(), run: claimed.committer.run() };
        let opened = (0..shards).map(|shard| {
            let (spec, of) = (known.spec.clone(), (&*changes.common.pipeline, held));
            Shard::open(spec, of, Sharding { shard, shards }, Some(&folder), changes.clock.clone())
        });
        for (of_worker, shard) in by_worker.iter_mut().zip(try_join_all(opened).await?) {
            of_worker.push(shard);
        }
    }
    Ok(by_worker)
}

/// Where the index of a table is kept.
fn index_folder(changes: &Changes, role: &str) -> PathBuf {
    changes.common.state_folder().join(format!("{}.index", changes.common.pipeline)).join(role)
}
