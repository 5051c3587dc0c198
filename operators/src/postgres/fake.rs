//! A server for tests that says what it was told to, in messages of PostgreSQL's protocol 3.0 (the
//! manual's chapter "Message Formats").

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::Location;

/// A place where `answers` are given to one client: the first to its startup message, the others
/// to its further messages. Then the connection is closed.
pub(super) fn server(answers: Vec<Vec<u8>>) -> Location {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        for (at, answer) in answers.iter().enumerate() {
            read(&mut client, at > 0);
            client.write_all(answer).expect("a client that listens");
        }
    });
    at(port)
}

/// A place where nothing listens.
pub(super) fn nobody() -> Location {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    at(listener.local_addr().expect("an address").port())
}

fn at(port: u16) -> Location {
    Location::parse(&format!("postgres://alice:hunter2@127.0.0.1:{port}/shop?sslmode=disable")).expect("a location")
}

/// Reads a message; all but the first begin with a byte for their kind.
fn read(client: &mut TcpStream, has_kind: bool) {
    let mut head = vec![0; 4 + usize::from(has_kind)];
    client.read_exact(&mut head).expect("a message");
    let length = head.iter().skip(usize::from(has_kind)).fold(0, |length, byte| (length << 8) | usize::from(*byte));
    client.read_exact(&mut vec![0; length - 4]).expect("its rest");
}

/// A message of `kind`.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// The client is let in.
pub(super) fn welcome() -> Vec<u8> {
    [message(b'R', &[0; 4]), message(b'Z', b"I")].concat()
}

/// Statements were executed.
pub(super) fn done() -> Vec<u8> {
    [message(b'C', b"SET\0"), message(b'Z', b"I")].concat()
}

/// A query has given one row with one text, or NULL.
pub(super) fn row(value: Option<&str>) -> Vec<u8> {
    // Table, column, type, size, modifier and format do not matter here.
    let description = [&1i16.to_be_bytes()[..], b"value\0", &[0; 18]].concat();
    let length = value.map_or(-1, |value| i32::try_from(value.len()).expect("a short text"));
    let row = [&1i16.to_be_bytes()[..], &length.to_be_bytes(), value.unwrap_or_default().as_bytes()].concat();
    [message(b'T', &description), message(b'D', &row), message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat()
}

/// A fatal error with further `fields`, by the letters that the protocol has for them.
pub(super) fn fatal(sqlstate: &str, text: &str, fields: &[(char, &str)]) -> Vec<u8> {
    let all = [('S', "FATAL"), ('V', "FATAL"), ('C', sqlstate), ('M', text)];
    let body: String = all.iter().chain(fields).map(|(field, value)| format!("{field}{value}\0")).collect();
    message(b'E', format!("{body}\0").as_bytes())
}
