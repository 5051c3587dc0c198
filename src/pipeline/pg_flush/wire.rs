//! How a claimed `pg_flush` pipeline becomes a dataflow.

use std::sync::{Arc, Mutex};

use lakefront_operators::checkpoint;
use lakefront_operators::error::Stop;
use lakefront_operators::plan;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::cutter::{Bounds, Cutter};
use lakefront_operators::protocol::names::RunId;
use lakefront_operators::run::env::Env;
use lakefront_operators::run::fatal::{Fatal, StopRequest};
use lakefront_operators::run::memory::Budget;
use lakefront_operators::run::metrics::Metrics;
use lakefront_operators::run::state;
use lakefront_operators::sink::ducklake::Maintenance;
use lakefront_operators::source::postgres::{FlushFeed, FlushSupply, HotSource, Planning, Schedule, Watch};
use lakefront_topologies::Topology;
use lakefront_topologies::landing::Landing;
use lakefront_topologies::pg_flush;

use super::maintain::{self, Maintained};
use super::{Flush, take};
use crate::config::{IN_FLIGHT, Mode};
use crate::pipeline::{self, Local, Opened, Run};

/// A pipeline that has claimed its tables.
pub(super) struct Taken<'a> {
    flush: &'a Flush,
    taken: take::Taken,
}

impl<'a> Taken<'a> {
    pub(super) fn new(flush: &'a Flush, taken: take::Taken) -> Taken<'a> {
        Taken { flush, taken }
    }
}

impl pipeline::Claimed for Taken<'_> {
    fn run(&self) -> RunId {
        self.taken.claimed.first().map(|claimed| claimed.committer.run()).unwrap_or_default()
    }

    fn positions(&self) -> Vec<Position> {
        self.taken.claimed.iter().map(|claimed| claimed.standing.position()).collect()
    }

    fn dataflow(self: Box<Self>, run: Run) -> (Topology, Box<dyn pipeline::Ended>) {
        let number = pipeline::Claimed::run(&*self);
        let Taken { flush, taken: take::Taken { buffer, tables, claimed } } = *self;
        let (common, config) = (&flush.common, &flush.config);
        let Run { bridge, metrics, fatal, stop, space, announce } = run;
        let standings: Vec<_> = claimed.iter().map(|claimed| claimed.standing.clone()).collect();
        let named = state::Run {
            pipeline: common.pipeline.clone(),
            source: flush.source.clone(),
            run: number,
            tables: vec![config.lake.schema.clone()],
        };
        let parts = config.parts(common.workers);
        let budget = Budget::new(common.memory.unwrap_or(parts.usual()), parts);
        metrics.guarded_by(space.clone(), budget.clone());
        // The dataflow ends after the last flush, not when that is asked for.
        let end = StopRequest::default();
        abandon_late(&bridge, &stop, fatal.clone(), config.shutdown_timeout);
        let began = standings.first().map(|standing| standing.position()).unwrap_or_default();
        let maintenance = maintain::begin(flush, began, &bridge, &stop);
        let source = Arc::new(Maintained { buffer: buffer.clone(), maintenance: maintenance.clone() });
        let schedule = Schedule { interval: config.interval, once: config.mode == Mode::Backfill };
        let at = standings.first().map(|standing| (*standing.offsets).clone()).unwrap_or_default();
        let watch = Watch::new(buffer.clone(), schedule, at.position(), stop, end.clone());
        // A flush is one cut, whatever it takes.
        let bounds = Bounds { work: 1, cut: 1, cut_ms: u64::MAX, ahead: u64::MAX };
        let planning = Planning {
            cutter: Cutter::over(FlushSupply::new(at), &standings, Arc::new(HotSource::SETTINGS), bounds),
            watch,
            feed: FlushFeed,
            mode: match config.mode {
                Mode::Backfill => plan::Mode::Backfill,
                // The look itself waits until a flush is due.
                Mode::Tail => plan::Mode::Tail { poll: std::time::Duration::ZERO },
            },
            in_flight: IN_FLIGHT,
            space,
            stop: end,
        };
        let checkpoint = checkpoint::Settings { path: common.state_file.clone(), run: named, standings, announce };
        let layout = flush.outline().layout;
        let topology = Topology::PgFlush(pg_flush::PgFlush {
            landing: Landing::new(layout, claimed, checkpoint, source, &metrics),
            buffer,
            tables,
            planning: Mutex::new(Some(planning)),
            env: Env { clock: flush.clock.clone(), budget, bridge, metrics, fatal },
        });
        (topology, Box::new(Ended { maintenance }))
    }
}

/// Ends a run whose last flush takes too long. Its transaction is rolled back, so nothing of it was
/// moved and nothing is lost.
fn abandon_late(
    bridge: &lakefront_operators::run::bridge::Bridge,
    stop: &StopRequest,
    fatal: Fatal,
    timeout: std::time::Duration,
) {
    let stop = stop.clone();
    bridge.detach(async move {
        stop.requested().await;
        tokio::time::sleep(timeout).await;
        fatal.raise(Stop::Abandoned(format!(
            "the last flush was abandoned after source.shutdown_timeout ({} s): what has not landed stays in PostgreSQL, and \
             the next run moves it",
            timeout.as_secs()
        )));
    });
}

/// A run whose dataflow is complete.
struct Ended {
    maintenance: Arc<Maintenance>,
}

impl pipeline::Ended for Ended {
    fn at_rest(&self) -> Local<'_, ()> {
        Box::pin(self.maintenance.at_rest())
    }

    fn verdict(&self) -> Result<(), Stop> {
        Ok(())
    }

    fn nothing(&self, _metrics: &Metrics) -> Option<String> {
        None
    }
}
