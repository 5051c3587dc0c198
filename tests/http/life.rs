//! The address: taken before anything else, handed over, and queried by `lakefront status`.

use std::net::TcpListener;
use std::time::Duration;

use expect_test::expect;
use lakefront_operators::run::clock::Stopwatch;
use serde_json::Value;

use crate::support::http::{free_address, get};
use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::{given, until};

#[test]
fn without_the_section_nothing_listens() {
    let (mut pipeline, address) = given();
    for key in ["listen", "stall"] {
        pipeline.unset("http", key);
    }
    let tail = pipeline.tail();
    assert!(get(address, "/health/live").is_none());
    tail.stop();
}

#[test]
fn an_address_that_is_taken_stops_the_run_before_it_claims_a_table() {
    let (pipeline, address) = given();
    let _taken = TcpListener::bind(address).expect("a free address");
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let error = pipeline.run().exits_with(2).error().replace(&address.to_string(), "<address>");
    expect![[r#"
        error: could not listen on http.listen = "<address>": set another address or port, or leave [http] out: Address already in use (os error 98)
    "#]]
    .assert_eq(&error);
    assert!(!pipeline.path("lake").exists(), "nothing was written");
}

#[test]
fn who_takes_over_gets_the_address_too() {
    let (pipeline, address) = given();
    let older = pipeline.tail();
    let mut newer = pipeline.start(&["run", "p.toml", "--mode", "tail", "--take-over"]);
    newer.until_it_says("claimed the tables");
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    older.end().exits_with(4);
    until(&mut newer, address, "/status.json", |answer| answer.json()["run"] == 2);
    newer.stop();
    pipeline.is_exact();
}

#[test]
fn status_asks_the_run() {
    let (pipeline, address) = given();
    assert_eq!(pipeline.status()["running"], Value::Null, "nobody answers");
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let mut tail = pipeline.tail();
    until(&mut tail, address, "/health", |answer| answer.json()["position"] == ONE_FOR_EACH_TABLE.len());

    let status = pipeline.status();
    assert_eq!((&status["running"]["run"], &status["running"]["ready"]), (&1.into(), &true.into()), "{status}");
    assert_eq!(status["tables"]["primary"]["lag"], 0, "the tables are still reported");
    let text = pipeline.call(&["status", "p.toml"]).exits_with(0).stdout;
    let line = text.lines().nth(2).expect("a third line");
    assert!(line.starts_with("  running: run 1, ") && line.ends_with(", ready"), "{line}");
    tail.stop();
    let text = pipeline.call(&["status", "p.toml"]).exits_with(0).stdout;
    assert!(!text.contains("running"), "{text}");
}

#[test]
fn a_run_without_work_that_was_taken_over_ends_and_is_not_believed() {
    let (mut pipeline, address) = given();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let mut older = pipeline.tail();
    until(&mut older, address, "/health", |answer| answer.json()["acknowledged"] == ONE_FOR_EACH_TABLE.len());
    let elsewhere = free_address();
    pipeline.set("http", "listen", elsewhere.to_string());
    let mut newer = pipeline.start(&["run", "p.toml", "--mode", "tail", "--take-over"]);
    newer.until_it_says("claimed the tables");

    // With the older run's file, `status` asks that run.
    pipeline.set("http", "listen", address.to_string());
    let status = pipeline.status();
    assert_eq!(status["claimed"]["run"], 2, "{status}");
    assert!(status["claimed"]["process"]["pid"].is_u64(), "{status}");
    let running = &status["running"];
    assert!(running.is_null() || (running["status"] == "fenced" && running["ready"] == false), "{status}");

    let taken_over = Stopwatch::start();
    let error = older.end().exits_with(4).error();
    assert!(error.starts_with("error: fenced: table \""), "{error}");
    assert!(taken_over.elapsed() < Duration::from_secs(60), "{:?}", taken_over.elapsed());
    let answer = until(&mut newer, elsewhere, "/health", |answer| answer.status == 200).json();
    assert_eq!((&answer["run"], &answer["process"]["pid"]), (&2.into(), &status["claimed"]["process"]["pid"]));
    newer.stop();
    pipeline.is_exact();
}

#[test]
fn status_takes_nobody_elses_word() {
    let (mut pipeline, address) = given();
    let mut tail = pipeline.tail();
    until(&mut tail, address, "/health/ready", |answer| answer.status == 200);
    // Another pipeline whose file has the same address by mistake.
    pipeline.set("", "pipeline", "q").set("lake", "schema", "others");
    assert_eq!(pipeline.status()["running"], Value::Null);
    tail.stop();
}
