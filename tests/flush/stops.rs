//! A run that goes on, and how it ends.

use crate::world::World;

fn simple() -> World {
    let mut world =
        World::new("CREATE TABLE ledgers (sequence bigint PRIMARY KEY); INSERT INTO ledgers VALUES (1), (2)");
    world.set("source.interval", r#""1h""#);
    world
}

#[test]
fn a_signal_makes_a_last_flush() {
    let world = simple();
    let mut tail = world.tail("");
    tail.until_it_says("landed");
    // The next flush is an hour away.
    world.psql("INSERT INTO ledgers VALUES (3), (4), (5)");
    let ended = tail.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0, "{}", ended.stderr);
    assert_eq!(world.duck().lines("SELECT count(*) FROM lake.bronze.ledgers"), ["5"]);
    assert_eq!(world.flushes(), 2);
}

#[test]
fn a_last_flush_that_takes_too_long_is_abandoned() {
    let mut world = simple();
    world.set("source.shutdown_timeout", r#""1s""#);
    let mut tail = world.tail("stage-synced=1*off->sleep(60000)");
    tail.until_it_says("landed");
    world.psql("INSERT INTO ledgers VALUES (3), (4), (5)");
    let ended = tail.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("abandoned after source.shutdown_timeout (1 s)"), "{}", ended.stderr);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 3, "they stay");
    assert_eq!(world.flushes(), 1);
    world.flush();
    assert_eq!(world.duck().lines("SELECT count(*) FROM lake.bronze.ledgers"), ["5"]);
}

#[test]
fn flushes_follow_each_other() {
    let mut world = simple();
    world.set("source.interval", r#""5s""#);
    let mut tail = world.tail("");
    tail.until_it_says("landed position=1");
    world.psql("INSERT INTO ledgers VALUES (3)");
    tail.until_it_says("landed position=2");
    // A newer run takes the pipeline over.
    let ended = world.run(&["run", "p.toml", "--once", "--take-over"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(tail.end().code, Some(4), "the older run is fenced");
}

#[test]
fn a_server_that_restarts_is_waited_for() {
    let (mut server, database) = (crate::support::postgres::Server::start(), "hot");
    server.create_database(database);
    server.psql(database, "CREATE TABLE ledgers (sequence bigint PRIMARY KEY); INSERT INTO ledgers VALUES (1), (2)");
    let mut world = simple();
    world.set("source.interval", r#""5s""#);
    world.at(&server.url(database), &server.conninfo(database));
    let mut tail = world.tail("");
    tail.until_it_says("landed position=1");
    server.psql(database, "INSERT INTO ledgers VALUES (3)");
    server.restart();
    tail.until_it_says("landed position=2");
    assert_eq!(tail.stop().code, Some(0));
    assert_eq!(world.duck().lines("SELECT count(*) FROM lake.bronze.ledgers"), ["3"]);
}
