//! Which lines are on the trail, and that it does not fill the memory.

use super::*;
use crate::format::logs::settings::{Format, UnknownKeys};

fn follows(trail: &mut Trail, line: &str) -> bool {
    let rules = ScanRules::new(Format::Azure, UnknownKeys::Keep);
    trail.follow(line, rules, |_| &[], &mut Rest::default()).is_some()
}

#[test]
fn lines_of_several_writers_are_all_on_the_trail() {
    let mut trail = Trail::default();
    let lines = [
        r#"{"time":"t","properties":{"message":"m"},"Region":"r"}"#,
        r#"{ "time": "t", "properties": {"message": "m"}, "Region": "r"}"#,
        r#"{"time": "t","properties": {}}"#,
        r#"{"x":null,"time":"t"} "#,
        "{}",
    ];
    for _ in 0..3 {
        assert!(lines.iter().all(|line| follows(&mut trail, line)));
    }
    let steps = trail.steps.len();
    assert!(lines.iter().all(|line| follows(&mut trail, line)));
    assert_eq!(trail.steps.len(), steps, "each stretch becomes one step");
}

#[test]
fn what_is_rare_or_wrong_is_off_the_trail() {
    let mut trail = Trail::default();
    for line in [
        r#"{"time":"t"}x"#,
        r#"{"time":"t",}"#,
        r#"{"time":["t"]}"#,
        r#"{"t\u0069me":"t"}"#,
        r#"{"properties":{},"properties":{}}"#,
        r#"{"properties":null}"#,
        r#"{"time":1.5}"#,
        "[]",
        "",
    ] {
        assert!(!follows(&mut trail, line), "{line}");
    }
}

#[test]
fn keys_that_never_repeat_do_not_fill_the_memory() {
    let mut trail = Trail::default();
    for line in 0..10 * MOST_STEPS {
        follows(&mut trail, &format!(r#"{{"key {line}":1}}"#));
        assert!(trail.steps.len() <= MOST_STEPS);
    }
    assert!(follows(&mut trail, r#"{"time":"t"}"#) || follows(&mut trail, r#"{"time":"t"}"#));
}
