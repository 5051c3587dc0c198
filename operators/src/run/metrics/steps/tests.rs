//! What holds the frontier, and since when.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::protocol::Pending;
use crate::protocol::names::RunId;
use crate::run::metrics::retry::Count;

/// A clock that is moved by hand.
#[derive(Default)]
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now_ms(&self) -> u64 {
        // Durations use the other clock.
        0
    }

    fn steady_ms(&self) -> u64 {
        self.0.load(Relaxed)
    }

    fn pause(&self, _ms: u64) -> Pending<'_, ()> {
        unreachable!("nobody waits here")
    }
}

struct World {
    clock: Arc<Hand>,
    metrics: Arc<Metrics>,
}

/// Two tables that stand at 100.
fn world() -> World {
    let clock = Arc::new(Hand::default());
    let metrics = Arc::new(Metrics::new(clock.clone(), Outline::of_logs(&["primary", "rejects"]), 2, Count::default()));
    metrics.claimed(RunId(7), &[Position(100); 2]);
    World { clock, metrics }
}

impl World {
    fn at(&self, ms: u64) {
        self.clock.0.store(ms, Relaxed);
    }

    /// The frontier of the named steps moves to `to`.
    fn moves(&self, names: &[&str], to: u64) {
        for name in names {
            let index = self.metrics.steps.iter().position(|step| step.name() == *name).expect("a step");
            self.metrics.steps.moved(index, to);
        }
    }

    fn lag(&self, name: &str) -> u64 {
        let step = self.metrics.steps.iter().find(|step| step.name() == name).expect("a step");
        self.metrics.frontier_lag_ms(step.id())
    }

    fn holder(&self) -> Option<(&str, u64)> {
        self.metrics.holder().map(|holder| (holder.step.name(), holder.for_ms))
    }
}

const BEFORE_STAGE: [&str; 8] =
    ["fetch", "split", "parse", "route", "tally[primary]", "tally[rejects]", "totals[primary]", "totals[rejects]"];

#[test]
fn nobody_holds_what_stands_still_for_lack_of_work() {
    let world = world();
    world.at(1_000_000);
    assert_eq!(world.holder(), None);
    assert!(world.metrics.steps.iter().all(|step| world.lag(step.name()) == 0));
    assert_eq!(world.metrics.steps.get(StepId::Checkpoint).frontier(), Some(Position(100)));
}

#[test]
fn the_first_step_that_has_come_no_further_than_the_last_holds() {
    let world = world();
    world.at(5_000);
    world.moves(&["plan"], 200);
    world.at(5_300);
    assert_eq!(world.holder(), Some(("fetch", 300)));
    world.moves(&BEFORE_STAGE, 200);
    world.moves(&["stage[primary]", "commit[primary]"], 200);
    world.at(9_000);
    assert_eq!(world.holder(), Some(("stage[rejects]", 4_000)), "the other table is through");
    world.moves(&["stage[rejects]"], 200);
    assert_eq!(world.holder(), Some(("commit[rejects]", 4_000)));
    world.moves(&["commit[rejects]", "checkpoint", "acknowledge"], 200);
    assert_eq!(world.holder(), None);
}

#[test]
fn a_lag_begins_with_the_work_and_ends_where_the_last_cut_does() {
    let world = world();
    world.at(60_000);
    world.moves(&["plan"], 200);
    assert_eq!(world.lag("fetch"), 0, "it had nothing to do for a minute");
    world.at(60_500);
    // A further cut does not shorten the wait for the first.
    world.moves(&["plan"], 300);
    assert_eq!(world.lag("fetch"), 500);
    world.moves(&["fetch"], 200);
    assert_eq!(world.lag("fetch"), 0, "it has just moved");
    world.at(60_700);
    assert_eq!(world.lag("fetch"), 200);
    world.moves(&["fetch"], 300);
    world.at(99_000);
    assert_eq!(world.lag("fetch"), 0);
    assert_eq!(world.lag("split"), 39_000);
}

#[test]
fn an_open_cut_is_no_delay_but_bytes_that_are_not_handed_out_are() {
    let world = world();
    let metrics = &world.metrics;
    world.at(1_000);
    metrics.source_seen(Position(300), None);
    world.at(1_400);
    assert_eq!(world.holder(), Some(("plan", 400)));
    metrics.handed_out(std::iter::empty(), Position(200));
    world.at(3_400);
    assert_eq!(world.holder(), Some(("fetch", 2_000)), "a chunk is being read, and its credit is out");
    metrics.work_read(100, Duration::from_millis(5));
    metrics.handed_out(std::iter::empty(), Position(300));
    metrics.work_read(100, Duration::from_millis(5));
    world.at(1_000_000);
    assert_eq!(world.holder(), None, "all is in the open cut");
    assert_eq!((metrics.source_lag(), world.lag("plan")), (200, 0));
}

#[test]
fn frontiers_never_go_back_and_end_complete() {
    let world = world();
    world.moves(&["route"], 300);
    world.moves(&["route"], 200);
    assert_eq!(world.metrics.steps.get(StepId::Own(4)).frontier(), Some(Position(300)));
    world.moves(&["route"], COMPLETE);
    assert_eq!(world.metrics.steps.get(StepId::Own(4)).frontier(), None);
}

#[test]
fn a_table_that_is_settled_holds_without_a_frontier() {
    let world = world();
    world.at(1_000);
    world.metrics.commit_begins(GroupId(1));
    world.at(1_700);
    assert_eq!(world.holder(), Some(("commit[rejects]", 700)));
    world.metrics.committed(GroupId(1), &BTreeMap::new(), Position(100), Duration::from_millis(700));
    assert_eq!(world.holder(), None);
}
