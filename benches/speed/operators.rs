//! The operators that touch every row, each alone: `fetch` (with `plan`), `split`, `parse`,
//! `route`, `tally` (with `totals`), `stage`.

use std::fs;
use std::path::Path;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, SamplingMode, Throughput};
use lakefront_operators::parse::{Parsed, parse};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::names::TableId;
use lakefront_operators::routed::Routed;
use lakefront_operators::sink::Stage;
use lakefront_operators::sink::delta::DeltaStage;
use lakefront_operators::split::split;
use lakefront_operators::stage::stage;
use lakefront_operators::totals::{tally, totals};
use lakefront_topologies::pg_logs::TABLES;
use timely::dataflow::operators::Probe;
use timely::dataflow::{ProbeHandle, StreamVec};
use timely::worker::Worker;

use crate::driven::Driven;
use crate::input::{Input, folder};
use crate::lake;
use crate::prepared::{Prepared, read, routes, whole_file};
use crate::run::Run;

/// More chunks than the file has.
const IN_FLIGHT: usize = 8;

/// Probes every output stream of an operator.
type Probed = ProbeHandle<Position>;

/// Measures them, in bytes of the source per second.
pub(crate) fn bench(criterion: &mut Criterion, worker: &mut Worker, input: &Input) {
    let run = Run::new(input, 1, IN_FLIGHT);
    let prepared = Prepared::new(worker, &run);
    let rows = |table: &Vec<Routed>| table.iter().map(|routed| routed.rows.num_rows() as u64).sum::<u64>();
    assert_eq!(prepared.routed.each_ref().map(rows), input.rows, "the operators make the rows that were generated");

    let mut group = criterion.benchmark_group("operators");
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::BytesDecimal(input.bytes));
    fetch(&mut group, worker, &run);
    let alone = Driven::new(worker, |[blocks], probe| drop(split(blocks).probe_with(probe)));
    again(&mut group, "split", worker, alone, || [prepared.blocks.clone()]);
    let alone = Driven::new(worker, |[lines], probe| drop(parse(lines).probe_with(probe)));
    again(&mut group, "parse", worker, alone, || [prepared.lines.clone()]);
    let alone = Driven::new(worker, |[rows]: [StreamVec<'_, Position, Parsed>; 1], probe: &Probed| {
        routes(rows, &run).into_iter().for_each(|rows| drop(rows.probe_with(probe)));
    });
    again(&mut group, "route", worker, alone, || [prepared.parsed.clone()]);
    let alone = Driven::new(worker, |tables: [StreamVec<'_, Position, Routed>; 3], probe: &Probed| {
        for (rows, table) in tables.into_iter().zip(TABLES) {
            let (rows, counted) = tally(rows, table, Position(0), None);
            rows.probe_with(probe);
            totals(counted, table, 0).probe_with(probe);
        }
    });
    again(&mut group, "tally", worker, alone, || prepared.routed.clone());
    staging(&mut group, worker, &run, &prepared);
    group.finish();
}

/// Reads the file from the page cache. Each round has a new dataflow, because a dataflow plans a
/// file once.
fn fetch(group: &mut BenchmarkGroup<'_, WallTime>, worker: &mut Worker, run: &Run) {
    group.bench_function("fetch", |bencher| {
        let routine = |planning| {
            let probe = worker.dataflow::<Position, _, _>(|scope| read(scope, planning, run).probe().0);
            while !probe.done() {
                worker.step_or_park(None);
            }
        };
        bencher.iter_batched(|| whole_file(run), routine, BatchSize::PerIteration);
    });
}

/// Encodes Parquet, then writes and syncs it. The files of a round are removed before the next.
fn staging(group: &mut BenchmarkGroup<'_, WallTime>, worker: &mut Worker, run: &Run, prepared: &Prepared) {
    let folder = folder();
    let specs = lake::specs(folder.path());
    let alone = Driven::new(worker, |tables: [StreamVec<'_, Position, Routed>; 3], probe: &Probed| {
        for ((i, rows), spec) in tables.into_iter().enumerate().zip(&specs) {
            let files: Box<dyn Stage> = Box::new(DeltaStage::new(spec.clone(), run.env.clock.clone()));
            let staged = stage(rows, TABLES[i], [(TableId(i), files)].into(), Position(0), &run.env);
            staged.probe_with(probe);
        }
    });
    again(group, "stage", worker, alone, || {
        TABLES.iter().for_each(|table| empty(&folder.path().join(table)));
        prepared.routed.clone()
    });
}

fn empty(folder: &Path) {
    // Before the first round the folder does not exist.
    let Ok(files) = fs::read_dir(folder) else { return };
    files.for_each(|file| fs::remove_file(file.expect("a file").path()).expect("it is removed"));
}

/// Measures an operator with the same `records` again and again; making them is not measured.
fn again<D: Clone + 'static, const N: usize>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    worker: &mut Worker,
    mut alone: Driven<D, N>,
    mut records: impl FnMut() -> [Vec<D>; N],
) {
    group.bench_function(name, |bencher| {
        bencher.iter_batched(&mut records, |records| alone.run(worker, records), BatchSize::PerIteration);
    });
}
