//! Tables that are retained: their rows land once and stay hot.

use std::thread;

use crate::support::postgres::Server;
use crate::support::wait;
use crate::world::World;

/// A table with a primary key that has no sequence in it, and one without any.
fn retained() -> World {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         CREATE TABLE accounts (ledger_sequence bigint, id int PRIMARY KEY, v text);
         CREATE TABLE notes (ledger_sequence bigint, v text);
         INSERT INTO ledgers SELECT i, 'v' FROM generate_series(1, 100) i;
         INSERT INTO accounts SELECT i, i, 'first' FROM generate_series(1, 100) i;
         INSERT INTO notes SELECT i, 'first' FROM generate_series(1, 100) i",
    );
    let tables = ["ledgers", "accounts", "notes"].map(|name| format!("{{ name = {name:?}, retain = true }}"));
    world.set("source.tables", &format!("[{}]", tables.join(", ")));
    world
}

/// How many rows of each table are hot.
fn hot(world: &World) -> String {
    world.psql("SELECT (SELECT count(*) FROM ledgers), (SELECT count(*) FROM accounts), (SELECT count(*) FROM notes)")
}

#[test]
fn retained_rows_land_once_and_stay() {
    let world = retained();
    world.flush();
    assert_eq!((hot(&world).as_str(), world.flushes()), ("100|100|100", 1));
    let status = world.run(&["status", "p.toml", "--json"]);
    assert_eq!(status.code, Some(0), "{}", status.stderr);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("a status in JSON");
    let tables = status["tables"].as_object().expect("tables");
    assert!(tables.len() == 3 && tables.values().all(|table| table["lag"] == 0), "{status:#}");
    // Another run compares all of them with the lake, and has nothing to do.
    world.flush();
    assert_eq!((hot(&world).as_str(), world.flushes()), ("100|100|100", 1));
    world.psql(
        "INSERT INTO ledgers VALUES (101, 'v'); INSERT INTO accounts VALUES (101, 101, 'new'), (50, 1000, 'late');
         INSERT INTO notes VALUES (101, 'new'), (50, 'late'); UPDATE accounts SET v = 'changed' WHERE id = 7;
         DELETE FROM accounts WHERE id = 8",
    );
    world.flush();
    assert_eq!((hot(&world).as_str(), world.flushes()), ("101|101|102", 2));
    let mut duck = world.duck();
    let counted = "SELECT v, count(*), count(DISTINCT id) FROM lake.bronze.accounts GROUP BY 1 ORDER BY 1";
    assert_eq!(duck.lines(counted), ["first|100|100", "late|1|1", "new|1|1"]);
    // Without a key nothing tells a late row from those that have landed.
    assert_eq!(duck.lines("SELECT v, count(*) FROM lake.bronze.notes GROUP BY 1 ORDER BY 1"), ["first|100", "new|1"]);
    assert_eq!(duck.lines("SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers"), ["101|101"]);
    // A late row alone is worth a flush, where there is a key.
    world.psql("INSERT INTO accounts VALUES (1, 2000, 'alone'); INSERT INTO notes VALUES (1, 'late')");
    world.flush();
    assert_eq!(world.flushes(), 3);
    world.flush();
    assert_eq!((hot(&world).as_str(), world.flushes()), ("101|102|103", 3));
    assert_eq!(duck.lines("SELECT ledger_sequence, id FROM lake.bronze.accounts WHERE v = 'alone'"), ["1|2000"]);
}

#[test]
fn a_retained_table_stands_beside_one_that_is_moved() {
    let mut world = retained();
    world.set("source.tables", r#"["ledgers", { name = "accounts", retain = true }, "notes"]"#);
    world.flush();
    assert_eq!(hot(&world), "0|100|0");
    world.psql("INSERT INTO ledgers VALUES (101, 'v'), (50, 'again'); INSERT INTO accounts VALUES (101, 101, 'new')");
    world.flush();
    assert_eq!(hot(&world), "0|101|0");
    let mut duck = world.duck();
    assert_eq!(duck.lines("SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers"), ["101|101"]);
    assert_eq!(duck.lines("SELECT count(*), count(DISTINCT id) FROM lake.bronze.accounts"), ["101|101"]);
}

#[test]
fn many_late_rows_of_a_large_table_land_once() {
    let mut world = retained();
    world.set("source.max_rows", "5000");
    world.psql(
        "INSERT INTO ledgers SELECT i, 'v' FROM generate_series(101, 20000) i;
         INSERT INTO accounts SELECT i, i, 'first' FROM generate_series(101, 20000) i",
    );
    world.flush();
    assert!(world.flushes() > 4, "{} flushes of 40,000 rows", world.flushes());
    // More than one flush lists.
    let flushes = world.flushes();
    world.psql("INSERT INTO accounts SELECT 1 + i % 20000, i, 'late' FROM generate_series(100001, 310000) i");
    world.flush();
    assert!(world.flushes() > flushes + 1, "{} flushes", world.flushes() - flushes);
    let mut duck = world.duck();
    let counted = "SELECT v, count(*), count(DISTINCT id) FROM lake.bronze.accounts GROUP BY 1 ORDER BY 1";
    assert_eq!(duck.lines(counted), ["first|20000|20000", "late|210000|210000"]);
    assert_eq!(hot(&world), "20000|230000|100");
    let flushes = world.flushes();
    world.flush();
    assert_eq!(world.flushes(), flushes, "nothing waits");
}

/// A transaction writes late rows, some of them in a subtransaction, and commits once table `go`
/// has a row.
const SLOW: &str = "BEGIN; INSERT INTO ledgers VALUES (101, 'slow');
    SAVEPOINT a; INSERT INTO accounts VALUES (5, 1000, 'slow'); RELEASE a;
    DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM go) LOOP PERFORM pg_sleep(0.02); END LOOP; END $$; COMMIT";

