//! Rows without an envelope, as `ExtractNewRecordState` leaves them: the row alone, or with fields
//! of the envelope that `add.fields` and `delete.tombstone.handling.mode=rewrite` put beside the
//! columns.

use std::borrow::Cow;
use std::sync::Arc;

use super::event::{Before, Event, Key, Operation};
use super::json::{self, Members};
use super::reason::Reason;
use super::record::Record;
use super::row::Row;
use super::schema::Columns;
use super::source::{self, Source, Table, Transaction};

/// Names that are no columns, with the prefix that `add.fields` has unless it is set.
const ADDED: [&str; 15] = [
    "__deleted",
    "__op",
    "__table",
    "__schema",
    "__db",
    "__lsn",
    "__txId",
    "__ts_ms",
    "__ts_us",
    "__ts_ns",
    "__snapshot",
    "__sequence",
    "__name",
    "__connector",
    "__version",
];

fn is_added(name: &str) -> bool {
    ADDED.contains(&name) || name.starts_with("__source_") || name.starts_with("__transaction_")
}

/// Whether something says that `members` are the row of an event. Any object could be one.
pub(super) fn is_one(members: &Members<'_>, columns: Option<&Arc<Columns>>, record: &Record<'_>) -> bool {
    let name = columns.and_then(|columns| columns.name.as_deref()).unwrap_or_default();
    let is_named = name.ends_with(".Value");
    is_named
        || members.some("__op").is_some()
        || members.some("__deleted").is_some()
        || record.has_headers_of_debezium()
}

/// Whether deletes are rows of their own here. Where they are not, a record without a value is the
/// delete.
pub(super) fn has_deletes(members: &Members<'_>) -> bool {
    members.get("__deleted").is_some()
}

/// The event of an unwrapped row.
pub(super) fn read<'a>(
    members: Members<'a>,
    columns: Option<&Arc<Columns>>,
    key: Key<'a>,
    record: &Record<'a>,
) -> Result<Event<'a>, Reason> {
    let operation = operation(&members, record)?;
    let source = Source::read(&members, &source::ADDED)?;
    let transaction = members.text("__transaction_id")?.map(|id| {
        let order = |name: &str| members.integer(name);
        let (total_order, own) = (order("__transaction_total_order")?, order("__transaction_data_collection_order")?);
        Ok(Transaction { id, total_order, data_collection_order: own })
    });
    let transaction = transaction.transpose()?;
    let table = table(&members, record)?;
    let row = Row::new(members, "value", columns.cloned())?.keep(|name| !is_added(name));
    let (before, after) = match operation {
        Operation::Delete => (Before::of_delete(row, &key), None),
        Operation::Truncate => (Before::Absent, None),
        _ => (Before::Absent, Some(row)),
    };
    Ok(Event { operation, table, before, after, key, other_key: None, source, transaction })
}

/// The delete that a record without a value is.
pub(super) fn delete<'a>(key: Key<'a>, record: &Record<'a>) -> Result<Event<'a>, Reason> {
    let before = match &key {
        Key::Row(row) => Before::Key(row.clone()),
        _ => Before::Absent,
    };
    Ok(Event {
        operation: Operation::Delete,
        table: table(&Members::default(), record)?,
        before,
        after: None,
        key,
        other_key: None,
        source: Source::default(),
        transaction: None,
    })
}

fn operation(members: &Members<'_>, record: &Record<'_>) -> Result<Operation, Reason> {
    let header = record.header("__op").map(|letter| Cow::Borrowed(letter.trim_matches('"')));
    let letter = members.some("__op").map(json::text).transpose().map_err(|reason| reason.of("__op"))?.or(header);
    match letter {
        Some(letter) => Operation::of(&letter).ok_or(Reason::Operation),
        None if matches!(members.get("__deleted"), Some("\"true\"" | "true")) => Ok(Operation::Delete),
        None => Ok(Operation::Upsert),
    }
}

/// The table by the fields that were added, else by the topic.
fn table<'a>(members: &Members<'a>, record: &Record<'a>) -> Result<Table<'a>, Reason> {
    let one_of = |names: [&str; 2]| match members.some(names[0]) {
        Some(_) => members.text(names[0]),
        None => members.text(names[1]),
    };
    let database = one_of(["__source_db", "__db"])?;
    let (schema, name) = (one_of(["__source_schema", "__schema"])?, one_of(["__source_table", "__table"])?);
    let from_topic = schema.is_none() || name.is_none();
    let mut parts = record.topic.unwrap_or_default().rsplit('.');
    let table = parts.next().filter(|part| !part.is_empty());
    // A topic is called prefix.schema.table, and a prefix may have points of its own.
    let part = parts.next().filter(|_| parts.next().is_some());
    Ok(Table {
        database,
        schema: schema.or(part.map(Cow::Borrowed)),
        name: name.or(table.map(Cow::Borrowed)).ok_or(Reason::Missing { name: "__table" })?,
        from_topic,
    })
}
