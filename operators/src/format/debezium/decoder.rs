//! The decoder: a record becomes an event, or something that is known to be none.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::boundary::Boundary;
use super::envelope;
use super::event::{Event, Key, OtherKey};
use super::json::{self, Members};
use super::reason::Reason;
use super::record::{Part, Record};
use super::row::Row;
use super::schema::Columns;
use super::unwrapped;

/// The most bytes of schemas that are kept: of each table one for keys and one for values at a
/// time, of some 10 KB.
const MOST_SCHEMAS: usize = 64 << 20;
/// The most topics of which is known how deletes arrive.
const MOST_TOPICS: usize = 65_536;
/// The longest name of a topic, as Kafka has it.
const LONGEST_TOPIC: usize = 249;

/// What a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A change.
    Event(Box<Event<'a>>),
    /// Where a transaction begins or ends.
    Boundary(Boundary<'a>),
    /// A record of Debezium's that says nothing of a table.
    Aside(Aside),
}

/// Why a record says nothing of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aside {
    /// It lets Kafka's compaction forget a key, after the delete that was a record of its own.
    Tombstone,
    /// It says that the connector lives.
    Heartbeat,
    /// It is a message of `pg_logical_emit_message`.
    Message,
    /// It tells of a change of a schema, as connectors of other databases do.
    SchemaChange,
}

/// Decodes records in order. It remembers the schema blocks that it has read, and of each topic
/// whether deletes are tombstones there.
#[derive(Debug, Default)]
pub struct Decoder {
    schemas: HashMap<Box<str>, Arc<Columns>>,
    /// How many bytes these have.
    bytes: usize,
    deletes_by_tombstone: HashSet<Box<str>>,
}

/// A payload, and what its schema says.
type Payload<'a> = (&'a str, Option<Arc<Columns>>);

/// A payload whose schema is not in it; `None` if it is null.
fn typed<'a>(raw: &'a str, columns: &Arc<Columns>) -> Option<Payload<'a>> {
    (raw != "null").then(|| (raw, Some(Arc::clone(columns))))
}

