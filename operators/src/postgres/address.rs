//! URLs of databases, as libpq's documentation of "connection URIs" has them, for one server.
//!
//! Promises: an error holds nothing of the URL but the name of a parameter, which cannot be a part
//! of the password: an `@` after the question mark is refused first. Leaves to others: what the
//! parameters of TLS mean.

use std::fmt::Write;
use std::net::Ipv6Addr;
use std::time::Duration;

use tokio_postgres::config::ChannelBinding;

use super::{Location, Password, Tls};
use crate::secret::Secret;

/// The port without a port, which is libpq's.
const PORT: u16 = 5432;
/// The timeout without `connect_timeout`, in seconds. libpq would wait forever.
const CONNECT_TIMEOUT_S: u64 = 10;
/// The longest timeout, in seconds.
const LONGEST_TIMEOUT_S: u64 = 3600;

/// What a URL of PostgreSQL begins with.
const SCHEMES: [&str; 2] = ["postgresql://", "postgres://"];
/// The parameters that are read.
const KNOWN: [&str; 6] = ["sslmode", "sslrootcert", "channel_binding", "application_name", "connect_timeout", "host"];
/// Parameters of libpq that have a place of their own in the URL.
const ELSEWHERE: [&str; 5] = ["user", "password", "port", "dbname", "passfile"];

const FORM: &str = "this is written postgresql://user@host:5432/database";
const NO_USER: &str = "a user is missing: this is written postgresql://user@host:5432/database";
const NO_DATABASE: &str = "a database is missing: this is written postgresql://user@host:5432/database";
const RESERVED: &str = "in a user, password, database or parameter, the characters @ / ? % & and : are written %40 %2F \
                        %3F %25 %26 and %3A";
const HOST: &str = "a host is a name in ASCII, an IPv4 address, an IPv6 address in brackets, or a directory of Unix \
                    sockets, as in postgresql://user@/database?host=/run/postgresql";
const TIMEOUT: &str = "connect_timeout is in seconds, from 1 to 3600";

impl Location {
    /// Parses `postgresql://user[:password]@host[:port]/database[?parameters]`, where `postgres://`
    /// means the same. User, password and database may be percent-encoded.
    ///
    /// The parameters are libpq's `sslmode`, `sslrootcert`, `channel_binding`, `application_name`,
    /// `connect_timeout` in seconds, and `host` for a directory of Unix sockets, which may be in
    /// the place of the host too, with `%2F` for its slashes. Others are refused by name.
    pub fn parse(url: &str) -> Result<Location, String> {
        let rest = SCHEMES.iter().find_map(|scheme| url.strip_prefix(*scheme)).ok_or(FORM)?;
        if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("a URL has no spaces, line breaks or control characters: a space is written %20".into());
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (entry, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        // One of these was meant to be part of the password, and what follows it would be shown.
        if query.contains('@') || path.contains(['@', '/']) || entry.contains('@') {
            return Err(RESERVED.into());
        }
        let (user, password) = entry.split_once(':').unwrap_or((entry, ""));
        if user.is_empty() {
            return Err(NO_USER.into());
        }
        if path.is_empty() {
            return Err(NO_DATABASE.into());
        }
        let password = decode(password)?;
        let parameters = parameters(query)?;
        let value = |name: &str| parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        let (host, port) = host_and_port(place, value("host"))?;
        Ok(Location {
            host,
            port,
            user: decode(user)?,
            database: decode(path)?,
            tls: Tls::new(value("sslmode"), value("sslrootcert"))?,
            channel_binding: channel_binding(value("channel_binding"))?,
            password: if password.is_empty() { Password::None } else { Password::Text(Secret::new(password)) },
            application_name: value("application_name").map(application_name).transpose()?,
            connect_timeout: connect_timeout(value("connect_timeout"))?,
        })
    }
}

/// The parameters, each at most once.
fn parameters(query: &str) -> Result<Vec<(&'static str, String)>, String> {
    let mut parameters: Vec<(&'static str, String)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or("a parameter is written name=value")?;
        let known = KNOWN.into_iter().find(|known| *known == name).ok_or_else(|| unknown(name))?;
        if parameters.iter().any(|(before, _)| *before == known) {
            return Err(format!("the parameter {known} is given twice"));
        }
        parameters.push((known, decode(value)?));
    }
    Ok(parameters)
}

/// Why the parameter `name` is refused.
fn unknown(name: &str) -> String {
    let known = KNOWN.join(", ");
    let is_name = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match name {
        name if ELSEWHERE.contains(&name) => {
            format!("{name} is no parameter here: what it says stands before the question mark, or in a setting")
        }
        name if is_name => format!("the parameter {name} is not known; these are: {known}"),
        _ => format!("a parameter is not known; these are: {known}"),
    }
}

/// The host and the port in `place`; `sockets` is the parameter `host`.
fn host_and_port(place: &str, sockets: Option<&str>) -> Result<(String, u16), &'static str> {
    if place.contains(',') {
        return Err("one server only: rows are read from one server's log, and another server has another log");
    }
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => {
            let (host, port) = bracketed.split_once(']').ok_or(HOST)?;
            let ip: Ipv6Addr = host.parse().map_err(|_| HOST)?;
            let port = if port.is_empty() { port } else { port.strip_prefix(':').ok_or(HOST)? };
            (ip.to_string(), port)
        }
        None => {
            let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
            let host = decode(host)?;
            let is_directory = host.starts_with('/');
            if !(is_directory || host.is_empty() || is_host(&host)) {
                return Err(HOST);
            }
            (if is_directory { host } else { host.to_ascii_lowercase() }, port)
        }
    };
    let host = match sockets {
        None if host.is_empty() => return Err(HOST),
        None => host,
        Some(sockets) if host.is_empty() && sockets.starts_with('/') => sockets.to_owned(),
        Some(_) => return Err("the parameter host is for a directory of Unix sockets, where there is no other host"),
    };
    Ok((host, port_of(port)?))
}

