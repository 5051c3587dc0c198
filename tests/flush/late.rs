//! Rows that come back below the watermark.

use crate::world::World;

fn keyed() -> World {
    World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         CREATE TABLE events (ledger_sequence bigint, id uuid, at timestamptz, part int2, d date, v text,
           PRIMARY KEY (part, id, at, d));
         INSERT INTO ledgers SELECT i, 'v' || i FROM generate_series(1, 100) i;
         INSERT INTO events SELECT i, md5(i::text)::uuid, '2026-01-01'::timestamptz + i * interval '1 s', i % 5,
           '2026-01-01'::date + i, 'first' FROM generate_series(1, 100) i",
    )
}

const AGAIN: &str = "
    INSERT INTO ledgers SELECT i, 'again' FROM generate_series(41, 60) i;
    INSERT INTO events SELECT i, md5(i::text)::uuid, '2026-01-01'::timestamptz + i * interval '1 s', i % 5,
      '2026-01-01'::date + i, 'again' FROM generate_series(41, 60) i;
    INSERT INTO ledgers VALUES (101, 'new');
    INSERT INTO events VALUES (50, md5('late')::uuid, '2026-01-01', 1, '2026-01-01', 'late')";

#[test]
fn what_the_lake_has_is_skipped_and_what_it_lacks_lands() {
    let world = keyed();
    world.flush();
    world.psql(AGAIN);
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("events 20, ledgers 20"), "it counts what it skips: {}", ended.stderr);
    let mut duck = world.duck();
    assert_eq!(duck.lines("SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers"), ["101|101"]);
    let counted = "SELECT v, count(*) FROM lake.bronze.events GROUP BY 1 ORDER BY 1";
    assert_eq!(duck.lines(counted), ["first|100", "late|1"]);
    assert_eq!(world.number("SELECT (SELECT count(*) FROM ledgers) + (SELECT count(*) FROM events)"), 0);
    // Only rows that the lake has: they go, and there is no snapshot.
    let flushes = world.flushes();
    world.psql("INSERT INTO ledgers VALUES (7, 'again')");
    world.flush();
    assert_eq!((world.flushes(), world.number("SELECT count(*) FROM ledgers")), (flushes, 0));
}

#[test]
fn what_others_did_to_the_lake_is_seen() {
    let world = keyed();
    world.flush();
    let mut duck = world.duck();
    // Deleted by file, deleted inline, inserted inline, changed, merged, rewritten.
    duck.rows("DELETE FROM lake.bronze.ledgers WHERE sequence BETWEEN 41 AND 45");
    duck.rows("INSERT INTO lake.bronze.ledgers VALUES (1000, 'of DuckDB')");
    duck.rows("UPDATE lake.bronze.ledgers SET v = 'changed' WHERE sequence = 50");
    world.psql(
        "INSERT INTO ledgers SELECT i, 'again' FROM generate_series(41, 60) i; INSERT INTO ledgers VALUES (1000, 'x')",
    );
    world.psql("INSERT INTO ledgers VALUES (1001, 'top')");
    world.flush();
    let expected = ["again|5", "changed|1", "of DuckDB|1", "top|1"];
    // 1000 was above the watermark when DuckDB inserted it, so it landed beside that.
    let counted =
        "SELECT v, count(*) FROM lake.bronze.ledgers WHERE v NOT LIKE 'v%' AND v <> 'x' GROUP BY 1 ORDER BY 1";
    assert_eq!(duck.lines(counted), expected);
    for step in [
        "CALL ducklake_flush_inlined_data('lake')",
        "CALL ducklake_merge_adjacent_files('lake')",
        "DELETE FROM lake.bronze.ledgers WHERE sequence % 2 = 0 AND sequence < 60",
        "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)",
        "ALTER TABLE lake.bronze.ledgers ADD COLUMN more INTEGER DEFAULT 5",
    ] {
        let before = duck.lines("SELECT sequence FROM lake.bronze.ledgers ORDER BY 1");
        duck.rows(step);
        let left = duck.lines("SELECT sequence FROM lake.bronze.ledgers ORDER BY 1");
        world.psql("INSERT INTO ledgers SELECT i, 'more' FROM generate_series(1, 100) i");
        world.flush();
        let mut duck = world.duck();
        let now = duck.lines("SELECT sequence FROM lake.bronze.ledgers ORDER BY 1");
        let mut expected: Vec<i64> = left.iter().map(|line| line.parse().expect("a number")).collect();
        expected.extend((1..=100).filter(|i| !left.contains(&i.to_string())));
        expected.sort_unstable();
        let now: Vec<i64> = now.iter().map(|line| line.parse().expect("a number")).collect();
        assert_eq!(now, expected, "{step}, before: {}", before.len());
        world.proves();
    }
}

