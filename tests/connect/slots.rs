//! The replication slot: it moves on also while nothing changes that is captured.

use crate::support::wait;
use crate::world::{World, server};

#[test]
fn it_moves_while_only_others_change() {
    let mut world = World::new("moves");
    world.set("connect", "heartbeat_interval", "1s");
    world.debezium(&["register"]).exits_with(0);
    world.has_events("customers", 2);
    // Another database writes to the same log.
    server().psql("postgres", "CREATE TABLE busy AS SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i");
    let at = server().psql("postgres", "SELECT pg_current_wal_lsn()");
    let has_passed = || world.of_slot(&format!("confirmed_flush_lsn >= '{at}'")) == "t";
    assert!(wait::until(has_passed), "it stays at {}", world.of_slot("confirmed_flush_lsn"));
    assert_eq!(world.events("customers").len(), 2, "a heartbeat is no event");
}
