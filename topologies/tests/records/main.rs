//! A second pipeline, made of what any pipeline is made of: a source of records that forgets what
//! was acknowledged and whose flushes are one cut each (`source.rs`), a sink whose tables commit as
//! one (`lake.rs`), and one page that composes the operators (`topology.rs`). It runs on real
//! workers, through the operators that `pg_logs` runs through.

mod lake;
mod source;
mod topology;

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use lakefront_operators::checkpoint;
use lakefront_operators::error::Stop;
use lakefront_operators::plan::{Mode, Planning};
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::claim::claim;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::cutter::{Bounds, Cutter};
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::intent::Intent;
use lakefront_operators::protocol::offsets::Offsets;
use lakefront_operators::protocol::standing::Standing;
use lakefront_operators::run::bridge::Bridge;
use lakefront_operators::run::clock::SystemClock;
use lakefront_operators::run::env::Env;
use lakefront_operators::run::fatal::{Fatal, StopRequest};
use lakefront_operators::run::memory::{Budget, Parts};
use lakefront_operators::run::metrics::Metrics;
use lakefront_operators::run::metrics::retry::Count;
use lakefront_operators::run::space::{self, Guard, OnLow};
use lakefront_operators::run::state;
use lakefront_topologies::landing::Landing;
use tokio::runtime::Runtime;

use crate::lake::Lake;
use crate::source::{FlushFeed, FlushSupply, Log, Records};
use crate::topology::{Topology, build, outline};

static TOKIO: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("the runtime starts")
});

/// A log, a lake, and a place for the state file.
struct World {
    log: Log,
    lake: Lake,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        World { log: Log::default(), lake: Lake::default(), folder: tempfile::tempdir().expect("a folder") }
    }

    /// Runs the pipeline on so many workers, until it is complete or has met a fatal error.
    fn run(&self, workers: usize, mode: Mode, stop: &StopRequest) -> Result<(), Stop> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let cold_start =
            || -> Pending<'_, Result<Offsets<Records>, Stop>> { Box::pin(async { Ok(Offsets::default()) }) };
        let intent = Intent {
            pipeline: "p",
            reading: &self.log,
            layout: &outline().layout,
            settings: Arc::new(1),
            known: None,
            process: None,
            adopt: false,
            cold_start: &cold_start,
        };
        let groups: [Arc<dyn Group>; 1] = [Arc::new(self.lake.clone())];
        let claimed = TOKIO.block_on(claim(&groups, clock.clone(), &intent))?;
        let standings: Vec<Standing<Records>> = claimed.iter().map(|claimed| claimed.standing.clone()).collect();

        let metrics = Arc::new(Metrics::new(clock.clone(), outline(), workers, Count::default()));
        let parts =
            Parts { workers, groups: 1, work: 64, beyond: 0, in_flight: 2, turn: 0, batches: 1 << 20, uploads: 0 };
        let (fatal, supervisor) = Fatal::new();
        let env = Env {
            clock,
            budget: Budget::new(parts.usual(), parts),
            bridge: Bridge::new(TOKIO.handle().clone()),
            metrics: metrics.clone(),
            fatal,
        };
        let run = state::Run {
            pipeline: "p".to_owned(),
            source: "log:memory".to_owned(),
            run: claimed[0].committer.run(),
            tables: vec!["lake".to_owned()],
        };
        let path = self.folder.path().join("state.json");
        let checkpoint = checkpoint::Settings { path, run, standings: standings.clone(), announce: false };
        let topology = Arc::new(Topology {
            lake: self.lake.clone(),
            log: self.log.clone(),
            planning: Mutex::new(Some(planning(&self.log, &standings, mode, stop.clone()))),
            landing: Landing::new(outline().layout, claimed, checkpoint, Arc::new(self.log.clone()), &metrics),
            env,
        });
        execute(workers, topology, &supervisor)
    }
}

