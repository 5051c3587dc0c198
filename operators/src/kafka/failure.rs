//! What an error of Kafka means, and what to do about it.
//!
//! Promises: each outcome that a person must tell apart is one ([`Outcome`]); a text has the
//! broker's or the library's own words, and no secret.

use std::fmt;

use rdkafka::error::RDKafkaErrorCode;

use crate::error::StoreError;
use crate::shown::{one_line, without_secrets};

/// What is wrong, as far as a person must tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// No broker can be reached.
    OutOfReach,
    /// The brokers do not take us for who we say we are.
    NotAuthenticated,
    /// The connection cannot be encrypted as it is wanted: a certificate is not trusted, or one
    /// side expects plain text.
    NotTrusted,
    /// There is no such topic, or not any more.
    UnknownTopic,
    /// We may not do this to the topic or the group.
    NotAuthorized,
    /// Records are gone that were not read: retention has passed, or somebody has deleted them.
    RetentionPassed,
    /// The topic was deleted and created anew.
    Recreated,
    /// The partition ends before what was read of it: a broker has lost records.
    Truncated,
    /// A record is damaged, or in a form that is not known.
    Damaged,
    /// Anything else.
    Other,
}

/// What a broker or librdkafka has said, with what to do about it.
#[derive(Debug)]
pub struct Answer {
    /// What is wrong.
    pub outcome: Outcome,
    text: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Answer {}

impl Answer {
    /// The answer behind `error`, if Kafka has given one.
    pub fn behind(error: &StoreError) -> Option<&Answer> {
        let (StoreError::Transient { source, .. } | StoreError::Definite { source, .. }) = error;
        source.downcast_ref()
    }
}

impl Outcome {
    /// What an error's code means.
    pub(crate) fn of(code: RDKafkaErrorCode) -> Outcome {
        use RDKafkaErrorCode as Code;
        match code {
            Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => {
                Outcome::NotAuthenticated
            }
            Code::SSL => Outcome::NotTrusted,
            Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownTopicId | Code::UnknownPartition => {
                Outcome::UnknownTopic
            }
            Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed | Code::ClusterAuthorizationFailed => {
                Outcome::NotAuthorized
            }
            Code::OffsetOutOfRange | Code::AutoOffsetReset => Outcome::RetentionPassed,
            Code::LogTruncation => Outcome::Truncated,
            // librdkafka goes on behind a record in a form that it does not know, too.
            Code::BadMessage | Code::BadCompression | Code::InvalidMessage | Code::NotImplemented => Outcome::Damaged,
            Code::Resolve
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue => Outcome::OutOfReach,
            _ => Outcome::Other,
        }
    }

    /// Whether trying again may help, without anybody doing anything.
    pub(crate) fn may_pass(self) -> bool {
        matches!(self, Outcome::OutOfReach | Outcome::Other)
    }

    /// What to do.
    fn advice(self) -> &'static str {
        match self {
            Outcome::OutOfReach => {
                "see whether the brokers run, whether their host and port are right, and whether this machine reaches \
                 each address that they advertise; where they expect TLS, plain text ends like this too"
            }
            Outcome::NotAuthenticated => {
                "see whether user and password, or the token's identity, are right, and whether the brokers offer this \
                 mechanism on this port"
            }
            Outcome::NotTrusted => {
                "see whether ca_file has the authority that signed the brokers' certificates, whether these are for the \
                 host's name, whether the brokers want a certificate of ours, and whether this port speaks TLS"
            }
            Outcome::UnknownTopic => "see whether its name is right, and whether it was deleted",
            Outcome::NotAuthorized => {
                "let the user read and describe the topic, and describe the cluster's topics; for its group, read the group"
            }
            Outcome::RetentionPassed | Outcome::Recreated => {
                "nothing brings these records back: begin anew with what is there, or go on behind what is lost (once: run --accept-loss; \
                 always: source.on_loss = \"accept\")"
            }
            // Whoever went on would take the new ones for those that were read.
            Outcome::Truncated => {
                "nothing brings these records back, and others have their offsets, or will have them: begin anew with \
                 what is there"
            }
            Outcome::Damaged => "see whether the broker's disk is sound, and what has written the record",
            Outcome::Other => "see the broker's log",
        }
    }
}

/// The failure of `attempt`: an error's `code`, and what was said with it.
pub(crate) fn failed(attempt: impl Into<String>, code: RDKafkaErrorCode, words: &str) -> StoreError {
    told(attempt, Outcome::of(code), &format!("{code:?}"), words)
}

