//! Opens a socket to a server, as the client library does where it opens its own.

use std::io;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use super::Location;
use super::connect::{KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES, UNACKNOWLEDGED};
use crate::error::StoreError;

/// A connection to the first address of the host that answers.
pub(super) async fn address(location: &Location) -> Result<TcpStream, StoreError> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let addresses = lookup_host((&*location.host, location.port)).await.map_err(|e| failed(location, e))?;
    for address in addresses {
        let opened = timeout(location.connect_timeout, TcpStream::connect(address)).await;
        match opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).and_then(kept_alive) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(failed(location, last))
}

/// Notices within about two minutes that the server has silently gone.
fn kept_alive(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE);
    socket.set_tcp_keepalive(&keepalive.with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_RETRIES))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(stream)
}

/// A connection over the socket in the directory that the location names as its host.
pub(super) async fn socket(location: &Location) -> Result<UnixStream, StoreError> {
    let path = format!("{}/.s.PGSQL.{}", location.host, location.port);
    let opened = timeout(location.connect_timeout, UnixStream::connect(path)).await;
    opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|e| failed(location, e))
}

fn failed(location: &Location, error: io::Error) -> StoreError {
    StoreError::transient(format!("connect to {}", location.shown()), error)
}
