//! Java, and the jars that Maven brings, once, as a `pom.xml` says.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest that Spark 4 and Kafka 4 run on.
const OLDEST: u32 = 17;

/// The program, where Spark looks for it too.
pub(crate) fn program() -> PathBuf {
    let home = std::env::var_os("JAVA_HOME");
    home.map_or_else(|| PathBuf::from("java"), |home| Path::new(&home).join("bin/java"))
}

/// Fails if there is no Java that is new enough.
pub(crate) fn is_there() {
    let java = program();
    let output = Command::new(&java).arg("-version").output();
    let said = output.map_or_else(|e| e.to_string(), |output| String::from_utf8_lossy(&output.stderr).into_owned());
    // As in `openjdk version "17.0.15" 2025-04-15`.
    let version = said.split("version \"").nth(1).and_then(|rest| rest.split(['.', '"']).next());
    let is_new_enough =
        version.and_then(|version| version.parse::<u32>().ok()).is_some_and(|version| version >= OLDEST);
    assert!(
        is_new_enough,
        "this test needs Java {OLDEST} or newer: install openjdk-17-jre-headless, or what your system calls it, or set \
         JAVA_HOME; {} says: {said}",
        java.display()
    );
}

/// The folder `name` with the jars. One test binary fills it, the others wait. A copy of the list,
/// written last, marks it as whole.
pub(crate) fn jars(name: &str, pom: &Path) -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(tmp).expect("cargo's folder for tests");
    let lock = File::create(tmp.join(format!("{name}.lock"))).expect("a lock file");
    lock.lock().expect("the lock");
    let (folder, wanted) = (tmp.join(name), fs::read(pom).expect("the list of jars"));
    let marker = folder.join("complete");
    if fs::read(&marker).is_ok_and(|there| there == wanted) {
        return folder;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("old jars go away");
    }
    let mut to = OsString::from("-DoutputDirectory=");
    to.push(&folder);
    let mut command = Command::new("mvn");
    command.args(["--batch-mode", "--quiet", "--strict-checksums", "dependency:copy-dependencies"]);
    command.arg(to).arg("--file").arg(pom);
    let output = command.output().unwrap_or_else(|e| panic!("this test needs Maven: install maven, 3.8 or newer: {e}"));
    // Maven says what is wrong on standard output.
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&said));
    fs::write(marker, wanted).expect("the marker");
    folder
}
