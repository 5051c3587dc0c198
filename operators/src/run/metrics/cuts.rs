//! When each cut began, and when its oldest bytes were appended: kept from the cut's closing until
//! it has landed.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Mutex, PoisonError};

use crate::position::Position;

/// The times of one cut, in milliseconds on the steady clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CutTimes {
    /// When its first work was handed out.
    pub(crate) begun_ms: u64,
    /// When the oldest of it came into the source; none if all of it was there before the run.
    pub(crate) appended_ms: Option<u64>,
}

/// The times of the open cut.
#[derive(Default)]
pub(crate) struct OpenCut(Option<CutTimes>);

impl OpenCut {
    /// Work was handed out at `now_ms` on the steady clock; it opens a cut if none is open. The
    /// oldest of it is from `appended_ms`, if that is known.
    pub(crate) fn handed_out(&mut self, now_ms: u64, appended_ms: Option<u64>) {
        let open = self.0.get_or_insert(CutTimes { begun_ms: now_ms, appended_ms: None });
        open.appended_ms = open.appended_ms.into_iter().chain(appended_ms).min();
    }

    /// The open cut was closed at `now_ms` on the steady clock.
    pub(crate) fn closed(&mut self, now_ms: u64) -> CutTimes {
        self.0.take().unwrap_or(CutTimes { begun_ms: now_ms, appended_ms: None })
    }
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

    #[test]
    fn a_cut_begins_with_its_first_work_and_is_as_old_as_its_oldest() {
        let mut open = OpenCut::default();
        open.handed_out(1_000, None);
        open.handed_out(2_000, Some(700));
        open.handed_out(2_500, Some(900));
        assert_eq!(open.closed(3_000), CutTimes { begun_ms: 1_000, appended_ms: Some(700) });
        open.handed_out(4_000, None);
        assert_eq!(open.closed(5_000), CutTimes { begun_ms: 4_000, appended_ms: None });
    }

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
