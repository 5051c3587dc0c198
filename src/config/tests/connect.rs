//! `[postgres]` and `[connect]` of `pg_changes`: what they mean, and what is refused.

use std::path::PathBuf;
use std::time::Duration;

use expect_test::{Expect, expect};
use lakefront_operators::postgres::Password;
use lakefront_operators::secret::Secret;

use super::super::{Config, Connect, Kind, PgChanges, Postgres, PublicationMode, SecretRef};
use super::{good, into, told};

/// The smallest file that has both sections.
pub(super) const LEAST: &str = r#"
    pipeline = "Shop-cdc"
    topology = "pg_changes"
    workers = 2
    [source]
    brokers = "localhost:9092"
    topics = "cdc.public.*"
    [lake]
    root = "file:lake"
    catalog = "shop"
    [postgres]
    url = "postgresql://cdc@db.example/shop"
    [connect]
    url = "http://localhost:8083/"
"#;

fn read(config: Config) -> (Postgres, Connect) {
    let Kind::PgChanges(changes) = config.kind else { panic!("it is of another kind") };
    let PgChanges { postgres, connect, .. } = *changes;
    (postgres.expect("[postgres]"), connect.expect("[connect]"))
}

/// What the user is told about files with one of `lines` in `section`.
fn check(section: &str, lines: &[&str], expected: Expect) {
    let told: Vec<_> = lines.iter().map(|line| told(&into(LEAST, section, line)) + "\n").collect();
    expected.assert_eq(&told.concat());
}

#[test]
fn the_least_gets_the_documented_defaults() {
    let (postgres, connect) = read(good(LEAST));
    assert_eq!(postgres.location.shown(), "postgresql://db.example:5432/shop");
    assert_eq!(postgres.location.password, Password::None);
    assert_eq!(postgres.slot("Shop-cdc"), "lakefront_shop_cdc", "as PostgreSQL allows it");
    assert_eq!(postgres.publication("Shop-cdc"), "lakefront_shop_cdc");
    assert_eq!(postgres.slot(&"ä".repeat(100)).len(), 63, "and as long");
    assert_eq!(connect.url, "http://localhost:8083");
    assert!(connect.login.is_none() && connect.ca_file.is_none() && connect.secret_ref.is_none());
    assert_eq!((connect.timeout, connect.heartbeat_interval), (Duration::from_secs(30), Duration::from_secs(10)));
    assert_eq!((connect.name, connect.topic_prefix, connect.tables), (None, None, None));
    assert_eq!((connect.snapshot_mode, connect.publication_mode), ("initial", PublicationMode::Filtered));
    assert_eq!((connect.heartbeat_query, connect.unwrap, connect.schemas), (None, false, true));
    assert!(connect.settings.is_empty());
}

#[test]
fn a_full_file_says_everything() {
    let text = format!(
        "{LEAST}{}",
        r#"
        user = "me"
        password = "${SECRET}"
        ca_file = "ca.pem"
        timeout = "5s"
        name = "shop"
        topic_prefix = "cdc.eu"
        tables = ["public.*", "Über.Mixed Case"]
        snapshot_mode = "no_data"
        publication_mode = "disabled"
        heartbeat_interval = "1m"
        heartbeat_query = ""
        unwrap = true
        schemas = false
        secret_ref = "file:/etc/shop.properties:password"
        [connect.settings]
        "database.hostname" = "db"
        transforms.route.type = "Route"
        max.queue.size = 100
        "errors.log.enable" = true
        tombstones.on.delete = ""
        "#
    );
    let text = into(&into(&text, "postgres", "slot = \"s_1\""), "postgres", "publication = \"Pub\"");
    let (postgres, connect) = read(good(&text));
    assert_eq!((postgres.slot("x"), postgres.publication("x")), ("s_1".to_owned(), "Pub".to_owned()));
    assert_eq!(connect.login, Some(("me".to_owned(), Secret::new("hunter2"))));
    assert_eq!((connect.ca_file, connect.timeout), (Some(PathBuf::from("ca.pem")), Duration::from_secs(5)));
    assert_eq!((connect.name.as_deref(), connect.topic_prefix.as_deref()), (Some("shop"), Some("cdc.eu")));
    assert_eq!(connect.tables, Some(vec!["public.*".to_owned(), "Über.Mixed Case".to_owned()]));
    assert_eq!((connect.snapshot_mode, connect.publication_mode), ("no_data", PublicationMode::Disabled));
    assert_eq!((connect.heartbeat_interval, connect.heartbeat_query), (Duration::from_secs(60), Some(String::new())));
    assert!(connect.unwrap && !connect.schemas);
    assert_eq!(connect.secret_ref.as_ref().map(SecretRef::as_str), Some("${file:/etc/shop.properties:password}"));
    let settings: Vec<(&str, &str)> =
        connect.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("database.hostname", "db"),
        ("errors.log.enable", "true"),
        ("max.queue.size", "100"),
        ("tombstones.on.delete", ""),
        ("transforms.route.type", "Route"),
    ];
    assert_eq!(settings, expected);
}

#[test]
fn both_sections_may_be_left_out() {
    let text = LEAST.split("    [postgres]").next().expect("the rest");
    let Kind::PgChanges(changes) = good(text).kind else { panic!("it is of another kind") };
    assert!(changes.postgres.is_none() && changes.connect.is_none());
}

#[test]
fn a_reference_to_a_secret_is_one_of_connects() {
    for (text, written) in [
        ("env:PGPASSWORD", Some("${env:PGPASSWORD}")),
        ("${vault:secret/shop:pw}", Some("${vault:secret/shop:pw}")),
        ("file:/a b/c.properties:x", Some("${file:/a b/c.properties:x}")),
        ("hunter2", None),
        ("${env:}", None),
        (":x", None),
        ("a b:x", None),
        ("env:A}${env:B", None),
        ("env:A\nB", None),
    ] {
        assert_eq!(SecretRef::parse(text).ok().as_ref().map(SecretRef::as_str), written, "{text}");
    }
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    check(
        "postgres",
        &[
            "url = \"db.example\"",
            "slot = \"Shop\"",
            "publication = \"\"",
            "password = \"a\"\npassword_file = \"b\"",
            "sslot = 1",
        ],
        expect![[r#""#]],
    );
    check(
        "connect",
        &[
            "url = \"localhost:8083\"",
            "url = \"http://me:hunter2@localhost:8083\"",
            "user = \"me\"",
            "password = \"hunter2\"",
            "name = \"a/b\"",
            "topic_prefix = \"a b\"",
            "tables = [\"orders\"]",
            "snapshot_mode = \"never\"",
            "publication_mode = \"all\"",
            "heartbeat_interval = \"0s\"",
            "heartbeat_query = 7",
            "secret_ref = \"hunter2\"",
            "settings = { name = \"x\", a = [1] }",
            "settings = { slot = { name = \"x\" } }",
        ],
        expect![[r#""#]],
    );
}
