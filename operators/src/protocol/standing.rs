//! Where a group stands.

use std::sync::Arc;

use crate::position::Position;
use crate::protocol::kind::Kind;
use crate::protocol::last_rows::LastRows;
use crate::protocol::offsets::Offsets;

/// The offsets and settings of one position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing<K: Kind> {
    /// Where the next read of each partition starts.
    pub offsets: Arc<Offsets<K>>,
    /// The settings that were in force up to this position.
    pub settings: Arc<K::Settings>,
    /// The position from which they were in force: they cannot catch up a group below it.
    pub since: Position,
    /// Which cut had the last rows for each group.
    pub last_rows: LastRows,
}

impl<K: Kind> Standing<K> {
    /// The position of the offsets.
    pub fn position(&self) -> Position {
        self.offsets.position()
    }
}
