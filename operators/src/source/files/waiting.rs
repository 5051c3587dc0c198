//! Last lines without a newline, in a tail: the writer may still be writing, or may be gone. A line
//! that has not grown for a while is reported once.

use std::collections::BTreeMap;

use crate::protocol::offsets::PartitionId;

/// A writer that is still writing has written more within this time, in milliseconds.
const QUIET_MS: u64 = 5_000;

/// The unfinished last lines, by partition.
#[derive(Default)]
pub(super) struct Waiting(BTreeMap<PartitionId, Line>);

/// The beginning of a line.
#[derive(Clone, Copy)]
struct Line {
    bytes: u64,
    since_ms: u64,
    told: bool,
}

impl Waiting {
    /// Takes the bytes that a look found beyond the last line ends. Returns the lines that have
    /// waited long enough and were not reported before.
    pub(super) fn seen<'a>(
        &mut self,
        unfinished: impl Iterator<Item = (&'a PartitionId, u64)>,
        now_ms: u64,
    ) -> Vec<(PartitionId, u64)> {
        let (mut lines, mut due) = (BTreeMap::new(), Vec::new());
        for (id, bytes) in unfinished {
            let known = self.0.get(id).copied().filter(|line| line.bytes == bytes);
            let mut line = known.unwrap_or(Line { bytes, since_ms: now_ms, told: false });
            if !line.told && now_ms.saturating_sub(line.since_ms) >= QUIET_MS {
                line.told = true;
                due.push((id.clone(), bytes));
            }
            lines.insert(id.clone(), line);
        }
        self.0 = lines;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_once_when_it_has_stood_still() {
        let (mut waiting, id) = (Waiting::default(), PartitionId::first("a"));
        let mut at =
            |now_ms, bytes: u64| waiting.seen([(&id, bytes)].into_iter().filter(|(_, b)| *b > 0), now_ms).len();
        assert_eq!(at(0, 7), 0);
        assert_eq!(at(4_999, 7), 0, "it may be half written");
        assert_eq!(at(5_000, 8), 0, "it has moved");
        assert_eq!(at(10_000, 8), 1);
        assert_eq!(at(60_000, 8), 0, "it was told");
        assert_eq!(at(60_001, 0), 0, "it has landed");
        assert_eq!(at(60_002, 8), 0, "another line");
        assert_eq!(at(65_002, 8), 1);
    }
}
