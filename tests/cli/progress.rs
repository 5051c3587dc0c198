//! The progress bar: on a terminal, for a backfill, and without getting in the way.

use std::process::Command;

use crate::support::{Lines, Pipeline};

/// Runs its arguments on a terminal of its own, and prints what they write there.
const ON_A_TERMINAL: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/// What `lakefront` with these arguments writes to a terminal that takes both its outputs.
fn on_a_terminal(pipeline: &Pipeline, arguments: &[&str]) -> String {
    let plain = pipeline.command(arguments);
    let mut command = Command::new("python3");
    command.args(["-c", ON_A_TERMINAL]).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(pipeline.path("")).env("TERM", "xterm").env_remove("LAKEFRONT_LOG");
    // Time for the bar to move, and for a warning to come in between.
    command.env("FAILPOINTS", "fetch-done=sleep(20)");
    pipeline.spawn(command).end().exits_with(0).stdout
}

/// Lines as somebody at the terminal has seen them, with each state that a line was in.
fn seen(text: &str) -> Vec<String> {
    let text = text.replace("\x1b[2K", "\r").replace("\x1b[1A", "\r");
    text.split(['\r', '\n']).map(|line| plain(line).trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// `text` without colours.
fn plain(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, rest)| rest));
    first + &rest.collect::<String>()
}

fn pipeline() -> Pipeline {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(3).take(400));
    // A line without a newline causes a warning.
    pipeline.append("a.json", "{\"ReplicaRole\"");
    pipeline
}

#[test]
fn a_backfill_on_a_terminal_has_a_bar_that_moves_and_no_line_a_cut() {
    let pipeline = pipeline();
    let text = on_a_terminal(&pipeline, &["run", "p.toml"]);
    let lines = seen(&text);
    let bars: Vec<&String> = lines.iter().filter(|line| line.contains(" rows ") && line.contains(" of ")).collect();
    let distinct: std::collections::BTreeSet<&&String> = bars.iter().collect();
    assert!(distinct.len() > 2, "it moved:\n{lines:#?}");
    assert!(bars.iter().any(|bar| bar.contains("/s  ") && bar.ends_with(" left")), "rate and time left:\n{bars:#?}");
    assert!(!text.contains("position="), "{text}");
    let last = lines.iter().rposition(|line| line.contains(" rows ") && line.contains(" of ")).expect("a bar");
    let report = lines.iter().position(|line| line.starts_with("landed ")).expect("a report");
    assert!(last < report, "the bar is gone when the report is printed:\n{lines:#?}");
}

#[test]
fn log_lines_do_not_tear_the_bar() {
    let pipeline = pipeline();
    let lines = seen(&on_a_terminal(&pipeline, &["run", "p.toml"]));
    for said in ["claimed the tables", "the last line has no newline"] {
        let line = lines.iter().find(|line| line.contains(said)).unwrap_or_else(|| panic!("{said} in {lines:#?}"));
        assert!(line.starts_with("20") && !line.contains(" of "), "a line of its own: {line}");
    }
    for bar in lines.iter().filter(|line| line.contains(" of ") && line.contains(" rows ")) {
        assert!(bar.starts_with(['█', '░']), "{bar}");
    }
}

#[test]
fn who_asks_for_json_gets_lines_instead_of_a_bar() {
    for flags in [&["--json"][..], &["--log-format", "json"]] {
        let pipeline = pipeline();
        let text = on_a_terminal(&pipeline, &[&["run", "p.toml"], flags].concat());
        assert!(!seen(&text).iter().any(|line| line.starts_with(['█', '░'])), "{text}");
        assert!(text.contains("landed"), "{text}");
    }
}
