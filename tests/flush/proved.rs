//! `prove`: what is all right, what is not, and what others have a right to do.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::duck::Duck;
use crate::support::wait;
use crate::world::World;

/// A table with a key, and one without.
fn tables() -> World {
    let world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         CREATE TABLE effects (ledger_sequence int, v text)",
    );
    world.psql(&rows(1, 100));
    world
}

fn rows(from: u64, to: u64) -> String {
    format!(
        "INSERT INTO ledgers SELECT i, 'v' || i FROM generate_series({from}, {to}) i;
         INSERT INTO effects SELECT i, 'e' || i FROM generate_series({from}, {to}) i"
    )
}

fn table<'s>(said: &'s Value, name: &str) -> &'s Value {
    let tables = said["tables"].as_array().expect("tables");
    tables.iter().find(|table| table["name"] == name).expect("the table")
}

/// Replaces the file of the last flush of `table` by what `select` makes of it, where `FILE` stands
/// for its rows, and lets the catalog say how many there are.
fn damage(world: &World, duck: &mut Duck, table: &str, fields: &str, select: &str) {
    let of = format!(
        "FROM bronze_meta.ducklake_data_file f JOIN bronze_meta.ducklake_table t USING (table_id)
         WHERE t.table_name = '{table}' ORDER BY data_file_id DESC LIMIT 1"
    );
    let (id, file) = (world.number(&format!("SELECT data_file_id {of}")), file_of(world, table));
    let (path, other) = (file.display().to_string(), world.path("other.parquet"));
    let select = select.replace("FILE", &format!("read_parquet('{path}')"));
    let copy = format!("COPY ({select}) TO '{}' (FORMAT parquet, FIELD_IDS {fields})", other.display());
    duck.rows(&copy);
    let rows = duck.lines(&format!("SELECT count(*) FROM read_parquet('{}')", other.display())).remove(0);
    fs::rename(&other, &file).expect("it takes its place");
    let bytes = fs::metadata(&file).expect("a file").len();
    world.psql(&format!(
        "UPDATE bronze_meta.ducklake_data_file SET record_count = {rows}, file_size_bytes = {bytes} WHERE data_file_id = {id};
         UPDATE bronze_meta.ducklake_table_stats s SET record_count = (SELECT sum(record_count)
           FROM bronze_meta.ducklake_data_file f WHERE f.table_id = s.table_id)"
    ));
}

fn file_of(world: &World, table: &str) -> PathBuf {
    let path = world.psql(&format!(
        "SELECT f.path FROM bronze_meta.ducklake_data_file f JOIN bronze_meta.ducklake_table t USING (table_id)
         WHERE t.table_name = '{table}' ORDER BY data_file_id DESC LIMIT 1"
    ));
    world.path(&format!("lake/bronze/{table}")).join(path)
}

const LEDGERS: &str = "{sequence: 1, v: 2}";
const EFFECTS: &str = "{ledger_sequence: 1, v: 2}";

#[test]
fn what_was_flushed_is_proved_in_ranges() {
    let world = tables();
    world.flush();
    world.psql(&rows(9_990, 10_020));
    world.flush();
    let said = world.proves();
    assert_eq!((&said["ok"], &said["all_proved"]), (&json!(true), &json!(true)));
    for name in ["ledgers", "effects"] {
        let of = table(&said, name);
        for (key, expected) in [
            ("position", json!(2)),
            ("source_rows", json!(131)),
            ("totals_rows", json!(131)),
            ("lake_rows", json!(131)),
            ("foreign_rows", json!(0)),
            ("hot_rows", json!(0)),
            ("deleted_rows", json!(0)),
            ("first_difference", Value::Null),
            ("ranges", json!({"width": 10_000, "proved": 3, "unverifiable": 0, "differ": 0})),
        ] {
            assert_eq!(of[key], expected, "{name}, {key}: {said:#}");
        }
    }
    let ended = world.run(&["prove", "p.toml"]).exits_with(0);
    assert!(ended.stdout.starts_with("pipeline stellar is proved: up to position 2"), "{}", ended.stdout);
    assert!(ended.stdout.contains("ledgers: proved; position 2, "), "{}", ended.stdout);
}

