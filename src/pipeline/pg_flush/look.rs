//! What `status` and `validate --connect` show of a `pg_flush` pipeline.

use std::fmt::Write as _;

use lakefront_operators::error::chain;
use lakefront_operators::postgres::{self, quoted};
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::protocol::offsets_files::OffsetsFiles;
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::ducklake::LastSnapshot;
use lakefront_operators::source::postgres::{Flushes, waiting};
use serde_json::{Map, Value, json};

use super::{Flush, take};
use crate::moment::rfc3339;
use crate::pipeline::{Look, TableLook};

/// Looks at the hot tables and the lake. A table with rows that wait for a flush is one behind;
/// those that stay hot although they have landed do not count.
pub(super) async fn look(flush: &Flush) -> anyhow::Result<Look> {
    let held = take::held(flush).await?;
    let recorded = match &held {
        Some((group, held)) => Some(OffsetsFiles::<Flushes>::read(group, *held).await?),
        None => None,
    };
    let session = flush.sessions.session().await?;
    let (confirmed, notes) = gate(flush).await;
    let mut tables = Vec::new();
    for (table, what) in flush.hot.iter().zip(&flush.what) {
        let offsets = recorded.as_ref().map(|recorded| &recorded.standing.offsets);
        let mark = offsets.and_then(|offsets| offsets.partitions.get(&PartitionId::first(&*table.name)));
        let waits = waiting(what, mark.map(|mark| mark.watermark), confirmed);
        let sql = format!(
            "SELECT count(*), max({})::int8, count(*) FILTER (WHERE {waits}) FROM {}",
            quoted(&table.sequence),
            table.named()
        );
        let row = session.query_one(&sql, &[]).await;
        let row = row.map_err(|e| postgres::failed(format!("count the rows of table {:?}", table.name), e))?;
        let (rows, highest, waiting): (i64, Option<i64>, i64) = (row.get(0), row.get(1), row.get(2));
        let mut offsets = Map::new();
        let mut details = String::new();
        if let Some(mark) = mark {
            offsets.insert("watermark".to_owned(), mark.watermark.into());
            let _ = writeln!(details, "           flushed up to {} {}", one_line(&table.sequence), mark.watermark);
        }
        if let Some(highest) = highest {
            offsets.insert("hot".to_owned(), rows.into());
            offsets.insert("highest".to_owned(), highest.into());
            let _ = write!(details, "           {rows} rows are hot, up to {highest}");
            let what = match waiting == rows {
                true => String::new(),
                false => format!("; {waiting} of them wait for a flush, the others stay"),
            };
            let _ = writeln!(details, "{what}");
        }
        tables.push(TableLook {
            role: table.name.clone(),
            name: table.name.clone(),
            held: held.as_ref().map(|(_, held)| *held),
            process: recorded.as_ref().and_then(|recorded| recorded.process.clone()),

            more: Map::new(),
            lag: Some(u64::from(waiting > 0)),
            offsets: if offsets.is_empty() { Value::Null } else { Value::Object(offsets) },
            details,
        });
    }
    let last = match &held {
        Some((group, _)) => group.last_snapshot().await?,
        None => None,
    };
    let said = last.map_or(Value::Null, |LastSnapshot { position, snapshot, at_ms }| {
        json!({"position": position, "snapshot": snapshot, "at": rfc3339(at_ms)})
    });
    let last = last.map_or_else(String::new, |LastSnapshot { position, snapshot, at_ms }| {
        format!("  last flush: {position}, at {}, snapshot {snapshot} of the lake\n", rfc3339(at_ms))
    });
    let more = Map::from_iter([("last_flush".to_owned(), said)]);
    Ok(Look { tables, unfinished: Value::Object(Map::new()), notes: notes + &last, more })
}

/// Up to where rows may be deleted, and what is said of the gate, if there is one.
async fn gate(flush: &Flush) -> (Option<i64>, String) {
    let Some(gate) = &flush.gate else { return (Some(i64::MAX), String::new()) };
    let (reached, told) = match gate.ask().await {
        Ok(reached) => (reached, confirmed(reached)),
        Err(error) => (None, chain(&error)),
    };
    (reached, format!("  gate     {}: {told}\n", one_line(&gate.shown())))
}

/// What the gate has said.
pub(super) fn confirmed(confirmed: Option<i64>) -> String {
    match confirmed {
        Some(confirmed) => format!("confirmed up to {confirmed}"),
        None => "nothing is confirmed yet".to_owned(),
    }
}

/// The hot tables and what becomes of them.
pub(super) async fn connect(flush: &Flush) -> anyhow::Result<String> {
    let mut text = format!("source   {}: {} tables\n", one_line(&flush.source), flush.hot.len());
    let is_there = flush.lake.is_there().await?;
    let what = if is_there { "is there" } else { "will be made" };
    let _ = writeln!(text, "lake     {}: its catalog {what}", one_line(&flush.lake.shown()));
    let there = if is_there { flush.lake.tables(&flush.names).await? } else { <_>::default() };
    for (table, of) in flush.hot.iter().zip(&flush.what) {
        let what = match there.get(&table.name) {
            Some(known) => {
                let has = |name: &str| known.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
                let missing = table.columns.iter().filter(|column| !has(&column.name));
                let missing: Vec<&str> = missing.map(|column| &*column.name).collect();
                match missing.is_empty() {
                    true => "it fits".to_owned(),
                    false => format!("columns will be added: {}", missing.join(", ")),
                }
            }
            None => "will be made".to_owned(),
        };
        let key = if table.key.is_empty() { ", without a primary key" } else { "" };
        let stays = if of.retain { ", retained" } else { "" };
        let _ = writeln!(
            text,
            "table    {} by {}{key}{stays}: {}",
            one_line(&table.name),
            one_line(&table.sequence),
            one_line(&what)
        );
    }
    Ok(text)
}
