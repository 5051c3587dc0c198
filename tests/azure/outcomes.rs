//! Every fault by itself: either it passes, and the run goes on exactly; or it lasts, and the run
//! ends in time and says why.

use std::time::Duration;

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::proxy::Fault::{self, *};
use crate::support::proxy::{Kind, Rule};
use crate::support::{Lines, wait};
use crate::world::{World, below};

/// What a busy or broken service does, and a broken connection.
const PASSING: [Fault; 9] = [
    TooManyRequests(None),
    InternalError(None),
    ServerBusy(Some(1)),
    ModifiedWhileReading,
    ConditionNotMet,
    Reset,
    LostReply,
    Truncated,
    Stall(Duration::from_secs(3)),
];

/// A world with a short timeout, and cuts that are committed soon.
fn impatient() -> World {
    let mut world = World::new();
    world.pipeline.set("source.retry", "timeout", "1s").set("commit", "interval", "20ms");
    world
}

/// A tail goes through these faults of one kind of request, one after the other, and lands what
/// grows meanwhile.
fn passes(world: &World, kind: Kind, faults: &[Fault]) {
    world.write("a.json", Lines::new(1).take(30));
    world.append("a.json", ONE_FOR_EACH_TABLE);
    let mut tail = world.pipeline.tail();
    for fault in faults {
        // Two in a row, for the first pause and the next.
        world.proxy.rule(Rule::new(kind, *fault).times(2));
        world.append("a.json", ONE_FOR_EACH_TABLE);
        let met = || world.proxy.count(|seen| seen.kind == kind && seen.fault == Some(*fault));
        tail.until(&format!("got over {fault:?}"), || met() >= 2 && world.pipeline.position() == world.bytes());
        world.proxy.calm();
    }
    tail.stop();
    world.is_exact();
}

#[test]
fn a_list_that_fails_is_sent_again() {
    passes(&impatient(), Kind::List, &[&PASSING[..], &[NotModified, InvalidRange]].concat());
}

#[test]
fn a_read_that_fails_is_sent_again_and_so_is_one_whose_answer_is_not_true() {
    passes(&impatient(), Kind::Read, &[&PASSING[..], &[NotFound, InvalidRange, NotModified, EmptyPart]].concat());
}

#[test]
fn a_look_at_one_blob_that_fails_is_sent_again() {
    let mut world = impatient();
    world.read_from(&below("a.json"));
    passes(&world, Kind::Head, &[&PASSING[..], &[NotFound, InvalidRange, NotModified]].concat());
}

#[test]
fn what_the_service_asks_for_is_waited_for() {
    for (kind, fault) in [(Kind::List, ServerBusy(Some(2))), (Kind::Read, TooManyRequests(Some(2)))] {
        let world = World::new();
        world.write("a.json", Lines::new(1).take(10));
        world.proxy.rule(Rule::new(kind, fault));
        let start = wait::now();
        world.pipeline.land();
        assert!(wait::now() - start >= 2.0, "it came back before the service wanted it to");
        assert_eq!(world.proxy.count(|seen| seen.fault.is_some()), 1, "it sent no request in between");
        world.is_exact();
    }
}

#[test]
fn an_answer_that_breaks_off_is_continued_where_it_broke_off() {
    let mut world = World::new();
    world.pipeline.set("source", "chunk", "8 MiB");
    world.write("a.json", Lines::new(1).take(1500));
    // Not the look for the last line end. Each try brings half of what is missing.
    world.proxy.rule(Rule::new(Kind::Read, Truncated).nth(2).times(4));
    world.pipeline.land();
    let reads: Vec<_> =
        world.proxy.seen().into_iter().filter(|seen| seen.fault.is_some()).filter_map(|seen| seen.range).collect();
    assert_eq!(reads.len(), 4);
    assert!(reads.windows(2).all(|pair| pair[0].start < pair[1].start && pair[0].end == pair[1].end), "{reads:?}");
    world.is_exact();
}

#[test]
fn a_whole_blob_in_place_of_a_range_is_not_taken_for_it() {
    let mut world = World::new();
    // With a key the range would be signed, and the service would miss it.
    world.pipeline.unset("source.azure", "connection_string");
    world.pipeline.set("source.azure", "endpoint", world.proxy.endpoint().trim_end_matches('/'));
    world.pipeline.set("source.azure", "sas", world.container.sas("rl")).set("source", "chunk", "16 KiB");
    world.write("a.json", Lines::new(1).take(300));
    world.proxy.rule(Rule::new(Kind::Read, WholeBlob).every(2).times(6));
    world.pipeline.land();
    assert_eq!(world.proxy.count(|seen| seen.fault == Some(WholeBlob)), 6);
    world.is_exact();
}

