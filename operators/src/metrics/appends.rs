//! When the bytes of a chunk were appended, as well as can be told from looking now and then.
//!
//! Bytes that a look finds and the look before did not are as old as the store says that the file's last change is, or as the look
//! itself, where the store says nothing. Of several appends between two looks that is the last, so an age may be short by a poll, and
//! never more. What the first look finds was there before the run, and has no age: a backfill's would be years.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use crate::metrics::CutTimes;
use crate::offsets::PartitionId;
use crate::protocol::cut::Chunk;
use crate::protocol::table::Stamp;

/// Looks that are remembered for one partition; beyond, bytes count as old as the oldest that wait with them.
const LOOKS: usize = 256;

/// Bytes of a partition that a look has found and the look before had not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The partition.
    pub partition: PartitionId,
    /// Whole lines of it.
    pub range: Range<u64>,
    /// When the newest of them was appended, in milliseconds since 1970; none if the store does not say.
    pub at_ms: Option<u64>,
}

/// The bytes that were found and are not handed out, and the times of the open cut.
#[derive(Default)]
pub(crate) struct Appends {
    /// In order, each with the time on the steady clock at which it was appended. Partitions
    /// without an entry have only bytes that were there before the run.
    waiting: HashMap<PartitionId, VecDeque<(Range<u64>, u64)>>,
    open: Option<CutTimes>,
}

impl Appends {
    /// A look has found this now. A store's clock may be ahead of ours: nothing is appended later
    /// than it is seen.
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

    /// `chunk` was handed out at `now_ms` on the steady clock; it opens a cut if none is open.
    pub(crate) fn handed_out(&mut self, chunk: &Chunk, now_ms: u64) {
        let open = self.open.get_or_insert(CutTimes { begun_ms: now_ms, appended_ms: None });
        let Some(waiting) = self.waiting.get_mut(&chunk.partition) else { return };
        let covered = waiting.iter().find(|(range, _)| range.start < chunk.end && chunk.start < range.end);
        if let Some((_, at_ms)) = covered {
            open.appended_ms = Some(open.appended_ms.map_or(*at_ms, |oldest| oldest.min(*at_ms)));
        }
        while waiting.front().is_some_and(|(range, _)| range.end <= chunk.end) {
            waiting.pop_front();
        }
        if waiting.is_empty() {
            self.waiting.remove(&chunk.partition);
        }
    }

    /// The open cut was closed at `now_ms` on the steady clock.
    pub(crate) fn cut_closed(&mut self, now_ms: u64) -> CutTimes {
        self.open.take().unwrap_or(CutTimes { begun_ms: now_ms, appended_ms: None })
    }
}

#[cfg(test)]
mod tests;
