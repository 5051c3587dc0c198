//! What must be true of flushes: each row that was ever written lies in the lake once, as it was
//! last written; in the end, none is hot. What the lake says of its tables is what has landed.

use std::collections::BTreeMap;

use lakefront_operators::protocol::names::Held;
use lakefront_operators::source::postgres::Flushes;
use serde_json::Value;

use crate::flushes::Row;
use crate::flushes::hot::Marks;
use crate::lake::Lake;
use crate::world::World;

/// Returns the first rule of the outcome that does not hold.
pub(crate) fn check(w: &World<Flushes>) -> Result<(), String> {
    let mut found: BTreeMap<u64, Row> = BTreeMap::new();
    for (table, row) in w.lakes[0].landed() {
        if table != row.table {
            return Err(format!("MIS-ROUTED: {row:?} lies in table {}", table.0));
        }
        if found.insert(row.key, *row).is_some() {
            return Err(format!("DOUBLED: {row:?} lies in the lake twice"));
        }
    }
    for (key, row) in &w.source.written {
        match found.get(key) {
            None => return Err(format!("LOST: {row:?} lies nowhere, or is hot: {}", w.source.rows.contains_key(key))),
            Some(landed) if landed != row => return Err(format!("STALE: {row:?} lies in the lake as {landed:?}")),
            Some(_) => {}
        }
    }
    match w.source.rows.values().next() {
        None => Ok(()),
        Some(row) => Err(format!("KEPT: {row:?} is hot after a clean end")),
    }
}

/// A commit shows no row of a key that the lake has.
pub(crate) fn may_appear(w: &World<Flushes>, _group: usize, rows: &[Row]) -> Result<(), String> {
    match rows.iter().find(|row| w.has(row.key)) {
        None => Ok(()),
        Some(row) => Err(format!("DOUBLED: {row:?} lands again")),
    }
}

/// The marks that the offsets file of `held` has, put together by hand from its base and the
/// changes since.
pub(super) fn marks_of(lake: &Lake<Flushes>, held: Held) -> Marks {
    let document = lake.document(held);
    let base = serde_json::from_value(document["base"].clone()).map_or(Value::Null, |base| lake.document(base));
    let list = |document: &Value, name: &str| document[name].as_array().cloned().unwrap_or_default();
    let name = |entry: &Value| entry["name"].as_str().unwrap_or_default().to_owned();
    let mark = |entry: &Value| (name(entry), entry["watermark"].as_i64().unwrap_or_default());
    let mut marks: Marks = list(&base, "partitions").iter().map(mark).collect();
    for entry in list(&document, "gone") {
        marks.remove(&name(&entry));
    }
    marks.extend(list(&document, "partitions").iter().map(mark));
    marks
}
