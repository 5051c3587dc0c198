//! The lines of a file, one append at a time.
//!
//! An append consists of whole lines, as PostgreSQL and Azure write them; a line that is longer
//! than an append is one of its own. The bytes are those of the file, with one exception: if the
//! file starts over after a last line without a newline, a newline is added, so that two lines stay
//! two.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::exit::Usage;

/// Bytes read at once.
const BUFFER: usize = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file that is replayed.
pub(super) struct Input {
    file: BufReader<File>,
    path: PathBuf,
    /// Maximum bytes of an append.
    size: usize,
    /// Whether the file starts over at its end.
    endless: bool,
    /// A line that did not fit into the append before.
    left: Vec<u8>,
    is_first: bool,
}

/// Bytes that are appended at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// How many of them are whole lines: what follows the last newline lands when its newline does.
    pub(super) whole: usize,
    /// Where the whole lines that are not blank start. Each becomes a row of one table, unless
    /// `has_envelopes`.
    pub(super) starts: Vec<usize>,
    /// Whether some lines may hold several records, or none.
    pub(super) has_envelopes: bool,
}

impl Input {
    /// Opens the file at `path`, which must not be empty.
    pub(super) fn open(path: &Path, size: u64, endless: bool) -> anyhow::Result<Input> {
        let file = File::open(path).with_context(|| format!("could not open {}", path.display()))?;
        let metadata = file.metadata().with_context(|| format!("could not look at {}", path.display()))?;
        if !metadata.is_file() || metadata.len() == 0 {
            return Err(Usage(format!("{} is not a file with lines in it", path.display())).into());
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let file = BufReader::with_capacity(BUFFER, file);
        Ok(Input { file, path: path.to_owned(), size, endless, left: Vec::new(), is_first: true })
    }

    /// The next append; `None` at the end.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Piece>> {
        let mut piece = Piece::default();
        let mut line = std::mem::take(&mut self.left);
        loop {
            if line.is_empty() && !self.read_line(&mut line)? {
                break;
            }
            if !piece.bytes.is_empty() && piece.bytes.len() + line.len() > self.size {
                self.left = line;
                break;
            }
            piece.take(&line, self.is_first);
            self.is_first = false;
            line.clear();
        }
        Ok((!piece.bytes.is_empty()).then_some(piece))
    }

    /// Reads a line into `line`, which is empty; false at the end.
    fn read_line(&mut self, line: &mut Vec<u8>) -> anyhow::Result<bool> {
        let attempt = || format!("could not read {}", self.path.display());
        self.file.read_until(b'\n', line).with_context(attempt)?;
        if self.endless && !line.ends_with(b"\n") {
            self.file.rewind().with_context(attempt)?;
            match line.is_empty() {
                true => _ = self.file.read_until(b'\n', line).with_context(attempt)?,
                false => line.push(b'\n'),
            }
        }
        Ok(!line.is_empty())
    }
}

impl Piece {
    fn take(&mut self, line: &[u8], is_first: bool) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(line);
        let Some(text) = line.strip_suffix(b"\n") else { return };
        self.whole = self.bytes.len();
        let text = text.strip_prefix(BYTE_ORDER_MARK).filter(|_| is_first).unwrap_or(text);
        if !text.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r')) {
            self.starts.push(start);
            self.has_envelopes |= may_be_envelope(text);
        }
    }
}

/// Whether a line may hold more or less than one record: an array or a piece of one, or an Event
/// Hubs batch.
fn may_be_envelope(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let is_batch = || text.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\"records\""));
    matches!(text, [b'[' | b']', ..]) || is_batch()
}

#[cfg(test)]
mod tests;
