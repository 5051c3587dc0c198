//! Numbered records into one table for even values and one for odd values, which commit as one:
//!
//! ```text
//!  plan ─pieces─▶ fetch ─▶ decode ─rows of each table─▶ landing
//! ```

use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use lakefront_operators::fetch::{Assigned, Fetched, fetch};
use lakefront_operators::plan::{Planning, plan};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::protocol::names::TableId;
use lakefront_operators::routed::Routed;
use lakefront_operators::run::env::Env;
use lakefront_operators::run::metrics::steps::{StepId, watch};
use lakefront_operators::run::metrics::{Outline, Unit};
use lakefront_operators::totals::hash::{OFFSET, SOURCE};
use lakefront_operators::work::Work;
use lakefront_topologies::landing::{Landing, land};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::{ConnectLoop, Feedback};
use timely::worker::Worker;

use crate::lake::Lake;
use crate::source::{FlushFeed, Log, Piece, Records};

const RECORDS: Unit = Unit("records");

/// What the pipeline consists of.
pub(crate) fn outline() -> Outline {
    let steps = vec![("plan", RECORDS), ("fetch", RECORDS), ("decode", Unit::ROWS)];
    Outline { unit: RECORDS, steps, reasons: Vec::new(), layout: Layout::together("lake", &["even", "odd"]) }
}

/// What every worker of a run shares.
pub(crate) struct Topology {
    pub(crate) lake: Lake,
    pub(crate) log: Log,
    /// For worker 0.
    pub(crate) planning: Mutex<Option<Planning<Records, FlushFeed>>>,
    pub(crate) landing: Landing<Records>,
    pub(crate) env: Env,
}

/// Builds the dataflow on one worker. All workers build the same one.
pub(crate) fn build(worker: &mut Worker, run: &Topology) {
    let (env, metrics) = (&run.env, &run.env.metrics);
    let planning = match worker.index() {
        0 => run.planning.lock().expect("no worker panicked").take(),
        _ => None,
    };
    worker.dataflow_named::<Position, _, _>("records", |scope| {
        let (returned, credits) = scope.feedback::<Vec<usize>>(());
        let (returned_positions, acknowledged) = scope.feedback::<Vec<Position>>(());
        let (pieces, control) = plan(scope, acknowledged, credits, planning, env);
        let pieces = watch(pieces, metrics, StepId::PLAN, Assigned::moves);
        let (blocks, returns) = fetch(pieces, Arc::new(run.log.clone()), env);
        returns.connect_loop(returned);
        let blocks = watch(blocks, metrics, StepId::FETCH, |fetched| fetched.work.moves());
        let stages = |_: TableId| run.lake.stage();
        land(vec![decode(blocks)], control, stages, &run.landing, env).connect_loop(returned_positions);
    });
}

/// Turns records into rows of the table that their value belongs to.
fn decode<'s>(blocks: StreamVec<'s, Position, Fetched<Piece, Vec<i64>>>) -> StreamVec<'s, Position, Routed> {
    blocks.unary::<CapacityContainerBuilder<Vec<Routed>>, _, _, _>(Pipeline, "decode", |_capability, _info| {
        |input, output| {
            input.for_each(|capability, blocks| {
                output.session(&capability).give_iterator(blocks.drain(..).flat_map(rows));
            });
        }
    })
}

/// The rows of one piece, by table.
fn rows(Fetched { work, block, credit }: Fetched<Piece, Vec<i64>>) -> impl Iterator<Item = Routed> {
    (0..2_usize).filter_map(move |table| {
        let records = work.numbers.clone().zip(block.iter().copied());
        let (numbers, values): (Vec<u64>, Vec<i64>) =
            records.filter(|(_, value)| value.rem_euclid(2) as usize == table).unzip();
        let names = vec![work.partition().to_string(); values.len()];
        let offsets = numbers.iter().map(|number| number.cast_signed());
        let columns: [(&str, ArrayRef); 3] = [
            ("value", Arc::new(Int64Array::from(values))),
            (SOURCE, Arc::new(StringArray::from(names))),
            (OFFSET, Arc::new(offsets.collect::<Int64Array>())),
        ];
        let rows = RecordBatch::try_from_iter(columns).expect("columns of one length");
        let (table, partition, credit) = (TableId(table), work.partition().clone(), credit.clone());
        (rows.num_rows() > 0).then_some(Routed { table, rows, partition, credit, is_last: false })
    })
}
