//! What was seen of one partition: runs of records, each of one transaction or of none.

use std::collections::VecDeque;

/// A look: its number, and when it was begun, on the steady clock.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) look: u64,
    pub(super) ms: u64,
}

/// What was seen of a partition.
#[derive(Default)]
pub(super) struct Place {
    /// The offset that is looked at next.
    pub(super) next: u64,
    /// Records that are not given.
    pub(super) runs: VecDeque<Run>,
    /// How far it is given.
    pub(super) given: u64,
    /// Whether changes may have come in it before what is looked at, and whether one has since.
    pub(super) is_resumed: bool,
    pub(super) has_changes: bool,
    /// The commit that all transactions that are to come in it follow.
    pub(super) passed: u64,
    /// Since which look all that was there was seen.
    pub(super) whole_since: Option<Seen>,
}

/// Records that lie together, of one transaction or of none.
pub(super) struct Run {
    pub(super) tx: Option<u64>,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Place {
    /// Gives the first run. Returns how many offsets that is.
    pub(super) fn give(&mut self) -> u64 {
        let Some(run) = self.runs.pop_front() else { return 0 };
        let before = std::mem::replace(&mut self.given, run.to);
        run.to - before
    }
}
