//! The judge: `tests/python/oracle.py` in a virtual environment of its own, which is set up once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Python with what the oracle needs.
pub(crate) fn python() -> Command {
    static VENV: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(VENV.get_or_init(set_up).join("bin/python"));
    command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
    command
}

/// Runs the oracle.
pub(crate) fn oracle<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Output {
    python().arg(tests().join("python/oracle.py")).args(arguments).output().expect("the oracle runs")
}

/// Runs a few lines of Python; what they print.
#[track_caller]
pub(crate) fn run_python(program: &str, arguments: &[&Path]) -> String {
    // The readers' threads outlive the program, and now and then the interpreter dies of that while it shuts down.
    let program = format!("{program}\nimport os, sys\nsys.stdout.flush()\nos._exit(0)\n");
    let output = python().arg("-c").arg(program).args(arguments).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// One test binary makes the environment, the others wait for it. A copy of the requirements marks it as whole.
fn set_up() -> PathBuf {
    let (folder, requirements) = (Path::new(env!("CARGO_TARGET_TMPDIR")), tests().join("python/requirements.txt"));
    let (venv, lock) = (folder.join("oracle"), folder.join("oracle.lock"));
    let marker = venv.join("complete");
    fs::create_dir_all(folder).expect("cargo's folder for tests");
    let lock = File::create(lock).expect("a lock file");
    lock.lock().expect("the lock");
    let wanted = fs::read(&requirements).expect("the requirements");
    if fs::read(&marker).is_ok_and(|there| there == wanted) {
        return venv;
    }
    if venv.exists() {
        fs::remove_dir_all(&venv).expect("an old environment goes away");
    }
    finish(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"];
    finish(Command::new(venv.join("bin/python")).args(pip).args(["--only-binary", ":all:", "-r"]).arg(&requirements));
    fs::write(marker, wanted).expect("the marker");
    venv
}

fn finish(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}
