//! Tables that others have changed.

use std::fs;

use serde_json::{Value, json};

use crate::support::oracle::tamper;
use crate::support::pipeline::copy;
use crate::support::{Lines, Pipeline};
use crate::{LINE, difference, found, landed};

const PRIMARY: usize = 0;
const REPLICA: usize = 1;
const REJECTS: usize = 2;
const NAMES: [&str; 3] = ["primary", "replica", "rejects"];

/// Does `action` to a table, or to a row at an offset; a swap takes a second table.
fn act(pipeline: &Pipeline, action: &str, table: usize, more: &[&str]) {
    let table = pipeline.table(NAMES[table]).display().to_string();
    let mut arguments = vec![action, &table];
    arguments.extend(more);
    tamper(&arguments);
}

#[test]
fn what_anybody_may_do_to_a_table_changes_nothing() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(1).take(120));
    pipeline.write("b/c.json", Lines::new(2).take(40));
    pipeline.land();
    pipeline.is_proved();
    for action in ["compact", "cluster", "add_column", "vacuum", "clean_log"] {
        for table in 0..3 {
            act(&pipeline, action, table, &[]);
        }
        println!("after {action}");
        pipeline.is_proved();
    }
    pipeline.append("a.json", Lines::new(3).take(60));
    pipeline.land();
    pipeline.is_proved();
}

/// What is done to which table at which line, and what is then found in each table.
type Case = (&'static str, usize, u64, [Option<&'static str>; 3]);

#[test]
fn every_way_to_spoil_a_row_is_found_and_named() {
    let cases: [Case; 8] = [
        ("delete", PRIMARY, 105, [Some("missing"), None, None]),
        ("delete", REJECTS, 104, [None, None, Some("missing")]),
        ("delete_by_vector", REPLICA, 103, [None, Some("missing"), None]),
        ("double", PRIMARY, 0, [Some("doubled"), None, None]),
        ("double", REJECTS, 199, [None, None, Some("doubled")]),
        ("change", REPLICA, 198, [None, Some("altered"), None]),
        ("change", REJECTS, 9, [None, None, Some("altered")]),
        ("append", PRIMARY, 3, [Some("unexpected"), None, None]),
    ];
    let pipeline = landed(200);
    let (lake, kept) = (pipeline.path("lake"), pipeline.path("kept"));
    copy(&lake, &kept);
    for (action, table, line, expected) in cases {
        act(&pipeline, action, table, &["a.json", &(line * LINE).to_string()]);
        let said = pipeline.prove(1);
        assert_eq!(said["ok"], false);
        for (table, what) in expected.iter().enumerate() {
            let named = what.map_or(Value::Null, |what| difference("a.json", line * LINE, what, "table"));
            assert_eq!(found(&said, table), &named, "{action} line {line}: {said:#}");
            let (rows, checksum) = (&said["tables"][table]["rows_ok"], &said["tables"][table]["checksum_ok"]);
            assert_eq!(*rows, what.is_none() || what == &Some("altered"), "{action} line {line}");
            assert_eq!(*checksum, what.is_none(), "{action} line {line}");
        }
        fs::remove_dir_all(&lake).expect("the lake goes away");
        copy(&kept, &lake);
    }
    pipeline.is_proved();
}

#[test]
fn rows_that_were_swapped_between_tables_are_found_in_both() {
    let pipeline = landed(50);
    let replica = pipeline.table("replica").display().to_string();
    // Line 22 is the primary's, line 23 a replica's.
    act(&pipeline, "swap", PRIMARY, &["a.json", &(22 * LINE).to_string(), &replica]);
    let said = pipeline.prove(1);
    assert_eq!(*found(&said, PRIMARY), difference("a.json", 22 * LINE, "missing", "table"));
    assert_eq!(*found(&said, REPLICA), difference("a.json", 22 * LINE, "unexpected", "table"));
    assert_eq!(*found(&said, REJECTS), Value::Null);
    assert_eq!(said["tables"][PRIMARY]["rows_ok"], true, "as many as before");
}

