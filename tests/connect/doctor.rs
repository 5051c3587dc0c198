//! What `doctor` says of PostgreSQL and the connector. What it advises is done, and helps.

use serde_json::Value;

use crate::support::postgres::Server;
use crate::support::wait;
use crate::world::{ROLE, World, connect, server};

/// The findings of a check: level, what was found, and the advice.
pub(crate) fn findings(world: &World, check: &str) -> Vec<(String, String, String)> {
    let said = world.call(&["doctor", "p.toml", "--json"]).json();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let all = said["checks"].as_array().expect("findings");
    let of = all.iter().filter(|finding| finding["check"] == check);
    of.map(|finding| (text(finding, "level"), text(finding, "found"), text(finding, "advice"))).collect()
}

/// The advice of the finding of this level that has these words.
#[track_caller]
pub(crate) fn advice(world: &World, check: &str, level: &str, words: &str) -> String {
    let all = findings(world, check);
    let found = all.iter().find(|(is, found, _)| is == level && found.contains(words));
    found.unwrap_or_else(|| panic!("no {level} of {check} has {words:?}: {all:#?}")).2.clone()
}

#[track_caller]
fn is_good(world: &World, check: &str) {
    let all = findings(world, check);
    assert!(!all.is_empty() && all.iter().all(|(level, ..)| level == "ok"), "{all:#?}");
}

/// The SQL in an advice, from its first word in capitals to its end.
fn sql<'a>(advice: &'a str, begins: &str) -> &'a str {
    let at = advice.find(begins).unwrap_or_else(|| panic!("no {begins} in {advice}"));
    advice[at..].split("; then lakefront").next().expect("a part")
}

#[test]
fn before_and_after_the_registration() {
    let world = World::new("doctor");
    assert!(advice(&world, "connect", "problem", "is not registered").contains("register FILE"));
    assert!(findings(&world, "slot").iter().any(|(level, found, _)| level == "ok" && found.contains("will be made")));
    is_good(&world, "rights");
    world.debezium(&["register"]).exits_with(0);
    assert!(wait::until(|| world.of_slot("active") == "t"));
    for check in ["connect", "postgres", "rights", "tables", "heartbeat", "nulls"] {
        is_good(&world, check);
    }
    assert!(findings(&world, "slot").iter().any(|(level, found, _)| level == "ok" && found.contains("is read")));
    let clocks = findings(&world, "clock");
    assert!(clocks.iter().any(|(level, found, _)| level == "ok" && found == "PostgreSQL and this machine agree"));
    let identities = findings(&world, "identity");
    assert_eq!(identities.len(), 2, "{identities:#?}");
    assert!(identities.iter().any(|(_, found, _)| found.contains("FULL") && found.ends_with(": public.orders")));
    assert!(
        identities.iter().any(|(_, found, _)| found.contains("its key alone") && found.ends_with(": public.customers"))
    );
}

#[test]
fn a_connector_that_rests_and_its_slot() {
    let mut world = World::new("inactive");
    world.debezium(&["register"]).exits_with(0);
    assert!(wait::until(|| world.of_slot("active") == "t"));
    world.debezium(&["pause"]).exits_with(0);
    assert!(advice(&world, "connect", "problem", "is PAUSED").contains("resume FILE"));
    // A paused connector keeps its session. A stopped one does not.
    let stopped = connect().1.ask("PUT", &format!("/connectors/{}/stop", world.name), "").expect("Connect answers");
    assert_eq!(stopped.status, 204);
    assert!(wait::until(|| world.of_slot("active") == "f"));
    assert!(advice(&world, "connect", "problem", "is STOPPED").contains("resume FILE"));
    assert!(advice(&world, "slot", "problem", "nobody reads slot").contains("resume"));
    world.debezium(&["resume"]).exits_with(0);
    assert!(wait::until(|| world.of_slot("active") == "t"));
    is_good(&world, "connect");
    // What is registered is not what the file says.
    world.set("connect", "heartbeat_interval", "7s");
    let told =
        advice(&world, "connect", "warning", "registered otherwise than the file says, in heartbeat.interval.ms");
    assert!(told.contains("register FILE"));
    world.debezium(&["register"]).exits_with(0);
    is_good(&world, "connect");
}

