//! From a pipeline file to events on a topic, and back.

use std::fs;

use serde_json::{Value, json};

use crate::support::connect::Connect;
use crate::support::wait;
use crate::world::{PASSWORD, ROLE, World, connect, server};

/// What an event says.
fn told(event: &Value) -> Value {
    json!([event["operation"], event["table"], event["data"]])
}

#[test]
fn what_changes_in_postgresql_arrives_on_a_topic() {
    let world = World::new("arrives");
    // The configuration is what POST /connectors takes, without the password.
    let printed = world.debezium(&["config"]).exits_with(0);
    let config = printed.json();
    assert_eq!(config["name"], world.name.as_str());
    assert_eq!(config["config"]["database.user"], ROLE);
    let reference = format!("${{file:/etc/kafka-connect/{}.properties:database.password}}", world.name);
    assert_eq!(config["config"]["database.password"], reference.as_str());
    assert!(printed.stderr.contains("config.providers=file"), "{}", printed.stderr);

    let said = world.debezium(&["validate"]).exits_with(0);
    assert!(said.stdout.contains("finds its configuration good"), "{}", said.stdout);
    let said = world.debezium(&["register"]).exits_with(0);
    assert!(said.stdout.contains("was registered") && said.stdout.contains("task 0     RUNNING"), "{}", said.stdout);
    assert!(said.stderr.contains("--secret-ref"), "it says where the password is now: {}", said.stderr);

    let read = world.has_events("customers", 2);
    assert_eq!(told(&read[0]), json!(["read", "customers", {"id": 1, "name": "Ann"}]));
    world.psql("INSERT INTO orders VALUES (7, 10.50, '1 month 2 days 3 hours')");
    let insert = &world.has_events("orders", 1)[0];
    assert_eq!(told(insert), json!(["insert", "orders", {"id": 7, "amount": "10.50", "took": "P0Y1M2DT3H0M0S"}]));
    // A truncate, and the bounds of the transaction, which Debezium leaves out by default.
    world.psql("TRUNCATE orders");
    assert_eq!(world.has_events("orders", 2)[1]["operation"], "truncate");
    assert!(insert["metadata"]["transaction"]["id"].is_string(), "{insert:#}");

    let state = world.debezium(&["status", "--json"]).exits_with(0).json();
    assert_eq!((&state["connector"]["state"], &state["tasks"][0]["state"]), (&json!("RUNNING"), &json!("RUNNING")));
    let mut position = Value::Null;
    assert!(wait::until(|| {
        position = world.debezium(&["status", "--json"]).exits_with(0).json()["position"]["lsn"].clone();
        position.is_u64()
    }));
    let text = world.debezium(&["status"]).exits_with(0).stdout;
    assert!(text.contains("position") && text.contains("task 0"), "{text}");
}

#[test]
fn to_register_again_changes_nothing() {
    let mut world = World::new("again");
    world.debezium(&["register"]).exits_with(0);
    let session = || world.of_slot("active_pid");
    assert!(wait::until(|| !session().is_empty()), "it streams");
    let (before, config) = (session(), connect().1.get(&format!("/connectors/{}/config", world.name)));
    let said = world.debezium(&["register"]).exits_with(0);
    assert!(said.stdout.contains("is registered already, as the file says"), "{}", said.stdout);
    assert_eq!(said.stderr, "");
    assert_eq!(session(), before, "its task was not restarted");
    assert_eq!(connect().1.get(&format!("/connectors/{}/config", world.name)), config);
    // What differs is told by name.
    world.set("connect", "heartbeat_interval", "3s");
    let said = world.debezium(&["register"]).exits_with(0);
    assert!(said.stdout.contains("was changed, in heartbeat.interval.ms"), "{}", said.stdout);
    assert_eq!(connect().1.get(&format!("/connectors/{}/config", world.name))["heartbeat.interval.ms"], "3000");
}

#[test]
fn a_paused_connector_rests_until_it_is_resumed() {
    let world = World::new("rests");
    world.debezium(&["register"]).exits_with(0);
    world.has_events("customers", 2);
    let said = world.debezium(&["pause"]).exits_with(0);
    assert!(said.stdout.contains("is paused") && said.stdout.contains(&world.slot()), "{}", said.stdout);
    let state = world.debezium(&["status", "--json"]).exits_with(0).json();
    assert_eq!((&state["connector"]["state"], &state["tasks"][0]["state"]), (&json!("PAUSED"), &json!("PAUSED")));
    // It is as the file says, but does not run.
    let said = world.debezium(&["register"]).exits_with(3);
    assert!(said.stderr.contains("is PAUSED: lakefront debezium resume"), "{}", said.stderr);
    world.psql("INSERT INTO customers VALUES (3, 'Zoë')");
    assert_eq!(world.events("customers").len(), 2);
    let said = world.debezium(&["resume"]).exits_with(0);
    assert!(said.stdout.contains("runs"), "{}", said.stdout);
    assert_eq!(world.has_events("customers", 3)[2]["data"]["name"], "Zoë");
    let before = world.of_slot("active_pid");
    world.debezium(&["restart"]).exits_with(0);
    assert!(wait::until(|| ![before.as_str(), ""].contains(&world.of_slot("active_pid").as_str())));
}

