//! The source as it is: files on a disk or blobs, and how runs are told to read them.

use std::collections::BTreeSet;

use crate::lines::files::File;
use crate::rng::Rng;
use crate::world::{START_MS, TICK_MS};

/// The source: files on a disk, or blobs.
pub(crate) struct Folder {
    pub(crate) files: Vec<File>,
    /// Files that can be brought back.
    pub(crate) deleted: Vec<File>,
    /// Names under which there was more than one file.
    pub(crate) reused: BTreeSet<String>,
    /// Names of files that changed when they may have been taken for finished.
    pub(crate) suspects: BTreeSet<String>,
    /// How long a file must be quiet to be taken for finished, and the shortest that this ever was.
    pub(crate) quiet_ms: u64,
    pub(crate) quiet_least_ms: u64,
    /// Whether writers leave a file alone once it may be taken for finished.
    pub(crate) punctual: bool,
    /// Whether the files lie on a disk, where they can be renamed and the store has no clock.
    pub(crate) on_disk: bool,
    /// Whether the schedule is long and has many files.
    pub(crate) turnover: bool,
    /// Whether `cold_start` is the end of every file.
    pub(crate) latest: bool,
    /// `on_rewrite = "restart"`.
    pub(crate) restart: bool,
}

impl Folder {
    pub(crate) fn new(rng: &mut Rng) -> Folder {
        let files = (1..=rng.pick(&[1, 2, 2, 3])).map(|i| File::new(format!("f{i}"), i, START_MS)).collect();
        let (latest, punctual) = (rng.chance(0.3), rng.chance(0.6));
        let quiet_ms = some_quiet(rng);
        let turnover = rng.chance(0.4);
        let on_disk = rng.chance(0.35);
        Folder {
            files,
            deleted: Vec::new(),
            reused: BTreeSet::new(),
            suspects: BTreeSet::new(),
            quiet_ms,
            quiet_least_ms: quiet_ms,
            punctual,
            on_disk,
            turnover,
            latest,
            restart: false,
        }
    }
}

/// How long files must be quiet: mostly so short that many are finished within a schedule.
pub(crate) fn some_quiet(rng: &mut Rng) -> u64 {
    let (low, high) = rng.pick(&[(1, 4), (2, 12), (5, 40)]);
    rng.between(low, high) * TICK_MS
}
