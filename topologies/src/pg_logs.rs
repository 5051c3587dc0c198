//! `pg_logs`: PostgreSQL's log lines into one table for the primary server, one for the replicas,
//! and one for rejects.
//!
//! ```text
//!     credits and acknowledged positions (feedback: they gate, they do not hold time)
//!   ┌──────────────────────────────────────────────────────────────────────────┐
//!   ▼                                                                          │
//!  plan ─chunks─▶ fetch ─▶ split ─▶ parse ─▶ route ─rows of each table─▶ landing
//!   │                                                                          ▲
//!   └───────────────────────────────── cuts ───────────────────────────────────┘
//! ```
//!
//! [`landing`](crate::landing) is the half that all pipelines share. `plan` runs on worker 0,
//! `fetch` to `route` on every worker. Bytes never cross workers: only chunk descriptors, file
//! names and positions do.

use std::sync::{Arc, Mutex, PoisonError};

use lakefront_operators::fetch::{Assigned, fetch};
use lakefront_operators::format::logs::lines::Lines;
use lakefront_operators::format::logs::record::Reason;
use lakefront_operators::format::logs::rows;
use lakefront_operators::format::logs::settings::Format;
use lakefront_operators::parse::parse;
use lakefront_operators::plan::plan;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::protocol::names::TableId;
pub use lakefront_operators::route::TABLES;
use lakefront_operators::route::{RatioJudge, Rejects, route};
use lakefront_operators::run::env::Env;
use lakefront_operators::run::metrics::steps::{StepId, watch};
use lakefront_operators::run::metrics::{Outline, Retried, Unit, busy};
use lakefront_operators::sink::Stage;
use lakefront_operators::sink::delta::{DayPartition, DeltaStage, TableSpec};
use lakefront_operators::source::files::ByteSource;
use lakefront_operators::source::files::feed::Planning;
use lakefront_operators::source::files::reader::FileReader;
use lakefront_operators::split::split;
use timely::dataflow::operators::{ConnectLoop, Feedback};
use timely::worker::Worker;

use crate::landing::{Landing, land};

/// The column that `partition_by = "day"` adds.
pub const LOG_DATE: DayPartition = DayPartition { column: "log_date", of: rows::log_dates };

/// What the pipeline consists of: each table is a group of its own.
pub fn outline() -> Outline {
    let steps = vec![
        ("plan", Unit::BYTES),
        ("fetch", Unit::BYTES),
        ("split", Unit::LINES),
        ("parse", Unit::ROWS),
        ("route", Unit::ROWS),
    ];
    Outline {
        unit: Unit::BYTES,
        steps,
        reasons: Reason::ALL.map(Reason::as_str).to_vec(),
        layout: Layout::each(&TABLES),
    }
}

const SPLIT: StepId = StepId::Own(2);
const PARSE: StepId = StepId::Own(3);

/// What the tables hold: rows of `format` in the first two, rejects in the third.
pub fn schemas(format: Format) -> [arrow_schema::SchemaRef; 3] {
    [rows::schema(format), rows::schema(format), rows::rejects_schema()]
}

/// What every worker of a run shares.
pub struct PgLogs {
    /// The tables, in the order of [`TABLES`].
    pub tables: [TableSpec; 3],
    /// Where bytes come from.
    pub source: Arc<dyn ByteSource>,
    /// What is rejected, and how much may be.
    pub rejects: Arc<Rejects>,
    /// For worker 0.
    pub planning: Mutex<Option<Planning>>,
    /// The second half.
    pub landing: Landing<Lines>,
    /// What all operators share.
    pub env: Env,
}

/// Builds the dataflow on one worker. All workers build the same one.
pub fn build(worker: &mut Worker, run: &PgLogs) {
    let (env, metrics) = (&run.env, &run.env.metrics);
    let planning = match worker.index() {
        0 => run.planning.lock().unwrap_or_else(PoisonError::into_inner).take(),
        _ => None,
    };
    busy::measure(worker, metrics);
    let clock = metrics.retries().counted(Retried::Stage, env.clock.clone());
    worker.dataflow_named::<Position, _, _>("pg_logs", |scope| {
        let (returned, credits) = scope.feedback::<Vec<usize>>(());
        let (returned_positions, acknowledged) = scope.feedback::<Vec<Position>>(());

        let (chunks, control) = plan(scope, acknowledged, credits, planning, env);
        let chunks = watch(chunks, metrics, StepId::PLAN, Assigned::moves);
        let (blocks, returns) = fetch(chunks, Arc::new(FileReader(run.source.clone())), env);
        returns.connect_loop(returned);
        let blocks = watch(blocks, metrics, StepId::FETCH, |fetched| fetched.work.len());
        let lines = watch(split(blocks), metrics, SPLIT, |lines| count(lines.lines.len(), lines.rejects.len()));
        let rows = watch(parse(lines), metrics, PARSE, |rows| count(rows.lines.len(), rows.rejects.len()));
        let routes = route(rows, RatioJudge::new(run.rejects.clone()), env);

        let stages = |table: TableId| -> Box<dyn Stage> {
            Box::new(DeltaStage::new(run.tables[table.0].clone(), clock.clone()))
        };
        land(routes.into(), control, stages, &run.landing, env).connect_loop(returned_positions);
    });
}

fn count(rows: usize, rejects: usize) -> u64 {
    (rows + rejects) as u64
}
