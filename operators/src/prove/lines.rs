//! Lines, one after the other: bytes come in pieces of any size, and each line comes out when its end is known.

use crate::record::REJECT_RAW_LIMIT;

/// A line as it is in the file, without its newline.
#[derive(Clone, Copy)]
pub(super) struct Line<'b> {
    /// Where it starts in its partition.
    pub(super) offset: u64,
    /// Its first bytes: all, unless it is longer than whoever reads it wants to know.
    pub(super) bytes: &'b [u8],
    /// How long it is.
    pub(super) length: u64,
}

impl<'b> Line<'b> {
    /// What is to be judged of it: no carriage return at its end, no byte order mark at the beginning of the file.
    pub(super) fn text(&self) -> &'b [u8] {
        let mut text = self.bytes;
        if let [head @ .., b'\r'] = text {
            text = head;
        }
        match text {
            [0xef, 0xbb, 0xbf, tail @ ..] if self.offset == 0 => tail,
            text => text,
        }
    }

    /// Whether nothing is on it.
    pub(super) fn is_blank(&self) -> bool {
        self.text().iter().all(|byte| b" \t\r".contains(byte))
    }
}

/// Takes bytes apart.
pub(super) struct Splitter {
    offset: u64,
    length: u64,
    begun: Vec<u8>,
    /// As many bytes of a line are kept.
    keep: usize,
}

impl Splitter {
    /// For bytes from `offset` on, where a line starts; lines over `max_line` are not kept whole.
    pub(super) fn new(offset: u64, max_line: u64) -> Self {
        let keep = usize::try_from(max_line).unwrap_or(usize::MAX).max(REJECT_RAW_LIMIT);
        Splitter { offset, length: 0, begun: Vec::new(), keep }
    }

    /// Where the line starts that has not ended yet.
    pub(super) fn line_start(&self) -> u64 {
        self.offset
    }

    /// Takes more bytes; tells the lines that end in them.
    pub(super) fn feed(&mut self, bytes: &[u8], mut tell: impl FnMut(Line<'_>)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(end) = piece.strip_suffix(b"\n") else { return self.hold(piece) };
            if self.length == 0 {
                // The usual case, a line that lies in these bytes whole.
                let kept = &end[..end.len().min(self.keep)];
                tell(Line { offset: self.offset, bytes: kept, length: end.len() as u64 });
                self.offset += piece.len() as u64;
            } else {
                self.hold(end);
                self.end_line(1, &mut tell);
            }
        }
    }

    /// Tells the last line, if it has no newline.
    pub(super) fn finish(mut self, mut tell: impl FnMut(Line<'_>)) {
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

    /// The lines of `bytes` that come in pieces of `step`, behind `offset`: where they start, what is kept, how long they are.
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

    #[test]
    fn marks_and_carriage_returns_are_no_text() {
        let line = |offset, bytes| Line { offset, bytes, length: bytes.len() as u64 };
        assert_eq!(line(0, b"\xef\xbb\xbf{}\r").text(), b"{}");
        assert_eq!(line(9, b"\xef\xbb\xbf{}").text(), b"\xef\xbb\xbf{}");
        assert!(line(0, b"\xef\xbb\xbf \t\r").is_blank() && !line(9, b"\xef\xbb\xbf").is_blank());
    }
}
