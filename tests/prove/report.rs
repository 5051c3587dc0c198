//! What is printed, and the exit codes.

use expect_test::expect;
use serde_json::json;

use crate::support::Pipeline;
use crate::support::oracle::tamper;
use crate::{LINE, landed, lines};

#[test]
fn the_json_object_is_a_promise() {
    let pipeline = landed(50);
    pipeline.write("b.json", lines(0..5));
    pipeline.land();
    std::fs::remove_file(pipeline.path("logs/b.json")).expect("a file goes away");
    tamper(&["delete", &pipeline.table("primary").display().to_string(), "a.json", &(5 * LINE).to_string()]);
    let said = pipeline.prove(1);
    expect![[r#"
        {
          "all_proved": false,
          "ok": false,
          "tables": [
            {
              "checksum_ok": false,
              "first_difference": {
                "odd": "table",
                "offset": 320,
                "source": "a.json",
                "what": "missing"
              },
              "foreign_rows": 0,
              "lake_rows": 32,
              "name": "primary",
              "not_landed": {
                "bytes": 0,
                "files": 0
              },
              "others": [],
              "position": 3520,
              "rows_ok": false,
              "source_rows": 30,
              "totals_rows": 33,
              "unverifiable": [
                {
                  "bytes": 320,
                  "reason": "it is no longer in the source",
                  "rows": 3,
                  "source": "b.json"
                }
              ],
              "version": 5
            },
            {
              "checksum_ok": true,
              "first_difference": null,
              "foreign_rows": 0,
              "lake_rows": 11,
              "name": "replica",
              "not_landed": {
                "bytes": 0,
                "files": 0
              },
              "others": [],
              "position": 3520,
              "rows_ok": true,
              "source_rows": 10,
              "totals_rows": 11,
              "unverifiable": [
                {
                  "bytes": 320,
                  "reason": "it is no longer in the source",
                  "rows": 1,
                  "source": "b.json"
                }
              ],
              "version": 4
            },
            {
              "checksum_ok": true,
              "first_difference": null,
              "foreign_rows": 0,
              "lake_rows": 11,
              "name": "rejects",
              "not_landed": {
                "bytes": 0,
                "files": 0
              },
              "others": [],
              "position": 3520,
              "rows_ok": true,
              "source_rows": 10,
              "totals_rows": 11,
              "unverifiable": [
                {
                  "bytes": 320,
                  "reason": "it is no longer in the source",
                  "rows": 1,
                  "source": "b.json"
                }
              ],
              "version": 4
            }
          ],
          "unverifiable_rows": 5
        }"#]]
    .assert_eq(&format!("{said:#}"));
}

#[test]
fn people_get_a_verdict_and_what_to_do() {
    let pipeline = landed(50);
    let text = |code| pipeline.call(&["prove", "p.toml"]).exits_with(code).stdout;
    expect![[r#"
        pipeline p is proved: up to position 3200, every row is there, once
          primary: proved; position 3200, version 2: 30 rows in the source, 30 in the totals, 30 in the table
          replica: proved; position 3200, version 2: 10 rows in the source, 10 in the totals, 10 in the table
          rejects: proved; position 3200, version 2: 10 rows in the source, 10 in the totals, 10 in the table
    "#]]
    .assert_eq(&text(0));
    pipeline.write("b.json", lines(0..5));
    pipeline.land();
    std::fs::remove_file(pipeline.path("logs/b.json")).expect("a file goes away");
    expect![[r#"
        pipeline p: nothing differs, BUT NOT ALL IS PROVED: 5 rows not verifiable, the source can no longer confirm all rows
          primary: proved in part; position 3520, version 4: 30 rows in the source, 33 in the totals, 33 in the table
            not verifiable: b.json: it is no longer in the source (320 bytes, 3 rows)
          replica: proved in part; position 3520, version 4: 10 rows in the source, 11 in the totals, 11 in the table
            not verifiable: b.json: it is no longer in the source (320 bytes, 1 row)
          rejects: proved in part; position 3520, version 4: 10 rows in the source, 11 in the totals, 11 in the table
            not verifiable: b.json: it is no longer in the source (320 bytes, 1 row)
    "#]]
    .assert_eq(&text(0));
    tamper(&["double", &pipeline.table("primary").display().to_string(), "a.json", &(5 * LINE).to_string()]);
    expect![[r#"
        pipeline p is NOT proved: source, totals and tables differ
          primary: DIFFERS; position 3520, version 5: 30 rows in the source, 33 in the totals, 34 in the table
            first difference: a row is there more than once: a.json:320 (source and totals agree, the table differs)
            what to do: look at the table's history for a commit that is not lakefront's, and undo it with all runs stopped: RESTORE to the version before it only if nothing has landed since, because rows landed since would be lost; otherwise put back a copy of the table's whole folder
            not verifiable: b.json: it is no longer in the source (320 bytes, 3 rows)
          replica: proved in part; position 3520, version 4: 10 rows in the source, 11 in the totals, 11 in the table
            not verifiable: b.json: it is no longer in the source (320 bytes, 1 row)
          rejects: proved in part; position 3520, version 4: 10 rows in the source, 11 in the totals, 11 in the table
            not verifiable: b.json: it is no longer in the source (320 bytes, 1 row)
    "#]].assert_eq(&text(1));
}

#[test]
fn an_empty_source_is_proved_and_tables_without_a_position_cannot_be() {
    let pipeline = Pipeline::new();
    let ended = pipeline.call(&["prove", "p.toml", "--json"]).exits_with(3);
    assert_eq!(ended.stdout, "");
    expect![[r#"
        error: table "primary" (lake/lakehouse/logs/primary) holds no position of pipeline "p": nothing has landed that could be proved; run the pipeline first
    "#]].assert_eq(&ended.error());
    // A line that is not finished: the tables are claimed, but nothing lands.
    pipeline.write("a.json", "torn");
    pipeline.land();
    pipeline.is_proved();
}

#[test]
fn what_cannot_be_proved_is_no_mismatch() {
    let mut pipeline = landed(50);
    pipeline.set("source", "url", "file:elsewhere/");
    std::fs::create_dir(pipeline.path("elsewhere")).expect("a folder");
    let ended = pipeline.call(&["prove", "p.toml"]).exits_with(3);
    expect![[r#"
        error: table "primary" was landed from file:<dir>/logs, not from file:<dir>/elsewhere: prove it with the pipeline file that it was landed with
    "#]].assert_eq(&pipeline.normalised(&ended.error()));
    pipeline.set("source", "url", "file:logs/").set("source", "formt", "azure");
    pipeline.call(&["prove", "p.toml"]).exits_with(2);
}

/// The only data file of a table.
fn file(pipeline: &Pipeline, table: &str) -> std::path::PathBuf {
    let entries = std::fs::read_dir(pipeline.table(table)).expect("a table");
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    paths.find(|path| path.extension().is_some_and(|extension| extension == "parquet")).expect("a file")
}

#[test]
fn a_file_of_a_table_that_is_gone_or_damaged_is_a_difference() {
    let pipeline = landed(50);
    let (gone, damaged) = (file(&pipeline, "primary"), file(&pipeline, "replica"));
    let kept = [&gone, &damaged].map(|path| std::fs::read(path).expect("a file"));
    std::fs::remove_file(&gone).expect("a file goes away");
    let mut half = kept[1].clone();
    let middle = half.len() / 4..half.len() / 2;
    half[middle].fill(0xff);
    std::fs::write(&damaged, half).expect("a file");
    let said = pipeline.prove(1);
    let lost = |table: usize| &said["tables"][table]["lost"];
    assert_eq!((&lost(0)[0]["reason"], &lost(0)[0]["rows"]), (&json!("it is gone"), &json!(30)), "{said:#}");
    assert_eq!(lost(1)[0]["rows"], 10, "{said:#}");
    assert_eq!((&said["tables"][0]["lake_rows"], &said["tables"][0]["totals_rows"]), (&json!(0), &json!(30)));
    assert_eq!((lost(2), &said["tables"][2]["rows_ok"]), (&json!(null), &json!(true)), "the others are proved");
    let text = pipeline.call(&["prove", "p.toml"]).exits_with(1).stdout;
    assert!(text.contains("parquet: it is gone, it held 30 rows"), "{text}");
    assert!(text.contains("it is damaged: ") && text.contains(", it held 10 rows"), "{text}");

    std::fs::write(&damaged, &kept[1][..100]).expect("a file");
    let text = pipeline.call(&["prove", "p.toml"]).exits_with(1).stdout;
    assert!(text.contains("it has 100 bytes, not "), "{text}");

    for (path, content) in [&gone, &damaged].into_iter().zip(kept) {
        std::fs::write(path, content).expect("a file is put back");
    }
    pipeline.is_proved();
}

#[test]
fn what_has_not_landed_is_told_and_nothing_is_not_everything() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", "torn");
    pipeline.land();
    std::fs::remove_file(pipeline.path("logs/a.json")).expect("a file goes away");
    let text =
        |arguments: &[&str], code| pipeline.call(&[&["prove", "p.toml"], arguments].concat()).exits_with(code).stdout;
    expect![[r#"
        pipeline p: NOTHING TO PROVE: no row has landed, up to position 0
          the source is empty too: check source.url
          primary: proved; position 0, version 1: 0 rows in the source, 0 in the totals, 0 in the table
          replica: proved; position 0, version 1: 0 rows in the source, 0 in the totals, 0 in the table
          rejects: proved; position 0, version 1: 0 rows in the source, 0 in the totals, 0 in the table
    "#]]
    .assert_eq(&text(&[], 0));
    text(&["--strict"], 1);

    pipeline.write("a.json", lines(0..5));
    assert!(text(&[], 0).contains("not landed yet, and not proved: 320 bytes of 1 file, first a.json"));
    pipeline.land();
    pipeline.append("a.json", "torn");
    pipeline.write("b.json", lines(0..5));
    expect![[r#"
        pipeline p is proved: up to position 320, every row is there, once
          not landed yet, and not proved: 324 bytes of 2 files, first a.json (a last line without a newline counts too)
          primary: proved; position 320, version 3: 3 rows in the source, 3 in the totals, 3 in the table
          replica: proved; position 320, version 3: 1 rows in the source, 1 in the totals, 1 in the table
          rejects: proved; position 320, version 3: 1 rows in the source, 1 in the totals, 1 in the table
    "#]]
    .assert_eq(&text(&["--strict"], 0));
    let said = pipeline.prove(0);
    assert_eq!(said["tables"][0]["not_landed"], json!({"bytes": 324, "files": 2, "first": "a.json"}));
    assert_eq!((&said["all_proved"], &said["unverifiable_rows"]), (&json!(true), &json!(0)));
}

#[test]
fn where_nothing_can_be_verified_that_is_said_and_may_be_a_failure() {
    let pipeline = landed(50);
    std::fs::remove_file(pipeline.path("logs/a.json")).expect("a file goes away");
    let said = pipeline.call(&["prove", "p.toml"]).exits_with(0).stdout;
    assert!(said.contains("NOTHING IS PROVED: 50 rows not verifiable"), "{said}");
    let said = pipeline.call(&["prove", "p.toml", "--strict", "--json"]).exits_with(1).json();
    assert_eq!((&said["ok"], &said["all_proved"]), (&json!(true), &json!(false)));
    assert_eq!(said["unverifiable_rows"], 50);
}

#[test]
fn a_file_that_two_pipelines_have_landed_is_a_difference() {
    let mut pipeline = landed(50);
    let offsets = |pipeline: &Pipeline, name: &str| {
        let folder = pipeline.table("primary").join("_lakefront").join(name);
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
        paths.sort();
        paths
    };
    let read = |path: &std::path::PathBuf| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
    };
    let created = offsets(&pipeline, "p")
        .iter()
        .find_map(|path| read(path)["partitions"][0]["created"].as_str().map(str::to_owned));
    pipeline.set("", "pipeline", "q").set("source", "url", "file:logs2/");
    std::fs::create_dir(pipeline.path("logs2")).expect("a folder");
    std::fs::write(pipeline.path("logs2/b.json"), lines(0..20)).expect("a file");
    pipeline.land();
    // What an earlier build allowed: one file under two names.
    for path in offsets(&pipeline, "q") {
        let mut document = read(&path);
        if let Some(partition) = document["partitions"].get_mut(0) {
            partition["created"] = json!(created);
        }
        std::fs::write(path, document.to_string()).expect("a file");
    }
    pipeline.set("", "pipeline", "p").set("source", "url", "file:logs/");
    let said = pipeline.prove(1);
    let real = std::fs::canonicalize(pipeline.path("logs2")).expect("a folder");
    let other = json!({"pipeline": "q", "source": format!("file:{}", real.display()), "rows": 12, "twice": "a.json"});
    assert_eq!(said["tables"][0]["others"], json!([other]), "{said:#}");
    let text = pipeline.call(&["prove", "p.toml"]).exits_with(1).stdout;
    assert!(
        text.contains("also in the table: 12 rows of pipeline q") && text.contains("LANDED TWICE: a.json"),
        "{text}"
    );
}
