//! How a claimed `pg_logs` pipeline becomes a dataflow: its settings become a planner, a checkpoint
//! and what else its workers share.

use std::sync::{Arc, Mutex};

use lakefront_operators::acknowledge::KeepsAll;
use lakefront_operators::checkpoint;
use lakefront_operators::error::Stop;
use lakefront_operators::format::logs::lines::{Claimed, Standing};
use lakefront_operators::plan;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::cutter::Bounds;
use lakefront_operators::protocol::names::RunId;
use lakefront_operators::route::Rejects;
use lakefront_operators::run::env::Env;
use lakefront_operators::run::fatal::StopRequest;
use lakefront_operators::run::memory::Budget;
use lakefront_operators::run::metrics::Metrics;
use lakefront_operators::run::space::FreeSpace;
use lakefront_operators::run::state;
use lakefront_operators::sink::delta::DeltaTable;
use lakefront_operators::source::files::ByteSource;
use lakefront_operators::source::files::feed::{FileFeed, Planning};
use lakefront_operators::source::files::supply::Planner;
use lakefront_operators::source::files::watch::{self, Watcher};
use lakefront_topologies::Topology;
use lakefront_topologies::landing::Landing;
use lakefront_topologies::pg_logs;

use super::{Logs, take};
use crate::config::{Mode, PgLogs, Unterminated};
use crate::pipeline::{self, Local, Run};
use crate::report;

/// A pipeline that has claimed its tables.
pub(super) struct Taken<'a> {
    pipeline: &'a Logs,
    tables: Vec<Arc<DeltaTable>>,
    claimed: Vec<Claimed>,
}

impl<'a> Taken<'a> {
    /// The `pipeline` with its opened tables and their claims.
    pub(super) fn new(pipeline: &'a Logs, (tables, claimed): take::Taken) -> Taken<'a> {
        Taken { pipeline, tables, claimed }
    }

    /// Warns of a changed `[roles]`: a user may expect that landed rows move, or that nothing
    /// changes.
    fn warn_of_other_roles(&self) {
        let landed = self.claimed.iter().map(|claimed| &claimed.standing).max_by_key(|standing| standing.position());
        let roles = &self.pipeline.config.rows.roles;
        if let Some(standing) = landed.filter(|standing| standing.settings.roles != *roles) {
            tracing::warn!(
                position = %standing.position(),
                "[roles] has changed since lines last landed: it applies from here on, and rows that have landed stay in their tables"
            );
        }
    }
}

impl pipeline::Claimed for Taken<'_> {
    fn run(&self) -> RunId {
        self.claimed.first().map(|claimed| claimed.committer.run()).unwrap_or_default()
    }

    fn positions(&self) -> Vec<Position> {
        self.claimed.iter().map(|claimed| claimed.standing.position()).collect()
    }

    fn dataflow(self: Box<Self>, run: Run) -> (Topology, Box<dyn pipeline::Ended>) {
        self.warn_of_other_roles();
        let number = pipeline::Claimed::run(&*self);
        let Taken { pipeline, tables, claimed } = *self;
        let (common, config) = (&pipeline.common, &pipeline.config);
        let Run { bridge, metrics, fatal, stop, space, announce } = run;
        let standings: Vec<Standing> = claimed.iter().map(|c| c.standing.clone()).collect();
        let named = state::Run {
            pipeline: common.pipeline.clone(),
            source: pipeline.source.identity().to_owned(),
            run: number,
            tables: config.rows.tables.clone(),
        };
        let parts = config.needs(common.workers).parts();
        let budget = Budget::new(common.memory.unwrap_or(parts.usual()), parts);
        metrics.guarded_by(space.clone(), budget.clone());
        let rejects = Arc::new(Rejects::new(config.reject_ratio, stop.clone()));
        let planning = planning(pipeline, &standings, metrics.clone(), space, stop);
        let checkpoint = checkpoint::Settings { path: common.state_file.clone(), run: named, standings, announce };
        let topology = Topology::PgLogs(pg_logs::PgLogs {
            tables: pipeline.tables.clone(),
            source: pipeline.source.clone(),
            rejects: rejects.clone(),
            planning: Mutex::new(Some(planning)),
            landing: Landing::new(pg_logs::outline().layout, claimed, checkpoint, Arc::new(KeepsAll), &metrics),
            env: Env { clock: pipeline.clock.clone(), budget, bridge, metrics, fatal },
        });
        (topology, Box::new(Ended { tables, rejects, source: pipeline.source.clone() }))
    }
}

/// A run whose dataflow is complete.
struct Ended {
    tables: Vec<Arc<DeltaTable>>,
    rejects: Arc<Rejects>,
    source: Arc<dyn ByteSource>,
}

impl pipeline::Ended for Ended {
    fn at_rest(&self) -> Local<'_, ()> {
        Box::pin(async {
            for table in &self.tables {
                table.at_rest().await;
            }
        })
    }

    fn verdict(&self) -> Result<(), Stop> {
        self.rejects.verdict()
    }

    fn nothing(&self, metrics: &Metrics) -> Option<String> {
        report::nothing(metrics, &self.rejects.counted(), self.source.identity())
    }
}

fn planning(
    pipeline: &Logs,
    standings: &[Standing],
    metrics: Arc<Metrics>,
    space: Arc<FreeSpace>,
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
pub(super) fn rules(config: &PgLogs) -> watch::WatchRules {
    let on_rewrite = config.source.on_rewrite;
    let unterminated = match (config.source.mode, config.source.unterminated) {
        (Mode::Backfill, Unterminated::Land) => watch::Unterminated::Land { max_line: config.rows.max_line },
        // A tail waits for the newline: the line may be half written.
        (Mode::Tail, _) | (_, Unterminated::Leave) => watch::Unterminated::Leave,
    };
    watch::WatchRules { on_rewrite, unterminated, quiet: config.source.listing.quiet }
}
