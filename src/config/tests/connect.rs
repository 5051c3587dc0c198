//! `[postgres]` and `[connect]` of `pg_changes`: what they mean, and what is refused.

use std::path::PathBuf;
use std::time::Duration;

use expect_test::{Expect, expect};
use lakefront_operators::postgres::Password;
use lakefront_operators::secret::Secret;
use lakefront_operators::web::Login;

use super::super::{AvroConverter, Config, Connect, Converter, Kind, PgChanges, Postgres, PublicationMode, SecretRef};
use super::{check_of, good, into};

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
    check_of(LEAST, section, lines, expected);
}

#[test]
fn the_least_gets_the_documented_defaults() {
    let (postgres, connect) = read(good(LEAST));
    assert_eq!(postgres.location.shown(), "postgresql://db.example:5432/shop");
    assert_eq!(postgres.location.password, Password::None);
    assert_eq!(postgres.slot("Shop-cdc"), "lakefront_shop_cdc", "as PostgreSQL allows it");
    assert_eq!(postgres.publication("Shop-cdc"), "lakefront_shop_cdc");
    assert_eq!(postgres.slot(&"ä".repeat(100)).len(), 63, "and as long");
    assert_eq!(connect.service.url, "http://localhost:8083");
    assert!(connect.service.login.is_none() && connect.service.ca_file.is_none() && connect.secret_ref.is_none());
    assert_eq!(
        (connect.service.timeout, connect.heartbeat_interval),
        (Duration::from_secs(30), Duration::from_secs(10))
    );
    assert_eq!((connect.name, connect.topic_prefix, connect.tables), (None, None, None));
    assert_eq!((connect.snapshot_mode, connect.publication_mode), ("initial", PublicationMode::Filtered));
    assert_eq!(
        (connect.heartbeat_query, connect.unwrap, connect.converter),
        (None, false, Converter::Json { schemas: true })
    );
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
    assert_eq!(connect.service.login, Some(Login::Basic("me".to_owned(), Secret::new("hunter2"))));
    assert_eq!(
        (connect.service.ca_file, connect.service.timeout),
        (Some(PathBuf::from("ca.pem")), Duration::from_secs(5))
    );
    assert_eq!((connect.name.as_deref(), connect.topic_prefix.as_deref()), (Some("shop"), Some("cdc.eu")));
    assert_eq!(connect.tables, Some(vec!["public.*".to_owned(), "Über.Mixed Case".to_owned()]));
    assert_eq!((connect.snapshot_mode, connect.publication_mode), ("no_data", PublicationMode::Disabled));
    assert_eq!((connect.heartbeat_interval, connect.heartbeat_query), (Duration::from_secs(60), Some(String::new())));
    assert!(connect.unwrap && connect.converter == Converter::Json { schemas: false });
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
fn a_converter_of_avro_knows_where_the_registry_is() {
    let avro = |url: &str, connect: &str| {
        let source = format!("[source.decode]\nformat = \"avro\"\n[source.registry]\nurl = \"{url}\"\n");
        read(good(&format!("{}\n{source}", into(LEAST, "connect", connect)))).1.converter
    };
    let of = |of, url: &str| Converter::Avro(of, url.to_owned());
    let ccompat = "http://r:8080/apis/ccompat/v7";
    assert_eq!(avro("http://r:8081", ""), of(AvroConverter::Confluent, "http://r:8081"));
    assert_eq!(avro(ccompat, ""), of(AvroConverter::Confluent, ccompat));
    let apicurio = "converter = \"apicurio\"";
    assert_eq!(avro(ccompat, apicurio), of(AvroConverter::Apicurio, "http://r:8080/apis/registry/v2"));
    let within = "converter = \"apicurio\"\nregistry_url = \"http://apicurio/apis/registry/v3/\"";
    assert_eq!(avro("http://r:8081", within), of(AvroConverter::Apicurio, "http://apicurio/apis/registry/v3"));
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
        expect![[r#"
            postgres.url = "***": this is written postgresql://user@host:5432/database
            postgres.slot = "Shop": allowed are up to 63 lower-case ASCII letters, digits and '_', as PostgreSQL has it
            postgres.publication = "": allowed is a name of 1 to 63 bytes
            postgres.password_file = "b": cannot be given together with password
            postgres.sslot: unknown key in [postgres], did you mean "slot"?
        "#]],
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
            "converter = \"apicurio\"",
            "registry_url = \"http://r:8081\"",
            "settings = { name = \"x\", a = [1] }",
            "settings = { slot = { name = \"x\" } }",
        ],
        expect![[r#"
            connect.url = "localhost:8083": allowed is a URL such as "http://localhost:8083" or "https://host.example/path"
            connect.url = "http://***@localhost:8083": has a user or a password in it: they are given as user and password, next to url
            connect.user = "me": needs password next to it
            connect.password = "***": needs user next to it
            connect.name = "a/b": allowed are up to 100 ASCII letters, digits, '.', '_' and '-', a letter or digit first
            connect.topic_prefix = "a b": allowed are up to 100 ASCII letters, digits, '.', '_' and '-', a letter or digit first
            connect.tables = ["orders"]: allowed is a list of "schema.table", where * stands for any letters
            connect.snapshot_mode = "never": allowed are "initial", "initial_only", "always", "no_data" and "when_needed"
            connect.publication_mode = "all": allowed are "filtered", "all_tables" and "disabled"
            connect.heartbeat_interval = "0s": allowed is a duration from 1s to 1h in ms, s, m or h, such as "500ms" or "10s"
            connect.heartbeat_query = 7: allowed is a query, or "" for none
            connect.secret_ref = "***": allowed is PROVIDER:PATH:KEY, such as file:/etc/kafka-connect/shop.properties:password, or env:PGPASSWORD
            connect.converter = "apicurio": is for source.decode.format = "avro" only
            connect.registry_url = "http://r:8081": is for source.decode.format = "avro" only
            connect.settings.a = [1]: allowed is a string, a whole number, true or false, as Debezium's documentation has it
            connect.settings = { … }: has "slot.name", which is given as postgres.slot
        "#]],
    );
}
