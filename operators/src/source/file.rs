//! Files on a local disk: one file, a directory with all below it, or a glob.
//!
//! A partition's name is the file's path below the directory (for a glob: below its fixed part), or the file's own name.
//! Links to files elsewhere are followed. Links to directories are not, for they may lead in circles; nor are links to
//! files of this source, which would land twice.

mod folders;

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use globset::GlobMatcher;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use self::folders::{Entry, Folders};
use super::{Listed, Listing, Source};
use crate::error::StoreError;
use crate::glob;
use crate::offsets::{Fingerprint, Identity};
use crate::protocol::table::Pending;

/// So many bytes are copied sooner than another thread is woken for it.
const SMALL: u64 = 256 << 10;

/// A source of local files.
pub struct FileSource {
    identity: String,
    root: PathBuf,
    select: Select,
    folders: Mutex<Folders>,
}

enum Select {
    /// The root is the file's directory, and this its name.
    One(String),
    All,
    Glob(GlobMatcher),
}

impl FileSource {
    /// Opens the source at `path`: a file, a directory, or a glob. A path with a trailing slash is a directory.
    pub fn open(path: &str) -> Result<FileSource, StoreError> {
        let attempt = || format!("open source file:{path}");
        let fixed_end =
            path.find(['*', '?', '[', '{']).map(|glob| path[..glob].rfind('/').map_or(0, |slash| slash + 1));
        let (root, select) = match fixed_end {
            Some(end) => {
                let glob = glob::compile(&path[end..]).map_err(|e| StoreError::definite(attempt(), e))?;
                (if end == 0 { "." } else { &path[..end] }, Select::Glob(glob))
            }
            None if path.ends_with('/') || Path::new(path).is_dir() => (path, Select::All),
            None => match path.rsplit_once('/') {
                Some((root, name)) => (if root.is_empty() { "/" } else { root }, Select::One(name.to_owned())),
                None => (".", Select::One(path.to_owned())),
            },
        };
        let root = std::fs::canonicalize(root).map_err(|e| StoreError::definite(attempt(), e))?;
        let tail = match &select {
            Select::One(name) => format!("/{name}"),
            Select::All => String::new(),
            Select::Glob(glob) => format!("/{}", glob.glob()),
        };
        let identity = format!("file:{}{tail}", root.display().to_string().trim_end_matches('/'));
        Ok(FileSource { identity, root, select, folders: Mutex::default() })
    }

    /// Where the file of that name lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// What the file at `path`, which need not be there yet, is called in this source; none if it is not one of its files.
    pub fn name_of(&self, path: &Path) -> Option<String> {
        let path = std::path::absolute(path).ok()?;
        let there = path.ancestors().find(|folder| folder.exists())?;
        let real = std::fs::canonicalize(there).ok()?;
        let rest = path.strip_prefix(there).ok().filter(|rest| !rest.as_os_str().is_empty());
        let path = rest.map_or(real.clone(), |rest| real.join(rest));
        let name = path.strip_prefix(&self.root).ok()?.to_str()?;
        let wanted = match &self.select {
            Select::One(one) => name == one,
            Select::All => true,
            Select::Glob(glob) => glob.is_match(name),
        };
        wanted.then(|| name.to_owned())
    }

