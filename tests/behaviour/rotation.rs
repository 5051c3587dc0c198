//! Files that are renamed, linked, brought by copying tools, or rotated: each line lands once.

use std::fs;

use serde_json::Value;

use crate::support::{Lines, Pipeline};

/// Lines for each table in turn, so that no table goes without rows for long.
pub(crate) fn lines(from: usize, count: usize) -> String {
    let line = |i: usize| match i % 3 {
        0 => format!("{{\"ReplicaRole\": \"Primary\", \"location\": \"line {i}\"}}\n"),
        1 => format!("{{\"ReplicaRole\": \"Replica\", \"location\": \"line {i}\"}}\n"),
        _ => format!("not JSON {i}\n"),
    };
    (from..from + count).map(line).collect()
}

/// How many rows the tables hold. `prove` finds that they are the source's, each once.
#[track_caller]
pub(crate) fn proved(pipeline: &Pipeline) -> u64 {
    pipeline.is_proved();
    pipeline.prove(0)["tables"].as_array().expect("tables").iter().map(|table| rows(table, "lake_rows")).sum()
}

fn rows(table: &Value, key: &str) -> u64 {
    table[key].as_u64().expect("a count")
}

pub(crate) fn rename(pipeline: &Pipeline, from: &str, to: &str) {
    fs::rename(pipeline.path("logs").join(from), pipeline.path("logs").join(to)).expect("a file is renamed");
}

/// A pipeline over `url` that polls and commits often.
pub(crate) fn given(url: &str) -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "url", url).set("commit", "interval", "20ms").set("source", "poll", "50ms");
    pipeline
}

#[test]
fn a_log_rotation_loses_nothing_whether_or_not_the_source_matches_the_rotated_names() {
    for url in ["file:logs/*.json", "file:logs/pg.json*"] {
        let pipeline = given(url);
        pipeline.write("pg.json", lines(0, 51));
        let mut tail = pipeline.tail();
        let (mut written, mut bytes) = (51, lines(0, 51).len() as u64);
        tail.until("landed the first lines", || pipeline.position() == bytes);
        for round in 0..5 {
            for _ in 0..7 {
                pipeline.append("pg.json", lines(written, 9));
                written += 9;
            }
            // The tail may not have seen the last lines when the file's name changes.
            for n in (1..=round).rev() {
                rename(&pipeline, &format!("pg.json.{n}"), &format!("pg.json.{}", n + 1));
            }
            rename(&pipeline, "pg.json", "pg.json.1");
            pipeline.append("pg.json.1", lines(written, 3));
            pipeline.write("pg.json", lines(written + 3, 3));
            written += 6;
            bytes += lines(written - 69, 69).len() as u64;
            tail.until("landed every byte", || pipeline.position() == bytes);
        }
        tail.stop();
        assert_eq!(proved(&pipeline), written as u64, "{url}");
        pipeline.land();
        assert_eq!(proved(&pipeline), written as u64, "the next run recognises all of them");
    }
}

#[test]
fn a_rotation_while_no_run_is_alive_is_followed_by_the_next() {
    let pipeline = given("file:logs/*.json");
    pipeline.write("pg.json", lines(0, 10));
    pipeline.land();
    pipeline.append("pg.json", lines(10, 5));
    rename(&pipeline, "pg.json", "pg.json.1");
    pipeline.write("pg.json", lines(15, 5));
    let ended = pipeline.run().exits_with(0);
    assert!(ended.stderr.contains("let source.url match the names of rotated files too"), "{}", ended.stderr);
    assert_eq!(proved(&pipeline), 20);
}

#[test]
fn a_file_that_is_deleted_while_it_is_read_is_read_to_its_end() {
    let pipeline = given("file:logs/");
    pipeline.write("a.json", lines(0, 9));
    let mut tail = pipeline.tail();
    let first = lines(0, 9).len() as u64;
    tail.until("landed the first lines", || pipeline.position() == first);
    pipeline.append("a.json", lines(9, 9));
    fs::remove_file(pipeline.path("logs/a.json")).expect("a file goes away");
    pipeline.write("b.json", lines(18, 9));
    let all = first + (lines(9, 9) + &lines(18, 9)).len() as u64;
    tail.until("landed what the deleted file had", || pipeline.position() == all);
    tail.stop();
}

#[test]
fn copytruncate_lands_each_line_once() {
    let pipeline = Pipeline::new();
    pipeline.write("pg.json", lines(0, 30));
    pipeline.land();
    pipeline.append("pg.json", lines(30, 5));
    fs::copy(pipeline.path("logs/pg.json"), pipeline.path("logs/pg.json.1")).expect("a copy");
    pipeline.write("pg.json", lines(35, 10));
    pipeline.land();
    assert_eq!(proved(&pipeline), 45, "the copy is read on from where the original was read to");
}

#[test]
fn a_file_that_was_rewritten_in_place_and_then_renamed_lands_once() {
    for source in ["file:logs/*.json", "file:logs/*.json*"] {
        let mut pipeline = given(source);
        pipeline.set("source", "on_rewrite", "restart");
        pipeline.write("pg.json", lines(0, 20));
        pipeline.land();
        pipeline.write("pg.json", lines(20, 5));
        pipeline.land();
        rename(&pipeline, "pg.json", "pg.json.1");
        pipeline.write("pg.json", lines(25, 3));
        let mut tail = pipeline.tail();
        let all =
            [(0, 20), (20, 5), (25, 3)].iter().map(|(from, count)| lines(*from, *count).len() as u64).sum::<u64>();
        tail.until("landed the new file", || pipeline.position() == all);
        // It looks some more times, and finds nothing.
        pipeline.append("pg.json", lines(28, 3));
        tail.until("landed one more line", || pipeline.position() >= all + lines(28, 3).len() as u64);
        tail.stop();
        pipeline.land();
        assert_eq!(pipeline.position(), all + lines(28, 3).len() as u64, "{source}: nothing lands again");
    }
}

