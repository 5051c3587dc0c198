//! Requests cost money and time: how many are sent for many blobs, for blobs without changes, and
//! for one blob.

use std::time::Duration;

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::proxy::Kind;
use crate::support::{Lines, Running, wait};
use crate::world::{Requests, World, below};

/// Between two polls of a watched tail.
const POLL: Duration = Duration::from_millis(100);
/// How many polls are watched.
const POLLS: usize = 15;

/// The requests of an idle tail over [`POLLS`] polls. Requests of the kind `is_poll` count as
/// polls.
fn idle(world: &World, tail: &mut Running, is_poll: Kind) -> Requests {
    let polls = || world.proxy.count(|seen| seen.kind == is_poll && seen.status.is_some());
    let first = polls();
    tail.until("polled", || polls() > first);
    let (before, began, start) = (world.requests(), polls(), wait::now());
    tail.until("polled again and again", || polls() >= began + POLLS);
    let took = wait::now() - start;
    assert!(took > POLL.as_secs_f64() * (POLLS - 1) as f64, "{POLLS} polls in {took} s");
    world.requests() - before
}

#[test]
fn an_idle_tail_over_hundreds_of_blobs_sends_one_request_a_poll() {
    let mut world = World::new();
    world.pipeline.set("source", "poll", "100ms").set("commit", "interval", "30ms").set("commit", "bytes", "1 MiB");
    (0..300).for_each(|i| world.write(&format!("y=2026/{}/{i}.json", i % 10), ONE_FOR_EACH_TABLE));
    let mut tail = world.pipeline.tail();
    tail.until("landed it all", || world.pipeline.position() == world.bytes());
    let requests = idle(&world, &mut tail, Kind::List);
    tail.stop();
    println!("an idle tail over 300 blobs: {requests:?} in {POLLS} polls");
    assert_eq!((requests.reads, requests.heads), (0, 0), "no blob is asked for");
    // One more may come between two checks of the test.
    assert!(requests.lists <= POLLS + 1, "{requests:?}");
    world.is_exact();
}

#[test]
fn an_idle_tail_over_one_blob_asks_whether_it_changed() {
    let mut world = World::new();
    world.pipeline.set("source", "poll", "100ms").set("commit", "interval", "30ms");
    world.read_from(&below("a.json"));
    world.write("a.json", ONE_FOR_EACH_TABLE);
    let mut tail = world.pipeline.tail();
    tail.until("landed it all", || world.pipeline.position() == world.bytes());
    let requests = idle(&world, &mut tail, Kind::Head);
    println!("an idle tail over one blob: {requests:?} in {POLLS} polls");
    assert_eq!((requests.reads, requests.lists), (0, 0));
    let unchanged = world.proxy.count(|seen| seen.kind == Kind::Head && seen.status == Some(304));
    let heads = world.proxy.count(|seen| seen.kind == Kind::Head && seen.status.is_some());
    assert!(unchanged >= POLLS && heads - unchanged <= 1, "{unchanged} of {heads} answers are short");

    world.append("a.json", ONE_FOR_EACH_TABLE);
    tail.until("landed what came", || world.pipeline.position() == world.bytes());
    tail.stop();
    assert_eq!(world.proxy.count(|seen| seen.kind == Kind::List), 1);
    world.is_exact();
}

#[test]
fn a_thousand_small_blobs_take_two_requests_each() {
    const BLOBS: usize = 1000;
    let mut world = World::new();
    world.pipeline.set("source", "chunk", "1 MiB").set("commit", "bytes", "1 MiB").set("source.azure", "page", 400);
    let mut lines = Lines::new(1);
    (0..BLOBS).for_each(|i| world.write(&format!("{}/{i}.json", i % 7), lines.take(2)));
    let start = wait::now();
    assert_eq!(world.pipeline.land()["bytes"], world.bytes());
    let requests = world.requests();
    let (took, at_once) = (wait::now() - start, world.proxy.most_at_once());
    println!("{BLOBS} blobs: {requests:?} in {took:.1} s, at most {at_once} at once");
    assert_eq!((requests.lists, requests.heads), (3, 0));
    // One to find the last line end, one for the lines. Now and then a long line, or a cut that
    // ends in a blob, takes one more.
    assert!(requests.reads <= 2 * BLOBS + BLOBS / 10, "{requests:?}");
    assert!(at_once > 4, "blobs are read at the same time");
    world.is_exact();
}

#[test]
fn a_large_blob_takes_a_request_for_each_chunk() {
    let mut world = World::new();
    world.pipeline.set("source", "chunk", "64 KiB").set("commit", "bytes", "1 MiB");
    world.write("a.json", Lines::new(1).take(2000));
    world.pipeline.land();
    let (requests, chunks) = (world.requests(), world.bytes().div_ceil(64 << 10) as usize);
    println!("one blob of {chunks} chunks: {requests:?}");
    // A chunk brings the end of its last line along. Now and then a longer line, and the first
    // look, take one more.
    assert!(requests.all() <= chunks + chunks / 4 + 4, "{requests:?} for {chunks} chunks");
    assert!(world.proxy.most_at_once() > 1, "chunks are read at the same time");
    world.is_exact();
}
