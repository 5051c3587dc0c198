//! Why the last run stopped, in a file beside the state file, for `doctor`: whoever looks in the morning has the log of the night, or has
//! not. It informs only. A run that has claimed the tables removes it.

use std::fs;
use std::path::{Path, PathBuf};

use lakefront_operators::clock::SystemClock;
use lakefront_operators::error::chain;
use lakefront_operators::protocol::table::Clock;
use serde_json::{Value, json};

use crate::lock;

/// A run that stopped with exit code 3.
pub(crate) struct LastStop {
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// What it said; no secret.
    pub(crate) error: String,
}

/// Where it is kept for `state_file`.
fn path(state_file: &Path) -> PathBuf {
    let mut path = state_file.as_os_str().to_owned();
    path.push(".stopped");
    PathBuf::from(path)
}

/// Keeps `error`, where a run has come so far that its lock was made. Where that cannot be, as on a full disk, the run's own last line
/// must do.
pub(crate) fn write(state_file: &Path, pipeline: &str, error: &anyhow::Error) {
    if !lock::path(state_file).exists() {
        return;
    }
    let stop = json!({"pipeline": pipeline, "at_ms": SystemClock.now_ms(), "error": chain(error.as_ref())});
    if let Err(error) = fs::write(path(state_file), format!("{stop:#}\n")) {
        tracing::debug!(%error, "why the run stops is not kept for doctor");
    }
}

/// The pipeline runs again.
pub(crate) fn forget(state_file: &Path) {
    // There is none mostly.
    let _ = fs::remove_file(path(state_file));
}

/// Why the last run of `pipeline` stopped; none if one has gone on since.
pub(crate) fn read(state_file: &Path, pipeline: &str) -> Option<LastStop> {
    let stop: Value = serde_json::from_slice(&fs::read(path(state_file)).ok()?).ok()?;
    let is_ours = stop["pipeline"] == pipeline;
    is_ours.then_some(())?;
    Some(LastStop { at_ms: stop["at_ms"].as_u64()?, error: stop["error"].as_str()?.to_owned() })
}
