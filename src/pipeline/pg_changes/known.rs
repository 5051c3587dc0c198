//! Which tables a pipeline knows beside those that the lake names, and where tables stand still:
//! what a run has met in events and noted, in a file next to the state file.
//!
//! The file is a note from one run to the next, and nothing depends on it: without it, the next run
//! meets the same events again.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::events::{EventTable, Hold, Met};
use lakefront_operators::source::kafka::kind::Standing;

use super::Known;
use crate::config::Common;

/// The file.
fn path(common: &Common) -> PathBuf {
    common.state_folder().join(format!("{}.met.json", common.pipeline))
}

/// What was noted; nothing if there is no file, or none that can be read.
pub(super) fn read(common: &Common) -> Met {
    let Ok(bytes) = std::fs::read(path(common)) else { return Met::default() };
    serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        let path = path(common);
        tracing::warn!(path = %path.display(), %error, "the note of new tables cannot be read: they are met again");
        Met::default()
    })
}

/// Notes what was met, beside what the file has already.
pub(super) fn note(folder: &Path, pipeline: &str, met: &Met) -> Result<(), Stop> {
    let path = folder.join(format!("{pipeline}.met.json"));
    let failed = |error: io::Error| StoreError::definite(format!("write {}", path.display()), error);
    let mut all: Met =
        std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    all.add(met.clone());
    std::fs::create_dir_all(folder).and_then(|()| write(&path, &all)).map_err(failed)?;
    Ok(())
}

/// Where tables stand still, as a run has noted it, unless what held them is the table's by now.
pub(super) fn holds(common: &Common, tables: &[Known]) -> Vec<Hold> {
    let table = |role: &str| tables.iter().map(|known| &known.event).find(|table| table.role == role);
    let is_held = |table: &EventTable, hold: &Hold| hold.is_wanted(&table.wish) && hold.is_of(table);
    let mut holds = read(common).holds;
    holds.retain(|hold| table(&hold.role).is_some_and(|table| is_held(table, hold)));
    holds
}

/// Those of `holds` that were not passed: where retention or a new topic has taken their events,
/// and that was accepted, tables stand behind them.
pub(super) fn still(holds: &[Hold], standings: &[Standing]) -> Vec<Hold> {
    let is_passed = |hold: &Hold| {
        let marks = standings.iter().flat_map(|standing| &standing.offsets.partitions);
        let mut of_name = marks.filter(|(id, _)| id.name == hold.partition.name);
        of_name.any(|(id, mark)| {
            id.generation > hold.partition.generation || (*id == hold.partition && mark.next > hold.offset)
        })
    };
    holds.iter().filter(|hold| !is_passed(hold)).cloned().collect()
}

/// Forgets what the lake has by now: of the tables that its own records name, all columns are there
/// once the tables are open. The others stay noted until a commit names them, and of what held
/// tables, that which is among `holds`.
pub(super) fn forget(common: &Common, tables: &[Known], holds: &[Hold]) {
    let before = read(common);
    let mut met = before.clone();
    met.tables.retain(|role, _| !tables.iter().any(|known| known.is_old && known.event.role == *role));
    met.holds.retain(|hold| holds.contains(hold));
    let path = path(common);
    let kept = match met.is_empty() {
        true => std::fs::remove_file(&path),
        false if met == before => Ok(()),
        false => write(&path, &met),
    };
    match kept {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "the note of new tables stays as it was");
        }
        _ => {}
    }
}

fn write(path: &Path, met: &Met) -> io::Result<()> {
    let temporary = path.with_extension("json.tmp");
    std::fs::write(&temporary, serde_json::to_vec(met)?)?;
    std::fs::rename(&temporary, path)
}
