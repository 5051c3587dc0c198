//! `plan`: hands out the source as chunks, in return for credits, and closes cuts. It runs on
//! worker 0.
//!
//! [`Planner`] makes the decisions. The operator holds the one capability that lets time pass, and
//! moves it when a cut closes. Credits and acknowledged positions arrive through feedback that
//! gates it but does not hold its time.

mod waiting;

use std::sync::Arc;
use std::time::Duration;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;

use self::waiting::Waiting;
use crate::bridge::Tasks;
use crate::env::Env;
use crate::error::Stop;
use crate::fatal::StopRequest;
use crate::fetch::Assigned;
use crate::lines::Control;
use crate::memory::Budget;
use crate::metrics::Metrics;
use crate::metrics::appends::Appends;
use crate::position::Position;
use crate::protocol::clock::{Clock, Stamp};
use crate::protocol::offsets::PartitionId;
use crate::shown::one_line;
use crate::source::chunk::Chunk;
use crate::source::supply::{Planner, Step};
use crate::source::watch::{Polled, Watcher};
use crate::space::Seen;

/// The most chunks for one credit, because each is work for `plan` and `fetch`. A credit covers one
/// chunk, or small ones that together are no longer.
const CHUNKS_A_CREDIT: usize = 64;

/// The pause of a backfill before it looks again, because a file changed during its look.
const AGAIN: Duration = Duration::from_millis(20);

/// No path from these inputs to the outputs: they gate, they do not hold time.
const DISCONNECTED: [(usize, Antichain<()>); 0] = [];

/// Whether a run ends once everything that was there at its start has landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It ends then.
    Backfill,
    /// It looks for more until it is asked to stop.
    Tail {
        /// The pause between two looks.
        poll: Duration,
    },
}

/// What worker 0 needs to plan.
pub struct Planning {
    /// Decides what to hand out.
    pub planner: Planner,
    /// Finds new bytes.
    pub watcher: Watcher,
    /// When to end.
    pub mode: Mode,
    /// Chunks in memory at once, per worker.
    pub in_flight: usize,
    /// Whether there is disk for another chunk.
    pub space: Arc<Seen>,
    /// The request to end.
    pub stop: StopRequest,
}

/// Plans the source. Worker 0 passes the `planning`, all others `None`.
pub fn plan<'s>(
    scope: Scope<'s, Position>,
    acknowledged: StreamVec<'s, Position, Position>,
    credits: StreamVec<'s, Position, usize>,
    planning: Option<Planning>,
    env: &Env,
) -> (StreamVec<'s, Position, Assigned>, StreamVec<'s, Position, Control>) {
    let mut builder = OperatorBuilder::new("plan".to_owned(), scope);
    let info = builder.operator_info();
    let mut acknowledged = builder.new_input_connection(acknowledged, Exchange::new(|_: &Position| 0), DISCONNECTED);
    let mut credits = builder.new_input_connection(credits, Exchange::new(|_: &usize| 0), DISCONNECTED);
    let (chunks, chunks_stream) = builder.new_output_connection::<Vec<Assigned>, _>(DISCONNECTED);
    let (control, control_stream) = builder.new_output_connection::<Vec<Control>, _>(DISCONNECTED);
    let mut chunks = OutputBuilder::<_, CapacityContainerBuilder<Vec<Assigned>>>::from(chunks);
    let mut control = OutputBuilder::<_, CapacityContainerBuilder<Vec<Control>>>::from(control);
    let tasks = env.bridge.tasks::<Looked>(scope, &info);
    let (peers, env) = (scope.peers(), env.clone());
    builder.build(move |mut capabilities| {
        let mut time = capabilities.pop().zip(capabilities.pop()).map(|(control, chunks)| Time { chunks, control });
        let mut worker0 = planning.map(|planning| Worker0::start(planning, peers, tasks, &env));
        if let (Some(worker0), Some(time)) = (&worker0, &mut time) {
            time.advance(worker0.planner.time());
        }
        move |_frontiers| {
            acknowledged.for_each(|_, positions| {
                for position in positions.drain(..) {
                    worker0.iter_mut().for_each(|w| w.planner.durable(position));
                }
            });
            credits.for_each(|_, workers| {
                for worker in workers.drain(..) {
                    worker0.iter_mut().for_each(|w| w.credits[worker] += 1);
                }
            });
            let (Some(worker), Some(now)) = (worker0.as_mut(), time.as_mut()) else {
                // Any other worker gives up its right to produce.
                time = None;
                return;
            };
            if env.fatal.is_raised() {
                return;
            }
            let (mut chunks, mut control) = (chunks.activate(), control.activate());
            loop {
                match worker.step() {
                    Ok(Do::Hand(assigned)) => chunks.session(&now.chunks).give(assigned),
                    Ok(Do::Tell(record)) => {
                        fail::fail_point!("plan-cut-closed");
                        control.session(&now.control).give(record);
                        now.advance(worker.planner.time());
                    }
                    Ok(Do::Sleep) => return,
                    Ok(Do::End) => break,
                    Err(stop) => return env.fatal.raise(stop),
                }
            }
            (worker0, time) = (None, None);
        }
    });
    (chunks_stream, control_stream)
}

