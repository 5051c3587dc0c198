//! An event in its plain form: one object, whose values are what PostgreSQL's were.

use super::event::{Before, Event, Key, Operation, OtherKey};
use super::json;
use super::reason::Reason;
use super::record::Record;
use super::row::Row;
use super::source::{Sequence, Snapshot, Transaction};
use super::time;
use super::types::Unit;

/// Appends the plain form of `event`, which came in `record`. It is one line, without its end.
///
/// # Errors
/// If a value is none of its type; nothing is appended then.
pub fn write(event: &Event<'_>, record: &Record<'_>, out: &mut String) -> Result<(), Reason> {
    let before = out.len();
    let written = object(event, record, out);
    if written.is_err() {
        out.truncate(before);
    }
    written
}

fn object(event: &Event<'_>, record: &Record<'_>, out: &mut String) -> Result<(), Reason> {
    out.push_str("{\"operation\":");
    json::push_text(word(event.operation), out);
    out.push_str(",\"table\":");
    json::push_text(&event.table.name, out);
    let mut unavailable = Vec::new();
    out.push_str(",\"data\":");
    row(event.after.as_ref(), &mut unavailable, out)?;
    out.push_str(",\"before\":");
    row(event.before.row(), &mut unavailable, out)?;
    out.push_str(",\"timestamp\":");
    moment(event.source.ts_us, out);
    out.push_str(",\"metadata\":");
    metadata(event, record, out)?;
    out.push_str(",\"primary_key\":");
    key(&event.key, out)?;
    for (at, name) in unavailable.iter().enumerate() {
        out.push_str(if at == 0 { ",\"unavailable\":[" } else { "," });
        json::push_text(name, out);
    }
    out.push_str(if unavailable.is_empty() { "}" } else { "]}" });
    Ok(())
}

fn word(operation: Operation) -> &'static str {
    match operation {
        Operation::Insert => "insert",
        Operation::Update | Operation::Upsert => "update",
        Operation::Delete => "delete",
        Operation::Truncate => "truncate",
        Operation::Read => "read",
    }
}

/// A row without the columns that PostgreSQL has not sent, whose names `unavailable` gets.
fn row<'r>(row: Option<&'r Row<'_>>, unavailable: &mut Vec<&'r str>, out: &mut String) -> Result<(), Reason> {
    let Some(row) = row else {
        out.push_str("null");
        return Ok(());
    };
    let mut separator = "{";
    for field in row.fields() {
        if field.is_unavailable() {
            if !unavailable.contains(&field.name) {
                unavailable.push(field.name);
            }
            continue;
        }
        out.push_str(separator);
        separator = ",";
        json::push_text(field.name, out);
        out.push(':');
        field.write(out)?;
    }
    out.push_str(if separator == "{" { "{}" } else { "}" });
    Ok(())
}

fn moment(ts_us: Option<i64>, out: &mut String) {
    match ts_us {
        Some(micros) => json::push_text(&(time::timestamp(micros, Unit::Micros) + "Z"), out),
        None => out.push_str("null"),
    }
}

fn key(key: &Key<'_>, out: &mut String) -> Result<(), Reason> {
    match key {
        Key::Unknown | Key::None => out.push_str("null"),
        Key::Row(columns) => row(Some(columns), &mut Vec::new(), out)?,
        Key::Foreign(text) => match json::value(text, "key") {
            Ok(raw) => json::push_compact(raw, out).map_err(|reason| reason.of("key"))?,
            Err(_) => json::push_text(text, out),
        },
    }
    Ok(())
}

/// What is known beside the row. Database, schema, LSN and transaction are always there, if only as
/// null; anything else is there if it is known.
fn metadata(event: &Event<'_>, record: &Record<'_>, out: &mut String) -> Result<(), Reason> {
    let source = &event.source;
    text("{\"database\":", event.table.database.as_deref(), out);
    text(",\"schema\":", event.table.schema.as_deref(), out);
    out.push_str(&format!(",\"lsn\":{},\"txId\":{}", number(source.lsn), number(source.tx_id)));
    if let Some(Sequence { last_commit_lsn, lsn }) = source.sequence {
        out.push_str(&format!(",\"sequence\":[{},{}]", number(last_commit_lsn), number(lsn)));
    }
    if source.snapshot != Snapshot::No {
        text(",\"snapshot\":", Some(source.snapshot.word()), out);
    }
    if let Some(Transaction { id, total_order, data_collection_order }) = &event.transaction {
        text(",\"transaction\":{\"id\":", Some(id), out);
        known(&[("total_order", *total_order), ("data_collection_order", *data_collection_order)], out);
        out.push('}');
    }
    if record.topic.is_some() {
        text(",\"topic\":", record.topic, out);
    }
    known(&[("partition", record.partition), ("offset", record.offset)], out);
    if let Some(OtherKey::Old(other) | OtherKey::New(other)) = &event.other_key {
        let is_old = matches!(event.other_key, Some(OtherKey::Old(_)));
        out.push_str(if is_old { ",\"old_key\":" } else { ",\"new_key\":" });
        key(other, out)?;
    }
    out.push_str(match &event.before {
        Before::Absent => "",
        Before::Row(_) => ",\"before\":\"row\"",
        Before::Key(_) => ",\"before\":\"key\"",
    });
    out.push_str(if event.operation == Operation::Upsert { ",\"upsert\":true" } else { "" });
    out.push_str(if event.table.from_topic { ",\"table_from\":\"topic\"}" } else { "}" });
    Ok(())
}

/// Appends `before`, which ends with a name, and a text or null.
fn text(before: &str, value: Option<&str>, out: &mut String) {
    out.push_str(before);
    match value {
        Some(value) => json::push_text(value, out),
        None => out.push_str("null"),
    }
}

fn number(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

/// Appends the numbers that are known.
fn known(numbers: &[(&str, Option<i64>)], out: &mut String) {
    for (name, number) in numbers {
        if let Some(number) = number {
            out.push_str(&format!(",\"{name}\":{number}"));
        }
    }
}
