//! Sessions that are used again, so that a flush need not log in.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_postgres::Client;

use super::{Location, connect};
use crate::error::StoreError;

/// Prepared sessions of one place, each without a transaction while it lies here.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use lakefront_operators::postgres::{Location, Pool};
///
/// // Nobody listens there.
/// let location = Location::parse("postgresql://flusher@127.0.0.1:1/hot")?;
/// let pool = Pool::new(location, "lakefront");
/// // Nothing is connected to before the first session is asked for.
/// assert!(pool.session().await.is_err());
/// # Ok(())
/// # }
/// ```
pub struct Pool {
    location: Location,
    application: String,
    idle: Mutex<Vec<Arc<Client>>>,
}

impl Pool {
    /// Sessions at `location`, which PostgreSQL knows by `application`. Nothing is connected to
    /// yet.
    pub fn new(location: Location, application: &str) -> Arc<Pool> {
        Arc::new(Pool { location, application: application.to_owned(), idle: Mutex::default() })
    }

    /// Where the sessions are.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// A session without a transaction: one that was given back, or a new one.
    pub async fn session(&self) -> Result<Arc<Client>, StoreError> {
        while let Some(client) = self.take() {
            if !client.is_closed() {
                return Ok(client);
            }
        }
        connect(&self.location, &self.application).await.map(Arc::new)
    }

    fn take(&self) -> Option<Arc<Client>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Takes a session back that has no transaction, and that its user asks nothing any more.
    pub fn give_back(&self, client: Arc<Client>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
    }
}
