//! A record on a line, in one of three forms: an object with `topic`, `key` and `value`; what
//! `kcat -J` writes, whose key and payload are texts that hold JSON; or a value alone.

use std::borrow::Cow;

use super::json::{self, Members};
use super::reason::Reason;
use super::record::{Header, Part, Record};

/// The fields of a record's object, in either form.
const FIELDS: [&str; 12] = [
    "topic",
    "partition",
    "offset",
    "tstype",
    "ts",
    "timestamp",
    "broker",
    "key",
    "key_schema_id",
    "value",
    "payload",
    "headers",
];

/// A record's texts. Those that a line holds within texts are its own, the others are the line's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line<'a> {
    topic: Option<Cow<'a, str>>,
    partition: Option<i64>,
    offset: Option<i64>,
    timestamp_ms: Option<i64>,
    key: Option<Option<Cow<'a, str>>>,
    value: Option<Cow<'a, str>>,
    headers: Vec<Named<'a>>,
}

impl<'a> Line<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// If it is no JSON, or a record's object with fields of other types.
    pub fn read(bytes: &'a [u8]) -> Result<Line<'a>, Reason> {
        let text = std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?;
        let raw = json::value(text, "the line")?;
        if !raw.starts_with('{') {
            return Ok(Line { value: part(raw)?, ..Line::default() });
        }
        let members = Members::read(raw, "the line")?;
        let has = |name| members.get(name).is_some();
        if !has("topic") || !(has("value") || has("payload")) || !members.has_only(&FIELDS) {
            return Ok(Line { value: Some(Cow::Borrowed(raw)), ..Line::default() });
        }
        let value = members.get("payload").or_else(|| members.get("value")).unwrap_or("null");
        Ok(Line {
            topic: members.text("topic")?,
            partition: members.integer("partition")?,
            offset: members.integer("offset")?,
            timestamp_ms: members.integer("ts")?.or(members.integer("timestamp")?),
            key: members.get("key").map(part).transpose()?,
            value: part(value)?,
            headers: members.some("headers").map(headers).transpose()?.unwrap_or_default(),
        })
    }

    /// The record.
    pub fn record(&self) -> Record<'_> {
        Record {
            topic: self.topic.as_deref(),
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_ref().map_or(Part::Unknown, |key| text_of(key.as_deref())),
            value: text_of(self.value.as_deref()),
            headers: self.headers.iter().map(|(name, value)| Header { name, value }).collect(),
        }
    }
}

/// A key, payload or value: a text holds what it is, and anything else is what it is.
fn part(raw: &str) -> Result<Option<Cow<'_, str>>, Reason> {
    match raw {
        "null" => Ok(None),
        _ if raw.starts_with('"') => json::text(raw).map(Some).map_err(|reason| reason.of("value")),
        _ => Ok(Some(Cow::Borrowed(raw))),
    }
}

/// A name or value of a header.
fn word(raw: &str) -> Result<Cow<'_, str>, Reason> {
    part(raw).map(|text| text.unwrap_or(Cow::Borrowed("null")))
}

fn text_of(text: Option<&str>) -> Part<'_> {
    text.map_or(Part::Null, Part::Text)
}

/// A header's name, and its value.
type Named<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The headers: objects with key and value, or names and values in turn.
fn headers(raw: &str) -> Result<Vec<Named<'_>>, Reason> {
    let unlike = |_| Reason::Unlike { name: "headers".to_owned(), expected: "a list of headers" };
    let elements = json::elements(raw).map_err(unlike)?;
    if elements.iter().all(|element| element.starts_with('{')) {
        return elements
            .into_iter()
            .map(|element| {
                let members = Members::read(element, "headers")?;
                let name = members.text("key")?.ok_or(Reason::Missing { name: "key" })?;
                Ok((name, Cow::Borrowed(members.get("value").unwrap_or("null"))))
            })
            .collect();
    }
    elements.chunks(2).map(|pair| Ok((word(pair[0])?, word(pair.get(1).copied().unwrap_or("null"))?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_of_one_record() {
        let ours =
            br#"{"topic":"t","partition":0,"key":{"id":1},"value":{"a":1},"headers":[{"key":"h","value":{"id":2}}]}"#;
        let kcat = br#"{"topic":"t","partition":0,"offset":7,"tstype":"create","ts":5,"broker":1,"headers":["h","{\"id\":2}"],"key":"{\"id\":1}","payload":"{\"a\":1}"}"#;
        let (ours, kcat) = (Line::read(ours).expect("a line"), Line::read(kcat).expect("a line"));
        let mut record = ours.record();
        assert_eq!((record.offset, record.header("h")), (None, Some("{\"id\":2}")));
        (record.offset, record.timestamp_ms) = (Some(7), Some(5));
        assert_eq!(record, kcat.record());
        let bare = Line::read(br#" {"a":1} "#).expect("a line");
        assert_eq!(bare.record(), Record { value: Part::Text("{\"a\":1}"), ..Record::default() });
    }

    #[test]
    fn no_key_is_not_an_unknown_key() {
        let key = |line: &'static str| Line::read(line.as_bytes()).expect("a line").record().key != Part::Unknown;
        assert!(key(r#"{"topic":"t","key":null,"value":null}"#));
        assert!(!key(r#"{"topic":"t","value":null}"#));
    }

    #[test]
    fn a_row_with_a_column_called_topic_is_a_value() {
        let raw = r#"{"topic":"t","value":1,"other":2}"#;
        let line = Line::read(raw.as_bytes()).expect("a line");
        assert_eq!(line.record().value, Part::Text(raw));
    }

    #[test]
    fn what_is_no_record() {
        for bytes in [
            &b"\xff"[..],
            b"",
            b"{",
            b"{} {}",
            b"{\"topic\":1,\"value\":1}",
            b"{\"topic\":\"t\",\"value\":1,\"headers\":7}",
        ] {
            assert!(Line::read(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
