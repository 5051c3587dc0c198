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
mod tests;
