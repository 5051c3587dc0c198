//! What the planner sends to the tables: cuts, and requests to move a position without rows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::offsets::{Identity, Offsets, PartitionId};
use crate::position::Position;
use crate::protocol::document::Standing;
use crate::protocol::last_rows::LastRows;
use crate::settings::RowSettings;

/// An interval of positions `[lower, upper)` that is committed as one. Its data is stamped with
/// `lower`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// Where it starts.
    pub lower: Position,
    /// Where it ends.
    pub upper: Position,
    /// The offsets of `upper`.
    pub offsets: Arc<Offsets>,
    /// The settings by which its rows are made.
    pub settings: Arc<RowSettings>,
    /// The position from which these settings are in force.
    pub since: Position,
    /// It ends within a catch-up, where no table stood before: positions there are not comparable
    /// with those of other cuts.
    pub between: bool,
}

impl Cut {
    /// Where a table stands once it has drained this cut. Only the tables know where their rows
    /// end.
    pub fn standing(&self) -> Standing {
        Standing {
            offsets: self.offsets.clone(),
            settings: self.settings.clone(),
            since: self.since,
            last_rows: LastRows::default(),
        }
    }
}

/// What `plan` sends to every committer and the checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Control {
    /// A cut has been closed: all its chunks have been handed out.
    Cut(Cut),
    /// Every table's transaction is to reach this position, by a commit without files if the table
    /// got no rows.
    Settle(Position),
}

/// A byte range of one partition, handed to one worker. It owns the lines that *start* in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// The piece of the source.
    pub partition: PartitionId,
    /// The file that was there when the chunk was planned: a read of any other is refused.
    pub identity: Identity,
    /// The first byte.
    pub start: u64,
    /// The byte after the last.
    pub end: u64,
    /// No line that starts before `end` goes on beyond this byte.
    pub limit: u64,
    /// A line starts at `start`, whatever byte is before it.
    pub line_start: bool,
    /// The settings by which its rows are made.
    pub settings: Arc<RowSettings>,
    /// Part of a catch-up: tables that stand here or further hold these rows, and theirs are not
    /// staged again.
    pub catch_up: bool,
}

impl Chunk {
    /// How many bytes it covers.
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Whether it covers nothing; no such chunk is planned.
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }
}
