//! Hands out a source's work and closes cuts. Decisions only: it reads nothing and waits for
//! nothing.
//!
//! - First it brings lagging groups level, by *catch-up cuts* over exactly the work between their
//!   offsets, with the settings that were in force there. Where the groups are known to lack no
//!   rows, the cut has no work. Fresh work is handed out only when every group's transaction stands
//!   level.
//! - What to hand out, and where a cut may end, is the [`Supply`]'s.
//! - What is handed out but not acknowledged stays within `ahead`, unless the supply forbids a
//!   boundary. At that bound the cutter closes the open cut and settles the groups, because an open
//!   cut can never be acknowledged.

mod level;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::position::Position;
use crate::protocol::cut::{Control, Cut};
use crate::protocol::kind::Kind;
use crate::protocol::last_rows::LastCut;
use crate::protocol::names::GroupId;
use crate::protocol::standing::Standing;
use crate::protocol::supply::{Boundary, Lost, Supply};

/// Groups that got no rows are settled after this many cuts.
pub(crate) const SETTLE_CUTS: u32 = 4;
/// They are also settled this long after the first unsettled cut was closed, in milliseconds.
pub(crate) const SETTLE_MS: u64 = 30_000;

/// How much is handed out, in units of the position.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most of one piece of work, in the unit of positions, as are the next two.
    pub work: u64,
    /// The most of one cut.
    pub cut: u64,
    /// A cut is closed this long after its first work, in milliseconds.
    pub cut_ms: u64,
    /// The most that is handed out but not acknowledged. A void cut never is, so there must be no
    /// such bound where cuts may be void.
    pub ahead: u64,
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub enum Decision<K: Kind, W> {
    /// Hand this work to a worker, at the time of the open cut.
    Work(W),
    /// Send this to every group, then advance the time to the cutter's position.
    Tell(Control<K>),
    /// Wait for a credit, for more to hand out, for a newer acknowledged position, or until this
    /// time (milliseconds on the steady clock).
    Wait(Option<u64>),
    /// Everything is handed out, and every group was asked to settle.
    Done,
    /// A lagging group needs what the source does not have any more.
    Lost(Lost),
}

struct OpenCut<K: Kind> {
    lower: Position,
    opened_ms: u64,
    settings: Arc<K::Settings>,
}

/// The one cutter of a pipeline.
pub struct Cutter<K: Kind, S> {
    supply: S,
    bounds: Bounds,
    settings: Arc<K::Settings>,
    /// From where today's settings are in force: the position of the furthest group, or earlier if
    /// that group has them already.
    since: Position,
    open: Option<OpenCut<K>>,
    /// Where each group stood at the start, in claim order, and which cut had its last rows.
    stood: Vec<(Position, Option<LastCut>)>,
    /// Where groups stand that are further than the lowest, nearest first.
    targets: VecDeque<Standing<K>>,
    levelling: bool,
    acknowledged: Position,
    settled: Position,
    unsettled_cuts: u32,
    unsettled_since_ms: u64,
    finishing: bool,
}

impl<K: Kind, S: Supply<K>> Cutter<K, S> {
    /// A cutter over groups that stand at `standings`, with today's `settings`. The `supply` stands
    /// where the lowest of them does.
    pub fn over(supply: S, standings: &[Standing<K>], settings: Arc<K::Settings>, bounds: Bounds) -> Self {
        let mut order: Vec<&Standing<K>> = standings.iter().collect();
        order.sort_by_key(|s| s.position());
        order.dedup_by_key(|s| s.position());
        let since = match order.last() {
            Some(last) if last.settings == settings => last.since,
            last => last.map(|s| s.position()).unwrap_or_default(),
        };
        let position = supply.offsets().position();
        Cutter {
            supply,
            bounds,
            settings,
            since,
            open: None,
            stood: standings.iter().enumerate().map(|(i, s)| (s.position(), s.last_rows.of(GroupId(i)))).collect(),
            targets: order.into_iter().skip(1).cloned().collect(),
            levelling: false,
            acknowledged: position,
            settled: position,
            unsettled_cuts: 0,
            unsettled_since_ms: 0,
            finishing: false,
        }
    }

    /// What the source has to hand out.
    pub fn supply(&self) -> &S {
        &self.supply
    }

    /// The same, to tell it what was seen of the source.
    pub fn supply_mut(&mut self) -> &mut S {
        &mut self.supply
    }

    /// How much is handed out.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// How far the source is handed out.
    pub fn position(&self) -> Position {
        self.supply.offsets().position()
    }

    /// The time of data that is handed out now: the open cut's lower bound.
    pub fn time(&self) -> Position {
        self.open.as_ref().map_or(self.position(), |open| open.lower)
    }

    /// Everything below `position` was acknowledged.
    pub fn acknowledged(&mut self, position: Position) {
        self.acknowledged = self.acknowledged.max(position);
        self.supply.acknowledged(self.acknowledged);
    }

    /// No fresh work is handed out from now on, except to a place where a cut may end; the open cut
    /// is closed and settled.
    pub fn finish(&mut self) {
        self.finishing = true;
    }

    /// Whether fresh work is handed out now.
    pub fn is_fresh(&self) -> bool {
        !self.finishing && self.targets.is_empty()
    }

    /// Whether everything that was seen of the source has been handed out.
    pub fn is_exhausted(&self) -> bool {
        let level = !self.levelling || self.acknowledged >= self.position();
        self.targets.is_empty() && level && self.supply.is_exhausted()
    }

