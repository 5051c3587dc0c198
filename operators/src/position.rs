//! The logical timestamp of every dataflow: a position in a source.
//!
//! A position counts everything consumed from the source since its beginning. With one file or blob
//! it *is* that file's byte offset; with several it is the sum of their offsets. One position has
//! exactly one [`Offsets`](crate::protocol::offsets::Offsets).

use std::fmt;

use serde::{Deserialize, Serialize};
use timely::order::{PartialOrder, TotalOrder};
use timely::progress::timestamp::{PathSummary, Refines, Timestamp};

/// Total consumed from the source since its beginning, in bytes for byte sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// How far `self` is beyond `earlier`; zero if it is not.
    pub fn since(self, earlier: Position) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialOrder for Position {
    fn less_equal(&self, other: &Self) -> bool {
        self.0 <= other.0
    }
}

impl TotalOrder for Position {}

/// Positions move along a path unchanged: only `plan` advances time, through its capability.
impl Timestamp for Position {
    type Summary = ();
    fn minimum() -> Self {
        Position(0)
    }
}

impl PathSummary<Position> for () {
    fn results_in(&self, src: &Position) -> Option<Position> {
        Some(*src)
    }
    fn followed_by(&self, _other: &()) -> Option<()> {
        Some(())
    }
}

/// A dataflow's outermost scope has no time of its own.
impl Refines<()> for Position {
    fn to_inner(_outer: ()) -> Self {
        Position::minimum()
    }
    fn to_outer(self) {}
    fn summarize(_path: ()) {}
}
