//! Space runs low: old files are deleted, a run stops or waits, and nothing that was committed is
//! lost.

use std::fs;
use std::time::Duration;

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::{Lines, Mounted, Pipeline, wait};

/// A pipeline whose lake is on a disk of 64 MiB, of which 32 must stay free, with a folder to fill
/// beside it.
fn on_a_small_disk() -> Option<(Pipeline, Mounted)> {
    let mut pipeline = Pipeline::new();
    fs::create_dir(pipeline.path("disk")).expect("a folder");
    let Some(disk) = Mounted::tmpfs(pipeline.path("disk"), "size=64m") else {
        println!("skipped: only root may mount a small disk");
        return None;
    };
    pipeline.set("lake", "root", "file:disk/lake").set("disk", "min_free", "32 MiB").set("commit", "interval", "10ms");
    fs::create_dir(pipeline.path("disk/others")).expect("a folder");
    std::os::unix::fs::symlink("disk/lake", pipeline.path("lake")).expect("a link for the judge");
    Some((pipeline, disk))
}

/// Somebody else takes most of the disk.
fn fill(pipeline: &Pipeline) {
    fs::write(pipeline.path("disk/others/large"), vec![1; 40 << 20]).expect("a large file");
}

fn make_room(pipeline: &Pipeline) {
    fs::remove_file(pipeline.path("disk/others/large")).expect("it goes away");
}

