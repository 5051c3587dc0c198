//! Connections that cannot pile up: a bounded number at once, each for a bounded time, whatever the
//! other side does.
//!
//! A run must not suffer from its readers, nor the readers from each other: a slow or silent reader
//! loses its connection after a while, or at once to a new one when there are too many. So a
//! supervisor is answered even while somebody holds all the connections there are.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot::{self, Receiver, Sender};
use tokio::time::{Sleep, sleep};

/// Maximum connections at once; a browser has six, a scraper one.
const AT_ONCE: usize = 64;
/// Maximum lifetime of a connection. Every answer is a few kilobytes and closes its connection.
const LIFETIME: Duration = Duration::from_secs(10);

/// A listener that has at most [`AT_ONCE`] connections.
pub(super) struct Bounded {
    listener: TcpListener,
    /// Oldest first. Dropping an entry ends its connection.
    open: VecDeque<Sender<()>>,
}

impl Bounded {
    /// Bounds the connections of `listener`.
    pub(super) fn new(listener: TcpListener) -> Bounded {
        Bounded { listener, open: VecDeque::new() }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        self.open.retain(|connection| !connection.is_closed());
        if self.open.len() == AT_ONCE {
            self.open.pop_front();
        }
        let (open, displaced) = oneshot::channel();
        self.open.push_back(open);
        (Connection { stream, end: Box::pin(sleep(LIFETIME)), displaced, is_over: false }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails once its lifetime is over, or a newer one has displaced it.
pub(super) struct Connection {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    displaced: Receiver<()>,
    is_over: bool,
}

impl Connection {
    /// The result of `poll`, which is not called once the connection is over.
    fn in_time<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        // Neither future may be polled again once it was ready.
        self.is_over = self.is_over
            || self.end.as_mut().poll(context).is_ready()
            || Pin::new(&mut self.displaced).poll(context).is_ready();
        match self.is_over {
            true => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            false => poll(Pin::new(&mut self.stream), context),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx, |stream, cx| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.in_time(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx, |stream, cx| stream.poll_shutdown(cx))
    }
}
