//! The target that grows: a file, or an append blob.
//!
//! An append is durable when it returns: a file is synced, or the blob service has confirmed the
//! bytes. A target that already has content is refused, because nobody could tell its bytes from
//! ours. If somebody else writes to it in the meantime, that is noticed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use lakefront_operators::azure::Location;
use lakefront_operators::azure::append::{AppendBlob, Begun};
use lakefront_operators::run::clock::SystemClock;

use crate::config::{self, Config, SourceUrl};
use crate::exit::Usage;

/// Where the lines go.
#[derive(Clone)]
pub(crate) enum Destination {
    File(PathBuf),
    Blob(Box<Location>),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::File(path) => path.display().fmt(f),
            Destination::Blob(location) => location.fmt(f),
        }
    }
}

impl Destination {
    /// The file or blob at `to`; in a folder it gets the name of `input`. It only checks whether a
    /// path is a folder.
    pub(super) fn of(to: &str, input: &Path, watched: Option<&Config>) -> anyhow::Result<Destination> {
        let name = input.file_name().and_then(|name| name.to_str()).unwrap_or("replay.json");
        match config::target(to, watched).map_err(|constraint| Usage(format!("--to: {constraint}")))? {
            SourceUrl::File(path) => {
                let is_folder = path.ends_with('/') || Path::new(&path).is_dir();
                let path = PathBuf::from(path);
                Ok(Destination::File(if is_folder { path.join(name) } else { path }))
            }
            SourceUrl::Azure(mut location) => {
                if location.path.is_empty() || location.path.ends_with('/') {
                    location.path.push_str(name);
                }
                Ok(Destination::Blob(location))
            }
        }
    }
}

/// The target that grows.
pub(super) enum Target {
    File { file: File, path: PathBuf, length: u64 },
    Blob(Box<AppendBlob>),
}

impl Target {
    /// Begins at `place`, which must be empty, or is made. If it is `watched`, the error does not
    /// advise to remove it, because what landed stays.
    pub(super) async fn begin(place: &Destination, watched: bool) -> anyhow::Result<Target> {
        let advice = if watched { "name" } else { "remove it, or name" };
        let has_content = || Usage(format!("{place} has content already: {advice} another target with --to"));
        match place {
            Destination::File(path) => {
                let file = begin_file(path).with_context(|| format!("could not create {place}"))?;
                let file = file.ok_or_else(has_content)?;
                Ok(Target::File { file, path: path.clone(), length: 0 })
            }
            Destination::Blob(location) => match AppendBlob::begin(location, Arc::new(SystemClock)).await? {
                Begun::Empty(blob) => Ok(Target::Blob(Box::new(blob))),
                Begun::HasContent => Err(has_content().into()),
                Begun::IsFolder => Err(Usage(format!(
                    "{place} is a folder: end --to with a slash, and the blob in it gets FILE's name"
                ))
                .into()),
            },
        }
    }

    /// Appends `bytes`, durably.
    pub(super) async fn append(&mut self, bytes: Vec<u8>) -> anyhow::Result<()> {
        match self {
            Target::File { file, path, length } => {
                *length += bytes.len() as u64;
                tokio::task::block_in_place(|| append_file(file, &bytes, *length))
                    .with_context(|| format!("could not append to {}", path.display()))
            }
            Target::Blob(blob) => Ok(blob.append(bytes).await?),
        }
    }
}

/// Appends `bytes` to `file`, which must then be `length` bytes long.
fn append_file(file: &mut File, bytes: &[u8], length: u64) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_data()?;
    let now = file.metadata()?.len();
    let text = || format!("it has {now} bytes instead of {length}: somebody else writes to it");
    if now == length { Ok(()) } else { Err(io::Error::other(text())) }
}

/// The file at `path`, which is durable even if it stays empty; `None` if it has content.
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
