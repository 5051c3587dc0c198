//! What the workers of a run share: the pipeline's settings become a planner, guards, committers
//! and a checkpoint.

use std::path::Path;
use std::sync::{Arc, Mutex};

use lakefront_operators::acknowledge::{Acknowledging, KeepsAll};
use lakefront_operators::bridge::Bridge;
use lakefront_operators::checkpoint;
use lakefront_operators::env::Env;
use lakefront_operators::fatal::{Fatal, StopRequest};
use lakefront_operators::lines::{Claimed, Lines, Standing};
use lakefront_operators::memory::Budget;
use lakefront_operators::metrics::Metrics;
use lakefront_operators::plan;
use lakefront_operators::protocol::cutter::Bounds;
use lakefront_operators::route::Rejects;
use lakefront_operators::source::feed::{FileFeed, Planning};
use lakefront_operators::source::supply::Planner;
use lakefront_operators::source::watch::{self, Watcher};
use lakefront_operators::space::{self, Guard, OnLow, Seen};
use lakefront_operators::state;
use lakefront_topologies::Topology;
use lakefront_topologies::landing::Landing;
use lakefront_topologies::pg_logs::{self, PgLogs};
use tokio::runtime::Runtime;

use crate::config::{Config, LakeRoot, Mode, OnRewrite, Unterminated};
use crate::pipeline::Pipeline;

/// The process that a dataflow runs in.
pub(super) struct Process {
    /// Reads, uploads and commits.
    pub(super) tokio: &'static Runtime,
    /// Counts what is done.
    pub(super) metrics: Arc<Metrics>,
    /// Takes the first fatal error.
    pub(super) fatal: Fatal,
    /// The request to stop.
    pub(super) stop: StopRequest,
    /// Watches free disk space.
    pub(super) guard: Guard,
    /// What the guard saw.
    pub(super) space: Arc<Seen>,
    /// Counts what is rejected.
    pub(super) rejects: Arc<Rejects>,
    /// Whether each cut is logged.
    pub(super) announce: bool,
}

/// Everything the workers share.
pub(super) fn dataflow(pipeline: &Pipeline, claimed: Vec<Claimed>, process: Process) -> Topology {
    let Process { tokio, metrics, fatal, stop, guard, space, rejects, announce } = process;
    let config = &pipeline.config;
    tokio.spawn(guard.watch(pipeline.clock.clone(), fatal.clone()));
    let standings: Vec<Standing> = claimed.iter().map(|c| c.standing.clone()).collect();
    let run = state::Run {
        pipeline: config.pipeline.clone(),
        source: pipeline.source.identity().to_owned(),
        run: claimed.first().map(|c| c.committer.run()).unwrap_or_default(),
        tables: config.rows.tables.clone(),
    };
    let needs = config.needs();
    let budget = Budget::new(config.memory.unwrap_or(needs.usual()), needs);
    metrics.guarded_by(space.clone(), budget.clone());
    let planning = planning(pipeline, &standings, metrics.clone(), space, stop);
    let acknowledging = acknowledging(&standings);
    let checkpoint = checkpoint::Settings { path: config.source.state_file.clone(), run, standings, announce };
    Topology::PgLogs(PgLogs {
        tables: pipeline.tables.clone(),
        source: pipeline.source.clone(),
        rejects,
        planning: Mutex::new(Some(planning)),
        landing: Landing::new(pg_logs::outline().layout, claimed, checkpoint, acknowledging, &metrics),
        env: Env { clock: pipeline.clock.clone(), budget, bridge: Bridge::new(tokio.handle().clone()), metrics, fatal },
    })
}

/// What the run acknowledges first. Files and blobs stay where they are.
fn acknowledging(standings: &[Standing]) -> Option<Acknowledging<Lines>> {
    let durable = standings.iter().min_by_key(|standing| standing.position())?.clone();
    Some(Acknowledging { source: Arc::new(KeepsAll), durable })
}

fn planning(
    pipeline: &Pipeline,
    standings: &[Standing],
    metrics: Arc<Metrics>,
    space: Arc<Seen>,
    stop: StopRequest,
) -> Planning {
    let config = &pipeline.config;
    let bounds = Bounds {
        work: config.source.chunk,
        cut: config.commit_bytes,
        cut_ms: u64::try_from(config.commit_interval.as_millis()).unwrap_or(u64::MAX),
        ahead: config.ahead,
    };
    let furthest = standings.iter().max_by_key(|s| s.position()).map(|s| s.offsets.clone()).unwrap_or_default();
    let mode = match config.source.mode {
        Mode::Backfill => plan::Mode::Backfill,
        Mode::Tail => plan::Mode::Tail { poll: config.source.poll },
    };
    Planning {
        cutter: Planner::new(standings, Arc::new(config.rows.clone()), bounds),
        watch: Watcher::new(pipeline.source.clone(), &furthest, rules(config)),
        feed: FileFeed::new(metrics, config.source.mode == Mode::Tail),
        mode,
        in_flight: config.source.in_flight,
        space,
        stop,
    }
}

/// How the files of the source are followed.
pub(crate) fn rules(config: &Config) -> watch::Rules {
    let on_rewrite = match config.source.on_rewrite {
        OnRewrite::Stop => watch::OnRewrite::Stop,
        OnRewrite::Restart => watch::OnRewrite::Restart,
    };
    let unterminated = match (config.source.mode, config.source.unterminated) {
        (Mode::Backfill, Unterminated::Land) => watch::Unterminated::Land { max_line: config.rows.max_line },
        // A tail waits for the newline: the line may be half written.
        (Mode::Tail, _) | (_, Unterminated::Leave) => watch::Unterminated::Leave,
    };
    watch::Rules { on_rewrite, unterminated, settle: config.source.listing.settle }
}

/// Where the run writes, and what it does when space is low. Only a tail pauses. A backfill stops,
/// because somebody waits for its end and must know.
pub(super) fn guarded(config: &Config, file: &Path) -> space::Settings {
    let mut watched = vec![space::Watched { name: "state", path: config.state_folder() }];
    watched.push(match &config.lake.root {
        LakeRoot::File(root) => space::Watched { name: "lake", path: root.clone() },
        LakeRoot::Azure(_) | LakeRoot::S3(_) => space::Watched { name: "scratch", path: std::env::temp_dir() },
    });
    let on_low = match config.source.mode {
        Mode::Tail => config.disk.on_low,
        Mode::Backfill => OnLow::Stop,
    };
    let (min_free, clean) = (config.disk.min_free, config.disk.clean.clone());
    let kept = [config.kept(), vec![file.to_owned()]].concat();
    space::Settings { watched, min_free, on_low, clean, kept }
}
