//! What the user is told about single fields, and about fields that conflict.

use expect_test::expect;

use super::{LEAST, check, good, logs_of, told, with};

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
        topology = "pg_log": allowed is "pg_logs"
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
fn sizes_durations_and_ratios_have_bounds() {
    check(
        "source",
        &[
            "chunk = \"1 B\"",
            "chunk = \"65 MiB\"",
            "chunk = \"8 mib\"",
            "chunk = -1",
            "chunk = 1e6",
            "max_line = 1023",
            "max_line = \"1 GiB\"",
            "poll = 10",
            "poll = \"10\"",
            "poll = \"9ms\"",
            "poll = false",
        ],
        expect![[r#"
            source.chunk = "1 B": allowed is a size from 1 KiB to 64 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; each chunk in flight holds one buffer of this size
            source.chunk = "65 MiB": allowed is a size from 1 KiB to 64 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; each chunk in flight holds one buffer of this size
            source.chunk = "8 mib": allowed is a size from 1 KiB to 64 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; each chunk in flight holds one buffer of this size
            source.chunk = -1: allowed is a size from 1 KiB to 64 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; each chunk in flight holds one buffer of this size
            source.chunk = 1000000.0: allowed is a size from 1 KiB to 64 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; each chunk in flight holds one buffer of this size
            source.max_line = 1023: allowed is a size from 1 KiB to 256 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; a line is held in memory whole
            source.max_line = "1 GiB": allowed is a size from 1 KiB to 256 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; a line is held in memory whole
            source.poll = 10: a duration needs a unit, ms, s, m or h, such as "10s"
            source.poll = "10": allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
            source.poll = "9ms": allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
            source.poll = false: allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
        "#]],
    );
    check(
        "commit",
        &["bytes = 0", "bytes = \"2 TiB\""],
        expect![[r#"
            commit.bytes = 0: allowed is a size from 1 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
            commit.bytes = "2 TiB": allowed is a size from 1 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
        "#]],
    );
    check(
        "commit",
        &["interval = 0.5", "interval = \"1ms\"", "interval = \"169h\""],
        expect![[r#"
            commit.interval = 0.5: a duration needs a unit, ms, s, m or h, such as "10s"
            commit.interval = "1ms": allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
            commit.interval = "169h": allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
        "#]],
    );
    check(
        "limits",
        &["ahead = \"all\"", "ahead = \"4194303 B\""],
        expect![[r#"
            limits.ahead = "all": allowed is a size from 1 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
            limits.ahead = "4194303 B": must be at least source.chunk, by default 4 MiB, for Azure 8 MiB, or no chunk can ever be read
        "#]],
    );
    check(
        "limits",
        &["reject_ratio = 1.1", "reject_ratio = -1", "reject_ratio = nan", "reject_ratio = \"50%\""],
        expect![[r#"
            limits.reject_ratio = 1.1: allowed is a number from 0 to 1
            limits.reject_ratio = -1: allowed is a number from 0 to 1
            limits.reject_ratio = NaN: allowed is a number from 0 to 1
            limits.reject_ratio = "50%": allowed is a number from 0 to 1
        "#]],
    );
}

#[test]
fn disks_are_cleaned_where_nothing_of_the_run_lies() {
    check(
        "disk",
        &[
            "min_free = -1",
            "min_free = \"2 TiB\"",
            "on_low = \"wait\"",
            "clean = \"/var/tmp\"",
            "clean = [\"/var/tmp\"]",
            "clean = [{ older_than = \"1h\" }]",
            "clean = [{ dir = \"\" }]",
            "clean = [{ dir = \"/var/../tmp\" }]",
            "clean = [{ dir = \"/var/tmp\", older = \"1h\" }]",
            "clean = [{ dir = \"/var/tmp\", older_than = \"10ms\" }]",
            "clean = [{ dir = \"${MISSING}\" }]",
        ],
        expect![[r#"
            disk.min_free = -1: allowed is a size from 0 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
            disk.min_free = "2 TiB": allowed is a size from 0 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
            disk.on_low = "wait": allowed are "stop" and "pause"
            disk.clean = "/var/tmp": allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = ["/var/tmp"]: allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = [{ … }]: allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = [{ … }]: allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = [{ … }]: allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = [{ … }]: allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = [{ … }]: allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = [{ … }]: the environment variable MISSING is not set, or is not UTF-8
        "#]],
    );
    check(
        "disk",
        &[
            "clean = [{ dir = \"/\" }]",
            "clean = [{ dir = \".\" }]",
            "clean = [{ dir = \"/var/tmp\" }, { dir = \"lake\" }]",
            "clean = [{ dir = \"lake/lakehouse\" }]",
            "clean = [{ dir = \"state\" }]",
            "clean = [{ dir = \"data/logs/2026\" }]",
        ],
        expect![[r#"
            disk.clean = [{ … }]: no dir may contain or lie in lake.root, source.url or the folder of source.state_file: old files there would be deleted
            disk.clean = [{ … }]: no dir may contain or lie in lake.root, source.url or the folder of source.state_file: old files there would be deleted
            disk.clean = [{ … }, { … }]: no dir may contain or lie in lake.root, source.url or the folder of source.state_file: old files there would be deleted
            disk.clean = [{ … }]: no dir may contain or lie in lake.root, source.url or the folder of source.state_file: old files there would be deleted
            disk.clean = [{ … }]: no dir may contain or lie in lake.root, source.url or the folder of source.state_file: old files there would be deleted
            disk.clean = [{ … }]: no dir may contain or lie in lake.root, source.url or the folder of source.state_file: old files there would be deleted
        "#]],
    );
    let glob = with("source", "url = \"file:data/**/*.json\"");
    good(&(glob.clone() + "\n[disk]\nclean = [{ dir = \"others\" }]"));
    told(&(glob + "\n[disk]\nclean = [{ dir = \"data/old\" }]"));
}

#[test]
fn memory_holds_the_least_of_everything() {
    check(
        "limits",
        &["memory = 0", "memory = \"64 MiB\""],
        expect![[r#"
            limits.memory = 0: allowed is a size from 1 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
            limits.memory = "64 MiB": must be at least 618 MiB: 167 MiB for each worker, 256 MiB for a line of source.max_line, the rest for a chunk and open files; raise it, lower workers, source.max_line or source.chunk, or leave it out for a limit that fits them
        "#]],
    );
    let large = with("source", "max_line = \"256 MiB\"");
    assert_eq!(good(&large).common.memory, None, "what fits is found");
    expect![[r#"limits.memory = "1 GiB": must be at least 4458 MiB: 167 MiB for each worker, 4096 MiB for a line of source.max_line, the rest for a chunk and open files; raise it, lower workers, source.max_line or source.chunk, or leave it out for a limit that fits them"#]].assert_eq(&told(&(large + "\n[limits]\nmemory = \"1 GiB\"")));
    let config = good(&(LEAST.to_owned() + "\n[limits]\nmemory = \"700 MiB\""));
    let told = config.with_workers(3).map(drop).expect_err("three need more than two").to_string();
    expect!["limits.memory: must be at least 796 MiB: 167 MiB for each worker, 256 MiB for a line of source.max_line, the rest for a chunk and open files; raise it, lower workers, source.max_line or source.chunk, or leave it out for a limit that fits them"].assert_eq(&told);
}

#[test]
fn one_chunk_fits_ahead_of_the_tables() {
    let text = with("source", "chunk = \"2 KiB\"");
    assert_eq!(logs_of(good(&(text.clone() + "\n[limits]\nahead = 2048"))).ahead, 2048);
    expect!["limits.ahead = 2047: must be at least source.chunk, by default 4 MiB, for Azure 8 MiB, or no chunk can ever be read"]
        .assert_eq(&told(&(text + "\n[limits]\nahead = 2047")));
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