fn planning(log: &Log, standings: &[Standing<Records>], mode: Mode, stop: StopRequest) -> Planning<Records, FlushFeed> {
    // A piece, a cut and what may be handed out are all smaller than a flush.
    let bounds = Bounds { work: 3, cut: 5, cut_ms: 1, ahead: 20 };
    let supply = FlushSupply::new((*standings[0].offsets).clone());
    let nothing = space::Settings { watched: vec![], min_free: 0, on_low: OnLow::Stop, clean: vec![], kept: vec![] };
    let (mut guard, space) = Guard::new(nothing);
    guard.look_first(&SystemClock).expect("nothing is low");
    Planning {
        cutter: Cutter::over(supply, standings, Arc::new(1), bounds),
        watch: log.clone(),
        feed: FlushFeed,
        mode,
        in_flight: 2,
        space,
        stop,
    }
}

/// Like the program's own: after a fatal error the dataflow is left alone, because one that is torn
/// down would see its inputs end, and take that for completion.
fn execute(
    workers: usize,
    topology: Arc<Topology>,
    supervisor: &crossbeam_channel::Receiver<Stop>,
) -> Result<(), Stop> {
    let (done, finished) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || {
        let guards = timely::execute(timely::Config::process(workers), move |worker| {
            build(worker, &topology);
            while worker.step_or_park(None) {}
        });
        let _ = done.send(guards.expect("the workers start").join());
    });
    crossbeam_channel::select! {
        recv(supervisor) -> stop => match stop {
            Ok(stop) => return Err(stop),
            Err(_) => finished.recv(),
        },
        recv(finished) -> joined => joined,
    }
    .expect("the workers end")
    .into_iter()
    .for_each(|joined| joined.expect("no worker panicked"));
    supervisor.try_recv().map_or(Ok(()), Err)
}

/// Five flushes over three partitions: 0..150, all values once.
fn flushes(log: &Log) {
    log.flush(&[("a", 0..7), ("b", 7..30)]);
    log.flush(&[("b", 30..31)]);
    log.flush(&[("a", 31..60), ("c", 60..90)]);
    log.flush(&[("c", 90..91), ("a", 91..92), ("b", 92..93)]);
    log.flush(&[("a", 93..150)]);
}

fn is_exact(world: &World, values: i64) {
    for table in [0, 1] {
        let expected: Vec<i64> = (0..values).filter(|value| value % 2 == table).collect();
        assert_eq!(world.lake.rows(table as usize), expected, "table {table}");
    }
    assert_eq!(world.lake.cuts(), world.log.ends(), "a flush is one cut");
    assert_eq!(world.lake.holds(), values.cast_unsigned());
    assert_eq!(world.log.forgotten(), values.cast_unsigned(), "all of it was acknowledged");
}

#[test]
fn every_record_lands_once_and_every_flush_as_a_whole() {
    for workers in [1, 2, 4] {
        let world = World::new();
        flushes(&world.log);
        world.run(workers, Mode::Backfill, &StopRequest::default()).expect("it is complete");
        is_exact(&world, 150);
        // There is nothing to do a second time.
        world.run(workers, Mode::Backfill, &StopRequest::default()).expect("it is complete");
        is_exact(&world, 150);
    }
}

#[test]
fn what_a_failed_run_did_not_commit_the_next_one_lands_and_nothing_else() {
    for commits in 0..5 {
        let world = World::new();
        flushes(&world.log);
        world.lake.fails_after(Some(commits));
        let stop = world.run(2, Mode::Backfill, &StopRequest::default()).expect_err("the store fails");
        assert!(matches!(stop, Stop::Store(_)), "{stop}");
        let held = world.lake.holds();
        assert_eq!(world.lake.cuts().len(), commits);
        assert!(world.log.forgotten() <= held, "nothing is acknowledged before the lake holds it");

        world.lake.fails_after(None);
        world.run(2, Mode::Backfill, &StopRequest::default()).expect("it is complete");
        is_exact(&world, 150);
    }
}

#[test]
fn a_tail_goes_on_until_it_is_asked_to_stop() {
    let world = World::new();
    world.log.flush(&[("a", 0..40)]);
    let stop = StopRequest::default();
    let (log, lake, asks) = (world.log.clone(), world.lake.clone(), stop.clone());
    let writer = std::thread::spawn(move || {
        for (flush, end) in [(40..41, 41), (41..100, 100)] {
            log.flush(&[("b", flush)]);
            lake.wait_for(end);
        }
        asks.request();
    });
    world.run(2, Mode::Tail { poll: Duration::from_millis(5) }, &stop).expect("it was asked to stop");
    writer.join().expect("the writer ends");
    is_exact(&world, 100);
}
