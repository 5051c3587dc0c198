//! When the bytes of a chunk were appended, as well as polls of the source can tell.
//!
//! Bytes that one poll finds and the previous one did not are as old as the store's time of the
//! file's last change; where the store gives none, as old as the poll. If there were several
//! appends between the two polls, that is the last one's time, so an age may be short by one poll
//! interval, but is never too long. What the first poll finds was there before the run and has no
//! age, because a backfill's would be years.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use crate::protocol::clock::Stamp;
use crate::protocol::offsets::PartitionId;
use crate::source::files::chunk::Chunk;

/// Polls that are remembered per partition. Bytes that are found beyond that count as old as those
/// of the last poll that is remembered.
const LOOKS: usize = 256;

/// Bytes of a partition that one poll found and the previous one did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The partition.
    pub partition: PartitionId,
    /// A range of whole lines.
    pub range: Range<u64>,
    /// When the newest of these bytes were appended, in milliseconds since 1970; none if the store
    /// does not say.
    pub at_ms: Option<u64>,
}

/// The bytes that were found but not handed out yet.
#[derive(Default)]
pub(crate) struct Appends {
    /// In order, each range with the time on the steady clock at which it was appended. Partitions
    /// without an entry have only bytes that were there before the run.
    waiting: HashMap<PartitionId, VecDeque<(Range<u64>, u64)>>,
}

impl Appends {
    /// A poll at `now` has found `append`. A store's clock may be ahead of ours, but no bytes are
    /// appended after they are seen.
    pub(crate) fn found(&mut self, append: Append, now: Stamp) {
        let age_ms = append.at_ms.map_or(0, |at_ms| now.wall_ms.saturating_sub(at_ms));
        let at_ms = now.steady_ms.saturating_sub(age_ms);
        let waiting = self.waiting.entry(append.partition).or_default();
        let full = waiting.len() >= LOOKS;
        match waiting.back_mut().filter(|_| full) {
            Some((range, _)) => range.end = append.range.end,
            None => waiting.push_back((append.range, at_ms)),
        }
    }

    /// `chunk` is handed out. Returns when the oldest of its bytes were appended, on the steady
    /// clock; `None` if they were there before the run.
    pub(crate) fn handed_out(&mut self, chunk: &Chunk) -> Option<u64> {
        let waiting = self.waiting.get_mut(&chunk.partition)?;
        let covered = waiting.iter().find(|(range, _)| range.start < chunk.end && chunk.start < range.end);
        let appended_ms = covered.map(|(_, at_ms)| *at_ms);
        while waiting.front().is_some_and(|(range, _)| range.end <= chunk.end) {
            waiting.pop_front();
        }
        if waiting.is_empty() {
            self.waiting.remove(&chunk.partition);
        }
        appended_ms
    }
}

#[cfg(test)]
mod tests;
