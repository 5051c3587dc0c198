//! An HTTP proxy in front of a blob service. It does what networks and busy services do: it fails
//! requests by rule or by chance, limits the bandwidth, and records what it saw.
//!
//! What it forwards, in either direction, is byte for byte what it received, because signatures
//! cover it. The chances depend only on the seed, on the request's kind and blob, and on how many
//! such requests there were, not on what other connections do.

mod fault;
mod message;
mod plan;
mod record;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

pub(crate) use self::fault::Fault;
use self::message::{Reader, Request, Response};
use self::plan::Plan;
pub(crate) use self::plan::Rule;
pub(crate) use self::record::{Kind, Seen};
use self::record::{Record, Service};
use super::azurite::{Azurite, endpoint};
use super::wait;

/// The bytes that go out at a time if the bandwidth is limited.
const PIECE: usize = 16 << 10;

/// A proxy on its own port. When dropped, it takes no more connections; those it has go on.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the connections share.
struct Shared {
    upstream: SocketAddr,
    service: Service,
    state: Mutex<State>,
    closed: AtomicBool,
}

struct State {
    plan: Plan,
    record: Record,
    /// In bytes per second.
    bandwidth: Option<u64>,
    /// When the line will have sent all that was promised so far, in seconds since 1970.
    free_at: f64,
}

impl Proxy {
    /// A proxy in front of the Azurite that the tests share. It forwards everything until told
    /// otherwise.
    pub(crate) fn start(seed: u64) -> Proxy {
        Proxy::before(Azurite::shared().address(), seed)
    }

    pub(crate) fn before(upstream: SocketAddr, seed: u64) -> Proxy {
        Proxy::start_before(upstream, Service::Azure, seed)
    }

    /// A proxy in front of a server that speaks S3.
    pub(crate) fn before_s3(upstream: SocketAddr, seed: u64) -> Proxy {
        Proxy::start_before(upstream, Service::S3, seed)
    }

