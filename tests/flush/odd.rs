//! Hot tables as people have them: with foreign keys, triggers, other writers and odd names.

use crate::support::{Random, wait};
use crate::world::World;

#[track_caller]
fn refuses(sql: &str, says: &str) {
    let world = World::new(&format!(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text); INSERT INTO ledgers VALUES (1, 'a'); {sql}"
    ));
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains(says), "it does not say {says:?}: {}", ended.stderr);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 1, "nothing is deleted");
}

#[test]
fn what_a_delete_would_do_beside_is_refused() {
    refuses(
        "CREATE TABLE notes (ledger bigint REFERENCES ledgers ON DELETE CASCADE)",
        "it is referenced by foreign key notes_ledger_fkey",
    );
    refuses(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER keep BEFORE DELETE ON ledgers FOR EACH ROW EXECUTE FUNCTION f()",
        "it has the trigger keep",
    );
    refuses("CREATE RULE keep AS ON DELETE TO ledgers DO INSTEAD NOTHING", "it has the rule keep");
    refuses("CREATE TABLE child () INHERITS (ledgers)", "children by inheritance, such as child");
}

#[test]
fn names_that_a_lake_cannot_tell_apart_are_refused() {
    refuses("ALTER TABLE ledgers ADD COLUMN \"V\" text", "two columns that a lake cannot tell apart");
    refuses("CREATE TABLE \"Ledgers\" (sequence bigint)", "two tables are called");
    refuses("ALTER TABLE ledgers ADD COLUMN _offset bigint", "a name that lakefront uses itself");
}

#[test]
fn a_table_of_the_lake_in_another_case_is_the_same() {
    let world =
        World::new("CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text); INSERT INTO ledgers VALUES (2, 'b')");
    let mut duck = world.duck_of_a_new_lake();
    duck.rows("CREATE SCHEMA lake.\"Bronze\"");
    duck.rows("CREATE TABLE lake.\"Bronze\".\"Ledgers\" AS SELECT 1::BIGINT AS \"Sequence\", 'a' AS \"V\"");
    let ended = world.run(&["run", "p.toml", "--once", "--adopt"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(world.duck().lines("SELECT sequence, v FROM lake.bronze.ledgers ORDER BY 1"), ["1|a", "2|b"]);
}

#[test]
fn sequences_may_be_small_and_keys_may_have_other_ones() {
    let world = World::new(
        "CREATE TABLE ledgers (sequence int PRIMARY KEY);
         CREATE TABLE items (id int PRIMARY KEY, sequence smallint, rejected_at int);
         CREATE TABLE pairs (sequence int, rejected_at int, PRIMARY KEY (sequence, rejected_at));
         INSERT INTO ledgers SELECT generate_series(1, 90); INSERT INTO items VALUES (1, 1, 5);
         INSERT INTO pairs VALUES (1, 1)",
    );
    world.flush();
    // The same key under another number, and another key under the same number.
    world.psql("INSERT INTO items VALUES (1, 80, 6), (2, 80, 7); INSERT INTO pairs VALUES (1, 1), (1, 2), (1, 3)");
    world.psql("INSERT INTO ledgers VALUES (91)");
    world.flush();
    let mut duck = world.duck();
    assert_eq!(duck.lines("SELECT id, sequence FROM lake.bronze.items ORDER BY 1"), ["1|1", "2|80"]);
    assert_eq!(duck.lines("SELECT rejected_at FROM lake.bronze.pairs ORDER BY 1"), ["1", "2", "3"]);
}

#[test]
fn statistics_know_what_files_leave_out() {
    let world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, u int, f float8); INSERT INTO ledgers VALUES (1, 1, 1.5)",
    );
    world.flush();
    let mut duck = world.duck();
    duck.rows("ALTER TABLE lake.bronze.ledgers ADD COLUMN x INTEGER DEFAULT 7");
    duck.rows("INSERT INTO lake.bronze.ledgers VALUES (2, 2, 'nan', 1100), (3, 3, 2.5, 2099)");
    world.psql("ALTER TABLE ledgers DROP COLUMN u; INSERT INTO ledgers VALUES (4, 9.5)");
    world.flush();
    let mut duck = world.duck();
    for (filter, count) in [
        ("u IS NULL", "1"),
        ("u IS NOT NULL", "3"),
        ("x = 7", "2"),
        ("x < 50", "2"),
        ("isnan(f)", "1"),
        ("f = 'nan'", "1"),
    ] {
        let sql = format!("SELECT count(*) FROM lake.bronze.ledgers WHERE {filter}");
        assert_eq!(duck.lines(&sql), [count], "{filter}");
    }
    assert_eq!(duck.lines("SELECT count(u) FROM lake.bronze.ledgers"), ["3"]);
}

