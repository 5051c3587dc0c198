//! The file system's metadata of a file. Asking by name in an open folder is one short call: no
//! path is walked.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, StatxFlags, makedev, statx};
use rustix::io::Errno;

use super::created;
use crate::source::files::Listed;

/// The metadata of a file; for a link, of its target.
pub(super) struct Stat {
    /// Whether it is a regular file, not a folder, pipe or device.
    pub(super) is_file: bool,
    created: String,
    length: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl Stat {
    /// Reads the metadata of the file at `path`, through its `folder` if that is open.
    pub(super) fn of(path: &Path, folder: Option<&OwnedFd>) -> io::Result<Stat> {
        match folder.zip(path.file_name()) {
            Some((folder, name)) => match Stat::within(folder, name) {
                // A kernel before 4.11, or a sandbox that does not know the call.
                Err(error)
                    if [Errno::NOSYS, Errno::PERM].map(io::Error::from).map(|e| e.kind()).contains(&error.kind()) =>
                {
                    Ok(Stat::from(&std::fs::metadata(path)?))
                }
                stat => stat,
            },
            None => Ok(Stat::from(&std::fs::metadata(path)?)),
        }
    }

    fn within(folder: &OwnedFd, name: &OsStr) -> io::Result<Stat> {
        let wanted = StatxFlags::TYPE | StatxFlags::INO | StatxFlags::SIZE | StatxFlags::MTIME | StatxFlags::BTIME;
        let told = statx(folder, name, AtFlags::empty(), wanted)?;
        let has_birth = told.stx_mask & StatxFlags::BTIME.bits() != 0;
        let birth = has_birth.then_some((told.stx_btime.tv_sec, told.stx_btime.tv_nsec));
        Ok(Stat {
            is_file: FileType::from_raw_mode(told.stx_mode.into()) == FileType::RegularFile,
            created: created(makedev(told.stx_dev_major, told.stx_dev_minor), told.stx_ino, birth),
            length: told.stx_size,
            modified: (told.stx_mtime.tv_sec, told.stx_mtime.tv_nsec.into()),
        })
    }

    /// The file as a listing shows it under `name`.
    pub(super) fn listed(self, name: String) -> Listed {
        let Stat { created, length, modified: (seconds, nanoseconds), .. } = self;
        let revision = format!("{seconds}.{nanoseconds:09}-{length}");
        // No `modified_ms`, because anybody can set a file's times.
        Listed { name, created, length, revision, modified_ms: None }
    }
}

impl From<&Metadata> for Stat {
    fn from(metadata: &Metadata) -> Stat {
        Stat {
            is_file: metadata.is_file(),
            created: created_of(metadata),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Whether a `created` text has a birth time, and so can only be that of one file.
pub(super) fn has_birth(created: &str) -> bool {
    !created.ends_with(":0")
}

/// The `created` text of the file that has this `metadata`.
pub(super) fn created_of(metadata: &Metadata) -> String {
    let birth = metadata.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let birth = birth.map(|at| (i64::try_from(at.as_secs()).unwrap_or(0), at.subsec_nanos()));
    created(metadata.dev(), metadata.ino(), birth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_asking_get_one_answer() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("a");
        std::fs::write(&path, b"x\n").expect("a file");
        std::os::unix::fs::symlink("a", folder.path().join("link")).expect("a link");
        let open = OwnedFd::from(std::fs::File::open(folder.path()).expect("the folder"));
        for name in ["a", "link"] {
            let path = folder.path().join(name);
            let asked = [None, Some(&open)].map(|folder| Stat::of(&path, folder).expect("it is there"));
            let [by_path, by_folder] = asked.map(|stat| (stat.is_file, stat.listed("a".to_owned())));
            assert_eq!(by_path, by_folder);
        }
        assert!(!Stat::of(folder.path(), None).expect("it is there").is_file);
        let gone = Stat::of(&folder.path().join("b"), Some(&open)).err().expect("it is not there");
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }
}
