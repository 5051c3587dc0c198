//! The example with Azurite runs as typed in docs/azure.md, except for the port and the build.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::oracle::oracle;
use crate::support::pipeline::append;
use crate::support::{Azurite, Running, azurite, blobs};

const EXAMPLE: &str = "examples/pg_logs_azurite.toml";
/// The folder of an hour, as Azure names it.
const HOUR: &str = "y=2026/m=11/d=21/h=07/m=00/";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let from = entry.expect("an entry").path();
        // Folders are left out: what a newcomer has installed there is not part of the example.
        if from.is_file() {
            fs::copy(&from, to.join(from.file_name().expect("a name"))).expect("a file is copied");
        }
    }
}

/// A folder with the example, after `npm ci --prefix examples/azurite`.
fn given() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for part in ["examples", "examples/azurite", "examples/data/azure"] {
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(part), &folder.path().join(part));
    }
    let modules = azurite::installed().join("node_modules");
    symlink(modules, folder.path().join("examples/azurite/node_modules")).expect("a link");
    folder
}

/// Runs a command in the folder, with an environment that opens the account.
fn call(folder: &TempDir, program: &str, arguments: &[&str], number: usize) -> crate::support::Ended {
    let mut command = Command::new(program);
    let connection = blobs::connection_string(&Azurite::shared().endpoint());
    command.args(arguments).current_dir(folder.path()).env("AZURE_STORAGE_CONNECTION_STRING", connection);
    Running::start(command, folder.path(), number).end().exits_with(0)
}

fn upload(folder: &TempDir, number: usize) {
    let arguments = ["examples/azurite/upload.js", "examples/data/azure", "insights-logs-postgresqllogs", HOUR];
    call(folder, "node", &arguments, number);
}

fn land(folder: &TempDir, number: usize) -> Value {
    call(folder, env!("CARGO_BIN_EXE_lakefront"), &["run", EXAMPLE, "--json"], number).json()
}

#[test]
fn as_the_page_says() {
    let page = include_str!("../../docs/azure.md");
    let example = include_str!("../../examples/pg_logs_azurite.toml");
    for typed in [
        "npm ci --prefix examples/azurite",
        "examples/azurite/node_modules/.bin/azurite-blob --inMemoryPersistence ",
        " --skipApiVersionCheck --disableTelemetry --silent &",
        "export AZURE_STORAGE_CONNECTION_STRING=",
        "node examples/azurite/upload.js examples/data/azure insights-logs-postgresqllogs ",
        "cargo run --release -- run examples/pg_logs_azurite.toml",
    ] {
        assert!(page.contains(typed) && example.contains(typed), "{typed}");
    }
    let folder = given();
    assert!(folder.path().join("examples/azurite/node_modules/.bin/azurite-blob").is_file());
    upload(&folder, 1);
    assert_ne!(land(&folder, 2)["bytes"], 0);
    assert_eq!(land(&folder, 3)["bytes"], 0, "the second run finds nothing new");

    let line = b"{\"ReplicaRole\":\"Primary\",\"time\":\"2026-11-21T07:00:00Z\"}\n";
    append(&folder.path().join("examples/data/azure/azure_flex_primary.ndjson"), line);
    upload(&folder, 4);
    assert_eq!(land(&folder, 5)["bytes"], line.len(), "that line alone");

    let source = folder.path().join("source");
    copy(&folder.path().join("examples/data/azure"), &source.join(HOUR));
    let path = |path: &Path| path.display().to_string();
    let lake = folder.path().join("lake/azurite/vitality_lakehouse_uat/pg_archive_sync");
    let arguments = [
        ["--format".to_owned(), "azure".to_owned()],
        ["--source".to_owned(), path(&source)],
        ["--lake".to_owned(), path(&lake)],
        ["--roles".to_owned(), path(&folder.path().join(EXAMPLE))],
        ["--primary".to_owned(), "primary_postgresql_logs".to_owned()],
        ["--replica".to_owned(), "replica_postgresql_logs".to_owned()],
        ["--rejects".to_owned(), "rejected_postgresql_logs".to_owned()],
    ];
    let output = oracle(&arguments.concat());
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert_eq!(said, "exact: primary 15, replica 5, rejects 7", "{}", String::from_utf8_lossy(&output.stderr));
}
