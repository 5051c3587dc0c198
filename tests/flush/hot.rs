//! The example's 21 tables, as they are.

use std::fs;

use crate::world::World;

fn example(first: u64, last: u64) -> (String, String) {
    let read = |name: &str| {
        let path = format!("{}/examples/hot/{name}", env!("CARGO_MANIFEST_DIR"));
        fs::read_to_string(path).expect("the example's SQL")
    };
    (read("schema.sql"), format!("\\set first {first}\n\\set last {last}\n{}", read("rows.sql")))
}

fn tables(world: &World) -> Vec<String> {
    let sql = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1";
    world.psql(sql).lines().map(str::to_owned).collect()
}

#[test]
fn all_tables_land_in_one_snapshot() {
    let (schema, rows) = example(59_999_901, 60_000_100);
    let mut world = World::new(&schema);
    world.set("source.watermark", r#"{ table = "ledgers_row_v2", column = "sequence" }"#);
    world.set("lake.partition_by", r#"["ledger_range"]"#);
    world.psql(&rows);
    let tables = tables(&world);
    assert_eq!(tables.len(), 21);
    world.psql("CREATE SCHEMA saved");
    for table in &tables {
        world.psql(&format!("CREATE TABLE saved.{table} AS TABLE public.{table}"));
    }
    world.flush();
    assert_eq!(world.flushes(), 1);
    let mut duck = world.duck();
    for table in &tables {
        assert_eq!(world.number(&format!("SELECT count(*) FROM {table}")), 0, "{table} is moved");
        // DuckDB reads jsonb as text, and arrays as lists: compared as text.
        let sql = format!(
            "SELECT column_name FROM duckdb_columns() WHERE database_name = 'hot' AND schema_name = 'saved' AND table_name = '{table}'"
        );
        let columns = duck.lines(&sql);
        let columns: Vec<String> = columns.iter().map(|name| format!("CAST(\"{name}\" AS VARCHAR)")).collect();
        world.is_saved(&mut duck, table, &columns.join(", "));
    }
    // Two ranges of 10,000 ledgers, each a partition.
    let sql = "SELECT DISTINCT partition_value FROM bronze_meta.ducklake_file_partition_value ORDER BY 1";
    assert_eq!(world.psql(sql), "59990000\n60000000");
    // Nothing waits: no snapshot.
    world.flush();
    assert_eq!(world.flushes(), 1);
    world.proves();
}

#[test]
fn a_flush_has_a_limit_and_others_follow() {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         CREATE TABLE effects (ledger_sequence bigint, v text);
         INSERT INTO ledgers SELECT i, repeat('x', 20) FROM generate_series(1, 20000) i;
         INSERT INTO effects SELECT 1 + i % 20000, 'e' || i FROM generate_series(1, 60000) i;
         INSERT INTO effects VALUES (20001, 'above the watermark')",
    );
    world.set("source.max_rows", "10000");
    world.flush();
    assert!(world.flushes() > 4, "{} flushes of 80,000 rows", world.flushes());
    let mut duck = world.duck();
    assert_eq!(duck.lines("SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers"), ["20000|20000"]);
    assert_eq!(duck.lines("SELECT count(*), count(DISTINCT v) FROM lake.bronze.effects"), ["60000|60000"]);
    assert_eq!(world.psql("SELECT v FROM effects"), "above the watermark");
    // As it was at each of the flushes.
    let snapshots =
        world.psql("SELECT snapshot_id FROM bronze_meta.lakefront_commits WHERE snapshot_id IS NOT NULL ORDER BY 1");
    let mut before = 0;
    for snapshot in snapshots.lines() {
        let count = duck.lines(&format!("SELECT count(*) FROM lake.bronze.effects AT (VERSION => {snapshot})"));
        let count: i64 = count[0].parse().expect("a number");
        assert!(count > before, "it grows");
        before = count;
    }
}

#[test]
fn rows_that_come_later_land_later_and_an_empty_buffer_is_no_error() {
    let world = World::new(
        "CREATE UNLOGGED TABLE ledgers (sequence bigint PRIMARY KEY);
         CREATE UNLOGGED TABLE effects (ledger_sequence bigint, v text);
         INSERT INTO ledgers VALUES (1), (2); INSERT INTO effects VALUES (1, 'a'), (2, 'b'), (3, 'early')",
    );
    world.flush();
    // A late row below the watermark, and a watermark that is gone.
    world.psql("INSERT INTO effects VALUES (1, 'late')");
    world.flush();
    assert_eq!(world.psql("SELECT count(*) FROM effects"), "2", "without a watermark nothing moves");
    // The sequence went back.
    world.psql("INSERT INTO ledgers VALUES (1)");
    world.flush();
    let mut duck = world.duck();
    assert_eq!(duck.lines("SELECT v FROM lake.bronze.effects ORDER BY v"), ["a", "b", "late"]);
    assert_eq!(world.psql("SELECT v FROM effects"), "early");
    // The lake had this ledger.
    assert_eq!(duck.lines("SELECT count(*) FROM lake.bronze.ledgers"), ["2"]);
}

#[test]
fn new_columns_are_added_and_columns_of_the_lake_stay() {
    let world =
        World::new("CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text); INSERT INTO ledgers VALUES (1, 'a')");
    world.flush();
    let mut duck = world.duck();
    duck.rows("ALTER TABLE lake.bronze.ledgers ADD COLUMN of_the_lake INTEGER DEFAULT 7");
    world.psql(
        "ALTER TABLE ledgers ADD COLUMN n int, ADD COLUMN \"From\" text[];
         INSERT INTO ledgers VALUES (2, 'b', 5, '{x,NULL}')",
    );
    world.flush();
    // Others insert a few rows as before.
    let mut duck = world.duck();
    duck.rows("INSERT INTO lake.bronze.ledgers (sequence, v, \"From\") VALUES (0, 'duck', ['d'])");
    duck.rows("DELETE FROM lake.bronze.ledgers WHERE sequence = 0");
    // Columns are moved, renamed and dropped: they are matched by name.
    world.psql(
        "ALTER TABLE ledgers DROP COLUMN v; ALTER TABLE ledgers ADD COLUMN v text;
         INSERT INTO ledgers (sequence, v) VALUES (3, 'c')",
    );
    world.flush();
    let mut duck = world.duck();
    assert_eq!(
        duck.lines("SELECT sequence, v, n, \"From\"[1], of_the_lake FROM lake.bronze.ledgers ORDER BY 1"),
        ["1|a|||7", "2|b|5|x|7", "3|c|||7"]
    );
}

#[test]
fn partitioned_parents_and_hard_names_move() {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint NOT NULL, \"to\" text, \"a\"\"b\" int) PARTITION BY RANGE (sequence);
         CREATE TABLE low PARTITION OF ledgers FOR VALUES FROM (0) TO (100);
         CREATE TABLE high PARTITION OF ledgers FOR VALUES FROM (100) TO (1000) PARTITION BY LIST (sequence);
         CREATE TABLE \"high 1\" PARTITION OF high FOR VALUES IN (100, 101);
         CREATE TABLE \"Odd, \"\"name\"\"\" (sequence bigint, \"select\" text);
         INSERT INTO ledgers SELECT i, 't' || i, i FROM generate_series(98, 101) i;
         INSERT INTO \"Odd, \"\"name\"\"\" VALUES (5, 'x')",
    );
    world.set("source.connections", "1");
    world.flush();
    let mut duck = world.duck();
    assert_eq!(
        duck.lines("SELECT sequence, \"to\", \"a\"\"b\" FROM lake.bronze.ledgers ORDER BY 1"),
        ["98|t98|98", "99|t99|99", "100|t100|100", "101|t101|101"]
    );
    assert_eq!(duck.lines("SELECT \"select\" FROM lake.bronze.\"Odd, \"\"name\"\"\""), ["x"]);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
}
