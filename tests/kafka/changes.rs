//! `lakefront changes --topic`: what it prints of a topic is what it prints of a file.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::kafka::Broker;
use crate::support::{Ended, Pipeline};
use crate::world::{Admin, Writer, Written, sample, topic};

type Raw = BTreeMap<String, Box<RawValue>>;

fn changes(brokers: &str, topic: &str, more: &[&str]) -> Ended {
    Pipeline::new().call(&[&["changes", "--brokers", brokers, "--topic", topic], more].concat())
}

/// Writes the records of a sample to topics of their own names, behind `stem`.
fn write(brokers: &str, stem: &str, name: &str) {
    let (admin, writer, mut created) = (Admin::new(brokers), Writer::new(brokers, &[]), Vec::new());
    for line in sample(name).lines() {
        let record: Raw = serde_json::from_str(line).expect("a record");
        let text = |raw: &RawValue| (raw.get() != "null").then(|| raw.get().to_owned());
        let topic: String = serde_json::from_str(record["topic"].get()).expect("a topic");
        let topic = format!("{stem}.{topic}");
        if !created.contains(&topic) {
            admin.create(&topic, 1, &[]);
            created.push(topic.clone());
        }
        let headers: Vec<Raw> = serde_json::from_str(record["headers"].get()).expect("headers");
        let headers: Vec<(String, Option<String>)> = headers
            .iter()
            .map(|header| (serde_json::from_str(header["key"].get()).expect("a name"), text(&header["value"])))
            .collect();
        let (key, value) = (text(&record["key"]), text(&record["value"]));
        let (key, value) = (key.as_deref().map(str::as_bytes), value.as_deref().map(str::as_bytes));
        let headers = headers.iter().map(|(name, v)| (name.as_str(), v.as_deref().map(str::as_bytes))).collect();
        writer.send(&topic, &Written { partition: 0, key, value, headers });
    }
    writer.flush();
}

/// An event without its place, and its topic as it was recorded.
fn placeless(line: &str, stem: &str) -> Value {
    let mut event: Value = serde_json::from_str(line).expect("JSON");
    let metadata = event["metadata"].as_object_mut().expect("an object");
    metadata.remove("offset");
    metadata.remove("partition");
    let topic = metadata.get("topic").and_then(Value::as_str).expect("a topic").to_owned();
    metadata.insert("topic".to_owned(), json!(topic.strip_prefix(&format!("{stem}.")).unwrap_or(&topic)));
    event
}

#[test]
fn every_recorded_event_is_the_same_from_a_topic() {
    let brokers = Broker::shared().brokers();
    for name in
        ["envelope_noschema", "envelope_schema", "unwrap_noschema", "unwrap_noschema_rewrite", "unwrap_schema_rewrite"]
    {
        let stem = topic(name);
        write(&brokers, &stem, &format!("{name}.ndjson"));
        let ended = changes(&brokers, &format!("{stem}.*"), &[]).exits_with(0);
        // Partitions take turns, so events are compared topic by topic, in their order.
        let by_topic = |text: &str| {
            let mut topics: BTreeMap<String, Vec<Value>> = BTreeMap::new();
            for event in text.lines().map(|line| placeless(line, &stem)) {
                topics.entry(event["metadata"]["topic"].to_string()).or_default().push(event);
            }
            topics
        };
        let (ours, golden) = (by_topic(&ended.stdout), by_topic(&sample(&format!("plain/{name}.ndjson"))));
        assert_eq!(ours.keys().collect::<Vec<_>>(), golden.keys().collect::<Vec<_>>(), "{name}");
        for (topic, golden) in &golden {
            assert_eq!(&ours[topic], golden, "{name}, {topic}");
        }
        assert!(ended.stderr.contains("skipped what changes no row: transaction boundaries: 6, "), "{}", ended.stderr);
    }
}

#[test]
fn a_record_that_is_no_event_is_named_by_its_place() {
    let brokers = Broker::shared().brokers();
    let topic = topic("poison");
    Admin::new(&brokers).create(&topic, 1, &[]);
    let writer = Writer::new(&brokers, &[]);
    writer.values(&topic, 0, ["{".to_owned()]);
    writer.send(&topic, &Written { value: Some(b"\xff"), ..Written::default() });
    writer.flush();
    let ended = changes(&brokers, &topic, &[]).exits_with(1);
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2, "{}", ended.stdout);
    for (offset, line) in lines.iter().enumerate() {
        assert_eq!((&line["topic"], &line["partition"], &line["offset"]), (&json!(topic), &json!(0), &json!(offset)));
        assert!(line["error"].is_string(), "{line}");
    }
    assert!(ended.stderr.contains("2 of 2 records are no events of Debezium"), "{}", ended.stderr);
    let from = |offset: &str| changes(&brokers, &topic, &["--from-offset", offset]).stdout.lines().count();
    assert_eq!([from("earliest"), from("1"), from("2"), from("900"), from("latest")], [2, 1, 0, 0, 0]);
}

#[test]
fn whoever_follows_sees_what_comes() {
    let brokers = Broker::shared().brokers();
    let topic = topic("followed");
    Admin::new(&brokers).create(&topic, 1, &[]);
    let pipeline = Pipeline::new();
    let mut running = pipeline.start(&["changes", "--brokers", &brokers, "--topic", &topic, "--follow"]);
    for count in 1..=3 {
        Writer::new(&brokers, &[]).values(&topic, 0, ["{".to_owned()]);
        let printed = || std::fs::read_to_string(pipeline.path("1.out")).unwrap_or_default().lines().count();
        running.until("printed what came", || printed() == count);
    }
    running.kill();
}

#[test]
fn a_topic_and_a_file_at_once_are_too_much() {
    for arguments in [
        &["changes"][..],
        &["changes", "--topic", "t"],
        &["changes", "--brokers", "b:1"],
        &["changes", "events.ndjson", "--topic", "t", "--brokers", "b:1"],
        &["changes", "--topic", "t", "--brokers", "b:1", "--from-offset", "-1"],
        &["changes", "events.ndjson", "--follow"],
    ] {
        Pipeline::new().call(arguments).exits_with(2);
    }
}
