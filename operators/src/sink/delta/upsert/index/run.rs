//! Places, sorted by the hashes of their keys.

use super::Place;

/// A sorted part of the index. Its places never change, only the numbers of their files.
pub(super) struct Run {
    /// Rising; one for each place.
    pub(super) hashes: Vec<u64>,
    pub(super) places: Vec<Place>,
}

impl Run {
    pub(super) fn of(mut places: Vec<(u64, Place)>) -> Run {
        places.sort_unstable();
        Run {
            hashes: places.iter().map(|(hash, _)| *hash).collect(),
            places: places.iter().map(|(_, place)| *place).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// This run and `other` as one, of the places that are alive.
    pub(super) fn merge(self, other: Run, is_alive: &impl Fn(Place) -> bool) -> Run {
        let most = self.len() + other.len();
        let mut merged = Run { hashes: Vec::with_capacity(most), places: Vec::with_capacity(most) };
        let (mut a, mut b) = (0, 0);
        while a < self.len() || b < other.len() {
            let is_first = b == other.len() || (a < self.len() && self.hashes[a] <= other.hashes[b]);
            let (from, at) = if is_first { (&self, &mut a) } else { (&other, &mut b) };
            if is_alive(from.places[*at]) {
                merged.hashes.push(from.hashes[*at]);
                merged.places.push(from.places[*at]);
            }
            *at += 1;
        }
        merged.hashes.shrink_to_fit();
        merged.places.shrink_to_fit();
        merged
    }

    /// Gives files other numbers, and leaves out the places in those that have none.
    pub(super) fn renumber(&mut self, number: &impl Fn(u32) -> Option<u32>) {
        let mut kept = 0;
        for at in 0..self.len() {
            let Place { file, row } = self.places[at];
            if let Some(file) = number(file) {
                (self.hashes[kept], self.places[kept]) = (self.hashes[at], Place { file, row });
                kept += 1;
            }
        }
        self.hashes.truncate(kept);
        self.places.truncate(kept);
        self.hashes.shrink_to_fit();
        self.places.shrink_to_fit();
    }

    /// Adds to `found` the places with `hashes`, which are in rising order.
    pub(super) fn find(&self, hashes: &[u64], found: &mut Vec<(usize, Place)>) {
        let mut at = 0;
        for (number, hash) in hashes.iter().enumerate() {
            at = self.reach(at, *hash);
            let same = self.hashes[at..].iter().take_while(|other| *other == hash).count();
            found.extend(self.places[at..at + same].iter().map(|place| (number, *place)));
        }
    }

    /// The first place at `from` or after whose hash is not below `hash`. It looks ever further
    /// ahead, and then in between: what is near is found at once, what is far without a long walk.
    fn reach(&self, from: usize, hash: u64) -> usize {
        let (mut low, mut step) = (from, 1);
        while low + step < self.len() && self.hashes[low + step] < hash {
            low += step;
            step *= 2;
        }
        let high = (low + step + 1).min(self.len());
        low + self.hashes[low..high].partition_point(|other| *other < hash)
    }
}
