//! Commits per second, for a source of one file and for one of very many files, of which one grows.
//!
//! Each round is a cut with one file. Committing opens no file, so every round describes the same
//! file under a different name.

use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput};
use lakefront_operators::commit::{GroupRows, commit, committing, filled};
use lakefront_operators::format::logs::lines::{Claimed, Control, Cut, Mark, Offsets};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::clock::Stamp;
use lakefront_operators::protocol::names::{GroupId, TableId};
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::protocol::staged::{Staged, StagedFile};
use lakefront_operators::protocol::sums::{Bucket, FINEST_LOG2, Sum};
use lakefront_operators::sink::delta::Detail;
use lakefront_operators::source::files::identity::{Fingerprint, Identity};
use lakefront_operators::totals::Update;
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::vec::input::{Handle, Input as _};
use timely::worker::Worker;

use crate::input::{Input, folder};
use crate::lake;
use crate::run::{CUT, Run, settings, wait};

/// Measures commits into one table.
pub(crate) fn bench(criterion: &mut Criterion, worker: &mut Worker, input: &Input) {
    let mut group = criterion.benchmark_group("commit");
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));
    for files in [1, 10_000] {
        group.bench_function(BenchmarkId::new("files", files), |bencher| {
            let (run, folder) = (Run::new(input, 1, 1), folder());
            let mut offsets: Offsets =
                (0..files).map(|n| (PartitionId::first(format!("{n}.json")), read_to(0))).collect();
            let (tables, claimed) = lake::claimed(&lake::specs(folder.path()), &run, &offsets);
            let mut committing = Committing::new(worker, &run, claimed);
            let next = || {
                let lower = offsets.position();
                let (_, growing) = offsets.partitions.iter_mut().next().expect("a file");
                growing.offset += CUT;
                offsets.move_to(Position(lower.0 + CUT));
                Round::new(lower, &offsets, Stamp::now(&*run.env.clock))
            };
            bencher.iter_batched(next, |round| committing.run(worker, round), BatchSize::PerIteration);
            tables.iter().for_each(|table| wait(table.at_rest()));
        });
    }
    group.finish();
}

fn read_to(offset: u64) -> Mark {
    let identity = Identity { created: "once".to_owned(), fingerprint: Fingerprint::default(), ..Identity::default() };
    Mark { offset, identity, landed_tail: false, gone: false }
}

/// What `commit` receives for one cut.
struct Round {
    staged: Staged,
    sum: Update,
    cut: Cut,
}

impl Round {
    /// The cut from `lower` up to `offsets`, whose first file has grown.
    fn new(lower: Position, offsets: &Offsets, staged_at: Stamp) -> Round {
        let partition = offsets.partitions.keys().next().expect("a file").clone();
        let rows = 100_000;
        let file = StagedFile {
            path: format!("part-{lower}.snappy.parquet"),
            size: CUT / 16,
            rows,
            detail: Detail { stats: format!(r#"{{"numRecords":{rows}}}"#), ..Detail::default() }.note().expect("JSON"),
            staged_at,
        };
        let bucket = Bucket { partition, range: lower.0 >> FINEST_LOG2, part: 0 };
        let offsets = Arc::new(offsets.clone());
        Round {
            staged: Staged { table: TableId(0), file },
            sum: ((TableId(0), bucket), lower, Sum { rows, checksum: 1 }),
            cut: Cut { lower, upper: offsets.position(), offsets, settings: settings(), since: Position(0) },
        }
    }
}

/// `commit` alone, for the first table.
struct Committing {
    staged: Handle<Position, Staged>,
    sums: Handle<Position, Update>,
    control: Handle<Position, Control>,
    probe: ProbeHandle<Position>,
}

impl Committing {
    fn new(worker: &mut Worker, run: &Run, claimed: Vec<Claimed>) -> Self {
        let positions: Vec<Position> = claimed.iter().map(|claimed| claimed.standing.position()).collect();
        let committing = committing(claimed).next().expect("a table");
        run.env.metrics.claimed(committing.0.run(), &positions);
        worker.dataflow::<Position, _, _>(|scope| {
            let ((staged, files), (sums, counted)) = (scope.new_input(), scope.new_input());
            let (control, records) = scope.new_input();
            let filled = filled(scope, std::slice::from_ref(&files));
            let rows = GroupRows { staged: files, sums: counted, filled, first: None };
            let moved = commit(rows, records, GroupId(0), Some(committing), &run.env);
            let (probe, _) = moved.probe();
            Committing { staged, sums, control, probe }
        })
    }

    /// Sends one cut and steps the worker until it is committed.
    fn run(&mut self, worker: &mut Worker, Round { staged, sum, cut }: Round) {
        let (lower, upper) = (cut.lower, cut.upper);
        self.advance(lower);
        self.staged.send(staged);
        self.sums.send(sum);
        self.control.send(Control::Cut(cut));
        self.advance(upper);
        while self.probe.less_than(&upper) {
            worker.step_or_park(None);
        }
    }

    fn advance(&mut self, to: Position) {
        self.staged.advance_to(to);
        self.sums.advance_to(to);
        self.control.advance_to(to);
    }
}
