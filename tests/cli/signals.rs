//! SIGTERM and SIGINT close the open cut, commit it and end the run; a second one ends it at once.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Lines, Pipeline, Running};

/// A pipeline with some lines, whose cuts stay open for an hour.
fn patient() -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.set("commit", "interval", "1h").set("commit", "bytes", "1 GiB").set("source", "chunk", "8 MiB");
    pipeline.write("a.json", Lines::new(1).take(40));
    pipeline
}

/// A tail that has staged rows but committed none.
fn tail_with_an_open_cut(pipeline: &Pipeline, failpoints: &str) -> Running {
    tail_with_hangups(pipeline, failpoints, "--default-signal=HUP")
}

/// The same, with a choice of what SIGHUP does: the tests may run under `nohup` themselves.
fn tail_with_hangups(pipeline: &Pipeline, failpoints: &str, hangups: &str) -> Running {
    let lakefront = pipeline.command(&["run", "p.toml", "--mode", "tail", "--json"]);
    let mut command = Command::new("env");
    command.arg(hangups).arg(lakefront.get_program()).args(lakefront.get_args());
    command.current_dir(pipeline.path("")).env_remove("LAKEFRONT_LOG").env("FAILPOINTS", failpoints);
    let mut tail = pipeline.spawn(command);
    tail.until("staged rows", || has_parquet(&pipeline.table("primary")));
    assert_eq!(pipeline.position(), 0, "nothing is committed");
    tail
}

fn has_parquet(table: &Path) -> bool {
    let names = fs::read_dir(table).into_iter().flatten().flatten().map(|entry| entry.path());
    names.filter_map(|path| path.extension().map(ToOwned::to_owned)).any(|extension| extension == "parquet")
}

#[test]
fn sigterm_sigint_and_sighup_land_what_was_read_and_end_cleanly() {
    for signal in ["TERM", "INT", "HUP"] {
        let pipeline = patient();
        // Keeps the run at work until the signal comes a second time.
        let mut tail = tail_with_an_open_cut(&pipeline, "state-write=sleep(200)");
        tail.signal(signal);
        tail.until_it_says("a second signal ends the process at once");
        // `timeout` and terminals send it twice.
        if !tail.has_ended() {
            tail.signal(signal);
        }
        let report = tail.end().exits_with(0).json();
        let length = fs::metadata(pipeline.path("logs/a.json")).expect("a log file").len();
        assert_eq!(report["position"], length, "all of it was read before SIG{signal}");
        assert_eq!(pipeline.position(), length);
        pipeline.is_exact();
    }
}

#[test]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let pipeline = patient();
    let mut tail = tail_with_hangups(&pipeline, "", "--ignore-signal=HUP");
    tail.signal("HUP");
    tail.signal("TERM");
    tail.until_it_says("a second signal ends the process at once");
    let ended = tail.end().exits_with(0);
    assert!(!ended.stderr.contains("stopped at once"), "the first signal did not count: {}", ended.stderr);
    pipeline.is_exact();
}

#[test]
fn a_tail_without_work_ends_at_a_signal() {
    let pipeline = Pipeline::new();
    pipeline.tail().stop();
    assert_eq!(pipeline.land()["bytes"], 0);
}

#[test]
fn a_signal_under_a_backfill_is_a_clean_end_too() {
    let pipeline = patient();
    let mut command = pipeline.command(&["run", "p.toml"]);
    // Slow enough that the signal nearly always finds it at work; if not, there is nothing to see.
    command.env("FAILPOINTS", "stage-closed=sleep(1000)");
    let mut run = pipeline.spawn(command);
    run.until_it_says("claimed the tables");
    if !run.has_ended() {
        run.signal("INT");
    }
    run.end().exits_with(0);
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn a_second_signal_ends_a_run_at_once_and_the_next_goes_on() {
    let pipeline = patient();
    let mut tail = tail_with_an_open_cut(&pipeline, "state-write=pause");
    tail.signal("TERM");
    tail.until_it_says("a second signal ends the process at once");
    tail.signal("INT");
    let ended = tail.end().exits_with(3);
    assert!(
        ended.stderr.ends_with("stopped at once: what was not committed will be staged again\n"),
        "{}",
        ended.stderr
    );
    pipeline.land();
    pipeline.is_exact();
}
