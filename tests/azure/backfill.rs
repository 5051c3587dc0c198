//! Every blob lands once, whatever its name and however the source refers to it.

use crate::support::Lines;
use crate::support::lines::samples;
use crate::support::proxy::Kind;
use crate::world::{Requests, World};

/// Names as Azure writes them, and names with characters that URLs encode.
const NAMES: [&str; 6] = [
    "resourceId=/SUBSCRIPTIONS/A/FLEXIBLESERVERS/X/y=2026/m=11/d=21/h=07/m=00/PT1H.json",
    "resourceId=/SUBSCRIPTIONS/A/FLEXIBLESERVERS/X/y=2026/m=11/d=21/h=08/m=00/PT1H.json",
    "with space/and  two.json",
    "100%/%2F+%zz.json",
    "a#b&c=d+e.json",
    "Größe/日本語 🚀.json",
];

/// Writes some lines to each of `NAMES`, below `folder`.
fn write_all(world: &World, folder: &str) {
    for (seed, name) in (1..).zip(NAMES) {
        world.container.write(&format!("{folder}{name}"), Lines::new(seed).take(15));
    }
}

#[test]
fn a_folder_is_read_with_and_without_a_slash_and_so_is_a_whole_container() {
    for (path, folder) in [("a/b", "a/b/"), ("a/b/", "a/b/"), ("", "")] {
        let mut world = World::new();
        world.read_from(path);
        write_all(&world, folder);
        if !folder.is_empty() {
            world.container.write("a/bc/other.json", "this is not for the tables\n");
        }
        world.pipeline.land();
        world.mirror(folder, |name| name.strip_prefix(folder).map(str::to_owned));
        world.pipeline.is_exact();
        assert_eq!(world.pipeline.land()["bytes"], 0, "{path:?} is read the same by the next run");
    }
}

#[test]
fn a_glob_reads_what_it_matches() {
    let mut world = World::new();
    world.read_from("a/**/y=2026/**/*.json");
    write_all(&world, "a/");
    world.container.write("a/y=2026/PT1H.txt", "this is not for the tables\n");
    world.pipeline.land();
    world.mirror("a/", |name| name.strip_prefix("a/").filter(|name| name.ends_with("PT1H.json")).map(str::to_owned));
    world.pipeline.is_exact();
}

#[test]
fn a_blob_is_read_by_its_name() {
    for name in [NAMES[0], "a b/ü%20#1.json"] {
        let mut world = World::new();
        world.read_from(name);
        world.container.write(name, Lines::new(1).take(40));
        world.pipeline.land();
        let last = name.rsplit('/').next();
        world.mirror(name, |_| last.map(str::to_owned));
        world.pipeline.is_exact();
        world.container.append(name, Lines::new(2).take(10));
        world.pipeline.land();
        world.mirror(name, |_| last.map(str::to_owned));
        world.pipeline.is_exact();
    }
}

#[test]
fn lines_of_every_kind_are_landed_as_from_files() {
    let world = World::new();
    for name in ["crlf_bom", "edge_cases", "categories_other", "primary", "replica"] {
        let sample = std::fs::read(samples().join(format!("azure_flex_{name}.ndjson"))).expect("a sample");
        world.write(&format!("append/{name}.json"), &sample);
        world.put(&format!("block/{name}.json"), &sample);
    }
    world.write("torn.json", "\u{feff}{\"ReplicaRole\": \"Primary\"}\r\n\r\n{\"ReplicaRole\": \"Prim");
    let ended = world.pipeline.run().exits_with(0);
    assert!(ended.stderr.contains("the last line has no newline"), "{}", ended.stderr);
    world.is_exact();
    world.append("torn.json", "ary\"}\r\n");
    world.pipeline.land();
    world.is_exact();
}

#[test]
fn a_folder_may_have_an_entry_of_its_own() {
    // Accounts with a hierarchical namespace list folders like this.
    let mut world = World::new();
    world.read_from("logs");
    world.container.write("logs", "");
    let mut tail = world.pipeline.tail();
    tail.until("looked", || world.requests().lists > 2);
    world.container.write("logs/h=08", "");
    world.write("h=07/a.json", Lines::new(1).take(3));
    tail.until("landed it", || world.pipeline.position() == world.bytes());
    tail.stop();
    world.is_exact();
}

