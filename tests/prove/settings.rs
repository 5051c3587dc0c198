//! Whatever a pipeline is set to do with lines, the second path does the same.

use serde_json::{Value, json};

use crate::support::lines::samples;
use crate::support::oracle::{run_python, tamper};
use crate::support::{Lines, Pipeline};
use crate::{LINE, difference, found, lines};

/// The reasons in a rejects table, in order.
const REASONS: &str = "import sys, deltalake\n\
    print(*sorted(set(deltalake.DeltaTable(sys.argv[1]).to_pyarrow_table()['reason'].to_pylist())))";

#[test]
fn other_roles_leave_what_landed_before_them_unverifiable() {
    let mut pipeline = Pipeline::new();
    pipeline.write("a.json", lines(0..50));
    pipeline.land();
    pipeline.set("roles", "primary", json!(["Replica"])).set("roles", "replica", json!(["Primary"]));
    pipeline.append("a.json", lines(50..60));
    pipeline.write("b.json", lines(0..5));
    pipeline.land();
    let said = pipeline.prove(0);
    for (table, [earlier, since]) in [[30, 3], [10, 9], [10, 3]].into_iter().enumerate() {
        let unverifiable = &said["tables"][table]["unverifiable"];
        assert_eq!(unverifiable.as_array().map(Vec::len), Some(1), "{said:#}");
        assert_eq!((&unverifiable[0]["bytes"], &unverifiable[0]["rows"]), (&json!(50 * LINE), &json!(earlier)));
        assert_eq!(said["tables"][table]["source_rows"], since);
    }
    // What landed before is still compared with its totals, and what came since with the source.
    let primary = pipeline.table("primary").display().to_string();
    tamper(&["delete", &primary, "a.json", &(53 * LINE).to_string()]);
    assert_eq!(*found(&pipeline.prove(1), 0), difference("a.json", 53 * LINE, "missing", "table"));
    let replica = pipeline.table("replica").display().to_string();
    tamper(&["delete", &replica, "a.json", &(3 * LINE).to_string()]);
    assert_eq!(found(&pipeline.prove(1), 1)["what"], "missing");
}

#[test]
fn what_was_there_before_a_cold_start_is_nobodys() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "cold_start", "latest").write("a.json", lines(0..50));
    pipeline.write("b.json", lines(0..5));
    pipeline.land();
    pipeline.is_proved();
    pipeline.append("a.json", lines(50..75));
    pipeline.land();
    pipeline.is_proved();
    assert_eq!(pipeline.prove(0)["tables"][0]["source_rows"], 15);
}

#[test]
fn every_reason_of_a_reject_is_told_alike() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "max_line", "64 KiB").set("rows", "unknown_keys", "reject");
    pipeline.set("roles", "primary", json!(["Primary"])).set("roles", "replica", json!(["AsyncReplica"]));
    pipeline.set("roles", "default", "reject");
    let long = format!("{{\"ReplicaRole\":\"Primary\",\"location\":\"{}\"}}\n", "x".repeat(100_000));
    let mut content = format!(
        "\u{feff}{{\"ReplicaRole\":\"Primary\"}}\r\n\r\n{long}[]\r\n7\r\n[7,{{\"Region\":\"we\"}}]\nnot JSON\n{{\"x\":1}}\n{{}}\n\
         {{\"ReplicaRole\":\"Primary\",\"x\":1}}\n{{\"Region\":\"we\"}}\n{{\"ReplicaRole\":[]}}\n{{\"ReplicaRole\":\"Odd\"}}\n\
         {{\"ReplicaRole\":1}}\n{{\"time\":\"now\"}}\n{{\"properties\":{{\"processId\":99999999999999999999}}}}\n \t \n"
    )
    .into_bytes();
    content.extend(b"{\"Region\":\"\xff\"}\n");
    content.extend(Lines::new(5).take(100));
    pipeline.write("a.json", &content);
    pipeline.land();
    let all = "integer_out_of_range invalid_json invalid_utf8 line_too_long malformed_time no_role not_an_object unknown_key \
               unknown_role unknown_shape wrong_type";
    assert_eq!(run_python(REASONS, &[&pipeline.table("rejects")]), all);
    pipeline.is_proved();
}

