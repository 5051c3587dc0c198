//! `pg_flush`: hot PostgreSQL tables into the tables of a DuckLake, which commit as one.
//!
//! ```text
//!     credits and acknowledged positions (feedback: they gate, they do not hold time)
//!   ┌──────────────────────────────────────────────────────────────────┐
//!   ▼                                                                  │
//!  plan ─slices─▶ fetch ─COPY─▶ decode ─rows of each table─▶ landing ──┘
//!   │                                                           ▲
//!   └─────────────────── flushes, each of them a cut ───────────┘
//! ```
//!
//! [`landing`](crate::landing) is the half that all pipelines share. `plan` runs on worker 0,
//! `fetch` and `decode` on every worker. The position counts flushes. The commit of a flush also
//! deletes its rows from PostgreSQL, in one transaction.

use std::sync::{Arc, Mutex, PoisonError};

use lakefront_operators::decode::decode;
use lakefront_operators::fetch::{Assigned, fetch};
use lakefront_operators::plan::plan;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::protocol::names::TableId;
use lakefront_operators::run::env::Env;
use lakefront_operators::run::metrics::steps::{StepId, watch};
use lakefront_operators::run::metrics::{Outline, Retried, Unit, busy};
use lakefront_operators::sink::Stage;
use lakefront_operators::sink::ducklake::{LakeStage, Tables};
use lakefront_operators::sink::measured::Measured;
use lakefront_operators::source::postgres::{Buffer, CopyReader, Flushes, Planning};
use lakefront_operators::work::Work;
use timely::dataflow::operators::{ConnectLoop, Feedback};
use timely::worker::Worker;

use crate::landing::{Landing, land};

/// The unit of the pipeline's positions.
pub const FLUSHES: Unit = Unit("flushes");

/// What the pipeline consists of: `tables` are one group.
pub fn outline(tables: &[&str]) -> Outline {
    let steps = vec![("plan", FLUSHES), ("fetch", FLUSHES), ("decode", Unit::ROWS)];
    Outline { unit: FLUSHES, steps, reasons: Vec::new(), layout: Layout::together("lake", tables) }
}

/// What every worker of a run shares.
pub struct PgFlush {
    /// The hot tables.
    pub buffer: Arc<Buffer>,
    /// The lake's, in the same order.
    pub tables: Arc<Tables>,
    /// For worker 0.
    pub planning: Mutex<Option<Planning>>,
    /// The second half.
    pub landing: Landing<Flushes>,
    /// What all operators share.
    pub env: Env,
}

/// Builds the dataflow on one worker. All workers build the same one.
pub fn build(worker: &mut Worker, run: &PgFlush) {
    let (env, metrics) = (&run.env, &run.env.metrics);
    let planning = match worker.index() {
        0 => run.planning.lock().unwrap_or_else(PoisonError::into_inner).take(),
        _ => None,
    };
    busy::measure(worker, metrics);
    let clock = metrics.retries().counted(Retried::Stage, env.clock.clone());
    worker.dataflow_named::<Position, _, _>("pg_flush", |scope| {
        let (returned, credits) = scope.feedback::<Vec<usize>>(());
        let (returned_positions, acknowledged) = scope.feedback::<Vec<Position>>(());

        let (slices, control) = plan(scope, acknowledged, credits, planning, env);
        let slices = watch(slices, metrics, StepId::PLAN, Assigned::moves);
        let (copied, returns) = fetch(slices, Arc::new(CopyReader(run.buffer.clone())), env);
        returns.connect_loop(returned);
        let copied = watch(copied, metrics, StepId::FETCH, |fetched| fetched.work.moves());
        let rows = decode(copied, env);

        let stages = |table: TableId| -> Box<dyn Stage> {
            let stage = LakeStage::new(table, run.tables.clone(), clock.clone());
            Box::new(Measured { stage, table, metrics: metrics.flushes().cloned() })
        };
        land(vec![rows], control, stages, &run.landing, env).connect_loop(returned_positions);
    });
}
