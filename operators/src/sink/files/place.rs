//! Where a file is: in a folder on a local disk, or in a container or bucket of blobs.
//!
//! Both make the same promises: a file is created whole and durable or not at all, and never
//! overwritten. `disk.rs` and `blobs/` say how; and a disk's answers are always definite.

use std::fmt;
use std::path::PathBuf;

use super::blobs::Blobs;
use super::disk;
use crate::error::StoreError;
use crate::protocol::group::Created;
use crate::{azure, s3};

/// A file or a folder of a lake.
#[derive(Clone, Debug)]
pub enum Place {
    /// On a local disk.
    Disk(PathBuf),
    /// In a container of Azure, or in a bucket of S3.
    Blobs(Blobs),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Disk(path) => path.display().fmt(f),
            Place::Blobs(blobs) => blobs.fmt(f),
        }
    }
}

impl Place {
    /// The place of `location` in Azure. Nothing is sent yet; places joined to this one share its
    /// connections.
    pub fn azure(location: &azure::Location) -> Result<Place, StoreError> {
        Blobs::azure(location).map(Place::Blobs)
    }

    /// The same in S3.
    pub fn s3(location: &s3::Location) -> Result<Place, StoreError> {
        Blobs::s3(location).map(Place::Blobs)
    }

    /// Refuses a place that may create a file although there is one of its name. A sink whose
    /// commits are files asks before it writes the first; nothing lasting is written. A disk has
    /// hard links for it.
    pub async fn probe(&self) -> Result<(), StoreError> {
        match self {
            Place::Disk(_) => Ok(()),
            Place::Blobs(blobs) => blobs.probe().await,
        }
    }

    /// The file or folder `name` in this folder.
    pub fn join(&self, name: &str) -> Place {
        match self {
            Place::Disk(path) => Place::Disk(path.join(name)),
            Place::Blobs(blobs) => Place::Blobs(blobs.join(name)),
        }
    }

    /// Creates this folder and its parents; a prefix of blobs needs no creating.
    pub(in crate::sink) async fn prepare(&self) -> Result<(), StoreError> {
        match self.clone() {
            Place::Disk(path) => blocking(move || disk::create_directories(&path)).await,
            Place::Blobs(_) => Ok(()),
        }
    }

    /// Creates this file with `content`, durably, unless it exists.
    pub(in crate::sink) async fn create(&self, content: Vec<u8>) -> Result<Created, StoreError> {
        match self.clone() {
            Place::Disk(path) => blocking(move || disk::create(&path, &content)).await,
            Place::Blobs(blobs) => blobs.create(content).await,
        }
    }

    /// Creates the file `name` of this folder as the one after `before`; none if neither exists.
    pub(in crate::sink) async fn create_after(
        &self,
        before: &str,
        name: &str,
        content: Vec<u8>,
    ) -> Result<Option<Created>, StoreError> {
        match self {
            Place::Disk(folder) => {
                let (before, path) = (folder.join(before), folder.join(name));
                blocking(move || match before.exists() || path.exists() {
                    true => disk::create(&path, &content).map(Some),
                    false => Ok(None),
                })
                .await
            }
            Place::Blobs(folder) => {
                let blob = folder.join(name);
                match folder.join(before).exists().await? || blob.exists().await? {
                    true => blob.create(content).await.map(Some),
                    false => Ok(None),
                }
            }
        }
    }

    /// Reads this file; none if it does not exist.
    pub(in crate::sink) async fn read(&self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.clone() {
            Place::Disk(path) => blocking(move || disk::read(&path)).await,
            Place::Blobs(blobs) => blobs.read().await,
        }
    }

    /// The names in this folder; none if there is no folder.
    pub(in crate::sink) async fn names(&self) -> Result<Vec<String>, StoreError> {
        match self.clone() {
            Place::Disk(path) => blocking(move || disk::names(&path)).await,
            Place::Blobs(blobs) => blobs.names().await,
        }
    }

    /// Whether this folder holds a file whose name `is_wanted`.
    pub(in crate::sink) async fn holds(
        &self,
        is_wanted: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<bool, StoreError> {
        match self.clone() {
            Place::Disk(path) => blocking(move || Ok(disk::names(&path)?.iter().any(|name| is_wanted(name)))).await,
            Place::Blobs(blobs) => blobs.holds(&is_wanted).await,
        }
    }

    /// Deletes this file; it is no error if it is gone already.
    pub(in crate::sink) async fn delete(&self) -> Result<(), StoreError> {
        match self.clone() {
            Place::Disk(path) => blocking(move || disk::delete(&path)).await,
            Place::Blobs(blobs) => blobs.delete().await,
        }
    }
}

/// Runs file operations away from the runtime's async threads.
pub(in crate::sink) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::definite("finish a file operation", error)),
    }
}
