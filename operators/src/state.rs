//! The state file: what was acknowledged, for people to read and for the next start to compare with.
//!
//! It informs and never overrides: deleting it changes nothing. It is replaced whole: written under a temporary name, synced, renamed, and
//! the directory synced.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::offsets::Offsets;
use crate::position::Position;
use crate::protocol::document::Standing;
use crate::protocol::table::RunId;

/// Which run writes the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The pipeline's name.
    pub pipeline: String,
    /// The source, without credentials.
    pub source: String,
    /// The run that claimed the tables.
    pub run: RunId,
    /// The tables' names, in claim order.
    pub tables: Vec<String>,
}

/// The content of the state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What every table's transaction holds.
    pub position: Position,
    /// Which run wrote this.
    #[serde(flatten)]
    pub run: Run,
    /// The tables' positions when this was written, in claim order.
    pub table_positions: Vec<Position>,
    /// The offsets of `position`.
    pub offsets: Offsets,
}

impl State {
    /// The state that acknowledges `standing`.
    pub fn new(run: &Run, standing: &Standing, table_positions: &[Position]) -> Self {
        State {
            position: standing.position(),
            run: run.clone(),
            table_positions: table_positions.to_vec(),
            offsets: (*standing.offsets).clone(),
        }
    }
}

/// Reads the state file; none if there is none.
pub fn read(path: &Path) -> Result<Option<State>, StoreError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        let hint = "it only informs: if it is damaged, delete it";
        StoreError::definite(format!("read state file {} ({hint})", path.display()), error)
    };
    match fs::read(path) {
        Ok(content) => serde_json::from_slice(&content).map(Some).map_err(|e| failed(e.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error.into())),
    }
}

/// Replaces the state file, durably.
pub async fn write(path: PathBuf, state: State) -> Result<(), StoreError> {
    let attempt = format!("write state file {}", path.display());
    match tokio::task::spawn_blocking(move || replace(&path, &state)).await {
        Ok(written) => written.map_err(|e| StoreError::definite(attempt, e)),
        Err(error) => Err(StoreError::definite(attempt, error)),
    }
}

fn replace(path: &Path, state: &State) -> io::Result<()> {
    fail::fail_point!("state-write");
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = path.as_os_str().to_owned();
    // Two runs may overlap for a moment, when one takes over from the other.
    temporary.push(format!(".{}.tmp", state.run.run));
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(state)?)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fail::fail_point!("state-rename");
    fs::rename(&temporary, path)?;
    fail::fail_point!("state-renamed");
    File::open(directory)?.sync_all()
}
