//! The whole pipeline in this process: `pg_logs` on one or two workers, from the file to committed
//! tables.
//!
//! Tables are created and claimed before a measurement begins; starting the workers is part of it.

use std::sync::{Arc, Mutex};

use criterion::{BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput};
use lakefront_operators::acknowledge::KeepsAll;
use lakefront_operators::checkpoint;
use lakefront_operators::format::logs::lines::Standing;
use lakefront_operators::position::Position;
use lakefront_operators::route::Rejects;
use lakefront_operators::run::fatal::StopRequest;
use lakefront_operators::run::metrics::Metrics;
use lakefront_operators::run::state;
use lakefront_operators::sink::delta::DeltaTable;
use lakefront_topologies::landing::Landing;
use lakefront_topologies::pg_logs::{self, PgLogs, TABLES};
use tempfile::TempDir;

use crate::input::{Input, folder};
use crate::lake::{self, PIPELINE};
use crate::run::{Run, wait};

/// Chunks in a worker's memory at once.
const IN_FLIGHT: usize = 2;

/// Measures it, in bytes of the source per second.
pub(crate) fn bench(criterion: &mut Criterion, input: &Input) {
    let mut group = criterion.benchmark_group("pipeline");
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::BytesDecimal(input.bytes));
    for workers in [1, 2] {
        group.bench_function(BenchmarkId::new("workers", workers), |bencher| {
            let land = |ready: Ready| {
                let landed = ready.land(workers);
                assert_eq!(landed.rows(), input.rows, "every line landed");
                landed
            };
            bencher.iter_batched(|| Ready::new(input, workers), land, BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// A pipeline that has claimed its tables.
struct Ready {
    lake: Lake,
    pipeline: PgLogs,
}

/// Where a pipeline lands its rows, and its metrics. Dropping this deletes all that landed.
struct Lake {
    metrics: Arc<Metrics>,
    tables: Vec<Arc<DeltaTable>>,
    _folder: TempDir,
}

impl Ready {
    fn new(input: &Input, workers: usize) -> Ready {
        let (run, folder) = (Run::new(input, workers, IN_FLIGHT), folder());
        let specs = lake::specs(folder.path());
        let (tables, claimed) = lake::claimed(&specs, &run, &Default::default());
        let standings: Vec<Standing> = claimed.iter().map(|claimed| claimed.standing.clone()).collect();
        let number = claimed.first().expect("a table").committer.run();
        let positions: Vec<Position> = standings.iter().map(Standing::position).collect();
        run.env.metrics.claimed(number, &positions);
        let planning = run.planning(&standings);
        let names = TABLES.map(str::to_owned).to_vec();
        let source = run.source.identity().to_owned();
        let checkpoint = checkpoint::Settings {
            path: folder.path().join("state.json"),
            run: state::Run { pipeline: PIPELINE.to_owned(), source, run: number, tables: names },
            standings,
            announce: false,
        };
        let metrics = &run.env.metrics;
        let lake = Lake { metrics: metrics.clone(), tables, _folder: folder };
        let pipeline = PgLogs {
            tables: specs,
            source: run.source,
            rejects: Arc::new(Rejects::new(0.5, StopRequest::default())),
            planning: Mutex::new(Some(planning)),
            landing: Landing::new(pg_logs::outline().layout, claimed, checkpoint, Arc::new(KeepsAll), metrics),
            env: run.env,
        };
        Ready { lake, pipeline }
    }

    /// Runs it to its end.
    fn land(self, workers: usize) -> Lake {
        let pipeline = Arc::new(self.pipeline);
        let started = timely::execute(timely::Config::process(workers), move |worker| {
            pg_logs::build(worker, &pipeline);
            while worker.step_or_park(None) {}
        });
        started.expect("the workers start").join().into_iter().for_each(|worker| worker.expect("a worker ends well"));
        self.lake
    }
}

impl Lake {
    /// How many rows each table holds.
    fn rows(&self) -> [u64; 3] {
        std::array::from_fn(|i| self.metrics.tables()[i].rows())
    }
}

impl Drop for Lake {
    fn drop(&mut self) {
        self.tables.iter().for_each(|table| wait(table.at_rest()));
    }
}
