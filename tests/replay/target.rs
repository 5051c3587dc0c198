//! What is written, and how fast.

use std::fs;

use serde_json::Value;

use crate::support::{Lines, Pipeline, wait};

/// A pipeline with lines to replay, beside its source.
fn given(lines: &[u8]) -> Pipeline {
    let pipeline = Pipeline::new();
    fs::write(pipeline.path("lines.json"), lines).expect("a file");
    pipeline
}

fn replay(pipeline: &Pipeline, flags: &[&str]) -> Value {
    let all = [&["replay", "lines.json", "--json"], flags].concat();
    pipeline.call(&all).exits_with(0).json()
}

#[test]
fn the_bytes_are_those_of_the_file() {
    let lines = [&Lines::new(1).take(500)[..], b"a last line that is torn"].concat();
    let pipeline = given(&lines);
    let told = replay(&pipeline, &["--to", "logs/new/a.json", "--append", "4KiB"]);
    assert_eq!(fs::read(pipeline.path("logs/new/a.json")).expect("a file"), lines);
    assert_eq!(told["bytes"], lines.len());
    assert!(told["appends"].as_u64() > Some(50), "{told}");
    assert_eq!((&told["pace"]["held"], &told["watch"]), (&Value::Null, &Value::Null));
}

#[test]
fn in_a_folder_it_is_called_as_the_file_is() {
    let pipeline = given(b"one\ntwo\n");
    let told = replay(&pipeline, &["--to", "logs"]);
    assert_eq!(fs::read(pipeline.path("logs/lines.json")).expect("a file"), b"one\ntwo\n");
    assert_eq!((&told["lines"], &told["appends"]), (&2.into(), &1.into()));
    let text = pipeline.call(&["replay", "lines.json", "--to", "file:new/"]).exits_with(0).stdout;
    assert!(text.starts_with("wrote 8 bytes, 2 lines, in 1 append to new/lines.json"), "{text}");
}

#[test]
fn a_pace_is_held() {
    let lines = Lines::new(1).take(200);
    let pipeline = given(&lines);
    let told = replay(&pipeline, &["--to", "logs/", "--rate", "200KB/s", "--append", "1KiB"]);
    // The last append is due when all before it should have been written.
    let longest = lines.split_inclusive(|b| *b == b'\n').map(<[u8]>::len).max().expect("lines").max(1024);
    let due = (lines.len() - longest) as f64 / 200_000.0;
    let took = told["seconds"].as_f64().expect("a number");
    assert!(took >= due, "{took} s, {due} s at least");
    // Whether this machine keeps up is not tested, but the report of it must be right.
    assert_eq!(
        told["pace"]["held"],
        took <= lines.len() as f64 / 200_000.0 * 1.01 + 0.1 || took <= due + 0.1,
        "{told}"
    );
    assert_eq!(told["pace"]["bytes_per_second"], 200_000);
    assert!(told["pace"]["latest_seconds"].as_f64().is_some(), "{told}");
}

#[test]
fn a_file_is_begun_anew_for_as_long_as_is_asked_for() {
    let pipeline = given(b"one\ntwo");
    let told = replay(&pipeline, &["--to", "logs/", "--for", "300ms", "--rate", "100/s", "--append", "4"]);
    let written = fs::read_to_string(pipeline.path("logs/lines.json")).expect("a file");
    assert!(written.starts_with("one\ntwo\none\ntwo\n"), "{written}");
    assert_eq!(told["lines"], written.lines().count());
}

#[test]
fn it_ends_in_time_and_its_rate_is_not_overstated() {
    let pipeline = given(b"one\ntwo\n");
    let told = replay(&pipeline, &["--to", "logs/", "--for", "500ms", "--rate", "1/s", "--append", "4"]);
    // The second append is due after four seconds.
    assert_eq!((&told["bytes"], &told["appends"]), (&4.into(), &1.into()));
    assert_eq!(told["bytes_per_second"], 1.0, "{told}");
}

#[test]
fn who_else_writes_to_it_is_noticed() {
    let pipeline = given(&Lines::new(1).take(500));
    let path = pipeline.path("logs/lines.json");
    let replay = pipeline.start(&["replay", "lines.json", "--to", "logs/", "--rate", "20KB/s", "--append", "1KiB"]);
    assert!(wait::until(|| fs::metadata(&path).is_ok_and(|file| file.len() > 0)));
    pipeline.append("lines.json", "{}\n");
    let ended = replay.end().exits_with(3);
    assert!(ended.error().contains("somebody else writes to it"), "{}", ended.stderr);
}

#[test]
fn a_signal_ends_it_with_the_report() {
    let pipeline = given(&Lines::new(1).take(500));
    let path = pipeline.path("logs/lines.json");
    let length = || fs::metadata(&path).map_or(0, |metadata| metadata.len());
    let mut replay = pipeline.start(&["replay", "lines.json", "--to", "logs/", "--rate", "1KB/s", "--json"]);
    assert!(wait::until(|| length() > 0));
    replay.signal("INT");
    let told = replay.end().exits_with(0).json();
    assert_eq!(told["bytes"], length());
}
