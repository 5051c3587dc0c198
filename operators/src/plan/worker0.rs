//! What `plan` does on worker 0: it looks at the source, asks the cutter what is next, and gives it
//! to the worker with the most credits.

use std::sync::Arc;
use std::time::Duration;

use super::{Feed, Mode, Planning};
use crate::error::Stop;
use crate::fetch::Assigned;
use crate::position::Position;
use crate::protocol::clock::{Clock, Stamp};
use crate::protocol::cut::Control;
use crate::protocol::cutter::{Cutter, Decision};
use crate::protocol::kind::Kind;
use crate::protocol::refusals;
use crate::protocol::supply::{Boundary, Supply};
use crate::run::bridge::Tasks;
use crate::run::env::Env;
use crate::run::fatal::StopRequest;
use crate::run::memory::Budget;
use crate::run::metrics::{Metrics, OpenCut};
use crate::run::space::FreeSpace;
use crate::work::Work;

/// The most pieces of work for one credit, because each is work for `plan` and `fetch` too.
const A_CREDIT: usize = 64;

/// The pause of a backfill before it looks again, because the source changed during its look.
const AGAIN: Duration = Duration::from_millis(20);

/// A watch that has come back, and what it has found.
type Looked<K, F> = (<F as Feed<K>>::Watch, Result<<F as Feed<K>>::Found, Stop>);

/// What the operator does next.
pub(super) enum Do<K: Kind, W> {
    /// Hands this out.
    Hand(Assigned<W>),
    /// Tells the groups, then lets time pass.
    Tell(Control<K>),
    /// Waits until it is woken.
    Sleep,
    /// Ends.
    End,
}

/// The cutter, and what feeds it.
pub(super) struct Worker0<K: Kind, F: Feed<K>> {
    cutter: Cutter<K, F::Supply>,
    feed: F,
    open: OpenCut,
    mode: Mode,
    clock: Arc<dyn Clock>,
    budget: Arc<Budget>,
    space: Arc<FreeSpace>,
    stop: StopRequest,
    tasks: Tasks<Looked<K, F>>,
    metrics: Arc<Metrics>,
    credits: Vec<usize>,
    next_worker: usize,
    /// Whether the source was looked at.
    looked: bool,
    /// Whether the last look was made in vain for some part of the source.
    again: bool,
    /// When the operator's timer fires, on the steady clock; in the past if none is set.
    alarm_ms: u64,
    /// The cutter's step after the last work, put off until that is handed out.
    put_off: Option<Decision<K, F::Work>>,
}

impl<K: Kind, F: Feed<K>> Worker0<K, F> {
    pub(super) fn start(planning: Planning<K, F>, peers: usize, tasks: Tasks<Looked<K, F>>, env: &Env) -> Self {
        let Planning { cutter, watch, feed, mode, in_flight, space, stop } = planning;
        let Env { clock, budget, metrics, .. } = env.clone();
        stop.listen(tasks.waker());
        space.listen(tasks.waker());
        let worker0 = Worker0 {
            cutter,
            feed,
            open: OpenCut::default(),
            mode,
            clock,
            budget,
            space,
            stop,
            tasks,
            metrics,
            credits: vec![in_flight; peers],
            next_worker: 0,
            looked: false,
            again: false,
            alarm_ms: 0,
            put_off: None,
        };
        worker0.look(watch, Duration::ZERO);
        worker0
    }

    /// The time of what is handed out now.
    pub(super) fn time(&self) -> Position {
        self.cutter.time()
    }

    /// Everything below `position` was acknowledged.
    pub(super) fn acknowledged(&mut self, position: Position) {
        self.cutter.acknowledged(position);
    }

    /// A credit of `worker` has come back.
    pub(super) fn credit(&mut self, worker: usize) {
        self.credits[worker] += 1;
    }

