//! What `run` reports, and that it lands what is new and nothing else.

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::{Lines, Pipeline};

/// A report without the one thing that differs from run to run.
fn timeless(mut report: Value) -> Value {
    let seconds = report["seconds"].take();
    assert!(seconds.as_f64().is_some_and(|seconds| seconds >= 0.0), "{seconds}");
    report
}

#[test]
fn the_report_has_exactly_the_promised_form() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let table = json!({"rows": 1, "commits": 1, "position": ONE_FOR_EACH_TABLE.len()});
    let expected = json!({
        "position": ONE_FOR_EACH_TABLE.len(),
        "bytes": ONE_FOR_EACH_TABLE.len(),
        "seconds": null,
        "cuts": 1,
        "tables": {"primary": table, "replica": table, "rejects": table},
    });
    assert_eq!(timeless(pipeline.land()), expected);
    assert_eq!(pipeline.is_exact(), "exact: primary 1, replica 1, rejects 1");
}

#[test]
fn standard_output_ends_with_the_report_and_has_nothing_else() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let ended = pipeline.run().exits_with(0);
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
}

#[test]
fn a_second_run_lands_nothing() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(1).take(50));
    let first = pipeline.land();
    let second = timeless(pipeline.land());
    let nothing = json!({"rows": 0, "commits": 0, "position": first["position"]});
    let expected = json!({
        "position": first["position"],
        "bytes": 0,
        "seconds": null,
        "cuts": 0,
        "tables": {"primary": nothing, "replica": nothing, "rejects": nothing},
    });
    assert_eq!(second, expected);
    pipeline.is_exact();
}

#[test]
fn an_appended_line_lands_alone() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(2).take(50));
    pipeline.land();
    let line = "{\"ReplicaRole\": \"Primary\"}\n";
    pipeline.append("a.json", line);
    let report = pipeline.land();
    assert_eq!(report["bytes"], line.len());
    let rows: Vec<_> = ["primary", "replica", "rejects"].map(|table| report["tables"][table]["rows"].clone()).into();
    assert_eq!(rows, [1, 0, 0]);
    pipeline.is_exact();
}

#[test]
fn a_new_file_lands_beside_old_ones() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(3).take(20));
    pipeline.land();
    pipeline.write("2026/b.json", ONE_FOR_EACH_TABLE);
    assert_eq!(pipeline.land()["bytes"], ONE_FOR_EACH_TABLE.len());
    pipeline.is_exact();
}

#[test]
fn people_get_a_few_lines() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    pipeline.land();
    let ended = pipeline.call(&["run", "p.toml"]).exits_with(0);
    let (before, after) = ended.stdout.split_once(" s, ").expect("the seconds it took");
    let (before, _seconds) = before.rsplit_once(" in ").expect("the seconds it took");
    expect![[r#"
        landed 0 bytes in <n> s, 0 cuts; the tables hold position 63
          primary             0 rows       0 commits  position 63
          replica             0 rows       0 commits  position 63
          rejects             0 rows       0 commits  position 63
    "#]]
    .assert_eq(&format!("{before} in <n> s, {after}"));
}

#[test]
fn any_number_of_workers_lands_the_same() {
    for workers in ["1", "2", "3", "7"] {
        let pipeline = Pipeline::new();
        pipeline.write("a.json", Lines::new(4).take(60));
        pipeline.call(&["run", "p.toml", "--workers", workers]).exits_with(0);
        pipeline.is_exact();
    }
}
