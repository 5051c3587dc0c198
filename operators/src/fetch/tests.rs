//! Pieces of one credit do not wait for each other, and no more of a piece is in memory than fits.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use timely::dataflow::operators::vec::ToStream;
use timely::dataflow::operators::{Inspect, Probe};

use super::*;
use crate::protocol::clock::Clock;
use crate::protocol::offsets::PartitionId;
use crate::run::bridge::Bridge;
use crate::run::clock::SystemClock;
use crate::run::fatal::Fatal;
use crate::run::memory::Parts;
use crate::run::metrics::Outline;
use crate::run::metrics::retry::Count;

/// Numbers of a partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Numbers {
    partition: PartitionId,
    from: u64,
    to: u64,
}

impl Work for Numbers {
    fn partition(&self) -> &PartitionId {
        &self.partition
    }

    fn moves(&self) -> u64 {
        self.to - self.from
    }

    fn bytes(&self) -> u64 {
        1
    }
}

fn numbers(name: &str, from: u64, to: u64) -> Numbers {
    Numbers { partition: PartitionId::first(name), from, to }
}

/// Reads at most so many numbers at once, and may need the turn for them.
struct Counting {
    most: u64,
    needs_turn: bool,
    in_memory: Arc<AtomicU64>,
    most_in_memory: AtomicU64,
}

/// A block that counts itself.
struct Counted(Vec<u64>, Arc<AtomicU64>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Relaxed);
    }
}

impl Reader<Numbers> for Counting {
    type Block = Counted;

    fn read<'a>(&'a self, work: &'a Numbers, budget: &'a Arc<Budget>) -> Pending<'a, Result<Read<Counted>, Stop>> {
        Box::pin(async move {
            let turn = if self.needs_turn { Some(budget.turn().await) } else { None };
            let now = self.in_memory.fetch_add(1, Relaxed) + 1;
            self.most_in_memory.fetch_max(now, Relaxed);
            let numbers = (work.from..work.to.min(work.from + self.most)).collect();
            Ok(Read { block: Counted(numbers, self.in_memory.clone()), turn: turn.map(|turn| Box::new(turn) as _) })
        })
    }

    fn rest(&self, work: &Numbers, block: &Counted) -> Option<Numbers> {
        let from = work.from + block.0.len() as u64;
        (from < work.to).then(|| Numbers { from, ..work.clone() })
    }
}

/// What comes of these credits, the most blocks in memory at once, and how many credits came back.
fn fetched(most: u64, needs_turn: bool, credits: Vec<Vec<Numbers>>) -> (Vec<(String, u64)>, u64, usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("a runtime");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let parts = Parts { workers: 1, groups: 1, work: 1, beyond: 0, in_flight: 1, turn: 1, batches: 0, uploads: 0 };
    let metrics = Arc::new(Metrics::new(clock.clone(), Outline::of_logs(&["t"]), 1, Count::default()));
    let (budget, bridge) = (Budget::new(parts.usual(), parts), Bridge::new(runtime.handle().clone()));
    let env = Env { clock, budget, bridge, metrics, fatal: Fatal::new().0 };
    let reader = Arc::new(Counting { most, needs_turn, in_memory: Arc::default(), most_in_memory: AtomicU64::new(0) });
    let (reads, assigned) = (reader.clone(), credits.into_iter().map(|work| Assigned { worker: 0, work }));
    let assigned: Vec<_> = assigned.collect();
    let (rows, returned) = timely::execute_directly(move |worker| {
        let (rows, returned) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let (read, back) = (rows.clone(), returned.clone());
        let probe = worker.dataflow::<Position, _, _>(|scope| {
            let (fetched, credits) = fetch(assigned.to_stream(scope), reads, &env);
            credits.inspect(move |_| *back.lock().expect("no panic") += 1);
            let fetched = fetched.inspect(move |fetched| {
                let name = &fetched.work.partition.name;
                rows.lock().expect("no panic").extend(fetched.block.0.iter().map(|number| (name.clone(), *number)));
            });
            fetched.probe().0
        });
        let watch = Stopwatch::start();
        while !probe.done() {
            assert!(watch.elapsed() < Duration::from_secs(20), "the pieces wait for each other");
            worker.step_or_park(Some(Duration::from_millis(10)));
        }
        while worker.step() {}
        let returned = *returned.lock().expect("no panic");
        (std::mem::take(&mut *read.lock().expect("no panic")), returned)
    });
    (rows, reader.most_in_memory.load(Relaxed), returned)
}

#[test]
fn two_pieces_of_one_credit_may_both_need_the_turn() {
    let credit = vec![numbers("a", 0, 2), numbers("b", 0, 3), numbers("c", 5, 6)];
    let (mut rows, most, returned) = fetched(9, true, vec![credit]);
    rows.sort();
    let rows: Vec<_> = rows.iter().map(|(name, number)| (name.as_str(), *number)).collect();
    assert_eq!(rows, [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2), ("c", 5)]);
    assert_eq!((most, returned), (1, 1), "the turn goes on with the rows, and the credit with the last");
}

#[test]
fn what_is_left_of_a_piece_is_read_when_its_first_part_has_left_memory() {
    let (rows, most, returned) = fetched(2, false, vec![vec![numbers("a", 0, 7)]]);
    let rows: Vec<u64> = rows.into_iter().map(|(_, number)| number).collect();
    assert_eq!((rows, most, returned), (vec![0, 1, 2, 3, 4, 5, 6], 1, 1));
}

#[test]
fn many_pieces_of_one_credit_are_all_read() {
    let many = (0..20).map(|at| numbers(&format!("p{at}"), 0, 1 + at % 3)).collect();
    let (rows, _, returned) = fetched(1, false, vec![many, vec![numbers("a", 0, 1)]]);
    assert_eq!((rows.len(), returned), ((0..20).map(|at| 1 + at % 3).sum::<usize>() + 1, 2));
}
