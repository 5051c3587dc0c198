//! Debezium's envelope: `before`, `after`, `source`, `op`.

use std::sync::Arc;

use super::event::{Before, Event, Key, Operation};
use super::json::{self, Members};
use super::reason::Reason;
use super::row::Row;
use super::schema::Columns;
use super::source::{self, Source, Table, Transaction};

/// All fields of an envelope, and of a message.
const FIELDS: [&str; 9] = ["before", "after", "source", "op", "ts_ms", "ts_us", "ts_ns", "transaction", "message"];

/// Whether `members` are an envelope. A table may have columns of these names, but hardly all of
/// its columns.
pub(super) fn is_one(members: &Members<'_>) -> bool {
    let has = |name| members.get(name).is_some();
    members.has_only(&FIELDS) && (has("op") || has("source")) && (has("before") || has("after") || has("message"))
}

/// Whether the envelope holds a message of `pg_logical_emit_message`.
pub(super) fn is_message(members: &Members<'_>) -> bool {
    members.get("op") == Some("\"m\"")
}

/// The event in an envelope.
pub(super) fn read<'a>(
    members: &Members<'a>,
    columns: Option<&Arc<Columns>>,
    key: Key<'a>,
) -> Result<Event<'a>, Reason> {
    let letter = members.some("op").ok_or(Reason::Missing { name: "op" })?;
    let operation = json::text(letter).ok().and_then(|letter| Operation::of(&letter)).ok_or(Reason::Operation)?;
    let row = |name: &'static str| {
        let inner = columns.and_then(|columns| columns.inner(name));
        members.some(name).map(|raw| Row::read(raw, name, inner)).transpose()
    };
    let after = if operation.has_row() { Some(row("after")?.ok_or(Reason::Missing { name: "after" })?) } else { None };
    let before = match (operation, row("before")?) {
        (Operation::Delete, Some(before)) => Before::of_delete(before, &key),
        // Where PostgreSQL sends an old row with an update, it sends all of it: a change of the key
        // alone arrives as a delete and an insert.
        (Operation::Update, Some(before)) => Before::Row(before),
        _ => Before::Absent,
    };
    let source = members.some("source").ok_or(Reason::Missing { name: "source" })?;
    let source = Members::read(source, "source")?;
    Ok(Event {
        operation,
        table: Table {
            database: source.text("db")?,
            schema: source.text("schema")?,
            name: source.text("table")?.ok_or(Reason::Missing { name: "table" })?,
            from_topic: false,
        },
        before,
        after,
        key,
        other_key: None,
        source: Source::read(&source, &source::ENVELOPE)?,
        transaction: members.some("transaction").map(Transaction::read).transpose()?.flatten(),
    })
}
