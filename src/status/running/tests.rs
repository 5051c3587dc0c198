//! What `status` says of a run.

use super::*;

fn answer() -> Value {
    json!({
        "run": 7,
        "uptime_seconds": 3.5,
        "health": {"status": "ok", "ready": true, "step": null, "reason": null},
        "rates": {"bytes_per_second": 12_340_000.0, "rows_per_second": 15_300.4},
        "tables": [{"role": "primary", "position": 90}, {"role": 7}],
    })
}

#[test]
fn a_run_is_one_line() {
    let running = Answer::read(&answer()).expect("an answer");
    assert_eq!(running.text(), "  running: run 7, 12.3 MB/s, 15300 rows/s, ready\n");
    let mut of_flushes = answer();
    of_flushes["unit"] = "flushes".into();
    let running = Answer::read(&of_flushes).expect("an answer");
    assert_eq!(running.text(), "  running: run 7, 15300 rows/s, ready\n");
}

#[test]
fn a_run_that_was_taken_over_has_no_say() {
    let running = || Answer::read(&answer()).expect("an answer");
    assert_eq!(running().beside(7), running());
    assert_eq!((running().drained("primary"), running().drained("rejects")), (Some(90), None));
    let fenced = running().beside(8);
    let said = "fenced: run 8 has taken over, and this process ends once it has noticed";
    assert_eq!(fenced.text(), format!("  running: run 7, {said}\n"));
    assert_eq!((&fenced.json()["ready"], fenced.drained("primary")), (&json!(false), None));
}

#[test]
fn a_run_that_is_not_ready_says_why() {
    let mut answer = answer();
    answer["health"] =
        json!({"status": "stalled", "ready": false, "step": "fetch", "reason": "fetch holds\u{1b}[2J it"});
    answer["run"] = Value::Null;
    let running = Answer::read(&answer).expect("an answer");
    let text = "  running: a run, 12.3 MB/s, 15300 rows/s, stalled: fetch holds\\u{1b}[2J it\n";
    assert_eq!(running.text(), text, "and what it says does nothing to a terminal");
    assert_eq!(running.json()["step"], "fetch");
}

#[test]
fn nothing_that_is_said_fills_or_turns_the_screen() {
    let mut answer = answer();
    let reason = format!("a\u{202e}b\u{2028}{}", "z".repeat(100_000));
    answer["health"] = json!({"status": "stalled", "ready": false, "step": null, "reason": reason});
    let text = Answer::read(&answer).expect("an answer").text();
    assert!(text.contains("stalled: a\\u{202e}b\\u{2028}zzz") && text.len() < 1_000, "{text}");
    for number in [1e300, -1.0] {
        answer["rates"]["rows_per_second"] = number.into();
        assert_eq!(Answer::read(&answer), None);
    }
}

#[test]
fn what_is_not_of_the_form_is_no_run() {
    for answer in [json!({}), json!([]), json!({"health": {"ready": "yes"}}), json!({"health": {"ready": true}})] {
        assert_eq!(Answer::read(&answer), None, "{answer}");
    }
}
