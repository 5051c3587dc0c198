//! A run that stops for a person to look: exit code 3, with what is wrong and what to do. And the
//! advice helps.

use std::fs;

use expect_test::expect;

use super::stopped;
use crate::support::oracle::run_python;
use crate::support::{Lines, Pipeline};

mod neighbours;
mod settings;

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
            error: file:<dir>/logs: "a.json" was rewritten; it was read up to byte 33877: put the old file back under its name, or set source.on_rewrite = "restart" to read the new one from its beginning as a file of its own
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
    fs::write(pipeline.path("other/b.json"), Lines::new(2).take(20)).expect("a log file");
    pipeline.set("source", "url", "file:other/");
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
            error: table "primary" holds what pipeline "p" read from file:<dir>/logs, but source.url is file:<dir>/other: set it back (a glob over the same folder may change), move a folder that was moved back, or give the new source a pipeline name of its own
        "#]],
    );

    pipeline.set("", "pipeline", "q");
    pipeline.land();
    pipeline.is_proved();
    pipeline.set("", "pipeline", "p").set("source", "url", "file:logs/*.json").append("a.json", Lines::new(3).take(5));
    pipeline.land();
    pipeline.is_proved();
}

#[test]
fn a_source_below_the_one_that_was_read() {
    let mut pipeline = Pipeline::new();
    pipeline.write("x/a.json", Lines::new(1).take(30));
    pipeline.write("b.json", Lines::new(2).take(10));
    pipeline.land();
    pipeline.set("source", "url", "file:logs/x/*.json");
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
            error: table "primary" holds what pipeline "p" read from file:<dir>/logs, but source.url is file:<dir>/logs/x/*.json: set it back (a glob over the same folder may change), move a folder that was moved back, or give the new source a pipeline name of its own; to read less of it, keep its folder before the glob: file:<dir>/logs/{x}/*.json
        "#]],
    );

    pipeline.set("source", "url", "file:logs/{x}/*.json").append("x/a.json", Lines::new(3).take(5));
    pipeline.append("b.json", Lines::new(4).take(5));
    pipeline.land();
    pipeline.is_proved();
    pipeline.set("source", "url", "file:logs/");
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn a_source_that_was_mistyped() {
    let mut pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(1).take(30));
    // The folder has a file, but no whole line.
    fs::create_dir(pipeline.path("lgos")).expect("a folder");
    fs::write(pipeline.path("lgos/note"), "torn").expect("a file");
    pipeline.set("source", "url", "file:lgos/");
    pipeline.land();
    assert_eq!(pipeline.status()["tables"]["primary"]["run"], 1, "it has claimed the tables");
    pipeline.set("source", "url", "file:logs/");
    let ended = pipeline.run().exits_with(0);
    assert!(ended.stderr.contains("they start over"), "{}", ended.stderr);
    pipeline.is_exact();
    pipeline.is_proved();
}
