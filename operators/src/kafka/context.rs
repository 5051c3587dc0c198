//! What librdkafka tells by itself: log lines, errors that belong to no request, and that it needs
//! a token.

use std::error::Error;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, Statistics};

use super::tokens::Tokens;
use crate::run::clock::Stopwatch;
use crate::shown::{one_line, without_secrets};

/// Listens to one client.
#[derive(Default)]
pub(crate) struct Context {
    tokens: Option<Tokens>,
    /// The newest error of each code that keeps the client from its brokers.
    errors: Mutex<Vec<Met>>,
    /// Whether a record came over a queue that nobody reads.
    pub(crate) has_strays: AtomicBool,
    /// Whether the client is being closed. Who closes it also serves what it asks for last, on
    /// whatever thread that is, and so may not wait for a token.
    pub(super) is_closed: AtomicBool,
}

/// An error that was met, in librdkafka's words.
struct Met {
    code: RDKafkaErrorCode,
    words: String,
    ago: Stopwatch,
}

impl Context {
    pub(super) fn new(tokens: Option<Tokens>) -> Context {
        Context { tokens, ..Context::default() }
    }

    /// What is in the way to the brokers: the most telling error since the last [`Self::forget`].
    pub(crate) fn in_the_way(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.met_within(Duration::MAX)
    }

    /// The same of the errors that were met within such a time. What stays in the way is met again
    /// every half minute.
    pub(crate) fn met_within(&self, time: Duration) -> Option<(RDKafkaErrorCode, String)> {
        let errors = self.errors.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let worst = errors.iter().filter(|met| met.ago.elapsed() <= time).min_by_key(|met| rank(met.code))?;
        Some((worst.code, worst.words.clone()))
    }

    /// A broker has answered: what was in the way is not any more.
    pub(crate) fn forget(&self) {
        self.errors.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
    }
}

/// How much an error tells, from the most telling on: who was refused knows why, and who reached
/// nobody does not.
fn rank(code: RDKafkaErrorCode) -> u8 {
    match code {
        RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => 0,
        RDKafkaErrorCode::SSL => 1,
        RDKafkaErrorCode::Resolve => 2,
        RDKafkaErrorCode::BrokerTransportFailure => 3,
        _ => 4,
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
        let message = without_secrets(message);
        let message = one_line(&message);
        match level {
            // What it counts as an error, it mends by itself; what it cannot mend, a request says.
            Emerg | Alert | Critical | Error | Warning => tracing::debug!(facility, "librdkafka: {message}"),
            Notice | Info | Debug => tracing::trace!(facility, "librdkafka: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        let reason = without_secrets(reason);
        let reason = one_line(&reason);
        tracing::debug!(code = ?code, "librdkafka: {reason}");
        // The group is asked for nothing that a read needs.
        if code == RDKafkaErrorCode::GroupAuthorizationFailed {
            return;
        }
        let mut errors = self.errors.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        errors.retain(|met| met.code != code);
        errors.push(Met { code, words: reason.into_owned(), ago: Stopwatch::start() });
    }

    fn stats(&self, _: Statistics) {}

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        match &self.tokens {
            Some(tokens) if !self.is_closed.load(Relaxed) => tokens.token(),
            Some(_) => Err("the client is being closed".into()),
            None => Err("no token was set up".into()),
        }
    }
}

impl ConsumerContext for Context {}

/// A record that came over a queue that nobody reads is lost: the read that waits for it must fail.
pub(super) fn stray(context: &Context) {
    context.has_strays.store(true, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_error_is_in_the_way() {
        let context = Context::default();
        assert_eq!(context.in_the_way(), None);
        context.error(KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        context.error(KafkaError::Global(RDKafkaErrorCode::Authentication), "first");
        context.error(KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure), "refused");
        context.error(KafkaError::Global(RDKafkaErrorCode::Authentication), "second\nline");
        assert_eq!(context.in_the_way(), Some((RDKafkaErrorCode::Authentication, r"second\nline".to_owned())));
        assert_eq!(context.met_within(Duration::ZERO), None, "that was earlier");
        context.forget();
        assert_eq!(context.in_the_way(), None);
    }
}
