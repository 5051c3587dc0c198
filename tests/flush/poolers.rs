//! Poolers between a run and its server. What they take away in transaction mode is found before
//! anything is written; in session mode they take nothing away.

use std::time::Duration;

use crate::support::pooler::{Mode, Pooler};
use crate::support::postgres::Server;
use crate::support::wait;
use crate::world::World;

const SAYS: [&str; 2] = ["a pooler in front of the server", "to the pooler in session mode"];

fn simple() -> World {
    World::new("CREATE TABLE ledgers (sequence bigint PRIMARY KEY); INSERT INTO ledgers VALUES (1), (2)")
}

/// All commands that connect say what is wrong, and nothing was made.
#[track_caller]
fn is_refused(world: &World, how: &str) {
    for arguments in [&["run", "p.toml", "--once"][..], &["validate", "p.toml", "--connect"], &["doctor", "p.toml"]] {
        let ended = world.run(arguments);
        assert_eq!(ended.code, Some(3), "{how}, {arguments:?}: {}{}", ended.stdout, ended.stderr);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        for part in SAYS {
            assert!(said.contains(part), "{how}, {arguments:?} does not say {part:?}: {said}");
        }
    }
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 2, "{how}: nothing is deleted");
}

#[test]
fn in_transaction_mode_a_pooler_is_refused() {
    let mut world = simple();
    for (mode, most) in [(Mode::LastFirst, 1), (Mode::LastFirst, 5), (Mode::InTurn, 1), (Mode::InTurn, 3)] {
        world.through(Pooler::start(Server::shared().port(), mode, most).port);
        is_refused(&world, &format!("{mode:?} of {most}"));
        let made = "SELECT count(*) FROM pg_namespace WHERE nspname = 'bronze_meta'";
        assert_eq!(world.number(made), 0, "no catalog is made");
    }
}

#[test]
fn in_transaction_mode_a_pooler_before_the_catalog_is_refused_too() {
    for mode in [Mode::LastFirst, Mode::InTurn] {
        let mut world = simple();
        world.apart();
        world.catalog_through(Pooler::start(Server::shared().port(), mode, 4).port);
        is_refused(&world, &format!("{mode:?}"));
        assert_eq!(world.psql_of_the_catalog("SELECT count(*) FROM pg_namespace WHERE nspname = 'bronze_meta'"), "0");
    }
}

#[test]
fn in_session_mode_a_pooler_changes_nothing() {
    let mut world = simple();
    world.through(Pooler::start(Server::shared().port(), Mode::Session, 12).port);
    world.flush();
    // The next run gets the sessions of the one before.
    world.psql("INSERT INTO ledgers VALUES (2), (3)");
    world.flush();
    assert_eq!(world.duck().lines("SELECT sequence FROM lake.bronze.ledgers ORDER BY 1"), ["1", "2", "3"]);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
}

#[test]
fn a_pooler_that_loses_settings_later_ends_the_run() {
    let mut world = simple();
    let pooler = Pooler::start(Server::shared().port(), Mode::Session, 20);
    world.through(pooler.port);
    world.set("source.interval", r#""5s""#);
    let mut tail = world.tail("");
    tail.until_it_says("landed position=1");
    pooler.becomes(Mode::InTurn);
    world.psql("INSERT INTO ledgers VALUES (3)");
    // The first flush after that may still have the sessions that it had.
    let mut number = 3;
    assert!(wait::until(|| {
        number += i64::from(world.try_psql(&format!("INSERT INTO ledgers VALUES ({})", number + 1)).is_ok());
        wait::pause(Duration::from_millis(100));
        tail.has_ended()
    }));
    let ended = tail.end().exits_with(3);
    assert!(ended.stderr.contains(SAYS[0]), "{}", ended.stderr);
    // Nothing is lost: each row is in one of the two places.
    let landed: i64 = world.duck().lines("SELECT count(*) FROM lake.bronze.ledgers")[0].parse().expect("a number");
    assert!(world.number("SELECT count(*) FROM ledgers") > 0);
    assert_eq!(landed + world.number("SELECT count(*) FROM ledgers"), number);
}
