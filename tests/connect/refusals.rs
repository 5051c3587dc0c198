//! What Connect, PostgreSQL or Debezium refuse: it is told by whom and why, with an exit code, and
//! never with the password.

use crate::support::postgres::free_port;
use crate::world::{World, connect, server};

#[test]
fn a_wrong_password_is_told_before_anything_is_registered() {
    let world = World::new("wrong");
    for command in ["validate", "register"] {
        let said = world.call_with(&["debezium", command, "p.toml"], "hunter3").exits_with(2);
        assert!(said.stderr.contains("password authentication failed for user \"cdc\""), "{command}: {}", said.stderr);
    }
    let said = world.debezium(&["status"]).exits_with(3);
    assert!(said.stderr.contains("has no connector"), "{}", said.stderr);
}

#[test]
fn a_failed_task_is_shown_with_the_first_line_of_its_trace() {
    let mut world = World::new("failed");
    // Nobody makes the publication.
    world.set("connect", "publication_mode", "disabled");
    let said = world.debezium(&["register"]).exits_with(3);
    assert!(said.stderr.contains("task 0 has failed: "), "{}", said.stderr);
    assert!(said.stderr.contains("create one and restart the connector"), "{}", said.stderr);
    assert_eq!(said.stderr.matches('\n').count(), 2, "a warning, and the first line: {}", said.stderr);
    let text = world.debezium(&["status"]).exits_with(0).stdout;
    assert!(text.contains("task 0     FAILED") && text.contains("create one and restart the connector"), "{text}");
    let said = world.debezium(&["register"]).exits_with(3);
    assert!(said.stdout.contains("is registered already"), "{}", said.stdout);
    // What it says helps.
    world.psql(&format!("CREATE PUBLICATION {} FOR TABLE customers, orders", world.slot()));
    let said = world.debezium(&["restart", "--only-failed"]).exits_with(0);
    assert!(said.stdout.contains("task 0     RUNNING"), "{}", said.stdout);
    world.has_events("customers", 2);
}

#[test]
fn who_is_not_there_is_named() {
    let mut world = World::new("nobody");
    world.set("connect", "url", &format!("http://127.0.0.1:{}", free_port()));
    for command in ["validate", "register", "status", "pause", "delete"] {
        let more: &[&str] = if command == "delete" { &["--yes"] } else { &[] };
        let said = world.debezium(&[&[command], more].concat()).exits_with(3);
        assert!(said.stderr.contains("is the worker up, and connect.url its address?"), "{command}: {}", said.stderr);
    }
    // Something else answers there.
    world.set("connect", "url", &format!("{}/connectors", connect().1.url()));
    let said = world.debezium(&["status"]).exits_with(3);
    assert!(said.stderr.contains("has no connector") || said.stderr.contains("Connect answers"), "{}", said.stderr);
    world.set("connect", "url", &format!("http://127.0.0.1:{}", server().port()));
    world.set("connect", "timeout", "2s");
    world.debezium(&["status"]).exits_with(3);
}

#[test]
fn an_authority_is_trusted_if_it_is_named() {
    let mut world = World::new("authority");
    let broker = &connect().0;
    // A listener of Kafka is no worker, but has a certificate.
    world.set("connect", "url", &format!("https://{}", broker.secured("TLS")));
    let said = world.debezium(&["status"]).exits_with(3);
    assert!(said.stderr.contains("connect.ca_file names the authority"), "{}", said.stderr);
    world.set("connect", "ca_file", &broker.file("ca.pem").display().to_string());
    let said = world.debezium(&["status"]).exits_with(3);
    assert!(said.stderr.contains("failed") && !said.stderr.contains("trusted"), "{}", said.stderr);
    world.set("connect", "ca_file", "p.toml");
    let said = world.debezium(&["status"]).exits_with(3);
    assert!(said.stderr.contains("connect.ca_file p.toml: there is no certificate"), "{}", said.stderr);
}

#[test]
fn a_file_without_its_sections_is_refused() {
    let mut world = World::new("sections");
    world.set("source", "topics", "orders");
    let said = world.debezium(&["config"]).exits_with(2);
    assert!(said.stderr.contains("give connect.topic_prefix"), "{}", said.stderr);
    world.set("connect", "topic_prefix", "cdc");
    let said = world.debezium(&["config"]).exits_with(2);
    assert!(said.stderr.contains("give connect.tables"), "{}", said.stderr);
    world.line("connect", "tables", "[\"public.orders\"]");
    let config = world.debezium(&["config"]).exits_with(0).json();
    assert_eq!(config["config"]["table.include.list"], "public\\.orders");
    for key in ["url", "topic_prefix", "tables"] {
        world.unset("connect", key);
    }
    let said = world.debezium(&["config"]).exits_with(2);
    assert!(said.stderr.contains("has no [connect]"), "{}", said.stderr);
}