    fn look(&self, mut watch: F::Watch, after: Duration) {
        let clock = self.clock.clone();
        self.tasks.spawn(async move {
            clock.pause(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)).await;
            let found = F::look(&mut watch).await;
            (watch, found)
        });
    }

    /// Takes in what looks have found, and begins the next look.
    fn looked(&mut self) -> Result<(), Stop> {
        while let Some((mut watch, found)) = self.tasks.next_done() {
            let found = match found {
                Ok(found) => found,
                // A stopping run only finishes what was begun, so a failed look does not matter.
                Err(_) if self.stop.is_requested() && !self.must_go_on() => continue,
                Err(stop) => return Err(stop),
            };
            let now = Stamp::now(&*self.clock);
            self.again = self.feed.found(&mut watch, found, self.cutter.supply_mut(), now);
            self.looked = true;
            let supply = self.cutter.supply();
            self.metrics.source_seen(F::end(supply), F::lags_most(supply));
            match self.mode {
                Mode::Tail { poll } => self.look(watch, poll),
                Mode::Backfill if self.again => self.look(watch, AGAIN),
                Mode::Backfill => {}
            }
        }
        Ok(())
    }

    /// What to do next.
    pub(super) fn step(&mut self) -> Result<Do<K, F::Work>, Stop> {
        self.looked()?;
        let exhausted = self.mode == Mode::Backfill && self.looked && !self.again && self.cutter.is_exhausted();
        if exhausted || self.stop.is_requested() {
            self.cutter.finish();
        }
        if !self.looked && !self.stop.is_requested() {
            return Ok(Do::Sleep);
        }
        // A returned credit wakes the operator if memory was short, the guard if disk space was.
        // What belongs together is finished by a run that stops, also where disk space is short.
        let has_space = self.space.is_enough() || (self.stop.is_requested() && self.must_go_on());
        let worker = self.pick().filter(|_| self.budget.has_room() && has_space);
        let now_ms = self.clock.steady_ms();
        let step = self.put_off.take().unwrap_or_else(|| self.cutter.next(now_ms, worker.is_some()));
        Ok(match step {
            Decision::Work(work) => {
                let worker = worker.ok_or_else(|| Stop::Bug("work was planned without a credit".to_owned()))?;
                Do::Hand(self.hand_out(worker, work, now_ms))
            }
            Decision::Tell(record) => {
                self.note(&record, now_ms);
                Do::Tell(record)
            }
            Decision::Wait(until) => {
                // One alarm at a time is enough, unless the new one is earlier.
                if let Some(until) = until.filter(|until| self.alarm_ms <= now_ms || *until < self.alarm_ms) {
                    self.alarm_ms = until.max(now_ms + 1);
                    self.tasks.wake_after(Duration::from_millis(self.alarm_ms - now_ms));
                }
                Do::Sleep
            }
            Decision::Done => Do::End,
            Decision::Lost(lost) => return Err(refusals::lost(&lost)),
        })
    }

    /// Whether no cut may end where the source is handed out.
    fn must_go_on(&self) -> bool {
        self.cutter.supply().boundary() == Boundary::MustNot
    }

    /// Counts what a record means.
    fn note(&mut self, record: &Control<K>, now_ms: u64) {
        match record {
            Control::Cut(cut) => {
                let times = self.open.closed(now_ms);
                self.metrics.cut_closed(cut.upper, times, F::lags_most(self.cutter.supply()));
            }
            Control::Settle(position) => self.metrics.settles(*position),
        }
    }

    /// Hands `work`, and what shares its credit, to `worker`.
    fn hand_out(&mut self, worker: usize, work: F::Work, now_ms: u64) -> Assigned<F::Work> {
        self.credits[worker] -= 1;
        self.next_worker = (worker + 1) % self.credits.len();
        let assigned = Assigned { worker, work: self.gather(work, now_ms) };
        self.budget.take(assigned.bytes());
        let handed_out = assigned.work.iter().map(|work| (work.partition(), work.moves()));
        self.metrics.handed_out(handed_out, self.cutter.position());
        assigned
    }

    /// The work, and the small pieces after it that fit into its credit: each is all that is left
    /// of another partition.
    fn gather(&mut self, first: F::Work, now_ms: u64) -> Vec<F::Work> {
        self.open.handed_out(now_ms, self.feed.handed_out(&first));
        let (mut moved, mut bytes, mut gathered) = (first.moves(), first.bytes(), vec![first]);
        while gathered.len() < A_CREDIT && self.next_is_small(moved, bytes) {
            match self.cutter.next(now_ms, true) {
                Decision::Work(work) => {
                    self.open.handed_out(now_ms, self.feed.handed_out(&work));
                    moved += work.moves();
                    bytes += work.bytes();
                    gathered.push(work);
                }
                Decision::Wait(_) => break,
                step => {
                    self.put_off = Some(step);
                    break;
                }
            }
        }
        gathered
    }

    /// Whether what comes next fits into a credit of which `moved` and `bytes` are taken.
    fn next_is_small(&self, moved: u64, bytes: u64) -> bool {
        let room = self.cutter.bounds().work.saturating_sub(moved);
        self.cutter.is_fresh() && F::is_small(self.cutter.supply(), room, self.budget.left_of_credit(bytes))
    }

    /// The worker with the most credits; round-robin among equals.
    fn pick(&self) -> Option<usize> {
        let peers = self.credits.len();
        let turn = (0..peers).map(|i| (self.next_worker + i) % peers);
        let best = turn.rev().max_by_key(|&worker| self.credits[worker])?;
        (self.credits[best] > 0).then_some(best)
    }
}
