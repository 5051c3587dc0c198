//! Files of `pg_changes`: what a good one means, and what the user is told about a bad one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use expect_test::{Expect, expect};
use lakefront_operators::kafka::settings::{Isolation, Security};
use lakefront_operators::source::kafka::supply::{ColdStart, OnLoss};

use super::super::{Config, Kind, LakeRoot, Mode, PgChanges};
use super::{check_of, good, into};

/// The smallest file that is valid.
pub(super) const LEAST: &str = r#"
    pipeline = "shop-cdc"
    topology = "pg_changes"
    workers = 2
    [source]
    brokers = "localhost:9092"
    topics = "cdc.public.*"
    [lake]
    root = "file:lake"
    catalog = "shop"
"#;

fn with(section: &str, line: &str) -> String {
    into(LEAST, section, line)
}

fn changes_of(config: Config) -> PgChanges {
    let Kind::PgChanges(changes) = config.kind else { panic!("it is of another kind") };
    *changes
}

/// What the user is told about files with one of `lines` in `section`.
fn check(section: &str, lines: &[&str], expected: Expect) {
    check_of(LEAST, section, lines, expected);
}

#[test]
fn the_least_file_gets_the_documented_defaults() {
    let config = good(LEAST);
    assert_eq!(config.common.state_file, Path::new("state/shop-cdc.offset.json"));
    let changes = changes_of(config);
    assert_eq!((changes.kafka.brokers.as_str(), changes.kafka.group), ("localhost:9092", None));
    assert_eq!((changes.kafka.isolation, changes.kafka.security), (Isolation::ReadCommitted, Security::default()));
    assert_eq!((changes.mode, changes.cold_start, changes.on_loss), (Mode::Tail, ColdStart::Earliest, OnLoss::Stop));
    assert_eq!((changes.interval, changes.poll), (Duration::from_secs(10), Duration::from_secs(1)));
    assert_eq!((changes.rows, changes.bytes), (250_000, 128 << 20));
    assert_eq!((changes.lake.root, changes.lake.schema), (LakeRoot::File(PathBuf::from("lake")), None));
    assert_eq!(changes.shown, "cdc.public.*");
}

#[test]
fn topics_may_be_several() {
    let changes = changes_of(good(&with("source", "topics = [\"cdc.public.orders\", \"cdc.sales.*\"]")));
    assert_eq!(changes.shown, "cdc.public.orders,cdc.sales.*");
}

