//! Splits bytes into lines: bytes come in pieces of any size, and a line comes out once its end is
//! known.

use crate::record::REJECT_RAW_LIMIT;

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
mod tests {
    use super::*;
    use crate::settings::RowSettings;
    use crate::source::files::block::Block;
    use crate::split;

    /// The lines of `bytes`, fed in pieces of `step` from `offset` on: their starts, kept bytes,
    /// lengths.
    fn lines(bytes: &[u8], step: usize, offset: u64, max_line: u64) -> Vec<(u64, Vec<u8>, u64)> {
        let mut told = Vec::new();
        let mut tell = |line: Line<'_>| told.push((line.offset, line.bytes.to_vec(), line.length));
        let mut splitter = Splitter::new(offset, max_line);
        for piece in bytes.chunks(step) {
            splitter.feed(piece, &mut tell);
        }
        splitter.finish(&mut tell);
        told
    }

    #[test]
    fn lines_are_the_same_however_their_bytes_come() {
        let expected = [(7, b"ab\r".to_vec(), 3), (11, Vec::new(), 0), (12, b"c".to_vec(), 1)];
        for step in 1..8 {
            assert_eq!(lines(b"ab\r\n\nc", step, 7, 10), expected, "{step}");
            assert_eq!(lines(b"ab\r\n\nc\n", step, 7, 10), expected, "{step}");
        }
    }

    #[test]
    fn of_a_long_line_its_first_bytes_and_its_length_are_known() {
        let long = [&[b'x'; 3 * REJECT_RAW_LIMIT][..], b"\n{}\n"].concat();
        for step in [1000, 10 * REJECT_RAW_LIMIT] {
            let told = lines(&long, step, 0, 10);
            assert_eq!((told[0].1.len(), told[0].2), (REJECT_RAW_LIMIT, 3 * REJECT_RAW_LIMIT as u64), "{step}");
            assert_eq!(told[1], (3 * REJECT_RAW_LIMIT as u64 + 1, b"{}".to_vec(), 2), "{step}");
        }
    }

    fn line(offset: u64, bytes: &[u8]) -> Line<'_> {
        Line { offset, bytes, length: bytes.len() as u64 }
    }

    #[test]
    fn marks_and_carriage_returns_are_no_text() {
        assert_eq!(line(0, b"\xef\xbb\xbf{}\r").text(1), b"{}");
        assert_eq!(line(9, b"\xef\xbb\xbf{}").text(1), b"\xef\xbb\xbf{}");
        assert_eq!(line(9, b"\0\x03\xef\xbb\xbf {}").text(2), b"{}");
        assert!(line(0, b"\xef\xbb\xbf \t\r").is_blank(1) && !line(9, b"\xef\xbb\xbf").is_blank(1));
        assert!(line(9, b"\0\xef\xbb\xbf\0 \t\r").is_blank(2) && !line(9, b"\x03").is_blank(2));
    }

    /// The fast path trims every line in the same way.
    #[test]
    fn two_readers_of_lines_agree() {
        let pieces: [&[u8]; 8] = [b"\0", b"\xef\xbb\xbf", b"\xef\xbb", b" ", b"\x11", b"\r", b"{}", b"\t"];
        for choice in 0..8_usize.pow(5) {
            let bytes = (0..5).map(|digit| pieces[choice / 8_usize.pow(digit) % 8]).collect::<Vec<_>>().concat();
            for (version, offset) in [(1, 0), (1, 9), (2, 0), (2, 9)] {
                let (bytes, lenient) = (bytes.clone(), version >= 2);
                let block = Block { begin: 0, base: offset, oversized: None, lenient, bytes };
                let fast = split::lines(&block, 0, "a", &RowSettings::example()).lines;
                let plain = line(offset, &block.bytes);
                let fast = fast.first().map(|line| line.text(&block));
                assert_eq!((!plain.is_blank(version)).then(|| plain.text(version)), fast, "{:?}", block.bytes);
            }
        }
    }
}
