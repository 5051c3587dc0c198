//! What people usually do when a server cannot be reached or does not let us in.
//!
//! Promises: advice contains no password. It never decides anything: an error means the same
//! without it.

use std::io::ErrorKind;

use rustls::CertificateError;
use tokio_postgres::Error;

use super::{Location, failure};
use crate::error::chain;

/// What may help after `error`, for a connection to `location`.
pub(super) fn advice(location: &Location, error: &Error) -> Option<String> {
    match error.code() {
        Some(code) => of_code(location, code.code()),
        None => of_connection(location, error),
    }
}

/// Advice after an SQLSTATE.
fn of_code(location: &Location, sqlstate: &str) -> Option<String> {
    let Location { user, database, .. } = location;
    let advice = match sqlstate {
        "28P01" => format!("check the user {user:?} and its password: {}", location.password.described()),
        "28000" => format!(
            "the role {user:?} must exist and have LOGIN, and a line of pg_hba.conf must let it into {database:?} from \
             this machine, with or without TLS as sslmode says"
        ),
        "3D000" => "check the name after the host in the URL".to_owned(),
        "42501" => format!("as an administrator: GRANT CONNECT ON DATABASE {database:?} TO {user:?}"),
        "53300" => "end other sessions, or raise max_connections there, or the role's CONNECTION LIMIT".to_owned(),
        "57P03" => "the server is starting or stopping, or is a standby that takes no queries".to_owned(),
        _ => return None,
    };
    Some(advice)
}

/// Advice if the server has not answered, or we did not like how.
fn of_connection(location: &Location, error: &Error) -> Option<String> {
    if let Some(error) = failure::tls_error(error) {
        return of_tls(error).map(str::to_owned);
    }
    let text = chain(error);
    // The library has no kinds for these.
    if text.contains("password missing") {
        return Some(format!("the server asks for a password, and {}", location.password.described()));
    }
    if text.contains("server does not support TLS") {
        return Some(
            "turn ssl on in postgresql.conf, or say sslmode=disable where nobody can listen on the way".to_owned(),
        );
    }
    if text.contains("channel binding") {
        return Some("channel_binding=require needs TLS and a password of the kind scram-sha-256".to_owned());
    }
    let Location { host, port, .. } = location;
    let advice = match failure::io_error(error)?.kind() {
        ErrorKind::NotFound if location.is_socket() => {
            format!("there is no socket .s.PGSQL.{port} in {host}: is the server running, and is that its directory?")
        }
        ErrorKind::ConnectionRefused => {
            format!("nothing listens on port {port} of {host}: is the server running, and listen_addresses set?")
        }
        ErrorKind::TimedOut => format!("{host} did not answer: is it up, and does a firewall let us in?"),
        // The standard library's words for a name that the resolver could not resolve.
        _ if text.contains("failed to lookup address") => format!("check the host {host:?}: it could not be resolved"),
        _ => return None,
    };
    Some(advice)
}

/// Advice if the certificate was refused.
fn of_tls(error: &rustls::Error) -> Option<&'static str> {
    let rustls::Error::InvalidCertificate(error) = error else { return None };
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Some(
            "the server's certificate is not signed by one in sslrootcert: give it the PEM file of the authority that \
             has signed it, or of the certificate itself",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Some(
            "use a name that is among the certificate's alternative names as the host, or sslmode=verify-ca, which \
             does not look at names",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Some("renew the server's certificate, and check the clocks of both machines")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Some("check the clocks of both machines")
        }
        CertificateError::Other(other) if other.0.to_string().contains("UnsupportedCertVersion") => {
            Some("the server's certificate is of X.509 version 1: issue one of version 3, which has alternative names")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
