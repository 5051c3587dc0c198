//! How a run takes its tables: it reads the state file, opens the tables and claims them.

use std::sync::Arc;

use lakefront_operators::error::Stop;
use lakefront_operators::metrics::{Metrics, Retried};
use lakefront_operators::offsets::Offsets;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::claim::{Claimed, Intent, claim};
use lakefront_operators::protocol::document::Process;
use lakefront_operators::protocol::neighbours::File;
use lakefront_operators::protocol::preflight::preflight;
use lakefront_operators::protocol::table::{Held, Pending, Table};
use lakefront_operators::sink::delta::{self, DeltaTable, Opening};
use lakefront_operators::source::{linkable, watch};
use lakefront_operators::state;
use lakefront_topologies::pg_logs::TABLES;

use crate::config::{ColdStart, Mode};
use crate::pipeline::Pipeline;

/// Looks at the source before the tables are touched: a source that cannot be listed, or a backfill of nothing, leaves no trace
/// in them. A run that has landed before goes on all the same: its tables may have to be brought level.
pub(super) async fn is_worth_a_claim(pipeline: &Pipeline) -> Result<bool, Stop> {
    if !pipeline.source.is_empty().await? {
        return Ok(true);
    }
    let source = pipeline.source.identity();
    tracing::warn!(
        "nothing is there to read: no file or blob matches {source}; see that source.url names the right place"
    );
    if pipeline.config.source.mode == Mode::Tail {
        return Ok(true);
    }
    for spec in &pipeline.tables {
        let there = delta::read(&spec.place, &pipeline.config.pipeline).await?;
        if there.is_some_and(|snapshot| snapshot.state.held.is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Opens the tables and claims them. The state file is read first, for positions only ever grow.
pub(super) async fn tables(
    pipeline: &Pipeline,
    adopt: bool,
    metrics: &Metrics,
    process: Process,
) -> Result<(Vec<Arc<DeltaTable>>, Vec<Claimed>), Stop> {
    let config = &pipeline.config;
    let known = state::read(&config.source.state_file)?;
    if let Some(other) = known.as_ref().filter(|state| state.run.pipeline != config.pipeline) {
        return Err(Stop::Refused(format!(
            "state file {} belongs to pipeline {:?}: give this pipeline one of its own in source.state_file",
            config.source.state_file.display(),
            other.run.pipeline
        )));
    }
    let at = known.as_ref().map(|state| state.position).unwrap_or_default();
    let opening = Opening::look(&pipeline.tables, &config.pipeline, pipeline.clock.clone()).await?;
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
    let root = pipeline.source.root();
    let intent = Intent {
        pipeline: &config.pipeline,
        source: pipeline.source.identity(),
        root: &root,
        files: &files,
        adopt,
        roles: &TABLES,
        settings: Arc::new(config.rows.clone()),
        known: known.map(|state| state.position),
        process: Some(process),
        cold_start: &cold_start,
    };
    let clock = metrics.retries().counted(Retried::Commit, pipeline.clock.clone());
    // Whoever is refused has written nothing.
    preflight(&opening.there(), &*clock, &intent).await?;
    let opened = opening.make().await?;
    let tables: Vec<Arc<dyn Table>> = opened.iter().map(|table| table.clone() as Arc<dyn Table>).collect();
    let claimed = claim(&tables, clock, &intent).await?;
    Ok((opened, claimed))
}

/// Tables that all vanished would begin anew, and with `cold_start = "latest"` skip what was never landed.
fn refuse_vanished(pipeline: &Pipeline, known: Position, held: &[Option<Held>]) -> Result<(), Stop> {
    if known == Position(0) || held.iter().any(Option::is_some) {
        return Ok(());
    }
    Err(Stop::Refused(format!(
        "the state file says position {known}, but none of the pipeline's tables holds one ({} and so on): restore them or \
         set lake back, or delete the state file to begin anew",
        pipeline.tables[0].place
    )))
}
