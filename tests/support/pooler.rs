//! A pooler in front of PostgreSQL, as PgBouncer is one: clients get sessions of the server that
//! others have had before, for a session or for a transaction of their own.
//!
//! All clients are of one database and role, and are let in without a password. Nothing is
//! encrypted.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// What a client begins with, in the place of a version: it asks for encryption, or for the end of
/// a statement of another session.
const ENCRYPT: [u8; 4] = 80_877_103_u32.to_be_bytes();
const CANCEL: [u8; 4] = 80_877_102_u32.to_be_bytes();

/// For how long a client keeps a session of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As long as it is there. Then everything that it has set is forgotten.
    Session,
    /// For a transaction. The next one gets the session that was used last.
    LastFirst,
    /// For a transaction. The next one gets the session that has rested longest.
    InTurn,
}

/// A pooler on its own port. Its threads end with the test.
pub(crate) struct Pooler {
    pub(crate) port: u16,
    pool: Arc<Pool>,
}

/// Sessions of the server.
struct Pool {
    server: u16,
    /// How many there may be.
    most: usize,
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    mode: Mode,
    idle: Vec<TcpStream>,
    open: usize,
    /// What the server says to whom it lets in.
    welcome: Vec<u8>,
}

impl Pooler {
    /// Before a server on this port of this machine, with at most so many sessions of it.
    pub(crate) fn start(server: u16, mode: Mode, most: usize) -> Pooler {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Mutex::new(State { mode, idle: Vec::new(), open: 0, welcome: Vec::new() });
        let pool = Arc::new(Pool { server, most, state, returned: Condvar::new() });
        let shared = pool.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let pool = shared.clone();
                // A client that breaks off ends its thread, and nothing else.
                thread::spawn(move || pool.serve(client));
            }
        });
        Pooler { port, pool }
    }

    /// Goes on in another mode. Clients give back what they have when their transactions end.
    pub(crate) fn becomes(&self, mode: Mode) {
        self.pool.state().mode = mode;
    }
}

impl Pool {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let mut startup = packet(&mut client)?;
        while startup[4..8] == ENCRYPT {
            client.write_all(b"N")?;
            startup = packet(&mut client)?;
        }
        if startup[4..8] == CANCEL {
            return Ok(());
        }
        client.set_nodelay(true)?;
        let mut session = Some(self.take(&startup)?);
        let welcome = self.state().welcome.clone();
        self.end_of_transaction(&mut session);
        client.write_all(&welcome)?;
        let outcome = self.forward(&mut client, &startup, &mut session);
        match session {
            // What is left open there cannot be told, so that session is given up.
            Some(_) if outcome.is_err() => self.give_back(None),
            Some(mut server) => {
                server.write_all(&message(b'Q', b"DISCARD ALL\0"))?;
                exchange(&mut server, &mut io::sink())?;
                self.give_back(Some(server));
            }
            None => {}
        }
        Ok(())
    }

    /// Forwards until the client leaves. It leaves cleanly if it does so outside a transaction.
    fn forward(&self, client: &mut TcpStream, startup: &[u8], session: &mut Option<TcpStream>) -> io::Result<()> {
        let mut is_idle = true;
        loop {
            let (kind, said) = match next(client) {
                Ok((b'X', _)) if is_idle => return Ok(()),
                Ok((b'X', _)) => return Err(io::ErrorKind::ConnectionAborted.into()),
                Err(_) if is_idle => return Ok(()),
                said => said?,
            };
            let server = match session {
                Some(server) => server,
                None => session.insert(self.take(startup)?),
            };
            is_idle = false;
            server.write_all(&said)?;
            // A query, the end of a batch, or the call of a function is what the server answers.
            if matches!(kind, b'Q' | b'S' | b'F') {
                let ready = exchange(server, client)?;
                is_idle = ready.last() == Some(&b'I');
                if is_idle {
                    self.end_of_transaction(session);
                }
                client.write_all(&ready)?;
            }
        }
    }

    /// Before the client hears that its transaction has ended, it has no session any more.
    fn end_of_transaction(&self, session: &mut Option<TcpStream>) {
        if self.state().mode != Mode::Session {
            self.give_back(session.take());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics here")
    }

    /// A session of the server; a client that comes too late waits for one.
    fn take(&self, startup: &[u8]) -> io::Result<TcpStream> {
        let mut state = self.state();
        loop {
            let at = if state.mode == Mode::InTurn { 0 } else { state.idle.len().saturating_sub(1) };
            // One that has rested is used again only in turn if there may be no more of them.
            let may_open = state.open < self.most;
            let waits = state.mode == Mode::InTurn && may_open;
            if !waits && at < state.idle.len() {
                return Ok(state.idle.remove(at));
            }
            if may_open {
                state.open += 1;
                let mut server = TcpStream::connect(("127.0.0.1", self.server))?;
                server.set_nodelay(true)?;
                server.write_all(startup)?;
                let mut welcome = Vec::new();
                let ready = exchange(&mut server, &mut welcome)?;
                state.welcome = [welcome, ready].concat();
                return Ok(server);
            }
            state = self.returned.wait(state).expect("no thread panics here");
        }
    }

    /// Takes a session back, or learns that it is gone.
    fn give_back(&self, session: Option<TcpStream>) {
        let mut state = self.state();
        match session {
            Some(session) => state.idle.push(session),
            None => state.open -= 1,
        }
        self.returned.notify_one();
    }
}

/// The first packet of a client, which has no kind.
fn packet(client: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    client.read_exact(&mut length)?;
    let mut packet = vec![0; u32::from_be_bytes(length) as usize];
    packet[..4].copy_from_slice(&length);
    client.read_exact(&mut packet[4..])?;
    Ok(packet)
}

/// The next message, with its kind.
fn next(from: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut kind = [0];
    from.read_exact(&mut kind)?;
    Ok((kind[0], [&kind[..], &packet(from)?].concat()))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message").to_be_bytes();
    [&[kind][..], &length, body].concat()
}

/// Forwards what the server says until it is ready for more. Returns how it says that, with the
/// state of its transaction at the end.
fn exchange(server: &mut TcpStream, client: &mut impl Write) -> io::Result<Vec<u8>> {
    loop {
        let (kind, said) = next(server)?;
        if kind == b'Z' {
            return Ok(said);
        }
        client.write_all(&said)?;
    }
}
