//! Scratch files hold staged files until they are uploaded. They have no name, so they are freed
//! however the process ends.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::error::StoreError;

/// A new scratch file.
pub(in crate::sink) fn file() -> Result<File, StoreError> {
    tempfile::tempfile().map_err(|e| StoreError::definite(attempt("create"), e))
}

/// What is being done to a scratch file, and where, because it may be on an unexpected disk.
pub(in crate::sink) fn attempt(verb: &str) -> String {
    format!("{verb} a scratch file in {} (set TMPDIR to use another place)", std::env::temp_dir().display())
}

/// The whole content of one staged file.
pub(in crate::sink) struct Written {
    file: Arc<File>,
    start: u64,
    length: u64,
}

impl Written {
    /// All of `file`.
    pub(in crate::sink) fn whole(file: File) -> Result<Written, StoreError> {
        let length = file.metadata().map_err(|e| StoreError::definite(attempt("look at"), e))?.len();
        Ok(Written { file: Arc::new(file), start: 0, length })
    }

    pub(in crate::sink) fn length(&self) -> u64 {
        self.length
    }

    /// Reads `length` bytes from `start` on.
    pub(in crate::sink) fn read(&self, start: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        let mut content = vec![0; usize::try_from(length).expect("a part fits into memory")];
        let read = self.file.read_exact_at(&mut content, self.start + start);
        read.map_err(|e| StoreError::definite(attempt("read"), e))?;
        Ok(content)
    }
}

/// Several contents, one after the other, in one scratch file, because a cut may have more files
/// than a process may have open.
#[derive(Default)]
pub(in crate::sink) struct Pile(Option<Arc<File>>);

impl Pile {
    /// Moves `written` onto the pile.
    pub(in crate::sink) fn take(&mut self, written: Written) -> Result<Written, StoreError> {
        let pile = match &self.0 {
            Some(pile) => pile.clone(),
            None => self.0.insert(Arc::new(file()?)).clone(),
        };
        let copied = || -> io::Result<u64> {
            let start = (&*pile).seek(SeekFrom::End(0))?;
            (&*written.file).seek(SeekFrom::Start(written.start))?;
            io::copy(&mut &*written.file, &mut &*pile)?;
            Ok(start)
        };
        let start = copied().map_err(|e| StoreError::definite(attempt("write"), e))?;
        Ok(Written { file: pile, start, length: written.length })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_pile_keeps_contents_apart() {
        let written = |content: &[u8]| {
            let mut file = file().expect("a scratch file");
            file.write_all(content).expect("written");
            Written::whole(file).expect("looked at")
        };
        let mut pile = Pile::default();
        let piled = [b"first".as_slice(), b"", b"second"].map(|c| pile.take(written(c)).expect("piled"));
        let read = piled.each_ref().map(|w| w.read(0, w.length()).expect("read"));
        assert_eq!(read, [b"first".to_vec(), b"".to_vec(), b"second".to_vec()]);
        assert_eq!(piled[2].read(1, 3).expect("read"), b"eco");
    }
}
