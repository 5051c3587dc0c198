//! What npm installs for the tests: once for all of them, as a lock file specifies.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder in which the packages of `sources` (a `package-lock.json` and what belongs to it) are
/// installed, after `finish` has worked on it. One test binary installs them, the others wait. The
/// folder is named after npm's lock file; a copy of that, written last, marks it as complete.
pub(crate) fn installed(name: &str, sources: &Path, finish: impl FnOnce(&Path)) -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(tmp).expect("cargo's folder for tests");
    let lock = File::create(tmp.join(format!("{name}.lock"))).expect("a lock file");
    lock.lock().expect("the lock");
    let wanted = fs::read(sources.join("package-lock.json")).expect("npm's lock file");
    let mut hasher = DefaultHasher::new();
    wanted.hash(&mut hasher);
    let folder = tmp.join(format!("{name}-{:016x}", hasher.finish()));
    let marker = folder.join("complete");
    if fs::read(&marker).is_ok_and(|there| there == wanted) {
        return folder;
    }
    fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("a folder for {name}: {e}"));
    for name in ["package.json", "package-lock.json"] {
        fs::copy(sources.join(name), folder.join(name)).expect("npm's files are copied");
    }
    let mut command = Command::new("npm");
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--omit=optional"]);
    let output = command.current_dir(&folder).output().unwrap_or_else(|e| panic!("the tests need npm: {e}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    finish(&folder);
    fs::write(marker, wanted).expect("the marker");
    folder
}
