//! One change a key: of the changes of a cut, the last one counts, with the values that it keeps
//! from those before it.

use arrow_row::{Row, Rows};

use super::changes::Operation;
use super::gathered::Gathered;
use super::order::sort_partitions;

/// Where a value that a change has not sent comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// From this change before it, by its row.
    Change(usize),
    /// From the row that the table has.
    Lake,
}

/// What a cut does to the row of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Net {
    /// The last change of the key, by its row; the key is the one that this row has.
    pub(super) row: usize,
    pub(super) operation: Operation,
    /// By column, the values that the change has not sent.
    pub(super) kept: Vec<(usize, Kept)>,
    /// The rows of changes that were replaced before they were seen.
    pub(super) superseded: u64,
}

impl Net {
    /// Whether it needs values of the row that the table has.
    pub(super) fn needs_lake(&self) -> bool {
        self.kept.iter().any(|(_, kept)| *kept == Kept::Lake)
    }
}

/// The changes of a cut, one a key, in the order of keys.
pub(super) struct Collapsed {
    pub(super) nets: Vec<Net>,
    /// Changes that keep a value of a row that the same cut has deleted.
    pub(super) gaps: Vec<usize>,
    /// How many changes a truncation has undone.
    pub(super) undone: u64,
}

/// Collapses `changes`, whose keys are `keys`.
pub(super) fn collapse(changes: &Gathered, keys: &Rows) -> Collapsed {
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.retain(|change| !changes.truncations.undo(&changes.order[*change]));
    let undone = (changes.len() - order.len()) as u64;
    order.sort_unstable_by(|a, b| keys.row(*a).cmp(&keys.row(*b)).then_with(|| changes.compare(*a, *b)));
    let (mut nets, mut gaps) = (Vec::new(), Vec::new());
    let same = |a: &usize, b: &usize| -> bool { Row::eq(&keys.row(*a), &keys.row(*b)) };
    for of_key in order.chunk_by_mut(same) {
        sort_partitions(of_key, &changes.order);
        let before = gaps.len();
        let mut net: Option<Net> = None;
        for row in of_key.iter() {
            match after(net.as_ref(), changes, *row) {
                Some(next) => net = Some(next),
                None => gaps.push(*row),
            }
        }
        let seen = of_key.len() - (gaps.len() - before);
        nets.extend(net.map(|net| Net { superseded: seen.saturating_sub(1) as u64, ..net }));
    }
    Collapsed { nets, gaps, undone }
}

