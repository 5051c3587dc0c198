//! Where each table's rows end. A table that lacks no rows needs no bytes of the source to be
//! brought level, whether or not the source still has them.
//!
//! This compares positions, so it holds only along one sequence of cuts. A catch-up covers the same
//! bytes in an order of its own: a table that stopped within one knows nothing.

use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::protocol::document::Standing;
use crate::record::TableId;

/// For each table, in claim order, the end of the last cut that had rows for it. Every table
/// records this for all of them, up to its own position. Empty if nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LastRows(Vec<Position>);

impl LastRows {
    /// Nothing has landed in any of the `tables`, which begin at `genesis`.
    pub fn none(genesis: Position, tables: usize) -> LastRows {
        LastRows(vec![genesis; tables])
    }

    /// What the tables of a run know at its start. Each knows best about itself; if one knows
    /// nothing, its rows may reach up to where the furthest stands.
    pub fn known(standings: &[Standing]) -> LastRows {
        let furthest = standings.iter().map(Standing::position).max().unwrap_or_default();
        let own = |(table, standing): (usize, &Standing)| standing.last_rows.of(TableId(table)).unwrap_or(furthest);
        LastRows(standings.iter().enumerate().map(own).collect())
    }

    /// The end of the last cut that had rows for `table`, if it is known.
    pub fn of(&self, table: TableId) -> Option<Position> {
        self.0.get(table.0).copied()
    }

    /// The cut that ends at `upper` had rows for `table`.
    pub fn reach(&mut self, table: TableId, upper: Position) {
        if let Some(last) = self.0.get_mut(table.0) {
            *last = upper.max(*last);
        }
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }
}
