//! The state file: what was acknowledged, for people to read and the next start to compare with.
//!
//! It informs and never overrides: deleting it changes nothing. It is replaced as a whole: written
//! under a temporary name, synced and renamed; then the directory is synced.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::position::Position;
use crate::protocol::kind::Kind;
use crate::protocol::names::RunId;
use crate::protocol::offsets::Offsets;
use crate::protocol::standing::Standing;

/// Which run writes the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The pipeline's name.
    pub pipeline: String,
    /// The source, without credentials.
    pub source: String,
    /// The run that claimed the tables.
    pub run: RunId,
    /// The groups' names, in claim order: as many as `table_positions`.
    pub tables: Vec<String>,
}

/// The content of the state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct State<K: Kind> {
    /// The position that every group's transaction holds.
    pub position: Position,
    /// Which run wrote this.
    #[serde(flatten)]
    pub run: Run,
    /// The groups' positions when this was written, in claim order.
    pub table_positions: Vec<Position>,
    /// The offsets of `position`.
    pub offsets: Offsets<K>,
}

impl<K: Kind> State<K> {
    /// The state that acknowledges `standing`.
    pub fn new(run: &Run, standing: &Standing<K>, table_positions: &[Position]) -> Self {
        State {
            position: standing.position(),
            run: run.clone(),
            table_positions: table_positions.to_vec(),
            offsets: (*standing.offsets).clone(),
        }
    }
}

/// What the next start needs of a state file, whatever its pipeline reads.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Known {
    /// The position that every group's transaction held.
    pub position: Position,
    /// Which run wrote it.
    #[serde(flatten)]
    pub run: Run,
}

/// Reads the state file; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<Known>, StoreError> {
    let failed = |hint: &str, error: Box<dyn std::error::Error + Send + Sync>| {
        StoreError::definite(format!("read state file {} ({hint})", path.display()), error)
    };
    match fs::read(path) {
        Ok(content) => serde_json::from_slice(&content).map(Some).map_err(|e| match is_ours(&content) {
            true => failed("it is damaged, and only informs: delete it", e.into()),
            false => failed(NOT_OURS, e.into()),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::IsADirectory => Err(failed(NOT_OURS, error.into())),
        Err(error) => Err(failed("let this user read it", error.into())),
    }
}

/// This does not advise deleting the file, because it may be a log or a folder.
const NOT_OURS: &str = "this is not a lakefront state file: name another path in source.state_file";

/// Whether `content`, which cannot be parsed, was a state file once: it begins as ours do, or is
/// cut off within that beginning.
fn is_ours(content: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"{\n  \"position\": ";
    !content.is_empty()
        && content[..content.len().min(BEGINNING.len())] == BEGINNING[..content.len().min(BEGINNING.len())]
}

/// Replaces the state file, durably.
pub async fn write<K: Kind>(path: PathBuf, state: State<K>) -> Result<(), StoreError> {
    let attempt = format!("write state file {}", path.display());
    match tokio::task::spawn_blocking(move || replace(&path, &state)).await {
        Ok(written) => written.map_err(|e| StoreError::definite(attempt, e)),
        Err(error) => Err(StoreError::definite(attempt, error)),
    }
}

fn replace<K: Kind>(path: &Path, state: &State<K>) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_recognisably_ours_may_be_deleted() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("state.json");
        let told = |path: &Path| crate::error::chain(&read(path).expect_err("no state file"));
        for (content, ours) in [
            ("{\n  \"position\": 6", true),
            ("{\n  \"posi", true),
            ("", false),
            ("torn", false),
            ("{\"time\": \"2026-11-28\", \"message\": \"position\"}\n", false),
            ("2026-11-28 LOG: ready\n", false),
        ] {
            fs::write(&path, content).expect("a file");
            let told = told(&path);
            assert_eq!(told.contains("delete"), ours, "{told}");
            assert_eq!(told.contains("name another path in source.state_file"), !ours, "{told}");
        }
        assert!(told(folder.path()).contains("name another path"));
        assert_eq!(read(&folder.path().join("none")).expect("none is no error"), None);
    }
}