/// The right to hand out chunks and records at a time and later.
struct Time {
    chunks: Capability<Position>,
    control: Capability<Position>,
}

impl Time {
    fn advance(&mut self, to: Position) {
        self.chunks.downgrade(&to);
        self.control.downgrade(&to);
    }
}

/// The name is escaped, because a file's name must not control somebody's terminal.
fn tell_unfinished(partition: &PartitionId, bytes: u64, what: &'static str) {
    let partition = partition.to_string();
    let partition = one_line(&partition);
    tracing::warn!(%partition, bytes, "{what}");
}

type Looked = (Watcher, Result<Polled, Stop>);

enum Do {
    Hand(Assigned),
    Tell(Control),
    Sleep,
    End,
}

/// The planner and what feeds it.
struct Worker0 {
    planner: Planner,
    mode: Mode,
    clock: Arc<dyn Clock>,
    budget: Arc<Budget>,
    space: Arc<Seen>,
    stop: StopRequest,
    tasks: Tasks<Looked>,
    metrics: Arc<Metrics>,
    appends: Appends,
    waiting: Waiting,
    credits: Vec<usize>,
    next_worker: usize,
    polled: bool,
    /// Whether the last look was made in vain for some file.
    again: bool,
    /// When the operator's timer fires, on the steady clock; in the past if none is set.
    alarm_ms: u64,
    /// The planner's step after the last chunk, put off until that chunk is handed out.
    put_off: Option<Step>,
}

impl Worker0 {
    fn start(planning: Planning, peers: usize, tasks: Tasks<Looked>, env: &Env) -> Self {
        let Planning { planner, watcher, mode, in_flight, space, stop } = planning;
        let Env { clock, budget, metrics, .. } = env.clone();
        stop.listen(tasks.waker());
        space.listen(tasks.waker());
        let credits = vec![in_flight; peers];
        let worker0 = Worker0 {
            planner,
            mode,
            clock,
            budget,
            space,
            stop,
            tasks,
            metrics,
            appends: Appends::default(),
            waiting: Waiting::default(),
            credits,
            next_worker: 0,
            polled: false,
            again: false,
            alarm_ms: 0,
            put_off: None,
        };
        worker0.poll(watcher, Duration::ZERO);
        worker0
    }

