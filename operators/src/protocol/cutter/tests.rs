//! Cuts over a source of numbered records, which forces and forbids boundaries, and forgets what it
//! has handed out. `source/files/supply` has the tests over files.

use super::*;
use crate::protocol::numbers::{Next, Numbers, standing};
use crate::protocol::offsets::{Offsets, PartitionId};

const BOUNDS: Bounds = Bounds { work: 3, cut: 5, cut_ms: 1_000, ahead: 8 };

/// One partition of records up to `end`; `boundaries` says where cuts may end.
struct Records {
    at: Offsets<Numbers>,
    end: u64,
    boundaries: fn(u64) -> Boundary,
}

impl Records {
    fn move_by(&mut self, count: u64) -> std::ops::Range<u64> {
        let start = self.at.position().0;
        self.at.partitions.insert(PartitionId::first("a"), Next { next: start + count });
        self.at.move_to(Position(start + count));
        start..start + count
    }
}

impl Supply<Numbers> for Records {
    type Work = std::ops::Range<u64>;

    fn offsets(&self) -> &Offsets<Numbers> {
        &self.at
    }

    fn next(&mut self, room: u64, _settings: &Arc<u32>) -> Option<Self::Work> {
        let (at, left) = (self.at.position().0, self.end - self.at.position().0);
        // Up to the next place where a cut may end, or as far as there is room.
        let may_end = (1..=left).find(|count| (self.boundaries)(at + count) != Boundary::MustNot);
        let count = if room == 0 { may_end.unwrap_or(left) } else { room.min(left) };
        let must_end = (1..=count).find(|count| (self.boundaries)(at + count) == Boundary::Must);
        let count = must_end.unwrap_or(count);
        (count > 0).then(|| self.move_by(count))
    }

    fn towards(&mut self, targets: &VecDeque<Standing<Numbers>>, _room: u64) -> Result<Option<Self::Work>, Lost> {
        let target = targets.front().map(|target| target.position().0).unwrap_or_default();
        Err(Lost::for_good(format!("records {}..{target}, which were acknowledged", self.at.position())))
    }

    fn reach(&mut self, target: &Standing<Numbers>) {
        self.at = (*target.offsets).clone();
    }

    fn boundary(&self) -> Boundary {
        (self.boundaries)(self.at.position().0)
    }

    fn close(&mut self) {}

    fn acknowledged(&mut self, _position: Position) {}

    fn is_exhausted(&self) -> bool {
        self.at.position().0 == self.end
    }
}

fn cutter(standings: &[Standing<Numbers>], end: u64, boundaries: fn(u64) -> Boundary) -> Cutter<Numbers, Records> {
    let lowest = standings.iter().min_by_key(|standing| standing.position()).expect("a group");
    let supply = Records { at: (*lowest.offsets).clone(), end, boundaries };
    Cutter::over(supply, standings, Arc::new(1), BOUNDS)
}

/// The next steps at one moment, with credits for all, until one waits or ends.
fn steps(cutter: &mut Cutter<Numbers, Records>, now_ms: u64) -> Vec<String> {
    let mut steps = Vec::new();
    loop {
        let step = cutter.next(now_ms, true);
        let is_last = matches!(step, Decision::Wait(_) | Decision::Done | Decision::Lost(_));
        steps.push(match step {
            Decision::Work(work) => format!("{}..{}", work.start, work.end),
            Decision::Tell(Control::Cut(cut)) => format!("cut {}..{}", cut.lower, cut.upper),
            Decision::Tell(Control::Settle(position)) => format!("settle {position}"),
            Decision::Wait(_) => "wait".to_owned(),
            Decision::Done => "done".to_owned(),
            Decision::Lost(Lost { what, .. }) => format!("lost {what}"),
        });
        if is_last {
            return steps;
        }
    }
}

#[test]
fn a_boundary_that_the_source_forces_ends_the_cut() {
    let every_two = |at| if at % 2 == 0 { Boundary::Must } else { Boundary::May };
    let mut cutter = cutter(&[standing(0)], 5, every_two);
    assert_eq!(steps(&mut cutter, 0), ["0..2", "cut 0..2", "2..4", "cut 2..4", "4..5", "wait"]);
}

#[test]
fn a_boundary_that_the_source_forbids_is_not_made_for_size_time_room_or_shutdown() {
    let only_at_ten = |at| if at % 10 == 0 { Boundary::May } else { Boundary::MustNot };
    let mut whole = cutter(&[standing(0)], 20, only_at_ten);
    assert_eq!(steps(&mut whole, 0)[..3], ["0..3", "3..5", "5..10"], "beyond the cut's size and `ahead`");
    let mut late = cutter(&[standing(0)], 4, only_at_ten);
    assert_eq!(steps(&mut late, 0), ["0..3", "3..4", "wait"]);
    assert_eq!(steps(&mut late, 5_000), ["wait"], "the rest of it has not come");
    assert!(matches!(late.next(5_000, true), Decision::Wait(None)), "no time brings it");
    late.finish();
    late.supply_mut().end = 30;
    assert_eq!(steps(&mut late, 5_000), ["4..5", "5..10", "cut 0..10", "settle 10", "done"]);
}

#[test]
fn a_source_that_forgets_says_what_a_lagging_table_lacks() {
    let mut cutter = cutter(&[standing(2), standing(6)], 9, |_| Boundary::May);
    assert_eq!(steps(&mut cutter, 0), ["lost records 2..6, which were acknowledged"]);
}
