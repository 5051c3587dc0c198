use expect_test::expect;
use lakefront_operators::postgres::Location;
use serde_json::json;

use super::*;
use crate::config::{self, Kind, PgChanges};

const LEAST: &str = r#"
    pipeline = "shop-cdc"
    topology = "pg_changes"
    [source]
    brokers = "localhost:9092"
    topics = ["cdc.public.*", "cdc.sales.order_items"]
    [lake]
    root = "file:lake"
    catalog = "shop"
    [postgres]
    url = "postgresql://cdc@db.example/shop"
    [connect]
    url = "http://localhost:8083"
"#;

fn capture(more: &str) -> Capture {
    let config = config::parse(&format!("{LEAST}{more}"), &|_| None).unwrap_or_else(|error| panic!("{error}"));
    let Kind::PgChanges(changes) = config.kind else { panic!("it is of another kind") };
    let PgChanges { postgres, connect, names: topics, .. } = *changes;
    Capture {
        pipeline: config.common.pipeline,
        postgres: postgres.expect("[postgres]"),
        connect: connect.expect("[connect]"),
        topics,
    }
}

fn shown(capture: &Capture, entry: &Entry) -> String {
    let (shown, _) = Connector::new(capture, entry).expect("a connector").shown();
    format!("{shown:#}")
}