    fn walk(&self) -> io::Result<Vec<Listed>> {
        let mut found = Vec::new();
        if let Select::One(name) = &self.select {
            // A file that is not there yet is an empty source.
            match std::fs::metadata(self.root.join(name)) {
                Ok(metadata) => found.push(listed(name.clone(), &metadata)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            return Ok(found);
        }
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let root = folders.read(&self.root)?;
        // A folder may go away while we look; the root may not, or all its files would seem to be gone.
        let mut waiting = vec![root.ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the folder is gone"))?];
        while let Some(entries) = waiting.pop() {
            for entry in &entries.files {
                found.extend(self.find(entry)?);
            }
            for folder in &entries.folders {
                waiting.extend(folders.read(folder)?);
            }
        }
        folders.end_look();
        // In one order, so that what is decided file by file is decided the same way each time.
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The file at `entry`, if it is one of the source, and still there.
    fn find(&self, entry: &Entry) -> io::Result<Option<Listed>> {
        let name = self.name(&entry.path)?;
        if entry.is_link && self.leads_inside(&entry.path) {
            return Ok(None);
        }
        let metadata = match std::fs::metadata(&entry.path) {
            // It went away between the listing and the look: it is not there.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            metadata => metadata?,
        };
        let wanted = match &self.select {
            Select::Glob(glob) => glob.is_match(&name),
            Select::One(_) | Select::All => true,
        };
        Ok((wanted && metadata.is_file()).then(|| listed(name, &metadata)))
    }

    /// A link to a file of this source is a second name for it, and its lines land under the first.
    fn leads_inside(&self, link: &Path) -> bool {
        let Ok(target) = std::fs::canonicalize(link) else { return false };
        let Ok(relative) = target.strip_prefix(&self.root) else { return false };
        match &self.select {
            Select::Glob(glob) => glob.is_match(relative),
            Select::One(_) | Select::All => true,
        }
    }

    fn name(&self, path: &Path) -> io::Result<String> {
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        relative.to_str().map(str::to_owned).ok_or_else(|| {
            io::Error::new(ErrorKind::InvalidData, format!("the name {} is not UTF-8: rename the file", path.display()))
        })
    }
}

fn listed(name: String, metadata: &Metadata) -> Listed {
    Listed {
        name,
        created: created(metadata),
        length: metadata.len(),
        revision: format!("{}.{:09}-{}", metadata.mtime(), metadata.mtime_nsec(), metadata.len()),
        // Anybody can set it.
        modified_ms: None,
    }
}

/// Device, inode and birth: inodes are used again soon after a file is deleted, a birth is not.
fn created(metadata: &Metadata) -> String {
    let birth = metadata.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    format!("{:x}:{:x}:{}", metadata.dev(), metadata.ino(), birth.map_or(0, |at| at.as_nanos()))
}

fn read_range(path: &Path, identity: &Identity, range: &Range<u64>, mut into: Vec<u8>) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if created(&metadata) != identity.created {
        return Err(io::Error::other("another file has taken its name since it was planned"));
    }
    let (before, wanted) = (into.len(), range.end - range.start);
    let end = before + usize::try_from(wanted).map_err(io::Error::other)?;
    into.reserve_exact(end - before);
    while into.len() < end {
        // One call mostly, into memory that nobody has to fill with zeros first.
        let at = range.start + (into.len() - before) as u64;
        match rustix::io::pread(&file, spare_capacity(&mut into), at) {
            Ok(0) => {
                let missing = end - into.len();
                return Err(io::Error::new(ErrorKind::UnexpectedEof, format!("it ends {missing} bytes earlier")));
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // A buffer may have been longer than was asked for.
    into.truncate(end);
    // After the range, on the same handle: a file that is truncated and written anew has its new head before its new middle.
    let mut head = vec![0; usize::try_from(identity.fingerprint.length).map_err(io::Error::other)?];
    file.read_exact_at(&mut head, 0)?;
    if Fingerprint::of(&head) != identity.fingerprint {
        return Err(io::Error::other("it was written anew since it was planned"));
    }
    Ok(into)
}

impl Source for FileSource {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn list(&self) -> Pending<'_, Result<Listing, StoreError>> {
        Box::pin(async move {
            let files = tokio::task::block_in_place(|| self.walk())
                .map_err(|e| StoreError::definite(format!("list {}", self.identity), e))?;
            Ok(Listing { files, whole: true, at_ms: None })
        })
    }

    fn is_there<'a>(&'a self, listed: &'a Listed) -> Pending<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let path = self.root.join(&listed.name);
            match std::fs::metadata(&path) {
                Ok(metadata) => Ok(created(&metadata) == listed.created),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(StoreError::definite(format!("look for {}", path.display()), error)),
            }
        })
    }

    /// A modification time can be set to anything, but an age that is measured wrong does no harm.
    fn appended_ms(&self, listed: &Listed) -> Option<u64> {
        let (seconds, rest) = listed.revision.split_once('.')?;
        let (nanoseconds, _) = rest.split_once('-')?;
        let (seconds, nanoseconds): (u64, u64) = (seconds.parse().ok()?, nanoseconds.parse().ok()?);
        Some(seconds * 1_000 + nanoseconds / 1_000_000)
    }

    fn has_links(&self) -> bool {
        true
    }

    /// A file that was moved here is as old as it was elsewhere.
    fn created_ms(&self, _created: &str) -> Option<u64> {
        None
    }

    fn read<'a>(
        &'a self,
        name: &'a str,
        identity: &'a Identity,
        range: Range<u64>,
        into: Vec<u8>,
    ) -> Pending<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(async move {
            let (path, identity) = (self.root.join(name), identity.clone());
            let attempt = format!("read bytes {}..{} of {}", range.start, range.end, path.display());
            let small = range.end - range.start <= SMALL;
            let read = move || read_range(&path, &identity, &range, into);
            let read = match small {
                true => tokio::task::block_in_place(read),
                false => match tokio::task::spawn_blocking(read).await {
                    Ok(read) => read,
                    Err(error) => return Err(StoreError::definite(attempt, error)),
                },
            };
            read.map_err(|error| StoreError::definite(attempt, error))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_anew_in_place_is_not_read_as_the_one_that_was_planned() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("a");
        std::fs::write(&path, b"old head, old middle").expect("a file");
        let created = created(&std::fs::metadata(&path).expect("its metadata"));
        let planned = Identity { created, fingerprint: Fingerprint::of(b"old head"), ..Identity::default() };
        assert_eq!(read_range(&path, &planned, &(10..13), Vec::new()).expect("the same file"), b"old");

        // The same file to the file system: truncated, and longer than before.
        std::fs::write(&path, b"new head, new middle, and more").expect("a file");
        assert!(read_range(&path, &planned, &(10..13), Vec::new()).is_err());
    }

    #[test]
    fn a_file_knows_its_name_in_the_source() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("logs/a.json");
        std::fs::create_dir(folder.path().join("logs")).expect("a directory");
        for (source, name) in [
            ("", Some("logs/a.json")),
            ("logs/", Some("a.json")),
            ("logs/a.json", Some("a.json")),
            ("logs/*.json", Some("a.json")),
            ("logs/*.txt", None),
            ("logs/b.json", None),
        ] {
            let source = FileSource::open(&format!("{}/{source}", folder.path().display())).expect("a source");
            assert_eq!(source.name_of(&path).as_deref(), name, "{}", source.identity());
        }
        std::fs::write(&path, b"").expect("a file");
        let source = FileSource::open(&folder.path().display().to_string()).expect("a source");
        assert_eq!(source.name_of(&path).as_deref(), Some("logs/a.json"), "it is there now");
        assert_eq!(source.name_of(&folder.path().join("x/y/b.json")).as_deref(), Some("x/y/b.json"));
    }

    #[test]
    fn a_directory_has_one_identity_however_it_is_written() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("logs");
        let text = path.to_str().expect("UTF-8");
        let before = FileSource::open(text).expect("a file that is not there yet").identity().to_owned();
        std::fs::create_dir(&path).expect("a directory");
        assert_eq!(FileSource::open(text).expect("a directory").identity(), before);
        assert_eq!(FileSource::open(&format!("{text}/")).expect("a directory").identity(), before);
    }
}
