//! What became of the transaction in which a flush has deleted its rows.
//!
//! PostgreSQL knows that of any transaction that is not too old (`pg_xact_status`). Its number
//! means something on one server only, and only there if that has not lost what it once had: a
//! standby that took over, or a server that was restored from a backup, may have given the number
//! to another transaction. So whatever cannot be the same server, going on, is not asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::deletion::Deletion;
use crate::error::StoreError;
use crate::postgres::{self, Ask};

/// How long a transaction is waited for that is still under way, in looks, before it says whose it
/// is. The next flush asks again.
const LOOKS: u32 = 100;
/// Asks what became of a transaction.
const STATUS: &str = "SELECT pg_xact_status($1::text::xid8)";
/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(100);

/// A database, as far as it can be told from others, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Server {
    /// Which cluster it was made as.
    pub(super) system: String,
    /// Which database of it.
    pub(super) database: u32,
    /// Which history: a standby that takes over begins another one, and so does a server that was
    /// restored.
    pub(super) timeline: String,
    /// Up to where its log had been written.
    pub(super) written: String,
}

/// What became of a deletion.
pub(super) enum Fate {
    /// The rows are deleted.
    Committed,
    /// They are not, and nothing else is known to have been.
    RolledBack,
    /// Nobody can tell, for this reason.
    Unknown(String),
}

impl Server {
    /// What `client` is connected to.
    pub(super) async fn ask(client: &Client) -> Result<Server, StoreError> {
        let sql = "SELECT s.system_identifier::text, d.oid, left(pg_walfile_name(pg_current_wal_lsn()), 8), \
                   pg_current_wal_flush_lsn()::text FROM pg_control_system() s, pg_database d \
                   WHERE d.datname = current_database()";
        let row = client.ask_one(sql, &[]).await;
        let row = row.map_err(|e| postgres::failed("ask which server has the hot tables", e))?;
        Ok(Server { system: row.get(0), database: row.get(1), timeline: row.get(2), written: row.get(3) })
    }

    /// Why `now` is not this one, going on; none if it may be.
    pub(super) fn differs(&self, now: &Server) -> Option<&'static str> {
        if self.system != now.system || self.database != now.database {
            return Some("its rows were deleted from another database than the one that has the hot tables now");
        }
        if self.timeline != now.timeline {
            return Some("since then a standby has taken over, or the server was restored from a backup");
        }
        match place(&self.written).zip(place(&now.written)) {
            Some((then, now)) if then <= now => None,
            _ => Some("the server was restored from a copy that is older than the flush"),
        }
    }
}

/// The number behind `16/B374D848`, as PostgreSQL writes places in its log.
fn place(lsn: &str) -> Option<u64> {
    let (high, low) = lsn.split_once('/')?;
    Some(u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?)
}

impl Deletion {
    /// Asks what became of it. It is that of flush `number`.
    pub(super) async fn fate(&self, client: &Client, number: u64) -> Result<Fate, StoreError> {
        if let Some(why) = self.server.differs(&Server::ask(client).await?) {
            return Ok(Fate::Unknown(why.to_owned()));
        }
        let transaction = self.transaction.to_string();
        for _ in 0..LOOKS {
            let status: Option<String> = match client.ask_one(STATUS, &[&transaction]).await {
                Ok(row) => row.get(0),
                Err(error) if error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE) => {
                    let why = format!("{}: it is older than the flush, and was restored", postgres::told(&error));
                    return Ok(Fate::Unknown(why));
                }
                Err(error) => return Err(postgres::failed("ask whether rows that have landed were deleted", error)),
            };
            match status.as_deref() {
                Some("committed") => return Ok(Fate::Committed),
                Some("aborted") => return Ok(Fate::RolledBack),
                Some(_) => tokio::time::sleep(PAUSE).await,
                None => return Ok(Fate::Unknown("it is so long ago that PostgreSQL has forgotten it".to_owned())),
            }
        }
        let why = format!(
            "{} has not ended the transaction in which flush {number} deletes rows that have landed: another run may \
             be at work, or PostgreSQL has not noticed the end of one",
            self.whose(client).await
        );
        Err(StoreError::transient("begin a flush", why))
    }

    /// Who has the transaction, which is under way, and how to end it.
    async fn whose(&self, client: &Client) -> String {
        let sql = "SELECT pid, COALESCE(application_name, ''), COALESCE(state, ''), \
                   COALESCE(extract(epoch FROM now() - xact_start)::bigint, 0) FROM pg_stat_activity \
                   WHERE backend_xid::text = $1";
        let number = (self.transaction & i64::from(u32::MAX)).to_string();
        match client.ask_opt(sql, &[&number]).await {
            Ok(Some(row)) => {
                let (pid, name, state, seconds): (i32, &str, &str, i64) =
                    (row.get(0), row.get(1), row.get(2), row.get(3));
                format!(
                    "process {pid} of PostgreSQL ({name:?}, {state}, in a transaction for {seconds} s, which \
                     SELECT pg_terminate_backend({pid}) ends)"
                )
            }
            _ => "a session".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_from_others() {
        let server = |system: &str, database, timeline: &str, written: &str| Server {
            system: system.to_owned(),
            database,
            timeline: timeline.to_owned(),
            written: written.to_owned(),
        };
        let then = server("7", 5, "00000001", "16/B374D848");
        for (now, says) in [
            (server("7", 5, "00000001", "16/B374D848"), None),
            (server("7", 5, "00000001", "17/1"), None),
            (server("7", 5, "00000001", "16/B374D847"), Some("older than the flush")),
            (server("7", 5, "00000001", "9/FFFFFFFF"), Some("older than the flush")),
            (server("7", 5, "00000002", "17/1"), Some("a standby has taken over")),
            (server("8", 5, "00000001", "17/1"), Some("another database")),
            (server("7", 6, "00000001", "17/1"), Some("another database")),
        ] {
            let differs = then.differs(&now);
            assert_eq!(differs.is_some(), says.is_some(), "{now:?}");
            assert!(differs.zip(says).is_none_or(|(why, says)| why.contains(says)), "{now:?}: {differs:?}");
        }
    }
}
