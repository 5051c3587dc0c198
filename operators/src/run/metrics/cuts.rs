//! When each cut began, and when its oldest bytes were appended: kept from the cut's closing until
//! it has landed.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Mutex, PoisonError};

use crate::position::Position;

/// The times of one cut, in milliseconds on the steady clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutTimes {
    /// When its first chunk was handed out.
    pub begun_ms: u64,
    /// When its oldest bytes were appended; none if all of them were there before the run.
    pub appended_ms: Option<u64>,
}

/// The cuts that are closed but have not landed, by their upper bounds.
#[derive(Default)]
pub(super) struct Cuts(Mutex<BTreeMap<Position, CutTimes>>);

impl Cuts {
    pub(super) fn closed(&self, upper: Position, times: CutTimes) {
        self.lock().insert(upper, times);
    }

    /// For each cut that a table has passed between two positions: when its oldest bytes were
    /// appended.
    pub(super) fn appended_within(&self, after: Position, upto: Position) -> Vec<u64> {
        let passed =
            |(upper, cut): (&Position, &CutTimes)| cut.appended_ms.filter(|_| *upper > after && *upper <= upto);
        self.lock().iter().filter_map(passed).collect()
    }

    /// When the first of the cuts up to `position` began. These cuts are then forgotten.
    pub(super) fn landed(&self, position: Position) -> Option<u64> {
        let mut cuts = self.lock();
        let open = match cuts.range((Excluded(position), Unbounded)).next() {
            Some((&first, _)) => cuts.split_off(&first),
            None => BTreeMap::new(),
        };
        let passed = std::mem::replace(&mut *cuts, open);
        passed.into_values().map(|cut| cut.begun_ms).min()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Position, CutTimes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts() -> Cuts {
        let cuts = Cuts::default();
        for (upper, begun_ms, appended_ms) in [(10, 100, None), (20, 200, Some(150)), (30, 300, Some(250))] {
            cuts.closed(Position(upper), CutTimes { begun_ms, appended_ms });
        }
        cuts
    }

    #[test]
    fn a_table_passes_the_cuts_behind_where_it_stood() {
        let within = |after, upto| cuts().appended_within(Position(after), Position(upto));
        assert!(within(0, 10).is_empty(), "its bytes were there before the run");
        assert_eq!(within(10, 20), [150]);
        assert_eq!(within(0, 30), [150, 250]);
        assert!(within(30, 30).is_empty());
    }

    #[test]
    fn cuts_that_have_landed_are_forgotten() {
        let cuts = cuts();
        assert_eq!(cuts.landed(Position(5)), None);
        assert_eq!(cuts.landed(Position(20)), Some(100));
        assert_eq!(cuts.landed(Position(20)), None);
        assert_eq!(cuts.appended_within(Position(0), Position(30)), [250]);
    }
}
