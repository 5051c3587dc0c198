//! The reply to COMMIT is lost: a proxy cuts the connection before or after the server has it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::postgres::Server;
use crate::support::wait;
use crate::world::World;

/// What PostgreSQL's simple protocol sends for COMMIT.
const COMMIT: &[u8] = b"Q\x00\x00\x00\x0bCOMMIT\x00";

/// When a proxy cuts.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    /// The server never sees it.
    Before,
    /// The server has it, and its reply is lost.
    After,
}

/// Forwards to the server, and cuts every connection that sends COMMIT, the first `times` times.
fn proxy(cut: Cut, times: usize) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (port, left) = (listener.local_addr().expect("an address").port(), Arc::new(AtomicUsize::new(times)));
    let counter = left.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let left = left.clone();
            thread::spawn(move || forward(client, cut, &left));
        }
    });
    (port, counter)
}

fn forward(mut client: TcpStream, cut: Cut, left: &AtomicUsize) {
    let mut server = TcpStream::connect(("127.0.0.1", Server::shared().port())).expect("the server");
    let (mut answers, mut back) = (server.try_clone().expect("a handle"), client.try_clone().expect("a handle"));
    let answering = thread::spawn(move || drop(std::io::copy(&mut answers, &mut back)));
    let mut buffer = [0; 65536];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let is_commit = buffer[..length].windows(COMMIT.len()).any(|window| window == COMMIT);
        if is_commit && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            // Nothing of the answer goes back.
            let _ = client.shutdown(Shutdown::Both);
            if cut == Cut::After {
                let _ = server.write_all(&buffer[..length]);
                wait::pause(std::time::Duration::from_millis(50));
            }
            let _ = server.shutdown(Shutdown::Both);
            break;
        }
        if server.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    let _ = answering.join();
}

fn story(cut: Cut, times: usize) {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY);
         INSERT INTO ledgers SELECT i FROM generate_series(1, 1000) i",
    );
    world.flush();
    world.psql("INSERT INTO ledgers SELECT i FROM generate_series(1001, 2000) i");
    let (port, left) = proxy(cut, times);
    world.through(port);
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(left.load(Ordering::SeqCst), 0, "no COMMIT was cut: {}", ended.stderr);
    let counted = "SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers";
    assert_eq!(world.duck().lines(counted), ["2000|2000"]);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
    assert_eq!(world.flushes(), 2);
    world.proves();
}

#[test]
fn a_commit_that_never_arrived_is_made_again() {
    story(Cut::Before, 2);
}

#[test]
fn a_commit_whose_reply_is_lost_is_not_made_twice() {
    story(Cut::After, 1);
}
