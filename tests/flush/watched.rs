//! What a run shows of its flushes: numbers by table, health, and what the page is drawn from.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::http::{Answer, free_address, get};
use crate::support::postgres::Server;
use crate::support::process::Running;
use crate::support::promtext::{Family, parse};
use crate::support::wait;
use crate::world::World;

const TABLES: [&str; 3] = ["effects", "events", "ledgers"];

/// Three tables with a hundred rows each. The last has no key, so it appends what comes back.
fn hundred() -> (World, SocketAddr) {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         CREATE TABLE events (ledger_sequence bigint, id int PRIMARY KEY);
         CREATE TABLE effects (ledger_sequence bigint, v text);
         INSERT INTO ledgers SELECT i, 'v' || i FROM generate_series(1, 100) i;
         INSERT INTO events SELECT i, i FROM generate_series(1, 100) i;
         INSERT INTO effects SELECT i, 'v' FROM generate_series(1, 100) i",
    );
    let address = watch(&mut world);
    (world, address)
}

/// Sets an address to watch runs, and a short time until they count as stalled. Returns the
/// address.
fn watch(world: &mut World) -> SocketAddr {
    let address = free_address();
    world.set("http.listen", &format!("{:?}", address.to_string())).set("http.stall", r#""500ms""#);
    address
}

/// Waits until the answer for `path` satisfies `is`, and returns it.
fn until(run: &mut Running, address: SocketAddr, path: &str, is: impl Fn(&Answer) -> bool) -> Answer {
    let mut last = None;
    run.until(&format!("answered {path} as expected"), || {
        last = get(address, path);
        last.as_ref().is_some_and(&is)
    });
    last.expect("an answer")
}

/// Waits until the run has landed so many flushes.
fn until_flushed(run: &mut Running, address: SocketAddr, flushes: u64) {
    until(run, address, "/health", |answer| answer.json()["flushes"] == flushes);
}

fn value(families: &BTreeMap<String, Family>, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let family = families.get(name).unwrap_or_else(|| panic!("no {name}"));
    let found = family.samples.iter().find(|sample| sample.labels == labels);
    found.unwrap_or_else(|| panic!("no {name} of {labels:?}")).value
}

#[test]
fn rows_that_land_come_back_and_go_are_counted_by_table() {
    let (mut world, address) = hundred();
    world.set("source.interval", r#""5s""#).set("vacuum.every", "1");
    let mut tail = world.tail("");
    until_flushed(&mut tail, address, 1);
    // In one transaction, so that one flush sees all of it.
    world.psql(
        "BEGIN;
         INSERT INTO ledgers SELECT i, 'again' FROM generate_series(41, 60) i;
         INSERT INTO ledgers VALUES (101, 'new');
         INSERT INTO events SELECT i, i FROM generate_series(41, 60) i;
         INSERT INTO events VALUES (50, 1000);
         INSERT INTO effects VALUES (7, 'again'), (8, 'again');
         COMMIT",
    );
    until_flushed(&mut tail, address, 2);
    let vacuumed = |answer: &Answer| {
        let families = parse(&answer.body).expect("Prometheus takes it");
        let spent =
            |table| value(&families, "lakefront_flush_step_seconds_total", &[("step", "vacuum"), ("table", table)]);
        TABLES
            .iter()
            .all(|table| spent(table) > 0.0 && value(&families, "lakefront_waiting_rows", &[("table", table)]) == 0.0)
    };
    let text = until(&mut tail, address, "/metrics", vacuumed).body;
    let families = parse(&text).expect("Prometheus takes it");
    let value = |name: &str, labels: &[(&str, &str)]| value(&families, name, labels);
    for (table, landed, deleted, skipped, appended) in
        [("ledgers", 101.0, 121.0, 20.0, 0.0), ("events", 101.0, 121.0, 20.0, 1.0), ("effects", 102.0, 102.0, 0.0, 2.0)]
    {
        let of = ("table", table);
        assert_eq!(value("lakefront_rows_total", &[of]), landed, "{table}");
        assert_eq!(value("lakefront_deleted_rows_total", &[of]), deleted, "{table}");
        assert_eq!(value("lakefront_late_rows_total", &[of, ("outcome", "skipped")]), skipped, "{table}");
        assert_eq!(value("lakefront_late_rows_total", &[of, ("outcome", "appended")]), appended, "{table}");
        assert_eq!(value("lakefront_watermark", &[of]), 101.0, "{table}");
        for step in ["copy", "encode", "upload", "delete"] {
            assert!(value("lakefront_flush_step_seconds_total", &[of, ("step", step)]) > 0.0, "{table}: {step}");
        }
        let compared = value("lakefront_flush_step_seconds_total", &[of, ("step", "late")]);
        assert_eq!(compared > 0.0, table != "effects", "{table} appends, or is compared with the lake");
    }
    assert!(value("lakefront_flush_step_seconds_total", &[("step", "commit"), ("table", "")]) > 0.0);
    assert_eq!((value("lakefront_flushes_total", &[]), value("lakefront_last_flush_rows", &[])), (2.0, 4.0));
    let (at, took) =
        (value("lakefront_last_flush_timestamp_seconds", &[]), value("lakefront_last_flush_duration_seconds", &[]));
    assert!((0.0..600.0).contains(&(wait::now() - at)) && took > 0.0, "{at}, {took}");
    tail.stop();
    assert_eq!(world.duck().lines("SELECT count(*) FROM lake.bronze.effects"), ["102"], "as it was counted");
}

#[test]
fn what_the_page_shows_is_that_of_flushes() {
    let (mut world, address) = hundred();
    world.set("source.interval", r#""1h""#);
    let mut tail = world.tail("");
    until_flushed(&mut tail, address, 1);
    // What comes in waits for its turn.
    world.psql("INSERT INTO ledgers VALUES (101, 'a'), (102, 'b'); INSERT INTO effects VALUES (102, 'c')");
    let now = until(&mut tail, address, "/status.json", |answer| answer.json()["flushes"]["waiting"] == 3).json();
    assert_eq!((&now["unit"], &now["position"], &now["lag"]), (&json!("flushes"), &json!(1), &json!(0)), "{now}");
    let flushes = &now["flushes"];
    assert_eq!((&flushes["landed"], &flushes["last"]["rows"]), (&json!(1), &json!(300)));
    let next = flushes["next_in_seconds"].as_f64().expect("a number");
    assert!((3000.0..3600.0).contains(&next), "{next}");
    for reason in ["not_begun", "not_copied", "changed", "conflict", "disconnected", "empty"] {
        assert!(flushes["void"][reason].is_u64(), "{reason} in {flushes}");
    }
    assert!(now["history"]["waiting"].is_array());
    for (table, (name, waiting)) in now["tables"].as_array().expect("tables").iter().zip(TABLES.iter().zip([1, 0, 2])) {
        assert_eq!((&table["name"], &table["role"]), (&json!(name), &json!(name)));
        assert_eq!((&table["watermark"], &table["waiting"]), (&json!(100), &json!(waiting)), "{table}");
        assert_eq!((&table["rows"], &table["deleted"]), (&json!(100), &json!(100)), "{table}");
        assert_eq!(table["late"], json!({"skipped": 0, "appended": 0, "replaced": 0}));
    }
    // More than http.stall has passed since they came.
    let health = get(address, "/health").expect("an answer");
    assert_eq!(health.status, 200, "to wait for the next flush is no stall: {health:?}");
    let health = health.json();
    assert_eq!((&health["status"], &health["waiting"]), (&json!("ok"), &json!(3)));
    assert_eq!(health["watermarks"], json!({"effects": 100, "events": 100, "ledgers": 100}));
    assert_eq!((&health["flushes"], &health["rows"]), (&json!(1), &json!(300)));
    assert_eq!((&health["last_flush"]["rows"], &health["position"]), (&json!(300), &json!(1)));
    assert!(health["next_flush_in_seconds"].as_f64() > Some(3000.0), "{health}");
    tail.stop();
    says_when_it_has_flushed(&world);
}

/// `status` says what was landed last, whether a run is alive or not.
fn says_when_it_has_flushed(world: &World) {
    let last = world.psql(
        "SELECT position || '|' || snapshot_id FROM bronze_meta.lakefront_commits
         WHERE snapshot_id IS NOT NULL ORDER BY version DESC LIMIT 1",
    );
    let (position, snapshot) = last.split_once('|').expect("two numbers");
    let ended = world.run(&["status", "p.toml"]).exits_with(0);
    let told = ended.stdout.lines().find(|line| line.starts_with("  last flush: ")).expect("it says so");
    assert!(told.starts_with(&format!("  last flush: {position}, at 20")), "{told}");
    assert!(told.ends_with(&format!(", snapshot {snapshot} of the lake")), "{told}");
    let json: Value = world.run(&["status", "p.toml", "--json"]).exits_with(0).json();
    let (number, of) = (|key: &str| json["last_flush"][key].to_string(), &json["last_flush"]["at"]);
    assert_eq!((number("position"), number("snapshot")), (position.to_owned(), snapshot.to_owned()));
    assert!(of.as_str().is_some_and(|at| at.ends_with('Z')), "{json}");
}

#[test]
fn a_server_that_is_gone_makes_health_fail_until_it_is_back() {
    let (mut server, database) = (Server::start(), "hot");
    server.create_database(database);
    server.psql(database, "CREATE TABLE ledgers (sequence bigint PRIMARY KEY); INSERT INTO ledgers VALUES (1), (2)");
    let mut world = World::new("");
    let address = watch(&mut world);
    world.set("source.interval", r#""5s""#).at(&server.url(database), &server.conninfo(database));
    let mut tail = world.tail("");
    until_flushed(&mut tail, address, 1);
    assert_eq!(get(address, "/health").expect("an answer").status, 200);
    server.kill();
    let answer =
        until(&mut tail, address, "/health", |answer| answer.status == 503 && answer.json()["status"] == "failing");
    let failing = answer.json();
    assert!(failing["error"].as_str().is_some_and(|error| !error.is_empty()), "{failing}");
    assert!(failing["reason"].as_str().is_some_and(|reason| reason.contains("and is being retried")), "{failing}");
    assert!(failing["since"].is_string(), "{failing}");
    assert_eq!(get(address, "/health/live").expect("an answer").status, 200);
    let not_begun = |text: &str| {
        let families = parse(text).expect("Prometheus takes it");
        value(&families, "lakefront_void_flushes_total", &[("reason", "not_begun")]) > 0.0
            && value(&families, "lakefront_retries_total", &[("kind", "source")]) > 0.0
    };
    until(&mut tail, address, "/metrics", |answer| not_begun(&answer.body));
    server.restart();
    server.psql(database, "INSERT INTO ledgers VALUES (3)");
    until_flushed(&mut tail, address, 2);
    until(&mut tail, address, "/health", |answer| answer.status == 200 && answer.json()["status"] == "ok");
    tail.stop();
    assert_eq!(world.duck().lines("SELECT count(*) FROM lake.bronze.ledgers"), ["3"]);
}

#[test]
fn a_flush_that_is_made_again_is_counted_with_its_reason() {
    let (mut world, address) = hundred();
    world.set("source.interval", r#""1h""#);
    world.flush();
    world.psql("INSERT INTO ledgers VALUES (101, 'a'), (102, 'b'); INSERT INTO effects VALUES (102, 'c')");
    let (mut duck, staged) = (world.duck(), world.path("lake/bronze/ledgers"));
    let files = || staged.read_dir().expect("the table's folder").count();
    let before = files();
    // The rows are copied, and another writer inserts before the commit.
    let mut tail = world.tail("ducklake-lock=1*sleep(8000)");
    tail.until("staged a file", || files() > before);
    duck.rows("INSERT INTO lake.bronze.ledgers VALUES (1000, 'of DuckDB')");
    until_flushed(&mut tail, address, 1);
    let families = parse(&get(address, "/metrics").expect("an answer").body).expect("Prometheus takes it");
    assert_eq!(value(&families, "lakefront_void_flushes_total", &[("reason", "conflict")]), 1.0);
    assert_eq!(value(&families, "lakefront_flushes_total", &[]), 1.0);
    for (table, rows) in TABLES.iter().zip([1.0, 0.0, 2.0]) {
        assert_eq!(value(&families, "lakefront_deleted_rows_total", &[("table", table)]), rows, "not twice");
    }
    assert_eq!(value(&families, "lakefront_last_flush_rows", &[]), 3.0, "not twice");
    until(&mut tail, address, "/health", |answer| answer.status == 200);
    tail.stop();
}