impl Decoder {
    /// Decodes a record.
    ///
    /// # Errors
    /// If it is nothing that Debezium writes.
    pub fn decode<'a>(&mut self, record: &Record<'a>) -> Result<Decoded<'a>, Reason> {
        let topic = record.topic.unwrap_or_default();
        if topic.starts_with("__debezium-heartbeat") {
            return Ok(Decoded::Aside(Aside::Heartbeat));
        }
        let value = match record.value {
            Part::Text(text) => self.payload(text, "value")?,
            Part::Typed(raw, columns) => typed(raw, columns),
            Part::Unknown | Part::Null => None,
        };
        let Some((raw, columns)) = value else {
            return match self.deletes_by_tombstone.contains(topic) {
                true => unwrapped::delete(self.key(record.key)?, record).and_then(|event| self.finish(event, record)),
                false => Ok(Decoded::Aside(Aside::Tombstone)),
            };
        };
        let members = Members::read(raw, "value")?;
        if let Some(boundary) = Boundary::read(&members)? {
            return Ok(Decoded::Boundary(boundary));
        }
        if let Some(aside) = aside(&members, columns.as_deref()) {
            return Ok(Decoded::Aside(aside));
        }
        let key = self.key(record.key)?;
        let event = match () {
            () if envelope::is_one(&members) => envelope::read(&members, columns.as_ref(), key)?,
            () if unwrapped::is_one(&members, columns.as_ref(), record) => {
                self.remember(topic, !unwrapped::has_deletes(&members));
                unwrapped::read(members, columns.as_ref(), key, record)?
            }
            () => return Err(Reason::NoEvent),
        };
        self.finish(event, record)
    }

    /// The key of a record without a value, which says that the row of this key is gone, whether or
    /// not a delete has said so before.
    ///
    /// # Errors
    /// If the key is none that Debezium writes.
    pub fn tombstone<'a>(&mut self, record: &Record<'a>) -> Result<Key<'a>, Reason> {
        self.key(record.key)
    }

    /// The event, with the other key that a change of the primary key has.
    fn finish<'a>(&mut self, mut event: Event<'a>, record: &Record<'a>) -> Result<Decoded<'a>, Reason> {
        event.other_key = match (record.header("__debezium.newkey"), record.header("__debezium.oldkey")) {
            (Some(new), _) => Some(OtherKey::New(self.key(Part::Text(new))?)),
            (None, Some(old)) => Some(OtherKey::Old(self.key(Part::Text(old))?)),
            (None, None) => None,
        };
        Ok(Decoded::Event(Box::new(event)))
    }

    fn key<'a>(&mut self, part: Part<'a>) -> Result<Key<'a>, Reason> {
        let (text, payload) = match part {
            Part::Unknown => return Ok(Key::Unknown),
            Part::Null => return Ok(Key::None),
            Part::Text(text) => (text, self.payload(text, "key")),
            Part::Typed(raw, columns) => (raw, Ok(typed(raw, columns))),
        };
        match payload {
            Ok(None) => Ok(Key::None),
            Ok(Some((raw, columns))) if raw.starts_with('{') => Row::read(raw, "key", columns.as_ref()).map(Key::Row),
            Ok(Some((raw, _))) => Ok(Key::Foreign(raw)),
            // Another converter than JSON's wrote the key.
            Err(Reason::NotJson { .. }) => Ok(Key::Foreign(text)),
            Err(reason) => Err(reason),
        }
    }

    /// The payload in `text`; `None` if it is null.
    fn payload<'a>(&mut self, text: &'a str, place: &'static str) -> Result<Option<Payload<'a>>, Reason> {
        let raw = json::value(text, place)?;
        if !raw.starts_with('{') {
            return Ok((raw != "null").then_some((raw, None)));
        }
        let members = Members::read(raw, place)?;
        let (Some(schema), Some(payload), 2) = (members.get("schema"), members.get("payload"), members.0.len()) else {
            return Ok(Some((raw, None)));
        };
        match schema {
            // A row may have two columns of these names.
            _ if !schema.starts_with('{') && schema != "null" => Ok(Some((raw, None))),
            _ if payload == "null" => Ok(None),
            "null" => Ok(Some((payload, None))),
            schema => Ok(Some((payload, Some(self.schema(schema, place)?)))),
        }
    }

    fn schema(&mut self, raw: &str, place: &'static str) -> Result<Arc<Columns>, Reason> {
        if let Some(columns) = self.schemas.get(raw) {
            return Ok(Arc::clone(columns));
        }
        let columns = Columns::read(raw, place)?;
        if self.bytes + raw.len() > MOST_SCHEMAS {
            (self.schemas, self.bytes) = (HashMap::new(), 0);
        }
        self.bytes += raw.len();
        self.schemas.insert(raw.into(), Arc::clone(&columns));
        Ok(columns)
    }

    /// How many bytes of schemas are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.schemas.keys().map(|raw| raw.len()).sum()
    }

    fn remember(&mut self, topic: &str, by_tombstone: bool) {
        match by_tombstone {
            true if topic.len() > LONGEST_TOPIC => {}
            true if self.deletes_by_tombstone.len() < MOST_TOPICS && !self.deletes_by_tombstone.contains(topic) => {
                self.deletes_by_tombstone.insert(topic.into());
            }
            true => {}
            false => {
                self.deletes_by_tombstone.remove(topic);
            }
        }
    }
}

/// What a record is that says nothing of a table.
fn aside(members: &Members<'_>, columns: Option<&Columns>) -> Option<Aside> {
    let name = columns.and_then(|columns| columns.name.as_deref()).unwrap_or_default();
    let is_beat = name == "io.debezium.connector.common.Heartbeat" || columns.is_none() && members.has_only(&["ts_ms"]);
    let has = |name| members.get(name).is_some();
    match () {
        () if is_beat && has("ts_ms") => Some(Aside::Heartbeat),
        () if has("source") && has("message") && envelope::is_one(members) && envelope::is_message(members) => {
            Some(Aside::Message)
        }
        () if has("source") && has("databaseName") && (has("ddl") || has("tableChanges")) => Some(Aside::SchemaChange),
        () => None,
    }
}
