//! Takes the rows of a `COPY` out of a connection's stream before the client library sees them.
//!
//! PostgreSQL sends each row as a message of its own. The library hands on every one of them by
//! itself, from one task to another, which costs more than everything else that becomes of a row.
//! Here the content of these messages goes straight into one buffer; all others pass. The library
//! sees a `COPY` that had no rows.
//!
//! ```text
//! server ─▶ socket ─▶ Divert ─▶ TLS ─▶ Divert ─▶ client library
//!                       └─ rows ─▶ Rows ◀─ rows ─┘
//! ```
//!
//! Messages are as the chapter "Message Formats" of PostgreSQL's manual has them: a byte that says
//! of what kind, and a length of four bytes that counts itself. Whether messages or TLS follow is
//! decided by the server's answer to the client's first words.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::rows::{Rows, Taking};

/// How much is read at once, in bytes.
const READ: usize = 128 << 10;
/// A kind and a length.
const HEADER: usize = 5;
/// The kind of a message that has a row of a `COPY`.
const COPY_DATA: u8 = b'd';
/// What a client says first if it wants TLS: a length, and a code.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// The server's answer if it has no TLS.
const NO_TLS: u8 = b'N';

/// A stream from a server, without the rows that [`Rows`] takes.
pub(super) struct Divert<S> {
    inner: S,
    rows: Arc<Rows>,
    at: At,
    /// What was read and is still to be looked at.
    read: Box<[u8]>,
    from: usize,
    to: usize,
}

/// Where a stream is.
#[derive(Clone, Copy)]
enum At {
    /// The client has said nothing yet.
    Silent,
    /// The client has asked for TLS.
    Asked,
    /// In what cannot be read here.
    Encrypted,
    /// Within the header of a message, of which so many bytes are known.
    Header([u8; HEADER], usize),
    /// The header of a message that passes, of which so many bytes have; and what follows it.
    Passing([u8; HEADER], usize, usize),
    /// Before so many bytes that pass.
    Passed(usize),
    /// Before so many bytes of a row that is taken.
    Taken(usize),
}

/// Before a message.
const NEXT: At = At::Header([0; HEADER], 0);

impl<S> Divert<S> {
    /// The stream of a new connection, of which nothing was read.
    pub(super) fn new(inner: S, rows: Arc<Rows>) -> Divert<S> {
        Divert { inner, rows, at: At::Silent, read: Box::default(), from: 0, to: 0 }
    }

    /// A stream whose first byte begins a message.
    pub(super) fn of_messages(inner: S, rows: Arc<Rows>) -> Divert<S> {
        Divert { at: NEXT, ..Divert::new(inner, rows) }
    }

    /// Sorts what was read: rows are taken, and the rest goes to `out`, as far as there is room.
    fn sort(&mut self, taking: &mut Taking, out: &mut ReadBuf<'_>) -> io::Result<()> {
        while self.from < self.to && out.remaining() > 0 {
            let read = &self.read[self.from..self.to];
            let (next, used) = match self.at {
                At::Header(mut header, known) => {
                    let used = read.len().min(HEADER - known);
                    header[known..known + used].copy_from_slice(&read[..used]);
                    let next = match known + used {
                        HEADER => follows(header, taking)?,
                        known => At::Header(header, known),
                    };
                    (next, used)
                }
                At::Taken(left) => {
                    let used = read.len().min(left);
                    taking.take(&read[..used]);
                    (if used == left { NEXT } else { At::Taken(left - used) }, used)
                }
                At::Passed(left) => {
                    let used = read.len().min(left).min(out.remaining());
                    out.put_slice(&read[..used]);
                    (if used == left { NEXT } else { At::Passed(left - used) }, used)
                }
                At::Passing(..) => (self.at, 0),
                At::Silent | At::Asked | At::Encrypted => unreachable!("these are not read ahead"),
            };
            self.from += used;
            self.at = pass_header(next, out);
        }
        Ok(())
    }
}

/// What follows the header of a message.
fn follows(header: [u8; HEADER], taking: &Taking) -> io::Result<At> {
    let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
    let Some(left) = length.checked_sub(4) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the server has sent a message without a length"));
    };
    Ok(match (header[0], left as usize) {
        (COPY_DATA, 0) if taking.is_wanted() => NEXT,
        (COPY_DATA, left) if taking.is_wanted() => At::Taken(left),
        (_, left) => At::Passing(header, 0, left),
    })
}

/// Passes as much of a header as there is room for.
fn pass_header(at: At, out: &mut ReadBuf<'_>) -> At {
    let At::Passing(header, passed, left) = at else { return at };
    let used = out.remaining().min(HEADER - passed);
    out.put_slice(&header[passed..passed + used]);
    match (passed + used, left) {
        (HEADER, 0) => NEXT,
        (HEADER, left) => At::Passed(left),
        (passed, left) => At::Passing(header, passed, left),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Divert<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let rows = self.rows.clone();
        let this = &mut *self;
        let before = out.filled().len();
        match this.at {
            At::Silent | At::Encrypted => return Pin::new(&mut this.inner).poll_read(cx, out),
            At::Asked => {
                ready!(Pin::new(&mut this.inner).poll_read(cx, out))?;
                if let Some(answer) = out.filled().get(before) {
                    // The library reads this byte alone.
                    this.at = if *answer == NO_TLS { At::Silent } else { At::Encrypted };
                }
                return Poll::Ready(Ok(()));
            }
            _ => {}
        }
        loop {
            this.at = pass_header(this.at, out);
            {
                let mut taking = rows.taking();
                this.sort(&mut taking, out)?;
                if out.filled().len() > before || out.remaining() == 0 {
                    return Poll::Ready(Ok(()));
                }
                if taking.is_full(cx) {
                    return Poll::Pending;
                }
            }
            if this.read.is_empty() {
                this.read = vec![0; READ].into();
            }
            let mut into = ReadBuf::new(&mut this.read);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut into))?;
            (this.from, this.to) = (0, into.filled().len());
            if this.to == 0 {
                // The end.
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Divert<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let At::Silent = self.at {
            self.at = if bytes == SSL_REQUEST { At::Asked } else { NEXT };
        }
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Divert<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}

/// Makes a TLS session whose rows can be taken.
pub(super) struct DivertTls<C> {
    /// What makes the session.
    pub(super) tls: C,
    /// Where rows go.
    pub(super) rows: Arc<Rows>,
}

impl<S, C> TlsConnect<S> for DivertTls<C>
where
    C: TlsConnect<S>,
    C::Future: Send + 'static,
{
    type Stream = Divert<C::Stream>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Divert<C::Stream>, C::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let (opened, rows) = (self.tls.connect(stream), self.rows);
        Box::pin(async move { Ok(Divert::of_messages(opened.await?, rows)) })
    }
}

#[cfg(test)]
mod tests;
