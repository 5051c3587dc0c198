//! `pg_changes`: Debezium's events on Kafka into the Delta tables that they are of, row by row.
//!
//! ```text
//!     credits and acknowledged positions (feedback: they gate, they do not hold time)
//!   ┌────────────────────────────────────────────────────────────────────────────────────┐
//!   ▼                                                                                    │
//!  plan ─ranges─▶ fetch ─▶ events ─changes─▶ tally ─▶ shard ─▶ merge[table] ─files─▶ commit ─▶ …
//!   │                        │                                   │ gaps               ▲
//!   │                        └─rejects──────────────────────────▶└──▶ tally ─▶ stage ──┤
//!   └──────────────────────── cuts ────────────────────────────────────────────────────┘
//! ```
//!
//! To a table without a key, rows are appended instead, as rejects are.
//!
//! Each table is a group of its own, and the rejects are the first. `plan` runs on worker 0; every
//! worker reads, decodes, and changes the shard of each table's keys that is its own. The position
//! counts offsets of all partitions. From `commit` on, it is the [`landing`](crate::landing) of all
//! pipelines.

use std::sync::{Arc, Mutex, PoisonError};

use lakefront_operators::events::{EventTables, REASONS, Told, events, gaps, shard};
use lakefront_operators::fetch::{Assigned, fetch};
use lakefront_operators::merge::merge;
use lakefront_operators::plan::plan;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::protocol::names::{GroupId, TableId};
use lakefront_operators::protocol::staged::Staged;
use lakefront_operators::routed::Routed;
use lakefront_operators::run::env::Env;
use lakefront_operators::run::metrics::steps::{StepId, watch};
use lakefront_operators::run::metrics::{Outline, Retried, Unit, busy};
use lakefront_operators::sink::Stage;
use lakefront_operators::sink::delta::upsert::{Shard, UpsertSpec};
use lakefront_operators::sink::delta::{DeltaStage, TableSpec};
use lakefront_operators::source::kafka::feed::Planning;
use lakefront_operators::source::kafka::kind::{REJECTS, Topics};
use lakefront_operators::source::kafka::reader::TopicReader;
use lakefront_operators::work::Work;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::core::Partition;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Concatenate, ConnectLoop, Feedback};
use timely::worker::Worker;

use crate::landing::{Landing, Sequence, Staging, append, commit_all, counted};

/// The unit of the pipeline's positions.
pub const OFFSETS: Unit = Unit("offsets");

/// What the pipeline consists of: the rejects, and the tables of these roles.
pub fn outline(roles: &[&str]) -> Outline {
    let steps = vec![("plan", OFFSETS), ("fetch", OFFSETS), ("events", Unit::ROWS)];
    Outline { unit: OFFSETS, steps, reasons: REASONS.to_vec(), layout: Layout::each(&[&[REJECTS], roles].concat()) }
}

/// What every worker of a run shares.
pub struct PgChanges {
    /// Reads records.
    pub reader: Arc<TopicReader>,
    /// The tables, as events name them.
    pub events: Arc<EventTables>,
    /// The lake's, in the same order.
    pub tables: Vec<UpsertSpec>,
    /// Where what became no row goes.
    pub rejects: TableSpec,
    /// By worker, its shard of each table that has a key.
    pub shards: Vec<Mutex<Vec<Shard>>>,
    /// For worker 0.
    pub planning: Mutex<Option<Planning>>,
    /// The second half.
    pub landing: Landing<Topics>,
    /// What all operators share.
    pub env: Env,
}

/// Builds the dataflow on one worker. All workers build the same one.
pub fn build(worker: &mut Worker, run: &PgChanges) {
    let (env, metrics, index) = (&run.env, &run.env.metrics, worker.index());
    let planning = match index {
        0 => run.planning.lock().unwrap_or_else(PoisonError::into_inner).take(),
        _ => None,
    };
    let shards = std::mem::take(&mut *run.shards[index].lock().unwrap_or_else(PoisonError::into_inner));
    busy::measure(worker, metrics);
    let clock = metrics.retries().counted(Retried::Stage, env.clock.clone());
    worker.dataflow_named::<Position, _, _>("pg_changes", |scope| {
        let (returned, credits) = scope.feedback::<Vec<usize>>(());
        let (returned_positions, acknowledged) = scope.feedback::<Vec<Position>>(());

        let (ranges, control) = plan(scope, acknowledged, credits, planning, env);
        let ranges = watch(ranges, metrics, StepId::PLAN, Assigned::moves);
        let (records, returns) = fetch(ranges, run.reader.clone(), env);
        returns.connect_loop(returned);
        let records = watch(records, metrics, StepId::FETCH, |fetched| fetched.work.moves());
        let told = events(records, run.events.clone(), env);
        let tables = run.tables.len() as u64 + 1;
        let by_table = told
            .partition::<CapacityContainerBuilder<Vec<Told>>, _, _>(tables, |told: Told| (told.table().0 as u64, told));

        let (mut by_table, mut shards) = (by_table.into_iter(), shards.into_iter());
        let rejects = by_table.next().expect("the rejects are the first").flat_map(Told::rejected);
        let (mut all_rejects, mut staged) = (vec![rejects], Vec::new());
        let stages = |table: &TableSpec| {
            let (table, clock) = (table.clone(), clock.clone());
            move |_: TableId| -> Box<dyn Stage> { Box::new(DeltaStage::new(table.clone(), clock.clone())) }
        };
        for (table, told) in run.tables.iter().zip(by_table) {
            let group = GroupId(staged.len() + 1);
            if table.key.is_empty() {
                let rows = told.flat_map(Told::changed);
                staged.push(append(rows, group, stages(&table.table), &run.landing, env));
                continue;
            }
            let shard = shards.next().expect("a worker has a shard of each table that has a key");
            let (changed, gaps) = change(told, group, (table, shard), run);
            staged.push(changed);
            all_rejects.push(gaps);
        }
        let rejects = scope.concatenate(all_rejects);
        let rejects = append(rejects, GroupId(0), stages(&run.rejects), &run.landing, env);
        staged.insert(0, rejects);
        // Which changes cannot be made is found out from the rows that are there before the cut.
        commit_all(staged, Sequence::FirstBefore, control, &run.landing, env).connect_loop(returned_positions);
    });
}

/// Changes one table. Returns what is staged for it, and the rejects of changes that cannot be
/// made.
fn change<'s>(
    told: StreamVec<'s, Position, Told>,
    group: GroupId,
    (table, own): (&UpsertSpec, Shard),
    run: &PgChanges,
) -> (Staging<'s>, StreamVec<'s, Position, Routed>) {
    let (env, metrics) = (&run.env, &run.env.metrics);
    let changed = watch(told.flat_map(Told::changed), metrics, metrics.steps().last_own(), |changed| {
        changed.offsets.len() as u64
    });
    let (changed, sums) = counted(changed, group, &run.landing, env);
    let sharded = shard(changed, table.clone(), env);
    let merged = merge(sharded, &table.table.name, own, run.landing.held(group), env);
    let gaps = gaps(merged.clone(), metrics.clone());
    let id = TableId(group.0);
    let staged = merged.map(move |merged| Staged { table: id, file: merged.staged });
    ((watch(staged, metrics, StepId::Stage(group), |staged| staged.file.rows), sums), gaps)
}