    fn poll(&self, mut watcher: Watcher, after: Duration) {
        let clock = self.clock.clone();
        self.tasks.spawn(async move {
            clock.pause(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)).await;
            let polled = watcher.poll().await;
            (watcher, polled)
        });
    }

    fn step(&mut self) -> Result<Do, Stop> {
        while let Some((mut watcher, polled)) = self.tasks.next_done() {
            let Polled { limits, appended, finished, gone, passed_over, again } = match polled {
                Ok(polled) => polled,
                // A stopping run only finishes what was begun, so a failed look does not matter.
                Err(_) if self.stop.is_requested() => continue,
                Err(stop) => return Err(stop),
            };
            gone.iter().for_each(|id| self.lose(id));
            self.planner.supply_mut().limits(limits);
            self.metrics.passed_over(passed_over);
            self.metrics.source_seen(self.planner.supply().source_end(), self.planner.supply().lags_most());
            let now = Stamp::now(&*self.clock);
            appended.into_iter().for_each(|append| self.appends.found(append, now));
            finished.into_iter().for_each(|finished| self.planner.supply_mut().finished(finished));
            let (left, before_ms) = self.planner.supply_mut().left();
            watcher.forget(&left, before_ms);
            (self.polled, self.again) = (true, again);
            match self.mode {
                Mode::Backfill if again => self.poll(watcher, AGAIN),
                Mode::Tail { poll } => {
                    for (partition, bytes) in self.waiting.seen(watcher.unfinished(), now.steady_ms) {
                        tell_unfinished(
                            &partition,
                            bytes,
                            "the last line has no newline: it lands once that is written",
                        );
                    }
                    self.poll(watcher, poll);
                }
                Mode::Backfill => watcher.unfinished().for_each(|(partition, bytes)| {
                    tell_unfinished(partition, bytes, "the last line has no newline: it is left in the source");
                }),
            }
        }
        let exhausted = self.mode == Mode::Backfill && self.polled && !self.again && self.planner.is_exhausted();
        if exhausted || self.stop.is_requested() {
            self.planner.finish();
        }
        if !self.polled && !self.stop.is_requested() {
            return Ok(Do::Sleep);
        }
        // A returned credit wakes the operator if memory was short, the guard if disk space was.
        let worker = self.pick().filter(|_| self.budget.has_room() && self.space.is_enough());
        let now_ms = self.clock.steady_ms();
        let step = self.put_off.take().unwrap_or_else(|| self.planner.next(now_ms, worker.is_some()));
        Ok(match step {
            Step::Work(chunk) => {
                let worker = worker.ok_or_else(|| Stop::Bug("a chunk was planned without a credit".to_owned()))?;
                self.credits[worker] -= 1;
                self.next_worker = (worker + 1) % self.credits.len();
                let assigned = Assigned { worker, chunks: self.gather(chunk, now_ms) };
                self.budget.take(assigned.len());
                self.metrics.chunks_planned(&assigned.chunks, self.planner.position());
                Do::Hand(assigned)
            }
            Step::Tell(record) => {
                match &record {
                    Control::Cut(cut) => {
                        let times = self.appends.cut_closed(now_ms);
                        self.metrics.cut_closed(cut.upper, times, self.planner.supply().lags_most());
                    }
                    Control::Settle(position) => self.metrics.settles(*position),
                }
                Do::Tell(record)
            }
            Step::Wait(until) => {
                // One alarm at a time is enough, unless the new one is earlier.
                if let Some(until) = until.filter(|until| self.alarm_ms <= now_ms || *until < self.alarm_ms) {
                    self.alarm_ms = until.max(now_ms + 1);
                    self.tasks.wake_after(Duration::from_millis(self.alarm_ms - now_ms));
                }
                Do::Sleep
            }
            Step::Done => Do::End,
            Step::Lost(lost) => return Err(Stop::lost(&lost)),
        })
    }

    /// The partition's file was deleted or replaced.
    fn lose(&mut self, id: &PartitionId) {
        let bytes = self.planner.supply_mut().gone(id);
        if bytes > 0 {
            let partition = id.to_string();
            let partition = partition.escape_debug();
            tracing::warn!(%partition, bytes, "the file was deleted, or replaced, before these bytes were read: their lines are lost");
        }
    }

    /// The chunk, and the small ones after it that fit into its credit: each is all that is left of
    /// another file.
    fn gather(&mut self, first: Chunk, now_ms: u64) -> Vec<Chunk> {
        self.appends.handed_out(&first, now_ms);
        let (mut bytes, mut chunks) = (first.len(), vec![first]);
        while chunks.len() < CHUNKS_A_CREDIT && self.planner.completes_a_chunk_of(bytes) {
            match self.planner.next(now_ms, true) {
                Step::Work(chunk) => {
                    self.appends.handed_out(&chunk, now_ms);
                    bytes += chunk.len();
                    chunks.push(chunk);
                }
                Step::Wait(_) => break,
                step => {
                    self.put_off = Some(step);
                    break;
                }
            }
        }
        chunks
    }

    /// The worker with the most credits; round-robin among equals.
    fn pick(&self) -> Option<usize> {
        let peers = self.credits.len();
        let turn = (0..peers).map(|i| (self.next_worker + i) % peers);
        let best = turn.rev().max_by_key(|&worker| self.credits[worker])?;
        (self.credits[best] > 0).then_some(best)
    }
}
