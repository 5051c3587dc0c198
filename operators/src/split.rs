//! `split`: finds the lines of a block.
//!
//! CRLF is tolerated, and so are bytes that may stand before a record and are no part of it: byte
//! order marks, NULs (a file that was truncated while it was written begins with them) and other
//! control characters. Under version 1 of the row rules, the only such bytes are a byte order mark
//! at the beginning of a partition. Blank lines and lines of NULs are skipped. A line over
//! `max_line` is rejected with its first bytes. A line's offset and length are those in the file,
//! including all these bytes. Lines are passed on in batches that bound the memory of everything
//! that follows.

use std::collections::VecDeque;
use std::ops::Range;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use crate::format::logs::record::{Reason, Reject};
use crate::format::logs::settings::RowSettings;
use crate::position::Position;
use crate::source::files::block::Block;
use crate::source::files::reader::Fetched;

/// Written by some editors and services at the beginning of UTF-8 files.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line in a block, as it is in the file, without its newline.
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

    /// The text of the line, without carriage return and without the bytes before the record.
    pub fn text<'b>(&self, block: &'b Block) -> &'b [u8] {
        &block.bytes[self.text_range(block)]
    }

    /// Where its text is in the block's bytes.
    pub fn text_range(&self, block: &Block) -> Range<usize> {
        let raw = self.raw(block);
        let end = self.end - usize::from(raw.ends_with(b"\r"));
        let marked = self.offset(block) == 0 && raw.starts_with(BYTE_ORDER_MARK);
        let before = match block.lenient {
            true => before_record(&block.bytes[self.start..end]),
            false if marked => BYTE_ORDER_MARK.len(),
            false => 0,
        };
        self.start + before..end
    }

    /// Whether the line is blank.
    fn is_blank(&self, block: &Block) -> bool {
        let text = self.text(block);
        match block.lenient {
            // Nothing is left after the bytes before a record, so every mark is whole.
            true => text.is_empty() && self.raw(block).iter().all(|b| b"\0 \t\r\xef\xbb\xbf".contains(b)),
            false => text.iter().all(|b| b" \t\r".contains(b)),
        }
    }
}

/// How many bytes of a line stand before its record: control characters, blanks, byte order marks.
fn before_record(line: &[u8]) -> usize {
    let mut rest = line;
    loop {
        match rest {
            [0..=b' ', tail @ ..] | [0xef, 0xbb, 0xbf, tail @ ..] => rest = tail,
            _ => return line.len() - rest.len(),
        }
    }
}

/// The most lines in a batch.
pub const BATCH_LINES: usize = 16 * 1024;
/// A batch ends with the line that brings it to this many bytes of text: a chunk of the usual size
/// makes one batch.
pub const BATCH_BYTES: usize = 4 << 20;
/// A batch repeats the partition's name for each row, which takes at most this many bytes.
pub const BATCH_NAMES: usize = 2 << 20;

/// Some lines of one chunk.
#[derive(Clone)]
pub struct Lines {
    /// Where they lie.
    pub fetched: Fetched,
    /// The lines to parse.
    pub lines: Vec<Line>,
    /// The lines that are too long.
    pub rejects: Vec<Reject>,
}

/// Splits blocks into lines, one batch at a time, so that the operators that follow never have more
/// than a few batches in memory.
///
/// Here, `shared::blocks` stands for [`fetch`](crate::fetch::fetch), which has read a small file:
///
/// ```
/// use lakefront_operators::split::split;
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::vec::Map;
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
///
/// let env = shared::env();
/// let texts = timely::execute_directly(move |worker| {
///     worker.dataflow(|scope| {
///         let blocks = shared::blocks(scope, "first\r\n\n  second\nthird", &env);
///         let texts = split(blocks).flat_map(|batch| {
///             let block = batch.fetched.block.clone();
///             batch.lines.into_iter().map(move |line| {
///                 let text = String::from_utf8_lossy(line.text(&block)).into_owned();
///                 (line.offset(&block), text)
///             })
///         });
///         texts.capture()
///     })
/// });
/// let (_cut, texts) = texts.extract().remove(0);
/// // Blank lines are skipped. A line's offset is where it starts in the file.
/// let expected = [(0, "first"), (8, "second"), (17, "third")];
/// assert_eq!(texts, expected.map(|(offset, text)| (offset, text.to_owned())));
/// ```
pub fn split<'s>(blocks: StreamVec<'s, Position, Fetched>) -> StreamVec<'s, Position, Lines> {
    let scope = blocks.scope();
    blocks.unary::<CapacityContainerBuilder<Vec<Lines>>, _, _, _>(Pipeline, "split", |_, info| {
        let activator = scope.activator_for(info.address);
        let mut waiting: VecDeque<(Capability<Position>, Fetched, usize)> = VecDeque::new();
        move |input, output| {
            input.for_each(|capability, blocks| {
                waiting.extend(blocks.drain(..).map(|fetched| {
                    let begin = fetched.block.begin;
                    (capability.retain(0), fetched, begin)
                }));
            });
            let Some((capability, fetched, from)) = waiting.pop_front() else { return };
            let Fetched { work: chunk, block, .. } = &fetched;
            let Batch { lines, rejects, next } = lines(block, from, &chunk.partition.to_string(), &chunk.settings);
            let rest = next.map(|next| (capability.clone(), fetched.clone(), next));
            output.session(&capability).give(Lines { fetched, lines, rejects });
            if let Some(rest) = rest {
                waiting.push_front(rest);
            }
            if !waiting.is_empty() {
                activator.activate();
            }
        }
    })
}

/// Lines of a block, as many as are parsed at once.
pub struct Batch {
    /// The lines to parse.
    pub lines: Vec<Line>,
    /// The lines that are too long.
    pub rejects: Vec<Reject>,
    /// Where in the block's bytes the next batch begins; none if this is the last.
    pub next: Option<usize>,
}

/// The batch of lines that begins at `from` in `block`, whose partition is called `name`.
pub fn lines(block: &Block, from: usize, name: &str, settings: &RowSettings) -> Batch {
    let most = BATCH_LINES.min(BATCH_NAMES / name.len().max(1)).max(1);
    let mut batch = Batch { lines: Vec::new(), rejects: Vec::new(), next: None };
    let mut start = from;
    for newline in memchr::memchr_iter(b'\n', &block.bytes[from..]) {
        let end = from + newline;
        batch.take(block, Line { start, end }, settings);
        start = end + 1;
        let full = batch.lines.len() + batch.rejects.len() >= most || start - from >= BATCH_BYTES;
        if full && start < block.bytes.len() {
            batch.next = Some(start);
            return batch;
        }
    }
    if start < block.bytes.len() {
        batch.take(block, Line { start, end: block.bytes.len() }, settings);
    }
    batch.rejects.extend(block.oversized.clone());
    batch
}

impl Batch {
    fn take(&mut self, block: &Block, line: Line, settings: &RowSettings) {
        let raw = line.raw(block);
        if raw.len() as u64 > settings.max_line {
            let kept = settings.raw_of_long_line();
            self.rejects.push(Reject::keeping(kept, raw, line.offset(block), Reason::LineTooLong));
        } else if !line.is_blank(block) {
            self.lines.push(line);
        }
    }
}

#[cfg(test)]
mod tests;
