//! Hot tables and catalog in two databases: what the DELETE was to take is told after a crash
//! without a primary key, and nothing else is taken for it.

use std::thread;

use crate::support::postgres::Server;
use crate::support::wait;
use crate::support::{Ended, Running};
use crate::world::World;

const TABLES: &str = "
    CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text); CREATE TABLE effects (ledger_sequence bigint, v text)";

const ROWS: &str = "
    INSERT INTO ledgers SELECT i, 'v' FROM generate_series(1, 100) i;
    INSERT INTO effects SELECT i, 'first' FROM generate_series(1, 100) i";

/// A hundred rows of each table wait.
fn apart() -> World {
    let mut world = World::new(&format!("{TABLES};{ROWS}"));
    world.apart();
    world
}

/// The lake commits, and the run dies before the DELETE does.
#[track_caller]
fn dies_between(world: &World) {
    let flushes = world.flushes_so_far();
    world.run_with("flush-forget=panic").end().exits_with(3);
    assert_eq!(world.flushes(), flushes + 1, "the flush has landed");
}

/// A run that goes on to an end.
#[track_caller]
fn runs(world: &World) -> Ended {
    world.run(&["run", "p.toml", "--once"]).exits_with(0)
}

/// Each value of the lake's effects, and how often it is there.
fn effects(world: &World) -> Vec<String> {
    world.duck().lines("SELECT v, count(*) FROM lake.bronze.effects GROUP BY 1 ORDER BY 1")
}

const HOT: &str = "SELECT (SELECT count(*) FROM ledgers), (SELECT count(*) FROM effects)";

#[test]
fn tables_without_a_key_may_be_in_another_database_than_the_catalog() {
    let world = apart();
    let said = world.run(&["validate", "p.toml", "--connect"]).exits_with(0);
    assert!(said.stdout.contains("effects by ledger_sequence, without a primary key: will be made"), "{}", said.stdout);
    let said = world.run(&["doctor", "p.toml"]);
    assert!(said.stdout.contains("a run may claim it"), "{}", said.stdout);
    let said = runs(&world);
    assert!(said.stderr.contains("have no primary key"), "{}", said.stderr);
    assert_eq!((effects(&world), world.psql(HOT).as_str()), (vec!["first|100".to_owned()], "0|0"));
    // Rows that come back append, as they do in one database.
    world.psql("INSERT INTO effects VALUES (7, 'first'); INSERT INTO ledgers VALUES (101, 'v')");
    runs(&world);
    assert_eq!((effects(&world), world.psql(HOT).as_str()), (vec!["first|101".to_owned()], "0|0"));
    world.proves();
}

