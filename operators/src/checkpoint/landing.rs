//! What has landed, cut by cut. A cut has landed when no table has rows of it to come. If a table
//! got no rows of a cut, the cut's position is acknowledged only later, because that table's
//! transaction moves some cuts afterwards.

use std::collections::VecDeque;

use crate::commit::Moved;
use crate::position::Position;

/// The cuts that have landed in some tables, and the position up to which all have landed.
pub(super) struct Landing {
    tables: Vec<Reached>,
    landed: Position,
}

/// One table's progress.
struct Reached {
    drained: Position,
    /// The rows of its commits that some other table has not passed yet, by the position that each
    /// commit moved the table to.
    rows: VecDeque<(Position, u64)>,
}

/// What has landed since the last report.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Landed {
    /// All rows up to here have landed.
    pub(super) position: Position,
    /// Bytes of the source.
    pub(super) bytes: u64,
    /// The rows of each table.
    pub(super) rows: Vec<u64>,
}

impl Landing {
    /// The tables as they were claimed.
    pub(super) fn new(positions: impl Iterator<Item = Position>) -> Self {
        let tables: Vec<_> = positions.map(|drained| Reached { drained, rows: VecDeque::new() }).collect();
        Landing { landed: lowest(&tables), tables }
    }

    /// Records that a table has advanced; returns what has landed by that, if anything.
    pub(super) fn moved(&mut self, moved: &Moved) -> Option<Landed> {
        let table = &mut self.tables[moved.table.0];
        table.drained = moved.drained;
        if moved.rows > 0 {
            table.rows.push_back((moved.position, moved.rows));
        }
        let (position, before) = (lowest(&self.tables), self.landed);
        if position <= before {
            return None;
        }
        self.landed = position;
        let rows = self.tables.iter_mut().map(|table| table.take(position)).collect();
        Some(Landed { position, bytes: position.since(before), rows })
    }
}

impl Reached {
    fn take(&mut self, upto: Position) -> u64 {
        let passed = self.rows.iter().take_while(|(position, _)| *position <= upto).count();
        self.rows.drain(..passed).map(|(_, rows)| rows).sum()
    }
}

fn lowest(tables: &[Reached]) -> Position {
    tables.iter().map(|table| table.drained).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::table::TableId;

    fn landing() -> Landing {
        Landing::new([0, 0].map(Position).into_iter())
    }

    /// The table commits `rows` rows.
    fn commits(landing: &mut Landing, table: usize, position: u64, rows: u64) -> Option<(u64, u64, Vec<u64>)> {
        let (table, position) = (TableId(table), Position(position));
        told(landing.moved(&Moved { table, position, drained: position, rows }))
    }

    /// The table passes empty cuts.
    fn passes(landing: &mut Landing, table: usize, drained: u64) -> Option<(u64, u64, Vec<u64>)> {
        let (table, drained) = (TableId(table), Position(drained));
        told(landing.moved(&Moved { table, position: Position(0), drained, rows: 0 }))
    }

    fn told(landed: Option<Landed>) -> Option<(u64, u64, Vec<u64>)> {
        landed.map(|landed| (landed.position.0, landed.bytes, landed.rows))
    }

    #[test]
    fn a_cut_has_landed_once_it_is_empty_for_the_tables_that_got_no_rows() {
        let mut landing = landing();
        assert_eq!(commits(&mut landing, 0, 10, 7), None);
        assert_eq!(passes(&mut landing, 1, 10), Some((10, 10, vec![7, 0])));
        assert_eq!(passes(&mut landing, 1, 20), None, "the first still has rows of it to come");
        assert_eq!(commits(&mut landing, 0, 20, 5), Some((20, 10, vec![5, 0])));
    }

    #[test]
    fn rows_are_told_with_the_cut_that_they_are_of() {
        let mut landing = landing();
        assert_eq!(commits(&mut landing, 0, 10, 7), None);
        assert_eq!(commits(&mut landing, 0, 20, 5), None);
        assert_eq!(commits(&mut landing, 1, 10, 1), Some((10, 10, vec![7, 1])));
        assert_eq!(passes(&mut landing, 1, 30), Some((20, 10, vec![5, 0])));
    }

    #[test]
    fn a_table_that_is_settled_lands_nothing() {
        let mut landing = landing();
        passes(&mut landing, 1, 10);
        assert_eq!(commits(&mut landing, 0, 10, 7), Some((10, 10, vec![7, 0])));
        assert_eq!(commits(&mut landing, 1, 10, 0), None);
    }
}
