//! The gate: another reader of the hot tables says how far it has come, and nothing above that is
//! deleted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::flush::Buffer;
use crate::error::{StoreError, chain};
use crate::postgres::{self, Location};

/// How long the gate may take to answer. A flush waits for it, and the last one of a run has not
/// much time.
const PATIENCE: Duration = Duration::from_secs(10);

/// What sets a session for a query that somebody else has written: names mean what they mean in
/// psql, nothing is changed, and the server gives up when we do.
const SESSION: &str =
    "SET search_path TO DEFAULT; SET default_transaction_read_only = on; SET statement_timeout = '10s'";

/// What a query must return.
const ONE: &str = "it must return one column of an integer type, and at most one row: \
                   select last_sequence from checkpoints where id = 1";

/// A database, and the query that asks it how far the other reader has come.
pub struct Gate {
    location: Location,
    query: String,
    /// The session of the last question.
    client: AsyncMutex<Option<Client>>,
    /// What was confirmed then.
    last: Mutex<Option<i64>>,
}

impl Gate {
    /// Asks `query` at `location`. Nothing is connected to yet.
    pub fn new(location: Location, query: &str) -> Gate {
        Gate { location, query: query.to_owned(), client: AsyncMutex::default(), last: Mutex::default() }
    }

    /// Where it is asked, without credentials.
    pub fn shown(&self) -> String {
        self.location.shown()
    }

    /// Up to which sequence rows are confirmed; none if nothing is: the query has returned NULL, or
    /// no row.
    pub async fn ask(&self) -> Result<Option<i64>, StoreError> {
        match timeout(PATIENCE, self.answer()).await {
            Ok(answer) => answer,
            Err(_) => {
                let why = format!("it has not answered within {} s", PATIENCE.as_secs());
                Err(StoreError::transient(self.attempt(), why))
            }
        }
    }

    async fn answer(&self) -> Result<Option<i64>, StoreError> {
        let mut kept = self.client.lock().await;
        let client = match kept.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => {
                let client = postgres::connect(&self.location, "lakefront").await?;
                client.batch_execute(SESSION).await.map_err(|e| postgres::failed(self.attempt(), e))?;
                client
            }
        };
        let confirmed = self.question(&client).await?;
        *kept = Some(client);
        Ok(confirmed)
    }

    async fn question(&self, client: &Client) -> Result<Option<i64>, StoreError> {
        let failed = |e| postgres::failed(self.attempt(), e);
        let statement = client.prepare(&self.query).await.map_err(failed)?;
        let read: fn(&Row) -> Option<i64> = match statement.columns() {
            [column] if *column.type_() == Type::INT8 => |row| row.get(0),
            [column] if *column.type_() == Type::INT4 => |row| row.get::<_, Option<i32>>(0).map(i64::from),
            [column] if *column.type_() == Type::INT2 => |row| row.get::<_, Option<i16>>(0).map(i64::from),
            [column] => {
                let why = format!("its column is {}, not an integer: cast it; {ONE}", column.type_());
                return Err(StoreError::definite(self.attempt(), why));
            }
            columns => {
                let why = format!("the query returns {} columns; {ONE}", columns.len());
                return Err(StoreError::definite(self.attempt(), why));
            }
        };
        match &*client.query(&statement, &[]).await.map_err(failed)? {
            [] => Ok(None),
            [row] => Ok(read(row)),
            rows => {
                let why = format!("the query returns {} rows; {ONE}", rows.len());
                Err(StoreError::definite(self.attempt(), why))
            }
        }
    }

    fn attempt(&self) -> String {
        format!("ask source.downstream.query at {}", self.location.shown())
    }

    /// Remembers what is confirmed, and tells if that is less than before.
    fn remember(&self, confirmed: Option<i64>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *last, confirmed);
        if confirmed < before {
            let shown = |at: Option<i64>| at.map_or_else(|| "nothing".to_owned(), |at| at.to_string());
            tracing::warn!(
                before = shown(before),
                confirmed = shown(confirmed),
                "the downstream gate went back: rows that were deleted do not come back"
            );
        }
    }
}

impl Buffer {
    /// Up to which sequence rows may be deleted; none if no row may. If the gate cannot be asked at
    /// the moment, none may: rows land all the same, and are deleted once it answers.
    pub(super) async fn confirmed(&self) -> Result<Option<i64>, StoreError> {
        let Some(gate) = &self.settings.gate else { return Ok(Some(i64::MAX)) };
        match gate.ask().await {
            Ok(confirmed) => {
                gate.remember(confirmed);
                Ok(confirmed)
            }
            Err(error) if error.is_transient() => {
                let error = chain(&error);
                tracing::warn!(error, "the downstream gate cannot be asked: nothing is deleted until it answers");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