#[test]
fn what_is_wrong_with_the_source_is_told() {
    check(
        "source",
        &[
            "brokers = \"localhost\"",
            "brokers = \"Endpoint=sb://x/;SharedAccessKey=hunter2\"",
            "topics = []",
            "topics = \"a/b\"",
            "group = \"\"",
            "isolation = \"serializable\"",
            "on_loss = \"skip\"",
            "url = \"file:x\"",
        ],
        expect![[r#"
            source.brokers = "***": must be hosts with their ports, separated by commas, such as "kafka1:9092,kafka2:9092": what is there has another form, and is not shown, because it may have a secret
            source.brokers = "***": must be hosts with their ports, separated by commas, such as "kafka1:9092,kafka2:9092": what is there has another form, and is not shown, because it may have a secret
            source.topics = []: names no topic
            source.topics = "a/b": has "a/b", which can be no topic: allowed are up to 249 letters, digits, '.', '_' and '-', or a pattern such as "cdc.public.*"
            source.group = "": allowed is a non-empty string
            source.isolation = "serializable": allowed are "read_committed" and "read_uncommitted"
            source.on_loss = "skip": allowed are "stop" and "accept"
            source.url: unknown key in [source], known keys are brokers, cold_start, decode, group, isolation, mode, on_loss, poll, registry, security, state_file, topics
        "#]],
    );
}

#[test]
fn what_is_wrong_with_cuts_and_memory_is_told() {
    check(
        "commit",
        &["rows = 0", "bytes = \"0 B\"", "interval = 10"],
        expect![[r#"
        commit.rows = 0: allowed is a whole number from 1 to 100000000
        commit.bytes = "0 B": allowed is a size from 1 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
        commit.interval = 10: a duration needs a unit, ms, s, m or h, such as "10s"
    "#]],
    );
    check(
        "limits",
        &["memory = \"1 MiB\""],
        expect![[r#"
        limits.memory = "1 MiB": must be at least 96 MiB; raise it, lower workers, or leave it out for a limit that fits
    "#]],
    );
}

#[test]
fn records_in_avro_need_a_registry() {
    use lakefront_operators::secret::Secret;
    use lakefront_operators::web::Login;

    assert_eq!(changes_of(good(LEAST)).registry, None);
    let avro = |lines: &str| format!("{LEAST}[source.decode]\nformat = \"avro\"\n[source.registry]\n{lines}\n");
    let of = |lines: &str| changes_of(good(&avro(lines))).registry.expect("a registry");
    let least = of("url = \"https://registry.example/\"");
    assert_eq!(
        (least.url.as_str(), &least.login, least.timeout),
        ("https://registry.example", &None, Duration::from_secs(10))
    );
    let basic = of("url = \"http://r:8081\"\nuser = \"me\"\npassword = \"hunter2\"");
    assert_eq!(basic.login, Some(Login::Basic("me".to_owned(), Secret::new("hunter2"))));
    assert_eq!(of("url = \"http://r\"\ntoken = \"hunter2\"").login, Some(Login::Bearer(Secret::new("hunter2"))));
    check(
        "source",
        &[
            "decode = { format = \"protobuf\" }",
            "decode = { format = \"avro\" }",
            "registry = { url = \"http://r\" }",
            "decode = { format = \"avro\" }\nregistry = { url = \"r:8081\" }",
            "decode = { format = \"avro\" }\nregistry = { url = \"http://r\", user = \"me\" }",
            "decode = { format = \"avro\" }\nregistry = { url = \"http://r\", user = \"me\", password = \"hunter2\", token = \"hunter3\" }",
        ],
        expect![[r#"
            source.decode.format = "protobuf": allowed are "json" and "avro"
            source.registry: must be given: it says where the schemas of records in Avro are
            source.registry = { … }: is for source.decode.format = "avro" only
            source.registry.url = "r:8081": allowed is a URL such as "http://localhost:8081" or "https://host.example/path"
            source.registry.user = "me": needs password next to it
            source.registry.token = "***": takes the place of user and password: leave one of them out
        "#]],
    );
}

#[test]
fn cuts_may_end_between_transactions_alone() {
    assert_eq!(changes_of(good(LEAST)).whole, None);
    let whole = changes_of(good(&format!("{LEAST}[commit]\ncut_at = \"transaction\"\n")));
    assert_eq!(whole.whole.as_deref(), Some("cdc"));
    // The topic of their ends is read too, and is no part of what the pipeline is called.
    assert_eq!((whole.shown.as_str(), whole.names), ("cdc.public.*", vec!["cdc.public.*".to_owned()]));
    check_of(
        &format!("{}\n[commit]\n", into(LEAST, "source", "topics = \"orders\"")),
        "commit",
        &["cut_at = \"transaction\"", "cut_at = \"table\""],
        expect![[r#"
            commit.cut_at = "transaction": needs to know where transactions end: give connect.topic_prefix, which is "cdc" for the topic cdc.transaction
            commit.cut_at = "table": allowed are "any" and "transaction"
        "#]],
    );
}

#[test]
fn what_leaves_no_choice_may_be_named() {
    let line = |line: &str| format!("{LEAST}[tables]\n\"public.customers\" = {{ {line} }}\n");
    let all = "key = \"auto\", cdf = true, partition_by = [], deletion_vectors = true, on_truncate = \"apply\", \
               on_toast_gap = \"reject\"";
    assert!(changes_of(good(&line(all))).tables.of("public.customers").feed);
    check_of(
        &format!("{LEAST}[tables]\n"),
        "tables",
        &[
            "\"a.b\" = { partition_by = [\"day\"] }",
            "\"a.b\" = { deletion_vectors = false }",
            "\"a.b\" = { on_toast_gap = \"null\" }",
        ],
        expect![[r#"
            tables."a.b" = { … }: partition_by: allowed is []: nothing else is to be had
            tables."a.b" = { … }: deletion_vectors: allowed is true: nothing else is to be had
            tables."a.b" = { … }: on_toast_gap: allowed is "reject": nothing else is to be had
        "#]],
    );
}
