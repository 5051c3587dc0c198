//! Lines that are not records by themselves: what is opened, what is rejected, and what people are
//! told.

use std::fs;

use serde_json::{Value, json};

use crate::support::Pipeline;

/// A record of Azure with this message and role.
fn azure(message: &str, role: &str) -> String {
    format!(
        r#"{{"time":"2026-11-21T07:00:01Z","category":"PostgreSQLLogs","ReplicaRole":"{role}","properties":{{"message":"{message}"}}}}"#
    )
}

/// A record of `jsonlog` with this message.
fn jsonlog(message: &str) -> String {
    format!(r#"{{"timestamp":"2026-11-21 07:00:03.123 UTC","pid":4003,"message":"{message}","x":1}}"#)
}

fn rows(report: &Value) -> [u64; 3] {
    ["primary", "replica", "rejects"].map(|table| report["tables"][table]["rows"].as_u64().expect("rows"))
}

/// What a run prints for people.
fn told(pipeline: &Pipeline) -> String {
    pipeline.call(&["run", "p.toml"]).exits_with(0).stdout
}

/// The records of an envelope, between plain lines, become rows in the tables of their roles.
#[test]
fn records_of_envelopes_land_each_in_its_table() {
    let mut pipeline = Pipeline::new();
    pipeline.set("roles", "default", "primary");
    let [one, two, plain] = [azure("one", "Primary"), azure("two", "AsyncReplica"), azure("plain", "Primary")];
    pipeline
        .write("PT1H.json", format!("{{\"records\": [{one}, {two}, 7, {{\"x\":1}}]}}\n{plain}\n[{two},{one}]\r\n[]\n"));
    let report = pipeline.land();
    assert_eq!(rows(&report), [3, 2, 2]);
    assert_eq!(report["rejects"], json!({"not_an_object": 1, "unknown_shape": 1}));
    let opened = json!({"records": {"lines": 1, "records": 4}, "array": {"lines": 2, "records": 2}});
    assert_eq!(report["shapes"]["opened"], opened);
    pipeline.is_exact();
    pipeline.is_proved();
}

/// Many records in one line make chunks and batches as others do.
#[test]
fn an_envelope_may_hold_more_records_than_a_batch_of_lines() {
    let pipeline = Pipeline::new();
    let record = |n: usize| match n % 5 {
        0 => "[]".to_owned(),
        _ => format!(r#"{{"ReplicaRole":"Primary","properties":{{"processId":{n}}}}}"#),
    };
    let all: Vec<String> = (0..40_000).map(record).collect();
    pipeline.write("a.json", format!("{}\n[{}]\n{}\n", azure("a", "Primary"), all.join(","), azure("b", "Replica")));
    assert_eq!(rows(&pipeline.land()), [32_001, 1, 8_000]);
    pipeline.is_exact();
    pipeline.is_proved();
}

#[test]
fn an_array_of_a_record_a_line_lands() {
    let pipeline = Pipeline::new();
    let [a, b, c] = ["a", "b", "c"].map(|message| azure(message, "Primary"));
    pipeline.write("PT1H.json", format!("[\n{a},\n{b} ,\r\n{c}\n]\n"));
    let report = pipeline.land();
    assert_eq!((rows(&report), &report["rejects"]), ([3, 0, 0], &json!({})));
    pipeline.is_exact();
    pipeline.is_proved();
}

/// What collectors wrap is taken out, and what they put beside it is kept.
#[test]
fn wrapped_records_land_and_plain_text_in_a_wrapper_does_not() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "format", "jsonlog").set("roles", "default", "primary");
    let record = jsonlog("m");
    let cnpg = r#"{"level":"info","logger":"postgres","logging_pod":"shop-1","record":{"log_time":"2026-11-21 07:00:02.961 UTC","user_name":"app","process_id":"11282","message":"duration"}}"#;
    let lines = [
        cnpg.to_owned(),
        format!("2026-11-21T07:00:03.130000001Z stdout F {cnpg}"),
        format!("2026-11-21T07:00:03Z stderr F {record}"),
        json!({"log": format!("{record}\n"), "stream": "stderr", "time": "2026-11-21T07:00:03Z"}).to_string(),
        format!(r#"{{"insertId":"i","jsonPayload":{record},"timestamp":"2026-11-21T07:00:13Z"}}"#),
        r#"{"insertId":"i","textPayload":"2026-11-21 07:00:13 UTC [14]: LOG: x","timestamp":"2026-11-21T07:00:13Z"}"#
            .into(),
        r#"{"TenantId":"0f0f","Message":"x"}"#.to_owned(),
        azure("of another format", "Primary"),
    ];
    pipeline.write("a.json", lines.join("\n") + "\n");
    let said = told(&pipeline);
    for expected in [
        "2 lines were CloudNativePG records",
        "2 lines were container log lines (CRI)",
        "1 line was a Docker log entry",
        "1 line was a Google Cloud log entry",
        "1 reject looks like Google Cloud log entries that are not opened",
        "1 reject looks like lines of format = \"azure\"",
        "unknown_shape 3",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    pipeline.is_exact_with(&["--jsonlog-destination", "primary"]);
    pipeline.is_proved();
}

/// With `none`, a line is a record or a reject, and no line becomes a row of nulls.
#[test]
fn nothing_is_opened_that_is_not_to_be() {
    let mut pipeline = Pipeline::new();
    pipeline.set("rows", "envelope", "none").set("roles", "default", "primary");
    let one = azure("one", "Primary");
    pipeline.write("a.json", format!("{{\"records\":[{one}]}}\n[{one}]\n{one},\n[\n{one}\n"));
    let report = pipeline.land();
    assert_eq!(rows(&report), [1, 0, 4]);
    assert_eq!(report["rejects"], json!({"unknown_shape": 1, "not_an_object": 1, "invalid_json": 2}));
    pipeline.is_exact();
    pipeline.is_proved();
}

/// A changed choice applies from then on.
#[test]
fn tables_that_were_landed_otherwise_are_proved_too() {
    let mut pipeline = Pipeline::new();
    pipeline.set("rows", "envelope", "none");
    let envelope = format!("{{\"records\":[{}]}}\n", azure("m", "Primary"));
    pipeline.write("a.json", &envelope);
    assert_eq!(rows(&pipeline.land()), [0, 0, 1]);
    pipeline.set("rows", "envelope", "auto").append("a.json", &envelope);
    assert_eq!(rows(&pipeline.land()), [1, 0, 0]);
    assert_eq!(pipeline.prove(0)["ok"], json!(true));
}

/// A document over many lines is not NDJSON: people are told which file it is, and what makes lines
/// of it.
#[test]
fn a_document_over_many_lines_is_named() {
    let pipeline = Pipeline::new();
    let record: Value = serde_json::from_str(&azure("m", "Primary")).expect("JSON");
    let document = |value: Value| serde_json::to_string_pretty(&value).expect("JSON") + "\n";
    pipeline.write("la.json", document(json!([record])));
    pipeline.write("records.json", document(json!({"records": [record]})));
    pipeline.write("plain.json", azure("m", "Primary") + "\n");
    let said = told(&pipeline);
    assert!(said.contains("la.json and 1 more look like one JSON document over many lines"), "{said}");
    assert!(!said.contains("plain.json"), "{said}");
    pipeline.is_exact();
    // A file that follows the advice lands.
    let one_line = json!({"records": [record]}).to_string() + "\n";
    fs::remove_file(pipeline.path("logs/records.json")).expect("a file");
    pipeline.write("compact.json", one_line);
    assert_eq!(rows(&pipeline.land())[0], 1);
}

#[test]
fn doctor_and_validate_name_the_shape_of_the_first_lines() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "format", "jsonlog").set("roles", "default", "primary");
    pipeline.write("a.json", format!("2026-11-21T07:00:03Z stderr F {}\n", jsonlog("m")));
    pipeline.write("b.json", "{\n  \"message\": \"m\"\n}\n");
    pipeline.write("c.json", azure("m", "Primary") + "\n");
    for command in [vec!["doctor", "p.toml"], vec!["validate", "p.toml", "--connect"]] {
        let said = pipeline.call(&command).stdout;
        for expected in [
            "first lines look like container log lines (CRI), and are opened",
            "b.json: its first lines look like one JSON document over many lines",
            "c.json: its first lines look like lines of format = \"azure\"",
            "set source.format = \"azure\"",
        ] {
            assert!(said.contains(expected), "{command:?} {expected}: {said}");
        }
    }
}
