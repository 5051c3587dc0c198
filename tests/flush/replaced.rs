//! Rows that come back below the watermark, and replace what the lake has of them.

use std::collections::BTreeMap;

use crate::crashes::Crashes;
use crate::support::duck::Duck;
use crate::support::wait;
use crate::world::World;

/// A hundred rows of two tables, one of which has its sequence in its key, have landed.
fn flushed() -> World {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         CREATE TABLE events (ledger_sequence bigint, id int PRIMARY KEY, v text);
         INSERT INTO ledgers SELECT i, 'v' || i FROM generate_series(1, 100) i;
         INSERT INTO events SELECT i, i, 'first' FROM generate_series(1, 100) i",
    );
    world.set("source.late", r#""replace""#);
    world.flush();
    world
}

fn newest(world: &World) -> i64 {
    world.number("SELECT max(snapshot_id) FROM bronze_meta.ducklake_snapshot")
}

/// The ledgers of the lake.
fn ledgers(duck: &mut Duck) -> Vec<String> {
    duck.lines("SELECT sequence, v FROM lake.bronze.ledgers ORDER BY 1, 2")
}

/// As [`ledgers`] has them.
fn lines(model: &BTreeMap<i64, String>) -> Vec<String> {
    model.iter().map(|(sequence, v)| format!("{sequence}|{v}")).collect()
}

fn model() -> BTreeMap<i64, String> {
    (1..=100).map(|i| (i, format!("v{i}"))).collect()
}

/// What became of ledgers in one snapshot.
fn changes(duck: &mut Duck, snapshot: i64) -> Vec<String> {
    duck.lines(&format!(
        "SELECT change_type, sequence, v FROM ducklake_table_changes('lake', 'bronze', 'ledgers', {snapshot}, {snapshot}) \
         ORDER BY 1, 2, 3"
    ))
}

#[test]
fn the_lakes_row_goes_as_the_new_one_comes() {
    let world = flushed();
    let before = newest(&world);
    // The keys of events come back with other sequences; one key is new to the lake.
    world.psql(
        "INSERT INTO ledgers SELECT i, 'again' FROM generate_series(41, 60) i; INSERT INTO ledgers VALUES (101, 'new');
         INSERT INTO events SELECT 1 + i % 3, i, 'again' FROM generate_series(41, 60) i;
         INSERT INTO events VALUES (50, 1000, 'late')",
    );
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("events 20, ledgers 20"), "it counts what it replaces: {}", ended.stderr);
    assert_eq!(world.flushes(), 2);
    let mut duck = world.duck();
    let mut expected = model();
    expected.extend((41..=60).map(|i| (i, "again".to_owned())));
    expected.insert(101, "new".to_owned());
    assert_eq!(ledgers(&mut duck), lines(&expected));
    let counted = |at: &str| format!("SELECT v, count(*) FROM lake.bronze.events {at} GROUP BY 1 ORDER BY 1");
    assert_eq!(duck.lines(&counted("")), ["again|20", "first|80", "late|1"]);
    assert_eq!(duck.lines(&counted(&format!("AT (VERSION => {before})"))), ["first|100"]);
    let old = format!("SELECT sequence, v FROM lake.bronze.ledgers AT (VERSION => {before}) ORDER BY 1");
    assert_eq!(duck.lines(&old), lines(&model()));
    assert_eq!(duck.lines("SELECT v FROM lake.bronze.ledgers WHERE sequence = 50"), ["again"]);
    assert_eq!(world.number("SELECT (SELECT count(*) FROM ledgers) + (SELECT count(*) FROM events)"), 0);
    // One snapshot has both.
    let after = newest(&world);
    assert_eq!(after, before + 1);
    let mut expected: Vec<String> = (41..=60).map(|i| format!("delete|{i}|v{i}")).collect();
    expected.extend((41..=60).map(|i| format!("insert|{i}|again")));
    expected.push("insert|101|new".to_owned());
    assert_eq!(changes(&mut duck, after), expected);
    let said = "SELECT changes_made FROM bronze_meta.ducklake_snapshot_changes ORDER BY snapshot_id DESC LIMIT 1";
    for word in ["inserted_into_table", "deleted_from_table", "inlined_delete"] {
        assert_eq!(world.psql(said).matches(word).count(), 2, "{word}");
    }
    let noted =
        "SELECT sum((noted.value ->> 'replaced')::int) FROM bronze_meta.lakefront_commits, jsonb_each(tables) noted";
    assert_eq!(world.number(noted), 40, "a proof can account for them");
}

