//! What a message advises helps: a test does what it says, and the run goes on. Each case in the
//! list for three in the morning, in docs/operations.md, has a test that follows it.

use std::fs;
use std::path::Path;

use crate::support::http::free_address;
use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::pipeline::copy;
use crate::support::{Lines, Pipeline};

/// A case of that list, by its first words; the folder of its tests; the tests that do what it
/// advises.
const CASES: [(&str, &str, &[&str]); 13] = [
    (
        "shrunk or was rewritten",
        "tests/cli",
        &["a_file_written_anew", "what_takes_the_place_of_a_file_is_read_if_that_is_wanted"],
    ),
    (
        "holds no position, though another table does",
        "tests/cli",
        &["a_renamed_table", "a_table_that_went_away_comes_back"],
    ),
    (
        "the state file says …",
        "tests/cli",
        &["a_state_file_ahead_of_the_tables", "a_table_of_yesterday_gets_what_it_lacks"],
    ),
    ("a table that lags behind needs bytes", "tests/cli", &["bytes_that_a_table_lacks_are_read_once_the_file_is_back"]),
    ("less than disk.min_free", "tests/cli", &["room_that_is_wanted_lower_lets_a_run_begin"]),
    (
        "lines were rejected, above",
        "tests/cli",
        &["a_run_that_stops_has_committed_what_it_read_and_the_doctor_knows_why"],
    ),
    ("could not write …", "tests/behaviour", &["a_full_disk_stops_a_run_and_once_there_is_room_the_next_lands_all"]),
    ("has grown after it had been quiet", "tests/azure", &["a_blob_that_grows_after_it_left_is_read_again_on_request"]),
    ("tries in … failed", "tests/azure", &["an_outage_after_the_list_ends_the_run_with_few_requests"]),
    ("the service says 403", "tests/azure", &["what_a_signature_may_do_is_told_where_it_may_not_list"]),
    ("holds no position of pipeline", "tests/cli", &["what_has_not_landed_is_proved_once_it_has"]),
    // A clean-up comes between the look and the read: the second try does not meet it.
    ("could not read the rows of version", "tests/prove", &[]),
    ("fenced", "tests/cli", &["a_run_that_takes_over_fences_the_older_and_goes_on"]),
];

/// The text of all tests in `folder`.
fn tests(folder: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(folder).expect("a folder of tests").map(|entry| entry.expect("an entry").path());
    files
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .map(|path| fs::read_to_string(path).expect("text"))
        .collect()
}

#[test]
fn each_case_of_three_in_the_morning_has_a_test_that_follows_it() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let page = fs::read_to_string(page).expect("the page on operations");
    let (_, list) = page.split_once("## When it stops at three in the morning").expect("the list");
    let cases: Vec<&str> = list.lines().filter_map(|line| line.strip_prefix("- *")).collect();
    assert!(cases.len() > 5, "{list}");
    for case in cases {
        let known = CASES.iter().find(|(words, ..)| case.starts_with(words));
        let (_, folder, names) = known.unwrap_or_else(|| panic!("no test follows {case:?}"));
        let there = tests(folder);
        let missing: Vec<_> = names.iter().filter(|name| !there.contains(*name)).collect();
        assert_eq!(missing, Vec::<&&str>::new(), "{case}");
    }
}

/// A pipeline that has landed one file.
fn landed() -> Pipeline {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(1).take(30));
    pipeline.land();
    pipeline
}

/// The run ends with `code`, and its error has these words.
#[track_caller]
fn refuses(pipeline: &Pipeline, code: i32, words: &[&str]) {
    let said = pipeline.run().exits_with(code).error();
    words.iter().for_each(|words| assert!(said.contains(words), "{words} in {said}"));
}

#[test]
fn what_takes_the_place_of_a_file_is_read_if_that_is_wanted() {
    for content in ["{\"ReplicaRole\": \"Primary\"}\n".to_owned(), "{\"ReplicaRole\": \"Primary\"}\n".repeat(5_000)] {
        let mut pipeline = landed();
        let rows = content.lines().count();
        pipeline.write("a.json", &content);
        refuses(&pipeline, 3, &["set source.on_rewrite = \"restart\" to read the new one from its beginning"]);
        pipeline.set("source", "on_rewrite", "restart");
        assert_eq!(pipeline.land()["tables"]["primary"]["rows"], rows);
        assert_eq!(pipeline.land()["bytes"], 0);
    }
}

