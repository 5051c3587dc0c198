//! Health when something is wrong: not ready, with the step that holds the frontier.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use serde_json::json;

use crate::support::Running;
use crate::support::azurite::KEY;
use crate::support::blobs::connection_string;
use crate::support::http::{Answer, get};
use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::pipeline::TABLES;
use crate::support::proxy::{Fault, Kind, Rule};
use crate::world::World;
use crate::{PRIMARY, given, tail_failing, until, watch};

/// Whether an answer says that the run is not ready, with this status, because of this step.
fn is(answer: &Answer, status: &str, step: Option<&str>) -> bool {
    let body = answer.json();
    answer.status == 503 && body["status"] == status && body["step"] == json!(step) && body["ready"] == false
}

#[test]
fn a_run_that_is_well_is_ready_and_says_so() {
    let (pipeline, address) = given();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let mut tail = pipeline.tail();
    until(&mut tail, address, "/health", |answer| answer.json()["position"] == ONE_FOR_EACH_TABLE.len());
    let ready = get(address, "/health/ready").expect("an answer");
    assert_eq!(ready.status, 200);
    let well = json!({"status": "ok", "ready": true, "step": null, "reason": null, "error": null, "since": null});
    assert_eq!(ready.json(), well);
    let health = get(address, "/health").expect("an answer").json();
    assert_eq!((&health["pipeline"], &health["run"], &health["lag"]), (&json!("p"), &json!(1), &json!(0)));
    tail.stop();
}

#[test]
fn tables_for_which_nothing_waits_are_not_behind() {
    let (pipeline, address) = given();
    let mut tail = pipeline.tail();
    let mut length = 0;
    for cut in 1..=2 {
        pipeline.append("a.json", PRIMARY.repeat(cut));
        length += PRIMARY.len() * cut;
        let answer = until(&mut tail, address, "/health", |answer| answer.json()["position"] == length).json();
        assert_eq!((&answer["lag"], &answer["ready"]), (&json!(0), &json!(true)), "{answer}");
    }
    // The other tables are only moved after four cuts, or half a minute.
    let status = get(address, "/status.json").expect("an answer").json();
    assert_eq!((&status["acknowledged"], pipeline.position()), (&json!(0), 0), "{status}");
    for table in status["tables"].as_array().expect("tables") {
        assert_eq!((&table["position"], &table["behind"]), (&json!(length), &json!(0)), "{table}");
        assert_eq!(table["last_commit"].is_string(), table["role"] == "primary", "{table}");
    }
    let told = pipeline.status();
    for role in ["primary", "replica", "rejects"] {
        assert_eq!(told["tables"][role]["lag"], 0, "{told}");
    }
    let metrics = get(address, "/metrics").expect("an answer").body;
    assert!(metrics.contains("\nlakefront_lag{unit=\"bytes\"} 0\n"), "{metrics}");
    let stderr = tail.stop().stderr;
    let landed: Vec<_> = stderr.lines().filter(|line| line.contains(" landed ")).collect();
    let rows = |cut: usize| format!("rows={cut} tables=\"primary {cut}, replica 0, rejects 0\" seconds=");
    assert!(landed.len() == 2 && (0..2).all(|cut| landed[cut].contains(&rows(cut + 1))), "{stderr}");
    pipeline.is_exact();
}

#[test]
fn a_torn_commit_is_told_with_its_file_and_the_run_goes_on_once_it_is_away() {
    let (mut pipeline, address) = given();
    pipeline.set("http", "stall", "1h").write("a.json", PRIMARY);
    let mut tail = pipeline.tail();
    until(&mut tail, address, "/health", |answer| answer.json()["position"] == PRIMARY.len());
    let torn = pipeline.path(TABLES).join("primary/_delta_log/00000000000000000003.json");
    std::fs::write(&torn, "{\"commitInfo\":{\"operation\":\"WRI").expect("a torn commit");
    pipeline.append("a.json", PRIMARY);
    let answer = until(&mut tail, address, "/health", |answer| is(answer, "failing", Some("commit[primary]"))).json();
    let error = answer["error"].as_str().expect("the last error");
    assert!(error.contains("primary/_delta_log/00000000000000000003.json: it is cut short or not JSON"), "{error}");
    assert!(error.contains("move the file away if it is the newest version of the table"), "{error}");

    // A command that starts now reports the same at once.
    let stopped = pipeline.call(&["status", "p.toml"]).exits_with(3).error();
    assert!(stopped.contains(error), "{stopped}");
    std::fs::remove_file(torn).expect("the torn commit");
    until(&mut tail, address, "/health", |answer| answer.status == 200 && answer.json()["lag"] == 0);
    tail.stop();
    pipeline.is_exact();
}

#[test]
fn what_is_not_read_of_the_source_is_a_reason_with_its_name() {
    let (pipeline, address) = given();
    pipeline.write("a.json", PRIMARY);
    let stray = pipeline.path("logs").join(OsStr::from_bytes(b"b\xff.json"));
    std::fs::write(&stray, PRIMARY).expect("a file system that takes any name");
    let mut tail = pipeline.tail();
    let answer = until(&mut tail, address, "/health", |answer| is(answer, "not_read", None)).json();
    let reason = answer["reason"].as_str().expect("a reason");
    assert!(reason.contains("json\" in the source has not been read for "), "{reason}");
    assert!(reason.ends_with(": its name is not UTF-8; rename it to have it read"), "{reason}");
    std::fs::remove_file(stray).expect("it is there");
    until(&mut tail, address, "/health", |answer| answer.status == 200 && answer.json()["position"] == PRIMARY.len());
    tail.stop();
}

