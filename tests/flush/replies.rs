//! Connections are lost while a flush is made, and with them the reply to COMMIT: a proxy cuts them
//! before or after the server has what was sent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::postgres::Server;
use crate::support::{Random, wait};
use crate::world::World;

/// What PostgreSQL's simple protocol sends for COMMIT.
const COMMIT: &[u8] = b"Q\x00\x00\x00\x0bCOMMIT\x00";

/// When a proxy cuts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// The server never sees it.
    Before,
    /// The server has it, and its reply is lost.
    After,
}

/// What changes something, and makes a COMMIT one that matters.
const CHANGES: [&[u8]; 2] = [b"DELETE FROM", b"INSERT INTO"];

/// Says of what a client sends whether the connection is cut there. It is told whether anything was
/// changed since the last COMMIT.
type Decide = dyn Fn(&[u8], bool) -> Option<Cut> + Send + Sync;

fn contains(sent: &[u8], part: &[u8]) -> bool {
    sent.windows(part.len()).any(|window| window == part)
}

/// Forwards to the server, and cuts connections. Returns its port.
fn proxy(decide: Arc<Decide>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let decide = decide.clone();
            thread::spawn(move || forward(client, &*decide));
        }
    });
    port
}

/// Cuts the connections of the first `times` COMMITs of changes. What is left of them is in the
/// number.
fn commits(cut: Cut, times: usize) -> (u16, Arc<AtomicUsize>) {
    let left = Arc::new(AtomicUsize::new(times));
    let counter = left.clone();
    let decide = move |sent: &[u8], has_changed: bool| {
        let is_commit = has_changed && contains(sent, COMMIT);
        let less = |left: usize| left.checked_sub(1);
        (is_commit && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()).then_some(cut)
    };
    (proxy(Arc::new(decide)), counter)
}

/// Cuts anywhere, once in so many times that a client sends something.
fn anywhere(seed: u64, one_in: u64) -> u16 {
    let random = Mutex::new(Random::new(seed));
    let decide = move |_: &[u8], _: bool| {
        let mut random = random.lock().expect("no thread panics here");
        let cut = if random.one_in(2) { Cut::Before } else { Cut::After };
        random.one_in(one_in).then_some(cut)
    };
    proxy(Arc::new(decide))
}

fn forward(mut client: TcpStream, decide: &Decide) {
    let mut server = TcpStream::connect(("127.0.0.1", Server::shared().port())).expect("the server");
    let (mut answers, mut back) = (server.try_clone().expect("a handle"), client.try_clone().expect("a handle"));
    let answering = thread::spawn(move || drop(std::io::copy(&mut answers, &mut back)));
    let (mut buffer, mut has_changed) = ([0; 65536], false);
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let sent = &buffer[..length];
        has_changed |= CHANGES.iter().any(|change| contains(sent, change));
        if let Some(cut) = decide(sent, has_changed) {
            // Nothing of the answer goes back.
            let _ = client.shutdown(Shutdown::Both);
            if cut == Cut::After {
                let _ = server.write_all(sent);
                wait::pause(Duration::from_millis(50));
            }
            let _ = server.shutdown(Shutdown::Both);
            break;
        }
        has_changed &= !contains(sent, COMMIT);
        if server.write_all(sent).is_err() {
            break;
        }
    }
    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    let _ = answering.join();
}

/// Which connections go through the proxy.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Through {
    /// Those to hot tables and catalog, which are in one database.
    Both,
    /// Those to the hot tables; the catalog is in another database.
    Hot,
    /// Those to the catalog in another database.
    Catalog,
}

/// A flush of a thousand rows has landed, and the next one's first is `from`: if that is not above
/// 1000, rows come back. The first `times` COMMITs are cut.
#[track_caller]
fn story(through: Through, from: u64, cut: Cut, times: usize) {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY); CREATE TABLE effects (ledger_sequence bigint);
         INSERT INTO ledgers SELECT i FROM generate_series(1, 1000) i;
         INSERT INTO effects SELECT i FROM generate_series(1, 1000) i",
    );
    if through != Through::Both {
        world.apart();
    }
    world.flush();
    world.psql(&format!(
        "INSERT INTO ledgers SELECT i FROM generate_series({from}, 2000) i;
         INSERT INTO effects SELECT i FROM generate_series(1001, 2000) i"
    ));
    let (port, left) = commits(cut, times);
    match through {
        Through::Both | Through::Hot => world.through(port),
        Through::Catalog => world.catalog_through(port),
    }
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(left.load(Ordering::SeqCst), 0, "no COMMIT was cut: {}", ended.stderr);
    let counted = "SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers";
    assert_eq!(world.duck().lines(counted), ["2000|2000"], "{}", ended.stderr);
    // None of these has come back, and only what became of the DELETE tells which have landed.
    let counted = "SELECT count(*), count(DISTINCT ledger_sequence) FROM lake.bronze.effects";
    assert_eq!(world.duck().lines(counted), ["2000|2000"], "{}", ended.stderr);
    let hot = "SELECT (SELECT count(*) FROM ledgers) + (SELECT count(*) FROM effects)";
    assert_eq!(world.number(hot), 0, "{}", ended.stderr);
    assert_eq!(world.flushes(), 2, "{}", ended.stderr);
    world.proves();
}

#[test]
fn a_commit_that_never_arrived_is_made_again() {
    story(Through::Both, 1001, Cut::Before, 2);
}

#[test]
fn a_commit_whose_reply_is_lost_is_not_made_twice() {
    story(Through::Both, 1001, Cut::After, 1);
}