#[test]
fn duckdb_goes_on_with_such_a_table() {
    let world = flushed();
    let mut expected = model();
    let steps = [
        "CALL ducklake_flush_inlined_data('lake')",
        "CALL ducklake_merge_adjacent_files('lake')",
        "UPDATE lake.bronze.ledgers SET v = 'duck' WHERE sequence IN (20, 70)",
        "DELETE FROM lake.bronze.ledgers WHERE sequence = 35",
        "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)",
        "INSERT INTO lake.bronze.ledgers VALUES (1, 'twice')",
        "DELETE FROM lake.bronze.ledgers WHERE sequence % 2 = 0 AND sequence < 90",
        "CALL ducklake_merge_adjacent_files('lake')",
        "CALL ducklake_expire_snapshots('lake', older_than => now())",
        "CALL ducklake_cleanup_old_files('lake', cleanup_all => true)",
        "CALL ducklake_flush_inlined_data('lake')",
    ];
    for (round, step) in steps.into_iter().enumerate() {
        world.psql(&format!("INSERT INTO ledgers SELECT i, 'r{round}' FROM generate_series(1, 40) i"));
        world.flush();
        let mut duck = world.duck();
        expected.extend((1..=40).map(|i| (i, format!("r{round}"))));
        assert_eq!(ledgers(&mut duck), lines(&expected), "before {step}");
        duck.rows(step);
        let mut now = lines(&expected);
        match step {
            _ if step.starts_with("UPDATE") => {
                expected.extend([20, 70].map(|i| (i, "duck".to_owned())));
                now = lines(&expected);
            }
            _ if step.contains("= 35") => {
                expected.remove(&35);
                now = lines(&expected);
            }
            _ if step.contains("% 2") => {
                expected.retain(|i, _| i % 2 == 1 || *i >= 90);
                now = lines(&expected);
            }
            // Both rows of the key go when it comes back.
            _ if step.contains("'twice'") => now.insert(1, "1|twice".to_owned()),
            _ => {}
        }
        assert_eq!(ledgers(&mut duck), now, "after {step}");
    }
    world.psql("INSERT INTO ledgers SELECT i, 'last' FROM generate_series(1, 100) i");
    world.flush();
    let mut duck = world.duck();
    assert_eq!(
        duck.lines("SELECT v, count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers GROUP BY 1"),
        ["last|100|100"]
    );
    assert_eq!(duck.lines("SELECT count(*) - count(DISTINCT rowid) FROM lake.bronze.ledgers"), ["0"]);
}

#[test]
fn inlined_rows_are_replaced_where_they_are() {
    let world = flushed();
    let mut duck = world.duck();
    duck.rows("DELETE FROM lake.bronze.ledgers WHERE sequence IN (7, 8)");
    duck.rows("INSERT INTO lake.bronze.ledgers VALUES (7, 'duck'), (8, 'duck')");
    let before = newest(&world);
    world.psql("INSERT INTO ledgers VALUES (7, 'ours'), (9, 'ours')");
    world.flush();
    let after = newest(&world);
    let mut expected = model();
    expected.extend([(7, "ours".to_owned()), (8, "duck".to_owned()), (9, "ours".to_owned())]);
    assert_eq!(ledgers(&mut duck), lines(&expected));
    assert_eq!(changes(&mut duck, after), ["delete|7|duck", "delete|9|v9", "insert|7|ours", "insert|9|ours"]);
    let at = format!("SELECT v FROM lake.bronze.ledgers AT (VERSION => {before}) WHERE sequence IN (7, 9) ORDER BY 1");
    assert_eq!(duck.lines(&at), ["duck", "v9"]);
    // They are flushed, and what was true at each snapshot stays so.
    duck.rows("CALL ducklake_flush_inlined_data('lake')");
    let mut duck = world.duck();
    assert_eq!(ledgers(&mut duck), lines(&expected));
    assert_eq!(duck.lines(&at), ["duck", "v9"]);
}

/// How many files of ours the folder of ledgers has.
fn staged(world: &World) -> usize {
    let folder = std::fs::read_dir(world.path("lake/bronze/ledgers")).expect("the table's folder");
    folder.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("lakefront-")).count()
}

