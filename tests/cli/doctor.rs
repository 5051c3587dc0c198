//! `doctor`: it finds what keeps a run from starting, says what to do, and leaves everything as it
//! was.

use std::fs;

use serde_json::Value;

use super::inspect::everything;
use crate::support::Pipeline;

const LINES: &str = "{\"ReplicaRole\": \"Primary\"}\n{\"ReplicaRole\": \"Replica\"}\nnot JSON\n";

/// The report of the doctor, which must change nothing.
#[track_caller]
fn looks(pipeline: &Pipeline, code: i32) -> Value {
    let before = everything(pipeline);
    let found = pipeline.call(&["doctor", "p.toml", "--json"]).exits_with(code).json();
    assert!(everything(pipeline) == before, "it changed something");
    found
}

/// The findings of one check at one level. Each that is not "ok" has its advice.
fn findings(found: &Value, check: &str, level: &str) -> Vec<String> {
    let all = found["checks"].as_array().expect("a list").iter();
    let these = all.filter(|finding| finding["check"] == check && finding["level"] == level);
    these
        .map(|finding| {
            let advised = finding["advice"].as_str().is_some_and(|advice| !advice.is_empty());
            assert_eq!(advised, level != "ok", "{finding}");
            finding["found"].as_str().expect("words").to_owned()
        })
        .collect()
}

#[track_caller]
fn has_one(found: &Value, check: &str, level: &str, words: &str) {
    let these = findings(found, check, level);
    assert_eq!(these.iter().filter(|text| text.contains(words)).count(), 1, "{check} {level} {words:?} in {found:#}");
}

#[test]
fn a_pipeline_that_is_well() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", LINES);
    let found = looks(&pipeline, 0);
    assert_eq!(found["problems"], 0, "{found:#}");
    has_one(&found, "file", "ok", "p.toml is good");
    has_one(&found, "source", "ok", "1 files");
    has_one(&found, "lake", "ok", "takes files and hard links");
    has_one(&found, "clock", "ok", "agree");
    has_one(&found, "state", "ok", "before the first run");
    assert_eq!(findings(&found, "table", "ok").len(), 3, "three tables to be created: {found:#}");

    pipeline.land();
    let found = looks(&pipeline, 0);
    has_one(&found, "state", "ok", "says position 63 of run 1");
    has_one(&found, "run", "ok", "no run");
    assert!(findings(&found, "table", "ok").iter().all(|text| text.contains("position 63 of run 1")), "{found:#}");
}

#[test]
fn the_text_says_what_the_object_says() {
    let pipeline = Pipeline::new();
    fs::remove_dir(pipeline.path("logs")).expect("an empty folder");
    let found = looks(&pipeline, 3);
    let ended = pipeline.call(&["doctor", "p.toml"]).exits_with(3);
    let line = |level: &str| ended.stdout.lines().filter(|line| line.starts_with(level)).count() as u64;
    assert_eq!(
        (Some(line("problem")), Some(line("warning"))),
        (found["problems"].as_u64(), found["warnings"].as_u64())
    );
    assert_eq!(ended.stdout.matches("→").count() as u64, line("problem") + line("warning"));
    assert_eq!(ended.error(), "error: problems found: 1; the list says what to do about each\n");
    assert!(pipeline.call(&["doctor"]).exits_with(0).stdout.contains("cores"), "without a file, the machine alone");
}

#[test]
fn a_broken_file_is_told_as_run_tells_it() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "chunk", "${LAKEFRONT_TEST_SECRET}").set("source", "mode", "sideways");
    let mut command = pipeline.command(&["doctor", "p.toml", "--json"]);
    command.env("LAKEFRONT_TEST_SECRET", "hunter2");
    let ended = pipeline.spawn(command).end().exits_with(2);
    has_one(&ended.json(), "file", "problem", "source.mode = \"sideways\"");
    assert!(ended.error().contains("source.chunk = \"${LAKEFRONT_TEST_SECRET}\""), "{}", ended.stderr);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("hunter2"));
}

#[test]
fn what_is_missing_or_in_the_way() {
    let mut pipeline = Pipeline::new();
    fs::remove_dir(pipeline.path("logs")).expect("an empty folder");
    has_one(&looks(&pipeline, 3), "source", "problem", "could not open source");
    fs::create_dir(pipeline.path("logs")).expect("a folder");
    has_one(&looks(&pipeline, 0), "source", "warning", "0 files");

    let workers = std::thread::available_parallelism().expect("a number of cores").get() + 1;
    pipeline.set("", "workers", workers);
    has_one(&looks(&pipeline, 0), "cores", "warning", &format!("{workers} workers"));

    // The kernel creates no files there, whoever asks.
    pipeline.set("lake", "root", "file:/proc/self/lake");
    has_one(&looks(&pipeline, 3), "lake", "problem", "/proc/self");
}

#[test]
fn a_run_that_is_alive() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", LINES);
    let tail = pipeline.tail();
    let ended = pipeline.call(&["doctor", "p.toml", "--json"]).exits_with(0);
    has_one(&ended.json(), "run", "warning", "is alive on this host");
    tail.stop();
}

