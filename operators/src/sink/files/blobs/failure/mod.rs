//! What a store's answer means, and whether it is an answer at all.
//!
//! | answer | meaning |
//! |---|---|
//! | Azure's 409 `BlobAlreadyExists`, 412; S3's 304 | the file exists |
//! | 404 | the file does not exist; that there is no container or bucket is a refusal |
//! | 400, 401, 403, any other 3xx and 4xx, S3's 501 | refused: definite, nothing was done |
//! | 408, 409 without a code or of S3, 429, 5xx, silence | unknown: read before trying again |
//!
//! `azure.rs` and `s3.rs` have the rest: what each service's codes say, and what to do about them.
//!
//! The client does not expose the type of its errors, only their text; if a credential is part of a
//! URL, that text may contain it. So status and code are read from the text, and the text goes no
//! further.

mod azure;
mod s3;

use std::error::Error;

use object_store::client::HttpError;

use super::connect::{IsPage, NoKey, NoToken};
use crate::error::{StoreError, chain};

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// A storage account.
    Azure,
    /// S3, or a store that speaks its protocol.
    S3,
}

/// What became of a request that did not succeed.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// What was to be created exists.
    Exists,
    /// What was asked for does not exist.
    Missing,
    /// Definite: it was not done, and will not be.
    Refused(String),
    /// The service does not know this kind of request, or its condition.
    Unsupported(String),
    /// It may have been done, or may still be.
    Unknown(String),
}

impl Service {
    /// What `error` of a request means.
    pub(super) fn answer(self, error: &(dyn Error + 'static)) -> Answer {
        let text = text(error);
        let answer = match self {
            Service::Azure => status(&text).map(|status| azure::answer(status, code(&text))),
            Service::S3 => s3::answer(status(&text), &text),
        };
        answer.unwrap_or_else(|| self.without_status(error))
    }

    fn without_status(self, error: &(dyn Error + 'static)) -> Answer {
        if let Some(none) = causes(error).find_map(|e| e.downcast_ref::<NoToken>()) {
            return Answer::Unknown(chain(none));
        }
        if let Some(none) = causes(error).find_map(|e| e.downcast_ref::<NoKey>()) {
            return match none.for_good {
                true => Answer::Refused(format!("{none}; {}", s3::KEYS)),
                false => Answer::Unknown(chain(none)),
            };
        }
        if let Some(page) = causes(error).find_map(|e| e.downcast_ref::<IsPage>()) {
            return Answer::Unknown(page.to_string());
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
            _ => Answer::Unknown(self.unreadable().to_owned()),
        }
    }

    fn unreadable(self) -> &'static str {
        match self {
            Service::Azure => "the account's answer could not be read",
            Service::S3 => s3::UNREADABLE,
        }
    }

    /// The failure of `attempt` if `error`, which a library passed on, is the service's answer or
    /// its silence; none if it is about something else, such as the content of a file.
    pub(super) fn failure(self, attempt: &str, error: &(dyn Error + 'static)) -> Option<StoreError> {
        let is_of = |e: &(dyn Error + 'static)| {
            e.is::<HttpError>() || e.is::<NoToken>() || e.is::<NoKey>() || e.is::<object_store::Error>()
        };
        let is_its = status(&text(error)).is_some() || causes(error).any(is_of);
        is_its.then(|| self.answer(error).failure(attempt.to_owned()))
    }
}

impl Answer {
    /// The answer as the error of `attempt`.
    pub(super) fn failure(self, attempt: String) -> StoreError {
        match self {
            Answer::Exists => StoreError::definite(attempt, "there is something of that name already"),
            Answer::Missing => StoreError::definite(attempt, "it is not there"),
            Answer::Refused(cause) | Answer::Unsupported(cause) => StoreError::definite(attempt, cause),
            Answer::Unknown(cause) => StoreError::transient(attempt, cause),
        }
    }
}

/// An error and its causes.
pub(super) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| (*cause).source())
}

/// The innermost text that has an answer: the ones around it may quote a path, and a path may look
/// like an answer.
fn text(error: &(dyn Error + 'static)) -> String {
    let texts = causes(error).map(ToString::to_string).filter(|text| status(text).is_some());
    texts.last().unwrap_or_else(|| error.to_string())
}

/// The status in the client's text.
pub(super) fn status(text: &str) -> Option<u16> {
    let (_, after) = text.split_once("status code: ")?;
    after.get(..3)?.parse().ok()
}

/// The error code in the XML that the service sent.
fn code(text: &str) -> Option<&str> {
    element(text, "Code").filter(|code| code.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The content of the first element of this name.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, after) = text.split_once(&format!("<{name}>"))?;
    Some(after.split_once(&format!("</{name}>"))?.0)
}

#[cfg(test)]
mod tests;
