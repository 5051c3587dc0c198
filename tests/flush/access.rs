//! What keeps a run out: passwords, hosts and rights. It is told, nothing is changed, and once that
//! is mended the rows move.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::pages::blocks;
use crate::support::postgres::Server;
use crate::world::World;

const TABLES: &str = "
    CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
    CREATE TABLE effects (ledger_sequence bigint, n bigint PRIMARY KEY);
    INSERT INTO ledgers SELECT i, 'v' || i FROM generate_series(1, 10) i;
    INSERT INTO effects SELECT i, i FROM generate_series(1, 10) i";

/// How many rows are hot.
const HOT: &str = "SELECT (SELECT count(*) FROM ledgers) + (SELECT count(*) FROM effects)";

#[track_caller]
fn is_refused(world: &World, says: &[&str]) {
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    for part in says {
        assert!(ended.stderr.contains(part), "it does not say {part:?}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
}

/// A world whose hot tables are in a server that asks role `flusher` for a password.
fn guarded() -> (World, Server) {
    let (mut world, server) = (World::new(""), Server::start());
    server.create_database("hot");
    server.psql("hot", TABLES);
    server.psql("hot", "CREATE ROLE flusher SUPERUSER LOGIN PASSWORD 'hunter2 @/'");
    server.keep("pg_hba.conf", "host all postgres 127.0.0.1/32 trust\nhost all flusher 127.0.0.1/32 scram-sha-256\n");
    server.reload();
    world.at(&format!("postgresql://flusher@127.0.0.1:{}/hot", server.port()), &server.conninfo("hot"));
    (world, server)
}

#[test]
fn a_password_is_checked_wherever_it_comes_from() {
    let (mut world, server) = guarded();
    let moves = |world: &World, number: u64| {
        server.psql("hot", &format!("INSERT INTO ledgers VALUES ({number}, 'v')"));
        world.flush();
        assert_eq!(server.psql("hot", HOT), "0");
    };
    is_refused(&world, &["the server asks for a password", "none is given"]);
    world.set("source.password", r#""hunter2""#);
    let wrong = ["password authentication failed for user \"flusher\"", "SQLSTATE 28P01", "check the user \"flusher\""];
    is_refused(&world, &wrong);
    assert_eq!(server.psql("hot", HOT), "20", "nothing is deleted");
    assert_eq!(server.psql("hot", "SELECT count(*) FROM pg_namespace WHERE nspname = 'bronze_meta'"), "0");
    world.set("source.password", r#""hunter2 @/""#);
    moves(&world, 11);
    // In a file, and from a command; what is not there is named.
    world.unset("source.password").set("source.password_file", r#""secret""#);
    is_refused(&world, &["could not read the password in", "secret"]);
    fs::write(world.path("secret"), "hunter2\n").expect("a file");
    is_refused(&world, &[wrong[0], "it is the first line of"]);
    fs::write(world.path("secret"), "hunter2 @/\nmore\n").expect("a file");
    moves(&world, 12);
    world.unset("source.password_file").set("source.password_command", r#"["false"]"#);
    is_refused(&world, &["could not ask \"false\" for the password"]);
    world.set("source.password_command", r#"["cat", "secret"]"#);
    moves(&world, 13);
}

#[test]
fn a_password_may_change_while_a_run_goes_on() {
    let (mut world, server) = guarded();
    fs::write(world.path("secret"), "hunter2 @/\n").expect("a file");
    world.set("source.password_file", r#""secret""#).set("source.interval", r#""5s""#);
    let mut tail = world.tail("");
    tail.until_it_says("landed position=1");
    server.psql("hot", "ALTER ROLE flusher PASSWORD 'another'; INSERT INTO ledgers VALUES (11, 'v')");
    fs::write(world.path("secret"), "another\n").expect("a file");
    // Its sessions end, and new ones need the new password.
    let ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'flusher'";
    server.psql("hot", ends);
    tail.until_it_says("landed position=2");
    tail.stop();
    assert_eq!(world.duck().lines("SELECT count(*), max(sequence) FROM lake.bronze.ledgers"), ["11|11"]);
}

#[test]
fn a_host_that_is_not_there_is_told() {
    let mut world = World::new(TABLES);
    let database = world.psql("SELECT current_database()");
    let (url, conninfo) = (Server::shared().url(&database), Server::shared().conninfo(&database));
    // It takes connections and says nothing, as behind some firewalls.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = (silent.local_addr().expect("an address").port(), silent);
    let missing = url.replace(&format!("/{database}"), "/nowhere");
    let nobody = url.replace("postgres@", "nobody@");
    for (place, says) in [
        (format!("postgresql://u@127.0.0.1:1/{database}"), "nothing listens on port 1 of 127.0.0.1"),
        (format!("postgresql://u@no-such-host.invalid/{database}"), "check the host \"no-such-host.invalid\""),
        (format!("postgresql://u@127.0.0.1:{}/x?connect_timeout=1", silent.0), "it was not done within 3 s"),
        (missing, "check the name after the host in the URL"),
        (nobody, "the role \"nobody\" must exist and have LOGIN"),
    ] {
        // As the source, and as the catalog.
        world.unset("lake.catalog").at(&place, &conninfo);
        is_refused(&world, &[says]);
        world.set("lake.catalog", &format!("{place:?}")).at(&url, &conninfo);
        is_refused(&world, &[says]);
    }
    assert_eq!(world.number(HOT), 20, "nothing is deleted");
    assert_eq!(world.number("SELECT count(*) FROM pg_namespace WHERE nspname = 'bronze_meta'"), 0);
    world.unset("lake.catalog");
    world.flush();
    assert_eq!(world.number(HOT), 0);
}

/// A world that a role of its own flushes, with the rights that the page gives to `flusher`, and
/// that role.
fn with_the_pages_rights() -> (World, String) {
    let mut world = World::new(TABLES);
    let database = world.psql("SELECT current_database()");
    // Roles are the server's, and databases are many.
    let role = format!("flusher_of_{database}");
    world.psql(&format!("CREATE ROLE {role} LOGIN"));
    let page = blocks(Path::new("docs/pg_flush.md"));
    let rights: Vec<_> = page.iter().filter(|block| block.kind == "sql postgresql").collect();
    assert_eq!(rights.len(), 1, "the rights are one block");
    world.psql(&rights[0].text.replace("flusher", &role));
    let url = Server::shared().url(&database).replace("postgres@", &format!("{role}@"));
    world.at(&url, &Server::shared().conninfo(&database));
    (world, role)
}

#[test]
fn the_rights_of_the_page_are_enough_and_each_is_needed() {
    let (world, role) = with_the_pages_rights();
    for (taken, given, says) in [
        ("REVOKE SELECT ON effects FROM", "GRANT SELECT ON effects TO", "permission denied for table effects"),
        ("REVOKE SELECT ON ledgers FROM", "GRANT SELECT ON ledgers TO", "permission denied for table ledgers"),
        ("REVOKE DELETE ON effects FROM", "GRANT DELETE ON effects TO", "permission denied for table effects"),
        ("ALTER SCHEMA bronze_meta OWNER TO postgres --", "ALTER SCHEMA bronze_meta OWNER TO", "permission denied"),
        // Without the schema it would be made, which is a right on the database.
        (
            "ALTER SCHEMA bronze_meta RENAME TO saved_meta --",
            "ALTER SCHEMA saved_meta RENAME TO bronze_meta --",
            "denied for database",
        ),
    ] {
        world.psql(&format!("{taken} {role}"));
        is_refused(&world, &[says, "SQLSTATE 42501"]);
        assert_eq!(world.number(HOT), 20, "{taken}: nothing is deleted");
        world.psql(&format!("{given} {role}"));
    }
    // What they have cost is not there.
    let landed = "SELECT to_regclass('bronze_meta.ducklake_data_file') IS NOT NULL";
    if world.psql(landed) == "t" {
        assert_eq!(world.number("SELECT count(*) FROM bronze_meta.ducklake_data_file"), 0);
    }
    world.flush();
    assert_eq!(world.number(HOT), 0);
    let mut duck = world.duck();
    assert_eq!(duck.lines("SELECT count(*), count(DISTINCT n) FROM lake.bronze.effects"), ["10|10"]);
    assert_eq!(duck.lines("SELECT count(*), max(v) FROM lake.bronze.ledgers"), ["10|v9"]);
}

#[test]
fn a_right_that_is_lost_while_rows_are_copied_is_told() {
    let (world, role) = with_the_pages_rights();
    let mut run = world.run_with("stage-synced=1*sleep(1000)");
    // The rows are copied, and the lake's tables are locked for nobody.
    run.until("stages", || world.path("lake/bronze/ledgers").read_dir().is_ok_and(|mut files| files.next().is_some()));
    world.psql(&format!("REVOKE INSERT ON bronze_meta.ducklake_data_file FROM {role}"));
    let ended = run.end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("permission denied for table ducklake_data_file"), "{}", ended.stderr);
    assert_eq!(world.number(HOT), 20, "nothing is deleted");
    world.psql(&format!("GRANT INSERT ON bronze_meta.ducklake_data_file TO {role}"));
    world.flush();
    assert_eq!(world.number(HOT), 0);
    assert_eq!(world.duck().lines("SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers"), ["10|10"]);
}

#[test]
fn rows_that_a_policy_hides_are_not_passed_over() {
    let (world, role) = with_the_pages_rights();
    world.psql(
        "ALTER TABLE effects ENABLE ROW LEVEL SECURITY;
         CREATE POLICY evens ON effects USING (n % 2 = 0)",
    );
    is_refused(&world, &["row-level security policy for table \"effects\""]);
    assert_eq!(world.number(HOT), 20, "nothing is deleted");
    world.psql(&format!("ALTER ROLE {role} BYPASSRLS"));
    world.flush();
    assert_eq!(world.number(HOT), 0);
}

#[test]
fn a_role_that_becomes_another_one_may_retain_tables() {
    let (mut world, role) = with_the_pages_rights();
    let database = world.psql("SELECT current_database()");
    // As a vault makes them. Such a session does not see when it began.
    let login = format!("dynamic_of_{database}");
    world.psql(&format!("CREATE ROLE {login} LOGIN IN ROLE {role}; ALTER ROLE {login} SET role = {role}"));
    let url = Server::shared().url(&database).replace("postgres@", &format!("{login}@"));
    world.at(&url, &Server::shared().conninfo(&database));
    world.set("source.tables", r#"[{ name = "ledgers", retain = true }]"#);
    for _ in 0..2 {
        world.flush();
        assert_eq!(world.number("SELECT count(*) FROM ledgers"), 10);
        assert_eq!(world.duck().lines("SELECT count(*) FROM lake.bronze.ledgers"), ["10"]);
    }
}