#[test]
fn it_says_what_events_need() {
    let reference = SecretRef::parse("env:PGPASSWORD").expect("a reference");
    expect![[r#"
        {
          "config": {
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "database.dbname": "shop",
            "database.hostname": "db.example",
            "database.password": "${env:PGPASSWORD}",
            "database.port": "5432",
            "database.sslmode": "prefer",
            "database.user": "cdc",
            "decimal.handling.mode": "string",
            "header.converter": "org.apache.kafka.connect.storage.SimpleHeaderConverter",
            "heartbeat.action.query": "SELECT pg_catalog.pg_logical_emit_message(false, 'lakefront_heartbeat', pg_catalog.now()::text)",
            "heartbeat.interval.ms": "10000",
            "interval.handling.mode": "string",
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "key.converter.replace.null.with.default": "false",
            "key.converter.schemas.enable": "true",
            "message.prefix.exclude.list": "lakefront_heartbeat",
            "plugin.name": "pgoutput",
            "provide.transaction.metadata": "true",
            "publication.autocreate.mode": "filtered",
            "publication.name": "lakefront_shop_cdc",
            "publish.via.partition.root": "true",
            "skipped.operations": "none",
            "slot.name": "lakefront_shop_cdc",
            "snapshot.mode": "initial",
            "table.include.list": "public\\..*,sales\\.order_items",
            "tasks.max": "1",
            "topic.creation.default.partitions": "-1",
            "topic.creation.default.replication.factor": "-1",
            "topic.creation.ends.include": "cdc\\.transaction",
            "topic.creation.ends.partitions": "1",
            "topic.creation.ends.replication.factor": "-1",
            "topic.creation.groups": "ends",
            "topic.prefix": "cdc",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.replace.null.with.default": "false",
            "value.converter.schemas.enable": "true"
          },
          "name": "shop-cdc"
        }"#]].assert_eq(&shown(&capture(""), &Entry::Reference(reference)));
}

#[test]
fn a_converter_of_avro_is_told_where_the_registry_is() {
    let of = |connect: &str| {
        let more = "[source.decode]\nformat = \"avro\"\n[source.registry]\nurl = \"http://r/apis/ccompat/v7\"\n\
                    user = \"me\"\npassword = \"hunter2\"\n";
        let connector = Connector::new(&capture(&format!("{connect}{more}")), &Entry::Open).expect("a connector");
        let of = |name: &&String| name.starts_with("value.converter") || name.starts_with("schema");
        let lines =
            connector.config.iter().filter(|(name, _)| of(name)).map(|(name, value)| format!("{name}={value}\n"));
        lines.collect::<String>()
    };
    expect![[r#"
        schema.name.adjustment.mode=avro
        value.converter=io.confluent.connect.avro.AvroConverter
        value.converter.connect.meta.data=true
        value.converter.ignore.default.for.nullables=true
        value.converter.schema.registry.url=http://r/apis/ccompat/v7
    "#]]
    .assert_eq(&of(""));
    expect![[r#"
        schema.name.adjustment.mode=avro
        value.converter=io.apicurio.registry.utils.converter.AvroConverter
        value.converter.apicurio.registry.as-confluent=true
        value.converter.apicurio.registry.auto-register=true
        value.converter.apicurio.registry.headers.enabled=false
        value.converter.apicurio.registry.url=http://r/apis/registry/v2
        value.converter.apicurio.registry.use-id=contentId
        value.converter.connect.meta.data=true
    "#]]
    .assert_eq(&of("converter = \"apicurio\"\n"));
}

#[test]
fn the_files_own_settings_come_first() {
    let capture = capture(
        "unwrap = true\nschemas = false\nheartbeat_query = \"SELECT 1\"\ntables = [\"a,b.c\"]\n[connect.settings]\n\
         \"tasks.max\" = 2\n\"skipped.operations\" = \"\"\n\"message.key.columns\" = \"x\"\n",
    );
    let connector = Connector::new(&capture, &Entry::Open).expect("a connector");
    let of = |name: &str| connector.config.get(name).map(String::as_str);
    assert_eq!((of("tasks.max"), of("skipped.operations"), of("message.key.columns")), (Some("2"), None, Some("x")));
    assert_eq!((of("database.password"), of("value.converter.schemas.enable")), (None, Some("false")));
    assert_eq!((of("heartbeat.action.query"), of("message.prefix.exclude.list")), (Some("SELECT 1"), None));
    assert_eq!((of("transforms"), of("table.include.list")), (Some("unwrap"), Some("a\\,b\\.c")));
}

#[test]
fn secrets_are_sent_and_not_shown() {
    let capture = capture(
        "[connect.settings]\n\"database.sslpassword\" = \"hunter3\"\n\
         \"producer.override.sasl.jaas.config\" = \"$${file:/etc/x:jaas}\"\n",
    );
    let entry = Entry::Password(Secret::new("hunter2"));
    let connector = Connector::new(&capture, &entry).expect("a connector");
    assert_eq!(connector.body()["database.password"], "hunter2");
    let (shown, replaced) = connector.shown();
    assert_eq!(replaced, ["database.password", "database.sslpassword"]);
    assert_eq!(
        (&shown["config"]["database.password"], &shown["config"]["producer.override.sasl.jaas.config"]),
        (&json!("${file:/etc/kafka-connect/shop-cdc.properties:database.password}"), &json!("${file:/etc/x:jaas}"))
    );
    assert!(!shown.to_string().contains("hunter"), "{shown}");
    let rest = super::super::Rest::new(&capture.connect, connector.hidden()).expect("a client");
    assert_eq!(rest.without_hidden("no: 'hunter2' and\nhunter3"), "no: '***' and\\n***");
}

#[test]
fn what_differs_is_named() {
    let connector = Connector::new(&capture(""), &Entry::Password(Secret::new("hunter2"))).expect("a connector");
    let mut there = connector.body();
    assert_eq!(connector.differences(&there), Some(Vec::new()));
    there["database.password"] = json!("hunter3");
    there["tasks.max"] = json!("7");
    there["more"] = json!("x");
    let names = ["database.password", "more", "tasks.max"].map(str::to_owned);
    assert_eq!(connector.differences(&there), Some(names.to_vec()));
    assert_eq!(connector.differences(&json!([])), None);
}

#[test]
fn a_worker_gets_in_as_we_do() {
    let with = |url: &str, more: &str| {
        let mut capture = capture(more);
        capture.postgres.location = Location::parse(url).expect("a location");
        Connector::new(&capture, &Entry::Open).map(|connector| connector.config).map_err(|error| error.0)
    };
    for (parameters, mode) in [
        ("", "prefer"),
        ("?sslmode=disable", "disable"),
        ("?sslmode=require", "require"),
        ("?sslmode=require&sslrootcert=ca.pem", "verify-ca"),
        ("?sslmode=verify-full&sslrootcert=ca.pem", "verify-full"),
    ] {
        let config = with(&format!("postgresql://cdc@db/shop{parameters}"), "").expect("a configuration");
        assert_eq!(config["database.sslmode"], mode, "{parameters}");
        assert_eq!(config.contains_key("database.sslrootcert"), parameters.contains("ca.pem"), "{parameters}");
    }
    let config = with("postgresql://cdc@db/shop?sslrootcert=system", "").expect("a configuration");
    assert_eq!(config["database.sslfactory"], "org.postgresql.ssl.DefaultJavaSSLFactory");
    let socket = "postgresql://cdc@/shop?host=/run/postgresql";
    assert!(with(socket, "").expect_err("no socket").contains("[connect.settings]"));
    let config = with(socket, "[connect.settings]\ndatabase.hostname = \"db\"\n").expect("a configuration");
    assert_eq!(config["database.hostname"], "db");
}

#[test]
fn only_a_whole_reference_is_no_secret() {
    assert!(is_secret("a.password", "x") && is_secret("a.ssl.keystore.key", "-----BEGIN"));
    assert!(is_secret("a.password", "${file:/x:user}:hunter2") && is_secret("a.password", "${"));
    assert!(!is_secret("a.password", "${file:/x:password}") && !is_secret("a.user", "x"));
}

#[test]
fn a_reference_that_connect_has_stays() {
    let there = serde_json::json!({"database.password": "${file:/x:password}"});
    let mut connector = Connector {
        name: "c".to_owned(),
        config: [(PASSWORD.to_owned(), "hunter2".to_owned())].into(),
        hidden: vec![],
    };
    assert!(connector.has(&Secret::new("hunter2")));
    connector.keep_reference(&there);
    assert!(!connector.has(&Secret::new("hunter2")));
    assert_eq!(connector.config[PASSWORD], "${file:/x:password}");
}