#[test]
fn a_killed_worker_goes_on_where_it_was() {
    let mut own = Connect::start(&connect().0);
    let mut world = World::new("killed");
    world.set("connect", "url", &own.url());
    world.debezium(&["register"]).exits_with(0);
    world.has_events("customers", 2);
    own.kill();
    world.psql("INSERT INTO customers VALUES (3, 'Zoë')");
    let said = world.debezium(&["status"]).exits_with(3);
    assert!(said.stderr.contains("is the worker up"), "{}", said.stderr);
    own.restart();
    let events = world.has_events("customers", 3);
    assert_eq!(told(&events[2]), json!(["insert", "customers", {"id": 3, "name": "Zoë"}]));
    let said = world.debezium(&["register"]).exits_with(0);
    assert!(said.stdout.contains("is registered already"), "{}", said.stdout);
}

#[test]
fn the_worker_finds_the_password_itself() {
    let world = World::new("secret");
    let secrets = connect().1.file("secrets.properties");
    fs::write(&secrets, format!("shop={PASSWORD}\n")).expect("a file");
    let reference = format!("file:{}:shop", secrets.display());
    let printed = world.debezium(&["config", "--secret-ref", &reference]).exits_with(0);
    assert_eq!(printed.json()["config"]["database.password"], format!("${{{reference}}}"));
    assert_eq!(printed.stderr, "");
    // The password in our environment is of no use here.
    let arguments = ["debezium", "register", "p.toml", "--secret-ref", &reference];
    let said = world.call_with(&arguments, "not-hers").exits_with(0);
    assert_eq!(said.stderr, "");
    let config = connect().1.get(&format!("/connectors/{}/config", world.name));
    assert_eq!(config["database.password"], format!("${{{reference}}}"));
    world.has_events("customers", 2);
    // Who gives the password itself is told without it.
    let said = world.call(&["debezium", "config", "p.toml", "--secret-ref", PASSWORD]).exits_with(2);
    assert!(said.stderr.contains("--secret-ref: allowed is PROVIDER:PATH:KEY"), "{}", said.stderr);
    // A reference to nothing is told before anything is registered.
    let wrong = reference.replace(":shop", ":nobody");
    let said = world.debezium(&["validate", "--secret-ref", &wrong]).exits_with(2);
    assert!(said.stderr.contains("config.providers"), "{}", said.stderr);
}

#[test]
fn a_deleted_connector_says_how_its_slot_goes_and_so_it_does() {
    let world = World::new("deleted");
    world.debezium(&["register"]).exits_with(0);
    world.has_events("customers", 2);
    let said = world.debezium(&["delete"]).exits_with(2);
    assert!(said.stderr.contains("give --yes"), "nobody could be asked: {}", said.stderr);
    let said = world.debezium(&["delete", "--yes", "--offsets"]).exits_with(0).stdout;
    let advice: Vec<&str> = said.lines().filter(|line| line.ends_with(';')).collect();
    assert_eq!(advice.len(), 2, "{said}");
    assert_eq!(world.of_slot("slot_name"), world.slot(), "it stays");
    for sql in advice {
        server().psql(&world.name, &format!("SET ROLE {ROLE}; {sql}"));
    }
    assert_eq!(world.of_slot("slot_name"), "");
    assert_eq!(world.psql("SELECT count(*) FROM pg_publication"), "0");
    let said = world.debezium(&["status"]).exits_with(3);
    assert!(said.stderr.contains("lakefront debezium register makes it"), "{}", said.stderr);
    for command in [&["pause"][..], &["resume"], &["restart"], &["delete", "--yes"]] {
        let said = world.debezium(command).exits_with(3);
        assert!(said.stderr.contains("has no connector"), "{command:?}: {}", said.stderr);
    }
    // With a new slot, it begins with a snapshot.
    world.debezium(&["register"]).exits_with(0);
    let events = world.has_events("customers", 4);
    assert!(events.iter().all(|event| event["operation"] == "read"), "{events:#?}");
}

#[test]
fn events_may_be_rows_alone() {
    let mut world = World::new("rows");
    world.line("connect", "unwrap", "true").line("connect", "schemas", "false");
    world.debezium(&["register"]).exits_with(0);
    world.has_events("customers", 2);
    world.psql("UPDATE customers SET name = 'Anna' WHERE id = 1; DELETE FROM customers WHERE id = 2");
    let events = world.has_events("customers", 4);
    assert_eq!(told(&events[2]), json!(["update", "customers", {"id": 1, "name": "Anna"}]));
    assert_eq!((&events[3]["operation"], &events[3]["primary_key"]), (&json!("delete"), &json!({"id": 2})));
    let metadata = &events[3]["metadata"];
    assert_eq!((&metadata["database"], &metadata["schema"]), (&json!(world.name), &json!("public")));
    assert!(metadata["lsn"].is_u64() && metadata["txId"].is_u64() && metadata["sequence"].is_array(), "{metadata:#}");
}