    /// What to do next, at `now_ms` on the steady clock. `credit` is whether a worker can take
    /// work.
    pub fn next(&mut self, now_ms: u64, credit: bool) -> Decision<K, S::Work> {
        let may_close = self.supply.boundary() != Boundary::MustNot;
        if self.finishing && (may_close || self.open.is_none()) {
            return self.wind_up(now_ms);
        }
        if self.levelling {
            if self.acknowledged < self.position() {
                return Decision::Wait(None);
            }
            self.levelling = false;
        }
        if self.targets.front().is_some_and(|target| target.position() == self.position()) {
            return self.reach_target(now_ms, credit);
        }
        if self.lacks_no_rows() {
            self.skip_to_target(now_ms);
            return self.reach_target(now_ms, credit);
        }
        let handed_out = self.position().since(self.time());
        if may_close && self.is_over(handed_out, now_ms) {
            return self.close(now_ms);
        }
        if self.settle_due(now_ms) {
            return self.settle();
        }
        let room = self.bounds.ahead.saturating_sub(self.position().since(self.acknowledged));
        if (room == 0 || self.supply.is_full()) && may_close {
            return self.relieve(now_ms);
        }
        let most = self.bounds.work.min(self.bounds.cut.saturating_sub(handed_out)).min(room);
        match credit {
            true => self.hand_out(most, now_ms),
            false => Decision::Wait(self.alarm()),
        }
    }

    fn hand_out(&mut self, most: u64, now_ms: u64) -> Decision<K, S::Work> {
        let lower = self.time();
        let settings = self.targets.front().map_or(&self.settings, |target| &target.settings).clone();
        let work = match self.targets.is_empty() {
            true => self.supply.next(most, &settings),
            false => match self.supply.towards(&self.targets, most) {
                Ok(work) => work,
                Err(lost) => return Decision::Lost(lost),
            },
        };
        let Some(work) = work else { return Decision::Wait(self.alarm()) };
        debug_assert!(self.position() > lower, "an open cut has moved the position");
        self.open.get_or_insert(OpenCut { lower, opened_ms: now_ms, settings });
        Decision::Work(work)
    }

    /// Whether the open cut has to end, having handed out so much.
    fn is_over(&self, handed_out: u64, now_ms: u64) -> bool {
        let Some(open) = &self.open else { return false };
        handed_out >= self.bounds.cut
            || now_ms.saturating_sub(open.opened_ms) >= self.bounds.cut_ms
            || self.supply.boundary() == Boundary::Must
    }

    /// Shutdown: close the open cut, settle, and end. An interrupted catch-up goes on in the next
    /// run.
    fn wind_up(&mut self, now_ms: u64) -> Decision<K, S::Work> {
        match self.open.is_some() || self.settled < self.position() {
            true => self.relieve(now_ms),
            false => Decision::Done,
        }
    }

    /// At the `ahead` bound: nothing is acknowledged until the cut closes and every group moves.
    fn relieve(&mut self, now_ms: u64) -> Decision<K, S::Work> {
        if self.open.is_some() {
            return self.close(now_ms);
        }
        if self.settled < self.position() {
            return self.settle();
        }
        Decision::Wait(None)
    }

    fn close(&mut self, now_ms: u64) -> Decision<K, S::Work> {
        debug_assert_ne!(self.supply.boundary(), Boundary::MustNot, "a cut ends only where it may");
        let open = self.open.take().expect("only an open cut is closed");
        let upper = self.position();
        let offsets = match self.targets.front() {
            Some(target) if target.position() == upper => target.offsets.clone(),
            Some(_) => Arc::new(self.supply.offsets().clone()),
            None => {
                self.supply.close();
                Arc::new(self.supply.offsets().clone())
            }
        };
        debug_assert_eq!(offsets.position(), upper, "closing a cut moves no position");
        if self.unsettled_cuts == 0 {
            self.unsettled_since_ms = now_ms;
        }
        self.unsettled_cuts += 1;
        // A cut never spans targets: in a catch-up, the open cut leads to the front one.
        let since = self.targets.front().map_or(self.since, |target| target.since);
        Decision::Tell(Control::Cut(Cut { lower: open.lower, upper, offsets, settings: open.settings, since }))
    }

    fn settle(&mut self) -> Decision<K, S::Work> {
        debug_assert!(self.open.is_none(), "an open cut cannot be settled");
        self.settled = self.position();
        self.unsettled_cuts = 0;
        Decision::Tell(Control::Settle(self.settled))
    }

    fn settle_due(&self, now_ms: u64) -> bool {
        let aged = now_ms.saturating_sub(self.unsettled_since_ms) >= SETTLE_MS;
        self.open.is_none() && (self.unsettled_cuts >= SETTLE_CUTS || (self.unsettled_cuts > 0 && aged))
    }

    fn alarm(&self) -> Option<u64> {
        // Where no cut may end, no time ends it: more has to come first.
        let open = self.open.as_ref().filter(|_| self.supply.boundary() != Boundary::MustNot);
        let close = open.map(|open| open.opened_ms.saturating_add(self.bounds.cut_ms));
        // An open cut is closed first; a settle that is due then is seen at once.
        let settle = (self.open.is_none() && self.unsettled_cuts > 0).then(|| self.unsettled_since_ms + SETTLE_MS);
        close.into_iter().chain(settle).min()
    }
}

#[cfg(test)]
mod tests;
