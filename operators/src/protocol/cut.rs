//! What the cutter sends to the groups: cuts, and requests to move a position without rows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::protocol::kind::Kind;
use crate::protocol::last_rows::LastRows;
use crate::protocol::offsets::Offsets;
use crate::protocol::standing::Standing;

/// An interval of positions `[lower, upper)` that is committed as one. Its data is stamped with
/// `lower`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Cut<K: Kind> {
    /// Where it starts.
    pub lower: Position,
    /// Where it ends.
    pub upper: Position,
    /// The offsets of `upper`.
    pub offsets: Arc<Offsets<K>>,
    /// The settings by which its rows are made.
    pub settings: Arc<K::Settings>,
    /// The position from which these settings are in force.
    pub since: Position,
}

impl<K: Kind> Cut<K> {
    /// Where a group stands once it has drained this cut. Only the groups know where their rows
    /// end.
    pub fn standing(&self) -> Standing<K> {
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
#[serde(bound = "")]
pub enum Control<K: Kind> {
    /// A cut has been closed: all its work has been handed out.
    Cut(Cut<K>),
    /// Every group's transaction is to reach this position, by a commit without files if the group
    /// got no rows.
    Settle(Position),
}
