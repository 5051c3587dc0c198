//! What every session is set to.
//!
//! Promises: after [`prepare`], the same statement means the same and its texts look the same,
//! whatever `postgresql.conf`, the role and the database say, and a commit that was reported is
//! durable. A pooler that gives each transaction another server session loses the settings: then
//! [`require_settings`] fails, and [`refuse_pooler`] finds most poolers before that.

use std::time::Duration;

use tokio_postgres::{Client, GenericClient, SimpleQueryMessage};

use super::Location;
use super::failure::failed;
use crate::error::StoreError;

/// The settings. One that the server's version does not have is left
/// out: `transaction_timeout` is new in version 17, `idle_session_timeout` in 14, `jit` in 11.
const SETTINGS: [(&str, &str); 23] = [
    // How values look as text.
    ("client_encoding", "UTF8"),
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "iso_8601"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("xmlbinary", "base64"),
    ("xmloption", "content"),
    ("quote_all_identifiers", "off"),
    // What a statement means.
    ("standard_conforming_strings", "on"),
    ("array_nulls", "on"),
    ("transform_null_equals", "off"),
    // A policy that hides rows makes a statement fail, instead of rows being missed.
    ("row_security", "off"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_deferrable", "off"),
    // A long copy is no mistake; who waits for a lock says so in its own transaction.
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("transaction_timeout", "0"),
    // Compiling costs more than our statements do.
    ("jit", "off"),
    ("client_min_messages", "warning"),
];

/// A setting of ours, which only a prepared session has. PostgreSQL keeps any name with a dot.
const MARK: &str = "lakefront.session";
/// Its value.
const PREPARED: &str = "prepared";

/// How long a question that costs nothing may take while another transaction is open.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// What is wrong with a pooler, and the way out.
pub(super) const POOLER: &str = "a pooler in front of the server gives each transaction another session, which loses settings: \
                      connect to the server itself, or to the pooler in session mode";

/// Sets the session, and asks in another transaction whether it stayed so.
pub(super) async fn prepare(client: &Client, location: &Location) -> Result<(), StoreError> {
    let attempt = || format!("prepare a session of {}", location.shown());
    client.batch_execute(&batch()).await.map_err(|error| failed(attempt(), error))?;
    require_settings(client).await
}

/// Fails if the server session behind `client`, or behind a transaction of it, is not one that
/// [`connect()`](super::connect()) has prepared. It costs one round trip.
pub async fn require_settings(client: &(impl GenericClient + Sync)) -> Result<(), StoreError> {
    const ATTEMPT: &str = "keep the settings of a session";
    let question = format!("SELECT pg_catalog.current_setting('{MARK}', true)");
    let messages = client.simple_query(&question).await.map_err(|error| failed(ATTEMPT, error))?;
    match first(&messages) {
        Some(PREPARED) => Ok(()),
        _ => Err(StoreError::definite(ATTEMPT, POOLER)),
    }
}

/// Fails if there is a pooler between `client` and the server that does not keep a session for it.
///
/// A transaction is opened in `other`, a second session. If both sessions have the same server
/// process, or if the first one's changes meanwhile, then there is one, for sure. It may be missed
/// if others use the same pool at that moment, so neither session may be asked anything else
/// meanwhile; [`require_settings`] in the transactions that matter catches it if one of them gets a
/// session that was not prepared.
pub async fn refuse_pooler(location: &Location, client: &Client, other: &Client) -> Result<(), StoreError> {
    const PROCESS: &str = "SELECT pg_catalog.pg_backend_pid()";
    let attempt = || format!("keep a session of {}", location.shown());
    let before = ask(client, PROCESS, &attempt).await?;
    let others = ask(other, &format!("BEGIN; {PROCESS}"), &attempt).await?;
    if before == others {
        return Err(StoreError::definite(attempt(), POOLER));
    }
    let Ok(after) = tokio::time::timeout(PROBE_TIMEOUT, ask(client, PROCESS, &attempt)).await else {
        // A pool of one session would answer only after the other transaction has ended.
        return Err(StoreError::transient(attempt(), "the server did not answer while another transaction was open"));
    };
    let after = after?;
    other.batch_execute("ROLLBACK").await.map_err(|error| failed(attempt(), error))?;
    match before == after {
        true => Ok(()),
        false => Err(StoreError::definite(attempt(), POOLER)),
    }
}

/// The answer to a question that has one. No statement is prepared for it, because some poolers
/// would lose that too.
async fn ask(
    client: &Client,
    question: &str,
    attempt: &(impl Fn() -> String + Sync),
) -> Result<Option<String>, StoreError> {
    let messages = client.simple_query(question).await.map_err(|error| failed(attempt(), error))?;
    Ok(first(&messages).map(str::to_owned))
}

/// The first value of the first row.
fn first(messages: &[SimpleQueryMessage]) -> Option<&str> {
    let mut rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.next()?.try_get(0).ok()?
}

/// The statements that prepare a session, in one implicit transaction.
fn batch() -> String {
    let settings: Vec<_> = SETTINGS.iter().map(|(name, value)| format!("('{name}', '{value}')")).collect();
    // The search path first, so that nothing after it is taken from another schema. Temporary
    // tables would come before everything if they were not named. The view `pg_settings` would take
    // longer than all the rest of logging in.
    //
    // `remote_apply` is more than `on`: it stays. Everything else is less, or the same.
    format!(
        "SET search_path = pg_catalog, pg_temp; \
         SELECT set_config(v.name, v.value, false) FROM (VALUES {}) AS v (name, value) \
         WHERE current_setting(v.name, true) IS NOT NULL; \
         SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') \
         WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false); \
         SELECT set_config('{MARK}', '{PREPARED}', false)",
        settings.join(", "),
    )
}

#[cfg(test)]
mod tests;