#[test]
fn a_table_that_went_away_comes_back() {
    let mut pipeline = landed();
    fs::rename(pipeline.table("replica"), pipeline.path("backup")).expect("a table goes away");
    refuses(
        &pipeline,
        3,
        &["restore it or set its old name in [tables], or start over with a new pipeline name and new tables"],
    );
    copy(&pipeline.path("backup"), &pipeline.table("replica"));
    pipeline.append("a.json", Lines::new(2).take(5));
    pipeline.land();
    pipeline.is_exact();

    fs::remove_dir_all(pipeline.table("replica")).expect("it is gone for good");
    pipeline.set("", "pipeline", "q");
    for table in ["primary", "replica", "rejects"] {
        pipeline.set("tables", table, format!("{table}_anew"));
    }
    pipeline.land();
    pipeline.is_proved();
}

#[test]
fn a_table_of_yesterday_gets_what_it_lacks() {
    let pipeline = landed();
    copy(&pipeline.table("primary"), &pipeline.path("backup"));
    pipeline.append("a.json", Lines::new(2).take(30));
    pipeline.land();
    fs::remove_dir_all(pipeline.table("primary")).expect("a table");
    copy(&pipeline.path("backup"), &pipeline.table("primary"));
    refuses(
        &pipeline,
        3,
        &["the state file says position", "delete the state file to land again what the table lacks"],
    );
    pipeline.forget_state();
    pipeline.land();
    pipeline.is_exact();
}

/// Replaces a table, or the lake, with the folder `backup`, and deletes the state file.
fn restore(pipeline: &Pipeline, backup: &str, place: &Path) {
    fs::remove_dir_all(place).expect("a folder");
    copy(&pipeline.path(backup), place);
    pipeline.forget_state();
}

