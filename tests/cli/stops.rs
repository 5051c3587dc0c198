//! When a run stops for a person to look: exit code 3, with what is the matter and what to do. And that what to do helps.

use std::fs;

use expect_test::expect;

use super::stopped;
use crate::support::oracle::run_python;
use crate::support::{Lines, Pipeline};

/// A pipeline that has landed one file.
fn landed() -> Pipeline {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(1).take(30));
    pipeline.land();
    pipeline
}

#[test]
fn a_file_written_anew() {
    let pipeline = landed();
    let old = fs::read(pipeline.path("logs/a.json")).expect("a log file");
    pipeline.write("a.json", [&b"{}\n"[..], &old].concat());
    let length = format!("byte {}", old.len());
    let ended = pipeline.run();
    assert!(ended.stderr.contains(&length), "{}", ended.stderr);
    stopped(
        &pipeline,
        ended,
        3,
        &expect![[r#"
            error: file:<dir>/logs: "a.json" was written anew; it was read up to byte 33877: put the old file back under its name, or set source.on_rewrite = "restart" to read the new one from its beginning as a file of its own
        "#]],
    );

    pipeline.write("a.json", old);
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn a_file_that_shrank() {
    let pipeline = landed();
    let old = fs::read(pipeline.path("logs/a.json")).expect("a log file");
    pipeline.write("a.json", &old[..old.len() / 2]);
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
            error: file:<dir>/logs: "a.json" has shrunk; it was read up to byte 33877: put the old file back under its name, or set source.on_rewrite = "restart" to read the new one from its beginning as a file of its own
        "#]],
    );
}

#[test]
fn a_deleted_table() {
    let pipeline = landed();
    fs::remove_dir_all(pipeline.table("replica")).expect("a table goes away");
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
        error: table "replica" holds no position of pipeline "p", though table "primary" does: it is new, renamed or was deleted; restore it or set its old name in [tables], or start over with a new pipeline name and new tables
    "#]],
    );
}

#[test]
fn a_renamed_table() {
    let mut pipeline = landed();
    pipeline.set("tables", "replica", "standby");
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
        error: table "standby" holds no position of pipeline "p", though table "primary" does: it is new, renamed or was deleted; restore it or set its old name in [tables], or start over with a new pipeline name and new tables
    "#]],
    );

    pipeline.set("tables", "replica", "replica").append("a.json", Lines::new(2).take(5));
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn swapped_tables() {
    let mut pipeline = landed();
    pipeline.set("tables", "replica", "primary").set("tables", "primary", "replica");
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
        error: table "replica" is the pipeline's table for "replica", but [tables] makes it the one for "primary": set it back
    "#]],
    );
}

#[test]
fn another_source() {
    let mut pipeline = landed();
    fs::create_dir(pipeline.path("other")).expect("a folder");
    pipeline.set("source", "url", "file:other/");
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
            error: table "primary" holds what pipeline "p" read from file:<dir>/logs, but source.url is file:<dir>/other: set it back, or give the new source a pipeline name of its own
        "#]],
    );
}

#[test]
fn another_pipeline_over_the_same_source() {
    let mut pipeline = landed();
    pipeline.set("", "pipeline", "q");
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
            error: table "primary" already receives file:<dir>/logs through pipeline "p": a second pipeline would land every row twice; use that pipeline's name, or another table
        "#]],
    );
}

#[test]
fn the_state_file_of_another_pipeline() {
    let mut pipeline = landed();
    pipeline.set("", "pipeline", "q").set("source", "state_file", "state/p.offset.json");
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
        error: state file state/p.offset.json belongs to pipeline "p": give this pipeline one of its own in source.state_file
    "#]],
    );
}

#[test]
fn a_state_file_ahead_of_the_tables() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", "{\"ReplicaRole\": \"Primary\"}\n");
    pipeline.land();
    fs::remove_dir_all(pipeline.path("lake")).expect("the lake goes away");
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
            error: the state file says position 27, but none of the pipeline's tables holds one (lake/lakehouse/logs/primary and so on): restore them or set lake back, or delete the state file to begin anew
        "#]],
    );

    pipeline.forget_state();
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn a_damaged_state_file() {
    let pipeline = landed();
    fs::write(pipeline.path("state/p.offset.json"), "{").expect("a state file");
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
            error: could not read state file state/p.offset.json (it only informs, and is damaged: delete it): EOF while parsing an object at line 1 column 1
        "#]],
    );

    pipeline.forget_state();
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn a_table_with_an_incompatible_schema() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(1).take(30));
    let make = "import sys, pyarrow as pa, deltalake\n\
        deltalake.write_deltalake(sys.argv[1], pa.table({'message': pa.array([1], pa.int64())}))";
    run_python(make, &[&pipeline.table("replica")]);
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
        error: table "replica" (lake/lakehouse/logs/replica) has column "message" as "long", not as "string"
    "#]],
    );
    assert!(!pipeline.table("primary").exists(), "nothing is written before all tables are known to fit");
}

#[test]
fn more_rejects_than_allowed() {
    let mut pipeline = Pipeline::new();
    pipeline.set("limits", "reject_ratio", 0.5).set("source", "chunk", "8 MiB").set("commit", "bytes", "8 MiB");
    pipeline.write("a.json", "not JSON\n".repeat(12_000));
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
            error: 12000 of the last 12000 lines were rejected, above limits.reject_ratio = 0.5: invalid_json 12000, first a.json:0 `not JSON`: see that source.url names logs in JSON only, such as *.json; what was read is committed, these lines as rejects: mend what is wrong, or raise the ratio, and start again
        "#]],
    );

    pipeline.set("limits", "reject_ratio", 1.0);
    pipeline.land();
    assert_eq!(pipeline.is_exact(), "exact: primary 0, replica 0, rejects 12000");
}

#[test]
fn a_source_that_is_not_there() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "url", "file:gone/");
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
        error: could not open source file:gone/: No such file or directory (os error 2)
    "#]],
    );
}
