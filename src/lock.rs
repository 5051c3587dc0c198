//! A lock next to the state file, so that a second start on the same host is refused at once.
//!
//! It is a courtesy. Exactly once rests on the claim in the tables, which works across hosts.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use lakefront_operators::run::state;

use crate::config::ConfigError;

/// The lock, held until it is dropped or the process ends.
pub(crate) struct Lock {
    _file: File,
}

/// Another process holds the lock.
#[derive(Debug)]
pub(crate) struct HeldElsewhere {
    path: PathBuf,
}

impl fmt::Display for HeldElsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "another run of this pipeline is alive on this host (it holds {}): stop it, or start with --take-over to fence it",
            self.path.display()
        )
    }
}

impl std::error::Error for HeldElsewhere {}

/// Takes the lock of `state_file` for `pipeline`. With `take_over`, a lock that is held is no
/// error: the claim fences its holder, and the lock is taken once the holder ends. A run of another
/// pipeline would not be fenced, so its lock, known by the name in it, is always refused.
pub(crate) fn take(state_file: &Path, pipeline: &str, take_over: bool) -> anyhow::Result<Option<Lock>> {
    let path = path(state_file);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("could not create the state file's directory {}", directory.display()))?;
    }
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .with_context(|| format!("could not open the lock {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {
            sign(&file, pipeline);
            Ok(Some(Lock { _file: file }))
        }
        Err(TryLockError::WouldBlock) => match owner(state_file).filter(|owner| owner != pipeline) {
            Some(other) => Err(shared(state_file, &other).into()),
            None if take_over => {
                inherit(file, pipeline.to_owned());
                Ok(None)
            }
            None => Err(HeldElsewhere { path }.into()),
        },
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("could not lock {}", path.display())),
    }
}

/// Two pipelines name one state file.
fn shared(state_file: &Path, other: &str) -> ConfigError {
    ConfigError::field(
        "source.state_file",
        format!(
            "{state_file:?} is in use by a run of pipeline {other:?}, which is alive on this host: give each pipeline a state file of its own"
        ),
    )
}

/// Writes the pipeline's name into the lock. A failure is harmless: after the first commit the
/// state file has the name too.
fn sign(file: &File, pipeline: &str) {
    let name = format!("{pipeline}\n");
    let signed = file.set_len(0).and_then(|()| file.write_all_at(name.as_bytes(), 0));
    if let Err(error) = signed {
        tracing::debug!(%error, "could not write the pipeline's name into the lock");
    }
}

/// The pipeline that holds the lock of `state_file`, or held it last; `None` if neither the lock
/// nor the state file names one.
pub(crate) fn owner(state_file: &Path) -> Option<String> {
    let mut name = String::new();
    let read = File::open(path(state_file)).and_then(|file| file.take(1_000).read_to_string(&mut name));
    let signed = read.ok().map(|_| name.trim().to_owned()).filter(|name| !name.is_empty());
    signed.or_else(|| state::read(state_file).ok().flatten().map(|known| known.run.pipeline))
}

/// The path of the lock of `state_file`.
pub(crate) fn path(state_file: &Path) -> PathBuf {
    let mut path = state_file.as_os_str().to_owned();
    path.push(".lock");
    PathBuf::from(path)
}

/// The process that holds the lock of `state_file`; `None` if no process on this host does, or if
/// the system does not show it: some file systems, such as btrfs and overlayfs, report another
/// device for the file than the list of locks has.
pub(crate) fn holder(state_file: &Path) -> Option<u32> {
    let lock = std::fs::metadata(path(state_file)).ok()?;
    let device = (rustix::fs::major(lock.dev()), rustix::fs::minor(lock.dev()));
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| of_line(line, device, lock.ino()))
}

/// A line is `1: FLOCK  ADVISORY  WRITE 5105 fe:00:1234 0 EOF`: the process, then device and inode
/// of the locked file. A process that waits has an arrow after the number, and one of another
/// container is shown as process 0.
fn of_line(line: &str, device: (u32, u32), inode: u64) -> Option<u32> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, "FLOCK", _, _, process, file, ..] = fields[..] else { return None };
    let mut file = file.split(':');
    let number = |text: &str| u32::from_str_radix(text, 16).ok();
    let locked = (number(file.next()?)?, number(file.next()?)?);
    let is_it = locked == device && file.next()?.parse() == Ok(inode);
    process.parse().ok().filter(|process| is_it && *process > 0)
}

/// Waits for the lock in the background and keeps it until the process ends, so that a third start
/// is refused.
fn inherit(file: File, pipeline: String) {
    let wait = move || match file.lock() {
        Ok(()) => {
            sign(&file, &pipeline);
            std::mem::forget(file);
        }
        Err(error) => {
            tracing::warn!(%error, "no lock next to the state file; the claim in the tables protects the run anyway")
        }
    };
    if let Err(error) = std::thread::Builder::new().name("lakefront-lock".to_owned()).spawn(wait) {
        tracing::warn!(%error, "no lock next to the state file; the claim in the tables protects the run anyway");
    }
}

#[cfg(test)]
mod tests;