#[test]
fn what_a_crash_has_left_is_deleted_and_nothing_else() {
    let world = apart();
    dies_between(&world);
    assert_eq!(world.psql(HOT), "100|100", "the crash has left them");
    // Rows of the same content come back, one is late, and three that were left are touched. What
    // VACUUM freezes, and who locks a row, changes nothing.
    world.psql(
        "INSERT INTO effects SELECT i, 'first' FROM generate_series(41, 60) i; INSERT INTO effects VALUES (50, 'late');
         UPDATE effects SET v = 'changed' WHERE ledger_sequence = 7; DELETE FROM effects WHERE ledger_sequence = 8;
         BEGIN; SELECT count(*) FROM (SELECT FROM effects WHERE ledger_sequence < 20 FOR UPDATE) l; COMMIT;
         BEGIN; UPDATE effects SET v = 'not so' WHERE ledger_sequence = 9; ROLLBACK;
         VACUUM (FREEZE) effects; VACUUM (FULL) effects; INSERT INTO ledgers VALUES (101, 'v')",
    );
    let mut duck = world.duck();
    duck.rows("CALL ducklake_merge_adjacent_files('lake')");
    duck.rows("INSERT INTO lake.bronze.effects VALUES (1, 'of DuckDB')");
    duck.rows("CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)");
    duck.rows("CALL ducklake_expire_snapshots('lake', older_than => now())");
    let ended = runs(&world);
    for part in ["still hot, and are deleted", "effects 98, ledgers 100", "effects 2", "have changed or deleted them"] {
        assert!(ended.stderr.contains(part), "it does not say {part:?}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("rows came back that the lake has"), "{}", ended.stderr);
    assert_eq!(effects(&world), ["changed|1", "first|120", "late|1", "of DuckDB|1"]);
    assert_eq!(world.psql(HOT), "0|0");
    let counted = "SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers";
    assert_eq!(duck.lines(counted), ["101|101"]);
    // It is asked once more, and told that nothing is left.
    assert!(!runs(&world).stderr.contains("still hot"), "nothing is left");
    world.proves();
}

#[test]
fn rows_of_a_transaction_that_was_under_way_are_not_taken_for_left_ones() {
    let world = apart();
    // A subtransaction, which PostgreSQL's own snapshots do not name.
    let sql = "BEGIN; INSERT INTO effects VALUES (50, 'top'); SAVEPOINT s; INSERT INTO effects VALUES (50, 'sub');
               RELEASE s; SELECT pg_sleep(20); COMMIT";
    thread::scope(|scope| {
        let writer = scope.spawn(|| world.psql(sql));
        assert!(wait::until(|| world.is_asleep()), "it waits");
        // Younger ones, which the flush sees.
        world.psql("INSERT INTO effects VALUES (60, 'younger'); INSERT INTO ledgers VALUES (101, 'v')");
        dies_between(&world);
        assert!(world.is_asleep(), "it was under way all the time");
        writer.join().expect("the writer");
    });
    assert_eq!(effects(&world), ["first|100", "younger|1"]);
    assert_eq!(world.psql(HOT), "101|103");
    world.psql("INSERT INTO ledgers VALUES (102, 'v')");
    let ended = runs(&world);
    assert!(ended.stderr.contains("effects 101, ledgers 101"), "{}", ended.stderr);
    assert_eq!(effects(&world), ["first|100", "sub|1", "top|1", "younger|1"]);
    assert_eq!(world.psql(HOT), "0|0");
    world.proves();
}

#[test]
fn a_role_that_may_only_read_and_delete_is_enough() {
    let mut world = apart();
    let (server, database, role) = (Server::shared(), world.psql("SELECT current_database()"), "reads_and_deletes");
    world.psql(&format!("CREATE ROLE {role} LOGIN; GRANT SELECT, DELETE ON ledgers, effects TO {role}"));
    world.at(&format!("postgresql://{role}@127.0.0.1:{}/{database}", server.port()), &server.conninfo(&database));
    dies_between(&world);
    assert_eq!(world.psql(HOT), "100|100");
    runs(&world);
    assert_eq!((effects(&world), world.psql(HOT).as_str()), (vec!["first|100".to_owned()], "0|0"));
}

#[test]
fn a_crash_while_left_rows_are_deleted_leaves_them() {
    let world = apart();
    dies_between(&world);
    let ended = world.run_with("flush-left=panic").end().exits_with(3);
    assert!(ended.stderr.contains("failpoint flush-left panic"), "{}", ended.stderr);
    assert_eq!(world.psql(HOT), "100|100");
    runs(&world);
    assert_eq!((effects(&world), world.psql(HOT).as_str()), (vec!["first|100".to_owned()], "0|0"));
    // The next crash is that of the next flush.
    world.psql("INSERT INTO effects VALUES (101, 'second'); INSERT INTO ledgers VALUES (101, 'v')");
    dies_between(&world);
    world.psql("INSERT INTO ledgers VALUES (102, 'v')");
    runs(&world);
    assert_eq!(
        (effects(&world), world.psql(HOT).as_str()),
        (vec!["first|100".to_owned(), "second|1".to_owned()], "0|0")
    );
    world.proves();
}

#[test]
fn leaves_that_come_later_were_not_seen() {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         CREATE TABLE effects (ledger_sequence bigint, v text) PARTITION BY RANGE (ledger_sequence);
         CREATE TABLE one PARTITION OF effects FOR VALUES FROM (0) TO (50);
         CREATE TABLE two PARTITION OF effects FOR VALUES FROM (50) TO (100);
         CREATE TABLE other (ledger_sequence bigint, v text); INSERT INTO other VALUES (110, 'other');
         INSERT INTO ledgers SELECT i, 'v' FROM generate_series(1, 120) i;
         INSERT INTO effects SELECT i, 'first' FROM generate_series(1, 99) i",
    );
    world.set("source.tables", r#"["ledgers", "effects"]"#);
    world.apart();
    dies_between(&world);
    // One goes with its rows; another comes, with rows that are older than the flush.
    world.psql(
        "DROP TABLE one; ALTER TABLE effects ATTACH PARTITION other FOR VALUES FROM (100) TO (200);
         INSERT INTO ledgers VALUES (121, 'v')",
    );
    let ended = runs(&world);
    assert!(ended.stderr.contains("effects 50, ledgers 120"), "{}", ended.stderr);
    assert_eq!((effects(&world), world.psql(HOT).as_str()), (vec!["first|99".to_owned(), "other|1".to_owned()], "0|0"));
}

#[test]
fn a_server_that_crashes_too_gives_no_number_out_again() {
    for unlogged in ["", "UNLOGGED "] {
        let (mut server, database) = (Server::start(), "hot");
        server.create_database(database);
        server.psql(database, &TABLES.replace("CREATE TABLE", &format!("CREATE {unlogged}TABLE")));
        server.psql(database, ROWS);
        let mut world = World::new("");
        world.apart();
        world.at(&server.url(database), &server.conninfo(database));
        let landed = world.flushes_so_far() + 1;
        let mut run = world.run_with("flush-forget=sleep(60000)");
        run.until("the lake has committed", || world.flushes_so_far() == landed);
        server.kill();
        run.kill();
        server.restart();
        // These transactions have the numbers that come next.
        server.psql(database, "INSERT INTO effects VALUES (50, 'late'); INSERT INTO effects VALUES (60, 'late')");
        server.psql(database, "INSERT INTO ledgers VALUES (101, 'v')");
        let hot = if unlogged.is_empty() { "101|102" } else { "1|2" };
        assert_eq!(server.psql(database, HOT), hot, "UNLOGGED tables are empty after a crash");
        let ended = runs(&world);
        assert!(!ended.stderr.contains("nobody can tell"), "{}", ended.stderr);
        assert_eq!(effects(&world), ["first|100", "late|2"], "{unlogged}");
        assert_eq!(server.psql(database, HOT), "0|0");
    }
}

#[test]
fn a_session_that_hangs_is_named_and_waited_for() {
    let world = apart();
    let mut older = world.run_with("flush-forget=sleep(120000)");
    older.until("the lake has committed", || world.flushes_so_far() == 1);
    // Else it would find out that it is fenced, and end.
    older.signal("STOP");
    let mut newer: Running = world.start(&["run", "p.toml", "--once", "--take-over"]);
    newer.until_it_says("has not ended the transaction in which flush 1 deletes rows that have landed");
    assert_eq!(world.psql(HOT), "100|100", "nothing is done meanwhile");
    let said = newer.stderr();
    let (_, rest) = said.split_once("SELECT pg_terminate_backend(").expect("it says what to do");
    let (process, _) = rest.split_once(')').expect("a number");
    // What it says works.
    assert_eq!(world.psql(&format!("SELECT pg_terminate_backend({process})")), "t");
    let ended = newer.end().exits_with(0);
    assert!(ended.stderr.contains("effects 100, ledgers 100"), "{}", ended.stderr);
    assert_eq!((effects(&world), world.psql(HOT).as_str()), (vec!["first|100".to_owned()], "0|0"));
    older.kill();
}

/// What is said if nobody can tell what became of a DELETE.
const TO_DO: &str = r#"DELETE FROM "public"."effects" WHERE "ledger_sequence" <= 100"#;

#[test]
fn another_database_is_not_asked_what_became_of_the_first() {
    let mut world = apart();
    dies_between(&world);
    let (first, copy) = (world.psql("SELECT current_database()"), "copy_of_a_hot_database");
    let server = Server::shared();
    server.psql("postgres", &format!("CREATE DATABASE {copy} TEMPLATE {first}"));
    world.at(&server.url(copy), &server.conninfo(copy));
    server.psql(copy, "INSERT INTO effects VALUES (7, 'late'); INSERT INTO ledgers VALUES (101, 'v')");
    let ended = world.run(&["run", "p.toml", "--once"]).exits_with(3);
    for part in ["nobody can tell", "deleted from another database", "effects 101", "Nothing was changed", TO_DO] {
        assert!(ended.stderr.contains(part), "it does not say {part:?}: {}", ended.stderr);
    }
    assert_eq!(server.psql(copy, HOT), "101|101", "nothing is deleted by guess");
    // What it says works: rows that the lake lacks are set aside, and come again.
    let aside = "CREATE SCHEMA aside; CREATE TABLE aside.effects AS SELECT * FROM effects WHERE v = 'late'";
    server.psql(copy, &format!("{aside}; {TO_DO}"));
    let ended = runs(&world);
    assert!(ended.stderr.contains("but no row is in doubt"), "{}", ended.stderr);
    server.psql(copy, "INSERT INTO effects SELECT * FROM aside.effects; INSERT INTO ledgers VALUES (102, 'v')");
    runs(&world);
    assert_eq!(
        (effects(&world), server.psql(copy, HOT)),
        (vec!["first|100".to_owned(), "late|1".to_owned()], "0|0".to_owned())
    );
    let counted = "SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers";
    assert_eq!(world.duck().lines(counted), ["102|102"], "rows with a key go by that");
}

#[test]
fn a_restored_database_is_told_by_rows_of_any_flush() {
    let mut world = apart();
    let (first, copy) = (world.psql("SELECT current_database()"), "copy_from_before");
    let server = Server::shared();
    server.psql("postgres", &format!("CREATE DATABASE {copy} TEMPLATE {first}"));
    runs(&world);
    // The last flush has nothing of the table without a key.
    world.psql("INSERT INTO ledgers VALUES (101, 'v')");
    runs(&world);
    world.at(&server.url(copy), &server.conninfo(copy));
    let ended = world.run(&["run", "p.toml", "--once"]).exits_with(3);
    for part in ["nobody can tell", "effects 100", "Nothing was changed", &TO_DO.replace("100", "101")] {
        assert!(ended.stderr.contains(part), "it does not say {part:?}: {}", ended.stderr);
    }
    assert_eq!(server.psql(copy, HOT), "100|100");
    assert_eq!(effects(&world), ["first|100"]);
}

#[test]
fn left_rows_on_which_others_hang_by_now_stay() {
    let mut world = apart();
    dies_between(&world);
    world.psql(
        "CREATE TABLE children (s bigint REFERENCES ledgers ON DELETE CASCADE); INSERT INTO children VALUES (5);
         INSERT INTO ledgers VALUES (101, 'v')",
    );
    world.set("source.tables", r#"["effects"]"#);
    let ended = world.run(&["run", "p.toml", "--once"]).exits_with(3);
    for part in ["is referenced by foreign key", "nothing was changed"] {
        assert!(ended.stderr.contains(part), "it does not say {part:?}: {}", ended.stderr);
    }
    assert_eq!(world.psql("SELECT (SELECT count(*) FROM children), (SELECT count(*) FROM effects)"), "1|100");
    // What it says works.
    world.psql("DROP TABLE children");
    runs(&world);
    assert_eq!((effects(&world), world.psql(HOT).as_str()), (vec!["first|100".to_owned()], "1|0"));
}

#[test]
fn a_server_that_is_not_what_it_was_is_not_asked() {
    let world = apart();
    dies_between(&world);
    let saved = "CREATE TABLE saved AS SELECT tables FROM bronze_meta.lakefront_commits WHERE snapshot_id IS NOT NULL";
    world.psql_of_the_catalog(saved);
    let note = |tables: &str| {
        let sql = format!(
            "UPDATE bronze_meta.lakefront_commits c SET tables = {tables} FROM saved s WHERE c.snapshot_id IS NOT NULL"
        );
        world.psql_of_the_catalog(&sql);
    };
    // As if the server had come from a backup, or a standby had taken over.
    for (key, value, says) in [
        ("{source,transaction}", "4000000000", "it is older than the flush, and was restored"),
        ("{source,transaction}", "3", "so long ago that PostgreSQL has forgotten it"),
        ("{source,server,written}", "\"FFFFFFFF/0\"", "restored from a copy that is older than the flush"),
        ("{source,server,timeline}", "\"000000FF\"", "a standby has taken over, or the server was restored"),
        ("{source,server,system}", "\"1\"", "deleted from another database"),
        ("{source,server}", "\"elsewhere\"", "a newer lakefront may know what it means"),
    ] {
        note(&format!("jsonb_set(s.tables, '{key}', '{value}')"));
        let ended = world.run(&["run", "p.toml", "--once"]).exits_with(3);
        assert!(ended.stderr.contains(says), "it does not say {says:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(TO_DO) || key == "{source,server}", "{}", ended.stderr);
        assert_eq!(world.psql(HOT), "100|100", "nothing is deleted by guess");
    }
    note("s.tables");
    runs(&world);
    assert_eq!((effects(&world), world.psql(HOT).as_str()), (vec!["first|100".to_owned()], "0|0"));
}

#[test]
fn a_server_that_takes_over_within_a_run_is_not_taken_for_the_first() {
    // One that recovers from an archive begins a history of its own, as a standby does.
    let (mut server, database) = (Server::with(&[("restore_command", "false"), ("hot_standby", "off")]), "hot");
    server.create_database(database);
    server.psql(database, TABLES);
    server.psql(database, ROWS);
    let mut world = World::new("");
    world.apart();
    world.at(&server.url(database), &server.conninfo(database));
    world.set("source.interval", r#""5s""#);
    let mut run = world.tail("");
    run.until("the rows are deleted", || server.psql(database, HOT) == "0|0");
    server.kill();
    server.keep("recovery.signal", "");
    server.restart();
    // It may lack the DELETE: nobody can tell these rows from those that have landed.
    server.psql(database, "INSERT INTO effects VALUES (7, 'first'); INSERT INTO ledgers VALUES (101, 'v')");
    let ended = run.end().exits_with(3);
    for part in ["nobody can tell", "a standby has taken over", "effects 1.", "Nothing was changed", TO_DO] {
        assert!(ended.stderr.contains(part), "it does not say {part:?}: {}", ended.stderr);
    }
    assert_eq!((effects(&world), server.psql(database, HOT)), (vec!["first|100".to_owned()], "1|1".to_owned()));
    // What it says works.
    server.psql(database, TO_DO);
    assert!(runs(&world).stderr.contains("but no row is in doubt"));
    assert_eq!((effects(&world), server.psql(database, HOT)), (vec!["first|100".to_owned()], "0|0".to_owned()));
}

#[test]
fn nothing_lands_whose_deletion_was_lost_while_the_catalog_was_waited_for() {
    let world = apart();
    runs(&world);
    world.psql(
        "INSERT INTO effects SELECT 200, 'second' FROM generate_series(1, 10); INSERT INTO ledgers VALUES (200, 'v')",
    );
    let catalog = world.psql_of_the_catalog("SELECT current_database()");
    let holder = thread::spawn(move || {
        let held = "BEGIN; LOCK TABLE bronze_meta.ducklake_snapshot IN EXCLUSIVE MODE; SELECT pg_sleep(16); COMMIT";
        Server::shared().psql(&catalog, held);
    });
    let locks = |which: &str| {
        let sql = format!(
            "SELECT count(*) FROM pg_locks WHERE relation = 'bronze_meta.ducklake_snapshot'::regclass AND {which}"
        );
        world.psql_of_the_catalog(&sql) == "1"
    };
    assert!(wait::until(|| locks("granted AND mode = 'ExclusiveLock'")), "it is locked");
    let flushes = world.flushes();
    let mut run = world.start(&["run", "p.toml", "--once"]);
    run.until("it waits for the catalog", || locks("NOT granted"));
    let deletes = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() \
                   AND state = 'idle in transaction' AND backend_xid IS NOT NULL";
    assert_eq!(world.psql(deletes), "1");
    let ended = run.end().exits_with(0);
    holder.join().expect("the holder ends");
    assert!(ended.stderr.contains("the connection that deletes its rows was lost"), "{}", ended.stderr);
    // The flush was made anew: nothing twice, nothing left.
    assert_eq!(world.flushes(), flushes + 1);
    assert_eq!(
        (effects(&world), world.psql(HOT)),
        (vec!["first|100".to_owned(), "second|10".to_owned()], "0|0".to_owned())
    );
    world.proves();
}

#[test]
fn a_table_that_is_retained_since_a_crash_keeps_its_rows() {
    let mut world = apart();
    dies_between(&world);
    world.set("source.tables", r#"["ledgers", { name = "effects", retain = true }]"#);
    world.psql("INSERT INTO ledgers VALUES (101, 'v'); INSERT INTO effects VALUES (101, 'new')");
    runs(&world);
    assert_eq!(
        (effects(&world), world.psql(HOT).as_str()),
        (vec!["first|100".to_owned(), "new|1".to_owned()], "0|101")
    );
}

#[test]
fn what_an_earlier_build_has_left_goes_by_its_key() {
    let world = apart();
    world.psql("TRUNCATE effects");
    dies_between(&world);
    world.psql_of_the_catalog("UPDATE bronze_meta.lakefront_commits SET tables = tables - 'source'");
    world.psql("INSERT INTO ledgers VALUES (101, 'v')");
    let ended = runs(&world);
    assert!(
        ended.stderr.contains("rows came back that the lake has") && ended.stderr.contains("ledgers 100"),
        "{}",
        ended.stderr
    );
    let counted = "SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers";
    assert_eq!(world.duck().lines(counted), ["101|101"]);
    assert_eq!(world.psql(HOT), "0|0");
}
