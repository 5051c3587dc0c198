//! `status` and `validate`: they report how things stand, and write nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};

use crate::support::Pipeline;
use crate::support::http::free_address;

/// One line for each table, and the beginning of one more.
const LINES: &str = "{\"ReplicaRole\": \"Primary\"}\n{\"ReplicaRole\": \"Replica\"}\nnot JSON\n{\"Repl";

/// Every file and folder of a pipeline, except the tests' own: what a command may not change.
pub(crate) fn everything(pipeline: &Pipeline) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    fn look(path: &Path, found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
        if !path.is_dir() {
            found.insert(path.to_owned(), fs::read(path).ok());
            return;
        }
        found.insert(path.to_owned(), None);
        fs::read_dir(path).expect("a folder").for_each(|entry| look(&entry.expect("an entry").path(), found));
    }
    let mut found = BTreeMap::new();
    ["logs", "lake", "state"]
        .map(|name| pipeline.path(name))
        .iter()
        .filter(|p| p.exists())
        .for_each(|p| look(p, &mut found));
    found
}

/// The command prints this and leaves everything as it was.
#[track_caller]
fn says(pipeline: &Pipeline, arguments: &[&str], words: &Expect) {
    let before = everything(pipeline);
    let ended = pipeline.call(arguments).exits_with(0);
    assert!(everything(pipeline) == before, "{arguments:?} changed something");
    words.assert_eq(&without_process(&pipeline.normalised(&ended.stdout)));
}

/// `text` without what differs between processes.
fn without_process(text: &str) -> String {
    let mut text = text.to_owned();
    for (begin, end) in [(": process ", "\n"), ("\"process\":{", "}")] {
        if let Some((before, (_, after))) =
            text.split_once(begin).map(|(b, rest)| (b, rest.split_once(end).expect("its end")))
        {
            text = format!("{before}{begin}…{end}{after}");
        }
    }
    text
}

