//! Why bytes are no event. No text shows a value, because rows are secret; names of columns and
//! fields are shown.

use std::sync::Arc;

use thiserror::Error;

use crate::format::avro::{Id, Unread};

/// Why a record is no event of Debezium.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// The bytes are no text.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// The line exceeds the bound.
    #[error("the line is longer than {most} bytes")]
    TooLong {
        /// The bound.
        most: usize,
    },
    /// The event exceeds the bound in its plain form.
    #[error("the event is longer than {most} bytes in its plain form")]
    TooLarge {
        /// The bound.
        most: usize,
    },
    /// A row has more columns than any table.
    #[error("the {place} has more than {most} columns, which no table of PostgreSQL has")]
    TooWide {
        /// Key, value, or which row.
        place: &'static str,
        /// The bound.
        most: usize,
    },
    /// The text is no JSON.
    #[error("{place} is not JSON, from column {column} on")]
    NotJson {
        /// What was read.
        place: &'static str,
        /// How far it was JSON.
        column: usize,
    },
    /// JSON of another kind was expected.
    #[error("{name:?} is not {expected}")]
    Unlike {
        /// The field or column.
        name: String,
        /// What it should be.
        expected: &'static str,
    },
    /// An object has a name twice, so that nobody knows which value counts.
    #[error("{name:?} is there twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// A string cannot be text: it has half of a surrogate pair.
    #[error("{name:?} holds half of a surrogate pair, which is no text")]
    Surrogate {
        /// The field or column.
        name: String,
    },
    /// A field that every event has is missing.
    #[error("the event has no {name:?}")]
    Missing {
        /// The field.
        name: &'static str,
    },
    /// An operation that Debezium does not have.
    #[error("the event's operation is none of c, u, d, t, r and m")]
    Operation,
    /// A value does not fit the type that the event's schema names.
    #[error("the value of {name:?} is no {expected}")]
    Value {
        /// The column.
        name: String,
        /// The type.
        expected: &'static str,
    },
    /// The schema block is none.
    #[error("the schema block of the {place} is not one of Kafka Connect")]
    Schema {
        /// Key or value.
        place: &'static str,
    },
    /// It is in Avro, and no registry is known.
    #[error(
        "the {place} is in Avro, with schema {id} of a registry: set source.decode.format = \"avro\", and the registry in \
         source.registry"
    )]
    InAvro {
        /// Key or value.
        place: &'static str,
        /// The schema.
        id: Id,
    },
    /// The schema of a part in Avro cannot be had.
    #[error("the {place} is in Avro, with schema {id}, {why}")]
    Unschemed {
        /// Key or value.
        place: &'static str,
        /// The schema.
        id: Id,
        /// What is wrong with it.
        why: Arc<str>,
    },
    /// Its schema's id has another form.
    #[error(
        "the {place} begins as one in Avro does, and its schema would have the id 0: the id has eight bytes, or stands in a \
         header (of Apicurio's converter, set as-confluent = true and headers.enabled = false)"
    )]
    OtherId {
        /// Key or value.
        place: &'static str,
    },
    /// The bytes are no value of their schema.
    #[error("the {place} is no value of its Avro schema {id}: {why}")]
    Avro {
        /// Key or value.
        place: &'static str,
        /// The schema.
        id: Id,
        /// Why.
        why: Unread,
    },
    /// JSON, but nothing that Debezium writes.
    #[error(
        "it is no event of Debezium: neither an envelope with \"op\" and \"source\", nor a row that was unwrapped and \
         still says so by \"__op\", \"__deleted\", its schema's name or a header"
    )]
    NoEvent,
}

impl Reason {
    /// The same, for the column or field `name`, if it names none yet.
    pub(super) fn of(self, name: &str) -> Reason {
        match self {
            Reason::Unlike { name: old, expected } if old.is_empty() => {
                Reason::Unlike { name: name.to_owned(), expected }
            }
            Reason::Surrogate { name: old } if old.is_empty() => Reason::Surrogate { name: name.to_owned() },
            Reason::Value { name: old, expected } if old.is_empty() => {
                Reason::Value { name: name.to_owned(), expected }
            }
            other => other,
        }
    }

    /// A value that is no `expected`; the column's name follows by [`of`](Self::of).
    pub(super) fn value(expected: &'static str) -> Reason {
        Reason::Value { name: String::new(), expected }
    }
}
