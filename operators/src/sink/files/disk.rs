//! Files on a local disk, durable before they count.
//!
//! A file gets its name only once its content is on disk: it is written and synced under a
//! temporary name, then hard-linked, and then the directory is synced. A link fails if the name
//! exists, so it is a conditional write, and it never shows a torn file. A full disk or a missing
//! permission is a definite failure; nothing here has an unknown outcome.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::StoreError;
use crate::protocol::group::Created;

/// The prefix of temporary files; `_` keeps readers and vacuum away from them.
const TEMPORARY: &str = "_lakefront_tmp_";

/// Creates `path` with `content`, durably, unless it exists. Its directory must exist.
pub(in crate::sink) fn create(path: &Path, content: &[u8]) -> Result<Created, StoreError> {
    let failed = |error: io::Error| StoreError::definite(format!("create {}", path.display()), error);
    let parent = path.parent().unwrap_or(Path::new("."));
    let temporary = parent.join(format!("{TEMPORARY}{}", Uuid::new_v4()));
    let linked = write_synced(&temporary, content).and_then(|()| {
        fail::fail_point!("disk-written");
        fs::hard_link(&temporary, path)
    });
    fail::fail_point!("disk-linked");
    // Whether or not the link succeeded, the temporary name is no longer needed. Failing to remove
    // it costs only space.
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => {
            sync_directory(parent).map_err(failed)?;
            Ok(Created::Yes)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // The other writer may not have synced it yet, but what we act upon must survive a
            // power cut.
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
pub(in crate::sink) fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::definite(format!("read {}", path.display()), error)),
    }
}

/// The names in a directory; none if there is no directory.
pub(in crate::sink) fn names(directory: &Path) -> Result<Vec<String>, StoreError> {
    let failed = |error: io::Error| StoreError::definite(format!("list {}", directory.display()), error);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        // A name that is not UTF-8 is not one of ours.
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    Ok(names)
}

/// Deletes a file; it is no error if it is gone already.
pub(in crate::sink) fn delete(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::definite(format!("delete {}", path.display()), error))
        }
        _ => Ok(()),
    }
}

/// Creates a directory and its parents, durably.
pub(in crate::sink) fn create_directories(directory: &Path) -> Result<(), StoreError> {
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
pub(in crate::sink) fn sync_directory(directory: &Path) -> io::Result<()> {
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
