//! What the user is told about a file as a whole: one that is missing, is not TOML, lacks required
//! keys or has unknown ones.

use std::error::Error;

use expect_test::expect;

use super::super::load;
use super::{check, told};

#[test]
fn an_empty_file_is_told_what_it_needs() {
    expect![[r#"
        pipeline: must be given, such as pipeline = "pg-logs"
        topology: must be given, such as topology = "pg_logs"
        source.url: must be given, such as url = "file:data/logs/"
        source.format: must be given, such as format = "azure"
        lake.root: must be given, such as root = "file:lake"
        lake.catalog: must be given, such as catalog = "lakehouse"
        lake.schema: must be given, such as schema = "postgresql_logs""#]]
    .assert_eq(&told(""));
}

#[test]
fn every_problem_is_told_at_once() {
    let text = r#"
        pipelin = "x"
        topology = "kafka"
        workers = 0
        [source]
        url = "az://logs"
        mode = "batch"
        chunk = "1 MiB"
        [tables]
        primary = "t"
        rejects = "t"
        [limits]
        ahead = "1 KiB"
        [Lake]
    "#;
    expect![[r#"
        pipeline: must be given, such as pipeline = "pg-logs"
        topology = "kafka": allowed are "pg_logs", "pg_flush" and "pg_changes"
        workers = 0: allowed is a whole number from 1 to 256
        source.format: must be given, such as format = "azure"
        source.mode = "batch": allowed are "backfill" and "tail"
        source.url = "az://logs": does not name the account: set account in [source.azure] or [lake.azure], or AZURE_STORAGE_ACCOUNT in the environment, or write https://ACCOUNT.blob.core.windows.net/container/path
        lake.root: must be given, such as root = "file:lake"
        lake.catalog: must be given, such as catalog = "lakehouse"
        lake.schema: must be given, such as schema = "postgresql_logs"
        tables.rejects = "t": names the same table as tables.primary: they must differ in more than case; the default is "rejected_postgresql_logs"
        limits.ahead = "1 KiB": must be at least source.chunk, by default 4 MiB, for Azure 8 MiB, or no chunk can ever be read
        Lake: unknown key at the top of the file, did you mean "lake"?
        pipelin: unknown key at the top of the file, did you mean "pipeline"?"#]].assert_eq(&told(text));
}

#[test]
fn unknown_keys_are_told_with_the_nearest_known() {
    check(
        "",
        &["work = 1", "pipe-line = 1", "zzz = 1", "\"a\\nb\" = 1"],
        expect![[r#"
            work: unknown key at the top of the file, did you mean "workers"?
            pipe-line: unknown key at the top of the file, did you mean "pipeline"?
            zzz: unknown key at the top of the file, known keys are commit, disk, http, lake, limits, pipeline, roles, rows, source, tables, topology, workers
            "a\nb": unknown key at the top of the file, known keys are commit, disk, http, lake, limits, pipeline, roles, rows, source, tables, topology, workers
        "#]],
    );
    check(
        "source",
        &["pol = \"1s\"", "State-File = \"x\"", "workers = 2"],
        expect![[r#"
            source.pol: unknown key in [source], did you mean "poll"?
            source.State-File: unknown key in [source], did you mean "state_file"?
            source.workers: unknown key in [source], known keys are azure, chunk, cold_start, format, in_flight, max_line, mode, on_rewrite, poll, retry, settle, state_file, temporary, unterminated, url
        "#]],
    );
    check(
        "commit",
        &["retry = 3"],
        expect![[r#"
        commit.retry: unknown key in [commit], known keys are bytes, interval
    "#]],
    );
    check(
        "roles",
        &["server = \"x\""],
        expect![[r#"
        roles.server: unknown key in [roles], did you mean "servers"?
    "#]],
    );
    check(
        "limit",
        &["ahead = 1"],
        expect![[r#"
        limit: unknown key at the top of the file, did you mean "limits"?
    "#]],
    );
}

#[test]
fn sections_are_tables() {
    check(
        "",
        &["commit = 3", "rows = \"keep\"", "roles.servers = []"],
        expect![[r#"
            commit = 3: allowed is a table, written [commit]
            rows = "keep": allowed is a table, written [rows]
            roles.servers = []: allowed is a table, written [roles.servers]
        "#]],
    );
}

#[test]
fn toml_errors_tell_the_place_and_not_the_line() {
    let texts = [
        "url = \"hunter2",
        "url = hunter2",
        "a = 1\nurl = 'hunter2' x",
        "a = 1\n\n  [source\nurl = \"hunter2\"",
        "a = \"hunter2\"\na = \"hunter2\"",
        "é = \"hunter2\" é = 1",
        "a = \"hunter2\"\na.b = \"hunter2\"",
        "a = \"\"\"\nhunter2\n\\q\"\"\"",
        "workers = 99999999999999999999",
        "workers = 9999999999999999999",
        "a = { b = \"hunter2\" ",
        "hunter3",
    ];
    let told: Vec<_> = texts.iter().map(|text| told(text) + "\n").collect();
    expect![[r#"
        line 1, column 15: not valid TOML: invalid basic string, expected `"`
        line 1, column 7: not valid TOML: string values must be quoted, expected literal string; a string must be quoted, as in mode = "tail" and poll = "10s"
        line 2, column 17: not valid TOML: unexpected key or value, expected newline, `#`
        line 3, column 10: not valid TOML: unclosed table, expected `]`
        line 2, column 1: not valid TOML: duplicate key
        line 1, column 15: not valid TOML: unexpected key or value, expected newline, `#`
        line 2, column 1: not valid TOML: cannot extend value of type string with a dotted key
        line 3, column 2: not valid TOML: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\`, `"`, `x`, `u`, `U`
        line 1, column 11: not valid TOML: number too large
        line 1, column 11: not valid TOML: u64 value was too large
        line 1, column 20: not valid TOML: unclosed inline table, expected `}`
        line 1, column 8: not valid TOML: key with no value, expected `=`
    "#]].assert_eq(&told.concat());
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not-text.toml");
    std::fs::write(&path, b"pipeline = \"\xff\"").unwrap();
    let paths = [folder.path().join("missing.toml"), folder.path().to_owned(), path];
    let told = paths
        .map(|path| load(&path).unwrap_err().to_string().replace(&folder.path().display().to_string(), "DIR") + "\n");
    expect![[r#"
        could not find the pipeline file "DIR/missing.toml": relative paths count from the directory the command runs in
        could not read the pipeline file "DIR": give a file that this user may read
        could not read the pipeline file "DIR/not-text.toml": it is not UTF-8, as TOML must be
    "#]]
    .assert_eq(&told.concat());
    let unreadable = load(folder.path()).unwrap_err();
    assert!(unreadable.source().is_some(), "the system's own error is kept");
}
