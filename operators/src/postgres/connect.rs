//! Opens a session.
//!
//! Promises: the session is prepared (see `session.rs`), or there is none. It takes at most three
//! times the location's timeout, and a peer that has silently gone is noticed within about two
//! minutes. The connection is driven by a task on the current tokio runtime, which ends with the
//! client.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, Socket};
use tokio_postgres_rustls_improved::MakeRustlsConnect;

use super::{Location, failure, session};
use crate::error::{StoreError, chain};
use crate::secret::Secret;

/// All addresses of a host, encryption, logging in and preparing may take this many times the
/// timeout of one address.
const PATIENCE: u32 = 3;

/// A connection without traffic is probed after this long. Firewalls forget idle connections after
/// a few minutes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// The pause between probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// A connection is lost after this many probes without an answer.
const KEEPALIVE_RETRIES: u32 = 6;
/// A connection is lost if what was sent is not acknowledged for this long.
const UNACKNOWLEDGED: Duration = Duration::from_secs(120);

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
        Ok::<_, StoreError>(client)
    };
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
    tokio::spawn(async move {
        // Requests under way fail with "connection closed", which does not say why.
        if let Err(error) = connection.await {
            tracing::info!(reason = %reason(&error), "a connection to PostgreSQL has ended");
        }
    });
    Ok(client)
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
