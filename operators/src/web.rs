//! Requests over HTTP to a service of the user's that answers in JSON: one request, one answer.
//!
//! Promises: an answer is bounded, and nothing but the service's own address is asked: no proxy, no
//! redirect. What must not be shown is in no error, also where the service repeats it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
pub use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

use crate::secret::Secret;
use crate::shown;

/// Maximum bytes of an answer: the longest lists every setting of a connector of Kafka Connect with
/// its documentation.
const LONGEST: usize = 8 << 20;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// A user with a password.
    Basic(String, Secret),
    /// Whoever holds this token.
    Bearer(Secret),
}

/// A service, as a section of the pipeline file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The section, for messages.
    pub section: &'static str,
    /// What it is, likewise.
    pub what: &'static str,
    /// Where it answers, without a slash at the end.
    pub url: String,
    /// Who asks it, if it asks who that is.
    pub login: Option<Login>,
    /// The authorities that may have signed its certificate, beside those of this machine.
    pub ca_file: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// A client of a service.
pub struct Web {
    client: Client,
    service: Service,
    hidden: Vec<Secret>,
}

/// What a service has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status of HTTP.
    pub status: StatusCode,
    /// The body; `None` if there is one that is no JSON.
    pub json: Option<Value>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer {
    /// Why, and what to do.
    pub why: String,
    /// Whether another attempt may have one.
    pub may_pass: bool,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for NoAnswer {}

impl Web {
    /// A client. Nothing is asked yet. What is in `hidden` is left out of all messages.
    ///
    /// # Errors
    /// If its certificates cannot be read.
    pub fn new(service: Service, hidden: &[Secret]) -> Result<Web, NoAnswer> {
        let fails = |why: String| NoAnswer { why, may_pass: false };
        let mut builder = Client::builder().no_proxy().redirect(Policy::none()).timeout(service.timeout);
        if let Some(file) = &service.ca_file {
            let of_file = |why: String| fails(format!("{}.ca_file {}: {why}", service.section, file.display()));
            builder = builder.tls_certs_merge(certificates(file).map_err(of_file)?);
        }
        let client = builder.build().map_err(|error| fails(causes(&error)))?;
        let mut hidden = hidden.to_vec();
        hidden.extend(service.login.as_ref().map(|login| match login {
            Login::Basic(_, secret) | Login::Bearer(secret) => secret.clone(),
        }));
        Ok(Web { client, service, hidden })
    }

    /// The service.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Asks the service at `path`, which begins with a slash, with a body if there is one.
    ///
    /// # Errors
    /// If nobody answers, or not in HTTP.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, NoAnswer> {
        let url = format!("{}{path}", self.service.url);
        let fails =
            |(why, may_pass): (String, bool)| NoAnswer { why: self.without_hidden(&format!("{url} {why}")), may_pass };
        let mut request = self.client.request(method, &url);
        request = match &self.service.login {
            None => request,
            Some(Login::Basic(user, password)) => request.basic_auth(user, Some(password.reveal())),
            Some(Login::Bearer(token)) => request.bearer_auth(token.reveal()),
        };
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let mut response = request.send().await.map_err(|error| fails(self.unreachable(&error)))?;
        let status = response.status();
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| fails(self.unreachable(&error)))? {
            if text.len() + chunk.len() > LONGEST {
                return Err(fails((format!("gave an answer of more than {LONGEST} bytes"), false)));
            }
            text.extend_from_slice(&chunk);
        }
        let json = if text.is_empty() { Some(Value::Null) } else { serde_json::from_slice(&text).ok() };
        Ok(Answer { status, json })
    }

    /// Why a service did not answer, what is usually done about it, and whether it may pass.
    fn unreachable(&self, error: &reqwest::Error) -> (String, bool) {
        let (told, Service { section, what, timeout, .. }) = (causes(error), &self.service);
        match () {
            () if error.is_timeout() => {
                let seconds = timeout.as_secs();
                let why = format!(
                    "did not answer within {seconds} s: is the {what} up? A longer time is given as {section}.timeout"
                );
                (why, true)
            }
            () if error.is_connect() && told.to_lowercase().contains("certificate") => {
                let why = format!(
                    "is not trusted: {told}; {section}.ca_file names the authority that has signed its certificate"
                );
                (why, false)
            }
            () if error.is_connect() => {
                let why = format!("does not answer: {told}; is the {what} up, and {section}.url its address?");
                (why, true)
            }
            () => (format!("failed: {told}"), true),
        }
    }

    /// `text` without what must not be shown, on one line.
    pub fn without_hidden(&self, text: &str) -> String {
        let text = self.hidden.iter().fold(text.to_owned(), |text, hidden| match hidden.reveal() {
            "" => text,
            hidden => text.replace(hidden, "***"),
        });
        shown::one_line(&shown::without_secrets(&text)).into_owned()
    }
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, String> {
    let pem = fs::read(file).map_err(|error| error.to_string())?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| error.to_string())?;
    match certificates.is_empty() {
        true => Err("there is no certificate in the PEM file".to_owned()),
        false => Ok(certificates),
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
