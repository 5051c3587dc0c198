//! What the values of real lines become, and where the lines go.

use serde_json::{Value, json};

use crate::support::Pipeline;
use crate::support::oracle::run_python;

/// How many rows a report counts, by table.
fn rows(report: &Value) -> [u64; 3] {
    ["primary", "replica", "rejects"].map(|table| report["tables"][table]["rows"].as_u64().expect("rows"))
}

#[test]
fn roles_are_compared_without_case_and_those_that_nothing_names_are_told() {
    let pipeline = Pipeline::new();
    for role in ["Primary", "AsyncReplica", "GeoAsyncReplica", "None", "Replica", "primary", "PRIMARY"] {
        pipeline.append("a.json", format!("{{\"ReplicaRole\": \"{role}\"}}\n"));
    }
    pipeline.append("a.json", "{\"ReplicaRole\": \"Master\"}\n".repeat(3));
    let ended = pipeline.run().exits_with(0);
    assert_eq!(rows(&ended.json()), [4, 6, 0]);
    assert_eq!(ended.json()["unnamed_roles"], json!({"Master": 3}));
    assert_eq!(ended.stderr.matches("lines name a role that [roles] does not").count(), 1, "{}", ended.stderr);
    pipeline.is_exact();
    pipeline.is_proved();
}

#[test]
fn a_line_without_a_role_goes_by_the_server_that_its_resource_names() {
    let mut pipeline = Pipeline::new();
    pipeline.set("roles", "servers", json!({"Orders-Uat-PG": "replica", "shop": "primary"}));
    pipeline.set("roles", "replica", json!(["Replica"]));
    let resource = "/SUBSCRIPTIONS/0F/PROVIDERS/MICROSOFT.DBFORPOSTGRESQL/FLEXIBLESERVERS/ORDERS-UAT-PG";
    pipeline.append("a.json", format!("{{\"resourceId\": \"{resource}\"}}\n"));
    pipeline.append("a.json", format!("{{\"resourceId\": \"{resource}\", \"LogicalServerName\": \"SHOP\"}}\n"));
    pipeline.append("a.json", format!("{{\"resourceId\": \"{resource}\", \"ReplicaRole\": \"Master\"}}\n"));
    pipeline.append("a.json", "{\"LogicalServerName\": \"other\"}\n{\"ReplicaRole\": \"Master\"}\n");
    let report = pipeline.land();
    assert_eq!(rows(&report), [1, 2, 2]);
    assert_eq!(report["rejects"], json!({"no_role": 1, "unknown_role": 1}));
    pipeline.is_exact();
    pipeline.is_proved();
}

/// A column of the table of rejects, by offset.
fn rejects(pipeline: &Pipeline, column: &str) -> Vec<String> {
    let program = format!(
        "import sys\nfrom deltalake import DeltaTable\n\
         rows = DeltaTable(sys.argv[1]).to_pyarrow_table().sort_by('_offset')\n\
         for value in rows['{column}'].to_pylist(): print(value)"
    );
    run_python(&program, &[&pipeline.table("rejects")]).lines().map(str::to_owned).collect()
}

#[test]
fn harmless_types_are_read_and_a_reject_names_the_key_of_others() {
    let pipeline = Pipeline::new();
    let line = |properties: &str| format!("{{\"ReplicaRole\": \"Primary\", \"properties\": {{{properties}}}}}\n");
    for good in ["\"processId\": \"1001\"", "\"processId\": 1001.0, \"sqlerrcode\": 0", "\"processId\": 1e3"] {
        pipeline.append("a.json", line(good));
    }
    for bad in
        ["\"processId\": true", "\"processId\": \"secret\"", "\"message\": {\"a\": 1}", "\"timestamp\": \"secret\""]
    {
        pipeline.append("a.json", line(bad));
    }
    assert_eq!(rows(&pipeline.land()), [3, 0, 4]);
    pipeline.is_exact();
    pipeline.is_proved();
    let expected = [
        "properties.processId: boolean, expected integer",
        "properties.processId: string, expected integer",
        "properties.message: object, expected string",
        "properties.timestamp: not a time",
    ];
    assert_eq!(rejects(&pipeline, "detail"), expected);
}

