//! How far every table's transaction has come: the checkpoint moves to the lowest of them, and never further.

use std::collections::BTreeMap;

use crate::position::Position;
use crate::protocol::cut::Cut;
use crate::protocol::document::Standing;
use crate::record::TableId;

/// The tables' positions, and the offsets of the positions that are not yet durable everywhere.
pub struct Ledger {
    positions: Vec<Position>,
    standings: BTreeMap<Position, Standing>,
    acknowledged: Position,
}

impl Ledger {
    /// The tables as they were claimed.
    pub fn new(standings: &[Standing]) -> Self {
        let positions: Vec<_> = standings.iter().map(Standing::position).collect();
        Ledger {
            acknowledged: positions.iter().min().copied().unwrap_or_default(),
            standings: standings.iter().map(|s| (s.position(), s.clone())).collect(),
            positions,
        }
    }

    /// Learns the offsets of a cut's upper bound.
    pub fn cut(&mut self, cut: &Cut) {
        self.standings.insert(cut.upper, cut.standing());
    }

    /// `table`'s transaction now holds `position`. Returns the standing that may be acknowledged, if that moved.
    pub fn moved(&mut self, table: TableId, position: Position) -> Option<Standing> {
        self.positions[table.0] = position;
        let durable = self.durable();
        if durable <= self.acknowledged {
            return None;
        }
        self.acknowledged = durable;
        self.standings = self.standings.split_off(&durable);
        self.standings.get(&durable).cloned()
    }

    /// The position that every table's transaction holds.
    pub fn durable(&self) -> Position {
        self.positions.iter().min().copied().unwrap_or_default()
    }

    /// The tables' positions, in claim order.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }
}
