//! A run that stops for a person to look: exit code 3, with what is wrong and what to do. And the
//! advice helps.

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

/// The files below a table's folder.
fn files(pipeline: &Pipeline, table: &str) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
    }
    count(&pipeline.table(table))
}

#[test]
fn twenty_starts_that_fail_leave_nothing_behind() {
    let mut pipeline = landed();
    fs::create_dir(pipeline.path("other")).expect("a folder");
    let before = ["primary", "replica", "rejects"].map(|table| files(&pipeline, table));
    let swap = |pipeline: &mut Pipeline, names: [&str; 2]| {
        pipeline.set("tables", "replica", names[0]).set("tables", "rejects", names[1]);
    };
    pipeline.set("source", "url", "file:other/");
    (0..10).for_each(|_| drop(pipeline.run().exits_with(3)));
    pipeline.set("source", "url", "file:logs/");
    swap(&mut pipeline, ["rejects", "replica"]);
    (0..10).for_each(|_| drop(pipeline.run().exits_with(3)));
    assert_eq!(["primary", "replica", "rejects"].map(|table| files(&pipeline, table)), before);
    swap(&mut pipeline, ["replica", "rejects"]);
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn a_folder_and_a_glob_of_it_through_two_pipelines() {
    let mut pipeline = landed();
    pipeline.set("", "pipeline", "q").set("source", "url", "file:./logs/../logs/*.json");
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
            error: table "primary" already receives file:<dir>/logs through pipeline "p": a second pipeline would land every row twice; use that pipeline, or name other tables in [tables]
        "#]],
    );
    // A file is recognised under another name, too.
    fs::create_dir(pipeline.path("links")).expect("a folder");
    fs::hard_link(pipeline.path("logs/a.json"), pipeline.path("links/x.json")).expect("a link");
    pipeline.set("source", "url", "file:links/");
    let error = pipeline.run().exits_with(3).error();
    assert!(error.contains("links/x.json (there file:"), "{error}");
    assert!(!pipeline.table("primary").join("_lakefront/q").exists(), "nothing is made");

    for table in ["primary", "replica", "rejects"] {
        pipeline.set("tables", table, format!("q_{table}"));
    }
    pipeline.land();
    pipeline.is_proved();
}

#[test]
fn a_pipeline_that_is_given_up_before_it_has_landed_anything() {
    let mut pipeline = Pipeline::new();
    pipeline.set("", "pipeline", "q").write("a.json", "torn");
    pipeline.land();
    pipeline.set("", "pipeline", "p");
    pipeline.write("a.json", Lines::new(1).take(30));
    let error = pipeline.run().exits_with(3).error();
    assert!(
        error.contains("it has landed nothing: if it is abandoned, delete the folder _lakefront/q of each"),
        "{error}"
    );
    for table in ["primary", "replica", "rejects"] {
        fs::remove_dir_all(pipeline.table(table).join("_lakefront/q")).expect("its folder");
    }
    pipeline.land();
    pipeline.is_exact();
    pipeline.is_proved();
}

#[test]
fn a_table_with_rows_of_others() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(1).take(30));
    let make = "import sys, pyarrow as pa, deltalake\n\
        deltalake.write_deltalake(sys.argv[1], pa.table({'x': pa.array([1, 2, 3], pa.int64())}))";
    run_python(make, &[&pipeline.table("primary")]);
    let words =
        "table \"primary\" holds 3 rows that no pipeline has landed: to land beside them, start once with run --adopt";
    let before = files(&pipeline, "primary");
    let error = pipeline.run().exits_with(3).error();
    assert!(error.contains(words), "{error}");
    assert_eq!(files(&pipeline, "primary"), before, "nothing is written");
    assert!(!pipeline.table("replica").exists());
    let said = pipeline.call(&["validate", "p.toml", "--connect"]).exits_with(3).error();
    assert!(said.contains(words), "{said}");
    let said = pipeline.call(&["doctor", "p.toml"]).exits_with(3).stdout;
    assert!(said.contains(words), "{said}");

    pipeline.call(&["run", "p.toml", "--adopt"]).exits_with(0);
    pipeline.append("a.json", Lines::new(2).take(10));
    pipeline.land();
    pipeline.is_proved();
    let said = pipeline.prove(0);
    let foreign: Vec<_> =
        said["tables"].as_array().expect("tables").iter().map(|t| t["foreign_rows"].clone()).collect();
    assert_eq!(foreign, [3, 0, 0]);
    let said = pipeline.call(&["prove", "p.toml"]).exits_with(0).stdout;
    assert!(said.contains("also in the table: 3 rows that no pipeline has landed"), "{said}");
    let said = pipeline.call(&["doctor", "p.toml"]).exits_with(0).stdout;
    assert!(!said.contains("no pipeline has landed"), "{said}");
}

#[test]
fn a_log_that_is_kept_for_no_time() {
    let pipeline = landed();
    let set = "import sys, deltalake\n\
        deltalake.DeltaTable(sys.argv[1]).alter.set_table_properties({'delta.logRetentionDuration': sys.argv[2]})";
    let table = pipeline.table("primary");
    run_python(set, &[&table, std::path::Path::new("interval 0 seconds")]);
    stopped(
        &pipeline,
        pipeline.run(),
        3,
        &expect![[r#"
            error: table "primary" (lake/lakehouse/logs/primary) has the property delta.logRetentionDuration of 0 s, and a commit needs at least 1 min: raise it or unset it
        "#]],
    );
    let said = pipeline.call(&["doctor", "p.toml"]).exits_with(3).stdout;
    assert!(said.contains("delta.logRetentionDuration of 0 s"), "{said}");

    run_python(set, &[&table, std::path::Path::new("interval 30 days")]);
    pipeline.land();
    pipeline.is_exact();
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
            error: table "primary" already receives file:<dir>/logs through pipeline "p": a second pipeline would land every row twice; use that pipeline, or name other tables in [tables]
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
            error: the state file says position 27, but none of the pipeline's tables holds one (lake/lakehouse/logs/primary and so on): restore them, set [lake] back to the old place, or delete the state file to start over
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
            error: could not read state file state/p.offset.json (it is damaged, and only informs: delete it): EOF while parsing an object at line 1 column 1
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
            error: 12000 of the last 12000 lines were rejected, above limits.reject_ratio = 0.5: invalid_json 12000, first a.json:0 `not JSON`: check that source.url matches only JSON logs, such as *.json; all lines read are committed, these as rejects; fix the cause or raise the ratio, then start again
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
