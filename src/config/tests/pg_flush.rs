//! Files of `pg_flush`: what a good one means, and what the user is told about a bad one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use expect_test::{Expect, expect};
use lakefront_operators::postgres::Password;
use lakefront_operators::secret::Secret;
use lakefront_operators::source::postgres::Late;

use super::super::{Config, Kind, LakeRoot, Mode, NamedTable, PgFlush};
use super::{check_of, good, into, told};

/// The smallest file that is valid.
pub(super) const LEAST: &str = r#"
    pipeline = "stellar"
    topology = "pg_flush"
    workers = 2
    [source]
    url = "postgresql://flusher@db.example:5433/stellar_hot"
    watermark = { table = "ledgers_row_v2", column = "sequence" }
    [lake]
    schema = "bronze"
    data_path = "file:lake"
"#;

fn with(section: &str, line: &str) -> String {
    into(LEAST, section, line)
}

fn flush_of(config: Config) -> PgFlush {
    let Kind::PgFlush(flush) = config.kind else { panic!("it is of another kind") };
    *flush
}

/// What the user is told about files with one of `lines` in `section`.
fn check(section: &str, lines: &[&str], expected: Expect) {
    check_of(LEAST, section, lines, expected);
}

#[test]
fn the_least_file_gets_the_documented_defaults() {
    let config = good(LEAST);
    assert_eq!(config.common.pipeline, "stellar");
    assert_eq!(config.common.state_file, Path::new("state/stellar.offset.json"));
    assert!(config.common.memory.is_none() && config.common.http.is_none());
    let flush = flush_of(config);
    assert_eq!(flush.source.shown(), "postgresql://db.example:5433/stellar_hot");
    assert_eq!((flush.source.user.as_str(), &flush.source.password), ("flusher", &Password::None));
    assert_eq!(flush.schema, "public");
    assert_eq!(flush.watermark, ("ledgers_row_v2".to_owned(), "sequence".to_owned()));
    assert_eq!((flush.tables, flush.late, flush.mode), (None, None, Mode::Tail));
    assert!(flush.downstream.is_none(), "nobody has to confirm rows");
    assert_eq!((flush.interval, flush.shutdown_timeout), (Duration::from_secs(600), Duration::from_secs(30)));
    assert_eq!((flush.max_rows, flush.connections, flush.vacuum_every), (5_000_000, 4, 10));
    assert_eq!((flush.maintenance.merge_every, flush.maintenance.expire_older_than), (6, None));
    assert_eq!(flush.lake.catalog, flush.source, "the catalog is beside the hot tables");
    assert_eq!((flush.lake.metadata_schema.as_str(), flush.lake.schema.as_str()), ("public", "bronze"));
    assert_eq!(flush.lake.root, LakeRoot::File(PathBuf::from("lake")));
    assert!(flush.lake.create && flush.lake.partition_by.is_empty());
}