#[test]
fn without_a_flush_no_proof_is_possible() {
    let world = tables();
    let ended = world.run(&["prove", "p.toml", "--json"]).exits_with(3);
    assert!(ended.stderr.contains("holds no position of pipeline \"stellar\""), "{}", ended.stderr);
}

#[test]
fn a_row_that_is_gone_from_its_file_is_missing() {
    let world = tables();
    world.flush();
    let mut duck = world.duck();
    damage(&world, &mut duck, "ledgers", LEDGERS, "SELECT * FROM FILE WHERE sequence <> 57");
    damage(&world, &mut duck, "effects", EFFECTS, "SELECT * FROM FILE WHERE ledger_sequence <> 57");
    let said = world.prove(1);
    let ledgers = table(&said, "ledgers");
    assert_eq!((&ledgers["totals_rows"], &ledgers["lake_rows"]), (&json!(100), &json!(99)), "{said:#}");
    let expected = json!({"source": "ledgers", "offset": 57, "key": {"sequence": "57"}, "flush": 1, "what": "missing",
        "odd": "table"});
    assert_eq!(ledgers["first_difference"], expected);
    // Nothing tells which of the effects it was, beyond its range.
    let expected = json!({"source": "effects", "offset": null, "range": [0, 10_000], "flush": 1, "what": "missing",
        "odd": "table"});
    assert_eq!(table(&said, "effects")["first_difference"], expected);
    let ended = world.run(&["prove", "p.toml"]).exits_with(1);
    assert!(ended.stdout.contains("a row is missing: ledgers:57, key sequence = 57, of flush 1"), "{}", ended.stdout);
}

#[test]
fn a_row_that_its_file_has_twice_is_doubled() {
    let world = tables();
    world.flush();
    let mut duck = world.duck();
    let twice = |column: &str| format!("SELECT * FROM FILE UNION ALL SELECT * FROM FILE WHERE {column} = 57");
    damage(&world, &mut duck, "ledgers", LEDGERS, &twice("sequence"));
    damage(&world, &mut duck, "effects", EFFECTS, &twice("ledger_sequence"));
    let said = world.prove(1);
    for name in ["ledgers", "effects"] {
        let of = table(&said, name);
        assert_eq!(of["lake_rows"], 101, "{said:#}");
        assert_eq!(
            (&of["first_difference"]["what"], &of["first_difference"]["offset"]),
            (&json!("doubled"), &json!(57))
        );
    }
    assert_eq!(table(&said, "ledgers")["first_difference"]["key"], json!({"sequence": "57"}));
}

#[test]
fn a_value_that_was_altered_is_found() {
    let world = tables();
    world.flush();
    world.psql(&rows(20_001, 20_001));
    world.flush();
    let mut duck = world.duck();
    damage(&world, &mut duck, "ledgers", LEDGERS, "SELECT sequence, 'x' AS v FROM FILE");
    let said = world.prove(1);
    let ledgers = table(&said, "ledgers");
    assert_eq!((&ledgers["rows_ok"], &ledgers["checksum_ok"]), (&json!(true), &json!(false)), "{said:#}");
    // The flush had one row in that range.
    assert_eq!(ledgers["first_difference"]["key"], json!({"sequence": "20001"}));
    assert_eq!(ledgers["first_difference"]["what"], "altered");
    assert_eq!(ledgers["ranges"]["proved"], 1);
    assert_eq!(table(&said, "effects")["first_difference"], Value::Null);
}

#[test]
fn a_file_that_is_gone_is_lost() {
    let world = tables();
    world.flush();
    fs::remove_file(file_of(&world, "effects")).expect("it is there");
    let said = world.prove(1);
    let lost = &table(&said, "effects")["lost"];
    assert_eq!((lost[0]["rows"].as_u64(), lost.as_array().map(Vec::len)), (Some(100), Some(1)), "{said:#}");
    assert_eq!(table(&said, "ledgers")["checksum_ok"], true);
}

