//! The files in `deploy/`: linted, and checked against the program that they start.

#[path = "../support/mod.rs"]
mod support;

mod container;
mod kubernetes;
mod unit;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::venv;

/// A path in the repository.
fn repository(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// The report of `lint.py` on something that must be good.
#[track_caller]
fn linted(what: &str, below: &str) -> Value {
    let said = lint(what, &repository(below));
    said.unwrap_or_else(|wrong| panic!("{below}:\n{wrong}"))
}

/// What was linted, as JSON, or what is wrong with it.
fn lint(what: &str, path: &Path) -> Result<Value, String> {
    let mut command = venv::python("deploy", &repository("tests/deploy/requirements.txt"));
    let output = command.arg(repository("tests/deploy/lint.py")).arg(what).arg(path).output().expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) => Ok(serde_json::from_str(&said).expect("one value")),
        Some(1) if !said.is_empty() => Err(said),
        _ => panic!("{}", String::from_utf8_lossy(&output.stderr)),
    }
}
