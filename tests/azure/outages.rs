//! A run that is asked to stop during an outage of the service ends soon, whatever it was waiting
//! for.

use std::time::Duration;

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::proxy::{Fault, Kind, Rule};
use crate::support::{Lines, Running, wait};
use crate::world::World;

/// A world that outlasts every outage of the service here, and every silence.
fn patient() -> World {
    let mut world = World::new();
    world.pipeline.set("commit", "interval", "20ms").set("source.retry", "timeout", "60s");
    world.pipeline.set("source.retry", "max_time", "10m").set("source.retry", "cap", "60s");
    world
}

/// Asks the run to stop. Returns its exit code, and what it said.
fn stop(mut run: Running) -> (Option<i32>, String) {
    run.signal("TERM");
    let start = wait::now();
    let ended = run.end();
    let took = wait::now() - start;
    assert!(took < 8.0, "it ended {took} s after SIGTERM:\n{}", ended.stderr);
    (ended.code, ended.stderr)
}

/// A service that says it is busy for five minutes, one that is silent, one that is not there.
const OUTAGES: [Fault; 3] = [Fault::ServerBusy(Some(300)), Fault::Stall(Duration::from_secs(100)), Fault::Reset];

#[test]
fn a_tail_that_waits_for_a_list_ends_cleanly() {
    for outage in OUTAGES {
        let world = patient();
        world.write("a.json", Lines::new(1).take(10));
        world.append("a.json", ONE_FOR_EACH_TABLE);
        let mut tail = world.pipeline.tail();
        tail.until("landed it", || world.pipeline.position() == world.bytes());
        world.proxy.rule(Rule::new(Kind::List, outage).always());
        tail.until("met the outage", || world.proxy.count(|seen| seen.fault.is_some()) > 0);
        let (code, said) = stop(tail);
        assert_eq!(code, Some(0), "{said}");
        world.is_exact();
    }
}

#[test]
fn a_run_that_waits_for_bytes_ends_soon_and_the_next_lands_them() {
    for outage in OUTAGES {
        let world = patient();
        world.write("a.json", Lines::new(1).take(3));
        // The first read is the look for the last line end.
        world.proxy.rule(Rule::new(Kind::Read, outage).nth(2).always());
        let mut run = world.pipeline.start(&["run", "p.toml", "--json"]);
        run.until("met the outage", || world.proxy.count(|seen| seen.fault.is_some()) > 0);
        let (code, said) = stop(run);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("could not read bytes ") && said.contains("and the run was asked to stop"), "{said}");
        world.proxy.calm();
        world.pipeline.land();
        world.is_exact();
    }
}

#[test]
fn a_service_that_comes_back_in_time_lets_a_run_that_was_asked_to_stop_end_cleanly() {
    let world = patient();
    let content = Lines::new(1).take(3);
    world.write("a.json", &content);
    world.proxy.rule(Rule::new(Kind::Read, Fault::ServerBusy(Some(300))).nth(2));
    let mut run = world.pipeline.start(&["run", "p.toml", "--json"]);
    run.until("met the outage", || world.proxy.count(|seen| seen.fault.is_some()) > 0);
    let (code, said) = stop(run);
    assert_eq!(code, Some(0), "{said}");
    assert!(world.pipeline.position() > 0, "what was begun is landed:\n{said}");
    world.pipeline.land();
    world.is_exact();
}

#[test]
fn a_run_that_has_not_yet_seen_the_source_ends_cleanly() {
    for outage in OUTAGES {
        let world = patient();
        world.write("a.json", Lines::new(1).take(3));
        world.proxy.rule(Rule::new(Kind::List, outage).always());
        let mut run = world.pipeline.start(&["run", "p.toml", "--json"]);
        run.until("met the outage", || world.proxy.count(|seen| seen.fault.is_some()) > 0);
        let (code, said) = stop(run);
        assert_eq!(code, Some(0), "{said}");
    }
}

#[test]
fn a_cold_start_that_waits_for_the_source_ends_soon() {
    let mut world = patient();
    world.pipeline.set("source", "cold_start", "latest");
    world.write("a.json", ONE_FOR_EACH_TABLE);
    world.proxy.rule(Rule::new(Kind::List, Fault::ServerBusy(Some(300))).always());
    let mut run = world.pipeline.start(&["run", "p.toml", "--mode", "tail"]);
    run.until("met the outage", || world.proxy.count(|seen| seen.fault.is_some()) > 0);
    let (code, said) = stop(run);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("could not list az://") && said.contains("and the run was asked to stop"), "{said}");

    // Nothing was decided: the next run passes over what is there when it first sees the source.
    world.proxy.calm();
    world.append("a.json", ONE_FOR_EACH_TABLE);
    assert_eq!(world.pipeline.land()["position"], world.bytes());
    assert_eq!(world.pipeline.land()["bytes"], 0);
}
