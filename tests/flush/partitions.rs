//! Tables that are partitioned by parts of dates and moments: DuckDB's own, and those that we make.

use crate::world::World;

const TABLES: &str = "
    CREATE TABLE ledgers (sequence bigint PRIMARY KEY, d date, ts timestamp, tz timestamptz, v text);
    INSERT INTO ledgers VALUES
      (1, '2026-03-05', '2026-03-05 13:00:00.5', '2026-01-01 02:30:00+00', 'a'),
      (2, '1969-12-31', '1969-12-31 23:59:59.999999', '1969-12-31 23:30:00+00', 'b'),
      (3, NULL, NULL, NULL, 'c'),
      (4, '0044-03-15 BC', '0044-03-15 01:00:00 BC', '0044-03-15 01:00:00+00 BC', 'd'),
      (5, 'infinity', '-infinity', 'infinity', 'e'),
      (6, '5874897-12-31', '294246-12-31', '294246-12-31 00:00+00', 'f'),
      (7, '2026-03-05', '2026-03-05 13:59:59', '2026-01-01 02:59:59+00', 'g')";

/// The values of the catalog, and what DuckDB computes of the rows.
#[track_caller]
fn has_the_values_of_duckdb(world: &World, key: &str) {
    let mut duck = world.duck();
    duck.rows("SET TimeZone = 'UTC'");
    // DuckDB has dates up to 5881580, and all parts of them.
    let computed =
        duck.lines(&format!("SELECT DISTINCT CAST({key} AS VARCHAR) FROM lake.bronze.ledgers ORDER BY 1 NULLS LAST"));
    let stored = world.psql(
        "SELECT DISTINCT partition_value COLLATE \"C\" FROM bronze_meta.ducklake_file_partition_value \
         ORDER BY 1 NULLS LAST",
    );
    assert_eq!(stored.split('\n').collect::<Vec<_>>(), computed, "{key}");
}

#[test]
fn a_table_of_duckdb_is_written_by_its_transforms() {
    for key in ["d", "ts", "tz"]
        .iter()
        .flat_map(|column| ["year", "month", "day", "hour"].map(|part| format!("{part}({column})")))
    {
        let world = World::new(TABLES);
        let mut duck = world.duck_of_a_new_lake();
        duck.rows("CREATE SCHEMA lake.bronze");
        duck.rows(
            "CREATE TABLE lake.bronze.ledgers (sequence BIGINT, d DATE, ts TIMESTAMP, tz TIMESTAMPTZ, v VARCHAR)",
        );
        duck.rows(&format!("ALTER TABLE lake.bronze.ledgers SET PARTITIONED BY ({key})"));
        world.flush();
        has_the_values_of_duckdb(&world, &key);
        // No value hides a row, whatever the time zone of who looks for it.
        let mut duck = world.duck();
        for zone in ["UTC", "America/New_York"] {
            duck.rows(&format!("SET TimeZone = '{zone}'"));
            for sequence in ["1", "2", "4", "6", "7"] {
                let of = |what: &str| format!("(SELECT {what} FROM lake.bronze.ledgers WHERE sequence = {sequence})");
                let sql = format!(
                    "SELECT count(*) FROM lake.bronze.ledgers WHERE sequence = {sequence} AND d = {} AND ts = {} AND tz = {} \
                     AND {key} = {}",
                    of("d"),
                    of("ts"),
                    of("tz"),
                    of(&key)
                );
                assert_eq!(duck.lines(&sql), ["1"], "{key}, {zone}, {sequence}");
            }
            let found = duck.lines("SELECT sequence FROM lake.bronze.ledgers WHERE ts >= '2026-03-05' ORDER BY 1");
            assert_eq!(found, ["1", "6", "7"], "{key}, {zone}");
            let found = duck.lines("SELECT sequence FROM lake.bronze.ledgers WHERE tz = '1969-12-31 23:30:00+00'");
            assert_eq!(found, ["2"], "{key}, {zone}");
        }
        // DuckDB merges what it inserts into the same partition with our file.
        let files = "SELECT count(*) FROM bronze_meta.ducklake_data_file WHERE end_snapshot IS NULL";
        let before = world.number(files);
        duck.rows("SET TimeZone = 'UTC'");
        duck.rows("CALL lake.set_option('data_inlining_row_limit', '0')");
        duck.rows(
            "INSERT INTO lake.bronze.ledgers VALUES (8, '2026-03-05', '2026-03-05 13:00:00', '2026-01-01 02:00:00+00', 'h')",
        );
        assert_eq!(world.number(files), before + 1, "{key}");
        duck.rows("CALL ducklake_merge_adjacent_files('lake')");
        assert_eq!(world.number(files), before, "{key}");
        assert_eq!(duck.lines("SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers"), ["8|8"], "{key}");
    }
}

