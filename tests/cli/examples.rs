//! The examples run as they are, from a folder that holds a copy of them.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::Running;
use crate::support::oracle::oracle;

/// A folder with a copy of the examples.
fn copy() -> TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder") {
            let from = entry.expect("an entry").path();
            let to = to.join(from.file_name().expect("a name"));
            match from.is_dir() {
                true => copy(&from, &to),
                false => assert!(fs::copy(&from, &to).is_ok(), "{} is copied", from.display()),
            }
        }
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"), &folder.path().join("examples"));
    folder
}

/// Runs an example twice. Returns what the oracle says of its tables.
fn land(example: &str, format: &str, data: &str, tables: [&str; 3]) -> String {
    let folder = copy();
    let run = |number| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakefront"));
        command.args(["run", example, "--json"]).current_dir(folder.path());
        Running::start(command, folder.path(), number).end().exits_with(0).json()
    };
    assert_ne!(run(1)["bytes"], 0);
    assert_eq!(run(2)["bytes"], 0, "the second run finds nothing new");
    let path = |below: &str| folder.path().join(below).display().to_string();
    let output = oracle(
        &[
            ["--format".to_owned(), format.to_owned()],
            ["--source".to_owned(), path(data)],
            ["--lake".to_owned(), path("lake/vitality_lakehouse_uat/pg_archive_sync")],
            ["--roles".to_owned(), path(example)],
            ["--primary".to_owned(), tables[0].to_owned()],
            ["--replica".to_owned(), tables[1].to_owned()],
            ["--rejects".to_owned(), tables[2].to_owned()],
        ]
        .concat(),
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn pg_logs() {
    let tables = ["primary_postgresql_logs_uat", "replica_postgresql_logs_uat", "rejected_postgresql_logs_uat"];
    let said = land("examples/pg_logs.toml", "azure", "examples/data/azure", tables);
    assert_eq!(said, "exact: primary 14, replica 5, rejects 7");
}

#[test]
fn jsonlog() {
    let tables = ["primary_jsonlog_uat", "replica_jsonlog_uat", "rejected_jsonlog_uat"];
    let said = land("examples/jsonlog.toml", "jsonlog", "examples/data/jsonlog", tables);
    assert_eq!(said, "exact: primary 3, replica 2, rejects 0");
}
