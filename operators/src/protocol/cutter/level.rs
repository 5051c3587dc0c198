//! Lagging groups are brought level over exactly the work between their offsets, with the settings
//! that were in force there. Where no lagging group lacks a row, nothing need be read.

use super::{Cutter, Decision, OpenCut};
use crate::position::Position;
use crate::protocol::kind::Kind;
use crate::protocol::last_rows::LastCut;
use crate::protocol::names::GroupId;
use crate::protocol::supply::Supply;

impl<K: Kind, S: Supply<K>> Cutter<K, S> {
    /// The cutter stands where the next group stands: that group takes part from here on.
    pub(super) fn reach_target(&mut self, now_ms: u64, credit: bool) -> Decision<K, S::Work> {
        if self.open.is_some() {
            return self.close(now_ms);
        }
        // The target's offsets may hold more than the work did, such as newly learnt identities.
        if let Some(target) = self.targets.pop_front() {
            self.supply.reach(&target);
        }
        if self.targets.is_empty() {
            self.levelling = true;
            return self.settle();
        }
        self.next(now_ms, credit)
    }

    /// Whether the group that is the next target agrees with each group behind it on the last cut
    /// that had rows for that one: then it lacks none.
    pub(super) fn lacks_no_rows(&self) -> bool {
        let Some(target) = self.targets.front() else { return false };
        let is_behind = |(_, (stood, _)): &(usize, &(Position, Option<LastCut>))| *stood < target.position();
        let lacks_none = |(group, (_, last)): (usize, &(Position, Option<LastCut>))| {
            last.is_some() && target.last_rows.of(GroupId(group)) == *last
        };
        self.stood.iter().enumerate().filter(is_behind).all(lacks_none)
    }

    /// Moves to the next target without work, in the open cut or one of its own.
    pub(super) fn skip_to_target(&mut self, now_ms: u64) {
        let Some(target) = self.targets.front() else { return };
        let (lower, settings) = (self.position(), target.settings.clone());
        self.supply.reach(target);
        self.open.get_or_insert(OpenCut { lower, opened_ms: now_ms, settings });
    }
}
