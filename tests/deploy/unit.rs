//! The systemd unit: accepted by systemd itself where it is installed, and consistent with the
//! program's arguments and exit codes.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::repository;
use crate::support::Pipeline;

const UNIT: &str = "deploy/lakefront@.service";
const PROGRAM: &str = "/usr/local/bin/lakefront";

/// The settings, by section and name; a name may have several values.
fn settings() -> BTreeMap<(String, String), Vec<String>> {
    let text = fs::read_to_string(repository(UNIT)).expect("a unit");
    let (mut section, mut settings) = (String::new(), BTreeMap::new());
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
            continue;
        }
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("neither section nor setting: {line}"));
        let values: &mut Vec<String> = settings.entry((section.clone(), name.to_owned())).or_default();
        values.push(value.to_owned());
    }
    settings
}

fn setting(name: &str) -> String {
    let values = settings().remove(&("Service".to_owned(), name.to_owned())).unwrap_or_default();
    assert_eq!(values.len(), 1, "{name} is set once");
    values[0].clone()
}

#[test]
fn systemd_takes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let unit = folder.path().join("lakefront@.service");
    let text = fs::read_to_string(repository(UNIT)).expect("a unit");
    fs::write(&unit, text.replace(PROGRAM, env!("CARGO_BIN_EXE_lakefront"))).expect("a unit");
    let output = match Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output() {
        Ok(output) => output,
        // It comes with systemd, which not every machine has; the other tests check the unit
        // without it.
        Err(error) => return println!("not verified: systemd-analyze: {error}"),
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let about: Vec<&str> = said.lines().filter(|line| line.contains("lakefront@")).collect();
    assert!(about.is_empty() && output.status.success(), "{said}");
}

#[test]
fn the_program_takes_its_arguments() {
    let command = setting("ExecStart");
    let mut words = command.split(' ');
    assert_eq!(words.next(), Some(PROGRAM));
    let arguments: Vec<&str> = words.map(|word| if word.ends_with(".toml") { "gone.toml" } else { word }).collect();
    let error = Pipeline::new().call(&arguments).exits_with(2).error();
    assert!(error.contains("could not find the pipeline file \"gone.toml\""), "{error}");
}

#[test]
fn it_is_not_started_again_where_that_does_not_help() {
    let prevented: Vec<i32> =
        setting("RestartPreventExitStatus").split(' ').map(|code| code.parse().expect("a code")).collect();
    assert_eq!(setting("Restart"), "on-failure");
    let mut pipeline = Pipeline::new();
    let tail = pipeline.tail();
    let held = pipeline.run().code.expect("it ends by itself");
    tail.stop();
    pipeline.set("source", "mode", "sideways");
    let wrong = pipeline.run().code.expect("it ends by itself");
    assert_eq!(prevented, [wrong, held]);

    pipeline.set("source", "mode", "backfill").set("source", "url", "file:gone/");
    let fatal = pipeline.run().code.expect("it ends by itself");
    assert!(fatal != 0 && !prevented.contains(&fatal), "a source that is gone may come back");
}

#[test]
fn it_gives_a_commit_the_time_it_may_take() {
    // By default source.retry.max_time is 5 minutes.
    assert_eq!((setting("KillSignal").as_str(), setting("TimeoutStopSec").as_str()), ("SIGTERM", "6min"));
    for (name, value) in [("NoNewPrivileges", "true"), ("ProtectSystem", "strict"), ("CapabilityBoundingSet", "")] {
        assert_eq!(setting(name), value, "{name}");
    }
    assert_eq!(
        setting("WorkingDirectory"),
        format!("%S/{}", setting("StateDirectory")),
        "relative paths lie in its state"
    );
}
