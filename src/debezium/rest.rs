//! The REST interface of a worker of Kafka Connect: one request, one answer.
//!
//! Promises: what must not be shown is in no error, also where Connect repeats it. A worker that is
//! busy with a rebalance is asked again. An answer is bounded, and nothing but the worker's address
//! is asked: no proxy, no redirect.

use std::fmt;
use std::fs;
use std::time::Duration;

use lakefront_operators::secret::Secret;
use lakefront_operators::shown;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, StatusCode};
use serde_json::Value;

use crate::config::Connect;

/// Maximum bytes of an answer: the longest lists every setting of a connector with its
/// documentation.
const LONGEST: usize = 8 << 20;
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
pub(crate) struct Rest {
    client: Client,
    url: String,
    login: Option<(String, Secret)>,
    hidden: Vec<Secret>,
    timeout: Duration,
}

impl Rest {
    /// The worker that `connect` names. Nothing is asked yet. What is in `hidden` is left out of
    /// all messages.
    pub(crate) fn new(connect: &Connect, hidden: &[Secret]) -> Result<Rest, RestError> {
        let attempt = || format!("prepare requests to Kafka Connect at {}", connect.url);
        let fails = |why: String| RestError::Unreachable { attempt: attempt(), why };
        let mut builder = Client::builder().no_proxy().redirect(Policy::none()).timeout(connect.timeout);
        if let Some(file) = &connect.ca_file {
            let of_file = |why: &dyn fmt::Display| fails(format!("connect.ca_file {}: {why}", file.display()));
            let pem = fs::read(file).map_err(|error| of_file(&error))?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| of_file(&error))?;
            if certificates.is_empty() {
                return Err(of_file(&"there is no certificate in the PEM file"));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|error| fails(causes(&error)))?;
        let mut hidden = hidden.to_vec();
        hidden.extend(connect.login.as_ref().map(|(_, password)| password.clone()));
        Ok(Rest { client, url: connect.url.clone(), login: connect.login.clone(), hidden, timeout: connect.timeout })
    }

    /// The worker's address.
    pub(crate) fn url(&self) -> &str {
        &self.url
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

    /// A request, and again while workers rebalance, which Connect answers with 409; all for as
    /// long as one request may take. What is asked for here may be done twice.
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
                Err(RestError::Refused { status: StatusCode::CONFLICT, .. }) if waited < self.timeout => {
                    tokio::time::sleep(PAUSE).await;
                    waited += PAUSE;
                }
                answer => return answer,
            }
        }
    }

    async fn once(&self, attempt: &str, method: Method, path: &str, body: Option<&Value>) -> Result<Value, RestError> {
        let fails = |why: String| RestError::Unreachable {
            attempt: attempt.to_owned(),
            why: self.without_hidden(&format!("{}{path} {why}", self.url)),
        };
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some((user, password)) = &self.login {
            request = request.basic_auth(user, Some(password.reveal()));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let mut response = request.send().await.map_err(|error| fails(self.unreachable(&error)))?;
        let status = response.status();
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| fails(self.unreachable(&error)))? {
            if text.len() + chunk.len() > LONGEST {
                return Err(fails(format!("gave an answer of more than {LONGEST} bytes")));
            }
            text.extend_from_slice(&chunk);
        }
        let json = serde_json::from_slice::<Value>(&text).ok();
        if status.is_success() {
            return match (json, text.is_empty()) {
                (Some(json), _) => Ok(json),
                (None, true) => Ok(Value::Null),
                (None, false) => Err(fails("does not answer in JSON: is connect.url Kafka Connect's?".to_owned())),
            };
        }
        let message = json.as_ref().and_then(|json| json.get("message")?.as_str()).unwrap_or_default();
        Err(RestError::Refused { attempt: attempt.to_owned(), status, message: self.without_hidden(message) })
    }

    /// Why a worker did not answer, and what is usually done about it.
    fn unreachable(&self, error: &reqwest::Error) -> String {
        let told = causes(error);
        match () {
            () if error.is_timeout() => format!(
                "did not answer within {} s: is the worker up? A longer time is given as connect.timeout",
                self.timeout.as_secs()
            ),
            () if error.is_connect() && told.to_lowercase().contains("certificate") => {
                format!("is not trusted: {told}; connect.ca_file names the authority that has signed its certificate")
            }
            () if error.is_connect() => {
                format!("does not answer: {told}; is the worker up, and connect.url its address?")
            }
            () => format!("failed: {told}"),
        }
    }

    /// `text` without what must not be shown, on one line.
    pub(crate) fn without_hidden(&self, text: &str) -> String {
        let text = self.hidden.iter().fold(text.to_owned(), |text, hidden| match hidden.reveal() {
            "" => text,
            hidden => text.replace(hidden, "***"),
        });
        shown::one_line(&shown::without_secrets(&text)).into_owned()
    }
}

/// An error of the client and its causes. Its own text repeats the address, which is left out.
fn causes(error: &reqwest::Error) -> String {
    let mut cause = std::error::Error::source(error);
    let mut told = Vec::new();
    while let Some(error) = cause {
        told.push(error.to_string());
        cause = error.source();
    }
    if told.is_empty() { error.to_string() } else { told.join(": ") }
}

#[cfg(test)]
mod tests;
