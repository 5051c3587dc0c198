//! What must be true of files in the end: every line since the base lies in exactly one table,
//! once.

use std::collections::BTreeMap;

use lakefront_operators::format::logs::lines::Lines;
use serde_json::Value;

use crate::lines::NAMES;
use crate::lines::files::uid_of;
use crate::lines::read::{route, row_settings};
use crate::world::World;

/// Returns the first rule of the outcome that does not hold.
pub(crate) fn check(w: &World<Lines>) -> Result<(), String> {
    let mut found: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    let mut copies: BTreeMap<(u64, u32, u64), usize> = BTreeMap::new();
    let late = |uid| w.source.files.iter().chain(&w.source.deleted).find(|f| f.uid == uid).map_or(0, |f| f.late);
    let allowed = |uid, generation| if generation == 1 { 1 } else { late(uid).max(1) };
    for (t, lake) in w.lakes.iter().enumerate() {
        for (_, row) in lake.rows() {
            let (uid, start, name) = (row.uid, row.start, NAMES[t]);
            if row.torn {
                return Err(format!("TORN: a piece of the line at {uid}:{start} lies in {name}"));
            }
            // A file that grew late is read again from its beginning, as another generation.
            if row.generation == 1 && start < lake.base.get(&uid).copied().unwrap_or_default() {
                return Err(format!("FOREIGN: the line at {uid}:{start} in {name} lies before the base"));
            }
            // On a disk no file is read twice, whatever its name.
            let generation = if w.source.on_disk { 1 } else { row.generation };
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
    for file in &w.source.files {
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
    Ok(())
}

/// Whether a table's offsets name the file: no table knows one that left the source before any run
/// planned it.
fn is_known(w: &World<Lines>, uid: u64) -> bool {
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
