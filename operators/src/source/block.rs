//! The lines that start in a chunk, whole, as one block of bytes.
//!
//! A chunk `[start, end)` owns the lines that *start* in it: skip to behind the first newline unless `start` is at a line start,
//! and read on behind `end` to the end of the last line. Nothing is carried from one chunk to the next, so chunks are read in any
//! order on any worker. A line longer than `max_line` is measured to its end and kept as a reject with its first bytes: memory is bounded
//! by a chunk and a line.

use crate::error::StoreError;
use crate::protocol::cut::Chunk;
use crate::record::{REJECT_RAW_LIMIT, Reason, Reject};
use crate::source::Source;

/// Read behind a chunk's end along with it, for that is where its last line mostly ends: a request less. The next reads double, up
/// to [`STEP_MAX`].
const STEP_MIN: u64 = 16 << 10;
/// The largest read behind a chunk's end.
const STEP_MAX: u64 = 1 << 20;

/// Whole lines of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The lines with their newlines; only the last may lack one.
    pub bytes: Vec<u8>,
    /// Where in `bytes` the first line starts.
    pub begin: usize,
    /// The offset of `bytes[0]` in the partition.
    pub base: u64,
    /// The last line, if it is longer than `max_line`; it is not in `bytes`.
    pub oversized: Option<Reject>,
}

/// Reads the lines that start in `chunk`.
pub async fn read(source: &dyn Source, chunk: &Chunk) -> Result<Block, StoreError> {
    let from = if chunk.line_start { chunk.start } else { chunk.start - 1 };
    let reach = chunk.limit.min(chunk.end + STEP_MIN);
    let mut bytes = source.read(&chunk.partition.name, &chunk.identity, from..reach, Vec::new()).await?;
    let behind = bytes.split_off(usize::try_from(chunk.end - from).unwrap_or(usize::MAX));
    let mut block = Block { bytes, begin: 0, base: from, oversized: None };
    if !chunk.line_start {
        match memchr::memchr(b'\n', &block.bytes) {
            Some(newline) => block.begin = newline + 1,
            // The whole chunk lies inside a line that starts before it.
            None => block.begin = block.bytes.len(),
        }
    }
    if block.begin == block.bytes.len() || block.bytes.ends_with(b"\n") {
        return Ok(block);
    }
    let last = memchr::memrchr(b'\n', &block.bytes[block.begin..]).map_or(block.begin, |i| block.begin + i + 1);
    finish_line(source, chunk, block, last, behind).await
}

/// Reads the block's last line, which starts at `last`, to its end. The bytes `behind` the chunk are here already.
async fn finish_line(
    source: &dyn Source,
    chunk: &Chunk,
    mut block: Block,
    last: usize,
    mut behind: Vec<u8>,
) -> Result<Block, StoreError> {
    let (mut at, mut step) = (chunk.end, STEP_MIN);
    let mut length = (block.bytes.len() - last) as u64;
    let mut finished = false;
    while at < chunk.limit && !finished {
        let (to, known) = (chunk.limit.min(at + step), block.bytes.len());
        if behind.is_empty() {
            block.bytes = source.read(&chunk.partition.name, &chunk.identity, at..to, block.bytes).await?;
        } else {
            block.bytes.append(&mut behind);
        }
        let newline = memchr::memchr(b'\n', &block.bytes[known..]);
        length += newline.unwrap_or(block.bytes.len() - known) as u64;
        finished = newline.is_some();
        if length > chunk.settings.max_line {
            block.bytes.truncate(last + REJECT_RAW_LIMIT);
        } else if let Some(newline) = newline {
            block.bytes.truncate(known + newline + 1);
        }
        (at, step) = (to, (step * 2).min(STEP_MAX));
    }
    if length > chunk.settings.max_line {
        let mut raw = block.bytes.split_off(last);
        raw.truncate(length.min(REJECT_RAW_LIMIT as u64) as usize);
        let offset = block.base + last as u64;
        block.oversized = Some(Reject { offset, reason: Reason::LineTooLong, raw, length });
    }
    Ok(block)
}
