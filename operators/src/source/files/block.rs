//! Reads the lines that start in a chunk, whole, into one block of bytes.
//!
//! A chunk `[start, end)` owns the lines that *start* in it: the read skips past the first newline
//! unless `start` is at a line start, and continues beyond `end` to the end of the last line.
//! Nothing is carried from one chunk to the next, so chunks can be read in any order on any worker.
//! A line longer than `max_line` is measured to its end and kept as a reject with its first bytes,
//! so memory is bounded by a chunk and a line. A line that continues far beyond its chunk waits for
//! its turn ([`Budget`]).

use crate::error::StoreError;
use crate::format::logs::record::{REJECT_RAW_LIMIT, Reason, Reject};
use crate::run::memory::{Budget, Turn};
use crate::source::files::ByteSource;
use crate::source::files::chunk::Chunk;

/// How much is read beyond a chunk's end along with it. The last line mostly ends there, which
/// saves a request. Further reads double, up to [`STEP_MAX`].
const STEP_MIN: u64 = 16 << 10;
/// The largest read beyond a chunk's end.
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
    /// Whether its lines are read by version 2 or later of the row rules, where bytes before a
    /// record are not part of it.
    pub lenient: bool,
}

/// Reads the lines that start in `chunk`. If the block has a long line, its turn is returned too,
/// to be kept as long as the line.
pub async fn read(
    source: &dyn ByteSource,
    chunk: &Chunk,
    budget: &Budget,
) -> Result<(Block, Option<Turn>), StoreError> {
    let turn = if chunk.len() > budget.cost(chunk.len()) { Some(budget.turn().await) } else { None };
    let from = if chunk.line_start { chunk.start } else { chunk.start - 1 };
    let reach = chunk.limit.min(chunk.end + STEP_MIN);
    let mut bytes = source.read(&chunk.partition.name, &chunk.identity, from..reach, Vec::new()).await?;
    let behind = bytes.split_off(usize::try_from(chunk.end - from).unwrap_or(usize::MAX));
    let mut block = Block { bytes, begin: 0, base: from, oversized: None, lenient: chunk.settings.rows_version >= 2 };
    if !chunk.line_start {
        match memchr::memchr(b'\n', &block.bytes) {
            Some(newline) => block.begin = newline + 1,
            // The whole chunk lies inside a line that starts before it.
            None => block.begin = block.bytes.len(),
        }
    }
    if block.begin == block.bytes.len() || block.bytes.ends_with(b"\n") {
        return Ok((block, turn));
    }
    let last = memchr::memrchr(b'\n', &block.bytes[block.begin..]).map_or(block.begin, |i| block.begin + i + 1);
    finish_line(source, chunk, budget, block, Tail { last, behind, turn }).await
}

/// What is known about a block's last line.
struct Tail {
    /// Where it starts in the block's bytes.
    last: usize,
    /// The bytes after the chunk that have been read already.
    behind: Vec<u8>,
    /// Its turn, if it is known to be long.
    turn: Option<Turn>,
}

/// Reads the block's last line to its end.
async fn finish_line(
    source: &dyn ByteSource,
    chunk: &Chunk,
    budget: &Budget,
    mut block: Block,
    tail: Tail,
) -> Result<(Block, Option<Turn>), StoreError> {
    let Tail { last, mut behind, mut turn } = tail;
    let (mut at, mut step) = (chunk.end, STEP_MIN);
    let mut length = (block.bytes.len() - last) as u64;
    let mut finished = false;
    while at < chunk.limit && !finished {
        let (to, known) = (chunk.limit.min(at + step), block.bytes.len());
        // A line that is already too long stays cut to its first bytes, so it needs no turn.
        if turn.is_none() && length <= chunk.settings.max_line && to - chunk.start > budget.cost(chunk.len()) {
            turn = Some(budget.turn().await);
        }
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
            block.bytes.shrink_to_fit();
            turn = None;
        } else if let Some(newline) = newline {
            block.bytes.truncate(known + newline + 1);
        }
        (at, step) = (to, (step * 2).min(STEP_MAX));
    }
    if length > chunk.settings.max_line {
        let mut raw = block.bytes.split_off(last);
        raw.truncate(length.min(chunk.settings.raw_of_long_line()) as usize);
        let offset = block.base + last as u64;
        block.oversized = Some(Reject { offset, item: None, reason: Reason::LineTooLong, raw, length, detail: None });
    }
    Ok((block, turn))
}

#[cfg(test)]
mod tests;
