//! Reads bytes of one file, which may have been renamed since it was listed.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use super::{Inner, created_of};
use crate::source::files::identity::{Fingerprint, Identity};

/// What to do about a file that changed while it was read.
const START_AGAIN: &str = "start again, and source.on_rewrite decides";

impl Inner {
    /// Appends the bytes of `range` to `into`. They are read from the file of that identity,
    /// wherever it is now, and from no other.
    pub(super) fn read_range(
        &self,
        name: &str,
        identity: &Identity,
        range: &Range<u64>,
        mut into: Vec<u8>,
    ) -> io::Result<Vec<u8>> {
        let before = into.len();
        if let Some(file) = self.handles().get(&identity.created) {
            match read_range(&file, identity, range, &mut into) {
                Ok(()) => return Ok(into),
                // A network file system may have forgotten an open file that still exists.
                Err(error) if error.raw_os_error() == Some(Errno::STALE.raw_os_error()) => into.truncate(before),
                Err(error) => return Err(error),
            }
        }
        let file = Arc::new(self.open_file(name, identity)?);
        self.handles().keep(&identity.created, &file);
        read_range(&file, identity, range, &mut into)?;
        Ok(into)
    }

    /// Opens the file of that identity: under its planned name, or else where it has been moved.
    fn open_file(&self, name: &str, identity: &Identity) -> io::Result<File> {
        let open = |path: &Path| -> io::Result<Option<File>> {
            let file = File::open(path)?;
            Ok((created_of(&file.metadata()?) == identity.created).then_some(file))
        };
        let error = match open(&self.root.join(name)) {
            Ok(Some(file)) => return Ok(file),
            Ok(None) => io::Error::other("another file has taken its name since it was planned"),
            Err(error) if error.kind() == ErrorKind::NotFound => error,
            Err(error) => return Err(error),
        };
        let moved: Option<PathBuf> = self.locate(identity);
        match moved.map(|path| open(&path)) {
            Some(Ok(Some(file))) => Ok(file),
            _ => Err(error),
        }
    }
}

fn read_range(file: &File, identity: &Identity, range: &Range<u64>, into: &mut Vec<u8>) -> io::Result<()> {
    let (before, wanted) = (into.len(), range.end - range.start);
    let end = before + usize::try_from(wanted).map_err(io::Error::other)?;
    into.reserve_exact(end - before);
    while into.len() < end {
        // Mostly one call, into memory that need not be filled with zeros first.
        let at = range.start + (into.len() - before) as u64;
        match rustix::io::pread(file, spare_capacity(into), at) {
            Ok(0) => {
                let missing = end - into.len();
                let text =
                    format!("it ends {missing} bytes earlier: it was truncated after it was planned; {START_AGAIN}");
                return Err(io::Error::new(ErrorKind::UnexpectedEof, text));
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The buffer may have had room for more than was asked for.
    into.truncate(end);
    // Read after the range, on the same handle: a file that is truncated and rewritten gets its new
    // head before its new middle.
    let mut head = vec![0; usize::try_from(identity.fingerprint.length).map_err(io::Error::other)?];
    file.read_exact_at(&mut head, 0)?;
    if Fingerprint::of(&head) != identity.fingerprint {
        return Err(io::Error::other(format!("it was rewritten after it was planned; {START_AGAIN}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::files::file::FileSource;

    #[test]
    fn a_file_that_is_written_anew_in_place_is_not_read_as_the_one_that_was_planned() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("a");
        std::fs::write(&path, b"old head, old middle").expect("a file");
        let source = FileSource::open(folder.path().to_str().expect("UTF-8")).expect("a source");
        let created = created_of(&std::fs::metadata(&path).expect("its metadata"));
        let planned = Identity { created, fingerprint: Fingerprint::of(b"old head"), ..Identity::default() };
        let read = || source.inner.read_range("a", &planned, &(10..13), Vec::new());
        assert_eq!(read().expect("the same file"), b"old");

        // The same file to the file system: truncated and rewritten.
        std::fs::write(&path, b"new head, new middle").expect("a file");
        read().expect_err("the next generation");
    }

    #[test]
    fn a_file_is_read_on_under_another_name_and_after_it_was_deleted_and_no_other_in_its_place() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let (path, moved) = (folder.path().join("a.json"), folder.path().join("a.json.1"));
        let url = folder.path().join("*.json");
        let open = || FileSource::open(url.to_str().expect("UTF-8")).expect("a source");
        std::fs::write(&path, b"one\n").expect("a file");
        let created = created_of(&std::fs::metadata(&path).expect("its metadata"));
        let planned = Identity { created, fingerprint: Fingerprint::of(b"one\n"), ..Identity::default() };
        let read = |source: &FileSource| source.inner.read_range("a.json", &planned, &(0..4), Vec::new());
        let before = open();
        read(&before).expect("it is there");

        std::fs::rename(&path, &moved).expect("renamed");
        std::fs::write(&path, b"two\n").expect("a file");
        for source in [&before, &open()] {
            assert_eq!(read(source).expect("it is found"), b"one\n");
        }
        std::fs::remove_file(&moved).expect("removed");
        assert_eq!(read(&before).expect("it is held open"), b"one\n");
        read(&open()).expect_err("nobody holds it");
    }
}