#[test]
fn days_are_proved_too() {
    let mut pipeline = Pipeline::new();
    pipeline.set("lake", "partition_by", "day");
    let timed = |day: u64| format!("{{\"ReplicaRole\":\"Primary\",\"time\":\"2026-11-{day:02}T23:59:59Z\"}}\n");
    let content: String = (1..=20).map(timed).collect();
    pipeline.write("a.json", &content);
    pipeline.write("b.json", Lines::new(1).take(60));
    pipeline.land();
    pipeline.is_proved();
    let offset = content.len() as u64 / 20 * 7;
    let primary = pipeline.table("primary").display().to_string();
    tamper(&["move_day", &primary, "a.json", &offset.to_string()]);
    assert_eq!(*found(&pipeline.prove(1), 0), difference("a.json", offset, "altered", "table"));
}

#[test]
fn jsonlog_is_proved_by_the_file_it_came_in() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "format", "jsonlog");
    pipeline.set("roles.sources", "primary/**", "primary").set("roles.sources", "replica/**", "replica");
    for name in ["primary", "replica"] {
        let sample = std::fs::read(samples().join(format!("pg_jsonlog_{name}.ndjson"))).expect("a sample");
        pipeline.write(&format!("{name}/{name}.json"), sample);
    }
    pipeline.land();
    pipeline.is_proved();
    let rows: Vec<Value> = (0..3).map(|table| pipeline.prove(0)["tables"][table]["lake_rows"].clone()).collect();
    assert_eq!(rows, [json!(3), json!(2), json!(0)]);
}

#[test]
fn a_last_line_without_its_newline_is_proved_if_it_landed() {
    let mut pipeline = Pipeline::new();
    let content = lines(0..13);
    pipeline.set("source", "unterminated", "land").write("a.json", content.trim_end());
    pipeline.land();
    pipeline.is_proved();
    assert_eq!(pipeline.prove(0)["tables"][0]["lake_rows"], 9, "the last line is the primary's");
    pipeline.append("a.json", format!("\n{}", lines(13..20)));
    pipeline.land();
    pipeline.is_proved();
}

#[test]
fn pipelines_of_two_formats_share_a_table_and_are_both_proved() {
    let mut pipeline = Pipeline::new();
    pipeline.set("lake", "partition_by", "day").write("a.json", Lines::new(4).take(60));
    pipeline.land();
    pipeline.set("", "pipeline", "q").set("source", "url", "file:logs2/").set("source", "format", "jsonlog");
    pipeline.set("roles.sources", "**", "primary");
    std::fs::create_dir(pipeline.path("logs2")).expect("a folder");
    // It has a file of the same name, too.
    let sample = samples().join("pg_jsonlog_primary.ndjson");
    std::fs::copy(sample, pipeline.path("logs2/a.json")).expect("a sample");
    pipeline.land();
    pipeline.is_proved();
    pipeline.set("", "pipeline", "p").set("source", "url", "file:logs/").set("source", "format", "azure");
    pipeline.unset("roles.sources", "**");
    pipeline.is_proved();
}

#[test]
fn a_table_that_two_pipelines_share_is_proved_for_both() {
    let mut pipeline = Pipeline::new();
    pipeline.write("a.json", lines(0..50));
    pipeline.land();
    pipeline.set("", "pipeline", "q").set("source", "url", "file:logs2/");
    std::fs::create_dir(pipeline.path("logs2")).expect("a folder");
    std::fs::write(pipeline.path("logs2/b.json"), lines(0..20)).expect("a file");
    pipeline.land();
    pipeline.is_proved();
    pipeline.set("", "pipeline", "p").set("source", "url", "file:logs/");
    pipeline.is_proved();
    assert_eq!(pipeline.prove(0)["tables"][0]["lake_rows"], 30, "its own");
}
