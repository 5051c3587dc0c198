//! The REST interface of a worker of Kafka Connect: one request, one answer.
//!
//! Promises: what must not be shown is in no error, also where Connect repeats it. A worker that is
//! busy with a rebalance is asked again. An answer is bounded, and nothing but the worker's address
//! is asked: no proxy, no redirect.

use std::fmt;
use std::time::Duration;

use lakefront_operators::secret::Secret;
use lakefront_operators::web::{Answer, Method, StatusCode, Web};
use serde_json::Value;

use crate::config::Connect;

/// Between two attempts while workers agree on who does what.
const PAUSE: Duration = Duration::from_millis(500);

/// Why there is no answer that helps.
#[derive(Debug)]
pub(crate) enum RestError {
    /// Nobody answered, or not in HTTP.
    Unreachable {
        /// What was attempted.
        attempt: String,
        /// Why it failed, and what to do.
        why: String,
    },
    /// The worker said no.
    Refused {
        /// What was attempted.
        attempt: String,
        /// The status of HTTP.
        status: StatusCode,
        /// What it said.
        message: String,
    },
}

impl RestError {
    /// The status that the worker answered, if it did.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            RestError::Unreachable { .. } => None,
            RestError::Refused { status, .. } => Some(*status),
        }
    }

    /// Whether the worker only waits for others to agree. Of Kafka 4.3, it mostly says so with a
    /// status of its own, and sometimes with words alone.
    fn is_busy(&self) -> bool {
        match self {
            RestError::Unreachable { .. } => false,
            RestError::Refused { status: StatusCode::CONFLICT, .. } => true,
            RestError::Refused { status, message, .. } => {
                *status == StatusCode::INTERNAL_SERVER_ERROR && message.contains("a rebalance is expected")
            }
        }
    }

    /// Whether what was asked about is not there.
    pub(crate) fn is_missing(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }
}

impl fmt::Display for RestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestError::Unreachable { attempt, why } => write!(f, "could not {attempt}: {why}"),
            RestError::Refused { attempt, status, message } => {
                write!(f, "could not {attempt}: Connect answers {}", status.as_u16())?;
                if !message.is_empty() {
                    write!(f, ": {message}")?;
                }
                match *status {
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                        f.write_str("; check user and password in [connect]")
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for RestError {}

/// A worker.
pub(crate) struct Rest(Web);

impl Rest {
    /// The worker that `connect` names. Nothing is asked yet. What is in `hidden` is left out of
    /// all messages.
    pub(crate) fn new(connect: &Connect, hidden: &[Secret]) -> Result<Rest, RestError> {
        let attempt = || format!("prepare requests to Kafka Connect at {}", connect.service.url);
        let web = Web::new(connect.service.clone(), hidden);
        web.map(Rest).map_err(|error| RestError::Unreachable { attempt: attempt(), why: error.why })
    }

    /// The worker's address.
    pub(crate) fn url(&self) -> &str {
        &self.0.service().url
    }

    /// Asks for what is at `path`.
    pub(crate) async fn get(&self, attempt: &str, path: &str) -> Result<Value, RestError> {
        self.request(attempt, Method::GET, path, None).await
    }

    /// Puts `body` to `path`.
    pub(crate) async fn put(&self, attempt: &str, path: &str, body: Option<&Value>) -> Result<Value, RestError> {
        self.request(attempt, Method::PUT, path, body).await
    }

    /// Posts nothing to `path`.
    pub(crate) async fn post(&self, attempt: &str, path: &str) -> Result<Value, RestError> {
        self.request(attempt, Method::POST, path, None).await
    }

    /// Deletes what is at `path`.
    pub(crate) async fn delete(&self, attempt: &str, path: &str) -> Result<Value, RestError> {
        self.request(attempt, Method::DELETE, path, None).await
    }

    /// A request, and again while workers rebalance; all for as long as one request may take. What
    /// is asked for here may be done twice.
    async fn request(
        &self,
        attempt: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, RestError> {
        let mut waited = Duration::ZERO;
        loop {
            match self.once(attempt, method.clone(), path, body).await {
                Err(error) if error.is_busy() && waited < self.0.service().timeout => {
                    tokio::time::sleep(PAUSE).await;
                    waited += PAUSE;
                }
                answer => return answer,
            }
        }
    }

    async fn once(&self, attempt: &str, method: Method, path: &str, body: Option<&Value>) -> Result<Value, RestError> {
        let unreachable = |why: String| RestError::Unreachable { attempt: attempt.to_owned(), why };
        let Answer { status, json } = self.0.ask(method, path, body).await.map_err(|error| unreachable(error.why))?;
        if status.is_success() {
            return json.ok_or_else(|| {
                let url = self.url();
                unreachable(format!("{url}{path} does not answer in JSON: is connect.url Kafka Connect's?"))
            });
        }
        let message = json.as_ref().and_then(|json| json.get("message")?.as_str()).unwrap_or_default();
        Err(RestError::Refused { attempt: attempt.to_owned(), status, message: self.without_hidden(message) })
    }

    /// `text` without what must not be shown, on one line.
    pub(crate) fn without_hidden(&self, text: &str) -> String {
        self.0.without_hidden(text)
    }
}

#[cfg(test)]
mod tests;
