//! Log checkpoints: written by the `deltalake` crate, published by us.
//!
//! The library gives a file its name before its content is on disk; after a power cut in between,
//! nobody could open the table. So it works on a scratch log of hard links. What it wrote is synced
//! first, then linked into the real log, and only then named in `_last_checkpoint`. A blob is whole
//! and durable once it has its name, so there the library writes into the log itself.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use deltalake::logstore::LogStoreRef;
use deltalake::{DeltaTableError, kernel};
use uuid::Uuid;

use super::log;
use crate::error::StoreError;
use crate::protocol::names::Version;
use crate::sink::files::{Blobs, Place, blocking, disk};

/// Scratch logs are folders of `_lakefront` with this prefix; no pipeline's name has it.
const SCRATCH: &str = "_checkpoint-";
/// Names the newest checkpoint, so that readers need not search for it.
const HINT: &str = "_last_checkpoint";

/// Why the library cannot make a checkpoint of a log.
const UNROOTED: &str = "the log has neither a whole checkpoint nor its first commit";

/// Writes the log checkpoint of `version` of the table in `place`.
pub(super) async fn write(place: &Place, version: Version) -> Result<(), StoreError> {
    match place {
        Place::Disk(directory) => write_on_disk(directory, version).await,
        Place::Blobs(blobs) => write_on_blobs(blobs, version).await,
    }
}

/// Removes the scratch logs that killed runs have left. If a live one is removed, its run loses
/// that checkpoint and nothing else.
pub(super) async fn sweep(place: &Place) -> Result<(), StoreError> {
    let Place::Disk(directory) = place else { return Ok(()) };
    let parent = directory.join("_lakefront");
    blocking(move || {
        for name in disk::names(&parent)?.iter().filter(|name| name.starts_with(SCRATCH)) {
            // Another start may be sweeping too; what stays costs only a little space.
            let _ = fs::remove_dir_all(parent.join(name));
        }
        Ok(())
    })
    .await
}

async fn write_on_blobs(table: &Blobs, version: Version) -> Result<(), StoreError> {
    let attempt = || format!("write log checkpoint {} of {table}", version.0);
    let is_root = move |name: &str| is_first(name) || whole(name).is_some_and(|at| at <= version.0);
    if !table.join("_delta_log").holds(&is_root).await? {
        return Err(StoreError::definite(attempt(), UNROOTED));
    }
    fail::fail_point!("log-checkpoint-begun");
    create(&table.log_store(), version).await.map_err(|e| table.library_failure(attempt(), &e))?;
    fail::fail_point!("log-checkpoint-written");
    Ok(())
}

/// Makes the kernel's own checkpoint: the kernel streams the files from the log, while the library
/// would first load them all.
async fn create(store: &LogStoreRef, version: Version) -> Result<(), DeltaTableError> {
    let snapshot = kernel::Snapshot::try_new(&**store, Some(version.0)).await?;
    let scan = snapshot.scan_builder().build()?;
    scan.snapshot().checkpoint(&*store.engine(None), None)?;
    Ok(())
}

async fn write_on_disk(directory: &Path, version: Version) -> Result<(), StoreError> {
    let scratch = directory.join("_lakefront").join(format!("{SCRATCH}{}", Uuid::new_v4()));
    let written = write_in(directory, &scratch, version).await;
    let removed = fs::remove_dir_all(&scratch);
    written?;
    removed.map_err(|e| StoreError::definite(format!("remove {}", scratch.display()), e))
}

async fn write_in(directory: &Path, scratch: &Path, version: Version) -> Result<(), StoreError> {
    let attempt = || format!("write log checkpoint {} of {}", version.0, directory.display());
    let (log, copy) = (directory.join("_delta_log"), scratch.join("_delta_log"));
    let linked = fs::create_dir_all(&copy).and_then(|()| link_log(&log, &copy, version));
    let linked = linked.map_err(|e| StoreError::definite(attempt(), e))?;
    fail::fail_point!("log-checkpoint-begun");
    let store = Place::Disk(scratch.to_owned()).log_store()?;
    create(&store, version).await.map_err(|e| StoreError::definite(attempt(), e))?;
    fail::fail_point!("log-checkpoint-written");
    // A sweep only removes files, so the library has seen all that are still there.
    if !linked.iter().all(|path| path.exists()) {
        return Err(StoreError::definite(attempt(), "another start has swept the scratch log"));
    }
    publish(&copy, &log, version).map_err(|e| StoreError::definite(attempt(), e))
}

/// The version in the name of a log's file.
fn number(name: &str) -> Option<u64> {
    name.get(..20)?.parse().ok()
}

/// The version of a checkpoint in one file, which is either whole or absent.
fn whole(name: &str) -> Option<u64> {
    number(name).filter(|_| name.get(20..) == Some(".checkpoint.parquet"))
}

fn is_first(name: &str) -> bool {
    name == log::file_name(Version(0))
}

/// Links what the state of the table at `version` depends on: the newest whole checkpoint, and the
/// commits from there on.
///
/// The library assumes that a log without a checkpoint begins at its first commit, so it must not
/// see a log that has lost its root. A checkpoint in several parts may be incomplete, so it is
/// linked but not relied upon.
fn link_log(log: &Path, copy: &Path, version: Version) -> io::Result<Vec<PathBuf>> {
    let names: Vec<String> = fs::read_dir(log)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    let newest = names.iter().filter_map(|name| whole(name)).filter(|at| *at <= version.0).max();
    if newest.is_none() && !names.iter().any(|name| is_first(name)) {
        return Err(io::Error::other(UNROOTED));
    }
    let wanted = newest.unwrap_or(0)..=version.0;
    let mut linked = Vec::new();
    for name in names.iter().filter(|name| number(name).is_some_and(|n| wanted.contains(&n))) {
        let (from, to) = (log.join(name), copy.join(name));
        match fs::hard_link(&from, &to) {
            // Where the system protects links, files of another user may be read but not linked.
            Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::CrossesDevices) => {
                fs::copy(&from, &to)?;
            }
            done => done?,
        }
        linked.push(to);
    }
    Ok(linked)
}

fn publish(copy: &Path, log: &Path, version: Version) -> io::Result<()> {
    let prefix = format!("{:020}.checkpoint", version.0);
    let mut published = false;
    for entry in fs::read_dir(copy)? {
        let name = entry?.file_name();
        if !name.to_string_lossy().starts_with(&prefix) {
            continue;
        }
        let written = copy.join(&name);
        File::open(&written)?.sync_all()?;
        match fs::hard_link(&written, log.join(&name)) {
            // Another writer has made the same checkpoint.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            linked => linked?,
        }
        published = true;
    }
    if !published {
        return Err(io::Error::new(ErrorKind::NotFound, "the checkpoint is gone from the scratch log"));
    }
    disk::sync_directory(log)?;
    let hint = copy.join(HINT);
    if !hint.exists() {
        // The checkpoint existed already, and its writer has named it.
        return Ok(());
    }
    File::open(&hint)?.sync_all()?;
    fs::rename(&hint, log.join(HINT))?;
    disk::sync_directory(log)
}

#[cfg(test)]
mod tests;
