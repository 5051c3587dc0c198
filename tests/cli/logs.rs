//! Standard error: lines for people, or JSON; and one line per cut.

use std::fs::{self, File};
use std::process::Stdio;

use serde_json::Value;

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::{Ended, Lines, Pipeline};

/// Standard error as JSON objects, one per line.
#[track_caller]
fn objects(ended: &Ended) -> Vec<Value> {
    let object = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(object @ Value::Object(_)) => object,
        other => panic!("{line:?} is {other:?}"),
    };
    ended.stderr.lines().map(object).collect()
}

fn landed(objects: &[Value]) -> Vec<&Value> {
    objects.iter().filter(|object| object["message"] == "landed").collect()
}

#[test]
fn as_json_every_line_is_an_object_with_level_time_and_message() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    // A line without a newline causes a warning.
    pipeline.append("a.json", "{\"ReplicaRole\"");
    let ended = pipeline.call(&["run", "p.toml", "--json", "--log-format", "json"]).exits_with(0);
    assert_eq!(ended.json()["cuts"], 1, "the report is the same");
    let objects = objects(&ended);
    let said = |level: &str, text: &str| {
        let is =
            |object: &&Value| object["level"] == level && object["message"].as_str().is_some_and(|m| m.contains(text));
        assert_eq!(objects.iter().filter(is).count(), 1, "{level} {text} in:\n{}", ended.stderr);
    };
    said("INFO", "claimed the tables");
    said("WARN", "the last line has no newline");
    said("INFO", "landed");
    for object in &objects {
        assert!(object["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{object}");
    }
}

#[test]
fn each_cut_is_a_line_with_its_position_rows_seconds_and_lag() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(7).take(200));
    let ended = pipeline.call(&["run", "p.toml", "--json", "--log-format", "json"]).exits_with(0);
    let (report, objects) = (ended.json(), objects(&ended));
    let landed = landed(&objects);
    let number = |line: &&Value, key: &str| line[key].as_u64().unwrap_or_else(|| panic!("{key} of {line}"));
    let sum = |key| landed.iter().map(|line| number(line, key)).sum::<u64>();

    assert!(landed.len() > 1, "some cuts:\n{}", ended.stderr);
    assert!(landed.is_sorted_by_key(|line| number(line, "position")));
    assert_eq!(report["bytes"], sum("advanced"));
    let rows = ["primary", "replica", "rejects"].map(|table| report["tables"][table]["rows"].as_u64().expect("rows"));
    assert_eq!(rows.iter().sum::<u64>(), sum("rows"));
    for (i, table) in ["primary", "replica", "rejects"].into_iter().enumerate() {
        let of = |line: &&Value| {
            let tables = line["tables"].as_str().expect("the rows by table").to_owned();
            let part = tables.split(", ").find_map(|part| part.strip_prefix(table)).expect("each table").to_owned();
            part.trim().parse::<u64>().expect("a number")
        };
        assert_eq!(landed.iter().map(of).sum::<u64>(), rows[i], "{table}");
    }
    let last = landed.last().expect("some");
    assert_eq!((&last["position"], number(last, "lag")), (&report["position"], 0));
    assert!(landed.iter().all(|line| line["seconds"].as_f64().is_some_and(|seconds| seconds >= 0.0)));
}

#[test]
fn for_people_a_cut_is_a_line_too() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let ended = pipeline.run().exits_with(0);
    let line = ended.stderr.lines().find(|line| line.contains(" landed ")).expect("a line");
    let (_, fields) = line.split_once(" landed ").expect("its fields");
    assert!(
        fields.starts_with("position=63 advanced=63 rows=3 tables=\"primary 1, replica 1, rejects 1\" seconds=")
            && fields.ends_with(" lag=0 unit=\"bytes\""),
        "{line}"
    );
}

#[test]
fn a_fatal_error_is_an_object_too_and_the_last() {
    let pipeline = Pipeline::new();
    for arguments in [["--log-format", "json", "run", "gone.toml"], ["validate", "gone.toml", "--log-format", "json"]] {
        let ended = pipeline.call(&arguments).exits_with(2);
        let last = objects(&ended).pop().expect("what was wrong");
        assert_eq!(last["level"], "ERROR");
        assert!(
            last["message"].as_str().is_some_and(|text| text.starts_with("could not find the pipeline file")),
            "{last}"
        );
    }
}

#[test]
fn the_level_is_the_environments_in_both_formats() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    for format in ["text", "json"] {
        let mut command = pipeline.command(&["run", "p.toml", "--log-format", format]);
        command.env("LAKEFRONT_LOG", "error");
        assert_eq!(pipeline.spawn(command).end().exits_with(0).stderr, "");
    }
    pipeline.call(&["run", "p.toml", "--log-format", "xml"]).exits_with(2);
}

#[test]
fn a_standard_error_that_takes_nothing_ends_no_command() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(7).take(200));
    // A pipe that nobody reads any more, and a full disk.
    let nobody = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        Stdio::from(writer)
    };
    let full = || Stdio::from(File::options().write(true).open("/dev/full").expect("a device"));
    let takes_nothing: [&dyn Fn() -> Stdio; 2] = [&nobody, &full];
    for stderr in takes_nothing {
        for format in ["text", "json"] {
            for table in ["lake", "state"] {
                // The first time, nothing is there yet.
                let _ = fs::remove_dir_all(pipeline.path(table));
            }
            let mut command = pipeline.command(&["run", "p.toml", "--json", "--log-format", format]);
            let output = command.stdin(Stdio::null()).stderr(stderr()).output().expect("it runs");
            assert_eq!(output.status.code(), Some(0), "{format}");
            pipeline.is_exact();
        }
        let mut command = pipeline.command(&["generate", "--size", "1MiB", "-"]);
        let output = command.stdin(Stdio::null()).stderr(stderr()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0));
    }
}
