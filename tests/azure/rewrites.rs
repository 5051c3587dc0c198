//! Blobs that are no longer the ones that were read: created anew, shorter, overwritten, deleted.

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::proxy::{Fault, Kind, Rule};
use crate::support::{Ended, Lines};
use crate::world::{World, below};

/// Lands `old`, replaces it with `new` by `put`, and lands that under either rule.
fn is_told_or_read_again(old: &[u8], new: &[u8], says: &str, put: impl Fn(&World, &[u8])) {
    let mut world = World::new();
    put(&world, old);
    world.write("b.json", Lines::new(90).take(5));
    world.pipeline.land();
    let position = world.pipeline.position();
    put(&world, new);
    let error = world.pipeline.run().exits_with(3).error();
    assert!(error.contains(&format!("\"a.json\" {says}; it was read up to byte {}", old.len())), "{error}");
    assert_eq!(world.pipeline.position(), position);

    world.pipeline.set("source", "on_rewrite", "restart");
    assert_eq!(world.pipeline.land()["bytes"], new.len());
    assert_eq!(world.pipeline.land()["bytes"], 0);
    let kept = world.pipeline.path("a.old");
    std::fs::write(&kept, old).expect("a copy of the old blob");
    let now = world.pipeline.path("logs/a.json");
    let aliases = [format!("a.json={}", kept.display()), format!("a.json#2={}", now.display())];
    world.is_exact_with(&["--alias", &aliases[0], "--alias", &aliases[1]]);
}

/// Writes an append blob, and deletes it first if it is there.
fn append_blob(world: &World, content: &[u8]) {
    match world.container.list(&below("a.json")).is_empty() {
        true => world.write("a.json", content),
        false => world.recreate("a.json", content),
    }
}

#[test]
fn a_blob_that_was_created_anew() {
    let mut lines = Lines::new(1);
    is_told_or_read_again(&lines.take(20), &lines.take(40), "was rewritten", append_blob);
}

#[test]
fn a_blob_that_was_created_anew_and_is_shorter() {
    let mut lines = Lines::new(2);
    is_told_or_read_again(&lines.take(40), &lines.take(4), "has shrunk", append_blob);
}

#[test]
fn a_block_blob_that_was_written_over() {
    let mut lines = Lines::new(3);
    is_told_or_read_again(&lines.take(20), &lines.take(40), "was rewritten", |world, content| {
        world.put("a.json", content);
    });
}

#[test]
fn a_block_blob_that_was_written_over_with_more_of_the_same_has_grown() {
    let world = World::new();
    let (old, more) = (Lines::new(4).take(20), Lines::new(5).take(20));
    world.put("a.json", &old);
    world.pipeline.land();
    world.put("a.json", [old, more.clone()].concat());
    assert_eq!(world.pipeline.land()["bytes"], more.len());
    world.is_exact();
}

#[test]
fn a_blob_that_is_created_anew_under_a_tail_is_read_again_on_request() {
    let mut world = World::new();
    world.pipeline.set("source", "on_rewrite", "restart").set("commit", "interval", "20ms");
    let (old, new) = (ONE_FOR_EACH_TABLE, ONE_FOR_EACH_TABLE.repeat(3));
    world.write("a.json", Lines::new(6).take(20));
    world.append("a.json", old);
    let mut tail = world.pipeline.tail();
    let length = world.bytes();
    tail.until("landed the old one", || world.pipeline.position() == length);
    world.delete("a.json");
    std::fs::rename(world.pipeline.path("logs/a.json"), world.pipeline.path("a.old")).expect("a copy is kept");
    world.write("a.json", &new);
    tail.until("landed the new one", || world.pipeline.position() == length + new.len() as u64);
    tail.stop();
    let (kept, now) = (world.pipeline.path("a.old"), world.pipeline.path("logs/a.json"));
    let aliases = [format!("a.json={}", kept.display()), format!("a.json#2={}", now.display())];
    world.is_exact_with(&["--alias", &aliases[0], "--alias", &aliases[1]]);
}