#[test]
fn rows_that_the_catalog_no_longer_names_are_missing() {
    let world = tables();
    world.flush();
    world.psql(&rows(101, 110));
    world.flush();
    // As if it had been deleted, but no snapshot did that.
    world.psql(
        "UPDATE bronze_meta.ducklake_data_file SET end_snapshot = (SELECT max(snapshot_id) FROM bronze_meta.ducklake_snapshot)
         WHERE data_file_id = (SELECT min(data_file_id) FROM bronze_meta.ducklake_data_file)",
    );
    let said = world.prove(1);
    let odd = said["tables"].as_array().expect("tables").iter().find(|table| table["checksum_ok"] == false);
    let odd = odd.expect("one differs");
    assert_eq!((&odd["lake_rows"], &odd["first_difference"]["what"]), (&json!(10), &json!("missing")), "{said:#}");
}

#[test]
fn what_others_do_is_counted_apart() {
    let world = tables();
    world.flush();
    let mut duck = world.duck();
    duck.rows("INSERT INTO lake.bronze.ledgers SELECT 1000 + i, 'duck' FROM range(20) r(i)");
    duck.rows(
        "BEGIN; CALL lake.set_commit_message('ann', 'tidies'); DELETE FROM lake.bronze.ledgers WHERE sequence <= 5; COMMIT",
    );
    duck.rows("UPDATE lake.bronze.ledgers SET v = 'changed' WHERE sequence BETWEEN 50 AND 52");
    world.psql(&rows(101, 110));
    world.flush();
    let said = world.proves();
    let ledgers = table(&said, "ledgers");
    for (key, expected) in [
        ("totals_rows", json!(110)),
        ("lake_rows", json!(105)),
        ("deleted_rows", json!(5)),
        ("changed_rows", json!(3)),
        ("changed_by", json!([null, "ann"])),
        ("foreign_rows", json!(20)),
        ("foreign", json!([{"author": null, "rows": 20}])),
    ] {
        assert_eq!(ledgers[key], expected, "{key}: {said:#}");
    }
    assert_eq!(table(&said, "effects")["changed_by"], json!([]));
    for step in [
        "CALL ducklake_flush_inlined_data('lake')",
        "CALL ducklake_merge_adjacent_files('lake')",
        "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)",
        "ALTER TABLE lake.bronze.ledgers ADD COLUMN more INTEGER DEFAULT 5",
        "ALTER TABLE lake.bronze.effects RENAME COLUMN v TO w",
        "ALTER TABLE lake.bronze.effects ALTER COLUMN ledger_sequence TYPE BIGINT",
        "CALL ducklake_merge_adjacent_files('lake')",
        "INSERT INTO lake.bronze.effects SELECT i, 'duck' FROM range(2000, 2030) r(i)",
        "DELETE FROM lake.bronze.effects WHERE ledger_sequence = 7",
        "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)",
    ] {
        duck.rows(step);
        let said = world.proves();
        let ledgers = table(&said, "ledgers");
        let numbers = ["lake_rows", "deleted_rows", "changed_rows"].map(|key| ledgers[key].as_u64());
        assert_eq!(numbers, [Some(105), Some(5), Some(3)], "after {step}: {said:#}");
    }
    // What has expired nobody can verify any more. It is not lost.
    duck.rows("CALL ducklake_expire_snapshots('lake', older_than => now())");
    duck.rows("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)");
    let said = world.prove(0);
    assert_eq!((&said["ok"], &said["all_proved"]), (&json!(true), &json!(false)), "{said:#}");
    assert_eq!(table(&said, "ledgers")["ranges"]["differ"], 0);
    assert!(said["unverifiable_rows"].as_u64() >= Some(100), "{said:#}");
    world.run(&["prove", "p.toml", "--strict"]).exits_with(1);
    // New flushes are proved as ever.
    world.psql("INSERT INTO ledgers VALUES (30001, 'new')");
    world.flush();
    assert_eq!(table(&world.prove(0), "ledgers")["ranges"]["differ"], 0);
}

