//! `split`: finds the lines of a block.
//!
//! CRLF is tolerated, and a byte order mark at the beginning of a partition. Blank lines are skipped. A line over `max_line` is
//! rejected with its first bytes. A line's offset and length are those of the file, with mark and carriage return.

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use crate::fetch::Fetched;
use crate::position::Position;
use crate::record::{Reason, Reject};
use crate::source::block::Block;

/// Written by some editors and services at the beginning of UTF-8 files.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line in a block, as it is in the file but for its newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it starts in the block's bytes.
    pub start: usize,
    /// Where its newline is, or would be.
    pub end: usize,
}

impl Line {
    /// The line as it is in the file.
    pub fn raw<'b>(&self, block: &'b Block) -> &'b [u8] {
        &block.bytes[self.start..self.end]
    }

    /// Where it starts in its partition.
    pub fn offset(&self, block: &Block) -> u64 {
        block.base + self.start as u64
    }

    /// The text of the line: without carriage return and byte order mark.
    pub fn text<'b>(&self, block: &'b Block) -> &'b [u8] {
        let raw = self.raw(block);
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        match self.offset(block) {
            0 => raw.strip_prefix(BYTE_ORDER_MARK).unwrap_or(raw),
            _ => raw,
        }
    }
}

/// The lines of one chunk.
#[derive(Clone)]
pub struct Lines {
    /// Where they lie.
    pub fetched: Fetched,
    /// The lines that are to be parsed.
    pub lines: Vec<Line>,
    /// The lines that are too long.
    pub rejects: Vec<Reject>,
}

/// Splits blocks into lines.
pub fn split<'s>(blocks: StreamVec<'s, Position, Fetched>) -> StreamVec<'s, Position, Lines> {
    blocks.unary::<CapacityContainerBuilder<Vec<Lines>>, _, _, _>(Pipeline, "split", |_, _| {
        |input, output| {
            input.for_each(|capability, blocks| {
                let mut session = output.session(&capability);
                for fetched in blocks.drain(..) {
                    let (lines, rejects) = lines(&fetched.block, fetched.chunk.settings.max_line);
                    session.give(Lines { fetched, lines, rejects });
                }
            });
        }
    })
}

/// The lines of a block that are to be parsed, and the rejects among them.
pub fn lines(block: &Block, max_line: u64) -> (Vec<Line>, Vec<Reject>) {
    let (mut lines, mut rejects) = (Vec::new(), Vec::new());
    let mut take = |line: Line| {
        let raw = line.raw(block);
        if raw.len() as u64 > max_line {
            rejects.push(Reject::of(raw, line.offset(block), Reason::LineTooLong));
        } else if !line.text(block).iter().all(|b| matches!(b, b' ' | b'\t' | b'\r')) {
            lines.push(line);
        }
    };
    let mut start = block.begin;
    for newline in memchr::memchr_iter(b'\n', &block.bytes[block.begin..]) {
        let end = block.begin + newline;
        take(Line { start, end });
        start = end + 1;
    }
    if start < block.bytes.len() {
        take(Line { start, end: block.bytes.len() });
    }
    rejects.extend(block.oversized.clone());
    (lines, rejects)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(bytes: &[u8], base: u64) -> Block {
        Block { bytes: bytes.to_vec(), begin: 0, base, oversized: None }
    }

    fn texts(block: &Block) -> Vec<&[u8]> {
        let (lines, rejects) = lines(block, 100);
        assert!(rejects.is_empty());
        lines.iter().map(|line| line.text(block)).collect()
    }

    #[test]
    fn carriage_returns_marks_and_blank_lines_are_not_text() {
        let first = block(b"\xef\xbb\xbf{}\r\n\r\n  \t\n{1}\n", 0);
        assert_eq!(texts(&first), [&b"{}"[..], b"{1}"]);
        let later = block(b"\xef\xbb\xbf{}\n", 8);
        assert_eq!(texts(&later), [&b"\xef\xbb\xbf{}"[..]], "a mark is one only at the beginning");
    }

    #[test]
    fn a_last_line_needs_no_newline() {
        assert_eq!(texts(&block(b"{}\n{1}", 5)), [&b"{}"[..], b"{1}"]);
    }

    #[test]
    fn a_long_line_is_rejected_where_it_starts() {
        let block = block(b"abc\nabcd\n", 10);
        let (lines, rejects) = lines(&block, 3);
        assert_eq!(lines, [Line { start: 0, end: 3 }]);
        assert_eq!(rejects, [Reject { offset: 14, reason: Reason::LineTooLong, raw: b"abcd".to_vec(), length: 4 }]);
    }
}