#[test]
fn a_missing_publication_and_what_it_leaves_out() {
    let mut world = World::new("publication");
    world.set("connect", "publication_mode", "disabled");
    let told = advice(&world, "tables", "problem", "does not exist");
    world.psql(&format!("SET ROLE {ROLE}; {}", sql(&told, "CREATE PUBLICATION")));
    is_good(&world, "tables");
    world.psql(&format!("SET ROLE {ROLE}; CREATE TABLE late (id int PRIMARY KEY)"));
    let told = advice(&world, "tables", "problem", "leaves out public.late");
    world.psql(&format!("SET ROLE {ROLE}; {}", sql(&told, "ALTER PUBLICATION")));
    is_good(&world, "tables");
    world.psql(&format!("ALTER PUBLICATION {} SET (publish = 'insert, update')", world.slot()));
    let told = advice(&world, "tables", "warning", "leaves out DELETE, TRUNCATE");
    world.psql(&format!("SET ROLE {ROLE}; {}", sql(&told, "ALTER PUBLICATION")));
    is_good(&world, "tables");
}

#[test]
fn rights_and_identities_that_are_missing() {
    let mut world = World::new("rights");
    world.set("connect", "publication_mode", "disabled");
    world.psql(
        "CREATE TABLE foreign_one (id int PRIMARY KEY, big numeric);
         CREATE TABLE keyless (a int); ALTER TABLE keyless OWNER TO cdc",
    );
    let told = advice(&world, "rights", "problem", "may not read public.foreign_one");
    world.psql(sql(&told, "GRANT USAGE"));
    is_good(&world, "rights");
    let told = advice(&world, "identity", "problem", "public.keyless");
    world.psql(sql(&told, "ALTER TABLE"));
    let told = advice(&world, "identity", "warning", "public.foreign_one (big)");
    world.psql(sql(&told, "ALTER TABLE"));
    is_good(&world, "identity");
    server().psql("postgres", "CREATE ROLE weak LOGIN PASSWORD 'hunter2'");
    let url = format!("postgresql://weak@127.0.0.1:{}/{}?sslmode=disable", server().port(), world.name);
    world.set("postgres", "url", &url);
    let told = advice(&world, "rights", "problem", "\"weak\" may not read the log");
    world.psql(sql(&told, "ALTER ROLE").split(';').next().expect("a statement"));
    assert!(!findings(&world, "rights").iter().any(|(_, found, _)| found.contains("may not read the log")));
}

#[test]
fn a_server_that_does_not_log_enough() {
    let mut server = Server::with(&[("max_replication_slots", "1")]);
    server.create_database("shop");
    let mut world = World::new("level");
    world.unset("postgres", "password");
    world.set("postgres", "url", &server.url("shop"));
    let told = advice(&world, "postgres", "problem", "wal_level is replica");
    server.psql("postgres", sql(&told, "ALTER SYSTEM").split(';').next().expect("a statement"));
    server.restart();
    is_good(&world, "postgres");
    server.psql("shop", "SELECT pg_create_logical_replication_slot('other', 'pgoutput')");
    let told = advice(&world, "postgres", "problem", "max_replication_slots is 1, and all are taken");
    assert!(told.contains("ALTER SYSTEM SET max_replication_slots = 11"), "{told}");
    // A slot that nobody reads, without a limit to what it keeps.
    server.psql("shop", "SELECT pg_drop_replication_slot('other')");
    server.psql("shop", &format!("SELECT pg_create_logical_replication_slot('{}', 'pgoutput')", world.slot()));
    assert!(advice(&world, "slot", "problem", "nobody reads slot").contains("pg_drop_replication_slot"));
    let told = advice(&world, "slot", "warning", "max_slot_wal_keep_size is -1");
    for statement in told.split(": ").nth(1).expect("SQL").split(". ").next().expect("SQL").split("; ") {
        server.psql("postgres", statement);
    }
    assert!(wait::until(|| findings(&world, "slot").iter().any(|(_, found, _)| found.contains("is 51200 MiB"))));
}

#[test]
fn who_is_not_there_keeps_nothing_else_from_being_checked() {
    let mut world = World::new("absent");
    world.set("connect", "url", "http://127.0.0.1:1");
    let told = advice(&world, "connect", "problem", "does not answer");
    assert!(told.contains("fix what it names"));
    is_good(&world, "postgres");
    world.set("postgres", "url", "postgresql://cdc@127.0.0.1:1/shop");
    assert!(advice(&world, "postgres", "problem", "could not connect").contains("[postgres]"));
    assert!(findings(&world, "lake").iter().any(|(level, ..)| level == "ok"));
}
