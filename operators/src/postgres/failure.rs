//! What an error of PostgreSQL means: whether trying again may help, and how it is told.
//!
//! Promises: the text has the server's own words and its SQLSTATE, but no statement and no values
//! of rows. The codes are those of the manual's appendix "PostgreSQL Error Codes".

use std::error::Error as _;
use std::io::{self, ErrorKind};

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use super::Location;
use super::advice::advice;
use super::session::POOLER;
use crate::error::{StoreError, chain};

/// What the server or the connection said, as people read it. It has no source, because that would
/// show values.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Answer {
    text: String,
    sqlstate: Option<String>,
}

/// Quotation marks of the languages that a server speaks.
const QUOTES: [char; 6] = ['"', '\u{201c}', '\u{201d}', '\u{201e}', '\u{ab}', '\u{bb}'];

/// Trying again may help after these SQLSTATEs: codes, and classes of two characters.
const PASSING: [&str; 15] = [
    "08",    // the connection was lost, or never came about; poolers say everything with it
    "25P03", // idle_in_transaction_session_timeout
    "25P04", // transaction_timeout
    "40001", // serialization failure
    "40003", // the connection was lost, and the statement may have been executed
    "40P01", // deadlock
    "53300", // too many connections
    "55006", // in use: a slot is held by our last session until the server notices its end
    "55P03", // lock_timeout
    "57014", // statement_timeout, or somebody cancelled
    "57P01", // the server is stopping, or somebody ended the session
    "57P02", // another process of the server crashed
    "57P03", // the server is starting
    "57P05", // idle_session_timeout
    "72000", // a snapshot is too old
];

/// Errors whose DETAIL shows values of rows: wrong data, violated constraints, and what a trigger
/// says.
const TELLING: [&str; 4] = ["22", "23", "44", "P0"];

/// The failure of `attempt`, by `error`.
pub fn failed(attempt: impl Into<String>, error: Error) -> StoreError {
    // Statements are prepared in the session that runs them, so only a pooler loses one, or has one
    // of somebody else.
    let is_lost = error.code().is_some_and(|code| matches!(code.code(), "26000" | "42P05"));
    tell(attempt.into(), &error, is_lost.then(|| POOLER.to_owned()))
}

/// The failure to connect to `location`, with what is usually done about it.
pub(super) fn refused(location: &Location, error: &Error) -> StoreError {
    tell(format!("connect to {}", location.shown()), error, advice(location, error))
}

fn tell(attempt: String, error: &Error, advice: Option<String>) -> StoreError {
    let mut text = told(error);
    if let Some(advice) = advice {
        text.push_str("; ");
        text.push_str(&advice);
    }
    let answer = Answer { text, sqlstate: error.code().map(|code| code.code().to_owned()) };
    match is_passing(error) {
        true => StoreError::transient(attempt, answer),
        false => StoreError::definite(attempt, answer),
    }
}

/// What the server or the connection said, as people read it.
pub fn told(error: &Error) -> String {
    error.as_db_error().map_or_else(|| chain(error), said)
}

/// Whether `error` is a conflict with another transaction, after which this one is done again from
/// its beginning.
pub fn is_serialization(error: &Error) -> bool {
    error.code().is_some_and(|code| matches!(code.code(), "40001" | "40P01"))
}

/// Whether `error`, of a COMMIT, says that its transaction has changed nothing. If not, only the
/// answer may be lost: class 08 is also what poolers say when they have lost the server.
pub fn is_undone(error: &Error) -> bool {
    error.code().is_some_and(|code| !code.code().starts_with("08") && code.code() != "40003")
}

/// The SQLSTATE behind `error`, if a server has sent one.
pub fn sqlstate(error: &StoreError) -> Option<&str> {
    let (StoreError::Transient { source, .. } | StoreError::Definite { source, .. }) = error;
    source.downcast_ref::<Answer>()?.sqlstate.as_deref()
}

/// The input or output error behind `error`.
pub(super) fn io_error(error: &Error) -> Option<&io::Error> {
    error.source()?.downcast_ref()
}

/// Why TLS was given up, if that is behind `error`.
pub(super) fn tls_error(error: &Error) -> Option<&rustls::Error> {
    io_error(error)?.get_ref()?.downcast_ref()
}

/// Whether trying again may help.
fn is_passing(error: &Error) -> bool {
    match (error.code(), io_error(error)) {
        (Some(code), _) => PASSING.iter().any(|passing| code.code().starts_with(*passing)),
        (None, Some(io)) => {
            let is_definite = [ErrorKind::InvalidData, ErrorKind::InvalidInput, ErrorKind::PermissionDenied];
            tls_error(error).is_none() && !is_definite.contains(&io.kind())
        }
        (None, None) => error.is_closed(),
    }
}

/// What the server said, on one line.
fn said(error: &DbError) -> String {
    let code = error.code().code();
    let is_telling = TELLING.iter().any(|class| code.starts_with(*class));
    // Class 22 quotes what it could not read.
    let mut text = if code.starts_with("22") { without_quoted(error.message()) } else { error.message().to_owned() };
    for (name, part) in [("detail", error.detail().filter(|_| !is_telling)), ("hint", error.hint())] {
        if let Some(part) = part {
            text.push_str(&format!("; {name}: {}", part.trim_end_matches('.')));
        }
    }
    format!("{} (SQLSTATE {code})", text.replace('\n', " "))
}

/// `text` without what stands between its first and its last quotation mark.
fn without_quoted(text: &str) -> String {
    match (text.find(QUOTES), text.rfind(QUOTES)) {
        (Some(first), Some(last)) if first < last => {
            let after = text[last..].chars().next().map_or(last, |quote| last + quote.len_utf8());
            format!("{}\"…\"{}", &text[..first], &text[after..])
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
