//! `lakefront run`: opens the pipeline, claims its tables, and runs the dataflow to its end.

use std::sync::{Arc, Mutex};

use anyhow::Context;
use lakefront_operators::bridge::Bridge;
use lakefront_operators::checkpoint;
use lakefront_operators::clock::Stopwatch;
use lakefront_operators::error::Stop;
use lakefront_operators::fatal::{Fatal, StopRequest};
use lakefront_operators::memory::Budget;
use lakefront_operators::metrics::{Metrics, Retried};
use lakefront_operators::offsets::Offsets;
use lakefront_operators::plan::{self, Planning};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::claim::{Claimed, Intent, claim};
use lakefront_operators::protocol::document::Standing;
use lakefront_operators::protocol::planner::{Bounds, Planner};
use lakefront_operators::protocol::table::{Pending, Table};
use lakefront_operators::record::TableId;
use lakefront_operators::sink::delta::{self, DeltaTable};
use lakefront_operators::source::watch::{self, Watcher};
use lakefront_operators::space::{self, Guard, OnLow, Seen, Watched};
use lakefront_operators::state;
use lakefront_topologies::pg_logs::{Once, PgLogs, TABLES};

use crate::cli::{ModeArg, RunArgs};
use crate::config::{ColdStart, Config, ConfigError, LakeRoot, Mode, OnRewrite, Unterminated};
use crate::logging::{self, LogFormat};
use crate::pipeline::Pipeline;
use crate::progress::Progress;
use crate::report::{Report, print};
use crate::{lock, pipeline, runtime, shutdown};

/// Runs a pipeline, and says what it did.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<()> {
    let watch = Stopwatch::start();
    let metrics = land(args)?;
    let report = Report::new(&metrics, watch.elapsed());
    print(match args.json {
        true => format!("{}\n", report.json()),
        false => report.text(),
    })
}

/// Runs a pipeline to its end; the answer is what it counted.
pub(crate) fn land(args: &RunArgs) -> anyhow::Result<Arc<Metrics>> {
    let config = with_flags(pipeline::load(&args.file)?, args)?;
    let _lock = lock::take(&config.source.state_file, args.take_over)?;
    let tokio = runtime::tokio()?;
    let stop = StopRequest::default();
    shutdown::watch(tokio, stop.clone()).context("could not watch for signals")?;
    let pipeline = Pipeline::open(config, stop.clone())?;

    let (clock, workers) = (pipeline.clock.clone(), pipeline.config.workers);
    let metrics = Arc::new(Metrics::new(clock, &TABLES, workers, pipeline.source.retries()));
    let (tables, claimed) = tokio.block_on(take_tables(&pipeline, &metrics))?;
    let positions: Vec<Position> = claimed.iter().map(|c| c.standing.position()).collect();
    let start = positions.iter().min().copied().unwrap_or_default();
    let run = claimed.first().map(|c| c.committer.run()).unwrap_or_default();
    metrics.claimed(run, &positions);
    tracing::info!(%run, position = %start, workers = pipeline.config.workers, "claimed the tables");

    let (fatal, supervisor) = Fatal::new();
    let bridge = Bridge::new(tokio.handle().clone());
    let (guard, space) = Guard::new(guarded(&pipeline.config));
    tokio.spawn(guard.watch(pipeline.clock.clone(), fatal.clone()));
    let progress = shows_progress(&pipeline.config, args).then(|| Progress::start(tokio, metrics.clone())).flatten();
    let dataflow = dataflow(&pipeline, claimed, bridge, metrics.clone(), space, fatal, stop, progress.is_none());
    runtime::execute(pipeline.config.workers, dataflow, &supervisor)?;
    tokio.block_on(async {
        for table in &tables {
            table.at_rest().await;
        }
    });
    Ok(metrics)
}

fn with_flags(mut config: Config, args: &RunArgs) -> Result<Config, ConfigError> {
    config.source.mode = match args.mode {
        Some(ModeArg::Backfill) => Mode::Backfill,
        Some(ModeArg::Tail) => Mode::Tail,
        None => config.source.mode,
    };
    match args.workers {
        Some(workers) => config.with_workers(usize::from(workers)),
        None => Ok(config),
    }
}

/// Where the run writes, and what becomes of it when space is low. Only a tail pauses: who waits for a backfill's end is to be told.
fn guarded(config: &Config) -> space::Settings {
    let mut watched = vec![Watched { name: "state", path: config.state_folder() }];
    watched.push(match &config.lake.root {
        LakeRoot::File(root) => Watched { name: "lake", path: root.clone() },
        LakeRoot::Azure(_) => Watched { name: "scratch", path: std::env::temp_dir() },
    });
    let on_low = match config.source.mode {
        Mode::Tail => config.disk.on_low,
        Mode::Backfill => OnLow::Stop,
    };
    let (min_free, clean) = (config.disk.min_free, config.disk.clean.clone());
    space::Settings { watched, min_free, on_low, clean, kept: config.kept() }
}

/// A bar moves for somebody who watches a run that will end; anybody else reads a line a cut.
fn shows_progress(config: &Config, args: &RunArgs) -> bool {
    config.source.mode == Mode::Backfill && !args.json && logging::format() == LogFormat::Text
}

