//! The log lines for all measurements, written by `lakefront generate`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// More than one chunk, and small enough for the page cache.
const SIZE: &str = "16MiB";
/// One line in a thousand cannot be a row.
const REJECTS: &str = "0.001";

/// A file of log lines in a temporary folder, which is deleted with this value.
pub(crate) struct Input {
    folder: TempDir,
    /// The size of the file.
    pub(crate) bytes: u64,
    /// How many of its rows go to each table, in claim order.
    pub(crate) rows: [u64; 3],
}

impl Input {
    /// Writes the same lines every time.
    pub(crate) fn generate() -> Input {
        let folder = folder();
        let command = ["generate", "--size", SIZE, "--rejects", REJECTS, "--json"];
        let output = Command::new(env!("CARGO_BIN_EXE_lakefront")).args(command).arg(file(folder.path())).output();
        let output = output.expect("lakefront generate starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).expect("what was written, as JSON");
        let number = |value: &Value| value.as_u64().expect("a number");
        let rows = ["primary", "replica", "rejects"].map(|table| number(&told["tables"][table]));
        Input { folder, bytes: number(&told["bytes"]), rows }
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> PathBuf {
        file(self.folder.path())
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("azure.json")
}

/// A new folder on the disk that cargo builds on.
pub(crate) fn folder() -> TempDir {
    let made = tempfile::Builder::new().prefix("speed").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    made.expect("a folder in cargo's folder for tests")
}
