//! What is printed, and the exit codes.

use expect_test::expect;

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
              "lake_rows": 32,
              "name": "primary",
              "position": 3520,
              "rows_ok": false,
              "source_rows": 30,
              "totals_rows": 33,
              "unverifiable": [
                {
                  "bytes": 320,
                  "reason": "it is not in the source any more",
                  "rows": 3,
                  "source": "b.json"
                }
              ],
              "version": 5
            },
            {
              "checksum_ok": true,
              "first_difference": null,
              "lake_rows": 11,
              "name": "replica",
              "position": 3520,
              "rows_ok": true,
              "source_rows": 10,
              "totals_rows": 11,
              "unverifiable": [
                {
                  "bytes": 320,
                  "reason": "it is not in the source any more",
                  "rows": 1,
                  "source": "b.json"
                }
              ],
              "version": 4
            },
            {
              "checksum_ok": true,
              "first_difference": null,
              "lake_rows": 11,
              "name": "rejects",
              "position": 3520,
              "rows_ok": true,
              "source_rows": 10,
              "totals_rows": 11,
              "unverifiable": [
                {
                  "bytes": 320,
                  "reason": "it is not in the source any more",
                  "rows": 1,
                  "source": "b.json"
                }
              ],
              "version": 4
            }
          ]
        }"#]]
    .assert_eq(&format!("{said:#}"));
}

#[test]
fn people_get_a_verdict_and_what_to_do() {
    let pipeline = landed(50);
    let text = |code| pipeline.call(&["prove", "p.toml"]).exits_with(code).stdout;
    expect![[r#"
        pipeline p is proved: every row is there, once
          primary: proved; position 3200, version 2: 30 rows in the source, 30 in the totals, 30 in the table
          replica: proved; position 3200, version 2: 10 rows in the source, 10 in the totals, 10 in the table
          rejects: proved; position 3200, version 2: 10 rows in the source, 10 in the totals, 10 in the table
    "#]]
    .assert_eq(&text(0));
    pipeline.write("b.json", lines(0..5));
    pipeline.land();
    std::fs::remove_file(pipeline.path("logs/b.json")).expect("a file goes away");
    expect![[r#"
        pipeline p: nothing differs, BUT NOT ALL IS PROVED: the source does not tell all rows any more
          primary: proved in part; position 3520, version 4: 30 rows in the source, 33 in the totals, 33 in the table
            not verifiable: b.json: it is not in the source any more (320 bytes, 3 rows)
          replica: proved in part; position 3520, version 4: 10 rows in the source, 11 in the totals, 11 in the table
            not verifiable: b.json: it is not in the source any more (320 bytes, 1 row)
          rejects: proved in part; position 3520, version 4: 10 rows in the source, 11 in the totals, 11 in the table
            not verifiable: b.json: it is not in the source any more (320 bytes, 1 row)
    "#]]
    .assert_eq(&text(0));
    tamper(&["double", &pipeline.table("primary").display().to_string(), "a.json", &(5 * LINE).to_string()]);
    expect![[r#"
        pipeline p is NOT proved: source, totals and tables differ
          primary: DIFFERS; position 3520, version 5: 30 rows in the source, 33 in the totals, 34 in the table
            first difference: a row is there more than once: a.json:320 (source and totals agree, the table differs)
            what to do: look at the table's history for a commit that is not lakefront's, and undo it with all runs stopped: RESTORE to the version before it only if nothing has landed since, for what has would be lost; otherwise put back a copy of the table's whole folder
            not verifiable: b.json: it is not in the source any more (320 bytes, 3 rows)
          replica: proved in part; position 3520, version 4: 10 rows in the source, 11 in the totals, 11 in the table
            not verifiable: b.json: it is not in the source any more (320 bytes, 1 row)
          rejects: proved in part; position 3520, version 4: 10 rows in the source, 11 in the totals, 11 in the table
            not verifiable: b.json: it is not in the source any more (320 bytes, 1 row)
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

#[test]
fn a_table_that_cannot_be_read_is_no_mismatch() {
    let pipeline = landed(50);
    for entry in std::fs::read_dir(pipeline.table("primary")).expect("a table") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            std::fs::remove_file(path).expect("a file goes away");
        }
    }
    let error = pipeline.call(&["prove", "p.toml"]).exits_with(3).error();
    let words = "could not read the rows of version 2 of table lake/lakehouse/logs/primary (if a clean-up has just removed its \
                 files, try again)";
    assert!(error.contains(words), "{error}");
}
