//! What a failed request means: whether to send it again, and what to say if not.

use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::StatusCode;
use azure_core::http::headers::{HeaderName, Headers};

use crate::azure;

/// Conflicts that do not pass by themselves.
const LASTING: [&str; 4] = ["BlobArchived", "BlobBeingRehydrated", "ContainerBeingDeleted", "ContainerDisabled"];

/// Why a request brought no usable answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The service, or the way to it, may recover soon: busy, broken, cut off, slow, or the blob
    /// changed while it was read.
    Passing {
        /// A description for messages.
        cause: String,
        /// The pause that the service asks for.
        retry_after: Option<Duration>,
    },
    /// There is no such blob.
    Missing(String),
    /// The blob does not have the requested bytes.
    BeyondTheEnd,
    /// Nothing has changed since the request's ETag.
    NotModified,
    /// The service refuses, and will refuse again.
    Refused(String),
    /// There was no token. Before the first success this is a refusal; after it, it may pass.
    NoToken(String),
}

impl Failure {
    /// What `error` means.
    pub(super) fn of(error: &azure_core::Error) -> Failure {
        let cause = match (error.kind(), azure::code(error)) {
            // The service's own text has several lines and adds nothing.
            (ErrorKind::HttpResponse { status, .. }, Some(code)) => {
                let advice = azure::advice(code).map(|advice| format!(": {advice}")).unwrap_or_default();
                format!("the service says {} {code}{advice}", u16::from(*status))
            }
            _ => azure::told(error),
        };
        match error.kind() {
            ErrorKind::HttpResponse { status, raw_response, .. } => {
                let headers = raw_response.as_ref().map(|response| response.headers());
                let retry_after = headers.and_then(retry_after);
                match *status {
                    StatusCode::NotModified => Failure::NotModified,
                    // Nothing shows that its blobs were read to their end, so they do not count as
                    // missing.
                    StatusCode::NotFound if azure::code(error) == Some("ContainerNotFound") => Failure::Refused(cause),
                    StatusCode::NotFound => Failure::Missing(cause),
                    StatusCode::RequestedRangeNotSatisfiable => Failure::BeyondTheEnd,
                    StatusCode::Conflict if azure::code(error).is_some_and(|code| LASTING.contains(&code)) => {
                        Failure::Refused(cause)
                    }
                    // An append came between the request and its answer.
                    StatusCode::Conflict | StatusCode::PreconditionFailed => Failure::Passing { cause, retry_after },
                    StatusCode::RequestTimeout | StatusCode::TooManyRequests => Failure::Passing { cause, retry_after },
                    status if status.is_server_error() => Failure::Passing { cause, retry_after },
                    _ => Failure::Refused(cause),
                }
            }
            ErrorKind::Credential => Failure::NoToken(cause),
            // The answer was cut off, or garbled on its way.
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

/// The service's `Retry-After`, in seconds; the service does not use other forms of it.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let seconds = headers.get_optional_str(&HeaderName::from_static("retry-after"))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
