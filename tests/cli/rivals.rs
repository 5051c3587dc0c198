//! Two runs of one pipeline: the second is refused, or takes over and fences the first. Exit code
//! 4.

use expect_test::expect;

use super::stopped;
use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::{Lines, Pipeline};

#[test]
fn a_second_start_refuses_at_once_while_a_tail_runs() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(1).take(10));
    let tail = pipeline.tail();
    stopped(
        &pipeline,
        pipeline.run(),
        4,
        &expect![[r#"
        error: another run of this pipeline is alive on this host (it holds state/p.offset.json.lock): stop it, or start with --take-over to fence it
    "#]],
    );
    stopped(
        &pipeline,
        pipeline.call(&["run", "p.toml", "--mode", "tail"]),
        4,
        &expect![[r#"
        error: another run of this pipeline is alive on this host (it holds state/p.offset.json.lock): stop it, or start with --take-over to fence it
    "#]],
    );
    tail.stop();
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn a_run_that_takes_over_fences_the_older_and_goes_on() {
    let (mut pipeline, mut lines) = (Pipeline::new(), Lines::new(2));
    pipeline.set("commit", "interval", "10ms").write("a.json", lines.take(10));
    let older = pipeline.tail();
    let mut newer = pipeline.start(&["run", "p.toml", "--mode", "tail", "--take-over"]);
    newer.until_it_says("claimed the tables");
    let before = pipeline.position();
    pipeline.append("a.json", [&lines.take(40), ONE_FOR_EACH_TABLE.as_bytes()].concat());

    let fenced = older.end().exits_with(4);
    let error = fenced.error();
    assert!(error.starts_with("error: fenced: table "), "{error}");
    assert!(error.contains("was claimed by another run of this pipeline (seen "), "{error}");

    newer.until("went on", || pipeline.position() > before);
    newer.stop();
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn two_pipelines_with_one_state_file_are_told_of_each_other() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "state_file", "state/p.offset.json").write("a.json", Lines::new(1).take(10));
    let tail = pipeline.tail();
    pipeline.set("", "pipeline", "q").set("lake", "schema", "others");
    for arguments in [&["run", "p.toml"][..], &["run", "p.toml", "--take-over"]] {
        let ended = pipeline.call(arguments).exits_with(2);
        let error = ended.error();
        assert!(error.contains("is in use by a run of pipeline \"p\"") && !error.contains("take-over"), "{error}");
    }
    let doctor = pipeline.call(&["doctor", "p.toml"]).stdout;
    assert!(doctor.contains("a run of pipeline \"p\" uses the same state file"), "{doctor}");
    // As the doctor says.
    pipeline.set("source", "state_file", "state/q.json");
    pipeline.land();
    tail.stop();
}

#[test]
fn roles_that_have_changed_are_told_once_at_the_start() {
    let mut pipeline = Pipeline::new();
    let told = "[roles] has changed since lines last landed";
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    assert!(!pipeline.run().exits_with(0).stderr.contains(told));
    pipeline.set("roles", "default", "primary").append("a.json", ONE_FOR_EACH_TABLE);
    let changed = pipeline.run().exits_with(0).stderr;
    assert_eq!(changed.matches(told).count(), 1, "{changed}");
    pipeline.append("a.json", ONE_FOR_EACH_TABLE);
    assert!(!pipeline.run().exits_with(0).stderr.contains(told), "it holds by now");
}

#[test]
fn a_killed_run_leaves_no_lock() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(3).take(10));
    assert_eq!(pipeline.tail().kill().code, None);
    pipeline.land();
    pipeline.is_exact();
}
