//! The root of a lake, as all pipelines use it.

use std::path::{Path, PathBuf};

use lakefront_operators::error::StoreError;
use lakefront_operators::run::space::{self, Guarded, OnLow};
use lakefront_operators::sink::files::Place;

use crate::config::{Common, LakeRoot, Mode};

/// The folder above all catalogs. Nothing is asked.
pub(super) fn place(root: &LakeRoot) -> Result<Place, StoreError> {
    match root {
        LakeRoot::File(path) => Ok(Place::Disk(path.clone())),
        LakeRoot::Azure(location) => Place::azure(location),
        LakeRoot::S3(location) => Place::s3(location),
    }
}

/// Where a run writes, and what it does when space is low: only a tail pauses. A backfill stops,
/// because somebody waits for its end and must know. `kept` is what it must not delete beside its
/// state and the pipeline `file`.
pub(super) fn guarded(
    common: &Common,
    root: &LakeRoot,
    mode: Mode,
    kept: Vec<PathBuf>,
    file: &Path,
) -> space::Settings {
    let lake = match root {
        LakeRoot::File(root) => Guarded { name: "lake", path: root.clone() },
        LakeRoot::Azure(_) | LakeRoot::S3(_) => Guarded { name: "scratch", path: std::env::temp_dir() },
    };
    let watched = vec![Guarded { name: "state", path: common.state_folder() }, lake];
    let on_low = match mode {
        Mode::Tail => common.disk.on_low,
        Mode::Backfill => OnLow::Stop,
    };
    let kept = [vec![common.state_folder()], kept, vec![file.to_owned()]].concat();
    space::Settings { watched, min_free: common.disk.min_free, on_low, clean: common.disk.clean.clone(), kept }
}