#[test]
fn tables_of_two_lives_are_restored_from_one_backup() {
    let pipeline = landed();
    copy(&pipeline.path("lake"), &pipeline.path("backup"));
    fs::remove_dir_all(pipeline.path("lake")).expect("a lake");
    pipeline.forget_state();
    pipeline.append("a.json", Lines::new(2).take(5));
    pipeline.land();
    restore(&pipeline, "backup/lakehouse/logs/primary", &pipeline.table("primary"));
    refuses(&pipeline, 3, &["were not written by one pipeline", "restore both from the same backup"]);
    restore(&pipeline, "backup", &pipeline.path("lake"));
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn tables_from_before_a_change_of_settings_are_restored_together() {
    let mut pipeline = landed();
    copy(&pipeline.path("lake"), &pipeline.path("backup"));
    pipeline.append("a.json", Lines::new(2).take(5));
    pipeline.land();
    pipeline.set("rows", "unknown_keys", "drop");
    pipeline.append("a.json", Lines::new(3).take(5));
    pipeline.land();
    restore(&pipeline, "backup/lakehouse/logs/primary", &pipeline.table("primary"));
    refuses(&pipeline, 3, &["the settings have changed since", "or all tables to one before the change"]);
    restore(&pipeline, "backup", &pipeline.path("lake"));
    pipeline.land();
    assert_eq!(pipeline.prove(0)["ok"], true);
}

#[test]
fn bytes_that_a_table_lacks_are_read_once_the_file_is_back() {
    let pipeline = landed();
    copy(&pipeline.table("primary"), &pipeline.path("backup"));
    pipeline.append("a.json", Lines::new(2).take(5));
    pipeline.land();
    restore(&pipeline, "backup", &pipeline.table("primary"));
    fs::rename(pipeline.path("logs/a.json"), pipeline.path("away")).expect("a file goes away");
    refuses(&pipeline, 3, &["a table that lags behind needs bytes", "put the file back as it was"]);
    fs::rename(pipeline.path("away"), pipeline.path("logs/a.json")).expect("it comes back");
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn what_has_not_landed_is_proved_once_it_has() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let said = pipeline.call(&["prove", "p.toml"]).exits_with(3).error();
    assert!(said.contains("holds no position of pipeline \"p\"") && said.contains("run the pipeline first"), "{said}");
    pipeline.land();
    pipeline.is_proved();
}

#[test]
fn offsets_that_went_away_come_back_with_their_folder() {
    let pipeline = landed();
    let offsets = pipeline.table("primary").join("_lakefront");
    fs::rename(&offsets, pipeline.path("backup")).expect("a folder goes away");
    refuses(&pipeline, 3, &["its offsets file", "restore the table's _lakefront folder from a backup"]);
    // The refused start may have created an empty one.
    let _ = fs::remove_dir_all(&offsets);
    fs::rename(pipeline.path("backup"), &offsets).expect("it comes back");
    pipeline.append("a.json", Lines::new(2).take(5));
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn tables_that_were_swapped_are_set_back() {
    let mut pipeline = landed();
    pipeline.set("tables", "replica", "primary").set("tables", "primary", "replica");
    refuses(&pipeline, 3, &["set it back"]);
    pipeline.set("tables", "replica", "replica").set("tables", "primary", "primary");
    pipeline.append("a.json", Lines::new(2).take(5));
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn a_state_file_that_is_no_state_file_stays() {
    let mut pipeline = landed();
    let log = "{\"message\": \"somebody's log\"}\n";
    pipeline.set("source", "state_file", "mine.log");
    fs::write(pipeline.path("mine.log"), log).expect("a file");
    refuses(&pipeline, 3, &["this is not a lakefront state file: name another path in source.state_file"]);
    let doctor = pipeline.call(&["doctor", "p.toml"]).exits_with(3).stdout;
    assert!(doctor.contains("this is not a lakefront state file") && !doctor.contains("delete it"), "{doctor}");
    fs::create_dir(pipeline.path("folder")).expect("a folder");
    pipeline.set("source", "state_file", "folder");
    refuses(&pipeline, 3, &["this is not a lakefront state file"]);
    pipeline.set("source", "state_file", "state/another.json").append("a.json", Lines::new(2).take(5));
    pipeline.land();
    pipeline.is_exact();
    assert_eq!(fs::read_to_string(pipeline.path("mine.log")).expect("it is there"), log);
}

#[test]
fn room_that_is_wanted_lower_lets_a_run_begin() {
    let mut pipeline = landed();
    pipeline.set("disk", "min_free", "1 TiB").append("a.json", Lines::new(2).take(5));
    refuses(
        &pipeline,
        3,
        &["make room, name what may be deleted in disk.clean, or set disk.min_free lower, and start again"],
    );
    pipeline.set("disk", "min_free", "1 MiB");
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn the_least_memory_that_is_named_is_enough() {
    let mut pipeline = landed();
    pipeline.set("limits", "memory", "1 MiB").append("a.json", Lines::new(2).take(5));
    let said = pipeline.run().exits_with(2).error();
    let (_, least) = said.split_once("at least ").unwrap_or_else(|| panic!("the least is named: {said}"));
    let least: Vec<&str> = least.split_whitespace().take(2).collect();
    let least = least.join(" ");
    pipeline.set("limits", "memory", least.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn an_address_that_is_taken_is_set_to_another() {
    let mut pipeline = landed();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    pipeline.set("http", "listen", taken.local_addr().expect("an address").to_string());
    refuses(&pipeline, 2, &["set another address or port, or leave [http] out"]);
    pipeline.set("http", "listen", free_address().to_string());
    pipeline.land();
    pipeline.unset("http", "listen");
    pipeline.land();
}

#[test]
fn lines_of_jsonlog_go_where_the_file_is_told_to_send_them() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "format", "jsonlog").write("a.json", "{\"message\": \"hello\"}\n");
    refuses(&pipeline, 2, &["set roles.default to \"primary\" or \"replica\""]);
    pipeline.set("roles", "default", "primary");
    assert_eq!(pipeline.land()["tables"]["primary"]["rows"], 1);
}

#[test]
fn values_without_quotes_get_them() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let mut command = pipeline.command(&["run", "p.toml"]);
    let file = fs::read_to_string(pipeline.path("p.toml")).expect("a pipeline file");
    for value in ["azure", "file:logs/", "10ms", "8 KiB", "p"] {
        let without = file.replacen(&format!("= \"{value}\""), &format!("= {value}"), 1);
        assert_ne!(without, file);
        fs::write(pipeline.path("q.toml"), without).expect("a pipeline file");
        let said = pipeline.call(&["run", "q.toml"]).exits_with(2).error();
        assert!(said.contains("a string must be quoted, as in mode = \"tail\" and poll = \"10s\""), "{value}: {said}");
    }
    assert!(command.output().expect("it runs").status.success());
}