fn port_of(text: &str) -> Result<u16, &'static str> {
    match text {
        "" => Ok(PORT),
        text => digits(text)
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0)
            .ok_or("a port is a number from 1 to 65535"),
    }
}

/// Whether `name` may be a name in the DNS, or is an IPv4 address.
fn is_host(name: &str) -> bool {
    name.len() <= 253 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

fn channel_binding(text: Option<&str>) -> Result<ChannelBinding, &'static str> {
    match text {
        Some("disable") => Ok(ChannelBinding::Disable),
        None | Some("prefer") => Ok(ChannelBinding::Prefer),
        Some("require") => Ok(ChannelBinding::Require),
        Some(_) => Err("channel_binding is disable, prefer or require"),
    }
}

/// PostgreSQL cuts a name after 63 bytes, and replaces what is not printable ASCII.
fn application_name(text: &str) -> Result<String, &'static str> {
    match (1..=63).contains(&text.len()) && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err("an application_name has 1 to 63 printable ASCII characters"),
    }
}

fn connect_timeout(text: Option<&str>) -> Result<Duration, &'static str> {
    let Some(text) = text else { return Ok(Duration::from_secs(CONNECT_TIMEOUT_S)) };
    let seconds = digits(text).filter(|seconds| (1..=LONGEST_TIMEOUT_S).contains(seconds)).ok_or(TIMEOUT)?;
    Ok(Duration::from_secs(seconds))
}

/// A number without a sign, which Rust's own parser would allow.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Decodes the percent-encoding in `text`. A plus sign is one, as in libpq.
fn decode(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "a percent sign begins an encoded byte, such as %40 for @ or %25 for the sign itself, and the \
                         bytes are UTF-8 without %00";
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        let byte = after.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit())).ok_or(WRONG)?;
        let byte = u8::from_str_radix(byte, 16).ok().filter(|byte| *byte != 0).ok_or(WRONG)?;
        decoded.extend_from_slice(before.as_bytes());
        decoded.push(byte);
        rest = &after[2..];
    }
    decoded.extend_from_slice(rest.as_bytes());
    String::from_utf8(decoded).map_err(|_| WRONG)
}

/// Percent-encodes everything but RFC 3986's unreserved characters, so that different texts stay
/// different.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => encoded.push(char::from(byte)),
            false => {
                // Writing to a `String` cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