#[test]
fn keys_that_are_spelled_like_those_of_properties_are_both_kept() {
    let pipeline = Pipeline::new();
    let line =
        "{\"ReplicaRole\": \"Primary\", \"properties.x\": 1, \"properties\": {\"x\": 2}, \".properties.x\": 3}\n";
    pipeline.write("a.json", line);
    assert_eq!(rows(&pipeline.land()), [1, 0, 0]);
    pipeline.is_exact();
    pipeline.is_proved();
}

#[test]
fn what_stands_before_a_record_is_no_part_of_it() {
    let pipeline = Pipeline::new();
    let record = b"{\"ReplicaRole\": \"Primary\"}\n";
    pipeline.append(
        "a.json",
        [&[0; 5000], &record[..], &[0; 300], b"\n\xef\xbb\xbf", record, b"\x11\x03", record].concat(),
    );
    pipeline.append("a.json", b"\x11\x03\n");
    let report = pipeline.land();
    assert_eq!(rows(&report), [3, 0, 1]);
    pipeline.is_exact();
    pipeline.is_proved();
}

#[test]
fn zones_are_what_the_settings_say() {
    let times = [
        "2026-07-21 07:00:01 GMT",
        "2026-07-21 07:00:01.5 BST",
        "2026-01-21 07:00:01 PST",
        "2026-07-21 07:00:01 PDT",
        "2026-11-01 01:30:00.123 PDT",
        "2026-11-01 01:30:00.123 PST",
        "2026-11-01 01:30:00",
        "2026-03-08 02:30:00",
        "2026-07-21 07:00:01",
        "2026-07-21 07:00:01 IST",
        "2026-07-21 07:00:01 SGT",
        "2026-11-21 07:00:01 PDT",
    ];
    let pipeline = || {
        let mut pipeline = Pipeline::new();
        pipeline.set("source", "format", "jsonlog").set("roles", "default", "primary");
        for time in times {
            pipeline.append("a.json", format!("{{\"timestamp\": \"{time}\", \"message\": \"m\"}}\n"));
        }
        pipeline
    };
    let without_settings = pipeline();
    assert_eq!(rows(&without_settings.land()), [2, 0, 10]);
    without_settings.is_exact_with(&["--jsonlog-destination", "primary"]);
    without_settings.is_proved();

    let mut pipeline = pipeline();
    pipeline.set("rows", "zone", "America/Los_Angeles").set("rows", "zones", json!({"IST": "+05:30"}));
    assert_eq!(rows(&pipeline.land()), [9, 0, 3]);
    pipeline.is_exact_with(&["--jsonlog-destination", "primary"]);
    pipeline.is_proved();
    let expected = [
        "timestamp: a time that rows.zone has twice, or never",
        "timestamp: a time that rows.zone has twice, or never",
        "timestamp: a zone that is not certain, see rows.zones",
    ];
    assert_eq!(rejects(&pipeline, "detail"), expected);
}

#[test]
fn a_reject_keeps_as_much_of_its_line_as_is_set() {
    for (raw, kept) in [(json!(10), [10, 10, 10]), (json!("line"), [100_000, 2_000, 65_536])] {
        let mut pipeline = Pipeline::new();
        pipeline.set("rows", "raw", raw).set("source", "max_line", 200_000).set("source", "chunk", "1 MiB");
        for length in [100_000, 2_000, 300_000] {
            pipeline.append("a.json", "x".repeat(length) + "\n");
        }
        assert_eq!(rows(&pipeline.land()), [0, 0, 3]);
        pipeline.is_exact_with(&["--max-line", "200000"]);
        pipeline.is_proved();
        let lengths: Vec<usize> = rejects(&pipeline, "raw").iter().map(|raw| raw.len() - "b''".len()).collect();
        assert_eq!(lengths, kept);
    }
}
