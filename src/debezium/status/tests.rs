use super::*;
use crate::config;

/// What Connect answers, read by a client that hides "hunter2".
fn status(answer: Value) -> Status {
    let file = "pipeline = \"p\"\ntopology = \"pg_changes\"\n[source]\nbrokers = \"a:1\"\ntopics = \"cdc.public.*\"\n\
                [lake]\nroot = \"file:lake\"\ncatalog = \"c\"\n[connect]\nurl = \"http://a\"\nuser = \"u\"\n\
                password = \"hunter2\"\n";
    let config = config::parse(file, &|_| None).unwrap_or_else(|error| panic!("{error}"));
    let config::Kind::PgChanges(changes) = config.kind else { panic!("it is of another kind") };
    let rest = Rest::new(&changes.connect.expect("[connect]"), &[]).expect("a client");
    Status::read(&answer, &rest)
}

fn of(connector: &str, tasks: &[&str]) -> Status {
    let tasks: Vec<Value> =
        tasks.iter().enumerate().map(|(id, state)| json!({"id": id, "state": state, "worker_id": "w:1"})).collect();
    status(
        json!({"name": "p", "connector": {"state": connector, "worker_id": "w:1"}, "tasks": tasks, "type": "source"}),
    )
}

#[test]
fn it_runs_once_its_tasks_do() {
    for (connector, tasks, verdict) in [
        ("RUNNING", &["RUNNING"][..], Verdict::Runs),
        ("RUNNING", &[], Verdict::Changing),
        ("RUNNING", &["RUNNING", "UNASSIGNED"], Verdict::Changing),
        ("PAUSED", &["PAUSED"], Verdict::Rests("PAUSED")),
        ("PAUSED", &["RUNNING"], Verdict::Changing),
        ("STOPPED", &[], Verdict::Rests("STOPPED")),
        ("STOPPED", &["RUNNING"], Verdict::Changing),
    ] {
        assert_eq!(of(connector, tasks).verdict(), verdict, "{connector} {tasks:?}");
    }
    assert!(matches!(of("FAILED", &[]).verdict(), Verdict::Failed(_)));
    assert_eq!(status(json!({})).verdict(), Verdict::Changing);
    assert_eq!(of("RUNNING", &["RUNNING", "FAILED"]).brief(), "connector RUNNING, task 0 RUNNING, task 1 FAILED");
}

#[test]
fn a_trace_is_its_first_line_and_what_is_behind_it() {
    let failed = |trace: &str| {
        let task = json!({"id": 0, "state": "FAILED", "worker_id": "w:1", "trace": trace});
        status(json!({"connector": {"state": "RUNNING", "worker_id": "w:1"}, "tasks": [task]})).verdict()
    };
    let told = |why: &str| Verdict::Failed(format!("task 0 has failed: {why}"));
    assert_eq!(failed("a.B: no\n\tat a.B.c(B.java:1)\n"), told("a.B: no"));
    let wrapped =
        "a.B: wrapped\n\tat a.B.c(B.java:1)\nCaused by: c.D: second\n\tat x\nCaused by: e.F: root hunter2\n\tat y";
    assert_eq!(failed(wrapped), told("a.B: wrapped; caused by e.F: root ***"));
    assert_eq!(failed("a.B: c.D: no\nCaused by: c.D: no"), told("a.B: c.D: no"), "nothing is said twice");
    assert_eq!(failed(" "), told("Connect does not say why; its log does"));
    assert_eq!(failed("a\u{1b}[2J"), told("a\\u{1b}[2J"), "and does nothing to a terminal");
}

#[test]
fn people_and_programs_see_each_part() {
    let status = of("RUNNING", &["UNASSIGNED"]);
    assert_eq!(status.text(), "  connector  RUNNING on w:1\n  task 0     UNASSIGNED on w:1\n");
    let task = json!({"id": 0, "state": "UNASSIGNED", "worker": "w:1", "trace": null});
    assert_eq!(status.json()["tasks"], json!([task]));
    assert_eq!(of("STOPPED", &[]).text(), "  connector  STOPPED on w:1\n  no task\n");
}