#[test]
fn a_full_file_says_everything() {
    let config = good(
        r#"
        pipeline = "stellar-uat"
        topology = "pg_flush"
        workers  = 3
        [source]
        url              = "postgresql://flusher@/stellar_hot?host=/run/postgresql"
        password_command = ["vault", "read", "-field=password", "database/flusher"]
        schema           = "hot"
        watermark        = { table = "ledgers", column = "seq" }
        tables           = ["ledgers", { name = "effects", column = "ledger", late = "replace" },
                            { name = "trades", late = "append", retain = true, partition_by = ["day(closed_at)"] }]
        mode             = "backfill"
        interval         = "30s"
        max_rows         = 1000
        late             = "skip"
        connections      = 8
        shutdown_timeout = "5m"
        state_file       = "/var/lib/stellar.json"
        [source.downstream]
        url      = "postgresql://reader@other.example/stellar_silver"
        password = "${SECRET}"
        query    = "select last_sequence from checkpoints where id = 1"
        [lake]
        catalog          = "postgresql://lake@db.example/stellar_hot"
        catalog_password = "${SECRET}"
        metadata_schema  = "bronze_meta"
        schema           = "${SCHEMA}"
        data_path        = "file:/srv/lake"
        create           = false
        partition_by     = ["ledger_range"]
        [vacuum]
        every = 0
        [maintenance]
        merge_every       = 0
        expire_older_than = "720h"
        [limits]
        memory = "1 GiB"
    "#,
    );
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    assert_eq!((config.common.workers, config.common.memory), (3, Some(1 << 30)));
    assert_eq!(config.common.state_file, Path::new("/var/lib/stellar.json"));
    let flush = flush_of(config);
    assert_eq!(flush.source.host, "/run/postgresql");
    let words = ["vault", "read", "-field=password", "database/flusher"];
    assert_eq!(flush.source.password, Password::Command(words.map(str::to_owned).to_vec()));
    assert_eq!(flush.schema, "hot");
    assert_eq!(flush.watermark, ("ledgers".to_owned(), "seq".to_owned()));
    let table = |name: &str, column: Option<&str>, late| NamedTable {
        name: name.to_owned(),
        column: column.map(str::to_owned),
        late,
        retain: false,
        partition_by: None,
    };
    let tables = vec![
        table("ledgers", None, None),
        table("effects", Some("ledger"), Some(Late::Replace)),
        NamedTable {
            retain: true,
            partition_by: Some(vec!["day(closed_at)".to_owned()]),
            ..table("trades", None, Some(Late::Append))
        },
    ];
    assert_eq!((flush.tables, flush.late, flush.mode), (Some(tables), Some(Late::Skip), Mode::Backfill));
    assert_eq!((flush.interval, flush.shutdown_timeout), (Duration::from_secs(30), Duration::from_secs(300)));
    assert_eq!((flush.max_rows, flush.connections, flush.vacuum_every), (1000, 8, 0));
    let downstream = flush.downstream.expect("a gate");
    assert_eq!(downstream.location.shown(), "postgresql://other.example:5432/stellar_silver");
    assert_eq!(downstream.location.password, Password::Text(Secret::new("hunter2")));
    assert_eq!(downstream.query, "select last_sequence from checkpoints where id = 1");
    let month = Some(Duration::from_secs(30 * 24 * 3600));
    assert_eq!((flush.maintenance.merge_every, flush.maintenance.expire_older_than), (0, month));
    assert_eq!(flush.lake.catalog.shown(), "postgresql://db.example:5432/stellar_hot");
    assert_eq!(flush.lake.catalog.password, Password::Text(Secret::new("hunter2")));
    assert_eq!((flush.lake.metadata_schema.as_str(), flush.lake.schema.as_str()), ("bronze_meta", "logs"));
    assert_eq!(flush.lake.root, LakeRoot::File(PathBuf::from("/srv/lake")));
    assert!(!flush.lake.create);
    assert_eq!(flush.lake.partition_by, ["ledger_range"]);
}

#[test]
fn flags_change_the_mode_and_the_workers() {
    let once = good(LEAST).with_mode(Mode::Backfill).expect("every mode is allowed");
    assert_eq!(flush_of(once).mode, Mode::Backfill);
    let config = good(&(LEAST.to_owned() + "\n[limits]\nmemory = \"60 MiB\""));
    let told = config.with_workers(3).map(drop).expect_err("three need more than two").to_string();
    expect!["limits.memory: must be at least 76 MiB; raise it, lower workers, or leave it out for a limit that fits"]
        .assert_eq(&told);
}

