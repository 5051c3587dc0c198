//! What a failed request means: whether to send it again, and what to say if not.

use std::error::Error as _;
use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::StatusCode;
use azure_core::http::headers::{HeaderName, Headers};

/// Why a request brought no answer that counts.
#[derive(Debug)]
pub(super) enum Failure {
    /// The service, or the way to it, may do better soon: busy, broken, cut off, slow, changed while it was read.
    Passing {
        /// In words.
        cause: String,
        /// What the service asks for.
        retry_after: Option<Duration>,
    },
    /// There is no such blob, or no such container.
    Missing(String),
    /// The blob has no such bytes.
    BeyondTheEnd,
    /// Nothing has changed, as the request supposed.
    NotModified,
    /// The service refuses, and will refuse again.
    Refused(String),
}

impl Failure {
    /// What `error` means. Nothing of the request's URL is kept: its query may be a signature.
    pub(super) fn of(error: &azure_core::Error) -> Failure {
        let cause = words(error);
        match error.kind() {
            ErrorKind::HttpResponse { status, raw_response, .. } => {
                let headers = raw_response.as_ref().map(|response| response.headers());
                let retry_after = headers.and_then(retry_after);
                match *status {
                    StatusCode::NotModified => Failure::NotModified,
                    StatusCode::NotFound => Failure::Missing(cause),
                    StatusCode::RequestedRangeNotSatisfiable => Failure::BeyondTheEnd,
                    // An append came between the request and its answer.
                    StatusCode::Conflict | StatusCode::PreconditionFailed => Failure::Passing { cause, retry_after },
                    StatusCode::RequestTimeout | StatusCode::TooManyRequests => Failure::Passing { cause, retry_after },
                    status if status.is_server_error() => Failure::Passing { cause, retry_after },
                    _ => Failure::Refused(cause),
                }
            }
            ErrorKind::Credential => Failure::Refused(cause),
            // Cut off, or garbled on its way.
            _ => Failure::passing(cause),
        }
    }

    /// A request that got no answer in time.
    pub(super) fn silence(timeout: Duration) -> Failure {
        Failure::passing(format!("no byte came for {} s", timeout.as_secs_f32()))
    }

    pub(super) fn passing(cause: impl Into<String>) -> Failure {
        Failure::Passing { cause: cause.into(), retry_after: None }
    }
}

/// The service's `Retry-After`, in seconds; other forms of it are not in use there.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let seconds = headers.get_optional_str(&HeaderName::from_static("retry-after"))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// The error and its causes on one line, each once, without the queries of URLs.
fn words(error: &azure_core::Error) -> String {
    let mut words = match error.kind() {
        ErrorKind::HttpResponse { status, error_code, .. } => {
            let code = error_code.clone().unwrap_or_else(|| status.canonical_reason().into_owned());
            return format!("the service says {} {code}", u16::from(*status));
        }
        _ => error.to_string(),
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.ends_with(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    without_queries(&words)
}

/// `text` with everything from a question mark to the next space or closing bracket taken out.
fn without_queries(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('?') {
        shown.push_str(&rest[..start]);
        let query = &rest[start..];
        let end = query.find(|c: char| c.is_whitespace() || c == ')' || c == '"' || c == '\'').unwrap_or(query.len());
        rest = &query[end..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_not_shown() {
        let text = "error sending request for url (http://a/b?sv=1&sig=hunter2): connection reset";
        assert_eq!(without_queries(text), "error sending request for url (http://a/b): connection reset");
    }
}