    fn start_before(upstream: SocketAddr, service: Service, seed: u64) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = State { plan: Plan::new(seed), record: Record::default(), bandwidth: None, free_at: 0.0 };
        let shared = Arc::new(Shared { upstream, service, state: Mutex::new(state), closed: AtomicBool::new(false) });
        let proxy = Proxy { address, shared: shared.clone() };
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if shared.closed.load(Ordering::Relaxed) {
                    return;
                }
                let shared = shared.clone();
                // The client notices by itself that a connection breaks off.
                thread::spawn(move || shared.serve(&connection));
            }
        });
        proxy
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint of Azurite's account, through this proxy.
    pub(crate) fn endpoint(&self) -> String {
        endpoint(self.address)
    }

    /// Adds a rule. If several would fail a request, the first one added does, and later ones do
    /// not count the request.
    pub(crate) fn rule(&self, rule: Rule) {
        self.shared.state().plan.rules.push(rule);
    }

    /// Fails one in `one_in` requests of a kind. Chances are tried after the rules, in the order in
    /// which they were added.
    pub(crate) fn chance(&self, kind: Kind, one_in: u64, fault: Fault) {
        self.shared.state().plan.chances.push((kind, one_in, fault));
    }

    /// Forgets rules and chances, and lets go what is held.
    pub(crate) fn calm(&self) {
        let state = &mut self.shared.state();
        state.plan.rules.clear();
        state.plan.chances.clear();
    }

    /// Limits the bytes per second for the bodies of all responses together. `None` means no limit.
    pub(crate) fn limit_bandwidth(&self, bytes_a_second: Option<u64>) {
        self.shared.state().bandwidth = bytes_a_second;
    }

    /// Every request so far, in the order of arrival.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.state().record.seen.clone()
    }

    /// How many requests so far satisfy `is`.
    pub(crate) fn count(&self, is: impl Fn(&Seen) -> bool) -> usize {
        self.shared.state().record.seen.iter().filter(|seen| is(seen)).count()
    }

    /// The most requests that were under way at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.shared.state().record.most_at_once
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        // This wakes the thread that accepts connections.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics here")
    }

    /// Serves one connection of a client, one request at a time.
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut requests = Reader::new(client);
        while let Some(request) = requests.request()? {
            let (number, fault) = {
                let State { plan, record, .. } = &mut *self.state();
                let (kind, name) = record::what(&request, self.service);
                let fault = plan.fault(kind, &name);
                (record.arrived(&request, kind, name, fault), fault)
            };
            if !self.answer(client, &request, fault, UnderWay { shared: self, number })? {
                break;
            }
        }
        Ok(())
    }

    /// Answers a request. Returns false if that ended the connection.
    fn answer(
        &self,
        client: &TcpStream,
        request: &Request,
        fault: Option<Fault>,
        under_way: UnderWay<'_>,
    ) -> io::Result<bool> {
        match fault {
            Some(Fault::Reset) => return reset(client),
            Some(Fault::Stall(time)) => {
                wait::pause(time);
                return Ok(false);
            }
            Some(Fault::Delay(time)) => wait::pause(time),
            Some(Fault::Hold) => assert!(wait::until(|| !self.state().plan.holds()), "nobody lets it go"),
            _ => {}
        }
        let mut response = match fault.and_then(|fault| fault.response(request.method == "HEAD")) {
            Some(made_up) => made_up,
            None if fault == Some(Fault::WholeBlob) => self.forward(request, &request.without_range())?,
            None => self.forward(request, &request.head)?,
        };
        // Recorded even if the reply is lost, because a test may ask whether the request was
        // executed.
        self.state().record.answered(under_way.number, response.status);
        if fault == Some(Fault::EmptyPart) && response.status == 206 {
            response.empty();
        }
        let length = match fault {
            Some(Fault::LostReply) => return reset(client),
            Some(Fault::Truncated) => response.body.len() / 2,
            _ => response.body.len(),
        };
        self.send(client, &response, length, under_way)?;
        Ok(fault != Some(Fault::Truncated))
    }

    /// Each request has its own connection, so the service cannot have closed it while it was idle.
    fn forward(&self, request: &Request, head: &[u8]) -> io::Result<Response> {
        let upstream = TcpStream::connect(self.upstream)?;
        upstream.set_nodelay(true)?;
        (&upstream).write_all(head)?;
        (&upstream).write_all(&request.body)?;
        Reader::new(&upstream).response(&request.method)
    }

    /// Sends the head and the first `length` bytes of the body.
    fn send(
        &self,
        mut client: &TcpStream,
        response: &Response,
        length: usize,
        under_way: UnderWay<'_>,
    ) -> io::Result<()> {
        let Some((last, mut rest)) = response.body[..length].split_last() else {
            drop(under_way);
            return client.write_all(&response.head);
        };
        client.write_all(&response.head)?;
        while !rest.is_empty() {
            let (size, pause) = self.share(rest.len());
            wait::pause(pause);
            client.write_all(&rest[..size])?;
            rest = &rest[size..];
        }
        drop(under_way);
        client.write_all(&[*last])
    }

    /// How many of `length` bytes may go out next, and after how long.
    fn share(&self, length: usize) -> (usize, Duration) {
        let state = &mut *self.state();
        let Some(bandwidth) = state.bandwidth else { return (length, Duration::ZERO) };
        let (size, now) = (length.min(PIECE), wait::now());
        state.free_at = state.free_at.max(now) + size as f64 / bandwidth as f64;
        (size, Duration::from_secs_f64(state.free_at - now))
    }
}

/// A request from its arrival until just before the last write of its answer: a client that has the
/// whole answer can rely on the counts.
struct UnderWay<'a> {
    shared: &'a Shared,
    number: usize,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.shared.state().record.done();
    }
}

/// Ends a connection as a crash of the other side would: the client reads an error instead of an
/// end.
fn reset(client: &TcpStream) -> io::Result<bool> {
    socket2::SockRef::from(client).set_linger(Some(Duration::ZERO))?;
    Ok(false)
}