#[test]
fn tables_are_rewritten_and_connections_are_lost_meanwhile() {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         INSERT INTO ledgers SELECT i, repeat('x', 2000) FROM generate_series(1, 20000) i",
    );
    world.set("source.max_rows", "3000").set("source.connections", "2");
    let (world, mut random) = (&world, Random::new(3));
    // Until the run has ended.
    let run = world.run_with("");
    let ended = std::thread::scope(|scope| {
        let ended = scope.spawn(|| run.end());
        while !ended.is_finished() {
            let sql = match random.below(0..4) {
                0 => "VACUUM FULL ledgers".to_owned(),
                1 => "SET lock_timeout = '2s'; ALTER TABLE ledgers ALTER COLUMN v SET STORAGE EXTENDED".to_owned(),
                _ => "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
                      WHERE application_name = 'lakefront' AND datname = current_database() AND query LIKE 'COPY%' LIMIT 1) p"
                    .to_owned(),
            };
            let _ = world.try_psql(&sql);
            wait::pause(std::time::Duration::from_millis(random.below(20..200)));
        }
        ended.join().expect("the run ends")
    });
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let counted = "SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers";
    assert_eq!(world.duck().lines(counted), ["20000|20000"]);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
}

#[test]
fn a_row_that_is_changed_before_it_is_deleted_makes_the_flush_again() {
    let world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         INSERT INTO ledgers SELECT i, 'first' FROM generate_series(1, 100) i",
    );
    let ended = std::thread::scope(|scope| {
        let changes = scope.spawn(|| {
            world.psql("BEGIN; UPDATE ledgers SET v = 'second' WHERE sequence = 7; SELECT pg_sleep(2); COMMIT");
        });
        assert!(wait::until(|| world.is_asleep()), "the row is locked");
        // The DELETE waits for the row and fails, before any connection has the snapshot.
        let ended = world.run_with("flush-copy=sleep(3000)").end();
        changes.join().expect("psql");
        ended
    });
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("is made again"), "{}", ended.stderr);
    let counted = "SELECT v, count(*) FROM lake.bronze.ledgers GROUP BY 1 ORDER BY 1";
    assert_eq!(world.duck().lines(counted), ["first|99", "second|1"]);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
}

#[test]
fn a_delete_that_is_under_way_ends_with_its_flush() {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         INSERT INTO ledgers SELECT i, 'v' FROM generate_series(1, 100) i",
    );
    world.set("source.connections", "1");
    let ended = std::thread::scope(|scope| {
        // The DELETE waits for this row, longer than it takes to copy in vain.
        let holds = scope.spawn(|| {
            world.psql("BEGIN; SELECT FROM ledgers WHERE sequence = 7 FOR UPDATE; SELECT pg_sleep(4); COMMIT");
        });
        assert!(wait::until(|| world.is_asleep()), "the row is locked");
        let mut run = world.run_with("flush-copy=1*return->off");
        run.until_it_says("is made again");
        run.until_it_says("trying again");
        let deletes =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'DELETE%'
                       AND state = 'active'";
        // Never two at once.
        while world.is_asleep() {
            assert!(world.number(deletes) <= 1);
        }
        holds.join().expect("psql");
        run.end()
    });
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(world.duck().lines("SELECT count(*) FROM lake.bronze.ledgers"), ["100"]);
}

#[test]
fn whoever_locks_a_row_for_long_is_named() {
    let world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         INSERT INTO ledgers SELECT i, 'v' FROM generate_series(1, 100) i",
    );
    let (ended, process) = std::thread::scope(|scope| {
        // Longer than a DELETE waits.
        let holds = scope.spawn(|| {
            world.psql(
                "SET application_name = 'the holder';
                 BEGIN; SELECT FROM ledgers WHERE sequence = 7 FOR UPDATE; SELECT pg_sleep(14); COMMIT",
            )
        });
        assert!(wait::until(|| world.is_asleep()), "the row is locked");
        let process = world.number("SELECT pid FROM pg_stat_activity WHERE application_name = 'the holder'");
        let ended = world.run(&["run", "p.toml", "--once"]);
        holds.join().expect("psql");
        (ended, process)
    });
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let line = ended.stderr.lines().find(|line| line.contains("is made again")).expect("a flush that was void");
    let says = format!("are locked by process {process}");
    assert!(line.contains(&says) && line.contains("the holder"), "{line}");
    assert_eq!(world.duck().lines("SELECT count(*) FROM lake.bronze.ledgers"), ["100"]);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
}

#[test]
fn a_table_that_leaves_the_list_and_comes_back_goes_on_where_it_was() {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY); CREATE TABLE effects (ledger_sequence bigint PRIMARY KEY)",
    );
    let rows = |from: i64| {
        format!(
            "INSERT INTO ledgers SELECT i FROM generate_series({from}, {from} + 9) i;
             INSERT INTO effects SELECT i FROM generate_series({from}, {from} + 9) i"
        )
    };
    world.psql(&rows(1));
    world.flush();
    world.psql(&rows(11));
    world.set("source.tables", r#"["ledgers"]"#);
    world.flush();
    assert_eq!(world.psql("SELECT (SELECT count(*) FROM ledgers), (SELECT count(*) FROM effects)"), "0|10");
    world.proves();
    world.unset("source.tables").psql(&rows(21));
    world.flush();
    assert_eq!(world.psql("SELECT (SELECT count(*) FROM ledgers), (SELECT count(*) FROM effects)"), "0|0");
    for (table, column) in [("ledgers", "sequence"), ("effects", "ledger_sequence")] {
        let counted = format!("SELECT count(*), count(DISTINCT {column}) FROM lake.bronze.{table}");
        assert_eq!(world.duck().lines(&counted), ["30|30"]);
    }
    world.proves();
}