#[test]
fn an_empty_file_is_told_what_it_needs() {
    expect![[r#"
        pipeline: must be given, such as pipeline = "pg-logs"
        source.url: must be given, such as url = "postgresql://user@host:5432/database"
        source.watermark.table: must be given, such as table = "ledgers_row_v2"
        source.watermark.column: must be given, such as column = "sequence"
        lake.schema: must be given, such as schema = "bronze"
        lake.data_path: must be given, such as data_path = "file:lake""#]]
    .assert_eq(&told("topology = \"pg_flush\""));
}

#[test]
fn a_database_has_one_way_in() {
    check(
        "source",
        &[
            "url = \"postgres://db.example/stellar_hot\"",
            "url = \"mysql://flusher:hunter2@db.example/stellar_hot\"",
            "url = \"postgresql://flusher:hunter2@db.example/stellar_hot?sslmode=maybe\"",
            "password = \"\"",
            "password_file = \"\"",
            "password_command = \"pass\"",
            "password_command = []",
            "password = \"hunter2\"\npassword_file = \"secrets/flusher\"",
        ],
        expect![[r#"
            source.url = "***": a user is missing: this is written postgresql://user@host:5432/database
            source.url = "***": this is written postgresql://user@host:5432/database
            source.url = "***": sslmode is disable, allow, prefer, require, verify-ca or verify-full
            source.password = "***": allowed is a non-empty string
            source.password_file = "": allowed is the path of a file on this machine, without "file:"
            source.password_command = "***": allowed is a list: a program and its arguments
            source.password_command = "***": allowed is a list: a program and its arguments
            source.password_file = "secrets/flusher": cannot be given together with password
        "#]],
    );
    check(
        "lake",
        &["catalog_password = \"hunter2\"\ncatalog_password_file = \"f\""],
        expect![[r#"
            lake.catalog_password_file = "f": cannot be given together with catalog_password
        "#]],
    );
}

#[test]
fn tables_and_the_watermark_are_named() {
    check(
        "source",
        &[
            "watermark = \"ledgers\"",
            "watermark = { table = \"\", column = \"c\" }",
            "watermark = { table = \"t\" }",
            "schema = \"\"",
            "tables = \"all\"",
            "tables = []",
            "tables = [1]",
            "tables = [\"a\", \"a\"]",
            "tables = [{ column = \"b\" }]",
            "tables = [{ name = \"a\", colum = \"b\" }]",
            "tables = [{ name = \"a\", late = \"never\" }]",
        ],
        expect![[r#"
            source.watermark = "ledgers": allowed is a table, written [source.watermark]
            source.watermark.table: must be given, such as table = "ledgers_row_v2"
            source.watermark.column: must be given, such as column = "sequence"
            source.watermark.table = "": allowed is a name of 1 to 63 bytes
            source.watermark.column: must be given, such as column = "sequence"
            source.schema = "": allowed is a name of 1 to 63 bytes
            source.tables = "all": allowed is "auto", or a list of names and { name = "…", column = "…", late = "…", retain = true, partition_by = ["…"] }
            source.tables = []: allowed is "auto", or a list of names and { name = "…", column = "…", late = "…", retain = true, partition_by = ["…"] }
            source.tables = [1]: allowed is "auto", or a list of names and { name = "…", column = "…", late = "…", retain = true, partition_by = ["…"] }
            source.tables = ["a", "a"]: names table "a" twice
            source.tables = [{ … }]: allowed is "auto", or a list of names and { name = "…", column = "…", late = "…", retain = true, partition_by = ["…"] }
            source.tables = [{ … }]: there is no key "colum" for a table; allowed is "auto", or a list of names and { name = "…", column = "…", late = "…", retain = true, partition_by = ["…"] }
            source.tables = [{ … }]: allowed are "append", "skip" and "replace"
        "#]],
    );
}

#[test]
fn a_gate_is_in_the_hot_database_unless_another_is_named() {
    let gate = |lines: &str| flush_of(good(&with("source.downstream", lines))).downstream.expect("a gate").location;
    let query = "query = \"select 1\"";
    let source = flush_of(good(LEAST)).source;
    assert_eq!(gate(query), source);
    let other = gate(&format!("{query}\npassword_file = \"secrets/reader\""));
    assert_eq!((other.database, other.password), (source.database, Password::File(PathBuf::from("secrets/reader"))));
    check(
        "source.downstream",
        &[
            "",
            "query = \"\"",
            "query = \"select 1\"\nurl = \"other\"",
            "query = \"select 1\"\npassword = \"hunter2\"\npassword_file = \"f\"",
            "query = \"select 1\"\ntable = \"checkpoints\"",
        ],
        expect![[r#"
            source.downstream.query: must be given, such as query = "select last_sequence from checkpoints where id = 1"
            source.downstream.query = "": allowed is a non-empty string
            source.downstream.url = "***": this is written postgresql://user@host:5432/database
            source.downstream.password_file = "f": cannot be given together with password
            source.downstream.table: unknown key in [source.downstream], known keys are password, password_command, password_file, query, url
        "#]],
    );
    // What is wrong with the source is not said of the gate too.
    let told = told("topology = \"pg_flush\"\n[source.downstream]\nquery = \"select 1\"");
    assert!(told.contains("source.url: must be given") && !told.contains("source.downstream"), "{told}");
}

#[test]
fn a_table_is_retained_or_not() {
    check(
        "source",
        &["tables = [{ name = \"a\", retain = \"yes\" }]"],
        expect![[r#"
            source.tables = [{ … }]: allowed are true and false, without quotes
        "#]],
    );
}

#[test]
fn numbers_and_words_have_bounds() {
    check(
        "source",
        &[
            "late = \"never\"",
            "mode = \"once\"",
            "interval = \"4s\"",
            "interval = \"25h\"",
            "max_rows = 0",
            "connections = 65",
            "shutdown_timeout = \"500ms\"",
        ],
        expect![[r#"
            source.late = "never": allowed are "append", "skip" and "replace"
            source.mode = "once": allowed are "backfill" and "tail"
            source.interval = "4s": allowed is a duration from 5s to 24h in ms, s, m or h, such as "500ms" or "10s"
            source.interval = "25h": allowed is a duration from 5s to 24h in ms, s, m or h, such as "500ms" or "10s"
            source.max_rows = 0: allowed is a whole number from 1 to 1000000000
            source.connections = 65: allowed is a whole number from 1 to 64
            source.shutdown_timeout = "500ms": allowed is a duration from 1s to 1h in ms, s, m or h, such as "500ms" or "10s"
        "#]],
    );
    check(
        "lake",
        &["metadata_schema = 7", "create = \"yes\"", "partition_by = \"day\"", "partition_by = [\"a\", 1]"],
        expect![[r#"
            lake.metadata_schema = 7: allowed is a name of 1 to 63 bytes
            lake.create = "yes": allowed are true and false, without quotes
            lake.partition_by = "day": allowed is a list of names
            lake.partition_by = ["a", 1]: allowed is a name of 1 to 63 bytes
        "#]],
    );
    check(
        "vacuum",
        &["every = -1"],
        expect![[r#"
            vacuum.every = -1: allowed is a whole number from 0 to 1000000
        "#]],
    );
    check(
        "maintenance",
        &["merge_every = -1", "merge_every = \"6\"", "expire_older_than = \"59m\"", "expire_older_than = 7"],
        expect![[r#"
            maintenance.merge_every = -1: allowed is a whole number from 0 to 1000000
            maintenance.merge_every = "6": allowed is a whole number from 0 to 1000000
            maintenance.expire_older_than = "59m": allowed is "never", or a duration from 1h to 87600h, such as "168h"
            maintenance.expire_older_than = 7: allowed is "never", or a duration from 1h to 87600h, such as "168h"
        "#]],
    );
    check(
        "limits",
        &["memory = \"1 MiB\""],
        expect![[r#"
            limits.memory = "1 MiB": must be at least 56 MiB; raise it, lower workers, or leave it out for a limit that fits
        "#]],
    );
}

#[test]
fn keys_of_another_kind_are_unknown() {
    check(
        "commit",
        &["bytes = 1"],
        expect![[r#"
            commit: unknown key at the top of the file, known keys are disk, http, lake, limits, maintenance, pipeline, source, topology, vacuum, workers
        "#]],
    );
    check(
        "source",
        &["retain = true"],
        expect![[r#"
            source.retain: unknown key in [source], known keys are connections, downstream, interval, late, max_rows, mode, password, password_command, password_file, schema, shutdown_timeout, state_file, tables, url, watermark
        "#]],
    );
    check(
        "lake",
        &["root = \"file:lake\""],
        expect![[r#"
            lake.root: unknown key in [lake], known keys are azure, catalog, catalog_password, catalog_password_command, catalog_password_file, create, data_path, metadata_schema, partition_by, s3, schema
        "#]],
    );
    check(
        "lake.s3",
        &["region = \"eu-west-1\""],
        expect![[r#"
            lake.s3.region = "eu-west-1": is for a lake in S3 only, and lake.data_path names another place: leave it out
        "#]],
    );
}