#[test]
fn a_blob_and_a_folder_of_one_name_are_refused() {
    let mut world = World::new();
    world.read_from("a");
    world.container.write("a", Lines::new(1).take(3));
    world.container.write("a/b.json", Lines::new(2).take(3));
    let error = world.pipeline.run().exits_with(3).error();
    assert!(error.contains("it is a blob and a folder: end source.url with a slash"), "{error}");
    assert_eq!(world.pipeline.position(), 0);

    world.read_from("a/");
    world.pipeline.land();
    world.mirror("a/", |name| name.strip_prefix("a/").map(str::to_owned));
    world.pipeline.is_exact();
}

#[test]
fn a_container_that_does_not_exist_stops_a_run_at_once() {
    let mut world = World::new();
    world.pipeline.set("source", "url", "az://there-is-none/logs/");
    let error = world.pipeline.run().exits_with(3).error();
    assert!(error.contains("could not list az://devstoreaccount1/there-is-none/logs"), "{error}");
    assert!(error.contains("404 ContainerNotFound: create the container, or correct the URL"), "{error}");
    assert_eq!(world.requests(), Requests { lists: 1, reads: 0, heads: 0 });
    let error = world.pipeline.call(&["status", "p.toml"]).exits_with(3).error();
    assert!(error.contains("ContainerNotFound"), "{error}");
}

#[test]
fn a_second_run_over_what_did_not_change_sends_one_request() {
    let world = World::new();
    (0..40).for_each(|i| world.write(&format!("{i}.json"), Lines::new(i).take(5)));
    (0..10).for_each(|i| world.write(&format!("empty/{i}.json"), ""));
    world.pipeline.land();
    let before = world.requests();
    assert_eq!(world.proxy.count(|seen| seen.kind == Kind::Read && seen.name.contains("empty")), 0);
    assert_eq!(world.pipeline.land()["bytes"], 0);
    assert_eq!(world.requests() - before, Requests { lists: 1, reads: 0, heads: 0 });

    world.append("7.json", Lines::new(99).take(5));
    let before = world.requests();
    world.pipeline.land();
    let after = world.requests() - before;
    assert!(after.lists == 1 && after.reads <= 5 && after.heads == 0, "one blob has grown: {after:?}");
    world.is_exact();
}

#[test]
fn the_state_file_tells_blob_offset_etag_and_creation() {
    let world = World::new();
    let content = Lines::new(1).take(60);
    world.write("h=07/a.json", &content);
    world.pipeline.land();
    let state = world.pipeline.state().expect("a state file");
    let source = format!("az://devstoreaccount1/{}/logs", world.container.name());
    assert_eq!(state["source"], source);
    let (blob, partition) = (&world.container.list("")[0], &world.partitions()[0]);
    assert_eq!((&partition["name"], &partition["offset"]), (&"h=07/a.json".into(), &content.len().into()));
    let etag = blob.etag.to_string();
    assert_eq!(partition["revision"], etag.trim_matches('"'));
    let created = partition["created"].as_str().expect("a time");
    assert_eq!(azure_core::time::parse_rfc3339(created).expect("a time"), blob.created);

    let status = world.pipeline.status();
    assert_eq!(status["source"], source);
    for table in ["primary", "replica", "rejects"] {
        assert_eq!(status["tables"][table]["offsets"]["h=07/a.json"], content.len());
        assert_eq!(status["tables"][table]["lag"], 0);
    }
}

#[test]
fn a_prefix_that_matches_nothing_is_told_last() {
    let mut world = World::new();
    write_all(&world, "logs/");
    world.read_from("lgos/");
    let ended = world.pipeline.run().exits_with(0);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("NOTHING WAS READ: az://") && last.contains("/lgos has no file"), "{}", ended.stderr);
}
