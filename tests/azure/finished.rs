//! Finished blobs leave the offsets, and none of their rows lands twice or is missed.

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::{Lines, Running, wait};
use crate::world::{World, below};

/// A world whose blobs are finished once they have been quiet for a second.
fn hasty() -> World {
    let mut world = World::new();
    world.pipeline.set("source", "settle", "1s").set("commit", "interval", "20ms");
    world
}

/// How many bytes have left the offsets, according to the state file.
fn retired(world: &World) -> u64 {
    world.pipeline.state().and_then(|state| state["offsets"]["retired"]["bytes"].as_u64()).unwrap_or(0)
}

/// Writes blobs, one after the other, until the earlier ones have left. Returns the bytes written.
fn write_until_they_left(world: &World, tail: &mut Running, round: &str, bytes: u64) -> u64 {
    let (mut written, mut i) = (0, 0);
    tail.until("took blobs for finished", || {
        if retired(world) >= bytes {
            return true;
        }
        let content = ONE_FOR_EACH_TABLE.repeat(3);
        world.write(&format!("{round}-{i}.json"), &content);
        (written, i) = (written + content.len() as u64, i + 1);
        wait::pause(std::time::Duration::from_millis(100));
        false
    });
    written
}

#[test]
fn offsets_stay_small_under_a_tail_while_blobs_come_and_go() {
    let world = hasty();
    (0..60).for_each(|i| world.write(&format!("old/{i}.json"), Lines::new(i).take(3)));
    world.write("old/60.json", ONE_FOR_EACH_TABLE);
    let old = world.bytes();
    let mut tail = world.pipeline.tail();
    tail.until("landed it all", || world.pipeline.position() == old);
    let mut written = old + write_until_they_left(&world, &mut tail, "one", old);
    // Blobs that are gone from the source leave as well.
    (0..=60).for_each(|i| world.delete(&format!("old/{i}.json")));
    let gone = retired(&world) + 30 * ONE_FOR_EACH_TABLE.len() as u64;
    written += write_until_they_left(&world, &mut tail, "two", gone);
    world.write("last.json", ONE_FOR_EACH_TABLE);
    written += ONE_FOR_EACH_TABLE.len() as u64;
    tail.until("landed it all", || world.pipeline.position() == written);
    tail.stop();
    let (kept, blobs) = (world.partitions().len(), 61 + world.container.list("").len());
    println!("{kept} of {blobs} blobs are still in the offsets");
    assert!(kept < 45, "{kept} of {blobs} blobs are still in the offsets");
    let status = world.pipeline.status();
    assert_eq!(status["tables"]["primary"]["offsets"].as_object().map(|offsets| offsets.len()), Some(kept));
    assert_eq!((status["tables"]["primary"]["lag"].as_u64(), retired(&world) > 0), (Some(0), true));

    assert_eq!(world.pipeline.land()["bytes"], 0, "a restart lands nothing twice");
    world.is_exact();
}

#[test]
fn offsets_stay_small_over_a_series_of_backfills() {
    let world = hasty();
    let mut position = 0;
    let mut most = 0;
    for round in 0..5 {
        for i in 0..8 {
            let content = Lines::new(round * 10 + i).take(4);
            world.write(&format!("{round}/{i}.json"), &content);
            position += content.len() as u64;
        }
        if round > 1 {
            (0..8).for_each(|i| world.delete(&format!("{}/{i}.json", round - 2)));
        }
        assert_eq!(world.pipeline.land()["position"], position);
        most = most.max(world.partitions().len());
        // The test is about time that passes: two ticks of the service's clock, which counts
        // seconds, are beyond `settle`.
        wait::pause(std::time::Duration::from_millis(2100));
    }
    assert!(most <= 16, "of 40 blobs, only the last are in the offsets: {most}");
    assert!(retired(&world) > position / 2);
    world.pipeline.forget_state();
    assert_eq!(world.pipeline.land()["bytes"], 0, "the tables remember");
    world.is_exact();
}

/// A world in which `a.json` has left the offsets, and what the blob held then.
fn after_it_left() -> (World, Vec<u8>) {
    let world = hasty();
    let content = [&Lines::new(1).take(10)[..], ONE_FOR_EACH_TABLE.as_bytes()].concat();
    world.write("a.json", &content);
    let mut tail = world.pipeline.tail();
    tail.until("landed it", || world.pipeline.position() == content.len() as u64);
    write_until_they_left(&world, &mut tail, "b", content.len() as u64);
    assert!(world.partitions().iter().all(|partition| partition["name"] != "a.json"));
    tail.until("landed it all", || world.pipeline.position() == world.bytes());
    tail.stop();
    (world, content)
}

#[test]
fn a_blob_that_grows_after_it_left_stops_the_run() {
    let (world, content) = after_it_left();
    world.append("a.json", ONE_FOR_EACH_TABLE);
    let error = world.pipeline.run().exits_with(3).error();
    assert!(error.contains("\"a.json\" has grown after it had been quiet for source.settle"), "{error}");
    assert!(error.contains("set source.on_rewrite = \"restart\""), "{error}");

    // As the message says: once the blob is out of the way, the run goes on.
    world.pipeline.write("a.json", content);
    world.container.delete(&below("a.json"));
    world.write("c.json", ONE_FOR_EACH_TABLE);
    world.pipeline.land();
    world.is_exact();
}

#[test]
fn a_blob_that_grows_after_it_left_is_read_again_on_request() {
    let (mut world, content) = after_it_left();
    world.pipeline.set("source", "on_rewrite", "restart");
    world.append("a.json", ONE_FOR_EACH_TABLE);
    let ended = world.pipeline.run().exits_with(0);
    assert!(ended.stderr.contains("reading it again from its beginning, as generation "), "{}", ended.stderr);
    world.append("a.json", ONE_FOR_EACH_TABLE);
    world.pipeline.land();
    assert_eq!(world.pipeline.land()["bytes"], 0);

    let kept = world.pipeline.path("a.old");
    std::fs::write(&kept, content).expect("a copy of the old blob");
    // Its earlier generations are forgotten, so it gets a number that they cannot have had.
    let again =
        world.partitions().iter().find_map(|at| at["generation"].as_u64().filter(|n| *n > 2)).expect("it is read");
    let grown = world.pipeline.path("logs/a.json");
    let aliases = [format!("a.json={}", kept.display()), format!("a.json#{again}={}", grown.display())];
    world.is_exact_with(&["--alias", &aliases[0], "--alias", &aliases[1]]);
}
