//! Splits bytes into lines: bytes come in pieces of any size, and a line comes out once its end is
//! known.

use crate::format::logs::record::REJECT_RAW_LIMIT;

/// A byte order mark in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A line as it is in the file, without its newline.
#[derive(Clone, Copy)]
pub(in crate::prove) struct Line<'b> {
    /// Where it starts in its partition.
    pub(in crate::prove) offset: u64,
    /// Its first bytes: all of them, unless the line is longer than its reader wants to keep.
    pub(in crate::prove) bytes: &'b [u8],
    /// Its length in bytes.
    pub(in crate::prove) length: u64,
}

impl<'b> Line<'b> {
    /// The part that `version` of the row rules judges. A carriage return at the end is left out,
    /// and so are byte order marks, spaces and control characters at the start; in version 1, only
    /// one mark at the beginning of the file is.
    pub(in crate::prove) fn text(&self, version: u32) -> &'b [u8] {
        let text = self.bytes.strip_suffix(b"\r").unwrap_or(self.bytes);
        if version < 2 {
            return if self.offset == 0 { text.strip_prefix(MARK).unwrap_or(text) } else { text };
        }
        let mut at = 0;
        while text.get(at).is_some_and(|byte| *byte <= b' ') || text[at..].starts_with(MARK) {
            at += if text[at] <= b' ' { 1 } else { MARK.len() };
        }
        &text[at..]
    }

    /// Whether it consists of blanks only; since version 2, NULs and byte order marks count as
    /// blanks.
    pub(in crate::prove) fn is_blank(&self, version: u32) -> bool {
        if version < 2 {
            return self.text(version).iter().all(|byte| b" \t\r".contains(byte));
        }
        let mut rest = self.bytes;
        while let [b'\0' | b' ' | b'\t' | b'\r', tail @ ..] | [0xef, 0xbb, 0xbf, tail @ ..] = rest {
            rest = tail;
        }
        rest.is_empty()
    }
}

/// Splits bytes into lines.
pub(in crate::prove) struct Splitter {
    offset: u64,
    length: u64,
    begun: Vec<u8>,
    /// How many bytes of a line are kept.
    keep: usize,
}

impl Splitter {
    /// For bytes from `offset` on, where a line starts. Lines over `max_line` may be kept in part.
    pub(in crate::prove) fn new(offset: u64, max_line: u64) -> Self {
        let keep = usize::try_from(max_line).unwrap_or(usize::MAX).max(REJECT_RAW_LIMIT);
        Splitter { offset, length: 0, begun: Vec::new(), keep }
    }

    /// Where the line starts that has not ended yet.
    pub(in crate::prove) fn line_start(&self) -> u64 {
        self.offset
    }

    /// Takes more bytes, and calls `tell` with each line that ends in them.
    pub(in crate::prove) fn feed(&mut self, bytes: &[u8], mut tell: impl FnMut(Line<'_>)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(end) = piece.strip_suffix(b"\n") else { return self.hold(piece) };
            if self.length == 0 {
                // The usual case: the whole line lies in these bytes.
                let kept = &end[..end.len().min(self.keep)];
                tell(Line { offset: self.offset, bytes: kept, length: end.len() as u64 });
                self.offset += piece.len() as u64;
            } else {
                self.hold(end);
                self.end_line(1, &mut tell);
            }
        }
    }

    /// Calls `tell` with the last line, if it has no newline.
    pub(in crate::prove) fn finish(mut self, mut tell: impl FnMut(Line<'_>)) {
        if self.length > 0 {
            self.end_line(0, &mut tell);
        }
    }

    fn hold(&mut self, piece: &[u8]) {
        let room = self.keep.saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&piece[..piece.len().min(room)]);
        self.length += piece.len() as u64;
    }

    fn end_line(&mut self, newline: u64, tell: &mut impl FnMut(Line<'_>)) {
        tell(Line { offset: self.offset, bytes: &self.begun, length: self.length });
        self.offset += self.length + newline;
        self.length = 0;
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests;
