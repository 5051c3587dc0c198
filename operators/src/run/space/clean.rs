//! Deletes old files in a folder, and nothing else.
//!
//! Nothing is reached through a link: each component of the folder's path and each folder below it
//! is opened from the one above and refused if it is a link, and names are deleted relative to the
//! open folder. So swapping a folder for a link meanwhile does not lead outside. Only regular files
//! are deleted, only on the folder's own file system and in no folder that is mounted below it,
//! only when neither content nor inode has changed for long enough (`touch` can set the time of the
//! content, but nobody can set that of the inode), and never the run's own. Folders stay, even
//! empty ones, because whoever made them may rely on them.

use std::collections::HashSet;
use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, StatxFlags, fstat, openat, statat, statx, unlinkat};

use super::own::{Inode, own};
use crate::error::StoreError;

/// Folders below this depth are left alone, because each level holds a file descriptor.
const DEPTH: usize = 64;

/// A folder whose old files may go when space is low.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clean {
    /// The folder, with everything below it.
    pub dir: PathBuf,
    /// Files that changed more recently than this are left.
    pub older_than: Duration,
}

/// What was deleted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Deleted {
    pub(super) files: u64,
    /// The space they took on disk; a file with another name still takes it.
    pub(super) bytes: u64,
}

/// Deletes what `clean` names as of `now_ms`, and nothing of `kept`. Returns what was deleted, and
/// the first failure.
pub(super) fn clean(clean: &Clean, kept: &[PathBuf], now_ms: u64) -> (Deleted, Option<StoreError>) {
    let (kept, mount, dir) = match begin(clean, kept) {
        Ok(begun) => begun,
        Err(error) => return (Deleted::default(), Some(clean.failed(error))),
    };
    let before_ms = now_ms.saturating_sub(clean.older_than_ms());
    let mut sweep = Sweep { before_ms, mount, kept, deleted: Deleted::default(), failed: None };
    sweep.folder(&dir, 0);
    (sweep.deleted, sweep.failed.map(|error| clean.failed(error)))
}

impl Clean {
    /// Makes the checks that a clean-up with the same `kept` begins with. Nothing is deleted.
    pub fn look(&self, kept: &[PathBuf]) -> Result<(), StoreError> {
        begin(self, kept).map(drop).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> StoreError {
        StoreError::definite(format!("clean {}", self.dir.display()), error)
    }
}

/// What is left alone, the mount to stay on, and the folder, after a check that it is not the run's
/// own under another name.
fn begin(clean: &Clean, kept: &[PathBuf]) -> io::Result<(HashSet<Inode>, Mount, OwnedFd)> {
    let (dir, kept) = (open(&clean.dir)?, own(clean, kept)?);
    if kept.contains(&inode(&fstat(&dir)?)) {
        return Err(io::Error::other("it is a folder that the run needs, mounted in a second place"));
    }
    Ok((kept, mount(&dir)?, dir))
}

/// Opens a folder without following any link.
fn open(path: &Path) -> io::Result<OwnedFd> {
    let path = std::path::absolute(path)?;
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder = rustix::fs::open("/", step, Mode::empty())?;
    for component in path.components() {
        match component {
            Component::RootDir => {}
            Component::Normal(name) => folder = openat(&folder, name, step, Mode::empty())?,
            _ => return Err(io::Error::other("its path has \"..\" in it")),
        }
    }
    below(&folder, c".")
}

/// Opens the folder called `name` in `folder` for reading, unless it is a link.
fn below(folder: &OwnedFd, name: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(folder, name, flags, Mode::empty())?)
}

fn inode(stat: &Stat) -> Inode {
    (stat.st_dev, stat.st_ino)
}

/// A file system and a mount: one file system can be mounted in several places, the lake's folder
/// among them. Before kernel 5.8, mounts are distinguished by file system only.
type Mount = (u64, u64);

fn mount(folder: &OwnedFd) -> io::Result<Mount> {
    let mount = statx(folder, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).map_or(0, |known| known.stx_mnt_id);
    Ok((fstat(folder)?.st_dev, mount))
}

/// When the content or the inode last changed, whichever is later, in milliseconds since 1970.
fn changed_ms(stat: &Stat) -> i128 {
    let ms = |seconds: i128, nanos: i128| seconds * 1_000 + nanos / 1_000_000;
    let content = ms(stat.st_mtime.into(), stat.st_mtime_nsec.into());
    content.max(ms(stat.st_ctime.into(), stat.st_ctime_nsec.into()))
}

struct Sweep {
    before_ms: u64,
    mount: Mount,
    kept: HashSet<Inode>,
    deleted: Deleted,
    failed: Option<io::Error>,
}

impl Sweep {
    fn folder(&mut self, folder: &OwnedFd, depth: usize) {
        let entries = match Dir::read_from(folder) {
            Ok(entries) => entries,
            Err(error) => return self.fail(error.into()),
        };
        for entry in entries {
            let swept = entry.map_err(io::Error::from).and_then(|entry| match entry.file_name().to_bytes() {
                b"." | b".." => Ok(()),
                _ => self.entry(folder, entry.file_name(), depth),
            });
            match swept {
                // Others may delete files too.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.fail(error),
                Ok(()) => {}
            }
        }
    }

    fn entry(&mut self, folder: &OwnedFd, name: &CStr, depth: usize) -> io::Result<()> {
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if depth < DEPTH => {
                let inner = below(folder, name)?;
                // The open folder is checked, because the name may belong to another one by now.
                if mount(&inner)? == self.mount && !self.kept.contains(&inode(&fstat(&inner)?)) {
                    self.folder(&inner, depth + 1);
                }
            }
            FileType::RegularFile
                if !self.kept.contains(&inode(&stat)) && changed_ms(&stat) <= self.before_ms.into() =>
            {
                unlinkat(folder, name, AtFlags::empty())?;
                self.deleted.files += 1;
                self.deleted.bytes += u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
            }
            _ => {}
        }
        Ok(())
    }

    fn fail(&mut self, error: io::Error) {
        self.failed.get_or_insert(error);
    }
}

#[cfg(test)]
mod tests;
