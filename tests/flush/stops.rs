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
fn once_moves_what_waited_and_leaves_what_came_meanwhile() {
    let world = simple();
    world.flush();
    // Whenever a snapshot is made, another row comes.
    world.psql(
        "CREATE SEQUENCE more START 4;
         CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS
             $$BEGIN INSERT INTO public.ledgers VALUES (nextval('public.more')); RETURN NULL; END$$;
         CREATE TRIGGER more AFTER INSERT ON bronze_meta.ducklake_snapshot
             FOR EACH STATEMENT EXECUTE FUNCTION more();
         INSERT INTO ledgers VALUES (3)",
    );
    for left in 4..=6 {
        world.flush();
        assert_eq!(world.psql("SELECT sequence FROM ledgers"), left.to_string());
        assert_eq!(world.flushes(), left - 2);
    }
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
