//! The position of every table's transaction. The checkpoint moves to the lowest, never further.

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

    /// `table`'s transaction now holds `position`. Returns the standing that may be acknowledged,
    /// if it moved.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::offsets::{Identity, Offsets, PartitionId, PartitionOffset};
    use crate::protocol::last_rows::LastRows;
    use crate::settings::{Destination, Envelope, Format, Roles, RowSettings, UnknownKeys};

    fn standing(offset: u64) -> Standing {
        let at = PartitionOffset { offset, identity: Identity::default(), landed_tail: false, gone: false };
        let roles = Roles {
            primary: Vec::new(),
            replica: Vec::new(),
            default: Destination::Reject,
            servers: BTreeMap::new(),
            sources: BTreeMap::new(),
        };
        let (format, unknown_keys) = (Format::Azure, UnknownKeys::Keep);
        let settings = RowSettings {
            rows_version: 1,
            format,
            max_line: 1,
            unknown_keys,
            zones: Default::default(),
            raw: RowSettings::usual_raw(),
            envelope: Envelope::None,
            roles,
            tables: Vec::new(),
        };
        Standing {
            offsets: Arc::new([(PartitionId::first("a"), at)].into_iter().collect::<Offsets>()),
            settings: Arc::new(settings),
            since: Position(0),
            last_rows: LastRows::default(),
        }
    }

    fn cut(lower: u64, upper: u64) -> Cut {
        let Standing { offsets, settings, since, .. } = standing(upper);
        Cut { lower: Position(lower), upper: Position(upper), offsets, settings, since, between: false }
    }

    /// What may be acknowledged once `table` stands at `position`.
    fn moved(ledger: &mut Ledger, table: usize, position: u64) -> Option<u64> {
        ledger.moved(TableId(table), Position(position)).map(|standing| standing.position().0)
    }

    #[test]
    fn what_is_acknowledged_is_what_the_last_table_holds() {
        let mut ledger = Ledger::new(&[standing(0), standing(0)]);
        ledger.cut(&cut(0, 10));
        ledger.cut(&cut(10, 20));
        assert_eq!(moved(&mut ledger, 0, 20), None);
        assert_eq!(moved(&mut ledger, 1, 10), Some(10));
        assert_eq!(moved(&mut ledger, 1, 20), Some(20));
        assert_eq!(ledger.durable(), Position(20));
    }

    #[test]
    fn nothing_is_acknowledged_twice() {
        let mut ledger = Ledger::new(&[standing(10)]);
        assert_eq!(moved(&mut ledger, 0, 10), None, "the tables stood there when they were claimed");
        ledger.cut(&cut(10, 20));
        assert_eq!(moved(&mut ledger, 0, 20), Some(20));
        assert_eq!(moved(&mut ledger, 0, 20), None);
    }

    #[test]
    fn a_lagging_table_leads_to_where_the_others_stood_when_they_were_claimed() {
        let mut ledger = Ledger::new(&[standing(0), standing(30)]);
        ledger.cut(&cut(0, 10));
        assert_eq!(moved(&mut ledger, 0, 10), Some(10));
        assert_eq!(moved(&mut ledger, 0, 30), Some(30));
        assert_eq!(ledger.positions(), [Position(30), Position(30)]);
    }
}
