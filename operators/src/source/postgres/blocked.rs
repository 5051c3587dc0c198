//! Who holds a lock that a DELETE waits for.
//!
//! The server does not list locks of rows. Only as long as a session waits for one does it say who
//! has it, so that is asked meanwhile, over another connection.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::{Client, Error};

use crate::postgres::{Ask, Pool};

/// How often it is asked, and how long a DELETE takes before it is: a few times in the wait that
/// it has.
const LOOK: Duration = Duration::from_secs(3);

/// Does `work`, which is that of a session with this `process`. Returns its outcome, and who has
/// held it up last.
pub(super) async fn watched<T>(
    sessions: &Pool,
    process: Option<i32>,
    work: impl Future<Output = Result<T, Error>>,
) -> (Result<T, Error>, Option<String>) {
    let who = Mutex::new(None);
    let outcome = tokio::select! {
        outcome = work => outcome,
        never = look(sessions, process, &who) => match never {},
    };
    (outcome, who.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Notes in `who` whom the session of `process` waits for.
async fn look(sessions: &Pool, process: Option<i32>, who: &Mutex<Option<String>>) -> Infallible {
    loop {
        sleep(LOOK).await;
        // Without an answer the failure is told without a name.
        let Ok(client) = sessions.session().await else { continue };
        if let Ok(found) = blockers(&client, process).await {
            if !found.is_empty() {
                *who.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.join(", "));
            }
            sessions.give_back(client);
        }
    }
}

/// The sessions that the one of `process` waits for.
async fn blockers(client: &Client, process: Option<i32>) -> Result<Vec<String>, Error> {
    let sql = "SELECT pid, COALESCE(application_name, ''), COALESCE(state, ''), \
               COALESCE(extract(epoch FROM clock_timestamp() - xact_start)::bigint, 0) FROM pg_stat_activity \
               WHERE pid = ANY(pg_blocking_pids($1)) ORDER BY pid";
    let one = |row: &tokio_postgres::Row| {
        let (pid, name, state, seconds): (i32, &str, &str, i64) = (row.get(0), row.get(1), row.get(2), row.get(3));
        format!("process {pid} ({name:?}, {state}, in a transaction for {seconds} s)")
    };
    Ok(client.ask(sql, &[&process]).await?.iter().map(one).collect())
}
