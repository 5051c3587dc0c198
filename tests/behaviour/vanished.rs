//! Files that go while somebody still needs them: what can be read of them is read, once, and what
//! cannot is told.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::rotation::{given, lines, proved, rename};
use crate::support::{Pipeline, Running};

/// A pipeline over `logs/*.json` that polls and commits often.
fn pipeline() -> Pipeline {
    given("file:logs/*.json")
}

/// A line for the first table.
const PRIMARY: &str = "{\"ReplicaRole\": \"Primary\"}\n";

/// A tail that has looked at all files, and landed the lines of one more.
fn tail_that_has_looked(pipeline: &Pipeline) -> Running {
    let before = pipeline.position();
    let mut tail = pipeline.tail();
    pipeline.write("another.json", lines(1_002, 3));
    tail.until("has looked", || pipeline.position() > before);
    tail
}

/// A tail that has landed the first `count` lines, which are there.
fn tail_that_has_landed(pipeline: &Pipeline, count: usize) -> Running {
    let mut tail = pipeline.tail();
    tail.until("landed the first lines", || pipeline.position() == at(count));
    tail
}

/// The position after the first `count` lines.
fn at(count: usize) -> u64 {
    lines(0, count).len() as u64
}

/// Does several things between two looks.
fn between_looks(tail: &mut Running, work: impl FnOnce()) {
    tail.signal("STOP");
    work();
    tail.signal("CONT");
}

fn copy(pipeline: &Pipeline, from: &str, to: &str) {
    fs::copy(pipeline.path("logs").join(from), pipeline.path("logs").join(to)).expect("a copy");
}

fn remove(pipeline: &Pipeline, name: &str) {
    fs::remove_file(pipeline.path("logs").join(name)).expect("removed");
}

#[test]
fn after_a_kill_a_table_that_lacks_no_rows_needs_no_file_that_is_gone() {
    let pipeline = pipeline();
    let (first, next) = (PRIMARY.repeat(10), PRIMARY.repeat(3));
    pipeline.write("pg.json", &first);
    let mut tail = pipeline.tail();
    tail.until_it_says("primary 10, replica 0");
    tail.kill();
    remove(&pipeline, "pg.json");
    pipeline.write("next.json", &next);
    let report = pipeline.land();
    assert_eq!(report["tables"]["primary"]["rows"], 3, "the other tables had no rows to catch up on");
    assert_eq!(report["position"], first.len() + next.len());
}

#[test]
fn what_is_written_to_a_file_just_before_it_goes_is_read_though_this_run_had_read_nothing_of_it() {
    let pipeline = pipeline();
    pipeline.write("pg.json", lines(0, 10));
    pipeline.write("empty.json", "");
    pipeline.land();
    let mut tail = tail_that_has_looked(&pipeline);
    let before = pipeline.position();
    between_looks(&mut tail, || {
        pipeline.append("pg.json", lines(10, 5));
        pipeline.append("empty.json", lines(15, 5));
        remove(&pipeline, "pg.json");
        remove(&pipeline, "empty.json");
    });
    let all = before + lines(10, 10).len() as u64;
    tail.until("landed what the deleted files had", || pipeline.position() == all);
    tail.stop();
}

#[test]
fn a_file_that_went_unread_is_told() {
    let pipeline = pipeline();
    pipeline.write("pg.json", lines(0, 10));
    pipeline.write("b.json", lines(10, 3));
    pipeline.land();
    remove(&pipeline, "pg.json");
    let ended = pipeline.run().exits_with(0);
    let told = ended.stderr.contains("a file has gone while no run followed it") && ended.stderr.contains("pg.json");
    assert!(told, "{}", ended.stderr);
    pipeline.append("b.json", lines(13, 3));
    pipeline.land();
    let ended = pipeline.run().exits_with(0);
    assert!(!ended.stderr.contains("has gone"), "once, if something has landed since: {}", ended.stderr);
}