#[test]
fn a_run_that_claims_its_tables_is_alive_and_not_ready() {
    let (pipeline, address) = given();
    let mut tail = tail_failing(&pipeline, "claim-offsets-written=pause");
    until(&mut tail, address, "/health/ready", |answer| is(answer, "starting", None));
    assert_eq!(get(address, "/health/live").expect("an answer").status, 200);
    tail.kill();
}

#[test]
fn the_step_that_holds_the_frontier_is_named() {
    for (point, lines, step) in [
        ("commit-offsets-written=1*pause", PRIMARY, "commit[primary]"),
        ("state-write=1*pause", ONE_FOR_EACH_TABLE, "checkpoint"),
    ] {
        let (pipeline, address) = given();
        pipeline.write("a.json", lines);
        let mut tail = tail_failing(&pipeline, point);
        let answer = until(&mut tail, address, "/health/ready", |answer| is(answer, "stalled", Some(step)));
        let reason = answer.json()["reason"].as_str().expect("a reason").to_owned();
        assert!(reason.starts_with(&format!("{step} holds the frontier, which has stood still for ")), "{reason}");
        assert_eq!(get(address, "/health").expect("an answer").status, 503);
        assert_eq!(get(address, "/health/live").expect("an answer").status, 200);
        tail.kill();
    }
}

#[test]
fn a_worker_that_hangs_is_noticed_though_no_cut_is_closed() {
    let (mut pipeline, address) = given();
    pipeline.set("", "workers", 1).write("a.json", PRIMARY);
    let mut tail = tail_failing(&pipeline, "fetch-done=1*pause");
    until(&mut tail, address, "/health/ready", |answer| is(answer, "stalled", Some("plan")));
    tail.kill();
}

#[test]
fn a_source_that_is_silent_is_told_by_its_reads_and_recovers() {
    let mut world = World::new();
    let address = watch(&mut world.pipeline);
    world.pipeline.set("source.retry", "timeout", "1s");
    world.write("a.json", ONE_FOR_EACH_TABLE);
    let mut tail = world.pipeline.tail();
    let has_landed = |tail: &mut Running| tail.until("landed", || world.pipeline.position() == world.bytes());
    has_landed(&mut tail);
    // Of the reads that an append takes, the last is of its chunk. Those before look at what is
    // there.
    let before = world.requests().reads;
    world.append("a.json", ONE_FOR_EACH_TABLE);
    has_landed(&mut tail);
    let last = (world.requests().reads - before) as u64;
    world.proxy.rule(Rule::new(Kind::Read, Fault::Stall(Duration::from_secs(30))).nth(last).always());
    world.append("a.json", ONE_FOR_EACH_TABLE);
    let answer = until(&mut tail, address, "/health/ready", |answer| {
        is(answer, "stalled", Some("fetch")) && !answer.json()["error"].is_null()
    });
    let (health, reason) = (answer.json(), answer.json()["reason"].clone());
    let error = health["error"].as_str().expect("the last error");
    assert!(error.starts_with("could not read ") && error.contains("a.json"), "{error}");
    assert!(reason.as_str().is_some_and(|reason| reason.ends_with(&format!(" bytes wait: {error}"))), "{reason}");
    world.proxy.calm();
    until(&mut tail, address, "/health/ready", |answer| answer.status == 200);
    tail.stop();
    world.is_exact();
}

#[test]
fn commits_that_fail_are_told_with_their_table_and_no_secret() {
    let mut world = World::new();
    let address = watch(&mut world.pipeline);
    let connection = connection_string(&world.proxy.endpoint());
    world.pipeline.set("lake", "root", format!("az://{}/a lake", world.container.name()));
    world.pipeline.set("lake.azure", "connection_string", connection).set("http", "stall", "1h");
    let mut tail = world.pipeline.tail();
    world.proxy.rule(Rule::new(Kind::Put, Fault::ServerBusy(None)).named("_delta_log").always());
    world.write("a.json", PRIMARY);
    let answer = until(&mut tail, address, "/health/ready", |answer| is(answer, "failing", Some("commit[primary]")));
    let reason = answer.json()["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("a commit to table \"primary\" has failed for "), "{reason}");
    let (error, since) = (answer.json()["error"].clone(), answer.json()["since"].clone());
    let error = error.as_str().expect("the last error");
    assert!(error.contains("_delta_log") && error.contains("503"), "{error}");
    assert!(reason.ends_with(&format!(" s, and is being retried: {error}")), "{reason}");
    assert!(since.as_str().is_some_and(|since| since.starts_with("20") && since.ends_with('Z')), "{since}");
    for path in ["/status.json", "/metrics", "/health"] {
        let answer = get(address, path).expect("an answer");
        assert!(!format!("{answer:?}").contains(KEY), "{path} tells a secret");
    }
    world.proxy.calm();
    until(&mut tail, address, "/health/ready", |answer| answer.status == 200);
    tail.stop();
}

#[test]
fn a_run_that_was_asked_to_stop_is_not_ready() {
    let (pipeline, address) = given();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let mut tail = tail_failing(&pipeline, "state-write=1*pause");
    until(&mut tail, address, "/health/ready", |answer| is(answer, "stalled", Some("checkpoint")));
    tail.signal("TERM");
    until(&mut tail, address, "/health/ready", |answer| is(answer, "stopping", None));
    tail.kill();
}
