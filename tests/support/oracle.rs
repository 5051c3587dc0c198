//! The judge: `tests/python/oracle.py` in its own virtual environment, which is set up once.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::venv;

/// Python with what the oracle needs.
pub(crate) fn python() -> Command {
    venv::python("oracle", &tests().join("python/requirements.txt"))
}

/// Runs the oracle.
pub(crate) fn oracle<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Output {
    python().arg(tests().join("python/oracle.py")).args(arguments).output().expect("the oracle runs")
}

/// Does to a table what others do; the actions are listed in the program.
#[track_caller]
pub(crate) fn tamper<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) {
    let output = python().arg(tests().join("python/tamper.py")).args(arguments).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a few lines of Python. Returns what they print.
#[track_caller]
pub(crate) fn run_python(program: &str, arguments: &[&Path]) -> String {
    // The readers' threads outlive the program, and now and then that crashes the interpreter while
    // it shuts down.
    let program = format!("{program}\nimport os, sys\nsys.stdout.flush()\nos._exit(0)\n");
    let output = python().arg("-c").arg(program).args(arguments).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}
