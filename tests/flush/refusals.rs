//! What a run refuses, in words, with nothing changed.

use crate::support::Running;
use crate::world::World;

fn simple() -> World {
    World::new("CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text); INSERT INTO ledgers VALUES (1, 'a')")
}

#[track_caller]
fn refuses(world: &World, says: &[&str]) {
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert!(matches!(ended.code, Some(2 | 3)), "{:?}: {}", ended.code, ended.stderr);
    for part in says {
        assert!(ended.stderr.contains(part), "it does not say {part:?}: {}", ended.stderr);
    }
}

#[test]
fn wrong_places_are_named() {
    let mut world = simple();
    world.set("source.tables", r#"["ledgers", "missing"]"#);
    refuses(&world, &["source.tables", "\"missing\""]);
    world.set("source.tables", r#"[{ name = "ledgers", column = "nothing" }]"#);
    refuses(&world, &["has no column \"nothing\""]);
    world.set("source.tables", r#""auto""#).set("source.schema", r#""nowhere""#);
    refuses(&world, &["\"nowhere\"", "source.schema"]);
    world.set("source.schema", r#""public""#).set("source.watermark", r#"{ table = "gone", column = "sequence" }"#);
    refuses(&world, &["gone", "42P01"]);
    world.set("source.watermark", r#"{ table = "ledgers", column = "sequence" }"#).set("lake.create", "false");
    refuses(&world, &["no catalog is there", "lake.create = true"]);
    assert_eq!(world.number("SELECT count(*) FROM pg_namespace WHERE nspname = 'bronze_meta'"), 0, "nothing was made");
    world.set("lake.create", "true");
    world.flush();
    // What was made stays usable without the right to make more.
    world.set("lake.create", "false");
    world.flush();
    world.set("lake.schema", r#""silver""#);
    refuses(&world, &["lacks these tables: ledgers"]);
}

#[test]
fn a_catalog_of_another_version_or_path_is_left_alone() {
    let mut world = simple();
    world.flush();
    world.psql("INSERT INTO ledgers VALUES (2, 'b'); UPDATE bronze_meta.ducklake_metadata SET value = '2.0' WHERE key = 'version'");
    refuses(&world, &["version 2.0", "1.0 and 1.1"]);
    world.psql("UPDATE bronze_meta.ducklake_metadata SET value = '1.0' WHERE key = 'version'");
    world.set("lake.data_path", r#""file:elsewhere""#);
    refuses(&world, &["lake.data_path", "set lake.data_path to what the catalog says"]);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 1);
    // What the message says works, with and without a trailing slash.
    world.set("lake.data_path", r#""file:lake/""#);
    world.flush();
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
}

#[test]
fn no_password_is_shown() {
    let mut world = simple();
    world.through(1);
    world.set("source.password", r#""hunter2""#).set("source.url", r#""postgresql://u:hunter2@127.0.0.1:1/x""#);
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    let ended = world.run(&["doctor", "p.toml"]);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("hunter2"), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn rows_of_others_are_landed_beside_only_if_that_is_allowed() {
    let world = simple();
    world.flush();
    // A new pipeline name, in tables that have rows of the first.
    let ended = world.run(&["status", "p.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("flushed up to sequence 1"), "{}", ended.stdout);
    let ended = world.run(&["validate", "p.toml", "--connect"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("it fits"), "{}", ended.stdout);
    let ended = world.run(&["doctor", "p.toml"]);
    assert!(ended.stdout.contains("a run may claim it"), "{}", ended.stdout);
}

/// A run that goes on, after its first flush.
fn going_on(is_apart: bool) -> (World, Running) {
    let mut world = simple();
    world.psql("CREATE TABLE effects (ledger_sequence bigint, n bigint PRIMARY KEY)");
    world.psql("INSERT INTO effects VALUES (1, 1)");
    if is_apart {
        world.apart();
    }
    world.set("source.interval", r#""5s""#);
    let mut tail = world.tail("");
    tail.until_it_says("landed position=1");
    (world, tail)
}

const MORE: &str = "INSERT INTO effects VALUES (2, 2); INSERT INTO ledgers VALUES (2, 'b')";

#[test]
fn what_goes_away_under_a_run_is_named() {
    for (goes, comes, says) in [
        (
            "ALTER TABLE effects RENAME ledger_sequence TO other",
            "ALTER TABLE effects RENAME other TO ledger_sequence",
            "has no column \"ledger_sequence\", or is gone",
        ),
        (
            "ALTER TABLE effects RENAME TO others",
            "ALTER TABLE others RENAME TO effects",
            "has no column \"ledger_sequence\", or is gone",
        ),
        (
            "ALTER TABLE ledgers RENAME sequence TO other",
            "ALTER TABLE ledgers RENAME other TO sequence",
            "has no column \"sequence\", or is gone",
        ),
    ] {
        let (world, tail) = going_on(false);
        // In one transaction, so that no flush comes between.
        world.psql(&format!("BEGIN; {MORE}; {goes}; COMMIT"));
        let ended = tail.end().exits_with(3);
        assert!(ended.stderr.contains(says), "{goes}: {}", ended.stderr);
        world.psql(comes);
        assert_eq!(world.number("SELECT (SELECT count(*) FROM ledgers) + (SELECT count(*) FROM effects)"), 2, "{goes}");
        world.flush();
        assert_eq!(world.duck().lines("SELECT n FROM lake.bronze.effects ORDER BY n"), ["1", "2"], "{goes}");
    }
}

#[test]
fn a_catalog_that_is_migrated_under_a_run_is_left_alone() {
    for is_apart in [false, true] {
        let (world, tail) = going_on(is_apart);
        let version = |version: &str| {
            let set = format!("UPDATE bronze_meta.ducklake_metadata SET value = '{version}' WHERE key = 'version'");
            world.psql_of_the_catalog(&set);
        };
        version("2.0");
        let snapshots = || world.psql_of_the_catalog("SELECT count(*) FROM bronze_meta.ducklake_snapshot");
        let before = snapshots();
        world.psql(&format!("BEGIN; {MORE}; COMMIT"));
        let ended = tail.end().exits_with(3);
        assert!(ended.stderr.contains("version 2.0"), "{}", ended.stderr);
        assert_eq!(snapshots(), before);
        assert_eq!(world.number("SELECT (SELECT count(*) FROM ledgers) + (SELECT count(*) FROM effects)"), 2);
        version("1.0");
        world.flush();
        assert_eq!(world.duck().lines("SELECT count(*), max(sequence) FROM lake.bronze.ledgers"), ["2|2"]);
    }
}

#[test]
fn a_watermark_that_is_not_there_is_named() {
    let mut world = simple();
    world.set("source.watermark", r#"{ table = "ledgers", column = "nothing" }"#);
    refuses(&world, &["could not find source.watermark", "\"nothing\"", "42703"]);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 1);
}
