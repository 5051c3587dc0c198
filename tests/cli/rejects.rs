//! Too many rejects, or nothing but rejects: the run says which, where the first is and what to do;
//! and its advice helps.

use std::fs;

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::{Ended, Pipeline};

const NO_ROLE: &str = "{\"LogicalServerName\":\"\"}\n";

/// The last line that a person sees.
fn last(ended: &Ended) -> &str {
    ended.stderr.lines().last().unwrap_or_default()
}

/// A pipeline that judges its rejects, with cuts that would stay open.
fn judging() -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.set("limits", "reject_ratio", 0.5).set("commit", "interval", "1h").set("commit", "bytes", "1 GiB");
    // All lines are in one chunk, which is read before they are judged.
    pipeline.set("", "workers", 1).set("source", "chunk", "8 MiB");
    pipeline
}

#[test]
fn a_run_that_stops_has_committed_what_it_read_and_the_doctor_knows_why() {
    let mut pipeline = judging();
    pipeline.write("a.json", NO_ROLE.repeat(9_000) + &"\u{1b}[2Jtorn https://a.example/?sgi=hunter2\n".repeat(3_000));
    let said = pipeline.run().exits_with(3).error();
    for words in [
        "lines were rejected, above limits.reject_ratio = 0.5: no_role ",
        "first a.json:0 `{\"LogicalServerName\":\"\"}`: set roles.default",
        ", first a.json:225000 `\\u{1b}[2Jtorn https://a.example/?***`: check that source.url",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    assert!(!said.contains("hunter2") && said.lines().count() == 1, "{said}");
    assert_eq!(pipeline.is_exact(), "exact: primary 0, replica 0, rejects 12000", "the open cut is committed");
    pipeline.is_proved();

    let doctor = pipeline.call(&["doctor", "p.toml"]).exits_with(0).stdout;
    let told = "the last run stopped 0 minutes ago: ";
    assert!(doctor.contains(told) && doctor.contains("lines were rejected, above limits.reject_ratio"), "{doctor}");
    // As it says: set the default, and keep a source of JSON only. What was rejected stays so, and
    // the run goes on.
    pipeline.set("roles", "default", "primary").append("a.json", NO_ROLE.repeat(12_000));
    assert_eq!(pipeline.land()["tables"]["primary"]["rows"], 12_000);
    let doctor = pipeline.call(&["doctor", "p.toml"]).exits_with(0).stdout;
    assert!(!doctor.contains("the last run stopped"), "{doctor}");
    assert_eq!(pipeline.prove(0)["ok"], true);
}

#[test]
fn a_tail_with_too_many_rejects_commits_them_and_stops() {
    let pipeline = judging();
    let tail = pipeline.tail();
    // The file appears whole at once.
    fs::write(pipeline.path("a.json"), "not JSON\n".repeat(12_000)).expect("a file");
    fs::rename(pipeline.path("a.json"), pipeline.path("logs/a.json")).expect("it is moved");
    let said = tail.end().exits_with(3).error();
    assert!(said.contains("invalid_json") && said.contains("first a.json:0 `not JSON`"), "{said}");
    assert_eq!(pipeline.land()["bytes"], 0, "all that was there was committed");
    pipeline.is_proved();
}

#[test]
fn rejects_on_many_workers_stop_the_run_once() {
    let mut pipeline = judging();
    pipeline.set("", "workers", 3);
    (0..6).for_each(|i| pipeline.write(&format!("{i}.json"), "not JSON\n".repeat(20_000)));
    let ended = pipeline.run().exits_with(3);
    assert_eq!(ended.stderr.matches("lines were rejected").count(), 1, "{}", ended.stderr);
    pipeline.set("limits", "reject_ratio", 1.0);
    pipeline.land();
    assert_eq!(pipeline.is_exact(), "exact: primary 0, replica 0, rejects 120000");
}

#[test]
fn a_stop_that_was_mended_is_forgotten_and_a_second_start_is_not_blamed() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    pipeline.land();
    fs::rename(pipeline.table("replica"), pipeline.path("away")).expect("a table goes away");
    pipeline.run().exits_with(3);
    let stopped = || pipeline.call(&["doctor", "p.toml"]).stdout.contains("the last run stopped");
    assert!(stopped());
    fs::rename(pipeline.path("away"), pipeline.table("replica")).expect("it comes back");
    let tail = pipeline.tail();
    assert!(!stopped(), "a run that goes on forgets it");
    pipeline.run().exits_with(4);
    assert!(!stopped(), "a start that another run refuses does not count as a stop");
    tail.stop();
}

#[test]
fn a_run_whose_lines_are_all_rejects_says_so_last_and_what_it_says_helps() {
    let mut pipeline = Pipeline::new();
    pipeline.write("a.json", NO_ROLE.repeat(300));
    let ended = pipeline.call(&["run", "p.toml"]).exits_with(0);
    let said = last(&ended);
    assert!(said.starts_with("NO LINE BECAME A ROW: all 300 were rejected: no_role 300, first a.json:0 "), "{said}");
    assert!(said.contains("set roles.default") && said.contains("a new pipeline name and new tables"), "{said}");
    let ended = pipeline.call(&["run", "p.toml", "--log-format", "json"]).exits_with(0);
    assert!(!ended.stderr.contains("NO LINE"), "nothing was new: {}", ended.stderr);

    pipeline.set("roles", "default", "primary").set("", "pipeline", "q").set("lake", "schema", "again");
    let ended = pipeline.run().exits_with(0);
    assert_eq!(ended.json()["tables"]["primary"]["rows"], 300);
    assert!(!ended.stderr.contains("NO LINE"), "{}", ended.stderr);
}

#[test]
fn a_source_in_which_nothing_is_found_is_told_last() {
    let mut pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    pipeline.set("source", "url", "file:logs/*.jsn");
    let ended = pipeline.call(&["run", "p.toml", "--log-format", "json"]);
    if ended.code == Some(0) {
        let said: serde_json::Value = serde_json::from_str(last(&ended)).expect("an object");
        assert_eq!(said["level"], "WARN", "{said}");
        assert!(said["message"].as_str().is_some_and(|text| text.starts_with("NOTHING WAS READ: ")), "{said}");
    }
    pipeline.set("source", "url", "file:logs/*.json").set("", "pipeline", "q").set("lake", "schema", "again");
    let ended = pipeline.run().exits_with(0);
    assert!(!ended.stderr.contains("NOTHING"), "{}", ended.stderr);
}
