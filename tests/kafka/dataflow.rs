//! The source within a dataflow, as a pipeline has it: `plan` hands its ranges to two workers, and
//! `fetch` reads them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use lakefront_operators::fetch::fetch;
use lakefront_operators::kafka::client::Client;
use lakefront_operators::kafka::settings::Settings;
use lakefront_operators::plan::{Mode, Planning, plan};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::cut::Control;
use lakefront_operators::protocol::cutter::{Bounds, Cutter};
use lakefront_operators::protocol::last_rows::LastRows;
use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::run::bridge::Bridge;
use lakefront_operators::run::clock::SystemClock;
use lakefront_operators::run::env::Env;
use lakefront_operators::run::fatal::{Fatal, StopRequest};
use lakefront_operators::run::memory::{Budget, Parts};
use lakefront_operators::run::metrics::retry::Count;
use lakefront_operators::run::metrics::{Metrics, Outline, Unit};
use lakefront_operators::run::space::{Guard, OnLow, Settings as Space};
use lakefront_operators::source::kafka::feed::TopicFeed;
use lakefront_operators::source::kafka::kind::{Settings as Rules, Standing};
use lakefront_operators::source::kafka::look::Watch;
use lakefront_operators::source::kafka::reader::TopicReader;
use lakefront_operators::source::kafka::sizes::Sizes;
use lakefront_operators::source::kafka::supply::{ColdStart, OnLoss, TopicSupply};
use lakefront_operators::source::kafka::topics::Topics;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{ConnectLoop, Feedback};

use crate::support::kafka::Broker;
use crate::world::{Admin, PATIENCE, Row, Writer, rows_of, runtime, topic};

/// Bytes of a range, as far as can be known.
const RANGE: u64 = 64 << 10;

fn env(runtime: &tokio::runtime::Runtime, workers: usize) -> Env {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let steps = vec![("plan", Unit::ROWS), ("fetch", Unit::ROWS)];
    let outline = Outline { unit: Unit::ROWS, steps, reasons: Vec::new(), layout: Layout::each(&["events"]) };
    let (work, turn) = (2 * RANGE, 1 << 20);
    let parts = Parts { workers, groups: 1, work, beyond: 0, in_flight: 2, turn, batches: 0, uploads: 0 };
    let (fatal, supervisor) = Fatal::new();
    std::thread::spawn(move || {
        if let Ok(stop) = supervisor.recv() {
            eprintln!("{}", lakefront_operators::error::chain(&stop));
            std::process::exit(1);
        }
    });
    Env {
        metrics: Arc::new(Metrics::new(clock.clone(), outline, workers, Count::default())),
        clock,
        budget: Budget::new(parts.usual(), parts),
        bridge: Bridge::new(runtime.handle().clone()),
        fatal,
    }
}