#[test]
fn a_run_stops_while_space_is_low_and_the_next_lands_all() {
    let Some((pipeline, _disk)) = on_a_small_disk() else { return };
    let mut lines = Lines::new(1);
    pipeline.write("a.json", lines.take(40));
    pipeline.land();
    fill(&pipeline);
    pipeline.is_exact();
    let (before, run) = (pipeline.position(), pipeline.status()["tables"]["primary"]["run"].clone());
    pipeline.append("a.json", lines.take(40));
    let error = pipeline.run().exits_with(3).error();
    assert!(error.contains("the file system of lake (disk/lake) has "), "{error}");
    assert!(error.contains("less than disk.min_free = 33554432 bytes: make room"), "{error}");
    assert_eq!(pipeline.position(), before, "no work was handed out");
    let claimed = &pipeline.status()["tables"]["primary"]["run"];
    assert_eq!(*claimed, run, "no table was claimed: under a supervisor, claims would fill the disk");

    make_room(&pipeline);
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn space_that_runs_low_under_a_tail_stops_it() {
    let Some((pipeline, _disk)) = on_a_small_disk() else { return };
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let mut tail = pipeline.tail();
    tail.until("landed it", || pipeline.position() == ONE_FOR_EACH_TABLE.len() as u64);
    fill(&pipeline);
    let error = tail.end().exits_with(3).error();
    assert!(error.contains("less than disk.min_free"), "{error}");
    pipeline.is_exact();
}

#[test]
fn old_files_go_before_a_run_does() {
    let Some((mut pipeline, _disk)) = on_a_small_disk() else { return };
    let others = pipeline.path("disk/others");
    let clean = |age| serde_json::json!([{"dir": others, "older_than": age}]);
    pipeline.write("a.json", Lines::new(2).take(40));
    fill(&pipeline);
    fs::write(pipeline.path("outside"), "not theirs").expect("a file");
    std::os::unix::fs::symlink(pipeline.path("outside"), pipeline.path("disk/others/link")).expect("a link");
    // The same file system, reached by a mount and not by a link.
    for folder in ["disk/elsewhere", "disk/others/mounted"] {
        fs::create_dir(pipeline.path(folder)).expect("a folder");
    }
    fs::write(pipeline.path("disk/elsewhere/old"), "not theirs either").expect("a file");
    let _mounted = Mounted::bind(&pipeline.path("disk/elsewhere"), pipeline.path("disk/others/mounted"));

    pipeline.set("disk", "clean", clean("1h"));
    pipeline.run().exits_with(3);
    assert!(pipeline.path("disk/others/large").exists(), "it is not an hour old");

    // Only the passing of time makes files old.
    wait::pause(Duration::from_millis(1_100));
    pipeline.set("disk", "clean", clean("1s"));
    let ended = pipeline.run().exits_with(0);
    assert!(ended.stderr.contains("deleted old files, because space is low"), "{}", ended.stderr);
    assert!(!pipeline.path("disk/others/large").exists());
    assert!(pipeline.path("disk/others/link").exists() && pipeline.path("outside").exists());
    assert!(pipeline.path("disk/elsewhere/old").exists());
    pipeline.is_exact();
}

#[test]
fn the_lake_is_not_cleaned_under_another_name() {
    let Some((mut pipeline, _disk)) = on_a_small_disk() else { return };
    pipeline.write("a.json", Lines::new(5).take(40));
    pipeline.land();
    fill(&pipeline);
    fs::create_dir(pipeline.path("disk/mounted")).expect("a folder");
    wait::pause(Duration::from_millis(1_100));
    let clean = serde_json::json!([{"dir": pipeline.path("disk/mounted"), "older_than": "1s"}]);
    pipeline.set("disk", "clean", clean);
    // The lake itself, and a folder in it.
    let table = pipeline.table("primary").strip_prefix(pipeline.path("lake")).expect("it lies there").to_owned();
    for folder in [pipeline.path("disk/lake"), pipeline.path("disk/lake").join(table)] {
        let _mounted = Mounted::bind(&folder, pipeline.path("disk/mounted"));
        let ended = pipeline.run().exits_with(3);
        assert!(ended.stderr.contains("the run needs, mounted in a second place"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("deleted old files, because space is low"), "{}", ended.stderr);
    }
    pipeline.is_exact();
}

#[test]
fn a_clean_up_that_fails_is_a_warning() {
    let Some((mut pipeline, _disk)) = on_a_small_disk() else { return };
    pipeline.write("a.json", Lines::new(3).take(40));
    fill(&pipeline);
    pipeline.set("disk", "clean", serde_json::json!([{"dir": "gone"}]));
    let ended = pipeline.run().exits_with(3);
    assert!(ended.stderr.contains("could not clean gone: No such file"), "{}", ended.stderr);
    assert!(ended.error().contains("less than disk.min_free"), "{}", ended.stderr);
}

#[test]
fn a_clean_up_that_is_not_enough_is_told_with_the_rest() {
    let Some((mut pipeline, _disk)) = on_a_small_disk() else { return };
    pipeline.write("a.json", Lines::new(4).take(40));
    fs::create_dir(pipeline.path("disk/old")).expect("a folder");
    fs::write(pipeline.path("disk/old/small"), [1; 4096]).expect("a file");
    fill(&pipeline);
    wait::pause(Duration::from_millis(1_100));
    pipeline.set("disk", "clean", serde_json::json!([{"dir": "disk/old", "older_than": "1s"}]));
    let error = pipeline.run().exits_with(3).error();
    assert!(error.contains(" bytes free after 1 old files of 4096 bytes were deleted, less than"), "{error}");
}

#[test]
fn a_tail_that_pauses_goes_on_by_itself() {
    let Some((mut pipeline, _disk)) = on_a_small_disk() else { return };
    pipeline.set("disk", "on_low", "pause");
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let length = ONE_FOR_EACH_TABLE.len() as u64;
    let mut tail = pipeline.tail();
    tail.until("landed it", || pipeline.position() == length);
    fill(&pipeline);
    tail.until_it_says("no new chunks are read until there is room");
    pipeline.append("a.json", ONE_FOR_EACH_TABLE);
    // Time for many polls, and for a look or two at the space.
    wait::pause(Duration::from_millis(1_500));
    assert_eq!(pipeline.position(), length, "it reads nothing");
    make_room(&pipeline);
    tail.until("went on", || pipeline.position() == 2 * length);
    let ended = tail.stop();
    assert_eq!(ended.stderr.matches("no new chunks are read").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("there is room again"), "{}", ended.stderr);
    pipeline.is_exact();
}

#[test]
fn a_tail_that_is_paused_can_be_stopped() {
    let Some((mut pipeline, _disk)) = on_a_small_disk() else { return };
    pipeline.set("disk", "on_low", "pause").write("a.json", ONE_FOR_EACH_TABLE);
    fill(&pipeline);
    let mut tail = pipeline.tail();
    tail.until_it_says("no new chunks are read until there is room");
    assert_eq!(tail.stop().json()["bytes"], 0);
    make_room(&pipeline);
    pipeline.land();
    pipeline.is_exact();
}