#[test]
fn rows_of_no_file_and_of_no_place_are_unexpected() {
    let pipeline = landed(20);
    act(&pipeline, "append", PRIMARY, &["elsewhere.json", "7"]);
    act(&pipeline, "append", REPLICA, &["", "7"]);
    act(&pipeline, "append", REJECTS, &["a.json", "-1"]);
    let said = pipeline.prove(1);
    assert_eq!(*found(&said, PRIMARY), difference("elsewhere.json", 7, "unexpected", "table"));
    let nameless = json!({"source": null, "offset": null, "what": "unexpected", "odd": "table"});
    assert_eq!((found(&said, REPLICA), found(&said, REJECTS)), (&nameless, &nameless));
}

#[test]
fn totals_that_were_changed_stand_alone() {
    let pipeline = landed(50);
    let folder = pipeline.table("primary").join("_lakefront/p");
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let mut document: Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
        // The first offsets file counts no rows yet.
        let partitions = document["tables"]["primary"].get_mut("partitions").and_then(Value::as_array_mut);
        for partition in partitions.into_iter().flatten() {
            let sum = partition["sums"][0].as_str().expect("a sum");
            let (rows, _) = sum.split_once(' ').expect("its rows");
            partition["sums"][0] = json!(format!("{rows} 1"));
        }
        fs::write(path, document.to_string()).expect("a file");
    }
    let said = pipeline.prove(1);
    let named = json!({"source": "a.json", "offset": null, "what": null, "range": [0, 1 << 20], "odd": "totals"});
    assert_eq!(*found(&said, PRIMARY), named);
    let table = &said["tables"][PRIMARY];
    assert_eq!((&table["rows_ok"], &table["checksum_ok"]), (&json!(true), &json!(false)));
    assert_eq!((found(&said, REPLICA), found(&said, REJECTS)), (&Value::Null, &Value::Null));
}

#[test]
fn of_many_differences_the_first_is_named() {
    // A file of four mebibytes.
    let pipeline = landed(65_000);
    pipeline.is_proved();
    let in_mebibyte = |mebibyte: u64, table: u64| (((mebibyte << 20) / LINE + 100) / 5 * 5 + table) * LINE;
    for mebibyte in [3, 2] {
        act(&pipeline, "delete", PRIMARY, &["a.json", &in_mebibyte(mebibyte, 0).to_string()]);
        let said = pipeline.prove(1);
        assert_eq!(*found(&said, PRIMARY), difference("a.json", in_mebibyte(mebibyte, 0), "missing", "table"));
    }
    act(&pipeline, "double", PRIMARY, &["a.json", &in_mebibyte(1, 1).to_string()]);
    let said = pipeline.prove(1);
    assert_eq!(*found(&said, PRIMARY), difference("a.json", in_mebibyte(1, 1), "doubled", "table"));
    assert_eq!((&said["tables"][0]["source_rows"], &said["tables"][0]["lake_rows"]), (&json!(39_000), &json!(38_999)));
}

#[test]
fn without_its_source_a_difference_is_named_by_the_table_and_its_totals() {
    let pipeline = landed(200);
    pipeline.write("b.json", crate::lines(0..10));
    pipeline.land();
    fs::remove_file(pipeline.path("logs/a.json")).expect("a file goes away");
    act(&pipeline, "double", PRIMARY, &["a.json", &(5 * LINE).to_string()]);
    act(&pipeline, "delete", REPLICA, &["a.json", &(3 * LINE).to_string()]);
    act(&pipeline, "change", REJECTS, &["a.json", &(4 * LINE).to_string()]);
    let said = pipeline.prove(1);
    let range = json!([0, 1 << 20]);
    assert_eq!(
        *found(&said, PRIMARY),
        json!({"source": "a.json", "offset": 5 * LINE, "what": "doubled", "range": range})
    );
    assert_eq!(*found(&said, REPLICA), json!({"source": "a.json", "offset": null, "what": "missing", "range": range}));
    assert_eq!(*found(&said, REJECTS), json!({"source": "a.json", "offset": null, "what": "altered", "range": range}));
    assert_eq!(said["tables"][0]["unverifiable"][0]["source"], "a.json");
}
