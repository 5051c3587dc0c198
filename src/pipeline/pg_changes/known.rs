//! Which tables a pipeline knows beside those that the lake names: those that a run has met in
//! events and noted, in a file next to the state file.
//!
//! The file is a note from one run to the next, and nothing depends on it: without it, the next run
//! meets the same events again.

use std::path::PathBuf;

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::events::Met;
use lakefront_operators::source::kafka::kind::Keyed;

use super::Known;
use crate::config::Common;

impl Known {
    /// The table as the settings of the pipeline have it.
    pub(super) fn keyed(&self) -> Keyed {
        use lakefront_operators::format::debezium::typed::Unrepresentable;
        let odd_is_null = self.event.wish.unrepresentable == Unrepresentable::Null;
        Keyed { name: self.event.role.clone(), key: self.event.key.clone(), odd_is_null }
    }
}

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
pub(super) fn note(common_folder: &std::path::Path, pipeline: &str, met: &Met) -> Result<(), Stop> {
    let path = common_folder.join(format!("{pipeline}.met.json"));
    let failed = |error: std::io::Error| StoreError::definite(format!("write {}", path.display()), error);
    let mut all: Met =
        std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    all.add(met.clone());
    let bytes = serde_json::to_vec(&all).map_err(|error| failed(error.into()))?;
    let temporary = path.with_extension("json.tmp");
    std::fs::create_dir_all(common_folder).map_err(failed)?;
    std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, &path)).map_err(failed)?;
    Ok(())
}

/// Forgets what was noted: the lake has it now.
pub(super) fn forget(common: &Common) {
    let _ = std::fs::remove_file(path(common));
}
