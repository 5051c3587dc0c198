//! What an account's answer means, and whether it is an answer at all.
//!
//! | answer | meaning |
//! |---|---|
//! | 409 `BlobAlreadyExists`, 412 | the blob exists |
//! | 404 | the blob does not exist; `ContainerNotFound` is a refusal |
//! | 400, 401, 403, any other 3xx and 4xx | refused: definite, nothing was done |
//! | 408, 409 without a code, 429, 5xx, no answer | unknown: transient, read before trying again |
//!
//! The client does not expose the type of its errors, only their text; if a credential is part of a
//! URL, that text may contain it. So status and code are read from the text, and the text goes no
//! further.

use std::error::Error;

use crate::sink::object_store;
use crate::sink::object_store::client::HttpError;

use super::connect::NoToken;
use crate::error::{StoreError, chain};

/// What became of a request that did not succeed.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// What was to be created exists.
    Exists,
    /// What was asked for does not exist.
    Missing,
    /// Definite: it was not done, and will not be.
    Refused(String),
    /// It may have been done, or may still be.
    Unknown(String),
}

impl Answer {
    pub(super) fn of(error: &(dyn Error + 'static)) -> Answer {
        let text = error.to_string();
        match status(&text) {
            Some(status) => Answer::to_status(status, code(&text)),
            None => Answer::without_status(error),
        }
    }

    fn to_status(status: u16, code: Option<&str>) -> Answer {
        let told = format!("{status}{}{}", if code.is_some() { " " } else { "" }, code.unwrap_or_default());
        let refused = |advice: &str| Answer::Refused(format!("the account answered {told}: {advice}"));
        match (status, code) {
            (409, Some("BlobAlreadyExists")) | (412, _) => Answer::Exists,
            (404, Some("ContainerNotFound")) => refused("the container does not exist; create it"),
            (404, _) => Answer::Missing,
            (401 | 403, _) => refused(
                "let the credential read, write, delete and list in the container (for Entra ID: role Storage Blob Data \
                 Contributor; for a signature: permissions rwdl, and an expiry that has not passed), and let the \
                 account's network rules admit this machine",
            ),
            (409, Some("ContainerBeingDeleted")) => {
                refused("the container is being deleted; create it again once it is gone")
            }
            (409, Some("BlobImmutableDueToPolicy")) => {
                refused("a policy of the container forbids changes; a lake needs them")
            }
            (408 | 429 | 500.., _) | (409, None) => Answer::Unknown(format!("the account answered {told}")),
            _ => refused("it does not take the request"),
        }
    }

    fn without_status(error: &(dyn Error + 'static)) -> Answer {
        if let Some(none) = causes(error).find_map(|e| e.downcast_ref::<NoToken>()) {
            return Answer::Unknown(chain(none));
        }
        if let Some(broken) = causes(error).find_map(|e| e.downcast_ref::<HttpError>()) {
            return Answer::Unknown(chain(broken));
        }
        match error.downcast_ref::<object_store::Error>() {
            Some(object_store::Error::NotFound { .. }) => Answer::Missing,
            Some(
                object_store::Error::InvalidPath { .. }
                | object_store::Error::NotSupported { .. }
                | object_store::Error::NotImplemented { .. }
                | object_store::Error::UnknownConfigurationKey { .. },
            ) => Answer::Refused("the client cannot do this".to_owned()),
            _ => Answer::Unknown("the account's answer could not be read".to_owned()),
        }
    }

    /// The answer as the error of `attempt`.
    pub(super) fn failure(self, attempt: String) -> StoreError {
        match self {
            Answer::Exists => StoreError::definite(attempt, "there is something of that name already"),
            Answer::Missing => StoreError::definite(attempt, "it is not there"),
            Answer::Refused(cause) => StoreError::definite(attempt, cause),
            Answer::Unknown(cause) => StoreError::transient(attempt, cause),
        }
    }
}

/// The failure of `attempt` if `error`, which a library passed on, is the account's answer or its
/// silence; none if it is about something else, such as the content of a file.
pub(in crate::sink) fn account_failure(attempt: &str, error: &(dyn Error + 'static)) -> Option<StoreError> {
    let is_account = status(&error.to_string()).is_some()
        || causes(error).any(|e| e.is::<HttpError>() || e.is::<NoToken>() || e.is::<object_store::Error>());
    is_account.then(|| Answer::of(error).failure(attempt.to_owned()))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| (*cause).source())
}

/// The status in the client's text.
fn status(text: &str) -> Option<u16> {
    let (_, after) = text.split_once("status code: ")?;
    after.get(..3)?.parse().ok()
}

/// The error code in the XML that the account sent.
fn code(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("<Code>")?;
    let (code, _) = after.split_once("</Code>")?;
    code.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(code)
}

#[cfg(test)]
mod tests {
    use crate::sink::object_store::client::HttpErrorKind;

    use super::*;

    fn answer(text: &str) -> Answer {
        Answer::of(&object_store::Error::Generic { store: "MicrosoftAzure", source: text.to_owned().into() })
    }

    fn told(status: &str, code: &str) -> Answer {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>sig=secret</Message></Error>");
        answer(&format!(
            "Error performing PUT https://a/b?sig=secret in 1s - Server returned non-2xx status code: {status}: {body}"
        ))
    }

    #[test]
    fn answers_are_told_from_silence() {
        assert_eq!(told("409 Conflict", "BlobAlreadyExists"), Answer::Exists);
        assert_eq!(told("412 Precondition Failed", "ConditionNotMet"), Answer::Exists);
        assert_eq!(told("404 Not Found", "BlobNotFound"), Answer::Missing);
        assert_eq!(answer("Server returned non-2xx status code: 404 Not Found: "), Answer::Missing);
        let refusals = [
            ("400 Bad Request", "InvalidHeaderValue"),
            ("401 Unauthorized", "NoAuthenticationInformation"),
            ("403 Forbidden", "AuthorizationPermissionMismatch"),
            ("404 Not Found", "ContainerNotFound"),
            ("409 Conflict", "ContainerBeingDeleted"),
            ("409 Conflict", "InvalidBlobType"),
            ("307 Temporary Redirect", "None"),
        ];
        for (status, code) in refusals {
            let Answer::Refused(text) = told(status, code) else { panic!("{status} {code} is a refusal") };
            assert!(text.contains(code) && !text.contains("secret"), "{text}");
        }
        for status in ["408 Request Timeout", "429 Too Many Requests", "500 Internal Server Error", "503 Busy"] {
            let Answer::Unknown(text) = told(status, "ServerBusy") else { panic!("{status} says nothing") };
            assert!(text.contains("ServerBusy") && !text.contains("secret"), "{text}");
        }
        assert!(matches!(answer("status code: 409 Conflict: "), Answer::Unknown(_)), "of what, it does not say");
        assert!(matches!(answer("who knows"), Answer::Unknown(_)));
    }

    #[test]
    fn silence_leaves_everything_open() {
        for kind in [HttpErrorKind::Timeout, HttpErrorKind::Interrupted, HttpErrorKind::Request, HttpErrorKind::Connect]
        {
            let broken = HttpError::new(kind, std::io::Error::other("nothing came"));
            let error = object_store::Error::Generic { store: "MicrosoftAzure", source: Box::new(broken) };
            assert!(matches!(Answer::of(&error), Answer::Unknown(text) if text.contains("nothing came")));
            assert!(account_failure("read", &error).is_some_and(|failure| failure.is_transient()));
        }
        assert!(account_failure("read", &std::io::Error::other("a file is torn")).is_none());
    }
}
