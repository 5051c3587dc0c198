//! What belongs to the run, so that a clean-up leaves it alone under whatever name it is reached.
//!
//! A folder can be reached by links and by mounts that comparing paths would not reveal. So the
//! run's folders are walked: each is identified by its inode, and each link in them by its target.
//! What may not be listed is passed over, because the run cannot list it either; after any other
//! failure nothing is deleted. Two mounts of one network folder may have different devices, and
//! nothing shows here that they are the same.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::clean::Clean;

/// How the system identifies a file or folder: its device, and its number there.
pub(super) type Inode = (u64, u64);

/// The files that this process has open, what is in `kept`, and all folders below that. Fails if
/// anything in `kept`, or the target of a link in it, contains `clean`'s folder or lies in it.
pub(super) fn own(clean: &Clean, kept: &[PathBuf]) -> io::Result<HashSet<Inode>> {
    let mut own = Own { clean, inodes: open_files() };
    for path in kept {
        // What does not exist yet is compared by its name only.
        let real = fs::canonicalize(path).or_else(|_| std::path::absolute(path))?;
        own.refuse(&real, path)?;
        match fs::symlink_metadata(&real) {
            Ok(metadata) => {
                own.inodes.insert((metadata.dev(), metadata.ino()));
                if metadata.is_dir() {
                    own.walk(&real)?;
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(own.inodes)
}

struct Own<'a> {
    clean: &'a Clean,
    inodes: HashSet<Inode>,
}

impl Own<'_> {
    fn refuse(&self, real: &Path, known_as: &Path) -> io::Result<()> {
        match self.clean.touches(real)? {
            true => Err(io::Error::other(format!("it holds or lies in {}, which the run needs", known_as.display()))),
            false => Ok(()),
        }
    }

    fn walk(&mut self, folder: &Path) -> io::Result<()> {
        let mut left = vec![folder.to_owned()];
        while let Some(folder) = left.pop() {
            let entries = match unless_gone(fs::read_dir(&folder)) {
                Ok(Some(entries)) => entries,
                Ok(None) => continue,
                // Such as lost+found.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_symlink() {
                    // A link that leads nowhere protects nothing.
                    if let Ok(real) = fs::canonicalize(entry.path()) {
                        self.refuse(&real, &entry.path())?;
                    }
                } else if kind.is_dir()
                    && let Some(metadata) = unless_gone(fs::symlink_metadata(entry.path()))?
                {
                    self.inodes.insert((metadata.dev(), metadata.ino()));
                    left.push(entry.path());
                }
            }
        }
        Ok(())
    }
}

/// The files that this process has open, such as its log file; none where the kernel does not list
/// them.
fn open_files() -> HashSet<Inode> {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let files = open.filter_map(|entry| fs::metadata(entry.path()).ok()).filter(fs::Metadata::is_file);
    files.map(|metadata| (metadata.dev(), metadata.ino())).collect()
}

/// `None` if it is gone, because the run makes and deletes files meanwhile.
fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
