//! One run: its operators as actors, and the executor that moves them one step at a time.
//!
//! `plan` claims and hands out chunks, each `worker` reads and stages them, one `commit` per table
//! lands them, `checkpoint` writes the state file, `acknowledge` tells the source. Any of them can
//! be dropped at any step.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use lakefront_operators::error::Stop;
use lakefront_operators::lines::{CommitQueue, Committer, Control, Ledger};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::names::GroupId;
use lakefront_operators::source::files::chunk::Chunk;

use crate::plan;
use crate::read;
use crate::saboteur::Rule;
use crate::table::{MAIN, PIPELINES, TWIN, give_way};
use crate::world::{World, ev};

type Actor = Pin<Box<dyn Future<Output = Result<(), Stop>> + Send>>;

/// How a run ended.
pub(crate) enum End {
    Done,
    Killed,
    Stopped(Stop),
}

/// What the actors of one run share, as operators share a dataflow.
pub(crate) struct Flow {
    /// The planner's capability; `None` when it is done.
    pub(crate) time: Option<Position>,
    pub(crate) planned: bool,
    pub(crate) chunks: Vec<(Position, Chunk)>,
    /// Chunks handed out and not yet staged, by time.
    pub(crate) outstanding: BTreeMap<Position, usize>,
    pub(crate) queues: Vec<CommitQueue>,
    pub(crate) ledger: Ledger,
    /// Where each table stood when it was claimed.
    pub(crate) claimed: Vec<Position>,
    /// Up to where each table has nothing left to commit, empty cuts included. Only used without
    /// the rule `Durable`.
    pub(crate) drained: Vec<Position>,
    /// When the open cut got its first chunk. It must close within `cut_ms`.
    pub(crate) opened_ms: Option<u64>,
    pub(crate) cut_ms: u64,
    /// What every table's transaction holds, on its way to the state file.
    held_by_all: Option<Position>,
    /// What is in the state file, on its way to the source.
    recorded: Option<Position>,
    /// What was acknowledged to the source: the planner hears no other.
    pub(crate) acknowledged: Position,
    committing: usize,
    checkpointing: bool,
    pub(crate) terminate: bool,
    /// Whether a chunk that is not catch-up has been handed out.
    pub(crate) fresh: bool,
    /// Lines and rejects of cuts that are not catch-up.
    pub(crate) lines: (u64, u64),
    /// Set if too many were rejected: the run is asked to end, and stops with this once all that
    /// was handed out is committed.
    pub(crate) over: Option<Stop>,
    spawned: Vec<(&'static str, Actor)>,
}

/// What every actor of a run holds.
#[derive(Clone)]
pub(crate) struct Env {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) flow: Arc<Mutex<Flow>>,
    pub(crate) tag: u64,
    pub(crate) machine: usize,
    pub(crate) routes: usize,
    pub(crate) tail: bool,
    pub(crate) judge_ratio: bool,
    /// Which pipeline it is a run of.
    pub(crate) pipeline: usize,
    /// Whether its source is mistyped.
    pub(crate) typo: bool,
    pub(crate) adopt: bool,
}

impl Env {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("one thread a world")
    }

    pub(crate) fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().expect("one thread a world")
    }

    pub(crate) fn say(&self, text: impl FnOnce() -> String) {
        let mut w = self.world();
        if w.trace.is_some() {
            let text = format!("run{} {}", self.tag, text());
            w.event(text);
        }
    }
}

impl Flow {
    fn new() -> Self {
        Flow {
            time: Some(Position(0)),
            planned: false,
            chunks: Vec::new(),
            outstanding: BTreeMap::new(),
            queues: Vec::new(),
            ledger: Ledger::new(&[]),
            claimed: Vec::new(),
            drained: Vec::new(),
            opened_ms: None,
            cut_ms: u64::MAX,
            held_by_all: None,
            recorded: None,
            acknowledged: Position(0),
            committing: 0,
            checkpointing: false,
            terminate: false,
            fresh: false,
            lines: (0, 0),
            over: None,
            spawned: Vec::new(),
        }
    }

    /// Gives a record of the planner to every table; then time may advance.
    pub(crate) fn tell(&mut self, control: Control) {
        if let Control::Cut(cut) = &control {
            self.ledger.cut(cut);
        }
        for queue in &mut self.queues {
            queue.control(control.clone());
        }
    }

