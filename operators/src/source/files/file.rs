//! Files on a local disk: one file, a directory with everything below it, or a glob.
//!
//! A partition's name is the file's path below the directory (for a glob: below its fixed part), or
//! the file's own name. Links to files elsewhere are followed. Links to directories are not,
//! because they may form cycles; nor are links to files of this source, because those files would
//! land twice.
//!
//! ```text
//! select    which names belong to the source, and which folders can hold such files
//! stat      the file system's metadata of a file
//! folders   what folders hold, remembered    walk     all files
//! find      where renamed files are now      copies   whole copies of files that are gone
//! handles   files that are kept open         read     the bytes of a range
//! ```

mod copies;
mod find;
mod folders;
mod handles;
mod read;
mod select;
mod stat;
mod walk;

use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::find::Places;
use self::folders::Folders;
use self::handles::Handles;
use self::select::{Judged, Select};
use self::stat::{created_of, has_birth};
use self::walk::Walk;
use super::{ByteSource, Found, Listed, Listing, Sought};
use crate::error::StoreError;
use crate::protocol::Pending;
use crate::source::files::identity::Identity;

/// Up to this many bytes, copying takes less time than waking another thread for it.
const SMALL: u64 = 256 << 10;

/// How often a look waits for the source's folder if that is gone, and for how long.
const ROOT_WAITS: u32 = 20;
const ROOT_WAIT: Duration = Duration::from_millis(250);

/// A source of local files.
pub struct FileSource {
    inner: Arc<Inner>,
}

/// What reads share with the source.
struct Inner {
    identity: String,
    root: PathBuf,
    select: Select,
    folders: Mutex<Folders>,
    places: Mutex<Places>,
    handles: Mutex<Handles>,
    /// Whether the last look could not read some folder: a file that is not found may be there.
    is_blind: AtomicBool,
}

impl FileSource {
    /// Opens the source at `path`: a file, a directory, or a glob. A path with a trailing slash is
    /// a directory.
    pub fn open(path: &str) -> Result<FileSource, StoreError> {
        let attempt = || format!("open source file:{path}");
        let fixed_end =
            path.find(['*', '?', '[', '{']).map(|glob| path[..glob].rfind('/').map_or(0, |slash| slash + 1));
        let (root, select) = match fixed_end {
            Some(end) => (if end == 0 { "." } else { &path[..end] }, Select::glob(&path[end..], attempt)?),
            None if path.ends_with('/') || Path::new(path).is_dir() => (path, Select::all()),
            None => match path.rsplit_once('/') {
                Some((root, name)) => (if root.is_empty() { "/" } else { root }, Select::one(name)),
                None => (".", Select::one(path)),
            },
        };
        let root = std::fs::canonicalize(root).map_err(|e| StoreError::definite(attempt(), e))?;
        let identity = format!("{}{}", folder_identity(&root), select.identity());
        let (folders, places, handles, is_blind) = Default::default();
        Ok(FileSource { inner: Arc::new(Inner { identity, root, select, folders, places, handles, is_blind }) })
    }

    /// Reads hidden and temporary files too. Call it before the first listing.
    pub fn with_temporary(mut self) -> FileSource {
        let inner = Arc::get_mut(&mut self.inner).expect("nothing reads yet");
        inner.select.read_temporary();
        self
    }

    /// The path of the file of that name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.inner.root.join(name)
    }

    /// The name in this source of the file at `path`, which need not exist yet; `None` if it is not
    /// one of the source's files.
    pub fn name_of(&self, path: &Path) -> Option<String> {
        let name = self.inner.relative(path)?;
        (self.inner.select.file(&name) == Judged::Wanted).then(|| name.to_str().map(str::to_owned))?
    }

    /// Whether files in the folder at `folder`, which need not exist yet, would be files of this
    /// source.
    pub fn enters(&self, folder: &Path) -> bool {
        let Some(name) = self.inner.relative(folder) else { return false };
        // The root itself has no name.
        name.as_os_str().is_empty() || self.inner.select.folder(&name) == Judged::Wanted
    }
}

impl Inner {
    fn handles(&self) -> MutexGuard<'_, Handles> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `path`, which need not exist yet, relative to the root; `None` if it does not lie below it.
    fn relative(&self, path: &Path) -> Option<PathBuf> {
        let path = std::path::absolute(path).ok()?;
        let there = path.ancestors().find(|folder| folder.exists())?;
        let real = std::fs::canonicalize(there).ok()?;
        let rest = path.strip_prefix(there).ok().filter(|rest| !rest.as_os_str().is_empty());
        let path = rest.map_or(real.clone(), |rest| real.join(rest));
        path.strip_prefix(&self.root).ok().map(Path::to_owned)
    }
}

