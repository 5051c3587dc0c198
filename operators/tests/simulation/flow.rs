//! What the actors of one run share, as operators share a dataflow.

use std::collections::BTreeMap;

use lakefront_operators::error::Stop;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::claim::Claimed;
use lakefront_operators::protocol::cut::Control;
use lakefront_operators::protocol::last_rows::{Draw, LastRows};
use lakefront_operators::protocol::ledger::Ledger;
use lakefront_operators::protocol::queue::CommitQueue;
use lakefront_operators::protocol::standing::Standing;

use crate::actors::{Actor, acknowledge, checkpoint, commit, worker};
use crate::kind::SimKind;
use crate::run::Env;

/// The state of one run.
pub(crate) struct Flow<K: SimKind> {
    /// The planner's capability; `None` when it is done.
    pub(crate) time: Option<Position>,
    pub(crate) planned: bool,
    pub(crate) work: Vec<(Position, K::Work)>,
    /// Pieces of work handed out and not yet staged, by time.
    pub(crate) outstanding: BTreeMap<Position, usize>,
    pub(crate) queues: Vec<CommitQueue<K>>,
    pub(crate) ledger: Ledger<K>,
    /// Where the groups stood when they were claimed, and the ends of all cuts since.
    standings: BTreeMap<Position, Standing<K>>,
    /// Where each group stood when it was claimed.
    pub(crate) claimed: Vec<Position>,
    /// Up to where each group has nothing left to commit, empty cuts included. Only used without
    /// the rule `Durable`.
    pub(crate) drained: Vec<Position>,
    /// When the open cut got its first work. It must close within `cut_ms`.
    pub(crate) opened_ms: Option<u64>,
    pub(crate) cut_ms: u64,
    /// What every group's transaction holds, on its way to the state file.
    pub(crate) held_by_all: Option<Standing<K>>,
    /// What is in the state file, on its way to the source.
    pub(crate) recorded: Option<Standing<K>>,
    /// What was acknowledged to the source: the planner hears no other.
    pub(crate) acknowledged: Position,
    pub(crate) committing: usize,
    pub(crate) checkpointing: bool,
    pub(crate) terminate: bool,
    /// Whether work that is not catch-up has been handed out.
    pub(crate) fresh: bool,
    /// Lines and rejects of cuts that are not catch-up.
    pub(crate) lines: (u64, u64),
    /// Set if too many were rejected: the run is asked to end, and stops with this once all that
    /// was handed out is committed.
    pub(crate) over: Option<Stop>,
    pub(crate) spawned: Vec<(&'static str, Actor)>,
}

impl<K: SimKind> Flow<K> {
    pub(crate) fn new() -> Self {
        Flow {
            time: Some(Position(0)),
            planned: false,
            work: Vec::new(),
            outstanding: BTreeMap::new(),
            queues: Vec::new(),
            ledger: Ledger::new(&[]),
            standings: BTreeMap::new(),
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

    /// Learns what the run has claimed.
    pub(crate) fn claim(&mut self, groups: &[&'static str], standings: &[Standing<K>], draw: Draw) {
        self.claimed = standings.iter().map(Standing::position).collect();
        self.drained = self.claimed.clone();
        self.acknowledged = self.claimed.iter().min().copied().unwrap_or_default();
        let last_rows = LastRows::known(standings.iter().map(|standing| &standing.last_rows));
        let queue = |(name, at): (&&str, &Position)| CommitQueue::new(*name, *at, last_rows.clone(), draw);
        self.queues = groups.iter().zip(&self.claimed).map(queue).collect();
        self.ledger = Ledger::new(standings);
        self.standings = standings.iter().map(|standing| (standing.position(), standing.clone())).collect();
    }

    /// Gives a record of the planner to every group; then time may advance.
    pub(crate) fn tell(&mut self, control: Control<K>) {
        if let Control::Cut(cut) = &control {
            self.ledger.cut(cut);
            self.standings.insert(cut.upper, cut.standing());
        }
        for queue in &mut self.queues {
            queue.control(control.clone());
        }
    }

    /// Up to where every group has nothing left to commit.
    pub(crate) fn drained_by_all(&self) -> Option<Standing<K>> {
        let drained = self.drained.iter().min()?;
        self.standings.range(..=drained).next_back().map(|(_, standing)| standing.clone())
    }

    /// The end of the last cut, whether or not any group holds it.
    pub(crate) fn cut_last(&self) -> Option<Standing<K>> {
        self.standings.values().next_back().cloned()
    }

    /// Where the lowest group stood when it was claimed.
    pub(crate) fn lowest(&self) -> Option<Standing<K>> {
        self.standings.get(self.claimed.iter().min()?).cloned()
    }

    /// Whether no work can come any more and all is staged.
    pub(crate) fn is_quiet(&self) -> bool {
        self.planned && self.work.is_empty() && self.outstanding.is_empty()
    }

    /// The lowest time at which data may still come.
    pub(crate) fn frontier(&self) -> Option<Position> {
        self.outstanding.keys().next().copied().into_iter().chain(self.time).min()
    }

    /// Starts the actors that need claimed groups.
    pub(crate) fn start(&mut self, env: &Env<K>, claimed: Vec<Claimed<K>>, workers: usize) {
        self.committing = claimed.len();
        const COMMIT: [&str; 3] = ["commit0", "commit1", "commit2"];
        for (g, Claimed { committer, .. }) in claimed.into_iter().enumerate() {
            self.spawned.push((COMMIT[g], Box::pin(commit(env.clone(), g, committer))));
        }
        for _ in 0..workers {
            self.spawned.push(("worker", Box::pin(worker(env.clone()))));
        }
        self.checkpointing = true;
        self.spawned.push(("checkpoint", Box::pin(checkpoint(env.clone()))));
        self.spawned.push(("acknowledge", Box::pin(acknowledge(env.clone()))));
    }
}
