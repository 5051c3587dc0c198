//! Why the last run stopped, in a file next to the state file, for `doctor`: the log of that run
//! may not be at hand. It is only informative. A run that has claimed the tables removes it.

use std::fs;
use std::path::{Path, PathBuf};

use lakefront_operators::error::chain;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::run::clock::SystemClock;
use serde_json::{Value, json};

use crate::lock;

/// A run that stopped with exit code 3.
pub(crate) struct LastStop {
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// Its error, without secrets.
    pub(crate) error: String,
}

/// The path of the file for `state_file`.
fn path(state_file: &Path) -> PathBuf {
    let mut path = state_file.as_os_str().to_owned();
    path.push(".stopped");
    PathBuf::from(path)
}

/// Writes `error` to the file if the run got as far as creating its lock. If that fails, as on a
/// full disk, only the last line that the run prints has it.
pub(crate) fn write(state_file: &Path, pipeline: &str, error: &anyhow::Error) {
    if !lock::path(state_file).exists() {
        return;
    }
    let stop = json!({"pipeline": pipeline, "at_ms": SystemClock.now_ms(), "error": chain(error.as_ref())});
    if let Err(error) = fs::write(path(state_file), format!("{stop:#}\n")) {
        tracing::debug!(%error, "could not write for doctor why the run stops");
    }
}

/// Removes the file, because the pipeline runs again.
pub(crate) fn forget(state_file: &Path) {
    // Mostly there is none.
    let _ = fs::remove_file(path(state_file));
}

/// Why the last run of `pipeline` stopped; `None` if one has claimed the tables since.
pub(crate) fn read(state_file: &Path, pipeline: &str) -> Option<LastStop> {
    let stop: Value = serde_json::from_slice(&fs::read(path(state_file)).ok()?).ok()?;
    let is_ours = stop["pipeline"] == pipeline;
    is_ours.then_some(())?;
    Some(LastStop { at_ms: stop["at_ms"].as_u64()?, error: stop["error"].as_str()?.to_owned() })
}
