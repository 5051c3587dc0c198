//! A slow connection with a long delay is kept busy, in bounded memory.

use std::time::Duration;

use crate::support::proxy::{Fault, Kind, Rule};
use crate::support::{Lines, wait};
use crate::world::World;

const BYTES_A_SECOND: u64 = 2 << 20;
/// Before each answer.
const DELAY: Duration = Duration::from_millis(300);
/// Enough for a debug build.
const MOST_MEMORY: u64 = 300 << 20;

#[test]
fn several_reads_are_under_way_so_that_the_line_is_full() {
    let mut world = World::new();
    world.pipeline.set("source", "chunk", "256 KiB").set("commit", "bytes", "2 MiB").set("source", "in_flight", 4);
    for i in 0..3 {
        world.write(&format!("{i}.json"), Lines::new(i).take(2000));
    }
    world.proxy.limit_bandwidth(Some(BYTES_A_SECOND));
    world.proxy.rule(Rule::new(Kind::Read, Fault::Delay(DELAY)).always());
    let start = wait::now();
    let mut run = world.pipeline.start(&["run", "p.toml", "--json"]);
    let mut peak = 0;
    assert!(wait::until(|| {
        peak = peak.max(run.peak_memory());
        run.has_ended()
    }));
    let took = wait::now() - start;
    run.end().exits_with(0);
    let (bytes, reads) = (world.bytes(), world.requests().reads);
    let (least, in_turn) = (bytes as f64 / BYTES_A_SECOND as f64, reads as f64 * DELAY.as_secs_f64());
    let at_once = world.proxy.most_at_once();
    println!(
        "{bytes} bytes by {reads} reads took {took:.1} s, of {least:.1} s at least and {:.1} s in turn; {at_once} at once, peak {} MiB",
        least + in_turn,
        peak >> 20
    );
    assert!((3..=8).contains(&at_once), "two workers hold four chunks each: {at_once} at once");
    assert!(took < least + in_turn / 2.0, "the line idled");
    assert!(peak < MOST_MEMORY, "{} MiB", peak >> 20);
    world.is_exact();
}

#[test]
fn a_body_that_comes_slowly_is_not_silent() {
    let mut world = World::new();
    world.pipeline.set("source", "chunk", "1 MiB").set("commit", "bytes", "4 MiB").set("source.retry", "timeout", "1s");
    world.write("a.json", Lines::new(1).take(500));
    // A chunk takes longer than `timeout`, but a piece of it does not.
    world.proxy.limit_bandwidth(Some(200 << 10));
    world.pipeline.land();
    let (requests, chunks) = (world.requests(), world.bytes().div_ceil(1 << 20) as usize);
    assert!(requests.reads <= chunks + 4, "{requests:?} for {chunks} chunks");
    world.is_exact();
}
