//! Which cut had the last rows for each group. A group that holds that cut lacks no rows, and needs
//! no work of the source to be brought level, whether or not the source still has it.
//!
//! A cut is named by the run that made it and by its lower bound. So two groups agree on a cut only
//! if one history made both of them: after a restore, or within a catch-up, positions would not say
//! that.

use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::protocol::names::GroupId;

/// A run, by a number that it has drawn at random: after a restore, run numbers are given out
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Draw(pub u64);

/// The cut that had the last rows for a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCut {
    /// The run that made it; `None` if the group has had no rows since its genesis.
    pub draw: Option<Draw>,
    /// Its lower bound, or the genesis.
    pub lower: Position,
}

/// The last cut of each group, in claim order, up to the position of the group that records this;
/// `None` where it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LastRows(Vec<Option<LastCut>>);

impl LastRows {
    /// Nothing has landed in any of the `groups`, which begin at `genesis`.
    pub fn none(genesis: Position, groups: usize) -> LastRows {
        LastRows(vec![Some(LastCut { draw: None, lower: genesis }); groups])
    }

    /// What the groups of a run know at its start: each knows best about itself.
    pub fn known<'k>(by_groups: impl Iterator<Item = &'k LastRows>) -> LastRows {
        LastRows(by_groups.enumerate().map(|(i, known)| known.of(GroupId(i))).collect())
    }

    /// The last cut that had rows for `group`, if it is known.
    pub fn of(&self, group: GroupId) -> Option<LastCut> {
        self.0.get(group.0).copied().flatten()
    }

    /// The cut from `lower` of the run of that `draw` has rows for `group`.
    pub fn reach(&mut self, group: GroupId, draw: Draw, lower: Position) {
        if let Some(last) = self.0.get_mut(group.0) {
            let is_later = last.is_none_or(|last| last.draw != Some(draw) || last.lower <= lower);
            debug_assert!(is_later, "a run fills its cuts in order");
            *last = Some(LastCut { draw: Some(draw), lower });
        }
    }

    /// Whether nothing is recorded.
    pub fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }
}
