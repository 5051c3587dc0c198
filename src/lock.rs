//! A lock beside the state file: a courtesy that makes a second start on the same host refuse at once.
//!
//! It is not what keeps rows single. That is the claim in the tables, which works across hosts.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The lock, held until it is dropped or the process ends.
pub(crate) struct Lock {
    _file: File,
}

/// Another process holds the lock.
#[derive(Debug)]
pub(crate) struct Held {
    path: PathBuf,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "another run of this pipeline is alive on this host (it holds {}): stop it, or start with --take-over to fence it",
            self.path.display()
        )
    }
}

impl std::error::Error for Held {}

/// Takes the lock of `state_file`. With `take_over`, a holder is left to be fenced by the claim, and its lock is taken when it ends.
pub(crate) fn take(state_file: &Path, take_over: bool) -> anyhow::Result<Option<Lock>> {
    let path = path(state_file);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("could not create the state file's directory {}", directory.display()))?;
    }
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("could not open the lock {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) if take_over => {
            inherit(file);
            Ok(None)
        }
        Err(TryLockError::WouldBlock) => Err(Held { path }.into()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("could not lock {}", path.display())),
    }
}

/// Where the lock of `state_file` is.
pub(crate) fn path(state_file: &Path) -> PathBuf {
    let mut path = state_file.as_os_str().to_owned();
    path.push(".lock");
    PathBuf::from(path)
}

/// Waits for the lock in the background and keeps it to the end of the process, so that a third start is refused.
fn inherit(file: File) {
    let wait = move || match file.lock() {
        Ok(()) => std::mem::forget(file),
        Err(error) => {
            tracing::warn!(%error, "no lock beside the state file; the claim in the tables holds all the same")
        }
    };
    if let Err(error) = std::thread::Builder::new().name("lakefront-lock".to_owned()).spawn(wait) {
        tracing::warn!(%error, "no lock beside the state file; the claim in the tables holds all the same");
    }
}