    /// Whether no chunk can come any more and all are staged.
    fn is_quiet(&self) -> bool {
        self.planned && self.chunks.is_empty() && self.outstanding.is_empty()
    }

    /// The lowest time at which data may still come.
    fn frontier(&self) -> Option<Position> {
        self.outstanding.keys().next().copied().into_iter().chain(self.time).min()
    }

    /// Starts the actors that need claimed tables.
    pub(crate) fn start(&mut self, env: &Env, committers: Vec<Committer>, workers: usize) {
        self.committing = committers.len();
        const COMMIT: [&str; 3] = ["commit0", "commit1", "commit2"];
        for (t, committer) in committers.into_iter().enumerate() {
            self.spawned.push((COMMIT[t], Box::pin(commit(env.clone(), t, committer))));
        }
        for _ in 0..workers {
            self.spawned.push(("worker", Box::pin(worker(env.clone()))));
        }
        self.checkpointing = true;
        self.spawned.push(("checkpoint", Box::pin(checkpoint(env.clone()))));
        self.spawned.push(("acknowledge", Box::pin(acknowledge(env.clone()))));
    }
}

async fn worker(env: Env) -> Result<(), Stop> {
    loop {
        let mut taken = None;
        {
            let (mut w, mut flow) = (env.world(), env.flow());
            if !flow.chunks.is_empty() {
                let at = w.rng.below(flow.chunks.len());
                taken = Some(flow.chunks.swap_remove(at));
            } else if flow.planned {
                return Ok(());
            }
        }
        if let Some((time, chunk)) = taken {
            read::stage(&env, time, chunk).await?;
            let mut flow = env.flow();
            let left = flow.outstanding.get_mut(&time).expect("it was handed out");
            *left -= 1;
            if *left == 0 {
                flow.outstanding.remove(&time);
            }
        }
        give_way().await;
    }
}

async fn commit(env: Env, t: usize, mut committer: Committer) -> Result<(), Stop> {
    loop {
        let (job, quiet) = {
            let mut flow = env.flow();
            let (frontier, quiet) = (flow.frontier(), flow.is_quiet());
            let job = flow.queues[t].next(|lower| frontier.is_none_or(|f| lower < f))?;
            // Empty cuts: nothing is left to commit below the frontier, though the transaction
            // stands lower.
            if job.is_none()
                && let Some(f) = frontier
            {
                flow.drained[t] = flow.drained[t].max(f);
            }
            (job, quiet)
        };
        if let Some(job) = job {
            committer.land(&job.standing(), job.files, &job.sums).await?;
            let mut flow = env.flow();
            if let Some(standing) = flow.ledger.moved(GroupId(t), job.cut.upper) {
                flow.held_by_all = Some(standing.position());
            }
        } else if quiet {
            env.flow().committing -= 1;
            return Ok(());
        } else if env.world().rng.chance(0.05) {
            match committer.look().await {
                // The next look may succeed.
                Ok(()) | Err(Stop::Store(_)) => {}
                Err(stop) => return Err(stop),
            }
        }
        give_way().await;
    }
}

async fn checkpoint(env: Env) -> Result<(), Stop> {
    loop {
        let (position, last) = {
            let (w, mut flow) = (env.world(), env.flow());
            let drained = flow.drained.iter().min().copied();
            let position = if w.lacks(Rule::Durable) { drained } else { flow.held_by_all.take() };
            (position, flow.committing == 0)
        };
        if let Some(position) = position {
            // The twin would have its own state file.
            if env.pipeline == MAIN {
                env.world().state[env.machine] = Some(position);
            }
            env.say(|| format!("state file {position}"));
            let drained = env.flow().drained.iter().min().copied();
            let position = drained.filter(|_| env.world().lacks(Rule::Acknowledge)).unwrap_or(position);
            env.flow().recorded = Some(position);
        }
        if last {
            env.flow().checkpointing = false;
            return Ok(());
        }
        give_way().await;
    }
}