#[test]
fn late_rows_are_deleted_whatever_becomes_of_their_commit() {
    // The first commits are those of rows that came back; then comes that of the flush.
    for through in [Through::Both, Through::Hot] {
        story(through, 501, Cut::Before, 2);
        story(through, 501, Cut::After, 2);
    }
}

#[test]
fn a_commit_of_the_catalog_elsewhere_is_made_again_or_found() {
    story(Through::Catalog, 1001, Cut::Before, 2);
    story(Through::Catalog, 1001, Cut::After, 1);
}

#[test]
fn rows_that_a_lost_commit_left_hot_are_only_deleted() {
    // The lake has committed. Rows that are still hot are deleted, and that commit is lost too.
    story(Through::Hot, 1001, Cut::Before, 1);
    story(Through::Hot, 1001, Cut::Before, 3);
    story(Through::Hot, 1001, Cut::After, 1);
}

#[test]
fn a_lost_connection_does_not_make_one_database_two() {
    // Without a key, which two databases would need.
    let mut world = World::new("CREATE TABLE ledgers (sequence bigint); INSERT INTO ledgers VALUES (1)");
    let database = world.psql("SELECT current_database()");
    let decide = move |sent: &[u8], _: bool| {
        // The lock by which the catalog's database is known goes before it is looked for.
        if contains(sent, b"locktype = 'advisory'") {
            let held = format!(
                "FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                 WHERE l.locktype = 'advisory' AND d.datname = '{database}'"
            );
            let ask = |what: &str| Server::shared().psql("postgres", &format!("SELECT {what} {held}"));
            ask("pg_terminate_backend(l.pid)");
            assert!(wait::until(|| ask("count(*)") == "0"), "its session has ended");
        }
        None
    };
    world.through(proxy(Arc::new(decide)));
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.error().contains("could not compare a database with that of"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("is not in the database of the hot tables"), "{}", ended.stderr);
    world.through(Server::shared().port());
    world.flush();
    assert_eq!(world.duck().lines("SELECT count(*) FROM lake.bronze.ledgers"), ["1"]);
}

#[test]
fn a_merge_whose_fate_is_unknown_keeps_its_files() {
    for cut in [Cut::Before, Cut::After] {
        let mut world = World::new(
            "CREATE TABLE ledgers (sequence bigint PRIMARY KEY);
             INSERT INTO ledgers SELECT i FROM generate_series(1, 20) i",
        );
        world.set("source.max_rows", "1").set("maintenance.merge_every", "0");
        world.flush();
        world.psql("INSERT INTO ledgers VALUES (21)");
        world.set("maintenance.merge_every", "1");
        // The first COMMIT is that of the flush.
        let commits = AtomicUsize::new(0);
        let decide = move |sent: &[u8], has_changed: bool| {
            let is_commit = has_changed && contains(sent, COMMIT);
            (is_commit && commits.fetch_add(1, Ordering::SeqCst) == 1).then_some(cut)
        };
        world.through(proxy(Arc::new(decide)));
        let ended = world.run(&["run", "p.toml", "--once"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("nobody knows whether merged files are in place"), "{}", ended.stderr);
        let sql =
            "SELECT count(*) FROM bronze_meta.ducklake_snapshot_changes WHERE changes_made LIKE '%merge_adjacent%'";
        assert_eq!(world.number(sql), i64::from(cut == Cut::After));
        let counted = "SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers";
        assert_eq!(world.duck().lines(counted), ["21|21"], "{cut:?}");
        world.proves();
        // What it says to do.
        let orphans = world.duck().rows("CALL ducklake_delete_orphaned_files('lake', cleanup_all => true)").len();
        assert_eq!(orphans, usize::from(cut == Cut::Before));
        assert_eq!(world.duck().lines(counted), ["21|21"], "{cut:?}");
    }
}

#[test]
fn connections_that_are_lost_anywhere_lose_and_double_nothing() {
    let worlds = [Through::Both, Through::Hot].map(|through| {
        let mut world = World::new(
            "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text); CREATE TABLE effects (ledger_sequence bigint)",
        );
        world.set("source.connections", "2").set("source.max_rows", "700");
        if through != Through::Both {
            world.apart();
            world.catalog_through(anywhere(11, 150));
        }
        world.through(anywhere(7, 100));
        world
    });
    for world in &worlds {
        let (mut failed, mut rows) = (0, 0);
        for _ in 0..6 {
            // Some of them come back.
            let (from, to) = ((rows + 1_i64).saturating_sub(200).max(1), rows + 1000);
            world.psql(&format!(
                "INSERT INTO ledgers SELECT i, 'v' || i FROM generate_series({from}, {to}) i ON CONFLICT DO NOTHING;
                 INSERT INTO effects SELECT i FROM generate_series({new}, {to}) i",
                new = rows + 1
            ));
            rows = to;
            // A run may end at its start, and after too many failures in a row.
            let ends = |failed: &mut u32| {
                let ended = world.run(&["run", "p.toml", "--once"]);
                assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
                *failed += u32::from(ended.code == Some(3));
                ended.code == Some(0)
            };
            assert!((0..100).any(|_| ends(&mut failed)), "no run came to an end");
            assert_eq!(world.number("SELECT (SELECT count(*) FROM ledgers) + (SELECT count(*) FROM effects)"), 0);
        }
        let counted = "SELECT count(*), count(DISTINCT sequence), max(sequence) FROM lake.bronze.ledgers";
        assert_eq!(world.duck().lines(counted), [format!("{rows}|{rows}|{rows}")]);
        let counted = "SELECT count(*), count(DISTINCT ledger_sequence) FROM lake.bronze.effects";
        assert_eq!(world.duck().lines(counted), [format!("{rows}|{rows}")]);
        println!("{failed} runs failed");
    }
}
