//! The whole way in Avro: a real converter writes it, and a registry of the test keeps its schemas.

use crate::doctor::{advice, findings};
use crate::proved::{land, lands_every_type, of, proof};
use crate::support::random::Random;
use crate::support::registry::Registry;
use crate::tables::{ITEMS, change, comes_to_hold_the_same};
use crate::world::World;

/// A world whose connector writes Avro.
fn world(stem: &str, registry: &Registry) -> World {
    let mut world = World::new(stem);
    world.set("source.decode", "format", "avro").set("source.registry", "url", &registry.url());
    world.set("connect", "converter", "apicurio").set("connect", "heartbeat_interval", "1s");
    world
}

#[test]
fn values_of_every_type_in_avro_are_as_postgresql_has_them() {
    let registry = Registry::start();
    lands_every_type(&mut world("avrokinds", &registry));
    assert!(registry.count() >= 2, "the converter has registered keys and values");
}

#[test]
fn changes_in_avro_become_the_rows_that_postgresql_has() {
    let registry = Registry::start();
    let mut world = world("avro", &registry);
    world.line("commit", "rows", "50");
    world.psql(ITEMS);
    world.debezium(&["register"]).exits_with(0);
    let mut random = Random::new(30);
    for round in 0..3 {
        change(&world, &mut random);
        comes_to_hold_the_same(&world, &format!("round {round}"));
    }
    // A new schema of the same subject.
    world.psql("ALTER TABLE items ADD COLUMN extra int; UPDATE items SET extra = id, amount = amount + 1");
    comes_to_hold_the_same(&world, "after a new column");
    let found = proof(&world, 0);
    assert_eq!(found["all_proved"], true, "{found:#}");
}

#[test]
fn a_converter_that_loses_null_is_told_of_before_and_by_prove() {
    let registry = Registry::start();
    let world = world("avronull", &registry);
    world.psql(
        "SET ROLE cdc; CREATE TABLE fees (id int PRIMARY KEY, fee int DEFAULT 7);
         INSERT INTO fees VALUES (1, NULL), (2, 3)",
    );
    let found = advice(&world, "nulls", "problem", "public.fees (fee)");
    assert!(found.contains("DROP DEFAULT"), "{found}");
    world.debezium(&["register"]).exits_with(0);
    land(&world, "fees", 2);
    assert_eq!(of(&proof(&world, 1), "public.fees")["differing_rows"], 1);
    // What the advice says.
    world.psql("ALTER TABLE fees ALTER COLUMN fee DROP DEFAULT; UPDATE fees SET fee = fee");
    assert!(findings(&world, "nulls").is_empty(), "{:?}", findings(&world, "nulls"));
    land(&world, "fees", 4);
    assert_eq!(proof(&world, 0)["all_proved"], true);
}
