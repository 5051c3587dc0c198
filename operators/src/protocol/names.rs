//! What names what: tables and their groups, runs, versions, and the offsets files.

use serde::{Deserialize, Serialize};

use crate::position::Position;

/// A table of a pipeline, by its place in the pipeline's fixed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableId(pub usize);

/// A group of tables that commit as one, by its place in the order in which a run claims the
/// groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupId(pub usize);

/// The number of a run of a pipeline: unique, because only one run can claim the first group with
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The version of a group: each commit makes the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub u64);

impl Version {
    /// The version that the next commit makes.
    pub fn next(self) -> Version {
        Version(self.0 + 1)
    }
}

/// What a group's transactions hold for one pipeline: each of our commits moves both at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Held {
    /// The group holds every row below this position.
    pub position: Position,
    /// The run that made the last commit; together with the position, it names the offsets file.
    pub run: RunId,
}

/// The name of an offsets file: written once, never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OffsetsName(pub Held);

impl std::fmt::Display for OffsetsName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.json", self.0.position, self.0.run)
    }
}

impl std::str::FromStr for OffsetsName {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        let (position, run) = name.strip_suffix(".json").and_then(|n| n.split_once('.')).ok_or(())?;
        let held =
            Held { position: Position(position.parse().map_err(|_| ())?), run: RunId(run.parse().map_err(|_| ())?) };
        Ok(OffsetsName(held))
    }
}
