//! Opens a session.
//!
//! Promises: the session is prepared (see `session.rs`), or there is none. It takes at most three
//! times the location's timeout, and a peer that has silently gone is noticed within about two
//! minutes. The connection is driven by a task on the current tokio runtime, which ends with the
//! client.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, NoTls, Socket};
use tokio_postgres_rustls_improved::MakeRustlsConnect;

use super::copying::CopySession;
use super::divert::{Divert, DivertTls};
use super::rows::Rows;
use super::{Location, dial, failure, session};
use crate::error::{StoreError, chain};
use crate::secret::Secret;

/// All addresses of a host, encryption, logging in and preparing may take this many times the
/// timeout of one address.
const PATIENCE: u32 = 3;

/// A connection without traffic is probed after this long. Firewalls forget idle connections after
/// a few minutes.
pub(super) const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// The pause between probes.
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// A connection is lost after this many probes without an answer.
pub(super) const KEEPALIVE_RETRIES: u32 = 6;
/// A connection is lost if what was sent is not acknowledged for this long.
pub(super) const UNACKNOWLEDGED: Duration = Duration::from_secs(120);

/// Opens a prepared session at `location`. PostgreSQL knows it by `application`, unless the
/// location has a name of its own.
///
/// A wrong password, a certificate that is not trusted and a pooler that loses settings are
/// definite errors; a server that is not there is a transient one.
pub async fn connect(location: &Location, application: &str) -> Result<Client, StoreError> {
    let password = location.password.ask().await?;
    let config = config(location, application, password.as_ref());
    let tls = if location.is_socket() { None } else { location.tls.client()? };
    let opened = async {
        let client = match tls {
            None => open(&config, NoTls).await,
            Some(tls) => open(&config, MakeRustlsConnect::new(tls)).await,
        };
        let client = client.map_err(|error| failure::refused(location, &error))?;
        session::prepare(&client, location).await?;
        Ok(client)
    };
    within(location, opened).await
}

/// Opens a prepared session at `location` that copies fast, as [`connect`] does otherwise.
pub async fn connect_to_copy(location: &Location, application: &str) -> Result<CopySession, StoreError> {
    let password = location.password.ask().await?;
    let config = config(location, application, password.as_ref());
    let tls = if location.is_socket() { None } else { location.tls.client()? };
    let opened = async {
        let (client, rows) = match location.is_socket() {
            true => open_diverted(location, &config, tls, dial::socket(location).await?).await?,
            false => open_diverted(location, &config, tls, dial::address(location).await?).await?,
        };
        session::prepare(&client, location).await?;
        Ok(CopySession::new(client, rows))
    };
    within(location, opened).await
}

/// Asks the server to cancel what the session of `client` is doing, as Ctrl-C does in psql. If that
/// fails, it goes on.
pub async fn cancel(location: &Location, client: &Client) {
    let tls = if location.is_socket() { Ok(None) } else { location.tls.client() };
    let token = client.cancel_token();
    let cancelled = match tls {
        Ok(Some(tls)) => token.cancel_query(MakeRustlsConnect::new(tls)).await,
        Ok(None) => token.cancel_query(NoTls).await,
        Err(_) => return,
    };
    if let Err(error) = cancelled {
        tracing::debug!(reason = %reason(&error), "could not cancel a statement");
    }
}

/// Ends with the outcome of `opened`, or if that takes too long.
async fn within<T>(location: &Location, opened: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let patience = location.connect_timeout * PATIENCE;
    match timeout(patience, opened).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let why = format!("it was not done within {} s: a firewall or a busy server?", patience.as_secs());
            Err(StoreError::transient(format!("connect to {}", location.shown()), why))
        }
    }
}

fn config(location: &Location, application: &str, password: Option<&Secret>) -> Config {
    let mut config = Config::new();
    config
        .host(&location.host)
        .port(location.port)
        .user(&location.user)
        .dbname(&location.database)
        .application_name(location.application_name.as_deref().unwrap_or(application))
        .ssl_mode(location.tls.ssl_mode())
        .channel_binding(location.channel_binding)
        .connect_timeout(location.connect_timeout)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES)
        .tcp_user_timeout(UNACKNOWLEDGED);
    // No traffic on a Unix socket is encrypted, whatever `sslmode` says: libpq does the same.
    if location.is_socket() {
        config.ssl_mode(SslMode::Disable);
    }
    if let Some(password) = password {
        config.password(password.reveal());
    }
    config
}

async fn open<T>(config: &Config, tls: T) -> Result<Client, tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await?;
    drive(connection);
    Ok(client)
}

/// Opens a session over `stream`, whose rows of a `COPY` can be taken.
async fn open_diverted<S>(
    location: &Location,
    config: &Config,
    tls: Option<ClientConfig>,
    stream: S,
) -> Result<(Client, Arc<Rows>), StoreError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let rows = Arc::new(Rows::default());
    let stream = Divert::new(stream, rows.clone());
    let refused = |error: tokio_postgres::Error| failure::refused(location, &error);
    let client = match tls {
        None => {
            let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(refused)?;
            drive(connection);
            client
        }
        Some(tls) => {
            let tls = MakeTlsConnect::<Divert<S>>::make_tls_connect(&mut MakeRustlsConnect::new(tls), &location.host);
            let tls = tls.map_err(|e| StoreError::definite(format!("connect to {}", location.shown()), e))?;
            let tls = DivertTls { tls, rows: rows.clone() };
            let (client, connection) = config.connect_raw(stream, tls).await.map_err(refused)?;
            drive(connection);
            client
        }
    };
    Ok((client, rows))
}

/// Drives a connection until its client has gone.
fn drive<S, T>(connection: Connection<S, T>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        // Requests under way fail with "connection closed", which does not say why.
        if let Err(error) = connection.await {
            tracing::info!(reason = %reason(&error), "a connection to PostgreSQL has ended");
        }
    });
}

/// Why a connection has ended, without values.
fn reason(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} (SQLSTATE {})", crate::shown::one_line(said.message()), said.code().code()),
        None => chain(error),
    }
}

#[cfg(test)]
mod tests;
