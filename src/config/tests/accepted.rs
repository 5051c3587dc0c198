//! What a good pipeline file means.

use std::collections::BTreeMap;
use std::path::PathBuf;

use expect_test::expect;
use lakefront_operators::format::logs::settings::Destination;

use super::super::{LakeRoot, SourceUrl, load};
use super::{LEAST, good, logs_of, with};

#[test]
fn the_least_file_gets_the_documented_defaults() {
    expect![[r#"
        Config {
            common: Common {
                pipeline: "pg-logs",
                workers: 2,
                state_file: "state/pg-logs.offset.json",
                memory: None,
                disk: DiskConfig {
                    min_free: 2147483648,
                    on_low: Stop,
                    clean: [],
                },
                http: None,
            },
            kind: PgLogs(
                PgLogs {
                    source: SourceConfig {
                        url: File(
                            "data/logs/",
                        ),
                        mode: Backfill,
                        cold_start: Earliest,
                        chunk: 4194304,
                        in_flight: 4,
                        poll: 1s,
                        unterminated: Leave,
                        on_rewrite: Stop,
                        temporary: Skip,
                        listing: ListingSettings {
                            page: 5000,
                            hour_folders: Some(
                                "y=%Y/m=%m/d=%d/h=%H/",
                            ),
                            relist: 300s,
                            quiet: 172800s,
                        },
                        retry: RetrySettings {
                            timeout: 30s,
                            first: 200ms,
                            cap: 30s,
                            max_time: 300s,
                        },
                    },
                    lake: LakeConfig {
                        root: File(
                            "lake",
                        ),
                        catalog: "lakehouse",
                        schema: "logs",
                        partition_by: None,
                    },
                    rows: RowSettings {
                        rows_version: 2,
                        format: Azure,
                        max_line: 16777216,
                        unknown_keys: Keep,
                        zones: Zones {
                            zone: None,
                            names: {},
                            database: None,
                        },
                        raw: 65536,
                        envelope: Auto,
                        roles: Roles {
                            primary: [
                                "Primary",
                                "None",
                            ],
                            replica: [
                                "*",
                            ],
                            default: Reject,
                            servers: {},
                            sources: {},
                        },
                        tables: [
                            "primary_postgresql_logs",
                            "replica_postgresql_logs",
                            "rejected_postgresql_logs",
                        ],
                    },
                    commit_bytes: 268435456,
                    commit_interval: 10s,
                    ahead: 1073741824,
                    reject_ratio: 0.5,
                },
            ),
        }
    "#]]
    .assert_debug_eq(&good(LEAST));
}

#[test]
fn workers_are_the_cores_by_default() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let text = LEAST.replace("workers = 2", "");
    assert_eq!(good(&text).common.workers, cores.min(256));
}

#[test]
fn a_full_file_says_everything() {
    let text = r#"
        pipeline = "pg-logs-uat"
        topology = "pg_logs"
        workers  = 3
        [source]
        url          = "file:///var/log/**/*.json"
        format       = "jsonlog"
        mode         = "tail"
        cold_start   = "latest"
        state_file   = "/tmp/offset.json"
        chunk        = 65536
        in_flight    = 64
        poll         = "250ms"
        max_line     = "1 MB"
        unterminated = "leave"
        on_rewrite   = "restart"
        temporary    = "read"
        [lake]
        root         = "file:/srv/lake"
        catalog      = "lakehouse"
        schema       = "logs"
        partition_by = "day"
        [tables]
        primary = "p"
        replica = "r"
        rejects = "x"
        [roles]
        primary = []
        replica = ["AsyncReplica", "*"]
        default = "primary"
        [roles.servers]
        "orders-uat-pg" = "primary"
        [roles.sources]
        "**/replica-*/**" = "replica"
        [rows]
        unknown_keys = "reject"
        envelope = "none"
        zone = "Europe/London"
        zones = { IST = "+05:30" }
        raw = "line"
        [commit]
        bytes    = 1
        interval = "10ms"
        [limits]
        ahead        = "64 KiB"
        memory       = "2 GiB"
        reject_ratio = 1
        [disk]
        min_free = "0 B"
        on_low   = "pause"
        clean    = [{ dir = "/var/tmp/${SCHEMA}" }, { dir = "/srv/old", older_than = "90s" }]
        [http]
        listen = "127.0.0.1:8089"
        stall  = "5m"
    "#;
    expect![[r#"
        Config {
            common: Common {
                pipeline: "pg-logs-uat",
                workers: 3,
                state_file: "/tmp/offset.json",
                memory: Some(
                    2147483648,
                ),
                disk: DiskConfig {
                    min_free: 0,
                    on_low: Pause,
                    clean: [
                        Clean {
                            dir: "/var/tmp/logs",
                            older_than: 3600s,
                        },
                        Clean {
                            dir: "/srv/old",
                            older_than: 90s,
                        },
                    ],
                },
                http: Some(
                    HttpConfig {
                        listen: 127.0.0.1:8089,
                        stall: 300s,
                    },
                ),
            },
            kind: PgLogs(
                PgLogs {
                    source: SourceConfig {
                        url: File(
                            "/var/log/**/*.json",
                        ),
                        mode: Tail,
                        cold_start: Latest,
                        chunk: 65536,
                        in_flight: 64,
                        poll: 250ms,
                        unterminated: Leave,
                        on_rewrite: Restart,
                        temporary: Read,
                        listing: ListingSettings {
                            page: 5000,
                            hour_folders: Some(
                                "y=%Y/m=%m/d=%d/h=%H/",
                            ),
                            relist: 300s,
                            quiet: 172800s,
                        },
                        retry: RetrySettings {
                            timeout: 30s,
                            first: 200ms,
                            cap: 30s,
                            max_time: 300s,
                        },
                    },
                    lake: LakeConfig {
                        root: File(
                            "/srv/lake",
                        ),
                        catalog: "lakehouse",
                        schema: "logs",
                        partition_by: Day,
                    },
                    rows: RowSettings {
                        rows_version: 2,
                        format: Jsonlog,
                        max_line: 1000000,
                        unknown_keys: Reject,
                        zones: Zones {
                            zone: Some(
                                Place(
                                    Europe/London,
                                ),
                            ),
                            names: {
                                "IST": 19800,
                            },
                            database: Some(
                                "2025b",
                            ),
                        },
                        raw: 1000000,
                        envelope: None,
                        roles: Roles {
                            primary: [],
                            replica: [
                                "AsyncReplica",
                                "*",
                            ],
                            default: Primary,
                            servers: {
                                "orders-uat-pg": Primary,
                            },
                            sources: {
                                "**/replica-*/**": Replica,
                            },
                        },
                        tables: [
                            "p",
                            "r",
                            "x",
                        ],
                    },
                    commit_bytes: 1,
                    commit_interval: 10ms,
                    ahead: 65536,
                    reject_ratio: 1.0,
                },
            ),
        }
    "#]]
    .assert_debug_eq(&good(text));
}

#[test]
fn an_address_is_enough_to_be_watched() {
    for address in ["127.0.0.1:8089", "[::1]:1", "0.0.0.0:65535"] {
        let http = good(&with("http", &format!("listen = {address:?}"))).common.http.unwrap();
        assert_eq!((http.listen.to_string(), http.stall.as_secs()), (address.to_owned(), 60));
    }
}

#[test]
fn urls_give_paths() {
    for (url, path) in [
        ("file:data/logs", "data/logs"),
        ("file:./a b/%2", "./a b/%2"),
        ("file:/var/log", "/var/log"),
        ("file:///var/log", "/var/log"),
        ("file:logs/**/*.{json,log}", "logs/**/*.{json,log}"),
    ] {
        let source = logs_of(good(&with("source", &format!("url = {url:?}")))).source.url;
        assert_eq!(source, SourceUrl::File(path.to_owned()));
        let root = logs_of(good(&with("lake", &format!("root = {url:?}")))).lake.root;
        assert_eq!(root, LakeRoot::File(PathBuf::from(path)));
    }
    let encoded = logs_of(good(&with("source", "url = \"file:a%20b\""))).source.url;
    assert_eq!(encoded, SourceUrl::File("a%20b".to_owned()), "of a lake it would be refused");
}

#[test]
fn variables_are_resolved_in_values() {
    let text = with("lake", "schema = \"${SCHEMA}_${SCHEMA}$\"");
    assert_eq!(logs_of(good(&text)).lake.schema, "logs_logs$");
    let text = with("source", "url = \"file:$${SECRET}/$/${EMPTY}x\"");
    assert_eq!(logs_of(good(&text)).source.url, SourceUrl::File("${SECRET}/$/x".to_owned()));
    let text = with("source", "chunk = \"${CHUNK}\"");
    assert_eq!(logs_of(good(&text)).source.chunk, 8 << 20);
    let text = with("roles", "primary = [\"${PRIMARY}\"]\nservers.x = \"primary\"");
    let roles = logs_of(good(&text)).rows.roles;
    assert_eq!(roles.primary, ["Primary"]);
    assert_eq!(roles.servers, BTreeMap::from([("x".to_owned(), Destination::Primary)]));
}

#[test]
fn a_variable_cannot_bring_toml_or_variables() {
    assert_eq!(
        logs_of(good(&with("source", "url = \"file:${NESTED}\""))).source.url,
        SourceUrl::File("${SECRET}".to_owned())
    );
    let config = good(&with("source", "url = \"file:${TOML}\""));
    assert_eq!(config.common.workers, 2);
    assert_eq!(logs_of(config).source.url, SourceUrl::File("x\"\nworkers = 7 # hunter2".to_owned()));
}

#[test]
fn a_file_is_loaded() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), LEAST).unwrap();
    assert_eq!(load(file.path()).unwrap().common.pipeline, "pg-logs");
}
