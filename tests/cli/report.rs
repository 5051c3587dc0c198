//! What `run` reports, and that it lands what is new and nothing else.

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::{Lines, Pipeline, wait};

/// A report without the values that differ from run to run.
fn timeless(mut report: Value) -> Value {
    let seconds = report["seconds"].take().as_f64().expect("a time");
    assert!(seconds > 0.0, "{seconds}");
    for (rate, of) in [("bytes_per_second", report["bytes"].clone()), ("rows_per_second", json!(rows(&report)))] {
        let (rate, of) = (report[rate].take().as_f64().expect("a rate"), of.as_f64().expect("a number"));
        assert!((rate * seconds - of).abs() <= of * 1e-6, "{rate}/s for {seconds} s are {of}");
    }
    for name in ["fetch", "commit", "visible"] {
        let Value::Object(at) = &mut report["latency_seconds"][name] else { continue };
        let times =
            ["p50", "p90", "p99", "max"].map(|name| at.remove(name).and_then(|at| at.as_f64()).expect("a time"));
        assert!(times[0] >= 0.0 && times.is_sorted() && times[3] < seconds, "{times:?} in {seconds} s");
    }
    report
}

fn rows(report: &Value) -> u64 {
    ["primary", "replica", "rejects"].map(|table| report["tables"][table]["rows"].as_u64().expect("rows")).iter().sum()
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
        "bytes_per_second": null,
        "rows_per_second": null,
        "cuts": 1,
        "tables": {"primary": table, "replica": table, "rejects": table},
        "rejects": {"invalid_json": 1},
        "unnamed_roles": {},
        "shapes": {"opened": {}, "documents": []},
        "retries": {"source": 0, "stage": 0, "commit": 0},
        "latency_seconds": {"fetch": {"count": 1}, "commit": {"count": 3}, "visible": null},
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
        "bytes_per_second": null,
        "rows_per_second": null,
        "cuts": 0,
        "tables": {"primary": nothing, "replica": nothing, "rejects": nothing},
        "rejects": {},
        "unnamed_roles": {},
        "shapes": {"opened": {}, "documents": []},
        "retries": {"source": 0, "stage": 0, "commit": 0},
        "latency_seconds": {"fetch": null, "commit": null, "visible": null},
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
fn people_get_rates_percentiles_and_reasons_of_what_landed() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let ended = pipeline.call(&["run", "p.toml"]).exits_with(0);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 8, "{}", ended.stdout);
    assert_eq!(lines[4], "  rejected: invalid_json 1");
    assert!(lines[5].contains(" MB/s, ") && lines[5].ends_with(" rows/s"), "{}", lines[5]);
    for (line, name) in lines[6..].iter().zip(["fetch", "commit"]) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!([words[0], words[1], words[4], words[7], words[10]], [name, "p50", "p90", "p99", "max"], "{line}");
    }
}

#[test]
fn a_tail_reports_how_soon_appended_lines_were_visible_and_a_backfill_does_not() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let mut tail = pipeline.tail();
    let there = ONE_FOR_EACH_TABLE.len() as u64;
    tail.until("landed what was there", || pipeline.position() == there);
    let written = wait::now();
    pipeline.append("a.json", ONE_FOR_EACH_TABLE);
    tail.until("landed what was appended", || pipeline.position() == 2 * there);
    let seen = wait::now() - written;
    let visible = tail.stop().json()["latency_seconds"]["visible"].clone();
    assert_eq!(visible["count"], 3, "once for each table, and not for what was there before: {visible}");
    let longest = visible["max"].as_f64().expect("a time");
    // File systems' clocks may be some ticks behind, and percentiles, which have three digits, may
    // be a little too high.
    assert!(longest > 0.0 && longest <= seen * 1.01 + 0.02, "{longest} s of {seen} s");
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
