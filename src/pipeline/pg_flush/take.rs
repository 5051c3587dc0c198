//! How a run takes its tables: it makes what the lake lacks, and claims them. What a run refuses
//! before it writes anything is checked here for `doctor` and `validate` too.

use std::collections::BTreeMap;
use std::sync::Arc;

use lakefront_operators::error::Stop;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::claim::{Claimed, claim};
use lakefront_operators::protocol::document::Process;
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::intent::Intent;
use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::protocol::names::Held;
use lakefront_operators::protocol::offsets::{Offsets, PartitionId};
use lakefront_operators::protocol::preflight::preflight;
use lakefront_operators::sink::ducklake::{LakeGroup, OwnTransactions, Tables, Transactions};
use lakefront_operators::source::postgres::{
    Buffer, BufferSettings, Flushes, HotSource, HotTable, LakeTarget, Target, TwoSteps, Watermark, older_checkpoint,
};

use super::{Flush, stay};
use crate::config::NamedTable;
use crate::pipeline::{Opened, state_of};

/// What a run has taken.
pub(super) struct Taken {
    pub(super) buffer: Arc<Buffer>,
    pub(super) tables: Arc<Tables>,
    pub(super) claimed: Vec<Claimed<Flushes>>,
}

/// Claims the tables.
pub(super) async fn tables(flush: &Flush, adopt: bool, process: Process) -> Result<Taken, Stop> {
    let (buffer, target) = buffer(flush);
    buffer.connect_ahead();
    let transactions = transactions(flush, &buffer).await?;
    stay::ask_gate(flush).await?;
    stay::refuse_forgotten(flush).await?;
    let group = Arc::new(group(flush, target.tables.clone(), transactions));
    known_tables(flush, &target).await?;
    let outline = flush.outline();
    let reading = flush.reading();
    let cold_start = || -> Pending<'_, Result<Offsets<Flushes>, Stop>> { Box::pin(begin(flush)) };
    let intent = intent(flush, &outline.layout, &reading, &cold_start, adopt, Some(process))?;
    // A refusal here comes before anything is written.
    let there = flush.lake.is_there().await?.then(|| group.clone() as Arc<dyn Group>);
    preflight(&[there], &*flush.clock, &intent).await?;
    flush.lake.make().await?;
    group.prepare().await?;
    target.prepare(&flush.hot).await?;
    let claimed = claim(&[group.clone() as Arc<dyn Group>], flush.clock.clone(), &intent).await?;
    // Only now can no earlier run land any more.
    if let Some((number, note)) = group.last_note().await? {
        buffer.goes_on_after(number, note)?;
    }
    for standing in claimed.iter().map(|claimed| &claimed.standing) {
        buffer.goes_on(&standing.offsets);
    }
    Ok(Taken { buffer, tables: target.tables.clone(), claimed })
}

/// Refuses what a run would refuse, with the same errors, and writes nothing.
pub(super) async fn judge(flush: &Flush) -> Result<(), Stop> {
    let (buffer, target) = buffer(flush);
    transactions(flush, &buffer).await?;
    stay::refuse_forgotten(flush).await?;
    known_tables(flush, &target).await?;
    let group = Arc::new(group(flush, target.tables.clone(), Arc::new(OwnTransactions::new(flush.lake.clone()))));
    let outline = flush.outline();
    let reading = flush.reading();
    let cold_start = || -> Pending<'_, Result<Offsets<Flushes>, Stop>> { Box::pin(begin(flush)) };
    let intent = intent(flush, &outline.layout, &reading, &cold_start, false, None)?;
    let there = flush.lake.is_there().await?.then_some(group as Arc<dyn Group>);
    preflight(&[there], &*flush.clock, &intent).await
}

/// What the pipeline holds, with its group; `None` before its first run.
pub(super) async fn held(flush: &Flush) -> Result<Option<(LakeGroup, Held)>, Stop> {
    if !flush.lake.is_there().await? {
        return Ok(None);
    }
    let group = reading(flush);
    let held = group.load().await?.held;
    Ok(held.map(|held| (group, held)))
}

