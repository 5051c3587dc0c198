//! SIGKILL at random instants, while ingesters write, replay and change rows, and DuckDB writes to
//! the same tables and compacts them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::duck::Duck;
use crate::support::{Random, wait};
use crate::world::World;

const KILLS: usize = 100;

/// An ingester: each statement is one ledger with its effects, some of them late. Every row has a
/// number of its own, which no other row ever has.
fn ingest(world: &World, ended: &AtomicBool, from: i64) -> i64 {
    let mut number = from;
    while !ended.load(Ordering::Relaxed) {
        let (ledger, late) = (number, if number % 5 == 0 { from } else { number });
        world.psql(&format!(
            "BEGIN; INSERT INTO ledgers VALUES ({ledger}, {number}) ON CONFLICT DO NOTHING;
             INSERT INTO effects SELECT {late}, {number}, i FROM generate_series(1, 20) i;
             INSERT INTO events SELECT {number}, {number}, 'e' || i, now() FROM generate_series(1, 5) i;
             SAVEPOINT notes; INSERT INTO notes SELECT {late}, {number}, i FROM generate_series(1, 5) i; RELEASE notes;
             UPDATE effects SET changed = true WHERE number = {}; COMMIT",
            number - 1
        ));
        // It is set back, and writes again what it has written before.
        if number % 3 == 0 {
            let again = from + (number * 7919) % (number - from + 1);
            world.psql(&format!(
                "INSERT INTO ledgers VALUES ({again}, {again}) ON CONFLICT DO NOTHING;
                 INSERT INTO events SELECT {again}, {again}, 'e' || i, now() FROM generate_series(1, 5) i ON CONFLICT DO NOTHING"
            ));
        }
        number += 1;
        wait::pause(Duration::from_millis(5));
    }
    number
}

/// Another writer: its rows have numbers below zero.
fn duck(duck: &mut Duck, ended: &AtomicBool) -> i64 {
    let (mut inserted, mut step) = (0, 0);
    while !ended.load(Ordering::Relaxed) {
        step += 1;
        let sql = match step % 4 {
            0 => "CALL ducklake_merge_adjacent_files('lake')".to_owned(),
            1 => format!("INSERT INTO lake.bronze.effects SELECT 1, {}, i, false FROM range(20) r(i)", -1 - inserted),
            _ => "SELECT count(*) FROM lake.bronze.effects".to_owned(),
        };
        // It may lose against a flush.
        if duck.sql(&sql).is_ok() && step % 4 == 1 {
            inserted += 1;
        }
        wait::pause(Duration::from_millis(100));
    }
    inserted
}

#[test]
fn kills_lose_and_double_nothing() {
    story(false, "skip");
}

#[test]
fn kills_with_a_catalog_in_another_database_lose_and_double_nothing() {
    story(true, "skip");
}

#[test]
fn kills_while_rows_are_replaced_lose_and_double_nothing() {
    story(true, "replace");
}

/// Tells the others that it is over, also if something fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn story(is_apart: bool, late: &str) {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, number bigint);
         CREATE TABLE effects (ledger_sequence bigint, number bigint, i int, changed bool DEFAULT false);
         CREATE TABLE events (ledger_sequence bigint, number int, name text, at timestamptz, PRIMARY KEY (number, name));
         CREATE TABLE notes (ledger_sequence bigint, number bigint, i int)",
    );
    world.psql("INSERT INTO ledgers VALUES (1, 0); INSERT INTO effects VALUES (1, 0, 0)");
    if is_apart {
        // A row that was changed while it was left hot is found by its key. Rows of `notes`, which
        // has none, are never changed.
        world.psql("ALTER TABLE effects ADD PRIMARY KEY (number, i)");
        world.apart();
        let keyed = ["ledgers", "effects", "events"].map(|name| format!("{{ name = {name:?}, late = {late:?} }}"));
        world.set("source.tables", &format!("[\"notes\", {}]", keyed.join(", ")));
    }
    world.set("source.interval", r#""5s""#).set("source.max_rows", "2000").set("vacuum.every", "3");
    world.flush();
    let (ended, world) = (AtomicBool::new(false), &world);
    let (last, inserted) = std::thread::scope(|scope| {
        let ingester = scope.spawn(|| ingest(world, &ended, 1));
        let mut other = world.duck();
        let duck = scope.spawn({
            let ended = &ended;
            move || duck(&mut other, ended)
        });
        let over = Over(&ended);
        let mut random = Random::new(7);
        let mut kills = 0;
        while kills < KILLS {
            let run = world.run_with("");
            wait::pause(Duration::from_millis(random.below(20..500)));
            match run.kill() {
                ended if ended.code.is_none() => kills += 1,
                ended => assert_eq!(ended.code, Some(0), "{}", ended.stderr),
            }
        }
        drop(over);
        (ingester.join().expect("the ingester"), duck.join().expect("the other writer"))
    });
    world.flush();
    let mut duck = world.duck();
    let rows = (last - 1) * 20 + 1;
    let counted = "SELECT count(*), count(DISTINCT (number, i)) FROM lake.bronze.effects WHERE number >= 0";
    assert_eq!(duck.lines(counted), [format!("{rows}|{rows}")]);
    let counted = "SELECT count(*), count(DISTINCT (number, i)) FROM lake.bronze.effects WHERE number < 0";
    assert_eq!(duck.lines(counted), [format!("{0}|{0}", inserted * 20)]);
    let notes = (last - 1) * 5;
    let counted = "SELECT count(*), count(DISTINCT (number, i)) FROM lake.bronze.notes";
    assert_eq!(duck.lines(counted), [format!("{notes}|{notes}")]);
    // What came back was skipped, or has replaced what was there: each key is there once.
    let keys = (last - 1) * 5;
    let counted = "SELECT count(*), count(DISTINCT (number, name)) FROM lake.bronze.events";
    assert_eq!(duck.lines(counted), [format!("{keys}|{keys}")]);
    let counted = "SELECT count(*) - count(DISTINCT sequence) FROM lake.bronze.ledgers";
    assert_eq!(duck.lines(counted), ["0"]);
    for table in ["ledgers", "effects", "events", "notes"] {
        assert_eq!(world.number(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    // What DuckDB inserts and merges meanwhile is not ours.
    let said = world.proves();
    let foreign: u64 =
        said["tables"].as_array().expect("tables").iter().filter_map(|of| of["foreign_rows"].as_u64()).sum();
    assert_eq!(foreign, inserted.unsigned_abs() * 20, "{said:#}");
    println!("{rows} rows of ours, {} of DuckDB, {} flushes", inserted * 20, world.flushes());
}
