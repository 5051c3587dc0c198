//! Why a run stops, and the errors of stores and sources.
//!
//! Every error says what was attempted. A bad record is not an error: it is a
//! [`Reject`](crate::format::logs::record::Reject).

use thiserror::Error;

use crate::shown;

/// A request to a store or source failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The outcome is unknown, or the next attempt may succeed. A write may have happened: read
    /// before trying again.
    #[error("could not {attempt}")]
    Transient {
        /// What was attempted.
        attempt: String,
        /// The underlying error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Trying again will not help: a full disk, a missing permission, a broken file.
    #[error("could not {attempt}")]
    Definite {
        /// What was attempted.
        attempt: String,
        /// The underlying error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// A definite failure of `attempt`.
    pub fn definite(
        attempt: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::Definite { attempt: attempt.into(), source: source.into() }
    }

    /// A failure of `attempt` whose outcome is not known.
    pub fn transient(
        attempt: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::Transient { attempt: attempt.into(), source: source.into() }
    }

    /// The same failure, made definite.
    pub fn for_good(self) -> StoreError {
        match self {
            StoreError::Transient { attempt, source } | StoreError::Definite { attempt, source } => {
                StoreError::Definite { attempt, source }
            }
        }
    }

    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Transient { .. })
    }
}

/// Why a run ends before its work is done. Nothing that was committed is touched, and nothing
/// uncommitted is acknowledged.
#[derive(Debug, Error)]
pub enum Stop {
    /// Another run of the pipeline has claimed the tables: this one may not write any more.
    #[error("fenced: {group} was claimed by another run of this pipeline (seen {seen})")]
    Fenced {
        /// The group in which the other run was seen, as messages call it.
        group: String,
        /// Where it was seen.
        seen: String,
    },
    /// The store or the source failed for good.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A person must decide; the text says what is wrong and what to do.
    #[error("{0}")]
    Refused(String),
    /// More lines are rejected than the pipeline allows.
    #[error(
        "{rejected} of the last {of} lines were rejected, above limits.reject_ratio = {ratio}: {}; all lines read are \
         committed, these as rejects; fix the cause or raise the ratio, then start again",
        .reasons.join("; ")
    )]
    RejectRatio {
        /// Rejected lines in the window.
        rejected: u64,
        /// The window, in lines.
        of: u64,
        /// The highest ratio allowed.
        ratio: f64,
        /// The reasons as people read them, most frequent first.
        reasons: Vec<String>,
    },
    /// What was begun when the run was told to stop took too long, and was left undone; the text
    /// says what that means.
    #[error("{0}")]
    Abandoned(String),
    /// The run has met what it does not know yet, as the text says, and noted it for the next one,
    /// which is to begin at once.
    #[error("{0}")]
    Anew(String),
    /// The protocol met an impossible state: a bug, reported before it can do harm.
    #[error("this is a bug in lakefront, and nothing was committed by it: {0}")]
    Bug(String),
}

impl Stop {
    /// Whether another run has taken over.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Stop::Fenced { .. })
    }
}

/// An error and its causes on one line, separated by colons. Secrets are removed, because libraries
/// put URLs into their errors.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    shown::one_line(&shown::without_secrets(&text)).into_owned()
}