/// Reads a topic on two workers. Returns each record with its worker, and where cuts ended.
fn backfill(brokers: &str, topic: &str) -> (Vec<(usize, Row)>, Vec<Position>) {
    let runtime = runtime();
    let env = env(&runtime, 2);
    let open = || Arc::new(Client::open(&Settings::new(brokers), runtime.handle()).expect("a client"));
    let (asks, fetches) = (open(), open());
    let mut watch = Watch::new(asks.clone(), Topics::parse(&[topic]).expect("a topic"), PATIENCE);
    let begin = ColdStart::Earliest.offsets(&runtime.block_on(watch.look()).expect("the topic"));
    let (settings, last_rows) = (Arc::new(Rules::default()), LastRows::default());
    let standing = Standing { offsets: Arc::new(begin), settings: settings.clone(), since: Position(0), last_rows };
    let sizes = Arc::new(Sizes::default());
    let reader = Arc::new(TopicReader::new(asks, fetches, sizes.clone(), PATIENCE));
    let (watched, clean, kept) = (Vec::new(), Vec::new(), Vec::new());
    let (mut guard, space) = Guard::new(Space { watched, min_free: 0, on_low: OnLow::Stop, clean, kept });
    guard.look_first(&*env.clock).expect("there is room");
    let standings = [standing];
    let bounds = Bounds { work: 1000, cut: 4000, cut_ms: 10_000, ahead: 100_000 };
    let supply = TopicSupply::new(&standings, sizes, RANGE, OnLoss::Stop);
    let planning = Planning {
        cutter: Cutter::over(supply, &standings, settings, bounds),
        watch,
        feed: TopicFeed::default(),
        mode: Mode::Backfill,
        in_flight: 2,
        space,
        stop: StopRequest::default(),
    };
    let (planning, rows, cuts) =
        (Mutex::new(Some(planning)), Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (all, ends) = (rows.clone(), cuts.clone());
    let workers = timely::execute(timely::Config::process(2), move |worker| {
        let planning = (worker.index() == 0).then(|| planning.lock().expect("no panic").take()).flatten();
        let (index, rows, cuts) = (worker.index(), rows.clone(), cuts.clone());
        worker.dataflow::<Position, _, _>(|scope| {
            let (returned, credits) = scope.feedback::<Vec<usize>>(());
            let (landed, acknowledged) = scope.feedback::<Vec<Position>>(());
            let (work, control) = plan(scope, acknowledged, credits, planning, &env);
            let cuts = control.flat_map(move |record| match record {
                Control::Cut(cut) => {
                    cuts.lock().expect("no panic").push(cut.upper);
                    Some(cut.upper)
                }
                Control::Settle(_) => None,
            });
            cuts.connect_loop(landed);
            let (fetched, credits) = fetch(work, reader.clone(), &env);
            credits.connect_loop(returned);
            fetched.map(move |fetched| {
                let read = rows_of(&fetched.block);
                rows.lock().expect("no panic").extend(read.into_iter().map(|row| (index, row)));
            });
        });
    });
    workers.expect("workers").join().into_iter().for_each(|worker| worker.expect("no panic"));
    let rows = std::mem::take(&mut *all.lock().expect("no panic"));
    let ends = std::mem::take(&mut *ends.lock().expect("no panic"));
    (rows, ends)
}

#[test]
fn two_workers_read_every_record_of_a_backfill_once() {
    let (brokers, topic) = (Broker::shared().brokers(), topic("planned"));
    Admin::new(&brokers).create(&topic, 3, &[]);
    let writer = Writer::new(&brokers, &[]);
    for partition in 0..3 {
        writer.values(&topic, partition, (0..5000).map(|at| format!("{at} {}", "x".repeat(200))));
    }
    let (rows, ends) = backfill(&brokers, &topic);
    let places: BTreeSet<(i32, u64)> = rows.iter().map(|(_, row)| (row.0, row.1)).collect();
    assert_eq!((rows.len(), places.len()), (15_000, 15_000));
    assert!([0, 1].iter().all(|worker| rows.iter().any(|(index, _)| index == worker)), "both have read");
    assert_eq!((ends.last(), ends.is_sorted(), ends.len() >= 4), (Some(&Position(15_000)), true, true));
}

#[test]
fn records_that_are_larger_than_anybody_knew_do_not_hold_each_other_up() {
    let (brokers, topic) = (Broker::shared().brokers(), topic("larger"));
    Admin::new(&brokers).create(&topic, 24, &[]);
    let writer = Writer::new(&brokers, &[]);
    // Each is longer than the room of its range, and several ranges share a credit.
    for partition in 0..24 {
        writer.values(&topic, partition, (0..10).map(|at| format!("{at} {}", "x".repeat(100 << 10))));
    }
    let (rows, ends) = backfill(&brokers, &topic);
    let places: BTreeSet<(i32, u64)> = rows.iter().map(|(_, row)| (row.0, row.1)).collect();
    assert_eq!((rows.len(), places.len(), ends.last()), (240, 240, Some(&Position(240))));
}
