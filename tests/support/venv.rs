//! Virtual environments of Python, each set up once from a list of requirements with hashes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Python in the environment `name`, which has what `requirements` lists.
pub(crate) fn python(name: &str, requirements: &Path) -> Command {
    let mut command = Command::new(set_up(name, requirements).join("bin/python"));
    command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
    command
}

/// One test binary creates the environment, the others wait for it. A copy of the requirements
/// marks it as complete.
fn set_up(name: &str, requirements: &Path) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (venv, lock) = (folder.join(name), folder.join(format!("{name}.lock")));
    let marker = venv.join("complete");
    fs::create_dir_all(folder).expect("cargo's folder for tests");
    let lock = File::create(lock).expect("a lock file");
    lock.lock().expect("the lock");
    let wanted = fs::read(requirements).expect("the requirements");
    if fs::read(&marker).is_ok_and(|there| there == wanted) {
        return venv;
    }
    if venv.exists() {
        fs::remove_dir_all(&venv).expect("an old environment goes away");
    }
    finish(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"];
    let install = |list: &Path, more: &[&str]| {
        let mut command = Command::new(venv.join("bin/python"));
        finish(command.args(pip).args(["--only-binary", ":all:"]).args(more).arg("-r").arg(list));
    };
    // What has no wheel is built with what is listed too, and not with what is newest that day.
    let tools = requirements.with_file_name("build-requirements.txt");
    if tools.exists() {
        install(&tools, &[]);
        install(requirements, &["--no-build-isolation"]);
    } else {
        install(requirements, &[]);
    }
    fs::write(marker, wanted).expect("the marker");
    venv
}

fn finish(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}