/// The same, for what no code says.
pub(crate) fn told(attempt: impl Into<String>, outcome: Outcome, code: &str, words: &str) -> StoreError {
    let words = without_secrets(words);
    let words = one_line(words.trim());
    let said = match words.is_empty() {
        true => code.to_owned(),
        false => format!("{words} ({code})"),
    };
    let answer = Answer { outcome, text: format!("{said}; {}", outcome.advice()) };
    match outcome.may_pass() {
        true => StoreError::transient(attempt, answer),
        false => StoreError::definite(attempt, answer),
    }
}

/// What is lost of a partition, for the person who decides what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The partition now begins behind what was to be read.
    Passed {
        /// The offset that was to be read next.
        wanted: u64,
        /// The first that is there.
        earliest: u64,
    },
    /// The partition ends before what was read of it.
    Truncated {
        /// The offset that was to be read next.
        wanted: u64,
        /// The offset after the last record.
        end: u64,
    },
    /// The topic is another one of the same name.
    Recreated {
        /// The offset that was to be read next.
        wanted: u64,
        /// The id of the topic that was read.
        was: String,
        /// The id of the topic that is there.
        is: String,
    },
    /// The topic is gone.
    Gone {
        /// The offset that was to be read next.
        wanted: u64,
    },
}

impl Loss {
    /// What is wrong.
    pub fn outcome(&self) -> Outcome {
        match self {
            Loss::Passed { .. } => Outcome::RetentionPassed,
            Loss::Truncated { .. } => Outcome::Truncated,
            Loss::Recreated { .. } => Outcome::Recreated,
            Loss::Gone { .. } => Outcome::UnknownTopic,
        }
    }

    /// The failure to read this partition of `topic`.
    pub fn failure(&self, topic: &str, partition: i32) -> StoreError {
        let attempt = format!("read partition {partition} of topic {topic:?}");
        let text = match self {
            Loss::Passed { wanted, earliest } => format!(
                "its records from offset {wanted} on were to be read, and the earliest that is left is {earliest}: {} \
                 offsets are lost, because retention has passed or somebody has deleted records",
                earliest.saturating_sub(*wanted)
            ),
            Loss::Truncated { wanted, end } => format!(
                "its records up to offset {wanted} were read, and it ends at {end}: a broker has lost records, and new \
                 ones take their offsets"
            ),
            Loss::Recreated { wanted, was, is } => format!(
                "the topic was deleted and created anew: its id is {is}, and was {was} when its records up to offset \
                 {wanted} were read"
            ),
            Loss::Gone { wanted } => {
                format!("the topic is gone, and its records from offset {wanted} on were not read")
            }
        };
        let outcome = self.outcome();
        StoreError::definite(attempt, Answer { outcome, text: format!("{text}; {}", outcome.advice()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;

    #[test]
    fn codes_are_outcomes_and_only_what_may_pass_is_tried_again() {
        use RDKafkaErrorCode as Code;
        for (code, outcome, passes) in [
            (Code::AllBrokersDown, Outcome::OutOfReach, true),
            (Code::Authentication, Outcome::NotAuthenticated, false),
            (Code::SSL, Outcome::NotTrusted, false),
            (Code::UnknownTopicOrPartition, Outcome::UnknownTopic, false),
            (Code::TopicAuthorizationFailed, Outcome::NotAuthorized, false),
            (Code::AutoOffsetReset, Outcome::RetentionPassed, false),
            (Code::BadMessage, Outcome::Damaged, false),
            (Code::NotImplemented, Outcome::Damaged, false),
            (Code::LeaderNotAvailable, Outcome::Other, true),
        ] {
            let error = failed("list topics", code, "what it said");
            let answer = Answer::behind(&error).expect("an answer");
            assert_eq!((answer.outcome, error.is_transient()), (outcome, passes), "{code:?}");
            assert!(chain(&error).starts_with("could not list topics: what it said ("), "{}", chain(&error));
        }
    }

    #[test]
    fn only_what_can_be_skipped_is_advised_to_be() {
        let goes_on = "go on behind what is lost";
        let text = |loss: Loss| chain(&loss.failure("t", 0));
        assert!(text(Loss::Passed { wanted: 1, earliest: 2 }).contains(goes_on));
        let truncated = text(Loss::Truncated { wanted: 10, end: 8 });
        assert!(!truncated.contains(goes_on) && truncated.contains("begin anew"), "{truncated}");
    }

    #[test]
    fn a_loss_names_what_is_lost() {
        let passed = Loss::Passed { wanted: 10, earliest: 250 }.failure("cdc.public.orders", 3);
        let text = chain(&passed);
        for part in ["partition 3 of topic \"cdc.public.orders\"", "offset 10 ", "is 250", "240 offsets are lost"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!passed.is_transient());
    }
}