#[test]
fn a_file_that_was_renamed_and_then_rewritten_in_place_lands_once() {
    let mut pipeline = given("file:logs/*.json");
    pipeline.set("source", "on_rewrite", "restart");
    pipeline.write("a.json", lines(0, 20));
    pipeline.land();
    rename(&pipeline, "a.json", "b.json");
    pipeline.append("b.json", lines(20, 3));
    pipeline.land();
    pipeline.write("b.json", lines(23, 3));
    let all = lines(0, 26).len() as u64;
    for _ in 0..3 {
        pipeline.land();
        assert_eq!(pipeline.position(), all, "nothing lands again");
    }
}

#[test]
fn copytruncate_of_a_file_that_was_read_to_its_end_lands_each_line_once_at_every_start() {
    let pipeline = Pipeline::new();
    let mut written = 0;
    for round in 0..3 {
        pipeline.append("pg.json", lines(written, 30));
        written += 30;
        pipeline.land();
        fs::copy(pipeline.path("logs/pg.json"), pipeline.path(&format!("logs/pg.json.{round}"))).expect("a copy");
        pipeline.write("pg.json", "");
        pipeline.append("pg.json", lines(written, 10));
        written += 10;
        // Each start meets the copies again, of which it has read nothing more.
        for _ in 0..3 {
            pipeline.land();
            // Of the copies, of which nothing was read, `prove` does not know whose they are.
            let proof = pipeline.prove(0);
            let landed = proof["tables"].as_array().expect("tables").iter().map(|table| rows(table, "lake_rows"));
            assert_eq!(landed.sum::<u64>(), written as u64, "after round {round}");
        }
    }
}

#[test]
fn rsync_and_azcopy_bring_files_by_temporary_names_and_each_line_lands_once() {
    let pipeline = given("file:logs/");
    pipeline.write("pg.json", lines(0, 3));
    let mut tail = pipeline.tail();
    for round in 1..=4 {
        pipeline.write(".pg.json.Ab12", lines(0, 3 * round + 3));
        // The tail sees it at least once before it gets its name.
        tail.until_it_says(".pg.json.Ab12");
        rename(&pipeline, ".pg.json.Ab12", "pg.json");
        let length = lines(0, 3 * round + 3).len() as u64;
        tail.until("landed the longer copy", || pipeline.position() == length);
    }
    let copied = lines(0, 15).len() as u64;
    pipeline.write("z/.azDownload-7a1b-PT1H.json", lines(15, 3));
    tail.until_it_says(".azDownload-7a1b-PT1H.json");
    rename(&pipeline, "z/.azDownload-7a1b-PT1H.json", "z/PT1H.json");
    let all = copied + lines(15, 3).len() as u64;
    tail.until("landed the download", || pipeline.position() == all);
    let said = tail.stop().stderr;
    assert_eq!(said.matches("passed over: its name is that of a hidden or temporary file").count(), 2, "{said}");
    assert_eq!(proved(&pipeline), 18);
}

#[test]
fn a_temporary_file_that_is_read_on_request_stays_what_it_was_when_it_gets_its_name() {
    let mut pipeline = given("file:logs/");
    pipeline.set("source", "temporary", "read");
    pipeline.write(".a.json.Ab12", lines(0, 5));
    pipeline.land();
    rename(&pipeline, ".a.json.Ab12", "a.json");
    pipeline.append("a.json", lines(5, 5));
    pipeline.land();
    assert_eq!(proved(&pipeline), 10);
}

#[test]
fn a_file_that_was_read_and_takes_the_name_of_another_does_not_land_again() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", lines(0, 1));
    pipeline.land();
    pipeline.write("b.json", lines(0, 3));
    pipeline.land();
    rename(&pipeline, "b.json", "a.json");
    pipeline.land();
    pipeline.append("a.json", lines(3, 2));
    pipeline.land();
    let tables = pipeline.prove(0)["tables"].clone();
    let all: u64 = tables.as_array().expect("tables").iter().map(|table| rows(table, "lake_rows")).sum();
    assert_eq!(all, 1 + 3 + 2, "the first a.json, and what was b.json, each once");
}

#[test]
fn two_names_of_one_file_land_once_and_either_may_go() {
    let (pipeline, mut log) = (Pipeline::new(), Lines::new(8));
    pipeline.write("a.json", log.take(20));
    fs::hard_link(pipeline.path("logs/a.json"), pipeline.path("logs/b.json")).expect("a second link");
    let ended = pipeline.run().exits_with(0);
    assert!(
        ended.stderr.contains("it is the same file as \"a.json\", and is read under that name"),
        "{}",
        ended.stderr
    );
    fs::remove_file(pipeline.path("logs/a.json")).expect("the first name goes");
    pipeline.append("b.json", log.take(20));
    pipeline.land();
    pipeline.is_proved();
}

#[test]
fn no_two_partitions_have_one_name_in_the_tables() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "on_rewrite", "restart");
    pipeline.write("a.json", lines(0, 9));
    pipeline.land();
    fs::remove_file(pipeline.path("logs/a.json")).expect("a file goes");
    pipeline.write("a.json", lines(9, 3));
    pipeline.write("a.json#2", lines(12, 3));
    pipeline.land();
    let status = pipeline.status();
    let offsets = status["tables"]["primary"]["offsets"].as_object().expect("partitions").keys();
    assert_eq!(offsets.collect::<Vec<_>>(), ["a.json", "a.json#2", "a.json#2#1"]);
    pipeline.prove(0);
}
