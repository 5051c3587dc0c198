//! `lakefront run`: opens the pipeline, claims its tables, and runs the dataflow to its end.

pub(crate) mod last_stop;
pub(crate) mod take;
pub(crate) mod wire;

use std::sync::Arc;

use anyhow::Context;
use lakefront_operators::clock::Stopwatch;
use lakefront_operators::fatal::{Fatal, StopRequest};
use lakefront_operators::lines::Claimed;
use lakefront_operators::metrics::Metrics;
use lakefront_operators::position::Position;
use lakefront_operators::protocol;
use lakefront_operators::route::Rejects;
use lakefront_operators::space::Guard;
use lakefront_topologies::pg_logs;

use self::wire::Process;
use crate::cli::{ModeArg, RunArgs};
use crate::config::{Config, ConfigError, HttpConfig, Mode};
use crate::exit::Exit;
use crate::http::{self, Live, Watched};
use crate::logging::{self, LogFormat};
use crate::pipeline::Pipeline;
use crate::progress::Progress;
use crate::report::{Report, print, print_json};
use crate::{lock, pipeline, process, report, runtime, shutdown};

/// Runs a pipeline, and reports what it did.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<()> {
    let watch = Stopwatch::start();
    let Landed { metrics, rejects, source } = land(args)?;
    let report = Report::new(&metrics, watch.elapsed());
    match args.json {
        true => print_json(&report.json()),
        false => print(report.text()),
    }?;
    if let Some(nothing) = report::nothing(&metrics, &rejects.counted(), &source) {
        logging::say(&nothing);
    }
    Ok(())
}

/// The result of a run that ended well.
pub(crate) struct Landed {
    /// Its counters.
    pub(crate) metrics: Arc<Metrics>,
    /// Its rejects.
    rejects: Arc<Rejects>,
    /// Its source.
    source: String,
}

/// Runs a pipeline to its end.
pub(crate) fn land(args: &RunArgs) -> anyhow::Result<Landed> {
    let config = with_flags(pipeline::load(&args.file)?, args)?;
    let (name, state_file) = (config.pipeline.clone(), config.source.state_file.clone());
    let landed = open_and_land(args, config);
    match &landed {
        Err(error) if Exit::of(error) == Exit::Fatal => last_stop::write(&state_file, &name, error),
        _ => {}
    }
    landed
}

fn open_and_land(args: &RunArgs, config: Config) -> anyhow::Result<Landed> {
    let tokio = runtime::tokio()?;
    let stop = StopRequest::default();
    // Opened before the lock is taken, because the lock must not be made inside the source.
    let pipeline = Pipeline::open(config, stop.clone())?;
    let _lock = lock::take(&pipeline.config.source.state_file, &pipeline.config.pipeline, args.take_over)?;
    shutdown::watch(tokio, stop.clone()).context("could not watch for signals")?;

    let (clock, workers) = (pipeline.clock.clone(), pipeline.config.workers);
    let metrics = Arc::new(Metrics::new(clock, pg_logs::outline(), workers, pipeline.source.retries()));
    let (fatal, supervisor) = Fatal::new();
    let process = process::this(pipeline.clock.now_ms());
    if let Some(http) = pipeline.config.http {
        let listener = tokio.block_on(http::listen(http, args.take_over))?;
        let live = Live::new(watched(&pipeline, http, process.clone()), metrics.clone(), stop.clone(), fatal.clone());
        tokio.spawn(http::serve(http, listener, Arc::new(live)));
    }
    let (mut guard, space) = Guard::new(wire::guarded(&pipeline.config, &args.file));
    guard.look_first(&*pipeline.clock)?;
    let rejects = Arc::new(Rejects::new(pipeline.config.reject_ratio, stop.clone()));
    let source = pipeline.source.identity().to_owned();
    if !tokio.block_on(take::is_worth_a_claim(&pipeline, &stop))? {
        return Ok(Landed { metrics, rejects, source });
    }
    let (tables, claimed) = tokio.block_on(take::tables(&pipeline, args.adopt, &metrics, process))?;
    let positions: Vec<Position> = claimed.iter().map(|c| c.standing.position()).collect();
    let start = positions.iter().min().copied().unwrap_or_default();
    let run = claimed.first().map(|c| c.committer.run()).unwrap_or_default();
    metrics.claimed(run, &positions);
    tracing::info!(%run, position = %start, workers = pipeline.config.workers, "claimed the tables");
    last_stop::forget(&pipeline.config.source.state_file);
    warn_of_other_roles(&pipeline.config, &claimed);

    let progress = shows_progress(&pipeline.config, args).then(|| Progress::start(tokio, metrics.clone())).flatten();
    let announce = progress.is_none();
    let process =
        Process { tokio, metrics: metrics.clone(), fatal, stop, guard, space, rejects: rejects.clone(), announce };
    let dataflow = wire::dataflow(&pipeline, claimed, process);
    runtime::execute(pipeline.config.workers, dataflow, &supervisor)?;
    tokio.block_on(async {
        for table in &tables {
            table.at_rest().await;
        }
    });
    rejects.verdict()?;
    Ok(Landed { metrics, rejects, source })
}

/// Warns of a changed `[roles]`: a user may expect that landed rows move, or that nothing changes.
fn warn_of_other_roles(config: &Config, claimed: &[Claimed]) {
    let landed = claimed.iter().map(|claimed| &claimed.standing).max_by_key(|standing| standing.position());
    if let Some(standing) = landed.filter(|standing| standing.settings.roles != config.rows.roles) {
        tracing::warn!(
            position = %standing.position(),
            "[roles] has changed since lines last landed: it applies from here on, and rows that have landed stay in their tables"
        );
    }
}

fn with_flags(config: Config, args: &RunArgs) -> Result<Config, ConfigError> {
    let mode = match args.mode {
        Some(ModeArg::Backfill) => Mode::Backfill,
        Some(ModeArg::Tail) => Mode::Tail,
        None => config.source.mode,
    };
    let config = config.with_mode(mode)?;
    match args.workers {
        Some(workers) => config.with_workers(usize::from(workers)),
        None => Ok(config),
    }
}

/// The fixed facts about the run, for its HTTP endpoints.
fn watched(pipeline: &Pipeline, http: HttpConfig, process: protocol::document::Process) -> Watched {
    let config = &pipeline.config;
    Watched {
        pipeline: config.pipeline.clone(),
        source: pipeline.source.identity().to_owned(),
        mode: match config.source.mode {
            Mode::Backfill => "backfill",
            Mode::Tail => "tail",
        },
        tables: config.rows.tables.clone(),
        workers: config.workers,
        process,
        stall: http.stall,
        cut: config.commit_interval,
    }
}

/// Whether to show a progress bar: for a backfill whose output is text. Other runs log a line per
/// cut.
fn shows_progress(config: &Config, args: &RunArgs) -> bool {
    config.source.mode == Mode::Backfill && !args.json && logging::format() == LogFormat::Text
}