#[test]
fn a_blob_that_is_deleted_after_it_was_read_is_no_matter() {
    let mut world = World::new();
    world.pipeline.set("commit", "interval", "20ms");
    world.write("a.json", ONE_FOR_EACH_TABLE);
    let mut tail = world.pipeline.tail();
    tail.until("landed it", || world.pipeline.position() == world.bytes());
    let length = world.bytes();
    world.delete("a.json");
    world.write("b.json", ONE_FOR_EACH_TABLE);
    tail.until("landed the next", || world.pipeline.position() == length + world.bytes());
    tail.stop();
    assert_eq!(world.pipeline.land()["bytes"], 0);
    world.is_exact();
}

#[test]
fn a_blob_that_is_deleted_while_it_is_read_stops_the_run_and_the_next_passes_it_over() {
    let world = World::new();
    world.write("a.json", Lines::new(7).take(3));
    // The first read is the look for the last line end.
    world.proxy.rule(Rule::new(Kind::Read, Fault::Hold).nth(2));
    let mut run = world.pipeline.start(&["run", "p.toml", "--json"]);
    run.until("began to read", || world.proxy.count(|seen| seen.kind == Kind::Read) >= 2);
    world.container.delete(&below("a.json"));
    world.proxy.calm();
    let error = run.end().exits_with(3).error();
    assert!(error.contains("could not read bytes 0..") && error.contains("of \"a.json\" in az://"), "{error}");
    assert!(error.contains("the blob was deleted before it was read to its end"), "{error}");
    world.write("b.json", ONE_FOR_EACH_TABLE);
    world.pipeline.land();
    world.is_exact();
}

#[test]
fn a_blob_that_is_deleted_between_the_list_and_the_look_was_never_there() {
    let world = World::new();
    world.write("a.json", Lines::new(9).take(3));
    world.write("b.json", Lines::new(10).take(3));
    world.proxy.rule(Rule::new(Kind::Read, Fault::Hold).named("a.json"));
    let mut run = world.pipeline.start(&["run", "p.toml", "--json"]);
    run.until("began to look", || {
        world.proxy.count(|seen| seen.kind == Kind::Read && seen.name.contains("a.json")) > 0
    });
    world.container.delete(&below("a.json"));
    world.proxy.calm();
    run.end().exits_with(0);
    world.is_exact();
}

/// Starts a backfill over `old`, and puts `new` in its place while the second read is under way.
fn replaced_under_a_run(world: &World, old: &[u8], new: &[u8]) -> Ended {
    world.write("a.json", old);
    world.proxy.rule(Rule::new(Kind::Read, Fault::Hold).nth(2));
    let mut run = world.pipeline.start(&["run", "p.toml", "--json"]);
    run.until("began to read", || world.proxy.count(|seen| seen.kind == Kind::Read) >= 2);
    world.recreate("a.json", new);
    world.proxy.calm();
    run.end()
}

#[test]
fn a_blob_that_is_created_anew_while_it_is_read_stops_the_run_and_nothing_of_it_is_landed() {
    let (world, mut lines) = (World::new(), Lines::new(8));
    let (old, new) = (lines.take(3), lines.take(90));
    assert!(old.len() < 16 << 10, "the first read is all of the look for the last line end");
    let error = replaced_under_a_run(&world, &old, &new).exits_with(3).error();
    // The service reports creations in seconds; if those are equal, the first bytes tell the blobs
    // apart.
    let written_anew = error.contains("it was rewritten after it was planned");
    assert!(written_anew || error.contains("another blob has taken its name since it was planned"), "{error}");
    world.pipeline.land();
    world.is_exact();
}

#[test]
fn a_blob_that_is_created_anew_under_the_look_for_its_last_line_end_is_not_mixed_with_the_old_one() {
    let (world, mut lines) = (World::new(), Lines::new(8));
    let (old, new) = (lines.take(60), lines.take(90));
    assert!(old.len() > 16 << 10 && new.len() > old.len());
    let ended = replaced_under_a_run(&world, &old, &new);
    // The service reports creations in seconds. If it gives the new blob away, that is looked for
    // again, and read whole; if not, the first bytes do, and the run stops.
    let expected = match ended.code {
        Some(0) => new.len() as u64,
        code => {
            assert_eq!(code, Some(3), "{}", ended.stderr);
            0
        }
    };
    assert_eq!(world.pipeline.position(), expected);
    world.pipeline.land();
    world.is_exact();
}