#[test]
fn tables_that_a_run_would_refuse() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", LINES);
    pipeline.land();
    let state = fs::read_to_string(pipeline.path("state/p.offset.json")).expect("a state file");
    let put = |text: &str| fs::write(pipeline.path("state/p.offset.json"), text).expect("a state file");

    put(&state.replacen("\"position\": 63", "\"position\": 64", 1));
    has_one(&looks(&pipeline, 3), "table", "problem", "says position 64, but table \"primary\" stands at 63");
    put(&state.replace("\"pipeline\": \"p\"", "\"pipeline\": \"q\""));
    has_one(&looks(&pipeline, 3), "state", "problem", "belongs to pipeline \"q\"");
    put("torn");
    has_one(&looks(&pipeline, 3), "state", "problem", "could not read state file");
    put(&state);

    fs::remove_dir_all(pipeline.table("replica")).expect("a table");
    has_one(
        &looks(&pipeline, 3),
        "table",
        "problem",
        "table \"replica\" holds no position of pipeline \"p\", though table \"primary\" does",
    );
    for table in ["primary", "rejects"] {
        fs::remove_dir_all(pipeline.table(table)).expect("a table");
    }
    has_one(&looks(&pipeline, 3), "table", "problem", "none of the pipeline's tables holds one");
}

#[test]
fn another_source_in_the_tables() {
    let mut pipeline = Pipeline::new();
    pipeline.write("a.json", LINES);
    pipeline.land();
    fs::create_dir(pipeline.path("other")).expect("a folder");
    pipeline.set("source", "url", "file:other/");
    let found = looks(&pipeline, 3);
    has_one(&found, "table", "problem", "but source.url is");
    pipeline.run().exits_with(3);
}

#[test]
fn properties_of_a_table_that_are_unusual() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", LINES);
    pipeline.land();
    let log = pipeline.table("primary").join("_delta_log/00000000000000000000.json");
    let commit = fs::read_to_string(&log).expect("the first commit");
    let properties = "\"configuration\":{\"delta.logRetentionDuration\":\"interval 1 hours\",\
                      \"delta.deletedFileRetentionDuration\":\"interval 10 minutes\"}";
    fs::write(&log, commit.replace("\"configuration\":{}", properties)).expect("the first commit");
    let found = looks(&pipeline, 0);
    has_one(&found, "table", "warning", "primary keeps its log for 60 minutes");
    has_one(&found, "table", "warning", "primary lets vacuum delete files after 10 minutes");
    has_one(&found, "table", "ok", "delta.logRetentionDuration");
}

#[test]
fn what_a_run_would_refuse_is_found_by_doctor_and_validate_in_the_same_words() {
    /// Section, key, value.
    type Setting = (&'static str, &'static str, &'static str);
    let spoilt: [(&str, &[Setting]); 5] = [
        ("another name", &[("", "pipeline", "q")]),
        ("another source", &[("source", "url", "file:other/")]),
        ("swapped tables", &[("tables", "primary", "replica"), ("tables", "replica", "primary")]),
        ("another table", &[("tables", "replica", "standby")]),
        ("another state file", &[("", "pipeline", "q"), ("source", "state_file", "state/p.offset.json")]),
    ];
    for (what, settings) in spoilt {
        let mut pipeline = Pipeline::new();
        pipeline.write("a.json", LINES);
        fs::create_dir(pipeline.path("other")).expect("a folder");
        fs::write(pipeline.path("other/b.json"), LINES).expect("a log");
        pipeline.land();
        for (section, key, value) in settings {
            pipeline.set(section, key, *value);
        }
        let before = everything(&pipeline);
        let validated = pipeline.call(&["validate", "p.toml", "--connect"]).exits_with(3).error();
        let found = pipeline.call(&["doctor", "p.toml", "--json"]).exits_with(3).json();
        assert!(everything(&pipeline) == before, "{what}: something was changed");
        let refused = pipeline.run().exits_with(3).error();
        assert_eq!(validated, refused, "{what}");
        let words = refused.trim_start_matches("error: ").trim_end();
        let all = found["checks"].as_array().expect("a list");
        assert!(
            all.iter().any(|one| one["level"] == "problem" && one["found"] == words),
            "{what}: {words} in {found:#}"
        );
    }
}

#[test]
fn a_file_that_is_not_the_one_that_was_read_is_found_before_a_run_stops() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", LINES);
    pipeline.land();
    has_one(&looks(&pipeline, 0), "source", "ok", "1 files");
    pipeline.write("a.json", "{}\n");
    let found = looks(&pipeline, 3);
    has_one(&found, "source", "problem", "\"a.json\" has shrunk");
    assert!(pipeline.run().exits_with(3).error().contains("\"a.json\" has shrunk"));
}

#[test]
fn an_address_that_another_program_uses_is_a_problem_and_a_free_one_is_not() {
    let mut pipeline = Pipeline::new();
    pipeline.write("a.json", LINES);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    pipeline.set("http", "listen", address.clone());
    has_one(&looks(&pipeline, 3), "http", "problem", "another program uses");
    drop(taken);
    has_one(&looks(&pipeline, 0), "http", "ok", "is free");
}