#[test]
fn a_copy_that_was_made_as_its_original_went_lands_once_though_that_is_still_open() {
    let pipeline = pipeline();
    pipeline.write("pg.json", lines(0, 40));
    let mut tail = tail_that_has_landed(&pipeline, 40);
    between_looks(&mut tail, || {
        copy(&pipeline, "pg.json", "pg-old.json");
        remove(&pipeline, "pg.json");
    });
    pipeline.append("pg-old.json", lines(40, 4));
    tail.until("landed the rest", || pipeline.position() >= at(44));
    tail.stop();
    pipeline.land();
    assert_eq!(proved(&pipeline), 44);
}

#[test]
fn a_copy_of_a_copy_lands_once() {
    let pipeline = pipeline();
    pipeline.write("pg.json", lines(0, 40));
    let mut tail = tail_that_has_landed(&pipeline, 40);
    for (from, to, count) in [("pg.json", "pg-1.json", 40), ("pg-1.json", "pg-2.json", 46)] {
        between_looks(&mut tail, || {
            copy(&pipeline, from, to);
            remove(&pipeline, from);
        });
        // Another file shows that there was a look.
        pipeline.write(&format!("{count}.json"), lines(count, 3));
        tail.until("has looked", || pipeline.position() == at(count + 3));
        pipeline.append(to, lines(count + 3, 3));
        tail.until("landed the copy's rest", || pipeline.position() == at(count + 6));
    }
    tail.stop();
    pipeline.land();
    assert_eq!(proved(&pipeline), 52);
}

#[test]
fn a_copy_in_the_place_of_a_file_that_has_another_name_lands_once() {
    let pipeline = pipeline();
    pipeline.write("a.json", lines(0, 40));
    pipeline.write("b.json", lines(40, 50));
    let mut tail = tail_that_has_landed(&pipeline, 90);
    between_looks(&mut tail, || {
        rename(&pipeline, "a.json", "c.json");
        rename(&pipeline, "b.json", "a.json");
        rename(&pipeline, "c.json", "b.json");
        copy(&pipeline, "a.json", ".a.json.Ab12");
        rename(&pipeline, ".a.json.Ab12", "a.json");
    });
    pipeline.append("a.json", lines(90, 4));
    tail.until("landed the rest", || pipeline.position() >= at(94));
    tail.stop();
    pipeline.land();
    assert_eq!(proved(&pipeline), 94);
}

#[test]
fn an_older_copy_in_the_place_of_a_file_stops_the_run_though_that_is_still_open() {
    let pipeline = pipeline();
    pipeline.write("pg.json", lines(0, 40));
    let mut tail = tail_that_has_landed(&pipeline, 40);
    between_looks(&mut tail, || {
        pipeline.write(".older", lines(0, 10));
        rename(&pipeline, ".older", "pg.json");
    });
    let said = tail.end().exits_with(3).error();
    assert!(said.contains("\"pg.json\" has shrunk; it was read up to byte "), "{said}");
}

#[test]
fn files_that_begin_alike_are_told_apart_by_their_later_bytes() {
    let pipeline = pipeline();
    let beginning = format!("{{\"ReplicaRole\": \"Primary\", \"location\": \"{}\"}}\n", "x".repeat(1_500));
    pipeline.write("pg.json", beginning.clone() + &lines(0, 20));
    let mut tail = pipeline.tail();
    let first = (beginning.clone() + &lines(0, 20)).len() as u64;
    tail.until("landed the first lines", || pipeline.position() == first);
    between_looks(&mut tail, || {
        pipeline.append("pg.json", lines(20, 3));
        rename(&pipeline, "pg.json", "pg.json.1");
        pipeline.write("pg.json", beginning.clone() + &lines(23, 40));
    });
    let all = first + (beginning + &lines(20, 43)).len() as u64;
    tail.until("landed all of both", || pipeline.position() == all);
    tail.stop();
    assert_eq!(proved(&pipeline), 65);
}

