//! The lake on Azure, through a network that fails. It is judged as files: its blobs are copied to
//! where the oracle reads tables.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::blobs::connection_string;
use crate::support::crashes::{fails_at, for_every_point};
use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::proxy::{Fault, Kind, Rule};
use crate::support::{Lines, Mounted, Random};
use crate::world::World;

/// A world whose tables lie in its container too.
fn given(seed: u64) -> World {
    let mut world = World::with_seed(seed);
    world.pipeline.set("lake", "root", format!("az://{}/a lake", world.container.name()));
    world
}

/// The tables hold the source exactly. Returns what the oracle says.
#[track_caller]
fn is_exact(world: &World) -> String {
    let _ = fs::remove_dir_all(world.pipeline.path("lake"));
    for blob in world.container.list("a lake/") {
        let path = world.pipeline.path("lake").join(blob.name.strip_prefix("a lake/").expect("its prefix"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, world.container.read(&blob.name)).expect("a file of the lake");
    }
    world.is_exact()
}

#[test]
fn source_and_lake_in_one_container() {
    let world = given(0);
    world.write("a.json", ONE_FOR_EACH_TABLE);
    world.pipeline.land();
    assert_eq!(world.pipeline.land()["bytes"], 0, "the second run finds nothing new");
    world.append("a.json", Lines::new(1).take(200));
    world.pipeline.land();
    let status = world.pipeline.status();
    assert_eq!(status["tables"]["primary"]["lag"], 0);
    assert_eq!(status["tables"]["primary"]["position"], world.bytes());
    let said = world.pipeline.call(&["validate", "p.toml", "--connect"]).exits_with(0).stdout;
    for words in ["access   source: ", "access   lake: ", "the account key", "/a lake/lakehouse/logs/primary"] {
        assert!(said.contains(words), "{words} in {said}");
    }
    assert!(!world.pipeline.path("lake").exists(), "no part of the lake is on the disk");
    is_exact(&world);
}

#[test]
fn space_for_files_that_wait_for_their_upload_is_guarded() {
    let mut world = given(0);
    let scratch = world.pipeline.path("scratch");
    fs::create_dir(&scratch).expect("a folder");
    let Some(_disk) = Mounted::tmpfs(scratch.clone(), "size=1m") else {
        println!("skipped: only root may mount a small disk");
        return;
    };
    world.write("a.json", ONE_FOR_EACH_TABLE);
    world.pipeline.set("disk", "min_free", "2 MiB");
    let mut command = world.pipeline.command(&["run", "p.toml", "--json"]);
    command.env("TMPDIR", &scratch);
    let error = world.pipeline.spawn(command).end().exits_with(3).error();
    let told = format!("the file system of scratch ({}) has ", scratch.display());
    assert!(error.contains(&told), "{error}");
    world.pipeline.land();
    is_exact(&world);
}

#[test]
fn files_land_in_an_account_of_the_lake() {
    let mut world = given(0);
    let connection = connection_string(&world.proxy.endpoint());
    world.pipeline.set("source", "url", "file:logs/").set("lake.azure", "connection_string", connection);
    for (section, key) in [("source.azure", "connection_string"), ("source.retry", "timeout")] {
        world.pipeline.unset(section, key);
    }
    for key in ["max_time", "first", "cap"] {
        world.pipeline.unset("source.retry", key);
    }
    world.pipeline.set("lake", "partition_by", "day");
    world.pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    world.pipeline.land();
    is_exact(&world);
}

#[test]
fn a_lake_without_its_container_is_refused() {
    let mut world = given(0);
    world.write("a.json", ONE_FOR_EACH_TABLE);
    world.pipeline.set("lake", "root", "az://no-such-container/lake");
    let error = world.pipeline.run().exits_with(3).error();
    assert!(error.contains("ContainerNotFound") && error.contains("create it"), "{error}");
}

#[test]
fn a_lost_reply_of_each_write_lands_nothing_twice() {
    let world = given(0);
    world.write("a.json", Lines::new(2).take(300));
    world.proxy.rule(Rule::new(Kind::Put, Fault::LostReply).every(3).always());
    world.pipeline.land();
    assert!(world.proxy.count(|seen| seen.fault == Some(Fault::LostReply)) > 5);
    is_exact(&world);
}

#[test]
fn a_crash_at_any_step_loses_and_doubles_nothing() {
    let met = AtomicUsize::new(0);
    for_every_point(|point| {
        for time in [1, 2, 4] {
            let world = given(0);
            let mut lines = Lines::new(7);
            ["a.json", "b.json"].iter().for_each(|name| world.write(name, lines.take(15)));
            // Only a lake on a disk passes all points.
            if !fails_at(&world.pipeline, point, time) {
                break;
            }
            met.fetch_add(1, Ordering::Relaxed);
            world.pipeline.land();
            is_exact(&world);
        }
    });
    let met = met.into_inner();
    assert!(met >= 20, "only {met} crashes");
}

#[test]
fn killed_again_and_again_while_requests_fail() {
    const ROUNDS: usize = 8;
    let mut random = Random::new(7);
    let mut lines = Lines::new(7);
    let world = given(7);
    for kind in [Kind::Put, Kind::Read, Kind::Head, Kind::List] {
        world.proxy.chance(kind, 30, Fault::LostReply);
        world.proxy.chance(kind, 30, Fault::ServerBusy(None));
    }
    for round in 0..ROUNDS {
        let name = format!("{}.json", round % 3);
        match round < 3 {
            true => world.write(&name, lines.take(60)),
            false => world.append(&name, lines.take(60)),
        }
        let mut tail = world.pipeline.start(&["run", "p.toml", "--mode", "tail", "--json"]);
        // A kill comes between the first request of the claim and some way into the commits.
        let (before, wanted) = (world.proxy.count(|_| true), random.below(0..150) as usize);
        tail.until("sent requests", || {
            world.proxy.count(|_| true) >= before + wanted || world.pipeline.position() == world.bytes()
        });
        tail.kill();
    }
    world.proxy.calm();
    world.pipeline.land();
    is_exact(&world);
    world.pipeline.is_proved();
}
