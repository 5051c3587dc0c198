//! Intervals: text in tables that we make, and INTERVAL where the lake's column is one and all
//! values have a place in it.

use crate::world::World;

/// What DuckDB's INTERVAL and Parquet's have in common.
const EXACT: &str = "
    INSERT INTO ledgers VALUES (1, '1 year 2 months 3 days 04:05:06.789', 'a'), (2, '0', 'b'), (3, NULL, 'c'),
      (4, '1193:02:47.295', 'd'), (5, '178956970 years 7 months 2147483647 days', 'e'), (6, '1 mon', 'f')";

fn lake_with_intervals() -> World {
    let world = World::new("CREATE TABLE ledgers (sequence bigint PRIMARY KEY, iv interval, v text)");
    let mut duck = world.duck_of_a_new_lake();
    duck.rows("CREATE SCHEMA lake.bronze");
    duck.rows("CREATE TABLE lake.bronze.ledgers (sequence BIGINT, iv INTERVAL, v VARCHAR)");
    world
}

#[test]
fn what_is_exact_lands_as_an_interval() {
    let world = lake_with_intervals();
    world.psql(EXACT);
    world.psql("CREATE SCHEMA saved; CREATE TABLE saved.ledgers AS TABLE ledgers");
    world.flush();
    let mut duck = world.duck();
    let sql = "SELECT sequence, datepart('year', iv) * 12 + datepart('month', iv), datepart('day', iv), \
               datepart('hour', iv) * 3600000 + datepart('minute', iv) * 60000 + datepart('millisecond', iv) \
               FROM lake.bronze.ledgers ORDER BY 1";
    let expected = ["1|14|3|14706789", "2|0|0|0", "3|||", "4|0|0|4294967295", "5|2147483647|2147483647|0", "6|1|0|0"];
    assert_eq!(duck.lines(sql), expected);
    // No bound hides a value, with one file, with more, and beside DuckDB's own.
    world.psql("INSERT INTO ledgers VALUES (7, '2 days', 'g')");
    world.flush();
    let mut duck = world.duck();
    duck.rows("CALL lake.set_option('data_inlining_row_limit', '0')");
    duck.rows("INSERT INTO lake.bronze.ledgers VALUES (8, INTERVAL '3 hours', 'h')");
    for (filter, found) in [
        ("iv = INTERVAL '1 month'", "6"),
        ("iv = INTERVAL '2 days'", "7"),
        ("iv = INTERVAL '3 hours'", "8"),
        ("iv = INTERVAL '0 days'", "2"),
        ("iv IS NULL", "3"),
        ("iv > INTERVAL '100 years'", "5"),
    ] {
        assert_eq!(
            duck.lines(&format!("SELECT sequence FROM lake.bronze.ledgers WHERE {filter}")),
            [found],
            "{filter}"
        );
    }
    // Merged by DuckDB, and looked up by key beside it.
    duck.rows("CALL ducklake_merge_adjacent_files('lake')");
    world.psql("INSERT INTO ledgers VALUES (6, '1 mon', 'again'), (9, '4 days', 'i')");
    world.flush();
    let counted = "SELECT count(*), count(DISTINCT sequence), count(iv) FROM lake.bronze.ledgers";
    assert_eq!(world.duck().lines(counted), ["9|9|8"]);
}

#[test]
fn what_is_not_exact_stops_the_flush() {
    for odd in ["-1 day", "1 mon -1 day", "-00:00:01", "00:00:00.000001", "1193:02:47.296"] {
        let world = lake_with_intervals();
        world.psql(EXACT);
        world.psql(&format!("INSERT INTO ledgers VALUES (10, '{odd}', 'odd')"));
        let ended = world.run(&["run", "p.toml", "--once"]);
        assert_eq!(ended.code, Some(3), "{odd}: {}", ended.stderr);
        for part in ["could not decode column \"iv\"", "an interval that Parquet files have no place for"] {
            assert!(ended.stderr.contains(part), "{odd}: {}", ended.stderr);
        }
        assert_eq!(world.number("SELECT count(*) FROM ledgers"), 7, "nothing is moved");
        assert_eq!(world.flushes(), 0);
        // What the page says to do works.
        world.duck().rows("ALTER TABLE lake.bronze.ledgers RENAME COLUMN iv TO iv_before");
        world.flush();
        assert_eq!(world.duck().lines("SELECT count(*), count(iv) FROM lake.bronze.ledgers"), ["7|6"]);
    }
}
