//! State files, schemas, rejects, and a source that is not there.

use super::*;

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
