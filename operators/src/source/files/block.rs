//! Reads the lines that start in a chunk, whole, into one block of bytes.
//!
//! A chunk `[start, end)` owns the lines that *start* in it: the read skips past the first newline
//! unless `start` is at a line start, and continues beyond `end` to the end of the last line.
//! Nothing is carried from one chunk to the next, so chunks can be read in any order on any worker.
//! A line longer than `max_line` is measured to its end and kept as a reject with its first bytes,
//! so memory is bounded by a chunk and a line. A line that continues far beyond its chunk waits for
//! its turn ([`Budget`]).

use crate::error::StoreError;
use crate::memory::{Budget, Turn};
use crate::record::{REJECT_RAW_LIMIT, Reason, Reject};
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
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::protocol::offsets::PartitionId;
    use crate::settings::{Destination, Envelope, Format, ROWS_VERSION, Roles, RowSettings, UnknownKeys};
    use crate::source::files::file::FileSource;
    use crate::source::files::identity::{Fingerprint, Identity};
    use crate::source::files::needs::{Needs, READ_BEHIND};

    const CHUNK: u64 = 1024;

    fn settings(max_line: u64) -> Arc<RowSettings> {
        let (primary, replica, servers, sources) = Default::default();
        let roles = Roles { primary, replica, default: Destination::Primary, servers, sources };
        let (format, unknown_keys) = (Format::Azure, UnknownKeys::Keep);
        Arc::new(RowSettings {
            rows_version: ROWS_VERSION,
            format,
            max_line,
            unknown_keys,
            zones: Default::default(),
            raw: RowSettings::usual_raw(),
            envelope: Envelope::None,
            roles,
            tables: Vec::new(),
        })
    }

    /// Reads the first chunk of a file that is one line of `length` bytes.
    fn read_line(length: u64, max_line: u64, chunk_end: u64) -> (Block, bool) {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("a");
        let length = usize::try_from(length).expect("a short file");
        std::fs::write(&path, [&b"x".repeat(length)[..], b"\n"].concat()).expect("a file");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        runtime.block_on(async {
            let reading = tokio::spawn(async move {
                let source = FileSource::open(path.to_str().expect("UTF-8")).expect("a source");
                let listed = source.list().await.expect("a listing").files.remove(0);
                let fingerprint = Fingerprint::of(b"x");
                let identity = Identity { created: listed.created, fingerprint, ..Identity::default() };
                let partition = PartitionId { name: listed.name, generation: 1 };
                let (limit, settings) = (listed.length, settings(max_line));
                let (start, end, line_start, catch_up) = (0, chunk_end, true, false);
                let chunk = Chunk { partition, identity, start, end, limit, line_start, settings, catch_up };
                let needs = Needs { workers: 1, tables: 1, chunk: CHUNK, in_flight: 1, max_line, uploads: 0 };
                let (block, turn) =
                    read(&source, &chunk, &Budget::new(needs.parts().least(), needs.parts())).await.expect("read");
                (block, turn.is_some())
            });
            reading.await.expect("it does not panic")
        })
    }

    #[test]
    fn a_line_that_goes_on_far_behind_its_chunk_has_a_turn_and_keeps_it() {
        let (block, turn) = read_line(READ_BEHIND / 2, 4 * READ_BEHIND, CHUNK);
        assert_eq!((block.bytes.len() as u64, turn), (READ_BEHIND / 2 + 1, false));
        let (block, turn) = read_line(3 * READ_BEHIND, 4 * READ_BEHIND, CHUNK);
        assert_eq!((block.bytes.len() as u64, turn), (3 * READ_BEHIND + 1, true));
    }

    #[test]
    fn a_chunk_that_was_not_divided_has_a_turn() {
        let (block, turn) = read_line(3 * READ_BEHIND, 4 * READ_BEHIND, 3 * READ_BEHIND + 1);
        assert_eq!((block.bytes.len() as u64, turn), (3 * READ_BEHIND + 1, true));
    }

    #[test]
    fn a_line_that_is_too_long_gives_back_its_turn_and_its_memory() {
        let (block, turn) = read_line(5 * READ_BEHIND, 2 * READ_BEHIND, CHUNK);
        assert!(!turn && block.bytes.is_empty());
        assert!(block.bytes.capacity() as u64 <= 2 * READ_BEHIND, "{}", block.bytes.capacity());
        assert_eq!(block.oversized.map(|reject| reject.length), Some(5 * READ_BEHIND));
    }
}
