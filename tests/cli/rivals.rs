//! Two runs of one pipeline: the second refuses, or takes over and the first is fenced. Exit code 4.

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
fn a_killed_run_leaves_no_lock() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(3).take(10));
    assert_eq!(pipeline.tail().kill().code, None);
    pipeline.land();
    pipeline.is_exact();
}