#[test]
fn a_bronze_of_somebody_else_is_not_ours() {
    let world = tables();
    let mut duck = world.duck_of_a_new_lake();
    duck.rows("CREATE SCHEMA lake.bronze");
    duck.rows("CREATE TABLE lake.bronze.ledgers AS SELECT sequence, v FROM hot.public.ledgers WHERE sequence <= 60");
    world.psql("DELETE FROM ledgers WHERE sequence <= 60");
    world.run(&["run", "p.toml", "--once", "--adopt"]).exits_with(0);
    let said = world.proves();
    let ledgers = table(&said, "ledgers");
    assert_eq!((&ledgers["lake_rows"], &ledgers["foreign_rows"]), (&json!(40), &json!(60)), "{said:#}");
}

#[test]
fn rows_that_are_still_hot_are_told() {
    let world = tables();
    world.flush();
    // One that has landed, one that is late and has not, and one above the watermark.
    world.psql("DELETE FROM ledgers; INSERT INTO ledgers VALUES (7, 'again'), (0, 'late'), (500, 'new')");
    let said = world.proves();
    let ledgers = table(&said, "ledgers");
    assert_eq!((&ledgers["hot_rows"], &ledgers["hot_landed"]), (&json!(3), &json!(1)), "{said:#}");
    assert_eq!(table(&said, "effects")["hot_landed"], Value::Null, "there is no key to find them by");
    world.flush();
    let said = world.proves();
    assert_eq!((&table(&said, "ledgers")["hot_rows"], &table(&said, "ledgers")["lake_rows"]), (&json!(0), &json!(102)));
}

