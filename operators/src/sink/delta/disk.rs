//! Files on a local disk, durable before they count.
//!
//! A file is created under its name only once its content is on disk: written and synced under a temporary name, then
//! hard-linked. A link fails if the name exists, which makes it a conditional write, and never shows a torn file. The directory
//! is synced after it. A full disk or a missing permission is a definite failure; nothing here has an unknown outcome.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::StoreError;
use crate::protocol::table::Created;

/// Temporary files begin like this; `_` keeps readers and vacuum away from them.
const TEMPORARY: &str = "_lakefront_tmp_";

/// Creates `path` with `content`, durably, unless it exists. Its directory must exist.
pub(super) fn create(path: &Path, content: &[u8]) -> Result<Created, StoreError> {
    let failed = |error: io::Error| StoreError::definite(format!("create {}", path.display()), error);
    let parent = path.parent().unwrap_or(Path::new("."));
    let temporary = parent.join(format!("{TEMPORARY}{}", Uuid::new_v4()));
    let linked = write_synced(&temporary, content).and_then(|()| {
        fail::fail_point!("disk-written");
        fs::hard_link(&temporary, path)
    });
    fail::fail_point!("disk-linked");
    // Whatever became of the link, the temporary name has served; a failure to remove it costs space only.
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => {
            sync_directory(parent).map_err(failed)?;
            Ok(Created::Yes)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // The other writer may not have synced it yet; what we act upon must not vanish with the power.
            sync_directory(parent).map_err(failed)?;
            Ok(Created::No)
        }
        Err(error) => Err(failed(error)),
    }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Reads a whole file; none if there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::definite(format!("read {}", path.display()), error)),
    }
}

/// The names in a directory; none if there is no directory.
pub(super) fn names(directory: &Path) -> Result<Vec<String>, StoreError> {
    let failed = |error: io::Error| StoreError::definite(format!("list {}", directory.display()), error);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        // A name that is not UTF-8 is none of ours.
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    Ok(names)
}

/// Deletes a file; one that is gone already is no error.
pub(super) fn delete(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::definite(format!("delete {}", path.display()), error))
        }
        _ => Ok(()),
    }
}

/// Creates a directory and its parents, durably.
pub(super) fn create_directories(directory: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| StoreError::definite(format!("create directory {}", directory.display()), error);
    let missing: Vec<PathBuf> = directory.ancestors().take_while(|d| !d.exists()).map(Path::to_owned).collect();
    fs::create_dir_all(directory).map_err(failed)?;
    fail::fail_point!("disk-directories-created");
    for created in missing.iter().rev() {
        let parent = created.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_directory(parent).map_err(failed)?;
    }
    Ok(())
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_created_once_and_keeps_its_first_content() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("a");
        assert_eq!(create(&path, b"first").expect("created"), Created::Yes);
        assert_eq!(create(&path, b"second").expect("looked"), Created::No);
        assert_eq!(read(&path).expect("readable").as_deref(), Some(&b"first"[..]));
        assert_eq!(names(dir.path()).expect("listable"), ["a"], "no temporary file stays");
    }

    #[test]
    fn a_missing_directory_is_a_definite_failure() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let error = create(&dir.path().join("gone/a"), b"").expect_err("no such directory");
        assert!(!error.is_transient());
    }
}
