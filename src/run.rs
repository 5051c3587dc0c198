//! `lakefront run`: opens the pipeline, claims its tables, and runs the dataflow to its end.

pub(crate) mod last_stop;

use std::sync::Arc;

use anyhow::Context;
use lakefront_operators::error::Stop;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::document::Process;
use lakefront_operators::run::bridge::Bridge;
use lakefront_operators::run::clock::{Stopwatch, SystemClock};
use lakefront_operators::run::fatal::{Fatal, StopRequest};
use lakefront_operators::run::metrics::{Metrics, Unit};
use lakefront_operators::run::space::Guard;

use crate::cli::{ModeArg, RunArgs};
use crate::config::{Config, ConfigError, HttpConfig, Mode};
use crate::exit::{Exit, Usage};
use crate::http::{self, Live, RunFacts};
use crate::logging::{self, LogFormat};
use crate::pipeline::{Opened, Run};
use crate::progress::Progress;
use crate::report::{Report, print, print_json};
use crate::{anew, lock, pipeline, process, runtime, shutdown};

/// Runs a pipeline, and reports what it did.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<()> {
    let watch = Stopwatch::start();
    let Landed { metrics, nothing } = land(args)?;
    let report = Report::new(&metrics, watch.elapsed());
    match args.json {
        true => print_json(&report.json()),
        false => print(report.text()),
    }?;
    nothing.iter().for_each(|nothing| logging::say(nothing));
    Ok(())
}

/// The result of a run that ended well.
pub(crate) struct Landed {
    /// Its counters.
    pub(crate) metrics: Arc<Metrics>,
    /// Why nothing has become a row; `None` if something has.
    nothing: Option<String>,
}

/// Runs a pipeline to its end.
pub(crate) fn land(args: &RunArgs) -> anyhow::Result<Landed> {
    let mut config = with_flags(pipeline::load(&args.file)?, args)?;
    if args.accept_loss {
        config = config.accepting_loss().ok_or_else(|| {
            Usage("--accept-loss is for pipelines that read topics, with topology = \"pg_changes\"".to_owned())
        })?;
    }
    let (name, state_file) = (config.common.pipeline.clone(), config.common.state_file.clone());
    let landed = open_and_land(args, config);
    match &landed {
        Err(error) if Exit::of(error) == Exit::Fatal && !anew::is_wanted(error) => {
            last_stop::write(&state_file, &name, error)
        }
        _ => {}
    }
    landed
}

fn open_and_land(args: &RunArgs, config: Config) -> anyhow::Result<Landed> {
    let tokio = runtime::tokio()?;
    let stop = StopRequest::default();
    // Opened before the lock is taken, because the lock must not be made inside the source.
    let pipeline = pipeline::described(config).open(stop.clone())?;
    let common = pipeline.common();
    let _lock = lock::take(&common.state_file, &common.pipeline, args.take_over)?;
    shutdown::watch(tokio, stop.clone()).context("could not watch for signals")?;

    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let metrics = Metrics::new(clock.clone(), pipeline.outline(), common.workers, pipeline.retries());
    let metrics = Arc::new(metrics.with_flushes(pipeline.flushes()));
    let (fatal, supervisor) = Fatal::new();
    let process = process::this(clock.now_ms());
    if let Some(http) = common.http {
        let listener = tokio.block_on(http::listen(http, args.take_over))?;
        let watched = watched(&*pipeline, http, process.clone());
        let live = Live::new(watched, metrics.clone(), stop.clone(), fatal.clone());
        tokio.spawn(http::serve(http, listener, Arc::new(live)));
    }
    let (mut guard, space) = Guard::new(pipeline.guarded(&args.file));
    guard.look_first(&*clock)?;
    if !tokio.block_on(pipeline.is_worth_a_claim(&stop))? {
        let nothing = pipeline.nothing(&metrics);
        return Ok(Landed { metrics, nothing });
    }
    let claimed = tokio.block_on(pipeline.claim(args.adopt, &metrics, process))?;
    let (run, positions) = (claimed.run(), claimed.positions());
    let start = positions.iter().min().copied().unwrap_or_default();
    metrics.claimed(run, &positions);
    tracing::info!(%run, position = %start, workers = common.workers, "claimed the tables");
    last_stop::forget(&common.state_file);

    let progress = shows_progress(&*pipeline, args).then(|| Progress::start(tokio, metrics.clone())).flatten();
    let announce = progress.is_none();
    tokio.spawn(guard.watch(clock, fatal.clone()));
    let (bridge, told_to_stop) = (Bridge::new(tokio.handle().clone()), stop.clone());
    let (topology, ended) = claimed.dataflow(Run { bridge, metrics: metrics.clone(), fatal, stop, space, announce });
    runtime::execute(common.workers, topology, &supervisor).map_err(|error| match error.downcast_ref::<Stop>() {
        // Whoever has asked it to end wants no other run.
        Some(Stop::Anew(met)) if told_to_stop.is_requested() => {
            Stop::Abandoned(format!("{met}: the next run lands it")).into()
        }
        _ => error,
    })?;
    tokio.block_on(ended.at_rest());
    ended.verdict()?;
    let nothing = ended.nothing(&metrics);
    Ok(Landed { metrics, nothing })
}

fn with_flags(config: Config, args: &RunArgs) -> Result<Config, ConfigError> {
    let config = match args.mode {
        _ if args.once => config.with_mode(Mode::Backfill)?,
        Some(ModeArg::Backfill) => config.with_mode(Mode::Backfill)?,
        Some(ModeArg::Tail) => config.with_mode(Mode::Tail)?,
        None => config,
    };
    match args.workers {
        Some(workers) => config.with_workers(usize::from(workers)),
        None => Ok(config),
    }
}

/// The fixed facts about the run, for its HTTP endpoints.
fn watched(pipeline: &dyn Opened, http: HttpConfig, process: Process) -> RunFacts {
    let common = pipeline.common();
    RunFacts {
        pipeline: common.pipeline.clone(),
        source: pipeline.source().to_owned(),
        mode: match pipeline.mode() {
            Mode::Backfill => "backfill",
            Mode::Tail => "tail",
        },
        tables: pipeline.tables().to_vec(),
        workers: common.workers,
        process,
        stall: http.stall,
        cut: pipeline.cut(),
    }
}

/// Whether to show a progress bar: for a backfill of bytes whose output is text. Other runs log a
/// line per cut.
fn shows_progress(pipeline: &dyn Opened, args: &RunArgs) -> bool {
    let is_bytes = pipeline.outline().unit == Unit::BYTES;
    is_bytes && pipeline.mode() == Mode::Backfill && !args.json && logging::format() == LogFormat::Text
}