/// A crash may have come between a commit and its acknowledgement, so the first one repeats where
/// the tables stood.
async fn acknowledge(env: Env) -> Result<(), Stop> {
    let mut next = env.flow().claimed.iter().min().copied();
    loop {
        let (position, last) = {
            let mut flow = env.flow();
            (next.take().or_else(|| flow.recorded.take()), !flow.checkpointing)
        };
        if let Some(position) = position {
            // It fails, its reply is lost, or it hangs for a while: it is repeated until it is
            // done.
            loop {
                give_way().await;
                let mut w = env.world();
                let fault = if w.calm { 1.0 } else { w.rng.unit() };
                if fault > 0.1 {
                    w.acknowledge(env.pipeline, position);
                }
                if fault > 0.15 {
                    break;
                }
            }
            let mut flow = env.flow();
            flow.acknowledged = flow.acknowledged.max(position);
        } else if last {
            return Ok(());
        }
        give_way().await;
    }
}

pub(crate) struct Run {
    pub(crate) env: Env,
    actors: Vec<(&'static str, Actor)>,
    /// An actor that seldom gets a turn, so that its table lags.
    slow: Option<&'static str>,
    pub(crate) paused_until_ms: u64,
    pub(crate) end: Option<End>,
}

impl Run {
    pub(crate) fn new(world: &Arc<Mutex<World>>, last: bool) -> Self {
        let env = {
            let mut w = world.lock().expect("one thread a world");
            let often = if w.turnover { 0.9 } else { 0.7 };
            let (tag, machine, tail) = (w.id(), w.rng.below(2), !last && w.rng.chance(often));
            let routes = w.routes_now;
            w.routes_used.insert(routes);
            let judge_ratio = !last && !std::mem::take(&mut w.ratio_off);
            let pipeline = if !last && w.twins && w.rng.chance(0.3) { TWIN } else { MAIN };
            let typo = !last && pipeline == MAIN && w.typos && w.rng.chance(0.3);
            let adopt = pipeline == MAIN && std::mem::take(&mut w.adopt);
            let mode = if tail { "tail" } else { "backfill" };
            let name = PIPELINES[pipeline];
            ev!(
                w,
                "run{tag} of {name} starts on machine {machine}, routes {routes}, {mode}, typo: {typo}, adopt: {adopt}"
            );
            let flow = Arc::new(Mutex::new(Flow::new()));
            Env { world: world.clone(), flow, tag, machine, routes, tail, judge_ratio, pipeline, typo, adopt }
        };
        let actors: Vec<(&'static str, Actor)> = vec![("plan", Box::pin(plan::plan(env.clone())))];
        let slow = world.lock().expect("one thread a world").rng.pick(&[
            None,
            None,
            Some("commit0"),
            Some("commit1"),
            Some("commit2"),
        ]);
        let slow = slow.filter(|_| !last);
        Run { env, actors, slow, paused_until_ms: 0, end: None }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.end.is_none()
    }

    /// One step of one actor.
    pub(crate) fn step(&mut self) {
        let at = {
            let mut w = self.env.world();
            let at = w.rng.below(self.actors.len());
            if self.slow == Some(self.actors[at].0) && w.rng.chance(0.9) {
                return;
            }
            at
        };
        let polled = self.actors[at].1.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        match polled {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => drop(self.actors.swap_remove(at)),
            Poll::Ready(Err(stop)) => {
                let actor = self.actors[at].0;
                self.env.say(|| format!("{actor} stops: {}", lakefront_operators::error::chain(&stop)));
                self.finish(End::Stopped(stop));
                return;
            }
        }
        self.actors.append(&mut self.env.flow().spawned);
        if self.actors.is_empty() {
            let over = self.env.flow().over.take();
            self.env.say(|| if over.is_some() { "has committed what it had read, and stops" } else { "done" }.into());
            self.finish(over.map_or(End::Done, End::Stopped));
        }
    }

    pub(crate) fn finish(&mut self, end: End) {
        self.actors.clear();
        self.env.flow().spawned.clear();
        self.end = Some(end);
    }

    pub(crate) fn kill(&mut self, how: &str) {
        self.env.say(|| how.into());
        self.finish(End::Killed);
    }

    /// Kills some of the actors; the rest go on.
    pub(crate) fn maim(&mut self) {
        let dead = self.env.world().rng.between(1, self.actors.len() as u64);
        for _ in 0..dead {
            let at = self.env.world().rng.below(self.actors.len());
            drop(self.actors.swap_remove(at));
        }
        let left: Vec<_> = self.actors.iter().map(|a| a.0).collect();
        self.env.say(|| format!("some actors killed, left: {left:?}"));
        if left.is_empty() {
            self.finish(End::Killed);
        }
    }
}