#[test]
fn a_key_that_landed_twice_is_found() {
    let mut world = tables();
    world.set("source.late", r#""append""#);
    world.flush();
    world.psql("INSERT INTO ledgers VALUES (57, 'again'), (101, 'new')");
    world.flush();
    // A table that appends has a right to it; one that skips has not.
    world.proves();
    world.set("source.tables", r#"[{ name = "ledgers", late = "skip" }, "effects"]"#);
    let said = world.prove(1);
    let difference = &table(&said, "ledgers")["first_difference"];
    assert_eq!((&difference["what"], &difference["key"]), (&json!("doubled"), &json!({"sequence": "57"})), "{said:#}");
}

/// A table whose primary key has no sequence in it.
fn accounts(settings: &str) -> World {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         CREATE TABLE accounts (id int PRIMARY KEY, v text, ledger_sequence bigint);
         INSERT INTO ledgers VALUES (100, 'v');
         INSERT INTO accounts VALUES (1, 'first', 100), (2, 'first', 100)",
    );
    world.set("source.tables", &format!(r#"["ledgers", {{ name = "accounts"{settings} }}]"#));
    world
}

/// The ingester writes account 1 again, above the watermark.
const UPSERT: &str = "
    INSERT INTO accounts VALUES (1, 'later', 200)
      ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v, ledger_sequence = EXCLUDED.ledger_sequence;
    INSERT INTO ledgers VALUES (200, 'v')";

#[test]
fn a_later_state_of_a_row_is_no_double() {
    let gate = r#"{ query = "SELECT 100" }"#;
    for (settings, gate, hot) in
        [("", None, 0), (r#", late = "replace""#, None, 0), (", retain = true", None, 2), ("", Some(gate), 1)]
    {
        let mut world = accounts(settings);
        if let Some(gate) = gate {
            world.set("source.downstream", gate);
        }
        world.flush();
        world.psql(UPSERT);
        world.flush();
        let said = world.proves();
        let of = table(&said, "accounts");
        assert_eq!((&of["lake_rows"], &of["first_difference"]), (&json!(3), &Value::Null), "{settings}: {said:#}");
        assert_eq!((&of["hot_rows"], &of["replaced_rows"]), (&json!(hot), &json!(0)), "{settings}: {said:#}");
        let states = world.duck().lines("SELECT v, ledger_sequence FROM lake.bronze.accounts WHERE id = 1 ORDER BY 2");
        assert_eq!(states, ["first|100", "later|200"], "{settings}");
    }
    let world = accounts(", retain = true");
    world.flush();
    world.psql("UPDATE accounts SET ledger_sequence = 150 WHERE id = 2; INSERT INTO ledgers VALUES (200, 'v')");
    world.flush();
    assert_eq!(table(&world.proves(), "accounts")["lake_rows"], 3);
    let ended = world.run(&["prove", "p.toml"]).exits_with(0);
    assert!(ended.stdout.contains("    still hot: 2 rows, 2 of them in the lake too\n"), "{}", ended.stdout);
}

#[test]
fn a_state_that_landed_twice_is_doubled() {
    let mut world = accounts(r#", late = "append""#);
    world.flush();
    world.psql(UPSERT);
    world.flush();
    world.psql("INSERT INTO accounts VALUES (1, 'again', 200); INSERT INTO ledgers VALUES (201, 'v')");
    world.flush();
    world.proves();
    world.set("source.tables", r#"["ledgers", { name = "accounts", late = "skip" }]"#);
    let said = world.prove(1);
    let difference = &table(&said, "accounts")["first_difference"];
    let expected = json!({"source": "accounts", "offset": 200, "key": {"id": "1"}, "what": "doubled", "odd": "table"});
    assert_eq!(difference, &expected, "{said:#}");
}

#[test]
fn deleted_rows_are_told_beside_replaced_ones_of_others() {
    let mut world = accounts("");
    world.set("source.late", r#""replace""#);
    let mut duck = world.duck_of_a_new_lake();
    duck.rows("CREATE SCHEMA lake.bronze");
    duck.rows(
        "CREATE TABLE lake.bronze.accounts AS SELECT i::INTEGER AS id, 'old' AS v, 10::BIGINT AS ledger_sequence
         FROM range(10, 60) r(i)",
    );
    world.run(&["run", "p.toml", "--once", "--adopt"]).exits_with(0);
    // Six rows of the bronze are replaced, when two of ours had landed.
    world.psql(
        "INSERT INTO accounts SELECT i, 'new', 50 FROM generate_series(10, 15) i;
         INSERT INTO accounts SELECT i, 'new', 200 FROM generate_series(200, 209) i; INSERT INTO ledgers VALUES (200, 'v')",
    );
    world.flush();
    duck.rows("DELETE FROM lake.bronze.accounts WHERE id BETWEEN 200 AND 204");
    let said = world.proves();
    let of = table(&said, "accounts");
    for (key, expected) in [("replaced_rows", 6), ("foreign_rows", 44), ("lake_rows", 13), ("deleted_rows", 3)] {
        assert_eq!(of[key], expected, "{key}: {said:#}");
    }
    let ended = world.run(&["prove", "p.toml"]).exits_with(0);
    assert!(ended.stdout.contains("deleted since they landed: at least 3 rows"), "{}", ended.stdout);
}

/// Copies the catalog's tables from one schema to another.
fn copy(world: &World, from: &str, to: &str) {
    world.psql(&format!(
        "DO $$ DECLARE t text; BEGIN
           FOR t IN SELECT relname FROM pg_class WHERE relnamespace = '{from}'::regnamespace AND relkind = 'r' LOOP
             IF to_regclass(format('%I.%I', '{to}', t)) IS NULL THEN
               EXECUTE format('CREATE TABLE %I.%I (LIKE %I.%I)', '{to}', t, '{from}', t);
             END IF;
             EXECUTE format('TRUNCATE %I.%I', '{to}', t);
             EXECUTE format('INSERT INTO %I.%I SELECT * FROM %I.%I', '{to}', t, '{from}', t);
           END LOOP; END $$"
    ));
}

#[test]
fn a_catalog_that_was_set_back_is_told_by_the_state_file() {
    let world = tables();
    world.flush();
    world.psql("CREATE SCHEMA older");
    copy(&world, "bronze_meta", "older");
    world.psql(&rows(101, 110));
    world.flush();
    copy(&world, "older", "bronze_meta");
    let said = world.prove(1);
    for name in ["ledgers", "effects"] {
        let of = table(&said, name);
        assert_eq!((&of["position"], &of["lake_rows"]), (&json!(1), &json!(100)), "{said:#}");
        assert_eq!((&of["first_difference"]["what"], &of["first_difference"]["flush"]), (&json!("missing"), &json!(2)));
    }
}

#[test]
fn commits_of_earlier_builds_are_proved_together() {
    let world = tables();
    world.flush();
    world.psql(&rows(101, 110));
    world.flush();
    world.psql(
        "UPDATE bronze_meta.lakefront_commits SET tables = (SELECT jsonb_object_agg(key, value - 'sums' - 'columns')
           FROM jsonb_each(tables)) WHERE tables IS NOT NULL",
    );
    world.psql(&rows(111, 115));
    world.flush();
    world.proves();
    let mut duck = world.duck();
    duck.rows("DELETE FROM lake.bronze.ledgers WHERE sequence = 3");
    let said = world.proves();
    assert_eq!(table(&said, "ledgers")["deleted_rows"], 1, "{said:#}");
    world.psql(
        "DELETE FROM bronze_meta.ducklake_data_file WHERE data_file_id > (SELECT max(data_file_id) - 2
           FROM bronze_meta.ducklake_data_file)",
    );
    world.prove(1);
}

#[test]
fn a_table_that_is_numbered_by_another_column_now_is_proved_as_it_landed() {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         CREATE TABLE trades (id int PRIMARY KEY, ledger bigint, closed bigint);
         INSERT INTO ledgers VALUES (100, 'v'); INSERT INTO trades SELECT i, i, 30000 + i FROM generate_series(1, 50) i",
    );
    let tables = |column: &str| format!(r#"["ledgers", {{ name = "trades", column = "{column}" }}]"#);
    world.set("source.tables", &tables("ledger"));
    world.flush();
    world.set("source.tables", &tables("closed"));
    assert_eq!(table(&world.proves(), "trades")["lake_rows"], 50);
    world.psql(
        "INSERT INTO ledgers VALUES (200, 'v'); INSERT INTO trades SELECT i, 7, 100 + i FROM generate_series(51, 70) i",
    );
    world.flush();
    for column in ["ledger", "closed"] {
        world.set("source.tables", &tables(column));
        assert_eq!(table(&world.proves(), "trades")["lake_rows"], 70, "{column}");
    }
    // Of a flush whose note does not say it, the column is the one in the file.
    world.psql(
        "UPDATE bronze_meta.lakefront_commits SET tables = (SELECT jsonb_object_agg(key, value - 'sequence')
           FROM jsonb_each(tables)) WHERE tables IS NOT NULL AND position = 1",
    );
    world.prove(1);
    world.set("source.tables", &tables("ledger"));
    assert_eq!(table(&world.proves(), "trades")["lake_rows"], 70);
}

#[test]
fn a_proof_beside_a_run_holds() {
    let mut world = tables();
    world.set("source.interval", r#""5s""#);
    let mut tail = world.tail("");
    tail.until_it_says("landed position=1");
    for round in 0..8_u64 {
        let from = 1000 + round * 500;
        world.psql(&rows(from, from + 499));
        let said = world.proves();
        assert_eq!(said["ok"], true, "{said:#}");
        wait::pause(std::time::Duration::from_millis(700));
    }
    assert_eq!(tail.stop().code, Some(0));
    let said = world.proves();
    assert_eq!(table(&said, "effects")["lake_rows"], 4100, "{said:#}");
}