#[test]
fn a_container_that_is_deleted_under_a_tail_stops_it() {
    for path in [below("a.json"), below("")] {
        let mut world = World::new();
        world.read_from(&path);
        world.write("a.json", ONE_FOR_EACH_TABLE);
        let mut tail = world.pipeline.tail();
        tail.until("landed it", || world.pipeline.position() == world.bytes());
        world.container.remove();
        tail.until("stopped", || world.proxy.count(|seen| seen.status == Some(404)) > 0);
        let error = tail.end().exits_with(3).error();
        assert!(error.contains("ContainerNotFound: create the container"), "{path:?}: {error}");
    }
}

/// A backfill in which every request of a kind fails. Returns its error, and how many such requests
/// there were.
fn lasts(kind: Kind, fault: Fault) -> (String, usize) {
    let mut world = impatient();
    world.pipeline.set("source.retry", "max_time", "1500ms");
    world.write("a.json", Lines::new(1).take(10));
    world.proxy.rule(Rule::new(kind, fault).always());
    let start = wait::now();
    let error = world.pipeline.run().exits_with(3).error();
    let took = wait::now() - start;
    assert!(took < 15.0, "{fault:?} of {kind:?} took {took} s");
    assert!(error.contains("az://"), "{error}");
    assert_eq!(world.pipeline.position(), 0);
    // Once the fault is over, everything lands.
    world.proxy.calm();
    world.pipeline.land();
    world.is_exact();
    (error, world.proxy.count(|seen| seen.kind == kind && seen.fault.is_some()))
}

#[test]
fn a_list_that_fails_for_too_long_ends_the_run() {
    for fault in [ServerBusy(None), Reset, Truncated] {
        let (error, requests) = lasts(Kind::List, fault);
        assert!(error.contains("could not list az://") && error.contains("tries in "), "{error}");
        // The pauses are 10, 20, 40, 80 and 160 ms, then 200, each shortened by half at most.
        assert!((4..=24).contains(&requests), "{requests} requests: {error}");
    }
}

#[test]
fn a_read_that_fails_for_too_long_ends_the_run() {
    for (fault, cause) in [
        (InternalError(None), "500 InternalError"),
        (Reset, ""),
        (EmptyPart, "although the blob is there"),
        (NotFound, "although the blob is there"),
    ] {
        let (error, requests) = lasts(Kind::Read, fault);
        assert!(error.contains("could not read bytes ") && error.contains("of \"a.json\" in az://"), "{error}");
        assert!(error.contains("tries in ") && error.contains(cause), "{error}");
        assert!((4..=24).contains(&requests), "{requests} requests: {error}");
    }
}

#[test]
fn an_outage_after_the_list_ends_the_run_with_few_requests() {
    let mut world = impatient();
    world.pipeline.set("source.retry", "max_time", "1500ms");
    (0..20).for_each(|i| world.write(&format!("{i}.json"), Lines::new(i).take(2)));
    world.proxy.rule(Rule::new(Kind::Read, ServerBusy(None)).always());
    world.proxy.rule(Rule::new(Kind::Head, ServerBusy(None)).always());
    let error = world.pipeline.run().exits_with(3).error();
    assert!(error.contains(".json\" in az://") && error.contains("503 ServerBusy"), "{error}");
    let requests = world.requests();
    println!("an outage of 1.5 s under 16 looks: {requests:?}");
    // Each look reads, and then checks whether the blob is there at all.
    assert!(requests.lists == 1 && requests.reads <= 20 * 24 && requests.heads <= 20 * 24, "{requests:?}");
}

#[test]
fn silence_for_too_long_ends_the_run() {
    for kind in [Kind::List, Kind::Read] {
        let (error, requests) = lasts(kind, Stall(Duration::from_secs(60)));
        assert!(error.contains("no byte came for 1 s"), "{error}");
        assert!(requests <= 3, "{requests} requests: {error}");
    }
}

#[test]
fn a_pause_longer_than_it_may_take_is_not_begun() {
    let (error, requests) = lasts(Kind::List, ServerBusy(Some(3600)));
    assert!(error.contains("1 tries in 0.") && error.contains("503 ServerBusy"), "{error}");
    assert_eq!(requests, 1);
}

#[test]
fn a_refusal_ends_the_run_at_once() {
    for (kind, text) in [(Kind::List, "could not list az://"), (Kind::Read, "could not read bytes ")] {
        let (error, requests) = lasts(kind, AuthenticationFailed);
        assert!(error.contains(text) && error.contains("403 AuthenticationFailed"), "{error}");
        assert_eq!(requests, 1, "{error}");
    }
}