#[test]
fn one_run_looks_again_at_what_its_last_flush_did_not_see() {
    let mut world = retained();
    world.set("source.interval", r#""5s""#);
    world.psql("CREATE TABLE go (n int)");
    let mut tail = world.tail("");
    tail.until_it_says("landed position=1");
    let database = world.psql("SELECT current_database()");
    let slow = thread::spawn(move || Server::shared().psql(&database, SLOW));
    let waits =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %FROM go%' AND datname = current_database()";
    assert!(wait::until(|| world.number(waits) == 1), "it has written its rows");
    world.psql("INSERT INTO ledgers VALUES (102, 'v'); UPDATE accounts SET v = 'changed' WHERE id = 7");
    tail.until_it_says("landed position=2");
    // What the run knows to be in the lake it does not look up again.
    let mut duck = world.duck();
    duck.rows("DELETE FROM lake.bronze.accounts WHERE id = 3");
    world.psql("INSERT INTO go VALUES (1)");
    slow.join().expect("it commits");
    tail.until_it_says("landed position=3");
    let counted = "SELECT v, count(*), count(DISTINCT id) FROM lake.bronze.accounts GROUP BY 1 ORDER BY 1";
    assert_eq!(duck.lines(counted), ["first|99|99", "slow|1|1"]);
    assert_eq!(duck.lines("SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers"), ["102|102"]);
    assert_eq!(tail.stop().code, Some(0));
    assert_eq!((hot(&world).as_str(), world.flushes()), ("102|101|100", 3));
    // Another run does not know: what the lake lacks comes again.
    world.flush();
    assert_eq!(duck.lines("SELECT v, count(*) FROM lake.bronze.accounts WHERE id = 3 GROUP BY 1"), ["first|1"]);
}

#[test]
fn a_crash_of_the_server_makes_the_run_look_anew() {
    let (mut server, database) = (Server::start(), "hot");
    server.create_database(database);
    server.psql(
        database,
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text); INSERT INTO ledgers VALUES (1, 'a'), (3, 'c')",
    );
    let mut world = retained();
    world.set("source.interval", r#""5s""#).set("source.tables", r#"[{ name = "ledgers", retain = true }]"#);
    world.at(&server.url(database), &server.conninfo(database));
    let mut tail = world.tail("");
    tail.until_it_says("landed position=1");
    server.kill();
    server.restart();
    // It may have the number of a transaction that the crash has undone.
    server.psql(database, "INSERT INTO ledgers VALUES (2, 'b')");
    tail.until_it_says("landed position=2");
    assert_eq!(tail.stop().code, Some(0));
    let rows = "SELECT sequence, v FROM lake.bronze.ledgers ORDER BY 1";
    assert_eq!(world.duck().lines(rows), ["1|a", "2|b", "3|c"]);
    assert_eq!(server.psql(database, "SELECT count(*) FROM ledgers"), "3");
}

#[test]
fn a_partition_that_is_attached_later_was_not_seen_before() {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY);
         CREATE TABLE trades (ledger_sequence bigint, id int, PRIMARY KEY (ledger_sequence, id)) PARTITION BY RANGE (ledger_sequence);
         CREATE TABLE trades_1 PARTITION OF trades FOR VALUES FROM (0) TO (50);
         CREATE TABLE other (ledger_sequence bigint NOT NULL, id int NOT NULL, PRIMARY KEY (ledger_sequence, id));
         INSERT INTO ledgers VALUES (100); INSERT INTO trades VALUES (1, 1); INSERT INTO other VALUES (60, 1), (60, 2)",
    );
    world.set("source.interval", r#""5s""#);
    world.set("source.tables", r#"[{ name = "ledgers", retain = true }, { name = "trades", retain = true }]"#);
    let mut tail = world.tail("");
    tail.until_it_says("landed position=1");
    // Its rows are older than the last flush.
    world.psql("ALTER TABLE trades ATTACH PARTITION other FOR VALUES FROM (50) TO (100)");
    tail.until_it_says("landed position=2");
    tail.stop();
    let sql = "SELECT ledger_sequence, id FROM lake.bronze.trades ORDER BY ALL";
    assert_eq!(world.duck().lines(sql), ["1|1", "60|1", "60|2"]);
}

#[test]
fn retained_tables_may_be_in_another_database_than_the_catalog() {
    let mut world = retained();
    world.apart();
    world.flush();
    world.psql("INSERT INTO ledgers VALUES (101, 'v'); INSERT INTO notes VALUES (101, 'new')");
    let ended = world.run_with("flush-forget=panic").end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    world.flush();
    let mut duck = world.duck();
    for (table, rows) in [("ledgers", 101), ("accounts", 100), ("notes", 101)] {
        assert_eq!(duck.lines(&format!("SELECT count(*) FROM lake.bronze.{table}")), [rows.to_string()], "{table}");
    }
    assert_eq!(hot(&world), "101|100|101");
}

#[test]
fn a_retained_table_with_a_key_looks_for_its_rows() {
    let mut world = retained();
    world.set("source.tables", r#"["ledgers", { name = "accounts", retain = true, late = "append" }]"#);
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("but these tables have another: accounts"), "{}", ended.stderr);
    let said = world.set("source.tables", r#"["ledgers", { name = "accounts", retain = true }]"#);
    let said = said.run(&["validate", "p.toml", "--connect"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("accounts by ledger_sequence, retained: will be made"), "{}", said.stdout);
}

#[test]
fn rows_that_stayed_are_not_forgotten_when_the_file_changes() {
    let mut world = retained();
    world.flush();
    world.psql("INSERT INTO notes VALUES (200, 'above the watermark')");
    // With a key they are found in the lake, and deleted.
    world.set("source.tables", r#"["ledgers", "accounts", { name = "notes", retain = true }]"#);
    world.flush();
    assert_eq!(hot(&world), "0|0|101");
    // Without one nothing would tell them.
    world.set("source.tables", r#"["ledgers", "accounts", "notes"]"#);
    for arguments in [["run", "p.toml", "--once"], ["validate", "p.toml", "--connect"]] {
        let ended = world.run(&arguments);
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        let said = r#"DELETE FROM "public"."notes" WHERE "ledger_sequence" <= 100"#;
        assert!(ended.stderr.contains("would land again") && ended.stderr.contains(said), "{}", ended.stderr);
    }
    // What it says to do works.
    world.psql(r#"DELETE FROM "public"."notes" WHERE "ledger_sequence" <= 100; INSERT INTO ledgers VALUES (200, 'v')"#);
    world.flush();
    assert_eq!(hot(&world), "0|0|0");
    let mut duck = world.duck();
    assert_eq!(duck.lines("SELECT count(*), max(ledger_sequence) FROM lake.bronze.notes"), ["101|200"]);
    assert_eq!(duck.lines("SELECT count(*), count(DISTINCT id) FROM lake.bronze.accounts"), ["100|100"]);
    assert_eq!(duck.lines("SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers"), ["101|101"]);
}

#[test]
fn what_only_a_delete_would_do_is_no_obstacle() {
    let mut world = retained();
    world.set("source.tables", r#"[{ name = "ledgers", retain = true }, "notes"]"#);
    world.psql(
        "CREATE TABLE seen (ledger bigint REFERENCES ledgers ON DELETE CASCADE); INSERT INTO seen VALUES (7);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER keep BEFORE DELETE ON ledgers FOR EACH ROW EXECUTE FUNCTION f()",
    );
    world.flush();
    assert_eq!(world.psql("SELECT (SELECT count(*) FROM ledgers), (SELECT count(*) FROM seen)"), "100|1");
    assert_eq!(world.duck().lines("SELECT count(*) FROM lake.bronze.ledgers"), ["100"]);
}

#[test]
fn a_flush_that_was_never_copied_moves_no_mark() {
    let mut world = retained();
    world.set("source.shutdown_timeout", r#""1s""#);
    let mut tail = world.tail("flush-copy=return");
    tail.until_it_says("attempt=6");
    tail.stop();
    world.flush();
    let counted = "SELECT count(*), max(ledger_sequence) FROM lake.bronze.notes";
    assert_eq!(world.duck().lines(counted), ["100|100"]);
    world.proves();
}

#[test]
fn a_flush_that_goes_less_far_than_the_void_one_before_it_moves_no_mark_too_far() {
    let world = retained();
    let mut tail = world.tail("flush-copy=8*return->off");
    tail.until_it_says("attempt=2");
    // As if a chain were set back: what comes again is not late.
    world.psql(
        "DELETE FROM ledgers WHERE sequence > 50; DELETE FROM accounts WHERE id > 50;
         DELETE FROM notes WHERE ledger_sequence > 50",
    );
    tail.until_it_says("landed position=");
    tail.stop();
    assert_eq!(world.duck().lines("SELECT count(*) FROM lake.bronze.notes"), ["50"]);
    world.psql(
        "INSERT INTO ledgers SELECT i, 'v' FROM generate_series(51, 100) i;
         INSERT INTO notes SELECT i, 'again' FROM generate_series(51, 100) i",
    );
    world.flush();
    let counted = "SELECT v, count(*) FROM lake.bronze.notes GROUP BY 1 ORDER BY 1";
    assert_eq!(world.duck().lines(counted), ["again|50", "first|50"]);
    world.proves();
}
