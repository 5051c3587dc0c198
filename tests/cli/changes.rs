//! `changes`: the recorded events of Debezium, other forms of them, and lines that are none.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Stdio};

use expect_test::expect;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::{Ended, Pipeline};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/debezium").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(sample(name)).expect("a sample")
}

/// `lakefront changes` over these bytes.
fn changes(bytes: impl AsRef<[u8]>) -> Ended {
    let pipeline = Pipeline::new();
    fs::write(pipeline.path("events"), bytes).expect("a file");
    pipeline.call(&["changes", "events"])
}

#[test]
fn every_recorded_event_in_its_plain_form() {
    for name in
        ["envelope_noschema", "envelope_schema", "unwrap_noschema", "unwrap_noschema_rewrite", "unwrap_schema_rewrite"]
    {
        let ended = changes(read(&format!("{name}.ndjson"))).exits_with(0);
        assert_eq!(ended.stdout, read(&format!("plain/{name}.ndjson")), "{name}");
        assert!(
            ended.stderr.starts_with("skipped what changes no row: transaction boundaries: 6, "),
            "{}",
            ended.stderr
        );
    }
}

/// The members of an object, as they are written.
type Raw = BTreeMap<String, Box<RawValue>>;

/// The same record as `kcat -J` writes it.
fn as_kcat(line: &str, offset: usize) -> String {
    let record: Raw = serde_json::from_str(line).expect("a record");
    let text = |raw: &RawValue| if raw.get() == "null" { Value::Null } else { json!(raw.get()) };
    let headers: Vec<Raw> = serde_json::from_str(record["headers"].get()).expect("headers");
    let name = |header: &Raw| serde_json::from_str(header["key"].get()).expect("a name");
    let headers: Vec<Value> = headers.iter().flat_map(|header| [name(header), text(&header["value"])]).collect();
    json!({
        "topic": serde_json::from_str::<Value>(record["topic"].get()).expect("a topic"), "partition": 0, "offset": offset,
        "tstype": "create", "ts": 1, "broker": 1, "headers": headers, "key": text(&record["key"]),
        "payload": text(&record["value"]),
    })
    .to_string()
}

#[test]
fn what_kcat_writes_says_the_same_with_its_offsets() {
    let lines: String =
        read("envelope_schema.ndjson").lines().enumerate().map(|(at, line)| as_kcat(line, at) + "\n").collect();
    let ended = changes(lines).exits_with(0);
    let golden = read("plain/envelope_schema.ndjson");
    assert_eq!(ended.stdout.lines().count(), golden.lines().count());
    let mut last = -1;
    for (ours, golden) in ended.stdout.lines().zip(golden.lines()) {
        let mut ours: Value = serde_json::from_str(ours).expect("JSON");
        let metadata = ours["metadata"].as_object_mut().expect("an object");
        let offset = metadata.remove("offset").and_then(|offset| offset.as_i64()).expect("an offset");
        assert_eq!((metadata.remove("partition"), offset > last), (Some(json!(0)), true));
        last = offset;
        assert_eq!(ours, serde_json::from_str::<Value>(golden).expect("JSON"));
    }
}

#[test]
fn lines_that_are_no_events_are_named_and_the_others_shown() {
    let good = read("envelope_schema.ndjson").lines().next().expect("a line").to_owned();
    let mut bytes = format!("{good}\n\n{{\"hello\":\"world\"}}\r\nnot json\n").into_bytes();
    bytes.extend_from_slice(b"\xff\xfe\n");
    bytes.extend_from_slice(good.replace("\"op\":\"r\"", "\"op\":\"?\"").as_bytes());
    bytes.extend_from_slice(format!("\n{}\n{good}", "[".repeat(200_000)).as_bytes());
    let ended = changes(bytes).exits_with(1);
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let wrong: Vec<u64> = lines.iter().filter_map(|line| line["line"].as_u64()).collect();
    assert_eq!((wrong, lines.len()), (vec![3, 4, 5, 6, 7], 7));
    assert!(
        lines[1]["error"].as_str().is_some_and(|error| error.starts_with("it is no event of Debezium")),
        "{}",
        lines[1]
    );
    assert_eq!(lines[3]["error"], "the line is not UTF-8");
    assert_eq!((&lines[0], &lines[0]["operation"]), (&lines[6], &json!("read")));
    expect![[r#"
        error: 5 of 8 lines are no events of Debezium: in the output, each is a line with "error" and its number
    "#]]
    .assert_eq(&ended.stderr);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let ended = Pipeline::new().call(&["changes", "gone.ndjson"]).exits_with(2);
    expect![[r#"
        error: could not find "gone.ndjson": relative paths count from the directory the command runs in
    "#]]
    .assert_eq(&ended.stderr);
}

/// Reads from a pipe until it has as many lines.
fn lines_of(out: &mut ChildStdout, count: usize) -> String {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while text.iter().filter(|byte| **byte == b'\n').count() < count {
        assert_eq!(out.read(&mut byte).expect("a pipe"), 1, "it ended early");
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("UTF-8")
}

#[test]
fn whoever_follows_a_topic_sees_each_event_at_once() {
    let mut command = Pipeline::new().command(&["changes", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).current_dir("/");
    let mut child = command.spawn().expect("it starts");
    let (mut input, mut out) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let (lines, golden) = (read("envelope_noschema.ndjson"), read("plain/envelope_noschema.ndjson"));
    for (line, golden) in lines.lines().zip(golden.lines()).take(3) {
        writeln!(input, "{line}").expect("it reads");
        assert_eq!(lines_of(&mut out, 1).trim_end(), golden);
    }
    drop(input);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let pipeline = Pipeline::new();
    let line = read("envelope_schema.ndjson").lines().next().expect("a line").to_owned() + "\n";
    fs::write(pipeline.path("events"), line.repeat(2000)).expect("a file");
    let mut command = pipeline.command(&["changes", "events"]);
    let errors = File::create(pipeline.path("errors")).expect("a file");
    let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn().expect("it starts");
    let mut out = child.stdout.take().expect("a pipe");
    lines_of(&mut out, 1);
    drop(out);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(fs::read_to_string(pipeline.path("errors")).expect("a file"), "");
}
