//! What must be true in the end: every line since the base lies in exactly one table, once.

use std::collections::BTreeMap;

use lakefront_operators::protocol::names::Held;
use lakefront_operators::protocol::sums::Sum;
use serde_json::Value;

use crate::files::uid_of;
use crate::read::{route, row_settings, sum_of};
use crate::table::{FOREIGN, Lake, NAMES};
use crate::world::World;

/// Returns the first rule of the outcome that does not hold.
pub(crate) fn check(w: &World) -> Result<(), String> {
    let mut found: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    let mut copies: BTreeMap<(u64, u32, u64), usize> = BTreeMap::new();
    let late = |uid| w.files.iter().chain(&w.deleted).find(|f| f.uid == uid).map_or(0, |f| f.late);
    let allowed = |uid, generation| if generation == 1 { 1 } else { late(uid).max(1) };
    for (t, lake) in w.lakes.iter().enumerate() {
        for row in lake.rows().filter(|row| row.uid != FOREIGN) {
            let (uid, start, name) = (row.uid, row.start, NAMES[t]);
            if row.torn {
                return Err(format!("TORN: a piece of the line at {uid}:{start} lies in {name}"));
            }
            // A file that grew late is read again from its beginning, as another generation.
            if row.generation == 1 && start < lake.base.get(&uid).copied().unwrap_or_default() {
                return Err(format!("FOREIGN: the line at {uid}:{start} in {name} lies before the base"));
            }
            // On a disk no file is read twice, whatever its name.
            let generation = if w.on_disk { 1 } else { row.generation };
            let copies = copies.entry((uid, generation, start)).or_default();
            *copies += 1;
            if *copies > allowed(uid, generation) {
                return Err(format!(
                    "DOUBLED: the line at {uid}:{start}, generation {}, lies in {name} again",
                    row.generation
                ));
            }
            found.insert((uid, start), t);
        }
    }
    let settings: Vec<_> = w.routes_used.iter().map(|r| row_settings(*r)).collect();
    // Only the files that are there: of one that was re-created it is unknown what was read in
    // time, only that nothing was read twice.
    for file in &w.files {
        let (base, newline) = (w.lakes[0].base.get(&file.uid).copied().unwrap_or_default(), file.newline());
        for line in file.lines.iter().filter(|l| l.start >= base && l.end <= newline) {
            let at = format!("{}:{}", file.uid, line.start);
            let Some(t) = found.get(&(file.uid, line.start)) else {
                if line.end <= file.forgiven || (file.outside && !is_known(w, file.uid)) {
                    continue;
                }
                return Err(format!("LOST: the line at {at} lies nowhere"));
            };
            if !settings.iter().any(|s| route(s, line.role) == *t) {
                return Err(format!("MIS-ROUTED: the line at {at} lies in {}", NAMES[*t]));
            }
        }
    }
    for (lake, name) in w.lakes.iter().zip(NAMES) {
        let rows: Sum = lake.rows().filter(|row| row.uid != FOREIGN).map(sum_of).sum();
        let totals = lake.held.map(|held| totals(lake, held)).unwrap_or_default();
        if rows != totals {
            return Err(format!("TOTALS: {name} holds {rows:?}, and its offsets file says {totals:?}"));
        }
    }
    let mut positions = w.lakes.iter().map(|l| l.held.map(|h| h.position));
    let first = positions.next().flatten();
    match first.is_some() && positions.all(|p| p == first) {
        true => Ok(()),
        false => Err("APART: the tables do not stand level after a clean end".into()),
    }
}

/// Whether a table's offsets name the file: no table knows one that left the source before any run
/// planned it.
fn is_known(w: &World, uid: u64) -> bool {
    let names = |document: &Value| {
        let partitions = document["partitions"].as_array().into_iter().flatten();
        partitions.filter_map(|entry| entry["revision"].as_str()).any(|revision| uid_of(revision) == uid)
    };
    w.lakes.iter().any(|lake| {
        let document = lake.held.map(|held| lake.document(held)).unwrap_or_default();
        let base = serde_json::from_value(document["base"].clone()).map(|base| lake.document(base));
        names(&document) || base.is_ok_and(|base| names(&base))
    })
}

/// The sum in the offsets file of `held`, put together by hand from its base and the changes since.
fn totals(lake: &Lake, held: Held) -> Sum {
    let document = lake.document(held);
    let base = match serde_json::from_value(document["base"].clone()) {
        Ok(base) => lake.document(base),
        Err(_) => Value::Null,
    };
    let role = document["role"].as_str().unwrap_or_default();
    let id = |entry: &Value| (entry["name"].clone().to_string(), entry["generation"].clone().to_string());
    let list = |entries: &Value| entries.as_array().cloned().unwrap_or_default();
    let gone: Vec<_> = list(&document["gone"]).iter().map(id).collect();
    let mut partitions = BTreeMap::new();
    for entry in list(&base["tables"][role]["partitions"]).iter().filter(|entry| !gone.contains(&id(entry))) {
        partitions.insert(id(entry), entry["sums"].clone());
    }
    for entry in list(&document["tables"][role]["partitions"]) {
        partitions.insert(id(&entry), entry["sums"].clone());
    }
    let sum = |value: &Value| serde_json::from_value::<Sum>(value.clone()).expect("a sum");
    let optional = |value: &Value| if value.is_null() { Sum::NONE } else { sum(value) };
    let rest = ["left", "earlier"].map(|rest| optional(&document["tables"][role][rest]));
    partitions.values().flat_map(list).map(|value| sum(&value)).chain(rest).sum()
}
