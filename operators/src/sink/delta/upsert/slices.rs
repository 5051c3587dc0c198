//! The changes of a cut in slices, so that the rows that they meet are never all in memory.
//!
//! A slice has changes of rows that lie next to each other in the table's files: no part of a file
//! is read for two of them. Changes that meet no row come last.

use super::index::Place;

/// Changes that are made together.
#[derive(Debug, PartialEq)]
pub(super) struct Slice {
    /// Their numbers among those of the cut, one a key, in rising order.
    pub(super) nets: Vec<usize>,
    /// The rows that may have their keys, each with its change, in the same order.
    pub(super) candidates: Vec<(usize, Place)>,
}

/// The changes of a cut, of which slices are taken.
pub(super) struct Slices {
    /// In the order in which they are taken, from `taken` on.
    nets: Vec<usize>,
    taken: usize,
    /// By change.
    candidates: Vec<(usize, Place)>,
}

impl Slices {
    /// So many changes, and the rows that may have their keys.
    pub(super) fn of(nets: usize, mut candidates: Vec<(usize, Place)>) -> Slices {
        candidates.sort_unstable();
        let mut first = vec![None; nets];
        candidates.iter().rev().for_each(|(net, place)| first[*net] = Some(*place));
        let mut nets: Vec<usize> = (0..nets).collect();
        nets.sort_by_key(|net| (first[*net].is_none(), first[*net]));
        Slices { nets, taken: 0, candidates }
    }

    /// The next slice, of at most so many changes, and about so many candidates; none after the
    /// last.
    pub(super) fn next(&mut self, most: usize, most_candidates: usize) -> Option<Slice> {
        let (mut nets, mut met) = (Vec::new(), 0);
        while nets.len() < most.max(1) && (nets.is_empty() || met < most_candidates) {
            let Some(net) = self.nets.get(self.taken).copied() else { break };
            met += self.candidates(net).len();
            nets.push(net);
            self.taken += 1;
        }
        nets.sort_unstable();
        let candidates = nets.iter().flat_map(|net| self.candidates(*net).to_vec()).collect();
        (!nets.is_empty()).then_some(Slice { nets, candidates })
    }

    fn candidates(&self, net: usize) -> &[(usize, Place)] {
        let rest = &self.candidates[self.candidates.partition_point(|(other, _)| *other < net)..];
        &rest[..rest.iter().take_while(|(other, _)| *other == net).count()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: u32, row: u32) -> Place {
        Place { file, row }
    }

    #[test]
    fn rows_that_lie_together_are_met_together() {
        let candidates = vec![(3, place(0, 9)), (1, place(2, 0)), (0, place(0, 5)), (4, place(0, 1)), (1, place(0, 8))];
        let mut slices = Slices::of(5, candidates);
        let near = vec![(0, place(0, 5)), (4, place(0, 1))];
        assert_eq!(slices.next(2, 9), Some(Slice { nets: vec![0, 4], candidates: near }));
        let next = vec![(1, place(0, 8)), (1, place(2, 0)), (3, place(0, 9))];
        assert_eq!(slices.next(2, 9), Some(Slice { nets: vec![1, 3], candidates: next }));
        assert_eq!(slices.next(2, 9), Some(Slice { nets: vec![2], candidates: vec![] }));
        assert_eq!(slices.next(2, 9), None);
    }

    #[test]
    fn a_cut_that_fits_is_one_slice_in_the_order_of_keys() {
        let mut slices = Slices::of(3, vec![(0, place(1, 0)), (2, place(0, 0))]);
        assert_eq!(slices.next(100, 100).map(|slice| slice.nets), Some(vec![0, 1, 2]));
        assert_eq!(slices.next(100, 100), None);
        assert!(Slices::of(0, vec![]).next(0, 0).is_none());
    }

    #[test]
    fn changes_that_meet_no_row_are_as_many_as_fit() {
        let mut slices = Slices::of(6, vec![(5, place(0, 0)), (4, place(0, 1))]);
        assert_eq!(slices.next(9, 1).map(|slice| slice.nets), Some(vec![5]));
        assert_eq!(slices.next(9, 2).map(|slice| slice.nets), Some(vec![0, 1, 2, 3, 4]));
        assert_eq!(slices.next(9, 0), None);
    }
}
