//! What the folders of a source hold, remembered from look to look: a folder that did not change is
//! not read again, so that an idle look costs one call per folder and file.
//!
//! Adding, removing or renaming a file changes its folder's times. They move in ticks, so a folder
//! is read at every look until they have stood still for [`SETTLED`]; only what is read then is
//! remembered. Network file systems, and those that only look like a file system, may report old or
//! made-up times, so their folders are read at every look.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::run::clock::Stopwatch;

/// Longer than the ticks of any trusted file system.
const SETTLED: Duration = Duration::from_secs(3);

/// Ext, XFS, Btrfs, F2FS, ZFS, tmpfs and overlays of them, by the numbers that `statfs` returns.
const TRUSTED: [u64; 7] = [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x2FC1_2FC1, 0x0102_1994, 0x794C_7630];

/// A remembered folder with at least this many files is kept open, because each look asks for all
/// of them.
const MANY: usize = 32;

/// Folders kept open at most: a process may open 1,024 files on most systems.
const MOST_OPEN: usize = 64;

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// The folder, if it is kept open.
    pub(super) open: Option<OwnedFd>,
    /// Folders in it, but not links to folders.
    pub(super) folders: Vec<PathBuf>,
    /// Everything else.
    pub(super) files: Vec<Entry>,
}

/// An entry that may be a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path.
    pub(super) path: PathBuf,
    /// Whether it is a link.
    pub(super) is_link: bool,
    /// Its inode.
    pub(super) inode: u64,
}

/// A folder as it was read.
struct Folder {
    times: Times,
    /// Started when these times were first seen.
    since: Stopwatch,
    /// Whether the times had settled when it was read.
    settled: bool,
    entries: Arc<Entries>,
}

/// Times and identity of a folder. They change with the folder's contents.
#[derive(PartialEq, Eq)]
struct Times([i64; 4], [u64; 2]);

impl Times {
    fn of(metadata: &Metadata) -> Times {
        let changed = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
        Times(changed, [metadata.dev(), metadata.ino()])
    }
}

/// The folders of one source.
pub(super) struct Folders {
    /// [`SETTLED`], except in tests.
    settled: Duration,
    known: HashMap<PathBuf, Folder>,
    /// The folders that the current look has reached; the others are forgotten when it ends.
    seen: HashMap<PathBuf, Folder>,
    /// Whether the times of a folder's file system can be relied on.
    is_trusted: fn(&Path) -> bool,
}

impl Default for Folders {
    fn default() -> Self {
        Folders { settled: SETTLED, known: HashMap::new(), seen: HashMap::new(), is_trusted }
    }
}

impl Folders {
    /// What `folder` holds now; `None` if it is gone or no longer a folder.
    pub(super) fn read(&mut self, folder: &Path) -> io::Result<Option<Arc<Entries>>> {
        let metadata = match fs::symlink_metadata(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            metadata => metadata?,
        };
        if !metadata.is_dir() {
            return Ok(None);
        }
        let times = Times::of(&metadata);
        // The name moves from look to look together with what is known about the folder.
        let (name, known) = match self.known.remove_entry(folder) {
            Some((name, known)) if known.times == times => (name, Some(known)),
            Some((name, _)) => (name, None),
            None => (folder.to_owned(), None),
        };
        let now = match known {
            Some(known) if known.settled => known,
            known => {
                let since = known.map_or_else(Stopwatch::start, |known| known.since);
                let settled = since.elapsed() >= self.settled && (self.is_trusted)(folder);
                let mut entries = match entries(folder) {
                    Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                    entries => entries?,
                };
                if settled && entries.files.len() >= MANY && self.open() < MOST_OPEN {
                    // If this fails, the files are asked for by their paths.
                    entries.open = fs::File::open(folder).ok().map(OwnedFd::from);
                }
                let entries = Arc::new(entries);
                Folder { times, since, settled, entries }
            }
        };
        let entries = now.entries.clone();
        self.seen.insert(name, now);
        Ok(Some(entries))
    }

    /// How many folders are open.
    fn open(&self) -> usize {
        self.known.values().chain(self.seen.values()).filter(|folder| folder.entries.open.is_some()).count()
    }

    /// Ends a look: the folders that it did not reach are forgotten.
    pub(super) fn end_look(&mut self) {
        self.known = std::mem::take(&mut self.seen);
    }

    /// The folders that the last look reached.
    pub(super) fn known(&self) -> impl Iterator<Item = &Path> {
        self.known.keys().map(PathBuf::as_path)
    }
}

/// Whether the times of `folder`'s file system can be relied on. Checked anew for each folder,
/// because another file system may have been mounted meanwhile under the number of one that is
/// gone.
fn is_trusted(folder: &Path) -> bool {
    let kind = rustix::fs::statfs(folder).ok().and_then(|system| u64::try_from(system.f_type).ok());
    kind.is_some_and(|kind| TRUSTED.contains(&kind))
}

/// What `folder` holds at this moment.
pub(super) fn entries(folder: &Path) -> io::Result<Entries> {
    let mut found = Entries::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = match entry.file_type() {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            kind => kind?,
        };
        match kind.is_dir() {
            true => found.folders.push(entry.path()),
            false => {
                let (path, is_link, inode) = (entry.path(), kind.is_symlink(), entry.ino());
                found.files.push(Entry { path, is_link, inode });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
