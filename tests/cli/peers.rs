//! `benches/peers`: what it makes of its rounds, and that a round of ours runs. The peers
//! themselves are not tested, because they are hundreds of megabytes.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::tempdir;

fn python(arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers"));
    command
}

#[track_caller]
fn succeeds(mut command: Command) -> String {
    let output = command.output().expect("python starts");
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn its_own_tests_pass() {
    succeeds(python(&["-m", "unittest", "discover"]));
}

#[test]
fn the_tests_of_the_flushes_pass_too() {
    let mut command = python(&["-m", "unittest", "discover"]);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/flush"));
    succeeds(command);
}

#[test]
fn ours_runs_alone_without_setting_up_the_peers() {
    let work = tempdir().expect("a folder");
    let plot = work.path().join("rates.svg");
    let run = |arguments: &[&str]| {
        let mut command = python(&["run.py", env!("CARGO_BIN_EXE_lakefront"), "--only", "lakefront", "--size", "4MiB"]);
        command.args(["--rounds", "2", "--work"]).arg(work.path()).args(arguments);
        succeeds(command)
    };
    let table = run(&["--plot", plot.to_str().expect("a plain path")]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[2].starts_with("tool") && lines[4].starts_with("lakefront") && lines.len() == 5, "{table}");
    assert!(std::fs::read_to_string(plot).expect("a plot").contains(">lakefront</text>"));

    let told: Value = serde_json::from_str(&run(&["--json"])).expect("one object");
    let rounds = told["rounds"]["lakefront"].as_array().expect("a list");
    assert_eq!(rounds.len(), 2);
    assert!(rounds.iter().all(|round| round["rows"] == told["rows"] && round["cpu_s"].as_f64() > Some(0.0)), "{told}");
    assert!(told["rows"]["primary"].as_u64() > Some(1_000), "{told}");
    assert!(!work.path().join("venv").exists(), "nothing was installed");
}