#[test]
fn what_duckdb_does_to_these_rows_while_we_copy_makes_the_flush_again() {
    let world = flushed();
    let mut expected = model();
    for (round, (last, step)) in [
        (60, "DELETE FROM lake.bronze.ledgers WHERE sequence = 50"),
        (60, "UPDATE lake.bronze.ledgers SET v = 'duck' WHERE sequence = 50"),
        (60, "DELETE FROM lake.bronze.ledgers WHERE sequence BETWEEN 41 AND 60"),
        // Those above 60 are in a file that has deleted rows.
        (80, "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)"),
    ]
    .into_iter()
    .enumerate()
    {
        world.psql(&format!("INSERT INTO ledgers SELECT i, 'm{round}' FROM generate_series(41, {last}) i"));
        let (before, mut duck) = (staged(&world), world.duck());
        // The places are looked up, the files are staged, and the commit is still to come.
        let run = world.run_with("stage-synced=1*sleep(5000)");
        assert!(wait::until(|| staged(&world) > before), "it stages");
        duck.rows(step);
        let ended = run.end().exits_with(0);
        assert!(ended.stderr.contains("is made again"), "{step}: {}", ended.stderr);
        expected.extend((41..=last).map(|i| (i, format!("m{round}"))));
        assert_eq!(ledgers(&mut duck), lines(&expected), "{step}");
        assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
    }
}

#[test]
fn inlined_rows_that_are_flushed_while_we_copy_make_the_flush_again() {
    let world = flushed();
    let mut duck = world.duck();
    duck.rows("DELETE FROM lake.bronze.ledgers WHERE sequence = 7");
    duck.rows("INSERT INTO lake.bronze.ledgers VALUES (7, 'duck')");
    world.psql("INSERT INTO ledgers VALUES (7, 'ours')");
    let before = staged(&world);
    let run = world.run_with("stage-synced=1*sleep(5000)");
    assert!(wait::until(|| staged(&world) > before), "it stages");
    duck.rows("CALL ducklake_flush_inlined_data('lake')");
    let ended = run.end().exits_with(0);
    assert!(ended.stderr.contains("is made again"), "{}", ended.stderr);
    let mut expected = model();
    expected.insert(7, "ours".to_owned());
    assert_eq!(ledgers(&mut duck), lines(&expected));
}

#[test]
fn a_merge_that_began_before_a_flush_does_not_bring_rows_back() {
    let world = flushed();
    world.psql("INSERT INTO ledgers SELECT i, 'v' || i FROM generate_series(101, 200) i");
    world.flush();
    let mut duck = world.duck();
    duck.rows("BEGIN");
    duck.rows("CALL ducklake_merge_adjacent_files('lake')");
    world.psql("INSERT INTO ledgers VALUES (41, 'again')");
    world.flush();
    assert!(duck.sql("COMMIT").is_err(), "DuckDB finds that rows were deleted");
    let mut expected = model();
    expected.extend((101..=200).map(|i| (i, format!("v{i}"))));
    expected.insert(41, "again".to_owned());
    assert_eq!(ledgers(&mut duck), lines(&expected));
}

#[test]
fn no_snapshot_lacks_a_key_however_many_flushes_it_takes() {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         INSERT INTO ledgers SELECT i, repeat('x', 20) FROM generate_series(1, 20000) i",
    );
    world.set("source.late", r#""replace""#);
    world.flush();
    world.psql("INSERT INTO ledgers SELECT i, 'again' FROM generate_series(1, 20000) i");
    world.set("source.max_rows", "5000");
    world.flush();
    assert!(world.flushes() > 3, "{} flushes", world.flushes());
    let snapshots =
        world.psql("SELECT snapshot_id FROM bronze_meta.lakefront_commits WHERE snapshot_id IS NOT NULL ORDER BY 1");
    let (mut duck, mut replaced) = (world.duck(), Vec::new());
    for snapshot in snapshots.lines() {
        let at = format!("FROM lake.bronze.ledgers AT (VERSION => {snapshot})");
        assert_eq!(duck.lines(&format!("SELECT count(*), count(DISTINCT sequence) {at}")), ["20000|20000"]);
        let again = duck.lines(&format!("SELECT count(*) {at} WHERE v = 'again'"));
        replaced.push(again[0].parse::<i64>().expect("a number"));
    }
    assert!(replaced.is_sorted() && replaced.last() == Some(&20_000), "{replaced:?}");
}