#[test]
fn before_the_first_run() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", LINES);
    says(
        &pipeline,
        &["validate", "p.toml"],
        &expect![[r#"
        p.toml: the pipeline file is good; --connect looks at the source and the tables too
    "#]],
    );
    says(
        &pipeline,
        &["validate", "p.toml", "--connect"],
        &expect![[r#"
            source   file:<dir>/logs: 1 files, 69 bytes
            table    primary: will be created at lake/lakehouse/logs/primary
            table    replica: will be created at lake/lakehouse/logs/replica
            table    rejects: will be created at lake/lakehouse/logs/rejects
        "#]],
    );
    says(
        &pipeline,
        &["status", "p.toml"],
        &expect![[r#"
            pipeline p reads file:<dir>/logs
              primary  primary: no position yet, 69 bytes behind
              replica  replica: no position yet, 69 bytes behind
              rejects  rejects: no position yet, 69 bytes behind
        "#]],
    );
    says(
        &pipeline,
        &["status", "p.toml", "--json"],
        &expect![[r#"
            {"claimed":null,"pipeline":"p","source":"file:<dir>/logs","tables":{"primary":{"lag":69,"offsets":null,"position":null,"run":null,"table":"primary"},"rejects":{"lag":69,"offsets":null,"position":null,"run":null,"table":"rejects"},"replica":{"lag":69,"offsets":null,"position":null,"run":null,"table":"replica"}},"unfinished":{},"unit":"bytes"}
        "#]],
    );
}

#[test]
fn after_a_run() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", LINES);
    pipeline.land();
    pipeline.append("a.json", "icaRole\": \"Primary\"}\n");
    says(
        &pipeline,
        &["validate", "p.toml"],
        &expect![[r#"
        p.toml: the pipeline file is good; --connect looks at the source and the tables too
    "#]],
    );
    says(
        &pipeline,
        &["validate", "p.toml", "--connect"],
        &expect![[r#"
            source   file:<dir>/logs: 1 files, 90 bytes
            table    primary: at lake/lakehouse/logs/primary, version 2; it fits
            table    replica: at lake/lakehouse/logs/replica, version 2; it fits
            table    rejects: at lake/lakehouse/logs/rejects, version 2; it fits
        "#]],
    );
    says(
        &pipeline,
        &["status", "p.toml"],
        &expect![[r#"
            pipeline p reads file:<dir>/logs
              claimed by run 1: process …
              primary  primary: position 63 (run 1), 27 bytes behind
                       a.json 63
              replica  replica: position 63 (run 1), 27 bytes behind
                       a.json 63
              rejects  rejects: position 63 (run 1), 27 bytes behind
                       a.json 63
        "#]],
    );
    says(
        &pipeline,
        &["status", "p.toml", "--json"],
        &expect![[r#"
            {"claimed":{"process":{…},"run":1},"pipeline":"p","source":"file:<dir>/logs","tables":{"primary":{"lag":27,"offsets":{"a.json":63},"position":63,"run":1,"table":"primary"},"rejects":{"lag":27,"offsets":{"a.json":63},"position":63,"run":1,"table":"rejects"},"replica":{"lag":27,"offsets":{"a.json":63},"position":63,"run":1,"table":"replica"}},"unfinished":{},"unit":"bytes"}
        "#]],
    );
}

#[test]
fn status_beside_a_running_tail() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", LINES);
    let tail = pipeline.tail();
    pipeline.call(&["status", "p.toml"]).exits_with(0);
    pipeline.call(&["validate", "p.toml", "--connect"]).exits_with(0);
    tail.stop();
}

#[test]
fn a_line_that_waits_for_its_newline_is_told_once_and_is_not_behind() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", LINES);
    let mut tail = pipeline.tail();
    let told = "the last line has no newline: it lands once that is written";
    tail.until_it_says(told);
    // The tail looks at it every 10 ms.
    tail.until("committed", || pipeline.position() == 63);
    let status = pipeline.call(&["status", "p.toml"]).exits_with(0).stdout;
    assert!(status.contains("  a.json ends in 6 bytes without a newline"), "{status}");
    assert!(status.contains("position 63 (run 1), 0 bytes behind"), "{status}");
    assert_eq!(pipeline.status()["unfinished"], serde_json::json!({"a.json": 6}));
    pipeline.append("a.json", "icaRole\": \"Primary\"}\n");
    tail.until("landed it", || pipeline.position() == 90);
    let ended = tail.stop();
    assert_eq!(ended.stderr.matches(told).count(), 1, "{}", ended.stderr);
    assert_eq!(pipeline.status()["unfinished"], serde_json::json!({}));
}

#[test]
fn a_tail_does_not_land_the_half_of_a_line() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "unterminated", "land").write("a.json", LINES);
    pipeline.set("source", "mode", "tail");
    let refused = pipeline.run().exits_with(2);
    assert!(refused.error().contains("source.unterminated = \"land\": is for a backfill only"), "{}", refused.stderr);
    pipeline.set("source", "mode", "backfill");
    let refused = pipeline.call(&["run", "p.toml", "--mode", "tail"]).exits_with(2);
    assert!(refused.error().contains("source.unterminated: is for a backfill only"), "{}", refused.stderr);
    // As the message says: it works once nobody writes any more, and is left out of a tail.
    pipeline.land();
    pipeline.unset("source", "unterminated");
    pipeline.tail().stop();
}

#[test]
fn of_many_files_those_are_told_that_are_behind() {
    let pipeline = Pipeline::new();
    (0..30).for_each(|i| pipeline.write(&format!("{i:02}.json"), "{\"ReplicaRole\": \"Primary\"}\n"));
    pipeline.land();
    pipeline.append("07.json", "{\"ReplicaRole\": \"Primary\"}\n".repeat(2));
    (10..29).for_each(|i| pipeline.append(&format!("{i}.json"), "{\"ReplicaRole\": \"Primary\"}\n"));
    let few = pipeline.call(&["status", "p.toml"]).exits_with(0).stdout;
    assert!(
        few.contains(
            "           30 files, 20 of them behind; --files lists all\n           07.json is 54 bytes behind\n"
        ),
        "{few}"
    );
    assert_eq!(few.lines().count(), 2 + 3 * 12, "{few}");
    let all = pipeline.call(&["status", "p.toml", "--files"]).exits_with(0).stdout;
    assert!((0..30).all(|i| all.contains(&format!("           {i:02}.json 27\n"))), "{all}");
}

#[test]
fn a_process_that_does_not_answer_is_told() {
    let mut pipeline = Pipeline::new();
    pipeline.set("http", "listen", free_address().to_string()).write("a.json", LINES);
    let mut tail = pipeline.tail();
    tail.signal("STOP");
    let status = pipeline.call(&["status", "p.toml"]).exits_with(0).stdout;
    tail.signal("CONT");
    assert!(status.contains(" holds the lock, and DOES NOT ANSWER at 127.0.0.1:"), "{status}");
    tail.stop();
    let status = pipeline.call(&["status", "p.toml"]).exits_with(0).stdout;
    assert!(status.contains("  no run answers at 127.0.0.1:"), "{status}");
}

#[test]
fn names_of_files_do_nothing_to_a_terminal() {
    let pipeline = Pipeline::new();
    // Anybody who may write logs chooses their names.
    pipeline.write("a\u{1b}[2J.json", "{\"ReplicaRole\": \"Primary\"}\n{\"Repl");
    let run = pipeline.run().exits_with(0);
    assert!(run.stderr.contains("partition=a\\u{1b}[2J.json"), "{}", run.stderr);
    let status = pipeline.call(&["status", "p.toml"]).exits_with(0);
    assert!(status.stdout.contains("a\\u{1b}[2J.json"), "{}", status.stdout);
    fs::remove_file(pipeline.path("logs/a\u{1b}[2J.json")).expect("a file");
    pipeline.write("a\u{1b}[2J.json", "{}\n");
    let stopped = pipeline.run();
    for said in [run, status, stopped, pipeline.call(&["doctor", "p.toml"])] {
        assert!(!format!("{}{}", said.stdout, said.stderr).contains('\u{1b}'), "{said:?}");
    }
}
