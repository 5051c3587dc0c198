//! The downstream gate: only what another reader has confirmed is deleted.

use std::time::Duration;

use crate::crashes::Crashes;
use crate::support::postgres::Server;
use crate::support::{Random, wait};
use crate::world::World;

const GATE: &str = r#"{ query = "select last_sequence from checkpoints where id = 1" }"#;

/// A table without a primary key, and two with one: with the sequence, and without. The gate is in
/// the same database.
fn gated() -> World {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         CREATE TABLE events (ledger_sequence bigint, id int PRIMARY KEY, v text);
         CREATE TABLE effects (ledger_sequence bigint, n int);
         CREATE TABLE checkpoints (id int PRIMARY KEY, last_sequence bigint)",
    );
    world.set("source.downstream", GATE);
    world
}

/// A row of each table for each of these sequences.
fn ingest(world: &World, from: i64, to: i64) {
    world.psql(&format!(
        "INSERT INTO ledgers SELECT i, 'first' FROM generate_series({from}, {to}) i;
         INSERT INTO events SELECT i, i, 'first' FROM generate_series({from}, {to}) i;
         INSERT INTO effects SELECT i, i FROM generate_series({from}, {to}) i"
    ));
}

fn confirm(world: &World, up_to: i64) {
    world.psql(&format!(
        "INSERT INTO checkpoints VALUES (1, {up_to}) ON CONFLICT (id) DO UPDATE SET last_sequence = {up_to}"
    ));
}

/// The rows of each table that are hot, and the lowest sequence among them.
fn hot(world: &World) -> String {
    world.psql(
        "SELECT count(*), min(sequence) FROM ledgers UNION ALL SELECT count(*), min(ledger_sequence) FROM events
         UNION ALL SELECT count(*), min(ledger_sequence) FROM effects",
    )
}

/// The lake has so many ledgers and events, and so many effects, each once.
#[track_caller]
fn lake_has(world: &World, keyed: i64, unkeyed: i64) {
    let mut duck = world.duck();
    for (table, key, rows) in [("ledgers", "sequence", keyed), ("events", "id", keyed), ("effects", "n", unkeyed)] {
        let counted = format!("SELECT count(*), count(DISTINCT {key}) FROM lake.bronze.{table}");
        assert_eq!(duck.lines(&counted), [format!("{rows}|{rows}")], "{table}");
    }
}

#[test]
fn rows_land_at_once_and_are_deleted_once_they_are_confirmed() {
    let world = gated();
    ingest(&world, 1, 100);
    // Nothing is confirmed. Rows without a key wait, because nothing would tell them later.
    world.flush();
    assert_eq!(hot(&world), "100|1\n100|1\n100|1");
    lake_has(&world, 100, 0);
    world.flush();
    assert_eq!(world.flushes(), 1, "rows that wait only for the gate are no flush");
    confirm(&world, 40);
    world.flush();
    assert_eq!(hot(&world), "60|41\n60|41\n60|41");
    lake_has(&world, 100, 40);
    let said = world.run(&["status", "p.toml"]);
    assert!(said.stdout.contains("confirmed up to 40"), "{}", said.stdout);
    assert_eq!(said.stdout.matches("0 flushes behind").count(), 3, "{}", said.stdout);
    let flushes = world.flushes();
    world.flush();
    assert_eq!((hot(&world).as_str(), world.flushes()), ("60|41\n60|41\n60|41", flushes));
    // The gate is among the new rows.
    ingest(&world, 101, 110);
    confirm(&world, 105);
    world.flush();
    assert_eq!(hot(&world), "5|106\n5|106\n5|106");
    lake_has(&world, 110, 105);
    // NULL is nothing.
    world.psql("UPDATE checkpoints SET last_sequence = NULL");
    ingest(&world, 111, 120);
    world.flush();
    assert_eq!(hot(&world), "15|106\n15|106\n15|106");
    lake_has(&world, 120, 105);
    // So is a gate that went back.
    confirm(&world, 50);
    world.flush();
    assert_eq!(hot(&world), "15|106\n15|106\n15|106");
    confirm(&world, 1_000_000);
    world.flush();
    assert_eq!(hot(&world), "0|\n0|\n0|");
    lake_has(&world, 120, 120);
}

#[test]
fn late_and_changed_rows_are_told_by_their_key() {
    let world = gated();
    ingest(&world, 1, 100);
    confirm(&world, 40);
    world.flush();
    world.psql(
        "INSERT INTO events VALUES (20, 20, 'again'), (20, 1020, 'late'), (70, 1070, 'late');
         UPDATE events SET v = 'changed' WHERE id = 80; UPDATE ledgers SET v = 'changed' WHERE sequence = 80",
    );
    world.flush();
    assert_eq!(world.psql("SELECT count(*), count(*) FILTER (WHERE id > 1000) FROM events"), "61|1");
    let mut duck = world.duck();
    let counted = "SELECT v, count(*), count(DISTINCT id) FROM lake.bronze.events GROUP BY 1 ORDER BY 1";
    assert_eq!(duck.lines(counted), ["first|100|100", "late|2|2"]);
    confirm(&world, 100);
    world.flush();
    assert_eq!(hot(&world), "0|\n0|\n0|");
    assert_eq!(duck.lines(counted), ["first|100|100", "late|2|2"]);
    assert_eq!(duck.lines("SELECT v, count(*) FROM lake.bronze.ledgers GROUP BY 1"), ["first|100"]);
}

