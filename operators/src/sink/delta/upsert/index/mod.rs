//! Where the rows of keys are, as far as is known: from a key's hash to places in files.
//!
//! It is a hint. There may be places of rows that are dead by now, and places of other keys with
//! the same hash, but a row that was alive ever since it was added is never missing. What is alive
//! is for the caller to know, and a row that lives again is for the caller to add again.
//!
//! Places lie in runs, sorted by hash. Each cut adds a run, and runs of about the same size are
//! merged into one, so that there are few and each place is moved few times. Dead places are left
//! out when runs are merged. A place takes 16 bytes.

mod run;

use self::run::Run;

/// A row of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The file, by a number of the caller's.
    pub(super) file: u32,
    /// The row, counted from the file's first, dead ones too.
    pub(super) row: u32,
}

/// The places of keys.
#[derive(Default)]
pub(super) struct Index {
    /// Of falling size.
    runs: Vec<Run>,
}

impl Index {
    /// An index of these runs, each with its hashes in rising order and a place for each.
    pub(super) fn of(runs: Vec<(Vec<u64>, Vec<Place>)>) -> Index {
        Index { runs: runs.into_iter().map(|(hashes, places)| Run { hashes, places }).collect() }
    }

    /// The runs, by their hashes and places.
    pub(super) fn runs(&self) -> impl Iterator<Item = (&[u64], &[Place])> {
        self.runs.iter().map(|run| (&run.hashes[..], &run.places[..]))
    }

    /// Adds places of keys with these hashes, in any order. `is_alive` says which places that are
    /// there already are still needed.
    pub(super) fn add(&mut self, places: Vec<(u64, Place)>, is_alive: impl Fn(Place) -> bool) {
        if places.is_empty() {
            return;
        }
        let mut newest = Run::of(places);
        while let Some(before) = self.runs.pop_if(|before| before.len() < 2 * newest.len()) {
            newest = before.merge(newest, &is_alive);
        }
        self.runs.push(newest);
    }

    /// The places of keys with these hashes, which are in rising order: each with the number of its
    /// hash among `hashes`.
    pub(super) fn find(&self, hashes: &[u64]) -> Vec<(usize, Place)> {
        debug_assert!(hashes.is_sorted(), "hashes are looked up in one pass");
        let mut found = Vec::new();
        self.runs.iter().for_each(|run| run.find(hashes, &mut found));
        found
    }

    /// Gives files other numbers. Places in those that have none any more are left out.
    pub(super) fn renumber(&mut self, number: impl Fn(u32) -> Option<u32>) {
        self.runs.iter_mut().for_each(|run| run.renumber(&number));
        self.runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    }

    /// How many places there are, those of dead rows too.
    pub(super) fn len(&self) -> usize {
        self.runs.iter().map(Run::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(file: u32, row: u32) -> Place {
        Place { file, row }
    }

    #[test]
    fn keys_of_one_hash_are_all_found() {
        let mut index = Index::default();
        index.add(vec![(7, place(0, 0)), (7, place(0, 1)), (9, place(0, 2))], |_| true);
        index.add(vec![(7, place(1, 0))], |_| true);
        let mut found = index.find(&[7, 8]);
        found.sort_unstable();
        assert_eq!(found, [(0, place(0, 0)), (0, place(0, 1)), (0, place(1, 0))]);
    }

    #[test]
    fn what_is_dead_is_left_out_in_time() {
        let mut index = Index::default();
        for file in 0..100 {
            // Every cut replaces the same rows.
            let places = (0..10).map(|row| (u64::from(row), place(file, row))).collect();
            index.add(places, |place| place.file + 1 >= file);
        }
        assert!(index.len() < 50, "{} places for 10 rows", index.len());
    }

    #[test]
    fn files_get_other_numbers() {
        let mut index = Index::default();
        index.add((0..8).map(|row| (u64::from(row % 4), place(row % 2, row))).collect(), |_| true);
        index.add(vec![(3, place(5, 0)), (2, place(5, 1))], |_| true);
        index.renumber(|file| [Some(1), None, None, None, None, Some(0)][file as usize]);
        let mut found = index.find(&[0, 1, 2, 3]);
        found.sort_unstable();
        let wanted = [
            (0, place(1, 0)),
            (0, place(1, 4)),
            (2, place(0, 1)),
            (2, place(1, 2)),
            (2, place(1, 6)),
            (3, place(0, 0)),
        ];
        assert_eq!((&found[..], index.len()), (&wanted[..], 6));
    }

    proptest! {
        #[test]
        fn every_place_that_is_alive_is_found(
            cuts in prop::collection::vec(prop::collection::vec((0_u64..40, 0_u32..3, 0_u32..100), 0..20), 0..12),
            asked in prop::collection::btree_set(0_u64..40, 0..40),
        ) {
            let is_alive = |place: Place| !place.row.is_multiple_of(5);
            let mut index = Index::default();
            let mut all = Vec::new();
            for cut in &cuts {
                let places: Vec<_> = cut.iter().map(|(hash, file, row)| (*hash, place(*file, *row))).collect();
                all.extend(places.clone());
                index.add(places, is_alive);
            }
            let asked: Vec<u64> = asked.into_iter().collect();
            let mut found: Vec<_> = index.find(&asked).into_iter().filter(|(_, place)| is_alive(*place)).collect();
            let at = |hash: u64| asked.binary_search(&hash).ok();
            let mut wanted: Vec<_> =
                all.iter().filter_map(|(hash, place)| Some((at(*hash)?, *place))).filter(|(_, p)| is_alive(*p)).collect();
            found.sort_unstable();
            wanted.sort_unstable();
            prop_assert_eq!(found, wanted);
        }
    }
}
