//! Tests of pipeline files: what a good one means, and what the user is told about a bad one, as
//! snapshots. `UPDATE_EXPECT=1 cargo test` rewrites the snapshots.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod accepted;
mod azure;
#[cfg(feature = "pg_changes")]
mod connect;
mod fields;
#[cfg(feature = "pg_changes")]
mod pg_changes;
#[cfg(feature = "pg_flush")]
mod pg_flush;
mod reference;
mod refused;
mod s3;
mod secrets;

use expect_test::Expect;

use super::{Config, Kind, PgLogs, parse};

/// The smallest file that is valid.
const LEAST: &str = r#"
    pipeline = "pg-logs"
    topology = "pg_logs"
    workers = 2
    [source]
    url = "file:data/logs/"
    format = "azure"
    [lake]
    root = "file:lake"
    catalog = "lakehouse"
    schema = "logs"
"#;

/// The environment. Every secret in it contains "hunter2".
fn env(name: &str) -> Option<String> {
    let value = match name {
        "SECRET" => "hunter2",
        "SCHEMA" => "logs",
        "EMPTY" => "",
        "NESTED" => "${SECRET}",
        "TOML" => "x\"\nworkers = 7 # hunter2",
        "PRIMARY" => "Primary",
        "CHUNK" => "8 MiB",
        "KEY" => "hunter2A",
        "SAS" => "sv=1&sp=rl&sig=hunter2",
        "CONNECTION" => "AccountName=acc1;AccountKey=hunter2A",
        "SIGNED_URL" => "https://acc1.blob.example/logs/x?sp=r&sig=hunter2",
        _ => return None,
    };
    Some(value.to_owned())
}

/// `LEAST` with `line` at the start of `section` (`""` for the top), in place of the key's own line
/// if there is one.
fn with(section: &str, line: &str) -> String {
    into(LEAST, section, line)
}

/// The same for another file than `LEAST`.
fn into(file: &str, section: &str, line: &str) -> String {
    let key = line.split('=').next().unwrap().trim().to_owned() + " =";
    let mut text: Vec<String> = Vec::new();
    let (mut current, mut placed) = (String::new(), section.is_empty());
    if placed {
        text.push(line.to_owned());
    }
    for old in file.lines() {
        if let Some(name) = old.trim().strip_prefix('[') {
            current = name.trim_end_matches(']').to_owned();
        }
        if current == section && old.trim().starts_with(&key) {
            continue;
        }
        text.push(old.to_owned());
        if current == section && !placed {
            text.push(line.to_owned());
            placed = true;
        }
    }
    if !placed {
        text.push(format!("[{section}]\n{line}"));
    }
    text.join("\n")
}

/// What is `pg_logs`' own.
fn logs_of(config: Config) -> PgLogs {
    let Kind::PgLogs(logs) = config.kind else { panic!("it is of another kind") };
    *logs
}

fn good(text: &str) -> Config {
    parse(text, &env).unwrap_or_else(|error| panic!("{error}\nin{text}"))
}

/// What the user is told, which has no secret in it, nor in its `Debug` form.
fn told(text: &str) -> String {
    let error = parse(text, &env).expect_err(text);
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    error.to_string()
}

/// What the user is told about files with one of `lines` in `section`.
fn check(section: &str, lines: &[&str], expected: Expect) {
    check_of(LEAST, section, lines, expected);
}

/// The same for another file than `LEAST`.
fn check_of(file: &str, section: &str, lines: &[&str], expected: Expect) {
    let told: Vec<_> = lines.iter().map(|line| told(&into(file, section, line)) + "\n").collect();
    expected.assert_eq(&told.concat());
}
