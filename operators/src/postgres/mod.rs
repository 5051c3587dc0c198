//! PostgreSQL servers: where one is, how a session on it is opened, and what its errors mean.
//!
//! Promises: no `Debug` output, error or log line contains a password. A session that
//! [`connect()`] returns behaves alike whatever its role and its database are set to. Leaves to
//! others: where the values come from, what is asked in a session, and trying again.

mod address;
mod advice;
mod ask;
pub mod capture;
mod connect;
mod copy_in;
mod copying;
mod dial;
mod divert;
mod failure;
#[cfg(test)]
mod fake;
mod lsn;
mod password;
mod pool;
mod rows;
mod session;
mod tls;
mod verify;

use std::net::Ipv6Addr;
use std::time::Duration;

use tokio_postgres::config::ChannelBinding;
pub use tokio_postgres::{Client, Error, Statement};

pub use self::ask::{Ask, Element, Param, Typed};
pub use self::connect::{cancel, connect, connect_to_copy};
pub use self::copy_in::copy_in;
pub use self::copying::CopySession;
pub use self::failure::{Answer, failed, is_serialization, is_undone, sqlstate, told};
pub use self::lsn::Lsn;
pub use self::password::Password;
pub use self::pool::Pool;
pub use self::session::{refuse_pooler, require_settings};
pub use self::tls::{Mode, Roots, Tls};

/// A server and a database, and how to get in. [`Location::parse`] makes one of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// A name in lower case, an IP address without brackets, or the directory of a Unix socket,
    /// which begins with a slash.
    pub host: String,
    /// The port; it is part of a socket's name too.
    pub port: u16,
    /// The role.
    pub user: String,
    /// The database.
    pub database: String,
    /// How the connection is encrypted, and what is checked. A socket's never is.
    pub tls: Tls,
    /// Whether the password is bound to the encrypted connection, so that nobody in between can
    /// use it.
    pub channel_binding: ChannelBinding,
    /// The role's password.
    pub password: Password,
    /// What `pg_stat_activity` calls our sessions, instead of what the program calls itself.
    pub application_name: Option<String>,
    /// How long one address of the host may take to answer. All of them, and logging in, may
    /// together take three times that.
    pub connect_timeout: Duration,
}

/// `name` as an identifier of SQL.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Location {
    /// The same place, entered with `password`.
    pub fn with_password(self, password: Password) -> Location {
        Location { password, ..self }
    }

    /// The place without user and password: `postgresql://host:port/database`. It identifies the
    /// database: two places are written alike only if host, port and database are equal.
    pub fn shown(&self) -> String {
        let database = address::encode(&self.database);
        match self.host.parse::<Ipv6Addr>() {
            Ok(ip) => format!("postgresql://[{ip}]:{}/{database}", self.port),
            Err(_) => format!("postgresql://{}:{}/{database}", address::encode(&self.host), self.port),
        }
    }

    /// Whether both name the same database of the same server. A first guess: one server may have
    /// several names, and only its system identifier is the same by all of them.
    pub fn is_same_database(&self, other: &Location) -> bool {
        self.host == other.host && self.port == other.port && self.database == other.database
    }

    /// Whether the host is a directory of Unix sockets.
    fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }
}
