//! Records in Avro, as a real converter has written them, and a registry that is there, away, or
//! another one.

use serde_json::{Value, json};

use super::world::Cdc;
use crate::support::kafka::Broker;
use crate::support::registry::Registry;
use crate::support::{Ended, wait};
use crate::world::{Written, sample};

/// The bytes of a text in base64; none for null.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = value.as_str()?.trim_end_matches('=');
    let (mut bytes, mut word, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.chars() {
        word = word << 6 | u32::try_from(letters.find(letter).expect("base64")).expect("a sextet");
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits) as u8);
        }
    }
    Some(bytes)
}

/// Writes the recorded events of these tables, without those of TRUNCATE, which have no key.
fn write(cdc: &Cdc, tables: &[&str]) {
    tables.iter().for_each(|table| cdc.create(table, 1));
    for line in sample("avro.ndjson").lines() {
        let record: Value = serde_json::from_str(line).expect("a record");
        let Some(table) = tables.iter().find(|table| record["topic"] == format!("lake.public.{table}")) else {
            continue;
        };
        let (key, value) = (bytes(&record["key"]), bytes(&record["value"]));
        if key.is_none() {
            continue;
        }
        let header = |header: &Value| (header["key"].as_str().expect("a name").to_owned(), bytes(&header["value"]));
        let headers: Vec<_> = record["headers"].as_array().expect("headers").iter().map(header).collect();
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        let (key, value) = (key.as_deref(), value.as_deref());
        cdc.writer.send(&cdc.topic(table), &Written { key, value, headers, ..Written::default() });
    }
    cdc.writer.flush();
}

/// A pipeline of topics in Avro.
fn avro(stem: &str, registry: &Registry) -> Cdc {
    let mut cdc = Cdc::new(stem);
    let url = registry.url();
    cdc.pipeline.set("source", "decode", json!({"format": "avro"})).set("source", "registry", json!({"url": url}));
    cdc
}

fn changes(cdc: &Cdc, table: &str, more: &[&str]) -> Ended {
    let brokers = Broker::shared().brokers();
    let topic = cdc.topic(table);
    cdc.pipeline.call(&[&["changes", "--brokers", &brokers, "--topic", &topic], more].concat())
}

#[test]
fn recorded_records_become_the_rows_that_postgresql_had() {
    let registry = Registry::recorded(&sample("avro_schemas.ndjson"));
    let cdc = avro("avro", &registry);
    write(&cdc, &["compkey", "toasty_full", "orders"]);
    cdc.pipeline.call(&["validate", "p.toml", "--connect"]).exits_with(0);
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("compkey"), [] as [Value; 0]);
    assert_eq!(cdc.rejects(), [] as [Value; 0]);
    let toasty = cdc.rows("toasty_full");
    assert_eq!((toasty.len(), &toasty[0]["small"]), (1, &json!(2)));
    assert!(toasty[0]["big"].as_str().is_some_and(|big| big.len() == 9600), "{toasty:?}");
    let orders = cdc.rows("orders");
    assert!(orders.iter().any(|row| row["note"] == "pk changed" && row["amount"] == "10.50"), "{orders:?}");
    // The same by the command that prints events, which takes the sections of a pipeline file.
    let printed = changes(&cdc, "orders", &["--security", "p.toml"]).exits_with(0);
    assert!(printed.stdout.contains("\"pk changed\""), "{}", printed.stdout);
    let blind = changes(&cdc, "orders", &[]).exits_with(1);
    assert!(blind.stdout.contains("set source.decode.format"), "{}", blind.stdout);
}

#[test]
fn a_schema_that_nobody_knows_costs_its_own_records_alone() {
    let registry = Registry::recorded(&sample("avro_schemas.ndjson"));
    let cdc = avro("unknown", &registry);
    write(&cdc, &["compkey", "orders"]);
    // That of the values of orders.
    let schema = registry.forget(6);
    cdc.event("orders", "c", 900_000_000, json!({"id": 1000, "note": "in JSON"}));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("compkey"), [] as [Value; 0]);
    let rejects = cdc.rejects();
    let detail = "the value is in Avro, with schema 6, which the schema registry at";
    assert!(rejects.iter().all(|row| row["reason"] == "no_event"), "{rejects:?}");
    assert!(
        rejects.iter().all(|row| row["detail"].as_str().is_some_and(|text| text.starts_with(detail))),
        "{rejects:?}"
    );
    // Not all that is in a topic need have one form; and a record without a value needs no schema
    // but its key's.
    assert_eq!(cdc.rows("orders"), [json!({"id": 1000, "note": "in JSON"})]);
    let count = rejects.len();
    // What is written once it is known again has its schema.
    registry.add(6, schema);
    write_again(&cdc);
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rejects().len(), count);
}

/// Writes the insert of an order once more.
fn write_again(cdc: &Cdc) {
    let all = sample("avro.ndjson");
    let line = all.lines().rfind(|line| line.contains("\"lake.public.orders\"") && !line.contains("\"value\":null"));
    let record: Value = serde_json::from_str(line.expect("an order")).expect("a record");
    let (key, value) = (bytes(&record["key"]), bytes(&record["value"]));
    cdc.writer
        .send(&cdc.topic("orders"), &Written { key: key.as_deref(), value: value.as_deref(), ..Written::default() });
    cdc.writer.flush();
}

#[test]
fn a_registry_that_is_away_is_waited_for() {
    let registry = Registry::recorded(&sample("avro_schemas.ndjson"));
    let mut cdc = avro("away", &registry);
    write(&cdc, &["toasty_full"]);
    registry.is_away(true);
    let mut running = cdc.tail();
    running.until_it_says("the schema registry gives no schema: trying again");
    registry.is_away(false);
    let log = cdc.pipeline.path("lake/shop/public/toasty_full/_delta_log");
    assert!(wait::until(|| log.exists() && cdc.rows("toasty_full").len() == 1));
    running.stop().exits_with(0);
}

#[test]
fn a_registry_that_refuses_us_or_is_none_is_named() {
    let registry = Registry::recorded(&sample("avro_schemas.ndjson"));
    let mut cdc = avro("refuses", &registry);
    write(&cdc, &["toasty_full"]);
    registry.asks_for("Basic cmVhZGVyOmh1bnRlcjI=");
    for arguments in [&["run", "p.toml"][..], &["validate", "p.toml", "--connect"]] {
        let ended = cdc.pipeline.call(arguments).exits_with(3);
        assert!(ended.stderr.contains("check user and password, or token, in [source.registry]"), "{}", ended.stderr);
    }
    assert!(!cdc.pipeline.path("lake/shop").exists(), "nothing is written for a registry that refuses us");
    cdc.pipeline.set("source", "registry", json!({"url": registry.url(), "user": "reader", "password": "hunter2"}));
    let ended = cdc.pipeline.call(&["validate", "p.toml", "--connect"]).exits_with(0);
    assert!(ended.stdout.contains("schemas  http://") && !ended.stdout.contains("hunter2"), "{}", ended.stdout);
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("toasty_full").len(), 1);
    registry.asks_for("");
    let other = registry.url().replace("/apis/ccompat/v7", "");
    cdc.pipeline.set("source", "registry", json!({"url": other}));
    let ended = cdc.pipeline.call(&["validate", "p.toml", "--connect"]).exits_with(3);
    assert!(ended.stderr.contains("is source.registry.url one's?"), "{}", ended.stderr);
}