/// Opens the tables and claims them. The state file is read first, for positions only ever grow.
async fn take_tables(pipeline: &Pipeline, metrics: &Metrics) -> Result<(Vec<Arc<DeltaTable>>, Vec<Claimed>), Stop> {
    let config = &pipeline.config;
    let known = state::read(&config.source.state_file)?;
    if let Some(other) = known.as_ref().filter(|state| state.run.pipeline != config.pipeline) {
        return Err(Stop::Refused(format!(
            "state file {} belongs to pipeline {:?}: give this pipeline one of its own in source.state_file",
            config.source.state_file.display(),
            other.run.pipeline
        )));
    }
    if let Some(known) = known.as_ref().filter(|state| state.position > Position(0)) {
        refuse_vanished(pipeline, known.position).await?;
    }
    let opened = delta::open(&pipeline.tables, &config.pipeline, pipeline.clock.clone()).await?;
    let tables: Vec<Arc<dyn Table>> = opened.iter().map(|table| table.clone() as Arc<dyn Table>).collect();
    let (source, cold_start) = (pipeline.source.clone(), config.source.cold_start);
    let cold_start = move || -> Pending<'_, Result<Offsets, Stop>> {
        let source = source.clone();
        match cold_start {
            ColdStart::Earliest => Box::pin(async { Ok(Offsets::default()) }),
            ColdStart::Latest => Box::pin(watch::latest(source)),
        }
    };
    let intent = Intent {
        pipeline: &config.pipeline,
        source: pipeline.source.identity(),
        roles: &TABLES,
        settings: Arc::new(config.rows.clone()),
        known: known.map(|state| state.position),
        cold_start: &cold_start,
    };
    let clock = metrics.retries().counted(Retried::Commit, pipeline.clock.clone());
    let claimed = claim(&tables, clock, &intent).await?;
    Ok((opened, claimed))
}

/// Tables that all vanished would begin anew, and with `cold_start = "latest"` skip what was never landed.
async fn refuse_vanished(pipeline: &Pipeline, known: Position) -> Result<(), Stop> {
    for spec in &pipeline.tables {
        let snapshot = delta::read(&spec.place, &pipeline.config.pipeline).await?;
        if snapshot.is_some_and(|snapshot| snapshot.state.held.is_some()) {
            return Ok(());
        }
    }
    Err(Stop::Refused(format!(
        "the state file says position {known}, but none of the pipeline's tables holds one ({} and so on): restore them or \
         set lake back, or delete the state file to begin anew",
        pipeline.tables[0].place
    )))
}

/// Everything the workers share.
fn dataflow(
    pipeline: &Pipeline,
    claimed: Vec<Claimed>,
    bridge: Bridge,
    metrics: Arc<Metrics>,
    space: Arc<Seen>,
    fatal: Fatal,
    stop: StopRequest,
    announce: bool,
) -> PgLogs {
    let config = &pipeline.config;
    let standings: Vec<Standing> = claimed.iter().map(|c| c.standing.clone()).collect();
    let run = state::Run {
        pipeline: config.pipeline.clone(),
        source: pipeline.source.identity().to_owned(),
        run: claimed.first().map(|c| c.committer.run()).unwrap_or_default(),
        tables: config.rows.tables.clone(),
    };
    let held = std::array::from_fn(|i| standings[i].position());
    let on_clock = |(i, claimed): (usize, Claimed)| claimed.committer.pausing_on(metrics.commit_clock(TableId(i)));
    let mut committers = claimed.into_iter().enumerate().map(on_clock);
    let committers = std::array::from_fn(|_| committers.next());
    let needs = config.needs();
    let budget = Budget::new(config.memory.unwrap_or(needs.usual()), needs);
    let planning = planning(pipeline, &standings, budget.clone(), space, stop);
    let checkpoint = checkpoint::Settings { path: config.source.state_file.clone(), run, standings, announce };
    PgLogs {
        tables: pipeline.tables.clone(),
        held,
        source: pipeline.source.clone(),
        reject_ratio: config.reject_ratio,
        clock: pipeline.clock.clone(),
        budget,
        bridge,
        metrics,
        fatal,
        once: Mutex::new(Once { planning: Some(planning), checkpoint: Some(checkpoint), committers }),
    }
}

fn planning(
    pipeline: &Pipeline,
    standings: &[Standing],
    budget: Arc<Budget>,
    space: Arc<Seen>,
    stop: StopRequest,
) -> Planning {
    let config = &pipeline.config;
    let bounds = Bounds {
        chunk: config.source.chunk,
        cut_bytes: config.commit_bytes,
        cut_ms: u64::try_from(config.commit_interval.as_millis()).unwrap_or(u64::MAX),
        ahead: config.ahead,
    };
    let furthest = standings.iter().max_by_key(|s| s.position()).map(|s| s.offsets.clone()).unwrap_or_default();
    let on_rewrite = match config.source.on_rewrite {
        OnRewrite::Stop => watch::OnRewrite::Stop,
        OnRewrite::Restart => watch::OnRewrite::Restart,
    };
    let unterminated = match (config.source.mode, config.source.unterminated) {
        (Mode::Backfill, Unterminated::Land) => watch::Unterminated::Land { max_line: config.rows.max_line },
        // A tail waits for the newline: the line may be half written.
        (Mode::Tail, _) | (_, Unterminated::Leave) => watch::Unterminated::Leave,
    };
    let rules = watch::Rules { on_rewrite, unterminated, settle: config.source.listing.settle };
    let mode = match config.source.mode {
        Mode::Backfill => plan::Mode::Backfill,
        Mode::Tail => plan::Mode::Tail { poll: config.source.poll },
    };
    Planning {
        planner: Planner::new(standings, Arc::new(config.rows.clone()), bounds),
        watcher: Watcher::new(pipeline.source.clone(), &furthest, rules),
        mode,
        in_flight: config.source.in_flight,
        clock: pipeline.clock.clone(),
        budget,
        space,
        stop,
    }
}
