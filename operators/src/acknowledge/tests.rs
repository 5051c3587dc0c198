//! The source hears of each position once every table holds it, in order, and again until it has
//! answered.

use std::sync::Mutex;

use timely::dataflow::InputHandle;
use timely::dataflow::operators::{Input, Inspect, Probe};

use super::*;
use crate::protocol::numbers::{Numbers, standing};
use crate::run::bridge::Bridge;
use crate::run::clock::SystemClock;
use crate::run::fatal::Fatal;
use crate::run::memory::{Budget, Parts};
use crate::run::metrics::retry::Count;
use crate::run::metrics::{Metrics, Outline};

/// A source that fails a number of times, and then takes note.
struct Source {
    failures: Mutex<u32>,
    heard: Mutex<Vec<u64>>,
}

impl Acknowledge<Numbers> for Source {
    fn acknowledge<'a>(&'a self, standing: &'a Standing<Numbers>) -> Pending<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let mut failures = self.failures.lock().expect("no panic");
            if *failures > 0 {
                *failures -= 1;
                return Err(StoreError::transient("acknowledge", "no answer"));
            }
            self.heard.lock().expect("no panic").push(standing.position().0);
            Ok(())
        })
    }
}

/// What the operators of a run share.
fn env(bridge: Bridge) -> Env {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (work, in_flight) = (1, 1);
    let parts = Parts { workers: 1, groups: 1, work, beyond: 0, in_flight, turn: 0, batches: 0, uploads: 0 };
    let metrics = Metrics::new(clock.clone(), Outline::of_logs(&["t"]), 1, Count::default());
    Env { clock, budget: Budget::new(parts.usual(), parts), bridge, metrics: Arc::new(metrics), fatal: Fatal::new().0 }
}

/// Acknowledges where a run begins, at 3, and then `positions`. Returns what the source has heard,
/// which first fails, and what `plan` has.
fn acknowledged(positions: &'static [u64]) -> (Vec<u64>, Vec<u64>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
    let runtime = runtime.expect("a runtime");
    let source = Arc::new(Source { failures: Mutex::new(1), heard: Mutex::default() });
    let (env, heard) = (env(Bridge::new(runtime.handle().clone())), source.clone());
    let returned = timely::execute_directly(move |worker| {
        let returned = Arc::new(Mutex::new(Vec::new()));
        let (noted, mut input) = (returned.clone(), InputHandle::<Position, _>::new());
        let probe = worker.dataflow::<Position, _, _>(|scope| {
            let acknowledging = Acknowledging { source, held_by_all: standing(3) };
            acknowledge(scope.input_from(&mut input), Some(acknowledging), &env)
                .inspect(move |position| noted.lock().expect("no panic").push(position.0))
                .probe()
                .0
        });
        positions.iter().for_each(|position| input.send(standing(*position)));
        input.close();
        worker.step_while(|| !probe.done());
        std::mem::take(&mut *returned.lock().expect("no panic"))
    });
    let heard = heard.heard.lock().expect("no panic").clone();
    (heard, returned)
}

#[test]
fn what_a_run_begins_with_is_acknowledged_again_and_then_each_newest_position() {
    let (heard, returned) = acknowledged(&[5, 7, 9]);
    assert_eq!(heard, [3, 9], "those that came meanwhile need none of their own");
    assert_eq!(returned, [9], "`plan` begins with the first");
}

#[test]
fn a_run_that_has_nothing_else_to_do_ends_only_when_its_beginning_is_acknowledged() {
    assert_eq!(acknowledged(&[]), (vec![3], vec![]));
}
