//! What is in the way at the start, in words for who is woken by it.

use crate::support::certificates::Authority;
use crate::support::kafka::{Broker, PASSWORD, READER, STRANGER};
use crate::support::postgres::free_port;
use crate::support::{Ended, Pipeline};
use crate::world::{Admin, Writer, sample, topic};

/// `changes` on a topic, with a `[source.security]` of these lines.
fn changes(brokers: &str, topic: &str, security: &str) -> Ended {
    let pipeline = Pipeline::new();
    std::fs::write(pipeline.path("kafka.toml"), format!("[source.security]\n{security}\n")).expect("a file");
    let ended = pipeline.call(&["changes", "--brokers", brokers, "--topic", topic, "--security", "kafka.toml"]);
    assert!(!ended.stderr.contains(PASSWORD) && !ended.stdout.contains(PASSWORD), "{}", ended.stderr);
    ended
}

#[track_caller]
fn refused(ended: Ended, parts: &[&str]) {
    let ended = ended.exits_with(3);
    for part in parts {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

/// A topic with one event.
fn one_event(broker: &Broker) -> String {
    let topic = topic("secured");
    Admin::new(&broker.brokers()).create(&topic, 1, &[]);
    let line: serde_json::Value =
        serde_json::from_str(sample("envelope_schema.ndjson").lines().next().expect("one")).expect("a record");
    Writer::new(&broker.brokers(), &[]).values(&topic, 0, [line["value"].to_string()]);
    topic
}

#[test]
fn whoever_is_right_gets_in_and_who_is_not_is_told_why() {
    let broker = Broker::shared();
    let (topic, ca) = (one_event(broker), broker.file("ca.pem"));
    let login = |sasl: &str, user: &str, password: &str| {
        format!("sasl = \"{sasl}\"\nuser = \"{user}\"\npassword = \"{password}\"\nca_file = {ca:?}")
    };
    let (sasl, tls, mutual) = (broker.secured("SASL"), broker.secured("TLS"), broker.secured("MUTUAL"));
    for mechanism in ["plain", "scram-256", "scram-512"] {
        let ended = changes(&sasl, &topic, &login(mechanism, READER, PASSWORD)).exits_with(0);
        assert_eq!(ended.stdout.lines().count(), 1, "{mechanism}");
        let wrong = changes(&sasl, &topic, &login(mechanism, READER, "guessed"));
        refused(wrong, &["could not look at topics of Kafka at localhost:", "uthentication", "user and password"]);
    }
    let stranger = changes(&sasl, &topic, &login("plain", STRANGER, PASSWORD));
    refused(stranger, &[&format!("could not look at topic {topic:?}"), "uthoriz", "let the user read and describe"]);
    // Encryption, with and without a certificate of ours.
    let ended = changes(&tls, &topic, &format!("ca_file = {ca:?}")).exits_with(0);
    assert_eq!(ended.stdout.lines().count(), 1);
    let ours = format!(
        "ca_file = {ca:?}\ncertificate_file = {:?}\nkey_file = {:?}",
        broker.file("client.pem"),
        broker.file("client.key")
    );
    let ended = changes(&mutual, &topic, &ours).exits_with(0);
    assert_eq!(ended.stdout.lines().count(), 1);
    refused(
        changes(&mutual, &topic, &format!("ca_file = {ca:?}")),
        &["could not look at topics of Kafka at localhost:"],
    );
    // An authority that has not signed the broker's certificate, and a name that it is not for.
    let foreign = Pipeline::new();
    std::fs::write(foreign.path("foreign.pem"), Authority::new("another").pem).expect("a file");
    let foreign = changes(&tls, &topic, &format!("ca_file = {:?}", foreign.path("foreign.pem")));
    refused(foreign, &["certificate verify failed", "see whether ca_file has the authority"]);
    let other_name = changes(&tls.replace("localhost", "127.0.0.1"), &topic, &format!("ca_file = {ca:?}"));
    refused(other_name, &["see whether ca_file has the authority", "host's name"]);
}

#[test]
fn nobody_answers() {
    let ended = changes(&format!("127.0.0.1:{}", free_port()), "orders", "");
    refused(ended, &["could not look at topics of Kafka at 127.0.0.1:", "refused", "see whether the brokers run"]);
    let ended = changes("nowhere.invalid:9092", "orders", "");
    refused(ended, &["could not look at topics of Kafka at nowhere.invalid:9092", "see whether the brokers run"]);
}

#[test]
fn there_is_no_such_topic() {
    let brokers = Broker::shared().brokers();
    refused(
        changes(&brokers, "never-created", ""),
        &["could not look at topic \"never-created\"", "see whether its name"],
    );
    let none = changes(&brokers, "never.created.*", "").exits_with(2);
    assert!(none.stderr.contains("no topic matches --topic \"never.created.*\""), "{}", none.stderr);
    let odd = changes(&brokers, "no/topic", "").exits_with(2);
    assert!(odd.stderr.contains("can be no topic"), "{}", odd.stderr);
}

#[test]
fn settings_that_are_wrong_are_named() {
    let ended = changes("127.0.0.1:1", "orders", "ca_file = \"nowhere.pem\"").exits_with(3);
    assert!(ended.stderr.contains("could not read \"nowhere.pem\", which TLS to Kafka needs"), "{}", ended.stderr);
    let key = format!("Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey={PASSWORD}");
    let ended = changes(&key, "orders", "").exits_with(2);
    assert!(ended.stderr.contains("--brokers must be hosts with their ports"), "{}", ended.stderr);
    let ended = changes("127.0.0.1:1", "orders", "sasl = \"plain\"").exits_with(2);
    assert!(ended.stderr.contains("source.security.user"), "{}", ended.stderr);
}
