//! `pg_logs`: PostgreSQL's log lines into one table for the primary server, one for the replicas, and one for rejects.
//!
//! ```text
//!          credits and acknowledged positions (feedback: they gate, they do not hold time)
//!        ┌─────────────────────────────────────────────────────────────────────────────┐
//!        ▼                                                                             │
//!  plan (worker 0) ─chunks─▶ fetch ─▶ split ─▶ parse ─▶ route ─▶ tally[table] ─▶ stage[table] (every worker)
//!        │                                                        sums │           files │     │
//!        │                                                             ▼                 ▼     │
//!        └───────────────── cuts ────────────────▶ commit[table] (one worker each) ─▶ checkpoint (worker 0)
//! ```
//!
//! Bytes never cross workers: only chunk descriptors, files' names and positions do.

use std::sync::{Arc, Mutex, PoisonError};

use lakefront_operators::bridge::Bridge;
use lakefront_operators::checkpoint::{self, checkpoint};
use lakefront_operators::commit::{Rows, commit, home};
use lakefront_operators::fatal::Fatal;
use lakefront_operators::fetch::fetch;
use lakefront_operators::metrics::Metrics;
use lakefront_operators::parse::parse;
use lakefront_operators::plan::{Planning, plan};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::commit::Committer;
use lakefront_operators::protocol::table::Clock;
use lakefront_operators::record::TableId;
use lakefront_operators::route::{RatioJudge, route};
use lakefront_operators::rows;
use lakefront_operators::settings::Format;
use lakefront_operators::sink::delta::{DayPartition, DeltaStage, TableSpec};
use lakefront_operators::source::Source;
use lakefront_operators::split::split;
use lakefront_operators::stage::stage;
use lakefront_operators::totals::{tally, totals};
use timely::dataflow::operators::{ConnectLoop, Feedback};
use timely::worker::Worker;

/// What each table is for, in the order in which a run claims them.
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
    /// Rejects among the last lines above which the run stops, 0 to 1.
    pub reject_ratio: f64,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The shared runtime.
    pub bridge: Bridge,
    /// Counts what becomes durable.
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
    /// For each table's home worker.
    pub committers: [Option<Committer>; 3],
}

/// Builds the dataflow on one worker. All workers build the same one.
pub fn build(worker: &mut Worker, run: &PgLogs) {
    let (index, peers) = (worker.index(), worker.peers());
    let PgLogs { source, bridge, fatal, clock, .. } = run;
    let mut once = run.once.lock().unwrap_or_else(PoisonError::into_inner);
    let (planning, settings) = match index {
        0 => (once.planning.take(), once.checkpoint.take()),
        _ => (None, None),
    };
    worker.dataflow_named::<Position, _, _>("pg_logs", |scope| {
        let (returned, credits) = scope.feedback::<Vec<usize>>(());
        let (acknowledge, acknowledged) = scope.feedback::<Vec<Position>>(());

        let (chunks, control) = plan(scope, acknowledged, credits, planning, bridge, fatal.clone());
        let (blocks, returns) = fetch(chunks, source.clone(), bridge, fatal.clone());
        returns.connect_loop(returned);
        let rows = parse(split(blocks));
        let judge = RatioJudge::new(run.reject_ratio);
        let routes = route(rows, judge, clock.clone(), fatal.clone());

        let routes = [routes.primary, routes.replica, routes.rejects];
        let moved = routes.into_iter().enumerate().map(|(i, rows)| {
            let (table, spec) = (TableId(i), &run.tables[i]);
            let files = DeltaStage::new(spec.clone(), clock.clone());
            let (rows, counted) = tally(rows, TABLES[i], run.held[i]);
            let staged = stage(rows, TABLES[i], files, run.held[i], bridge, fatal.clone());
            let sums = totals(counted, TABLES[i], home(table, peers));
            let committer = if home(table, peers) == index { once.committers[i].take() } else { None };
            commit(Rows { staged, sums }, control.clone(), table, &spec.name, committer, bridge, fatal.clone())
        });
        let moved = moved.collect();
        checkpoint(moved, control, settings, bridge, run.metrics.clone(), fatal.clone()).connect_loop(acknowledge);
    });
}
