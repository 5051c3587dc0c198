//! Where changes stand: which of those of one key came first, and which before all rows went.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where a change stands among the others of its table.
///
/// Within a partition, changes happened in the order of their offsets, and that alone says so: a
/// topic has the same change again, with the LSN that it had, where its writer has begun anew. A
/// key is in one partition, until its topic gets more of them. From then on, its changes may be in
/// another one, whose offsets say nothing about those before; there, the LSN does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Order {
    /// The source's partition, by a number of the pipeline's own.
    pub partition: u32,
    /// The record's offset in it.
    pub offset: u64,
    /// The LSN of the change, 0 if its event has none.
    pub lsn: u64,
}

/// Puts the changes at `rows` in the order in which they happened. They are those of one key,
/// sorted by partition and offset, and `order` says where they stand.
///
/// The changes of a partition stay together. Partitions are sorted by the highest LSN that each has
/// for the key, because the ones that the key has left have none of its later changes.
pub(super) fn sort_partitions(rows: &mut [usize], order: &[Order]) {
    let partition = |row: &usize| order[*row].partition;
    if rows.first().map(partition) == rows.last().map(partition) {
        return;
    }
    let of_partitions = rows.chunk_by(|a, b| partition(a) == partition(b));
    let mut of_partitions: Vec<_> = of_partitions.map(<[usize]>::to_vec).collect();
    of_partitions.sort_by_key(|rows| rows.iter().map(|row| order[*row].lsn).max());
    rows.copy_from_slice(&of_partitions.concat());
}

/// The places at which all rows of a table went.
///
/// A change that stands before one of them has no effect: in the same partition by its offset, and
/// in another one by its LSN. One whose LSN is not known counts as before.
#[derive(Default)]
pub(super) struct Truncations {
    /// By partition, the highest offset, and the highest LSN.
    of_partitions: BTreeMap<u32, (u64, u64)>,
}

impl Truncations {
    pub(super) fn of<'o>(places: impl IntoIterator<Item = &'o Order>) -> Truncations {
        let mut of_partitions = BTreeMap::new();
        for Order { partition, offset, lsn } in places {
            let (last, highest) = of_partitions.entry(*partition).or_default();
            (*last, *highest) = (*offset.max(last), *lsn.max(highest));
        }
        Truncations { of_partitions }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of_partitions.is_empty()
    }

    /// Whether one of them took away what a change at `order` has made.
    pub(super) fn undo(&self, order: &Order) -> bool {
        self.of_partitions.iter().any(|(partition, (offset, lsn))| match *partition == order.partition {
            true => order.offset < *offset,
            false => order.lsn < *lsn || order.lsn == 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of changes, in the order in which they happened.
    fn sorted(order: &[(u32, u64, u64)]) -> Vec<usize> {
        let order =
            order.iter().map(|(partition, offset, lsn)| Order { partition: *partition, offset: *offset, lsn: *lsn });
        let order: Vec<Order> = order.collect();
        let mut rows: Vec<usize> = (0..order.len()).collect();
        rows.sort_by_key(|row| (order[*row].partition, order[*row].offset));
        sort_partitions(&mut rows, &order);
        rows
    }

    #[test]
    fn within_a_partition_only_the_offset_counts() {
        assert_eq!(sorted(&[(3, 7, 100), (3, 8, 90), (3, 6, 0)]), [2, 0, 1]);
    }

    #[test]
    fn partitions_stay_whole_and_the_highest_lsn_of_each_counts() {
        // The key has moved from 2 to 0, whatever their offsets. An LSN goes back in both.
        assert_eq!(sorted(&[(0, 1, 110), (0, 2, 95), (2, 90, 100), (2, 91, 80)]), [2, 3, 0, 1]);
        // And from 0 to 2.
        assert_eq!(sorted(&[(2, 1, 110), (0, 90, 100), (0, 91, 80)]), [1, 2, 0]);
    }

    #[test]
    fn a_truncation_undoes_what_stands_before_it() {
        let place = |partition, offset, lsn| Order { partition, offset, lsn };
        assert!(!Truncations::default().undo(&place(0, 0, 0)));
        let truncations = Truncations::of(&[place(1, 50, 100), place(1, 40, 120), place(3, 7, 90)]);
        // In its own partition, the offset counts, and the LSN says nothing.
        assert!(truncations.undo(&place(1, 49, 121)));
        assert!(!truncations.undo(&place(1, 51, 120)));
        // In another partition, the LSN does.
        assert!(truncations.undo(&place(2, 900, 119)));
        assert!(!truncations.undo(&place(2, 1, 120)));
        assert!(truncations.undo(&place(2, 900, 0)), "nobody knows when it was");
        // One is enough.
        assert!(truncations.undo(&place(3, 8, 110)) && !truncations.undo(&place(3, 8, 121)));
    }

    #[test]
    fn without_lsns_partitions_are_taken_by_their_numbers() {
        assert_eq!(sorted(&[(5, 1, 0), (4, 2, 0), (4, 1, 0)]), [2, 1, 0]);
        assert_eq!(sorted(&[(4, 1, 0), (5, 1, 7), (5, 2, 0)]), [0, 1, 2]);
        assert!(sorted(&[]).is_empty());
    }
}