#[test]
fn without_a_key_rows_land_again_and_that_is_said() {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY); CREATE TABLE effects (ledger_sequence bigint, v text);
         INSERT INTO ledgers VALUES (1); INSERT INTO effects VALUES (1, 'a')",
    );
    world.set("source.late", r#""skip""#);
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains(r#"{ name = "effects", late = "append" }"#), "{}", ended.stderr);
    // What it says to do works.
    world.set("source.tables", r#"["ledgers", { name = "effects", late = "append" }]"#);
    world.flush();
    world.psql("INSERT INTO effects VALUES (1, 'a')");
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert!(ended.stderr.contains("have no primary key") && ended.stderr.contains("effects"), "{}", ended.stderr);
    world.psql("INSERT INTO ledgers VALUES (2); INSERT INTO effects VALUES (1, 'a')");
    world.flush();
    assert_eq!(world.duck().lines("SELECT v, count(*) FROM lake.bronze.effects GROUP BY 1"), ["a|3"]);
}

#[test]
fn a_bronze_of_the_older_flusher_goes_on_after_its_checkpoint() {
    let world = keyed();
    // It has flushed up to 60, deleted up to 50, and stopped.
    let mut duck = world.duck_of_a_new_lake();
    duck.rows("CREATE SCHEMA lake.bronze");
    duck.rows("CREATE TABLE lake.bronze.ledgers AS SELECT sequence, v FROM hot.public.ledgers WHERE sequence <= 60");
    world.psql(
        "CREATE TABLE cold_flusher_checkpoint (id int PRIMARY KEY, last_flushed_watermark bigint, updated_at timestamptz);
         INSERT INTO cold_flusher_checkpoint VALUES (1, 60, now()); DELETE FROM ledgers WHERE sequence <= 50;
         TRUNCATE events",
    );
    // Rows that no pipeline has landed are landed beside only if that is allowed.
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("--adopt"), "{}", ended.stderr);
    let ended = world.run(&["run", "p.toml", "--once", "--adopt"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let counted = "SELECT count(*), count(DISTINCT sequence), min(sequence), max(sequence) FROM lake.bronze.ledgers";
    assert_eq!(world.duck().lines(counted), ["100|100|1|100"]);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
    assert_eq!(world.number("SELECT count(*) FROM cold_flusher_checkpoint"), 1, "it is no hot table");
}

#[test]
fn a_key_that_the_lake_rounds_tells_no_rows_apart() {
    let world = World::new(
        "CREATE TABLE ledgers (sequence bigint, id numeric PRIMARY KEY);
         INSERT INTO ledgers VALUES (1, 9007199254740993)",
    );
    let mut duck = world.duck_of_a_new_lake();
    duck.rows("CREATE SCHEMA lake.bronze");
    duck.rows("CREATE TABLE lake.bronze.ledgers (sequence BIGINT, id DOUBLE)");
    world.flush();
    world.psql("INSERT INTO ledgers VALUES (1, 9007199254740992)");
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let says = "column \"id\" of its primary key is numeric, and DOUBLE in the lake";
    assert!(ended.stderr.contains(says), "{}", ended.stderr);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 1, "it stays");
    // What it advises.
    let mut world = world;
    world.set("source.late", r#""append""#);
    world.flush();
    assert_eq!(world.duck().lines("SELECT count(*) FROM lake.bronze.ledgers"), ["2"]);
}

#[test]
fn numbers_that_postgresql_takes_for_equal_are_one_key() {
    for (late, expected) in
        [("skip", ["1.0|old", "2|old", "3.10|old"]), ("replace", ["1.000|new", "2.0|new", "3.1|new"])]
    {
        let mut world = World::new(
            "CREATE TABLE ledgers (sequence bigint, id numeric PRIMARY KEY, v text);
             INSERT INTO ledgers VALUES (1, 1.0, 'old'), (2, 2, 'old'), (3, 3.10, 'old')",
        );
        world.set("source.late", &format!("{late:?}"));
        world.flush();
        world.psql("INSERT INTO ledgers VALUES (1, 1.000, 'new'), (2, 2.0, 'new'), (3, 3.1, 'new')");
        assert_eq!(world.proves()["tables"][0]["hot_landed"], 3);
        world.flush();
        let rows = world.duck().lines("SELECT id, v FROM lake.bronze.ledgers ORDER BY sequence");
        assert_eq!(rows, expected, "{late}");
        assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
        world.proves();
    }
}
