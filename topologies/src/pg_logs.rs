//! `pg_logs`: PostgreSQL's log lines into one table for the primary server, one for the replicas,
//! and one for rejects.
//!
//! ```text
//!     credits and acknowledged positions (feedback: they gate, they do not hold time)
//!   ┌──────────────────────────────────────────────────────────────────────────┐
//!   ▼                                                                          │
//!  plan ─chunks─▶ fetch ─▶ split ─▶ parse ─▶ route ─▶ tally[table] ─▶ stage[table]
//!   │                                                 sums │     files │       │
//!   │                                                      ▼           ▼       │
//!   └──────────────── cuts ─────────────────▶ commit[table] ─▶ checkpoint ─▶ acknowledge
//! ```
//!
//! `plan`, `checkpoint` and `acknowledge` run on worker 0, each `commit[table]` on one worker,
//! `fetch` to `stage` on every worker. Bytes never cross workers: only chunk descriptors, file
//! names and positions do.

use std::sync::{Arc, Mutex, PoisonError};

use lakefront_operators::acknowledge::{Acknowledging, acknowledge};
use lakefront_operators::bridge::Bridge;
use lakefront_operators::checkpoint::{self, checkpoint};
use lakefront_operators::commit::{Committing, Rows, commit, filled, home};
use lakefront_operators::fatal::Fatal;
use lakefront_operators::fetch::{Assigned, fetch};
use lakefront_operators::lines::Lines;
use lakefront_operators::memory::Budget;
use lakefront_operators::metrics::steps::{StepId, watch};
use lakefront_operators::metrics::{Metrics, Retried, busy};
use lakefront_operators::parse::parse;
use lakefront_operators::plan::{Planning, plan};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::table::{Clock, TableId};
use lakefront_operators::route::{RatioJudge, Rejects, route};
use lakefront_operators::rows;
use lakefront_operators::settings::Format;
use lakefront_operators::sink::delta::{DayPartition, DeltaStage, TableSpec};
use lakefront_operators::source::Source;
use lakefront_operators::split::split;
use lakefront_operators::stage::stage;
use lakefront_operators::totals::{tally, totals};
use timely::dataflow::operators::{ConnectLoop, Feedback};
use timely::worker::Worker;

/// Each table's role, in the order in which a run claims them.
pub const TABLES: [&str; 3] = ["primary", "replica", "rejects"];

/// The column that `partition_by = "day"` adds.
pub const LOG_DATE: DayPartition = DayPartition { column: "log_date", of: rows::log_dates };

/// What the tables hold: rows of `format` in the first two, rejects in the third.
pub fn schemas(format: Format) -> [arrow_schema::SchemaRef; 3] {
    [rows::schema(format), rows::schema(format), rows::rejects_schema()]
}

/// What every worker of a run shares.
pub struct PgLogs {
    /// The tables, in the order of [`TABLES`].
    pub tables: [TableSpec; 3],
    /// Where the tables stood when they were claimed.
    pub held: [Position; 3],
    /// Where bytes come from.
    pub source: Arc<dyn Source>,
    /// What is rejected, and how much may be.
    pub rejects: Arc<Rejects>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How much memory buffers may take.
    pub budget: Arc<Budget>,
    /// The shared runtime.
    pub bridge: Bridge,
    /// Counts what is done.
    pub metrics: Arc<Metrics>,
    /// The first fatal error.
    pub fatal: Fatal,
    /// What exists once, and goes to the worker that needs it.
    pub once: Mutex<Once>,
}

/// What exists once in a run.
pub struct Once {
    /// For worker 0.
    pub planning: Option<Planning>,
    /// For worker 0.
    pub checkpoint: Option<checkpoint::Settings>,
    /// For worker 0.
    pub acknowledging: Option<Acknowledging<Lines>>,
    /// For each table's home worker.
    pub committers: [Option<Committing>; 3],
}

/// Builds the dataflow on one worker. All workers build the same one.
pub fn build(worker: &mut Worker, run: &PgLogs) {
    let (index, peers) = (worker.index(), worker.peers());
    let PgLogs { source, budget, bridge, fatal, clock, metrics, .. } = run;
    let mut once = run.once.lock().unwrap_or_else(PoisonError::into_inner);
    let (planning, settings, acknowledging) = match index {
        0 => (once.planning.take(), once.checkpoint.take(), once.acknowledging.take()),
        _ => (None, None, None),
    };
    busy::measure(worker, metrics);
    let staging = metrics.retries().counted(Retried::Stage, clock.clone());
    worker.dataflow_named::<Position, _, _>("pg_logs", |scope| {
        let (returned, credits) = scope.feedback::<Vec<usize>>(());
        let (returned_positions, acknowledged) = scope.feedback::<Vec<Position>>(());

        let (chunks, control) = plan(scope, acknowledged, credits, planning, metrics.clone(), bridge, fatal.clone());
        let chunks = watch(chunks, metrics, StepId::Plan, Assigned::len);
        let (blocks, returns) = fetch(chunks, source.clone(), budget.clone(), metrics.clone(), bridge, fatal.clone());
        returns.connect_loop(returned);
        let blocks = watch(blocks, metrics, StepId::Fetch, |fetched| fetched.chunk.len());
        let lines = watch(split(blocks), metrics, StepId::Split, |lines| count(lines.lines.len(), lines.rejects.len()));
        let rows = watch(parse(lines), metrics, StepId::Parse, |rows| count(rows.lines.len(), rows.rejects.len()));
        let judge = RatioJudge::new(run.rejects.clone());
        let routes = route(rows, judge, clock.clone(), metrics.clone(), fatal.clone());

        let routes = [routes.primary, routes.replica, routes.rejects];
        let staged = routes.into_iter().enumerate().map(|(i, rows)| {
            let (table, spec) = (TableId(i), &run.tables[i]);
            let rows = watch(rows, metrics, StepId::Route, |routed| count(routed.rows.num_rows(), 0));
            let (rows, counted) = tally(rows, TABLES[i], run.held[i]);
            let rows = watch(rows, metrics, StepId::Tally(table), |routed| count(routed.rows.num_rows(), 0));
            let files = DeltaStage::new(spec.clone(), staging.clone());
            let staged = stage(rows, TABLES[i], files, run.held[i], budget, bridge, fatal.clone());
            let staged = watch(staged, metrics, StepId::Stage(table), |staged| staged.0.rows);
            let sums = totals(counted, TABLES[i], home(table, peers));
            (staged, watch(sums, metrics, StepId::Totals(table), |(_, _, sum)| sum.rows))
        });
        let (staged, sums): (Vec<_>, Vec<_>) = staged.unzip();
        let filled = filled(scope, &staged);
        let moved = staged.into_iter().zip(sums).enumerate().map(|(i, (staged, sums))| {
            let table = TableId(i);
            let committer = if home(table, peers) == index { once.committers[i].take() } else { None };
            let rows = Rows { staged, sums, filled: filled.clone() };
            let moved = commit(rows, control.clone(), table, committer, metrics.clone(), bridge, fatal.clone());
            watch(moved, metrics, StepId::Commit(table), |moved| moved.rows)
        });
        let moved = moved.collect();
        let durable = checkpoint(moved, control, settings, bridge, metrics.clone(), fatal.clone());
        let durable = watch(durable, metrics, StepId::Checkpoint, |_| 1);
        let done = acknowledge(durable, acknowledging, bridge, metrics.clone(), fatal.clone());
        watch(done, metrics, StepId::Acknowledge, |_| 1).connect_loop(returned_positions);
    });
}

fn count(rows: usize, rejects: usize) -> u64 {
    (rows + rejects) as u64
}