#[test]
fn a_row_that_changes_after_a_crash_between_two_databases_replaces_what_it_was() {
    let mut world = World::new("CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text)");
    world.apart();
    world.set("source.late", r#""replace""#);
    world.psql("INSERT INTO ledgers SELECT i, 'v' || i FROM generate_series(1, 100) i");
    let ended = world.run_with("flush-forget=panic").end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let mut duck = world.duck();
    assert_eq!(ledgers(&mut duck), lines(&model()));
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 100, "the crash has left them");
    // What is hot is newer.
    world.psql("UPDATE ledgers SET v = 'changed' WHERE sequence = 50; INSERT INTO ledgers VALUES (101, 'new')");
    world.flush();
    let mut expected = model();
    expected.extend([(50, "changed".to_owned()), (101, "new".to_owned())]);
    assert_eq!(ledgers(&mut duck), lines(&expected));
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
}

#[test]
fn whoever_may_read_the_catalog_may_read_the_deletes() {
    let world = flushed();
    world.psql(
        "CREATE ROLE reader_of_replaced; GRANT SELECT ON ALL TABLES IN SCHEMA bronze_meta TO reader_of_replaced;
         INSERT INTO ledgers VALUES (5, 'again')",
    );
    world.flush();
    let may = "SELECT count(*) FROM pg_class WHERE relname LIKE 'ducklake_inlined_delete_%' \
               AND has_table_privilege('reader_of_replaced', oid, 'SELECT')";
    assert_eq!(world.number(may), 1);
}

#[test]
fn without_a_key_there_is_nothing_to_replace_by() {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY); CREATE TABLE effects (ledger_sequence bigint, v text);
         INSERT INTO ledgers VALUES (1); INSERT INTO effects VALUES (1, 'a')",
    );
    world.set("source.late", r#""replace""#);
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    for part in [r#"late = "replace" finds rows by their primary key"#, r#"{ name = "effects", late = "append" }"#] {
        assert!(ended.stderr.contains(part), "it does not say {part:?}: {}", ended.stderr);
    }
    assert_eq!(world.number("SELECT count(*) FROM effects"), 1, "nothing was moved");
}

#[test]
fn a_crash_at_any_step_replaces_each_row_once() {
    let mut world = World::new("CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text)");
    story(&mut world, &[]);
}

#[test]
fn a_crash_at_any_step_between_two_databases_replaces_each_row_once() {
    let mut world = World::new("CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text)");
    world.apart();
    story(&mut world, &["flush-forget", "flush-forgotten"]);
}

/// Each run has a new row and five that come back.
fn story(world: &mut World, also: &[&str]) {
    world.set("source.late", r#""replace""#);
    let mut expected = BTreeMap::new();
    let before = |sequence: i64, point: &str| {
        let (first, v) = ((sequence - 5).max(1), format!("{point} {sequence}"));
        // Some may still be hot, after a crash.
        world.psql(&format!(
            "INSERT INTO ledgers SELECT i, '{v}' FROM generate_series({first}, {sequence}) i
             ON CONFLICT (sequence) DO UPDATE SET v = excluded.v"
        ));
        expected.extend((first..=sequence).map(|i| (i, v.clone())));
    };
    let crashes = Crashes::at_each_step(world, before, |_| {});
    world.flush();
    let mut duck = world.duck();
    assert_eq!(ledgers(&mut duck), lines(&expected));
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
    // So it was at every snapshot, not only at the last.
    let newest = duck.lines("SELECT max(snapshot_id) FROM lake.snapshots()");
    for snapshot in 3..=newest[0].parse::<i64>().expect("a number") {
        let sql = format!(
            "SELECT count(*) - count(DISTINCT sequence), max(sequence) - count(*) \
             FROM lake.bronze.ledgers AT (VERSION => {snapshot})"
        );
        assert_eq!(duck.lines(&sql), ["0|0"], "snapshot {snapshot}");
    }
    let steps = ["ducklake-lock", "ducklake-written", "ducklake-committed", "stage-synced", "fetch-done"];
    crashes.came_to(&steps, also);
}
