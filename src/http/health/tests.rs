//! What a run's health says, and which cause comes first.

use lakefront_operators::run::metrics::StoppedTable;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const CUT: Duration = Duration::from_secs(10);

fn held_for(for_ms: u64) -> Signs {
    let held = HoldingStep { step: "fetch".to_owned(), for_ms, cause: None };
    Signs { held: Some(held), lag: 7, unit: "bytes", ..Signs::default() }
}

fn failing_for(for_ms: u64) -> Signs {
    let cause = "could not create x: 503\n\u{1b}[2J".to_owned();
    let table = |role: String, for_ms| {
        let (what, name, cause) = ("commit to", format!("{role}_logs"), cause.clone());
        Failing { what, role, name, for_ms, cause }
    };
    Signs {
        failing: vec![table("primary".to_owned(), for_ms / 2), table("replica".to_owned(), for_ms)],
        ..Signs::default()
    }
}

#[test]
fn a_run_for_which_nothing_waits_is_well() {
    assert_eq!(judge(&Signs::default(), MINUTE, CUT), Health::OK);
    assert!(Health::OK.is_ready());
}

#[test]
fn a_frontier_that_stands_still_for_too_long_is_told_with_its_step() {
    assert_eq!(judge(&held_for(59_999), MINUTE, CUT), Health::OK);
    let health = judge(&held_for(61_000), MINUTE, CUT);
    assert_eq!((health.status, health.step.as_deref(), health.is_ready()), (Status::Stalled, Some("fetch"), false));
    let reason = "fetch holds the frontier, which has stood still for 61 s; 7 bytes wait";
    assert_eq!((health.reason.as_deref(), health.for_ms, health.error), (Some(reason), Some(61_000), None));
}

#[test]
fn what_a_step_that_holds_has_failed_in_is_told() {
    let mut seen = held_for(61_000);
    seen.held.as_mut().expect("a step").cause = Some("could not read a.json: no route to host".to_owned());
    let health = judge(&seen, MINUTE, CUT);
    let reason = "fetch holds the frontier, which has stood still for 61 s; 7 bytes wait: could not read a.json: no route to host";
    assert_eq!(health.reason.as_deref(), Some(reason));
    assert_eq!(health.error.as_deref(), Some("could not read a.json: no route to host"));
}

#[test]
fn an_open_cut_has_its_own_time() {
    let open_for = |ms| Signs { open_ms: Some(ms), ..Signs::default() };
    assert_eq!(judge(&open_for(69_999), MINUTE, CUT), Health::OK);
    assert_eq!(judge(&open_for(69_999), MINUTE, Duration::MAX), Health::OK);
    let health = judge(&open_for(70_000), MINUTE, CUT);
    assert_eq!((health.status, health.step.as_deref()), (Status::Stalled, Some("plan")));
}

#[test]
fn a_checkpoint_that_does_not_come_to_where_the_tables_were_told_to_move_is_stalled() {
    let behind_for = |ms| Signs { behind_ms: Some(ms), ..Signs::default() };
    assert_eq!(judge(&behind_for(59_999), MINUTE, CUT), Health::OK);
    let health = judge(&behind_for(60_000), MINUTE, CUT);
    assert_eq!((health.status, health.step.as_deref()), (Status::Stalled, Some("checkpoint")));
}

#[test]
fn commits_that_go_on_failing_are_told_with_their_table() {
    assert_eq!(judge(&failing_for(FAILING_MS - 1), MINUTE, CUT), Health::OK, "a hiccup");
    let health = judge(&failing_for(8_000), MINUTE, CUT);
    assert_eq!((health.status, health.step.as_deref()), (Status::Failing, Some("commit[replica]")));
    let error = "could not create x: 503 \\u{1b}[2J";
    let reason = format!("a commit to table \"replica_logs\" has failed for 8 s, and is being retried: {error}");
    assert_eq!((health.reason, health.for_ms), (Some(reason), Some(8_000)));
    assert_eq!(health.error.as_deref(), Some(error), "as one line that does nothing to a terminal");
}

#[test]
fn flushes_that_go_on_failing_are_told_and_tables_first() {
    let flushes_failing_for =
        |for_ms| FailingSource { what: "a flush", for_ms, cause: "could not begin a flush: gone".to_owned() };
    let seen = |for_ms| Signs { failing_source: Some(flushes_failing_for(for_ms)), ..Signs::default() };
    assert_eq!(judge(&seen(FAILING_MS - 1), MINUTE, CUT), Health::OK, "a hiccup");
    let health = judge(&Signs { held: held_for(70_000).held, ..seen(70_000) }, MINUTE, CUT);
    assert_eq!((health.status, health.step.as_deref()), (Status::Failing, Some("plan")));
    let reason = "a flush has failed for 70 s, and is being retried: could not begin a flush: gone";
    assert_eq!((health.reason.as_deref(), health.for_ms), (Some(reason), Some(70_000)));
    let both = Signs { failing_source: Some(flushes_failing_for(70_000)), ..failing_for(8_000) };
    assert_eq!(judge(&both, MINUTE, CUT).step.as_deref(), Some("commit[replica]"));
}

#[test]
fn what_is_not_read_of_the_source_is_told_by_its_name_after_a_while() {
    let not_read = |for_ms, more| {
        let (name, why) = ("a\u{1b}.json".to_owned(), "it cannot be read: permission denied".to_owned());
        Signs { not_read: Some(NotRead { for_ms, name, why, more }), ..Signs::default() }
    };
    assert_eq!(judge(&not_read(59_999, 0), MINUTE, CUT), Health::OK);
    let health = judge(&not_read(60_000, 2), MINUTE, CUT);
    let reason =
        "\"a\\u{1b}.json\" and 2 more in the source has not been read for 60 s: it cannot be read: permission denied";
    assert_eq!((health.status, health.reason.as_deref()), (Status::NotRead, Some(reason)));
}

#[test]
fn a_table_that_stands_still_is_told_and_the_run_stays_ready() {
    let stopped = |role: &str| {
        (StoppedTable { role: role.to_owned(), reason: "column \"a\" is another now".to_owned(), since_ms: 0 }, 5_000)
    };
    let health =
        judge(&Signs { stopped: vec![stopped("public.a"), stopped("public.b")], ..Signs::default() }, MINUTE, CUT);
    assert_eq!((health.status, health.is_ready(), health.for_ms), (Status::Degraded, true, Some(5_000)));
    let reason = "table \"public.a\" and 1 more stands still, while others go on: column \"a\" is another now";
    assert_eq!(health.reason.as_deref(), Some(reason));
}

#[test]
fn what_explains_the_rest_is_told_first() {
    let failing = Signs { failing: failing_for(90_000).failing, ..held_for(90_000) };
    assert_eq!(judge(&failing, MINUTE, CUT).status, Status::Failing);
    let low = Signs { low_disk: Some(Free { name: "lake", bytes: 2048, low: true }), ..failing };
    let health = judge(&low, MINUTE, CUT);
    assert_eq!((health.status, health.step), (Status::LowDisk, None));
    let reason = "the file system of lake has 2048 bytes free, less than disk.min_free";
    assert_eq!(health.reason.as_deref(), Some(reason));
}