/// What there is after the change in `row`, which follows `before`; none if it keeps a value of a
/// row that is gone.
fn after(before: Option<&Net>, changes: &Gathered, row: usize) -> Option<Net> {
    let operation = changes.operations[row];
    let mut kept = Vec::new();
    if operation != Operation::Delete {
        for column in changes.unavailable.keys().filter(|column| changes.is_unavailable(row, **column)) {
            let from = match before {
                None => Kept::Lake,
                Some(Net { operation: Operation::Delete, .. }) => return None,
                Some(net) => {
                    let earlier = net.kept.iter().find(|(of, _)| of == column);
                    earlier.map_or(Kept::Change(net.row), |(_, kept)| *kept)
                }
            };
            kept.push((*column, from));
        }
    }
    Some(Net { row, operation, kept, superseded: 0 })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow_array::{Int64Array, RecordBatch, StringArray};
    use arrow_buffer::BooleanBuffer;

    use super::super::changes::Changes;
    use super::super::order::Order;
    use super::*;

    /// Changes of a table of a key and a text; none for a text that was not sent.
    fn changes(of: &[(i64, Operation, Option<&str>, u64)]) -> Changes {
        let keys = Arc::new(Int64Array::from_iter_values(of.iter().map(|change| change.0))) as _;
        let texts = Arc::new(StringArray::from_iter(of.iter().map(|change| change.2))) as _;
        let unsent: BooleanBuffer = of.iter().map(|change| change.2.is_none()).collect();
        Changes {
            rows: RecordBatch::try_from_iter([("id", keys), ("text", texts)]).unwrap(),
            operations: of.iter().map(|change| change.1).collect(),
            unavailable: BTreeMap::from([(1, unsent)]),
            order: of.iter().map(|change| Order { offset: change.3, ..Order::default() }).collect(),
            origins: None,
            truncations: vec![],
        }
    }

    fn collapsed(changes: &Changes) -> Collapsed {
        let changes = &Gathered::of(vec![changes.clone()]).unwrap();
        let field = arrow_row::SortField::new(arrow_schema::DataType::Int64);
        let converter = arrow_row::RowConverter::new(vec![field]).unwrap();
        collapse(changes, &converter.convert_columns(&[changes.batches()[0].column(0).clone()]).unwrap())
    }

    use Operation::{Delete, Insert, Update};

    #[test]
    fn the_last_change_of_a_key_counts_wherever_its_row_is() {
        let changes = changes(&[(2, Update, Some("b"), 1), (1, Update, Some("new"), 9), (1, Insert, Some("old"), 3)]);
        let Collapsed { nets, gaps, .. } = collapsed(&changes);
        let rows: Vec<_> = nets.iter().map(|net| (net.row, net.superseded)).collect();
        assert_eq!((rows, gaps), (vec![(1, 1), (0, 0)], vec![]));
    }

    #[test]
    fn a_key_that_has_moved_is_what_its_later_partition_says() {
        let of = [(1, Update, Some("moved"), 1), (1, Insert, Some("old"), 90), (1, Update, Some("older"), 80)];
        let mut changes = changes(&of);
        let place = |partition, offset, lsn| Order { partition, offset, lsn };
        for (place_of_moved, last) in [(place(9, 1, 7), 0), (place(0, 1, 7), 0), (place(0, 1, 2), 1)] {
            changes.order = vec![place_of_moved, place(5, 90, 2), place(5, 80, 3)];
            let nets = collapsed(&changes).nets;
            assert_eq!(nets.iter().map(|net| (net.row, net.superseded)).collect::<Vec<_>>(), [(last, 2)]);
        }
    }

    #[test]
    fn an_lsn_that_goes_back_in_a_partition_changes_nothing() {
        let mut changes = changes(&[(1, Insert, Some("first"), 1), (1, Update, None, 2), (1, Update, None, 3)]);
        for (change, lsn) in changes.order.iter_mut().zip([30, 20, 0]) {
            change.lsn = lsn;
        }
        let nets = collapsed(&changes).nets;
        assert_eq!((nets[0].row, &nets[0].kept[..]), (2, &[(1, Kept::Change(0))][..]));
    }

    #[test]
    fn a_value_that_was_not_sent_is_from_the_change_before_or_from_the_lake() {
        let changes = changes(&[
            (1, Insert, Some("sent"), 1),
            (1, Update, None, 2),
            (1, Update, None, 3),
            (2, Update, None, 4),
            (2, Update, None, 5),
        ]);
        let nets = collapsed(&changes).nets;
        assert_eq!(nets[0].kept, [(1, Kept::Change(0))]);
        assert_eq!(nets[1].kept, [(1, Kept::Lake)]);
        assert!(nets[1].needs_lake() && !nets[0].needs_lake());
    }

    #[test]
    fn what_a_truncation_undoes_is_neither_kept_nor_a_gap() {
        let mut changes = changes(&[
            (1, Insert, Some("sent"), 1),
            (2, Delete, Some(""), 2),
            (2, Update, None, 3),
            (1, Update, None, 5),
            (2, Update, Some("new"), 6),
        ]);
        changes.truncations = vec![Order { offset: 4, ..Order::default() }];
        let Collapsed { nets, gaps, undone } = collapsed(&changes);
        assert_eq!((undone, gaps), (3, vec![]));
        assert_eq!(nets.iter().map(|net| (net.row, net.superseded)).collect::<Vec<_>>(), [(3, 0), (4, 0)]);
        assert_eq!(nets[0].kept, [(1, Kept::Lake)], "where nothing is any more");
    }

    #[test]
    fn a_value_of_a_row_that_is_gone_is_a_gap_and_the_row_stays_gone() {
        let changes = changes(&[(1, Delete, Some(""), 1), (1, Update, None, 2), (2, Delete, Some(""), 3)]);
        let Collapsed { nets, gaps, .. } = collapsed(&changes);
        assert_eq!(gaps, [1]);
        assert_eq!(nets.iter().map(|net| (net.row, net.operation)).collect::<Vec<_>>(), [(0, Delete), (2, Delete)]);
    }
}