#[test]
fn a_file_that_a_copy_replaced_is_followed_as_that_copy_by_the_next_run_once_rows_have_landed() {
    for stops_in_between in [true, false] {
        let pipeline = pipeline();
        pipeline.write("pg.json", lines(0, 30));
        pipeline.land();
        let mut tail = tail_that_has_looked(&pipeline);
        copy(&pipeline, "pg.json", ".pg.json.Ab12");
        rename(&pipeline, ".pg.json.Ab12", "pg.json");
        pipeline.append("pg.json", lines(30, 3));
        let before = pipeline.position();
        tail.until("landed the copy's rest", || pipeline.position() > before);
        if stops_in_between {
            tail.stop();
        } else {
            tail.kill();
        }
        pipeline.append("pg.json", lines(33, 3));
        rename(&pipeline, "pg.json", "pg.json.1");
        pipeline.write("pg.json", lines(36, 3));
        pipeline.land();
        assert_eq!(proved(&pipeline), 42, "found under a name that the source does not match");
    }
}

#[test]
fn what_is_written_to_a_deleted_file_that_has_a_copy_is_read() {
    let pipeline = pipeline();
    pipeline.write("pg.json", lines(0, 40));
    let mut tail = tail_that_has_landed(&pipeline, 40);
    let mut writer = fs::OpenOptions::new().append(true).open(pipeline.path("logs/pg.json")).expect("a file");
    between_looks(&mut tail, || {
        copy(&pipeline, "pg.json", "pg-old.json");
        remove(&pipeline, "pg.json");
    });
    pipeline.write("another.json", lines(40, 3));
    tail.until("has looked", || pipeline.position() == at(43));
    writer.write_all(lines(43, 3).as_bytes()).expect("written");
    tail.until("landed what the deleted file got", || pipeline.position() == at(46));
    tail.stop();
}

#[test]
fn a_file_that_was_away_for_a_run_is_followed_again_when_it_is_back() {
    let pipeline = pipeline();
    pipeline.write("pg.json", lines(0, 9));
    pipeline.write("b.json", lines(9, 9));
    pipeline.land();
    fs::rename(pipeline.path("logs/pg.json"), pipeline.path("away")).expect("moved away");
    pipeline.append("b.json", lines(18, 9));
    pipeline.land();
    fs::rename(pipeline.path("away"), pipeline.path("logs/pg.json")).expect("moved back");
    pipeline.append("pg.json", lines(27, 9));
    pipeline.land();
    pipeline.append("pg.json", lines(36, 9));
    rename(&pipeline, "pg.json", "pg.json.1");
    pipeline.write("pg.json", lines(45, 9));
    pipeline.land();
    assert_eq!(proved(&pipeline), 54);
    remove(&pipeline, "pg.json");
    pipeline.append("b.json", lines(54, 3));
    pipeline.land();
    pipeline.write("pg.json", lines(57, 3));
    pipeline.land();
    assert_eq!(pipeline.position(), lines(0, 60).len() as u64, "another file under the name of one that has gone");
}

#[test]
fn a_backfill_whose_files_are_replaced_by_copies_lands_each_line_once() {
    const FILES: usize = 400;
    let pipeline = pipeline();
    let path = |folder: &Path, i: usize| folder.join(format!("{i:03}.json"));
    let (logs, copies) = (pipeline.path("logs"), pipeline.path("copies"));
    fs::create_dir_all(&copies).expect("a folder");
    fs::create_dir_all(&logs).expect("a folder");
    for i in 0..FILES {
        fs::write(path(&logs, i), lines(i * 30, 30)).expect("a file");
        fs::copy(path(&logs, i), path(&copies, i)).expect("a copy");
    }
    let mut command = pipeline.command(&["run", "p.toml"]);
    command.env("FAILPOINTS", "fetch-done=sleep(100)");
    let mut run = pipeline.spawn(command);
    run.until_it_says("claimed");
    for i in 0..FILES {
        fs::rename(path(&copies, i), path(&logs, i)).expect("replaced");
    }
    let ended = run.end().exits_with(0);
    assert!(!ended.stderr.contains("lost"), "{}", ended.stderr);
    pipeline.land();
    assert_eq!(proved(&pipeline), (FILES * 30) as u64);
}