fn folder_identity(root: &Path) -> String {
    format!("file:{}", root.display().to_string().trim_end_matches('/'))
}

/// Device, inode and birth time (seconds and nanoseconds): an inode is reused soon after its file
/// is deleted, a birth time is not.
fn created(device: u64, inode: u64, birth: Option<(i64, u32)>) -> String {
    let birth = birth.map_or(0, |(seconds, nanoseconds)| i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds));
    format!("{device:x}:{inode:x}:{birth}")
}

impl ByteSource for FileSource {
    fn identity(&self) -> &str {
        &self.inner.identity
    }

    fn root(&self) -> String {
        folder_identity(&self.inner.root)
    }

    fn list(&self) -> Pending<'_, Result<Listing, StoreError>> {
        Box::pin(async move {
            let (mut walked, mut waits) = (tokio::task::block_in_place(|| self.inner.walk()), 0);
            // Whoever replaces a folder moves the old one away first.
            while waits < ROOT_WAITS && walked.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                tokio::time::sleep(ROOT_WAIT).await;
                (walked, waits) = (tokio::task::block_in_place(|| self.inner.walk()), waits + 1);
            }
            let Walk { files, passed_over } =
                walked.map_err(|e| StoreError::definite(format!("list {}", self.inner.identity), e))?;
            self.inner.handles().tidy();
            Ok(Listing { files, whole: true, at_ms: None, passed_over })
        })
    }

    fn is_there<'a>(&'a self, listed: &'a Listed) -> Pending<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let path = self.inner.root.join(&listed.name);
            match std::fs::metadata(&path) {
                Ok(metadata) => Ok(created_of(&metadata) == listed.created),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(StoreError::definite(format!("look for {}", path.display()), error)),
            }
        })
    }

    fn find<'a>(&'a self, sought: &'a [Sought]) -> Pending<'a, Vec<Found>> {
        Box::pin(async move { tokio::task::block_in_place(|| self.inner.find(sought)) })
    }

    fn is_gone<'a>(&'a self, name: &'a str, identity: &'a Identity) -> Pending<'a, bool> {
        let sought = [Sought { name: name.to_owned(), identity: identity.clone() }];
        Box::pin(async move { tokio::task::block_in_place(|| self.inner.find(&sought)) == [Found::Gone] })
    }

    fn hold<'a>(&'a self, files: &'a [Listed]) -> Pending<'a, ()> {
        Box::pin(async move { tokio::task::block_in_place(|| self.inner.hold(files)) })
    }

    fn held(&self, identity: &Identity) -> Option<u64> {
        let file = self.inner.handles().peek(&identity.created)?;
        file.metadata().ok().filter(|metadata| metadata.nlink() == 0).map(|metadata| metadata.len())
    }

    fn copy_of<'a>(&'a self, name: &'a str, identity: &'a Identity) -> Pending<'a, Option<Identity>> {
        let sought = Sought { name: name.to_owned(), identity: identity.clone() };
        Box::pin(async move {
            let copy = tokio::task::block_in_place(|| self.inner.copy_of(&sought))?;
            Some(Identity { created: copy.created, ..sought.identity })
        })
    }

    fn is_empty(&self) -> Pending<'_, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.list().await?.files.is_empty()) })
    }

    /// A modification time can be set to anything, but a wrongly measured age does no harm.
    fn appended_ms(&self, listed: &Listed) -> Option<u64> {
        let (seconds, rest) = listed.revision.split_once('.')?;
        let (nanoseconds, _) = rest.split_once('-')?;
        let (seconds, nanoseconds): (u64, u64) = (seconds.parse().ok()?, nanoseconds.parse().ok()?);
        Some(seconds * 1_000 + nanoseconds / 1_000_000)
    }

    fn has_links(&self) -> bool {
        true
    }

    /// Inodes are reused; a birth time is not, where the file system records it.
    fn is_unique(&self, created: &str) -> bool {
        has_birth(created)
    }

    /// Not known, because a file that was moved here keeps its old age.
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
            let (inner, name, identity) = (self.inner.clone(), name.to_owned(), identity.clone());
            let path = self.inner.root.join(&name);
            let attempt = format!("read bytes {}..{} of {}", range.start, range.end, path.display());
            let small = range.end - range.start <= SMALL;
            let read = move || inner.read_range(&name, &identity, &range, into);
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
mod tests;

#[cfg(test)]
mod url_tests {
    use super::*;

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
