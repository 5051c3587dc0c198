//! What the user is told about single fields, and about fields that conflict.

use expect_test::expect;

use super::{LEAST, check, good, logs_of, told, with};

mod bounds;

#[test]
fn names_and_words() {
    let long = format!("pipeline = \"{}\"", "x".repeat(101));
    check(
        "",
        &["pipeline = \"\"", "pipeline = \"-x\"", "pipeline = \"a/b\"", "pipeline = \"é\"", "pipeline = 7", &long],
        expect![[r#"
            pipeline = "": allowed are up to 100 ASCII letters, digits, '.', '_' and '-', a letter or digit first: it becomes a folder and names the transactions in the tables
            pipeline = "-x": allowed are up to 100 ASCII letters, digits, '.', '_' and '-', a letter or digit first: it becomes a folder and names the transactions in the tables
            pipeline = "a/b": allowed are up to 100 ASCII letters, digits, '.', '_' and '-', a letter or digit first: it becomes a folder and names the transactions in the tables
            pipeline = "é": allowed are up to 100 ASCII letters, digits, '.', '_' and '-', a letter or digit first: it becomes a folder and names the transactions in the tables
            pipeline = 7: allowed are up to 100 ASCII letters, digits, '.', '_' and '-', a letter or digit first: it becomes a folder and names the transactions in the tables
            pipeline = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": allowed are up to 100 ASCII letters, digits, '.', '_' and '-', a letter or digit first: it becomes a folder and names the transactions in the tables
        "#]],
    );
    check(
        "",
        &["topology = \"pg_log\""],
        expect![[r#"
            topology = "pg_log": allowed are "pg_logs", "pg_flush" and "pg_changes"
        "#]],
    );
    check(
        "",
        &["workers = 257", "workers = -1", "workers = \"2\"", "workers = 2.0"],
        expect![[r#"
            workers = 257: allowed is a whole number from 1 to 256
            workers = -1: allowed is a whole number from 1 to 256
            workers = "2": allowed is a whole number from 1 to 256
            workers = 2.0: allowed is a whole number from 1 to 256
        "#]],
    );
    check(
        "source",
        &[
            "format = \"csv\"",
            "mode = \"batch\"",
            "mode = true",
            "mode = 2024-01-01",
            "mode = [1, { a = 1 }, {}]",
            "cold_start = \"Earliest\"",
            "unterminated = \"drop\"",
            "on_rewrite = \"ignore\"",
            "temporary = \"keep\"",
        ],
        expect![[r#"
            source.format = "csv": allowed are "azure" and "jsonlog"
            source.mode = "batch": allowed are "backfill" and "tail"
            source.mode = true: allowed are "backfill" and "tail"
            source.mode = 2024-01-01: allowed are "backfill" and "tail"
            source.mode = [1, { … }, {}]: allowed are "backfill" and "tail"
            source.cold_start = "Earliest": allowed are "earliest" and "latest"
            source.unterminated = "drop": allowed are "leave" and "land"
            source.on_rewrite = "ignore": allowed are "stop" and "restart"
            source.temporary = "keep": allowed are "skip" and "read"
        "#]],
    );
    check(
        "lake",
        &["catalog = \"\"", "catalog = \"a/b\"", "schema = \"a\\\\b\"", "schema = \"..\"", "schema = \"a\\tb\""],
        expect![[r#"
            lake.catalog = "": allowed is a name of 1 to 255 bytes without '/', '\', control characters or percent signs before two hexadecimal digits, not starting with '.' or '_'
            lake.catalog = "a/b": allowed is a name of 1 to 255 bytes without '/', '\', control characters or percent signs before two hexadecimal digits, not starting with '.' or '_'
            lake.schema = "a\\b": allowed is a name of 1 to 255 bytes without '/', '\', control characters or percent signs before two hexadecimal digits, not starting with '.' or '_'
            lake.schema = "..": allowed is a name of 1 to 255 bytes without '/', '\', control characters or percent signs before two hexadecimal digits, not starting with '.' or '_'
            lake.schema = "a\tb": allowed is a name of 1 to 255 bytes without '/', '\', control characters or percent signs before two hexadecimal digits, not starting with '.' or '_'
        "#]],
    );
    check(
        "lake",
        &["partition_by = \"month\""],
        expect![[r#"
        lake.partition_by = "month": allowed are "none" and "day"
    "#]],
    );
    check(
        "rows",
        &["unknown_keys = \"ignore\""],
        expect![[r#"
        rows.unknown_keys = "ignore": allowed are "keep", "drop" and "reject"
    "#]],
    );
    check(
        "rows",
        &["envelope = \"all\""],
        expect![[r#"
        rows.envelope = "all": allowed are "auto" and "none"
    "#]],
    );
}

#[test]
fn places_have_one_of_a_few_forms() {
    check(
        "source",
        &[
            "url = \"data/logs\"",
            "url = \"file:\"",
            "url = \"file://host/logs\"",
            "url = \"file:a\\u0000b\"",
            "url = \"file:[\"",
            "state_file = \"\"",
            "state_file = \"file:state.json\"",
        ],
        expect![[r#"
            source.url = "data/logs": allowed are file:relative/path, file:/absolute/path, file:///absolute/path, az://container/path and https://ACCOUNT.blob.core.windows.net/container/path
            source.url = "file:": allowed are file:relative/path, file:/absolute/path, file:///absolute/path, az://container/path and https://ACCOUNT.blob.core.windows.net/container/path
            source.url = "file://host/logs": allowed are file:relative/path, file:/absolute/path, file:///absolute/path, az://container/path and https://ACCOUNT.blob.core.windows.net/container/path
            source.url = "file:a\0b": allowed are file:relative/path, file:/absolute/path, file:///absolute/path, az://container/path and https://ACCOUNT.blob.core.windows.net/container/path
            source.url = "file:[": is not a glob: close every [ and {
            source.state_file = "": allowed is the path of a file on this machine, without "file:"
            source.state_file = "file:state.json": allowed is the path of a file on this machine, without "file:"
        "#]],
    );
    check(
        "lake",
        &["root = \"s3://bucket\"", "root = 7"],
        expect![[r#"
            lake.root = "s3://bucket": does not say where the bucket is: set region in [lake.s3], or AWS_REGION in the environment, for AWS; and for another store, endpoint in [lake.s3]
            lake.root = 7: allowed are file:relative/path, file:/absolute/path, file:///absolute/path, az://container/path and https://ACCOUNT.blob.core.windows.net/container/path; and s3://bucket/path
        "#]],
    );
}

#[test]
fn tables_have_names_of_their_own() {
    check(
        "tables",
        &[
            "primary = \"t\"\nreplica = \"T\"",
            "primary = \"t\"\nreplica = \"t\"\nrejects = \"t\"",
            "primary = \"rejected_postgresql_logs\"",
            "rejects = \"_rejects\"",
        ],
        expect![[r#"
            tables.replica = "T": names the same table as tables.primary: they must differ in more than case; the default is "replica_postgresql_logs"
            tables.replica = "t": names the same table as tables.primary: they must differ in more than case; the default is "replica_postgresql_logs"
            tables.rejects = "t": names the same table as tables.primary: they must differ in more than case; the default is "rejected_postgresql_logs"
            tables.rejects: names the same table as tables.primary: they must differ in more than case; the default is "rejected_postgresql_logs"
            tables.rejects = "_rejects": allowed is a name of 1 to 255 bytes without '/', '\', control characters or percent signs before two hexadecimal digits, not starting with '.' or '_'
        "#]],
    );
}

#[test]
fn zones_and_what_is_kept_of_a_reject() {
    check(
        "rows",
        &[
            "zone = \"europe/london\"",
            "zone = \"+16\"",
            "zone = 1",
            "zones = { IST = \"India\", CST = 8 }",
            "zones = { UTC = \"+01\", \"+02\" = \"+02\" }",
            "raw = \"all\"",
            "raw = 0",
        ],
        expect![[r#"
            rows.zone = "europe/london": allowed is a name of the tz database, spelled exactly, such as "Europe/London", or an offset from UTC, such as "+05:30"
            rows.zone = "+16": allowed is a name of the tz database, spelled exactly, such as "Europe/London", or an offset from UTC, such as "+05:30"
            rows.zone = 1: allowed is a name of the tz database, spelled exactly, such as "Europe/London", or an offset from UTC, such as "+05:30"
            rows.zones.CST = 8: allowed is an offset from UTC up to 15:59, such as "+05:30" or "-08"; plus is east
            rows.zones.IST = "India": allowed is an offset from UTC up to 15:59, such as "+05:30" or "-08"; plus is east
            rows.zones."+02": allowed is a zone abbreviation as it appears in the logs, such as IST
            rows.zones.UTC: is unambiguous: it cannot have another offset
            rows.raw = "all": allowed is a size from 1 B to 256 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; or "line" for the whole line up to source.max_line
            rows.raw = 0: allowed is a size from 1 B to 256 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; or "line" for the whole line up to source.max_line
        "#]],
    );
}

#[test]
fn a_role_goes_to_one_table() {
    check(
        "roles",
        &[
            "primary = [\"A\", \"B\"]\nreplica = [\"B\"]",
            "primary = [\"*\"]",
            "primary = [\"*\"]\nreplica = [\"*\"]",
            "primary = \"Primary\"",
            "replica = [\"\"]",
            "replica = [\"a\", 1]",
            "default = \"drop\"",
        ],
        expect![[r#"
            roles.replica = ["B"]: shares a role with roles.primary; a role, in any case, and "*", any role not named, may be in one list only; the defaults are primary = ["Primary", "None"] and replica = ["*"]
            roles.replica: shares a role with roles.primary; a role, in any case, and "*", any role not named, may be in one list only; the defaults are primary = ["Primary", "None"] and replica = ["*"]
            roles.replica = ["*"]: shares a role with roles.primary; a role, in any case, and "*", any role not named, may be in one list only; the defaults are primary = ["Primary", "None"] and replica = ["*"]
            roles.primary = "Primary": allowed is a list of non-empty strings; roles.default is for lines without a role
            roles.replica = [""]: allowed is a list of non-empty strings; roles.default is for lines without a role
            roles.replica = ["a", 1]: allowed is a list of non-empty strings; roles.default is for lines without a role
            roles.default = "drop": allowed are "primary", "replica" and "reject"
        "#]],
    );
    check(
        "roles.servers",
        &["\"orders uat\" = \"main\"", "x = 1", "a.b = \"primary\""],
        expect![[r#"
            roles.servers."orders uat" = "main": allowed are "primary", "replica" and "reject"
            roles.servers.x = 1: allowed are "primary", "replica" and "reject"
            roles.servers.a = { … }: allowed are "primary", "replica" and "reject"
        "#]],
    );
    check(
        "roles",
        &["primary = [\"a\"]\nreplica = [\"A\"]", "servers = { x = \"primary\", X = \"replica\" }"],
        expect![[r#"
            roles.replica = ["A"]: shares a role with roles.primary; a role, in any case, and "*", any role not named, may be in one list only; the defaults are primary = ["Primary", "None"] and replica = ["*"]
            roles.servers = { … }: names a server twice: names that differ only in case mean one server
        "#]],
    );
    check(
        "roles.sources",
        &["\"**/replica-*/**\" = \"standby\""],
        expect![[r#"
            roles.sources."**/replica-*/**" = "standby": allowed are "primary", "replica" and "reject"
        "#]],
    );
}

#[test]
fn jsonlog_needs_to_be_told_where_lines_go() {
    let jsonlog = LEAST.replace("azure", "jsonlog");
    expect![[r#"roles.sources: must name the files when source.format is "jsonlog" and roles.default is "reject": jsonlog lines carry no role, so every line would be rejected; name them as in "**/replica-*/**" = "replica", or set roles.default to "primary" or "replica""#]].assert_eq(&told(&jsonlog));
    expect![[r#"roles.sources = {}: must name the files when source.format is "jsonlog" and roles.default is "reject": jsonlog lines carry no role, so every line would be rejected; name them as in "**/replica-*/**" = "replica", or set roles.default to "primary" or "replica""#]].assert_eq(&told(
        &(jsonlog.clone() + "[roles.servers]\nx = \"primary\"\n[roles.sources]"),
    ));
    good(&(jsonlog.clone() + "[roles]\ndefault = \"primary\""));
    good(&(jsonlog + "[roles.sources]\n\"**\" = \"replica\""));
}

#[test]
fn http() {
    check(
        "http",
        &["listen = 8089", "listen = \"localhost:8089\"", "listen = \"127.0.0.1:0\"", "stall = \"1m\"", "port = 1"],
        expect![[r#"
            http.listen = 8089: allowed is an IP address and a port, such as "127.0.0.1:8089" or "[::1]:8089"; 127.0.0.1 is for this machine only, 0.0.0.0 for everyone who can reach it
            http.listen = "localhost:8089": allowed is an IP address and a port, such as "127.0.0.1:8089" or "[::1]:8089"; 127.0.0.1 is for this machine only, 0.0.0.0 for everyone who can reach it
            http.listen = "127.0.0.1:0": allowed is an IP address and a port, such as "127.0.0.1:8089" or "[::1]:8089"; 127.0.0.1 is for this machine only, 0.0.0.0 for everyone who can reach it
            http.stall = "1m": has no effect without http.listen: give both, or leave it out
            http.port: unknown key in [http], known keys are listen, stall
        "#]],
    );
}