/// Learns which of the tables are there, and refuses what does not fit them.
async fn known_tables(flush: &Flush, target: &LakeTarget) -> Result<(), Stop> {
    if !flush.lake.is_there().await? {
        return Ok(());
    }
    let mut there = flush.lake.tables(&flush.names).await?;
    let known: Vec<(HotTable, _)> =
        flush.hot.iter().filter_map(|hot| Some((hot.clone(), there.remove(&hot.name)?))).collect();
    let (hot, tables): (Vec<_>, Vec<_>) = known.into_iter().unzip();
    target.fits(&hot, &tables)?;
    target.tables.set(tables);
    Ok(())
}

/// Resolves where the first run begins.
type ColdStart<'a> = dyn Fn() -> Pending<'a, Result<Offsets<Flushes>, Stop>> + Send + Sync + 'a;

fn intent<'a>(
    flush: &'a Flush,
    layout: &'a Layout,
    reading: &'a HotSource,
    cold_start: &'a ColdStart<'a>,
    adopt: bool,
    process: Option<Process>,
) -> Result<Intent<'a, Flushes>, Stop> {
    let known = state_of(&flush.common)?;
    Ok(Intent {
        pipeline: &flush.common.pipeline,
        reading,
        layout,
        settings: Arc::new(HotSource::SETTINGS),
        known: known.map(|state| state.position),
        process,
        adopt,
        cold_start,
    })
}

/// Where the first run begins: every table at its own beginning or, if an older flusher has left
/// its checkpoint, after that. What it has flushed and not deleted is late then.
async fn begin(flush: &Flush) -> Result<Offsets<Flushes>, Stop> {
    let session = flush.sessions.session().await?;
    let checkpoint = older_checkpoint(&session, &flush.config.schema).await?;
    flush.sessions.give_back(session);
    let Some(checkpoint) = checkpoint else {
        return Ok(Offsets::default());
    };
    tracing::info!(checkpoint, "going on after cold_flusher_checkpoint");
    let mark = Watermark { watermark: checkpoint, keeps: false };
    let marks = flush.names.iter().map(|name| (PartitionId::first(&**name), mark)).collect();
    Ok(Offsets::new(Position(0), marks, ()))
}

/// What single tables are partitioned by.
fn partitions(tables: &Option<Vec<NamedTable>>) -> BTreeMap<String, Vec<String>> {
    let named = tables.iter().flatten();
    named.filter_map(|table| Some((table.name.clone(), table.partition_by.clone()?))).collect()
}

/// The hot tables, and the lake that they go to.
fn buffer(flush: &Flush) -> (Arc<Buffer>, Arc<LakeTarget>) {
    let config = &flush.config;
    let target = Arc::new(LakeTarget {
        lake: flush.lake.clone(),
        tables: Arc::new(Tables::default()),
        partition_by: config.lake.partition_by.clone(),
        partitions: partitions(&config.tables),
    });
    let settings = BufferSettings {
        sessions: flush.sessions.clone(),
        schema: config.schema.clone(),
        watermark: config.watermark.clone(),
        tables: flush.what.clone(),
        connections: config.connections,
        max_rows: config.max_rows,
        gate: flush.gate.clone(),
        vacuum_every: config.vacuum_every,
    };
    (Buffer::new(settings, target.clone(), flush.metrics.clone()), target)
}

/// The tables as those see them who only read.
pub(super) fn reading(flush: &Flush) -> LakeGroup {
    group(flush, Arc::default(), Arc::new(OwnTransactions::new(flush.lake.clone())))
}

fn group(flush: &Flush, tables: Arc<Tables>, transactions: Arc<dyn Transactions>) -> LakeGroup {
    LakeGroup::new(flush.lake.clone(), &flush.common.pipeline, "flush", tables, transactions)
}

/// What commits flushes: one transaction if the catalog is in the hot tables' database, or two.
async fn transactions(flush: &Flush, buffer: &Arc<Buffer>) -> Result<Arc<dyn Transactions>, Stop> {
    let session = flush.sessions.session().await?;
    let is_one_database = flush.lake.is_seen_by(&session).await?;
    flush.sessions.give_back(session);
    if is_one_database {
        return Ok(buffer.clone());
    }
    Ok(Arc::new(TwoSteps::new(buffer.clone(), flush.lake.clone())))
}
