//! The position of every group's transaction. The checkpoint moves to the lowest, never further.

use std::collections::BTreeMap;

use crate::position::Position;
use crate::protocol::cut::Cut;
use crate::protocol::kind::Kind;
use crate::protocol::names::GroupId;
use crate::protocol::standing::Standing;

/// The groups' positions, and the offsets of the positions that are not yet durable everywhere.
pub struct Ledger<K: Kind> {
    positions: Vec<Position>,
    standings: BTreeMap<Position, Standing<K>>,
    acknowledged: Position,
}

impl<K: Kind> Ledger<K> {
    /// The groups as they were claimed.
    pub fn new(standings: &[Standing<K>]) -> Self {
        let positions: Vec<_> = standings.iter().map(Standing::position).collect();
        Ledger {
            acknowledged: positions.iter().min().copied().unwrap_or_default(),
            standings: standings.iter().map(|s| (s.position(), s.clone())).collect(),
            positions,
        }
    }

    /// Learns the offsets of a cut's upper bound.
    pub fn cut(&mut self, cut: &Cut<K>) {
        debug_assert_eq!(cut.offsets.position(), cut.upper, "a cut leads to the offsets of its upper bound");
        self.standings.insert(cut.upper, cut.standing());
    }

    /// `group`'s transaction now holds `position`. Returns the standing that may be acknowledged,
    /// if it moved.
    pub fn moved(&mut self, group: GroupId, position: Position) -> Option<Standing<K>> {
        debug_assert!(position >= self.positions[group.0], "a group's position never goes back");
        self.positions[group.0] = position;
        let durable = self.durable();
        if durable <= self.acknowledged {
            return None;
        }
        self.acknowledged = durable;
        self.standings = self.standings.split_off(&durable);
        let standing = self.standings.get(&durable).cloned();
        debug_assert!(standing.is_some(), "every position that a group reaches is the end of a cut");
        standing
    }

    /// The position that every group's transaction holds.
    pub fn durable(&self) -> Position {
        self.positions.iter().min().copied().unwrap_or_default()
    }

    /// The groups' positions, in claim order.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::numbers::{Numbers, cut, standing};

    /// What may be acknowledged once `group` stands at `position`.
    fn moved(ledger: &mut Ledger<Numbers>, group: usize, position: u64) -> Option<u64> {
        ledger.moved(GroupId(group), Position(position)).map(|standing| standing.position().0)
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
        assert_eq!(moved(&mut ledger, 0, 10), None, "the groups stood there when they were claimed");
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