#[test]
fn one_run_follows_the_gate() {
    let mut world = gated();
    world.set("source.interval", r#""5s""#);
    ingest(&world, 1, 100);
    let mut tail = world.tail("");
    tail.until_it_says("landed position=1");
    // What the run knows to be in the lake it does not look up there.
    let mut duck = world.duck();
    duck.rows("DELETE FROM lake.bronze.events WHERE id <= 10");
    // At once, because the run may look at any moment.
    world.psql(
        "BEGIN; UPDATE events SET v = 'changed' WHERE id = 50; INSERT INTO events VALUES (50, 1050, 'late');
         INSERT INTO checkpoints VALUES (1, 60); COMMIT",
    );
    tail.until_it_says("landed position=2");
    assert_eq!(hot(&world), "40|61\n40|61\n40|61");
    assert!(tail.stderr().contains("are confirmed, and are deleted"), "{}", tail.stderr());
    confirm(&world, 30);
    tail.until_it_says("the downstream gate went back");
    world.psql("DELETE FROM checkpoints");
    tail.until_it_says("confirmed=\"nothing\"");
    world.psql("INSERT INTO ledgers VALUES (101, 'first')");
    tail.until_it_says("landed position=3");
    assert_eq!(tail.stop().code, Some(0));
    assert_eq!(hot(&world), "41|61\n40|61\n40|61");
    let counted = "SELECT v, count(*), count(DISTINCT id) FROM lake.bronze.events GROUP BY 1 ORDER BY 1";
    assert_eq!(duck.lines(counted), ["first|90|90", "late|1|1"]);
    assert_eq!(duck.lines("SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers"), ["101|101"]);
    assert_eq!(duck.lines("SELECT count(*), max(n) FROM lake.bronze.effects"), ["60|60"]);
}

#[test]
fn rows_land_while_the_gate_is_out_of_reach() {
    let mut other = Server::start();
    other.create_database("silver");
    other.psql("silver", "CREATE TABLE progress (up_to int); INSERT INTO progress VALUES (40)");
    let mut world = gated();
    let gate = format!("{{ url = {:?}, query = \"SELECT up_to FROM public.progress;\" }}", other.url("silver"));
    world.set("source.downstream", &gate);
    ingest(&world, 1, 100);
    world.flush();
    assert_eq!(hot(&world), "60|41\n60|41\n60|41");
    other.kill();
    ingest(&world, 101, 110);
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("nothing is deleted until it answers"), "{}", ended.stderr);
    assert_eq!(hot(&world), "70|41\n70|41\n70|41");
    lake_has(&world, 110, 40);
    for arguments in [["validate", "p.toml", "--connect"].as_slice(), &["doctor", "p.toml"]] {
        let ended = world.run(arguments);
        assert_ne!(ended.code, Some(0), "{}", ended.stdout);
        let said = ended.stdout + &ended.stderr;
        assert!(said.contains("silver"), "{said}");
    }
    other.restart();
    other.psql("silver", "UPDATE progress SET up_to = 105");
    let said = world.run(&["validate", "p.toml", "--connect"]);
    assert!(said.code == Some(0) && said.stdout.contains("confirmed up to 105"), "{} {}", said.stdout, said.stderr);
    world.flush();
    assert_eq!(hot(&world), "5|106\n5|106\n5|106");
    lake_has(&world, 110, 105);
}

#[test]
fn a_query_that_cannot_be_right_is_refused_before_anything_is_written() {
    let mut world = gated();
    ingest(&world, 1, 10);
    world.psql("INSERT INTO checkpoints VALUES (1, 5), (2, 6)");
    for (query, says) in [
        ("select last_sequence from nowhere", "SQLSTATE 42P01"),
        ("select last_sequence", "SQLSTATE 42703"),
        ("select 'x'", "its column is text, not an integer"),
        ("select 1.5", "its column is numeric, not an integer"),
        ("select id, last_sequence from checkpoints", "the query returns 2 columns"),
        ("select last_sequence from checkpoints", "the query returns 2 rows"),
        ("select 1; select 2", "SQLSTATE 42601"),
        ("delete from checkpoints returning 1", "SQLSTATE 25006"),
        ("vacuum", "the query returns 0 columns"),
    ] {
        world.set("source.downstream", &format!("{{ query = {query:?} }}"));
        for arguments in [["run", "p.toml", "--once"], ["validate", "p.toml", "--connect"]] {
            let ended = world.run(&arguments);
            assert_eq!(ended.code, Some(3), "{query}: {}", ended.stderr);
            let both = ended.stderr.contains("source.downstream.query") && ended.stderr.contains(says);
            assert!(both, "it does not say {says:?}: {}", ended.stderr);
        }
        let said = world.run(&["doctor", "p.toml"]).stdout;
        assert!(said.contains(says) && said.contains("check [source.downstream]"), "{said}");
    }
    assert_eq!(world.number("SELECT count(*) FROM pg_namespace WHERE nspname = 'bronze_meta'"), 0, "nothing was made");
    assert_eq!(world.number("SELECT count(*) FROM checkpoints"), 2);
    assert_eq!(hot(&world), "10|1\n10|1\n10|1");
}

