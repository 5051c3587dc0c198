//! Log checkpoints are written in the background, every hundred versions. Whatever happens to one,
//! rows do not depend on it.

use std::fs;

use crate::support::crashes::{RARE, fails_at, points};
use crate::support::{Lines, Pipeline};

/// A source of more than a hundred cuts.
fn pipeline() -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.set("commit", "bytes", "1 KiB").write("a.json", Lines::new(8).take(200));
    pipeline
}

#[test]
fn a_crash_in_a_log_checkpoint_loses_and_doubles_nothing() {
    let rare: Vec<_> = points().into_iter().filter(|point| point.starts_with(RARE)).collect();
    assert!(!rare.is_empty());
    for point in rare {
        let pipeline = pipeline();
        assert!(fails_at(&pipeline, &point, 1), "{point}: a hundred versions are due a log checkpoint");
        pipeline.land();
        pipeline.is_exact();
    }
}

#[test]
fn a_run_that_is_done_waits_for_its_log_checkpoint() {
    let pipeline = pipeline();
    pipeline.run_failing("log-checkpoint-begun=sleep(2000)").exits_with(0);
    let checkpoint = pipeline.table("primary").join("_delta_log/_last_checkpoint");
    assert!(checkpoint.exists(), "the log checkpoint was written after all rows were");
    pipeline.is_exact();
}

#[test]
fn a_run_that_stops_says_why_whatever_its_log_checkpoint_does() {
    let pipeline = pipeline();
    let mut command = pipeline.command(&["run", "p.toml", "--mode", "tail"]);
    command.env("FAILPOINTS", "log-checkpoint-begun=pause");
    let mut tail = pipeline.spawn(command);
    let due = pipeline.table("primary").join(format!("_delta_log/{:020}.json", 101));
    tail.until("made a hundred versions", || due.exists());
    fs::write(pipeline.path("logs/a.json"), "").expect("the file shrinks");
    let error = tail.end().exits_with(3).error();
    assert!(error.contains("a.json"), "{error}");
}
