//! What is reported of a run that is alive.

use std::fs;

use serde_json::Value;

use crate::rows_of;
use crate::support::oracle::run_python;
use crate::support::{Lines, Pipeline};

/// A pipeline that commits often, with lines to replay beside its source.
fn given(lines: &[u8]) -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "mode", "tail").set("commit", "interval", "50ms").set("commit", "bytes", "1 MiB");
    pipeline.set("source", "chunk", "64 KiB");
    fs::write(pipeline.path("lines.json"), lines).expect("a file");
    pipeline
}

const WATCH: [&str; 6] = ["--to", "logs/", "--watch", "p.toml", "--json", "--append"];

/// Every line is a row, every append was seen once, and the percentiles are in order.
#[track_caller]
fn is_told_whole(pipeline: &Pipeline, told: &Value) {
    let watch = &told["watch"];
    let written = fs::read(pipeline.path("logs/lines.json")).expect("what was written");
    let rows = rows_of(told["lines"].as_u64().expect("a count"), &written);
    assert_eq!((&watch["visible"], &watch["rows"]), (&true.into(), &rows.into()), "{told:#}");
    let latency = &watch["latency_seconds"];
    assert_eq!((&watch["appends"], &latency["count"]), (&told["appends"], &told["appends"]), "{told:#}");
    let at = ["p50", "p90", "p99", "p999", "max"].map(|name| latency[name].as_f64().expect("a number"));
    assert!(at.is_sorted() && at[0] > 0.0, "{latency}");
    assert_eq!(watch["behind_bytes"]["at_end"], 0);
    assert!(watch["behind_bytes"]["most"].as_u64() > Some(0), "{watch}");
}

#[test]
fn every_append_of_a_tail_is_seen_once() {
    let pipeline = given(&Lines::new(1).take(400));
    let tail = pipeline.tail();
    let flags = ["4KiB", "--rate", "200KB/s", "--histogram", "tail.hlog"];
    let all = [&["replay", "lines.json"][..], &WATCH, &flags].concat();
    let told = pipeline.call(&all).exits_with(0).json();
    is_told_whole(&pipeline, &told);
    for table in ["primary", "replica", "rejects"] {
        assert!(told["watch"]["offsets"][table].as_u64() > Some(0), "{told:#}");
    }
    let run = &told["watch"]["run"];
    assert!(run["cpu_seconds"].as_f64() > Some(0.0) && run["peak_bytes"].as_u64() > Some(1 << 20), "{run}");
    let log = fs::read_to_string(pipeline.path("tail.hlog")).expect("a log");
    let intervals = log.lines().filter(|line| line.contains(",HISTF")).count();
    assert!(log.starts_with("#[Histogram log format version 1.3]") && intervals > 0, "{log}");
    tail.stop();
    pipeline.is_exact();
}

#[test]
fn a_table_that_gets_no_rows_is_not_waited_for() {
    // Its position moves only with every fourth commit, or after half a minute.
    let lines = b"{\"ReplicaRole\": \"Primary\"}\n\r\n{\"ReplicaRole\": \"Primary\"}\n".repeat(50);
    let pipeline = given(&lines);
    let tail = pipeline.tail();
    let all = [&["replay", "lines.json"][..], &WATCH, &["1MiB"]].concat();
    let told = pipeline.call(&all).exits_with(0).json();
    is_told_whole(&pipeline, &told);
    assert_eq!((&told["lines"], &told["appends"]), (&100.into(), &1.into()));
    assert_eq!(told["watch"]["offsets"]["rejects"], 0, "it has not moved yet, and need not");
    tail.stop();
}

#[test]
fn what_others_do_to_the_tables_meanwhile_is_passed_over() {
    let pipeline = given(&Lines::new(3).take(200));
    let tail = pipeline.tail();
    let all = [&["replay", "lines.json"][..], &WATCH, &["4KiB", "--rate", "400KB/s", "--for", "6s"]].concat();
    let mut replay = pipeline.start(&all);
    // More than a hundred commits, so that log checkpoints are written too.
    let program = "import sys\nfrom deltalake import DeltaTable\n\
                   table = DeltaTable(sys.argv[1])\ntable.optimize.compact()\ntable.create_checkpoint()\nprint(table.version())";
    let primary = pipeline.table("primary");
    for _ in 0..2 {
        replay.until("had something to compact", || fs::read_dir(&primary).is_ok_and(|files| files.count() > 6));
        run_python(program, &[&primary]);
    }
    let told = replay.end().exits_with(0).json();
    is_told_whole(&pipeline, &told);
    tail.stop();
    pipeline.is_exact();
}

#[test]
fn a_signal_ends_the_writing_and_what_was_written_is_waited_for() {
    let pipeline = given(&Lines::new(1).take(400));
    let tail = pipeline.tail();
    let all = [&["replay", "lines.json"][..], &WATCH, &["1KiB", "--rate", "20KB/s"]].concat();
    let mut replay = pipeline.start(&all);
    replay.until("wrote something", || fs::metadata(pipeline.path("logs/lines.json")).is_ok_and(|file| file.len() > 0));
    replay.signal("TERM");
    let told = replay.end().exits_with(0).json();
    is_told_whole(&pipeline, &told);
    assert_eq!(told["bytes"], fs::metadata(pipeline.path("logs/lines.json")).expect("a file").len());
    tail.stop();
}
