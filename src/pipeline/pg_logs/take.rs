//! How a run takes its tables: it reads the state file, opens the tables and claims them. What a
//! run refuses before it writes anything is checked here for `doctor` and `validate` too.

use std::sync::Arc;

use lakefront_operators::error::Stop;
use lakefront_operators::format::logs::lines::{Claimed, Intent, Offsets};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::claim::claim;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::document::Process;
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::names::Held;
use lakefront_operators::protocol::preflight::preflight;
use lakefront_operators::run::fatal::StopRequest;
use lakefront_operators::run::metrics::{Metrics, Retried};
use lakefront_operators::sink::delta::{self, DeltaTable, Opening};
use lakefront_operators::source::files::reading::{File, Files};
use lakefront_operators::source::files::{linkable, watch};
use lakefront_topologies::pg_logs;

use super::Logs;
use crate::config::{ColdStart, Mode};
use crate::pipeline::state_of;

/// Looks at the source before the tables are touched, so that a source that cannot be listed, or a
/// backfill of nothing, leaves no trace in them. If the pipeline has landed before, the run goes on
/// regardless, because its tables may have to be brought level.
pub(super) async fn is_worth_a_claim(pipeline: &Logs, stop: &StopRequest) -> Result<bool, Stop> {
    let cold_start = pipeline.config.source.cold_start;
    match pipeline.source.is_empty().await {
        Ok(false) => return Ok(true),
        Ok(true) => {}
        // A run that was asked to stop has begun nothing that it must finish. With
        // `ColdStart::Latest` the error counts, because the start depends on what is there.
        Err(_) if stop.is_requested() && cold_start == ColdStart::Earliest => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    let source = pipeline.source.identity();
    tracing::warn!(
        "nothing is there to read: no file or blob matches {source}; check that source.url names the right place"
    );
    if pipeline.config.source.mode == Mode::Tail {
        return Ok(true);
    }
    for spec in &pipeline.tables {
        let there = delta::read(&spec.place, &pipeline.common.pipeline).await?;
        if there.is_some_and(|snapshot| snapshot.state.held.is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The opened tables, and their claims.
pub(super) type Taken = (Vec<Arc<DeltaTable>>, Vec<Claimed>);

/// Opens the tables and claims them.
pub(super) async fn tables(pipeline: &Logs, adopt: bool, metrics: &Metrics, process: Process) -> Result<Taken, Stop> {
    let clock = metrics.retries().counted(Retried::Commit, pipeline.clock.clone());
    take(pipeline, adopt, clock, Some(process)).await
}

/// Refuses what a run would refuse, with the same errors, and writes nothing.
pub(super) async fn judge(pipeline: &Logs) -> Result<(), Stop> {
    take(pipeline, false, pipeline.clock.clone(), None).await.map(drop)
}

/// Takes the tables for `process`. Without a process it stops before the first write, and takes
/// none. The state file is read before the tables, because positions only grow.
async fn take(pipeline: &Logs, adopt: bool, clock: Arc<dyn Clock>, process: Option<Process>) -> Result<Taken, Stop> {
    let claims = process.is_some();
    let config = &pipeline.config;
    let known = state_of(&pipeline.common)?;
    let at = known.as_ref().map(|state| state.position).unwrap_or_default();
    let opening = Opening::look(&pipeline.tables, &pipeline.common.pipeline, pipeline.clock.clone()).await?;
    refuse_vanished(pipeline, at, &opening.held())?;
    let (source, cold_start) = (pipeline.source.clone(), config.source.cold_start);
    let cold_start = move || -> Pending<'_, Result<Offsets, Stop>> {
        let source = source.clone();
        match cold_start {
            ColdStart::Earliest => Box::pin(async { Ok(Offsets::default()) }),
            ColdStart::Latest => Box::pin(watch::latest(source)),
        }
    };
    let files =
        || -> Pending<'_, Result<Vec<File>, Stop>> { Box::pin(async { Ok(linkable(&*pipeline.source).await?) }) };
    let reading = Files::new(pipeline.source.identity(), &pipeline.source.root(), &files);
    let intent = Intent {
        pipeline: &pipeline.common.pipeline,
        reading: &reading,
        adopt,
        layout: &pg_logs::outline().layout,
        settings: Arc::new(config.rows.clone()),
        known: known.map(|state| state.position),
        process,
        cold_start: &cold_start,
    };
    // A refusal here comes before anything is written.
    opening.refuse_missing()?;
    preflight(&opening.there(), &*clock, &intent).await?;
    if !claims {
        return Ok((Vec::new(), Vec::new()));
    }
    let opened = opening.make().await?;
    let tables: Vec<Arc<dyn Group>> = opened.iter().map(|table| table.clone() as Arc<dyn Group>).collect();
    let claimed = claim(&tables, clock, &intent).await?;
    Ok((opened, claimed))
}

/// Refuses to run if all tables vanished: they would begin anew, and with `cold_start = "latest"`
/// skip what has not landed.
fn refuse_vanished(pipeline: &Logs, known: Position, held: &[Option<Held>]) -> Result<(), Stop> {
    if known == Position(0) || held.iter().any(Option::is_some) {
        return Ok(());
    }
    Err(Stop::Refused(format!(
        "the state file says position {known}, but none of the pipeline's tables holds one ({} and so on): restore them, \
         set [lake] back to the old place, or delete the state file to start over",
        pipeline.tables[0].place
    )))
}