#[test]
fn a_table_with_a_key_looks_for_its_rows() {
    let mut world = gated();
    world.set("source.late", r#""append""#);
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("but these tables have another: events, ledgers"), "{}", ended.stderr);
}

/// Beside the steps of every flush, those of rows that wait for the gate.
#[test]
fn a_crash_at_any_step_deletes_nothing_above_the_gate() {
    crashes(&gated(), &["flush-skipped"]);
}

#[test]
fn a_crash_between_two_databases_deletes_nothing_above_the_gate() {
    let mut world = gated();
    world.apart();
    crashes(&world, &["flush-skipped", "flush-forget", "flush-forgotten"]);
}

/// So many of the latest ledgers are never confirmed.
const BEHIND: i64 = 3;

/// All rows above the gate are hot.
#[track_caller]
fn is_kept(world: &World, sequence: i64) {
    let above = (sequence - BEHIND).max(0);
    for (table, column) in [("ledgers", "sequence"), ("events", "ledger_sequence"), ("effects", "ledger_sequence")] {
        let kept = world.number(&format!("SELECT count(*) FROM {table} WHERE {column} > {above}"));
        assert_eq!(kept, sequence - above, "{table} above {above}");
    }
}

/// Once everything is confirmed, everything has landed once.
fn ends_whole(world: &World, sequence: i64) {
    world.flush();
    is_kept(world, sequence);
    confirm(world, sequence);
    world.flush();
    assert_eq!(hot(world), "0|\n0|\n0|");
    lake_has(world, sequence, sequence);
}

fn crashes(world: &World, required: &[&str]) {
    let before = |sequence: i64, _: &str| {
        ingest(world, sequence, sequence);
        confirm(world, sequence - BEHIND);
    };
    let crashes = Crashes::at_each_step(world, before, |sequence| is_kept(world, sequence));
    ends_whole(world, crashes.runs);
    crashes.came_to(&["ducklake-written", "ducklake-committed", "acknowledge"], required);
}

#[test]
fn kills_delete_nothing_above_the_gate() {
    let world = gated();
    let (mut random, mut kills, mut sequence) = (Random::new(11), 0, 0_i64);
    while kills < 40 {
        ingest(&world, sequence + 1, sequence + 20);
        sequence += 20;
        confirm(&world, sequence - BEHIND);
        let run = world.run_with("");
        wait::pause(Duration::from_millis(random.below(20..500)));
        match run.kill() {
            ended if ended.code.is_none() => kills += 1,
            ended => assert_eq!(ended.code, Some(0), "{}", ended.stderr),
        }
        is_kept(&world, sequence);
    }
    ends_whole(&world, sequence);
}

#[test]
fn a_release_that_empties_the_watermarks_table_leaves_nothing_behind() {
    let mut world = gated();
    ingest(&world, 1, 100);
    world.flush();
    confirm(&world, 100);
    // The ledgers have landed and only go. Then nothing in their table tells how far to go on.
    world.set("source.max_rows", "10");
    world.flush();
    assert_eq!(hot(&world), "0|\n0|\n0|");
    lake_has(&world, 100, 100);
}

#[test]
fn a_question_that_is_given_up_ends_on_the_server_too() {
    let world = gated();
    ingest(&world, 1, 10);
    confirm(&world, 10);
    std::thread::scope(|scope| {
        let locked = scope.spawn(|| {
            // It is ended below.
            let _ = world.try_psql("BEGIN; LOCK TABLE checkpoints IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(200)");
        });
        let holds = "SELECT count(*) FROM pg_locks WHERE relation = 'checkpoints'::regclass AND granted
                     AND mode = 'AccessExclusiveLock'";
        assert!(wait::until(|| world.number(holds) == 1), "the table is locked");
        let ended = world.run(&["run", "p.toml", "--once"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("the downstream gate cannot be asked"), "{}", ended.stderr);
        let waits =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%last_sequence%'
                     AND datname = current_database()";
        assert!(wait::until(|| world.number(waits) == 0), "a session waits on");
        assert_eq!(world.number(holds), 1, "the table is still locked");
        world.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(200)%'
             AND datname = current_database() AND pid <> pg_backend_pid()",
        );
        locked.join().expect("psql");
    });
    world.flush();
    lake_has(&world, 10, 10);
}
