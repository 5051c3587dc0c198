//! A record of Kafka, as far as an event needs it.

use std::sync::Arc;

use super::json::{self, Members};
use super::reason::Reason;
use super::schema::Columns;

/// A key or a value of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part<'a> {
    /// Whoever gave the record did not say.
    #[default]
    Unknown,
    /// There is none.
    Null,
    /// Its text.
    Text(&'a str),
    /// A payload as JSON, and what its schema says, which is not in it.
    Typed(&'a str, &'a Arc<Columns>),
}

impl<'a> Part<'a> {
    /// A part as a client of Kafka gives it.
    ///
    /// # Errors
    /// If the bytes are no UTF-8.
    pub fn of(bytes: Option<&'a [u8]>) -> Result<Part<'a>, Reason> {
        let Some(bytes) = bytes else { return Ok(Part::Null) };
        std::str::from_utf8(bytes).map(Part::Text).map_err(|_| Reason::NotUtf8)
    }
}

/// A header, with its value as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: &'a str,
}

/// A record of Kafka.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// The topic.
    pub topic: Option<&'a str>,
    /// The partition.
    pub partition: Option<i64>,
    /// The offset in the partition.
    pub offset: Option<i64>,
    /// The record's timestamp, in milliseconds.
    pub timestamp_ms: Option<i64>,
    /// The key.
    pub key: Part<'a>,
    /// The value.
    pub value: Part<'a>,
    /// The headers, in order.
    pub headers: Vec<Header<'a>>,
}

impl<'a> Record<'a> {
    /// The last header of this name, without a schema block around it.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().rev().find(|header| header.name == name).map(|header| bare(header.value))
    }

    /// Whether Debezium has left a header of its own.
    pub(super) fn has_headers_of_debezium(&self) -> bool {
        self.headers.iter().any(|header| header.name.starts_with("__debezium.") || header.name == "__op")
    }
}

/// The payload of `value`, if it has a schema block.
fn bare(value: &str) -> &str {
    let members = json::value(value, "header").and_then(|value| Members::read(value, "header"));
    let payload = members.ok().filter(|members| members.has_only(&["schema", "payload"]));
    payload.and_then(|members| members.get("payload")).unwrap_or(value)
}
