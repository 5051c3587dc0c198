//! Others land in the same tables, or read the same source.

use super::*;

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