#[test]
fn tables_are_made_with_transforms() {
    let mut world = World::new(&format!(
        "{TABLES}; CREATE TABLE effects (ledger_sequence bigint PRIMARY KEY, tz timestamptz, kind text);
         INSERT INTO effects VALUES (1, '2026-01-01 02:30:00+00', 'x'), (2, '2026-02-01 02:30:00+00', 'x');
         CREATE TABLE plain (sequence bigint PRIMARY KEY); INSERT INTO plain VALUES (1)"
    ));
    world.set("lake.partition_by", r#"["year(tz)", "month(tz)"]"#);
    world.set("source.tables", r#"["ledgers", "plain", { name = "effects", partition_by = ["kind", "day(tz)"] }]"#);
    world.flush();
    let sql = "SELECT t.table_name, string_agg(c.transform, ',' ORDER BY c.partition_key_index) \
               FROM bronze_meta.ducklake_partition_column c JOIN bronze_meta.ducklake_table t USING (table_id) \
               GROUP BY 1 ORDER BY 1";
    assert_eq!(world.psql(sql), "effects|identity,day\nledgers|year,month");
    let sql = "SELECT string_agg(v.partition_value, ',' ORDER BY v.partition_key_index, v.partition_value) \
               FROM bronze_meta.ducklake_file_partition_value v JOIN bronze_meta.ducklake_table t USING (table_id) \
               WHERE t.table_name = 'effects'";
    assert_eq!(world.psql(sql), "x,1", "both are of a first day");
    // DuckDB takes the partitions for its own.
    let mut duck = world.duck();
    duck.rows("SET TimeZone = 'UTC'");
    duck.rows("CALL lake.set_option('data_inlining_row_limit', '0')");
    duck.rows("INSERT INTO lake.bronze.effects VALUES (3, '2026-05-01 12:00:00+00', 'x')");
    assert_eq!(duck.lines("SELECT ledger_sequence FROM lake.bronze.effects WHERE day(tz) = 1 ORDER BY 1").len(), 3);
    assert_eq!(duck.lines("SELECT count(*) FROM lake.bronze.plain"), ["1"]);
}

#[test]
fn a_key_that_postgresql_lacks_has_the_default_of_the_lake() {
    let world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         INSERT INTO ledgers SELECT i, 'hot' FROM generate_series(1, 9) i",
    );
    let mut duck = world.duck_of_a_new_lake();
    duck.rows("SET TimeZone = 'UTC'");
    duck.rows("CREATE SCHEMA lake.bronze");
    duck.rows("CREATE TABLE lake.bronze.ledgers (sequence BIGINT, v VARCHAR)");
    for column in ["kind VARCHAR DEFAULT 'hot one'", "closed TIMESTAMP DEFAULT '2026-03-05 13:00:00'", "gap INTEGER"] {
        duck.rows(&format!("ALTER TABLE lake.bronze.ledgers ADD COLUMN {column}"));
    }
    duck.rows("ALTER TABLE lake.bronze.ledgers SET PARTITIONED BY (kind, day(closed), gap)");
    duck.rows("CALL lake.set_option('data_inlining_row_limit', '0')");
    world.flush();
    duck.rows("INSERT INTO lake.bronze.ledgers (sequence, v) VALUES (-1, 'duck')");
    let values = "SELECT string_agg(COALESCE(partition_value, 'null'), ',' ORDER BY partition_key_index)
                  FROM bronze_meta.ducklake_file_partition_value GROUP BY data_file_id ORDER BY data_file_id";
    assert_eq!(world.psql(values), "hot one,5,null\nhot one,5,null", "our file, and DuckDB's");
    let folders = "SELECT DISTINCT regexp_replace(path, '[^/]*$', '') FROM bronze_meta.ducklake_data_file";
    assert_eq!(world.psql(folders).lines().count(), 1, "{}", world.psql(folders));
    let mut duck = world.duck();
    let sql = "SELECT count(*) FROM lake.bronze.ledgers WHERE kind = 'hot one' AND day(closed) = 5 AND gap IS NULL";
    assert_eq!(duck.lines(sql), ["10"]);
    duck.rows("CALL ducklake_merge_adjacent_files('lake')");
    assert_eq!(duck.lines(sql), ["10"]);
    world.proves();
}

#[test]
fn what_cannot_be_a_key_is_refused_before_anything_is_made() {
    for (keys, says) in [
        (r#"["day(v)"]"#, "there are no partitions by the day of a column of type VARCHAR"),
        (r#"["ts"]"#, "there are no partitions by a column of type TIMESTAMP"),
    ] {
        let mut world = World::new(TABLES);
        world.set("lake.partition_by", keys);
        let ended = world.run(&["run", "p.toml", "--once"]);
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
        assert_eq!(world.number("SELECT count(*) FROM ledgers"), 7);
    }
    // A table of its own has what is said of it.
    let mut world = World::new(TABLES);
    world.set("source.tables", r#"[{ name = "ledgers", partition_by = ["gone"] }]"#);
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("\"gone\", a column that it lacks"), "{}", ended.stderr);
    // Buckets are DuckDB's own.
    let world = World::new(TABLES);
    let mut duck = world.duck_of_a_new_lake();
    duck.rows("CREATE SCHEMA lake.bronze");
    duck.rows("CREATE TABLE lake.bronze.ledgers (sequence BIGINT, d DATE, ts TIMESTAMP, tz TIMESTAMPTZ, v VARCHAR)");
    duck.rows("ALTER TABLE lake.bronze.ledgers SET PARTITIONED BY (bucket(4, v))");
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("partitioned by bucket(4), which lakefront cannot write"), "{}", ended.stderr);
}
