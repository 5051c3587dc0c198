//! `lakefront run`: opens the pipeline, claims its tables, and runs the dataflow to its end.

mod take;
mod wire;

use std::sync::Arc;

use anyhow::Context;
use lakefront_operators::clock::Stopwatch;
use lakefront_operators::fatal::{Fatal, StopRequest};
use lakefront_operators::metrics::Metrics;
use lakefront_operators::position::Position;
use lakefront_operators::protocol;
use lakefront_operators::space::Guard;
use lakefront_topologies::pg_logs::TABLES;

use self::wire::Process;
use crate::cli::{ModeArg, RunArgs};
use crate::config::{Config, ConfigError, HttpConfig, Mode};
use crate::http::{self, Live, Watched};
use crate::logging::{self, LogFormat};
use crate::pipeline::Pipeline;
use crate::progress::Progress;
use crate::report::{Report, print};
use crate::{lock, pipeline, process, runtime, shutdown};

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
    let (fatal, supervisor) = Fatal::new();
    let process = process::this(pipeline.clock.now_ms());
    if let Some(http) = pipeline.config.http {
        let listener = tokio.block_on(http::listen(http, args.take_over))?;
        let live = Live::new(watched(&pipeline, http, process.clone()), metrics.clone(), stop.clone(), fatal.clone());
        tokio.spawn(http::serve(http, listener, Arc::new(live)));
    }
    let (mut guard, space) = Guard::new(wire::guarded(&pipeline.config, &args.file));
    guard.look_first(&*pipeline.clock)?;
    if !tokio.block_on(take::is_worth_a_claim(&pipeline))? {
        return Ok(metrics);
    }
    let (tables, claimed) = tokio.block_on(take::tables(&pipeline, args.adopt, &metrics, process))?;
    let positions: Vec<Position> = claimed.iter().map(|c| c.standing.position()).collect();
    let start = positions.iter().min().copied().unwrap_or_default();
    let run = claimed.first().map(|c| c.committer.run()).unwrap_or_default();
    metrics.claimed(run, &positions);
    tracing::info!(%run, position = %start, workers = pipeline.config.workers, "claimed the tables");

    let progress = shows_progress(&pipeline.config, args).then(|| Progress::start(tokio, metrics.clone())).flatten();
    let process = Process { tokio, metrics: metrics.clone(), fatal, stop, guard, space, announce: progress.is_none() };
    let dataflow = wire::dataflow(&pipeline, claimed, process);
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

/// What the run's page says of it.
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

/// A bar moves for somebody who watches a run that will end; anybody else reads a line a cut.
fn shows_progress(config: &Config, args: &RunArgs) -> bool {
    config.source.mode == Mode::Backfill && !args.json && logging::format() == LogFormat::Text
}
