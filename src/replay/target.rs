//! What grows: a file, or an append blob.
//!
//! An append is durable when it returns: a file is synced, the blob service has said that it has the bytes. What has content already is
//! refused, for nobody could tell its bytes from ours.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use lakefront_operators::azure::Location;
use lakefront_operators::azure::append::AppendBlob;
use lakefront_operators::clock::SystemClock;

use crate::config::{self, Config, SourceUrl};
use crate::exit::Usage;

/// Where lines are to go.
#[derive(Clone)]
pub(super) enum Place {
    File(PathBuf),
    Blob(Box<Location>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => path.display().fmt(f),
            Place::Blob(location) => location.fmt(f),
        }
    }
}

impl Place {
    /// The file or blob at `to`; in a folder it is called as `input` is. Nothing is looked at but whether a path is a folder.
    pub(super) fn of(to: &str, input: &Path, watched: Option<&Config>) -> anyhow::Result<Place> {
        let name = input.file_name().and_then(|name| name.to_str()).unwrap_or("replay.json");
        match config::target(to, watched).map_err(|constraint| Usage(format!("--to: {constraint}")))? {
            SourceUrl::File(path) => {
                let is_folder = path.ends_with('/') || Path::new(&path).is_dir();
                let path = PathBuf::from(path);
                Ok(Place::File(if is_folder { path.join(name) } else { path }))
            }
            SourceUrl::Azure(mut location) => {
                if location.path.is_empty() || location.path.ends_with('/') {
                    location.path.push_str(name);
                }
                Ok(Place::Blob(location))
            }
        }
    }
}

/// What grows.
pub(super) enum Target {
    File { file: File, path: PathBuf },
    Blob(Box<AppendBlob>),
}

impl Target {
    /// Begins at `place`, which is empty, or made.
    pub(super) async fn begin(place: &Place) -> anyhow::Result<Target> {
        let has_content = || Usage(format!("{place} has content already: remove it, or name another target with --to"));
        match place {
            Place::File(path) => {
                let file = begin_file(path).with_context(|| format!("could not create {place}"))?;
                let file = file.ok_or_else(has_content)?;
                Ok(Target::File { file, path: path.clone() })
            }
            Place::Blob(location) => {
                let blob = AppendBlob::begin(location, Arc::new(SystemClock)).await?;
                Ok(Target::Blob(Box::new(blob.ok_or_else(has_content)?)))
            }
        }
    }

    /// Appends `bytes`, durably.
    pub(super) async fn append(&mut self, bytes: Vec<u8>) -> anyhow::Result<()> {
        match self {
            Target::File { file, path } => {
                tokio::task::block_in_place(|| file.write_all(&bytes).and_then(|()| file.sync_data()))
                    .with_context(|| format!("could not append to {}", path.display()))
            }
            Target::Blob(blob) => Ok(blob.append(bytes).await?),
        }
    }
}

/// The file at `path`, which is durable even if it stays empty; none if it has content.
fn begin_file(path: &Path) -> io::Result<Option<File>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    if file.metadata()?.len() > 0 {
        return Ok(None);
    }
    File::open(folder)?.sync_all()?;
    Ok(Some(file))
}
