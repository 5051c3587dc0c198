//! The second half of every pipeline: from the rows of each group of tables to the acknowledgement.
//!
//! ```text
//! rows of a group ─▶ tally[group] ─rows─▶ stage[group] ─files─▶ commit[group] ─▶ checkpoint
//!                         └─sums─▶ totals[group] ─sums──────────────▲               │
//! cuts ──────────────────────────────────────────────────────────────┘               ▼
//!                                                     acknowledged positions ◀─ acknowledge
//! ```
//!
//! `checkpoint` and `acknowledge` run on worker 0, each `commit[group]` on one worker, the rest on
//! every worker.

use std::sync::{Arc, Mutex, PoisonError};

use lakefront_operators::acknowledge::{Acknowledge, Acknowledging, acknowledge};
use lakefront_operators::checkpoint::{self, checkpoint};
use lakefront_operators::commit::{Committing, First, GroupRows, Moved, commit, committing, filled, home};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::claim::Claimed;
use lakefront_operators::protocol::cut::Control;
use lakefront_operators::protocol::kind::Kind;
use lakefront_operators::protocol::layout::{Layout, Members};
use lakefront_operators::protocol::names::{GroupId, TableId};
use lakefront_operators::protocol::staged::Staged;
use lakefront_operators::routed::Routed;
use lakefront_operators::run::env::Env;
use lakefront_operators::run::metrics::Metrics;
use lakefront_operators::run::metrics::steps::{StepId, watch};
use lakefront_operators::sink::Stage;
use lakefront_operators::stage::{Stages, stage};
use lakefront_operators::totals::{Counted, Update, tally, totals};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::vec::Map;

/// What the workers of a run share to land rows.
pub struct Landing<K: Kind> {
    layout: Layout,
    /// Where each group stood when it was claimed.
    held: Vec<Position>,
    once: Mutex<Once<K>>,
}

/// What exists once in a run, and goes to the worker that needs it.
struct Once<K: Kind> {
    /// For worker 0.
    checkpoint: Option<checkpoint::Settings<K>>,
    /// For worker 0.
    acknowledging: Option<Acknowledging<K>>,
    /// For each group's home worker.
    committers: Vec<Option<Committing<K>>>,
}

impl<K: Kind> Landing<K> {
    /// The landing of groups that were just `claimed`; what they hold is acknowledged to `source`.
    pub fn new(
        layout: Layout,
        claimed: Vec<Claimed<K>>,
        checkpoint: checkpoint::Settings<K>,
        source: Arc<dyn Acknowledge<K>>,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let held = claimed.iter().map(|claimed| claimed.standing.position()).collect();
        let lowest = claimed.iter().map(|claimed| &claimed.standing).min_by_key(|standing| standing.position());
        let held_by_all = lowest.expect("a pipeline has a group").clone();
        let acknowledging = Some(Acknowledging { source, held_by_all });
        let on_clock = |(i, (committer, queue)): (usize, Committing<K>)| {
            Some((committer.pausing_on(metrics.commit_clock(GroupId(i))), queue))
        };
        let committers = committing(claimed).enumerate().map(on_clock).collect();
        let once = Once { checkpoint: Some(checkpoint), acknowledging, committers };
        Landing { layout, held, once: Mutex::new(once) }
    }

    /// A group's tables.
    fn members(&self, group: GroupId) -> &Members {
        &self.layout.groups()[group.0]
    }

    /// Where a group stood when it was claimed.
    pub(crate) fn held(&self, group: GroupId) -> Position {
        self.held[group.0]
    }
}

/// Lands `rows`: one stream for each group, in claim order, with the rows of all its tables.
/// `stages` makes what stages a table's rows. The stream carries the acknowledged positions.
///
/// # Panics
/// If there are not as many streams as groups: rows of another would be lost, and acknowledged.
pub fn land<'s, K: Kind>(
    rows: Vec<StreamVec<'s, Position, Routed>>,
    control: StreamVec<'s, Position, Control<K>>,
    stages: impl Fn(TableId) -> Box<dyn Stage>,
    landing: &Landing<K>,
    env: &Env,
) -> StreamVec<'s, Position, Position> {
    assert_eq!(rows.len(), landing.layout.groups().len(), "one stream for each group");
    let staged = rows.into_iter().enumerate().map(|(i, rows)| append(rows, GroupId(i), &stages, landing, env));
    commit_all(staged.collect(), Sequence::Any, control, landing, env)
}

/// Counts and stages `rows`, which a group's tables take behind those that they have.
pub(crate) fn append<'s, K: Kind, D: Counted + Into<Routed>>(
    rows: StreamVec<'s, Position, D>,
    group: GroupId,
    stages: impl Fn(TableId) -> Box<dyn Stage>,
    landing: &Landing<K>,
    env: &Env,
) -> Staging<'s> {
    let members = landing.members(group);
    let stages: Stages = members.tables().map(|table| (table, stages(table))).collect();
    let rows = watch(rows, &env.metrics, env.metrics.steps().last_own(), |rows| rows.rows().num_rows() as u64);
    let (rows, sums) = counted(rows, group, landing, env);
    let staged = stage(rows.map(Into::into), &members.role, stages, landing.held(group), env);
    (watch(staged, &env.metrics, StepId::Stage(group), |staged| staged.file.rows), sums)
}

/// Counts what goes to a group.
pub(crate) fn counted<'s, K: Kind, D: Counted>(
    rows: StreamVec<'s, Position, D>,
    group: GroupId,
    landing: &Landing<K>,
    env: &Env,
) -> (StreamVec<'s, Position, D>, StreamVec<'s, Position, Update>) {
    let (metrics, home) = (&env.metrics, home(group, rows.scope().peers()));
    let role = &landing.members(group).role;
    let (rows, counted) = tally(rows, role, landing.held(group), K::RANGE);
    let rows = watch(rows, metrics, StepId::Tally(group), |rows| rows.rows().num_rows() as u64);
    (rows, watch(totals(counted, role, home), metrics, StepId::Totals(group), |(_, _, sum)| sum.rows))
}

/// In which order the groups commit a cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequence {
    /// Each as soon as it can.
    Any,
    /// The first group before the others, if it has rows of the cut.
    FirstBefore,
}

/// Commits what was staged for each group, in claim order. The stream carries the acknowledged
/// positions.
pub(crate) fn commit_all<'s, K: Kind>(
    staged: Vec<Staging<'s>>,
    sequence: Sequence,
    control: StreamVec<'s, Position, Control<K>>,
    landing: &Landing<K>,
    env: &Env,
) -> StreamVec<'s, Position, Position> {
    let (scope, metrics) = (control.scope(), &env.metrics);
    let (index, peers) = (scope.index(), scope.peers());
    let mut once = landing.once.lock().unwrap_or_else(PoisonError::into_inner);
    let (staged, sums): (Vec<_>, Vec<_>) = staged.into_iter().unzip();
    let filled = filled(scope, &staged);
    let mut all_moved: Vec<StreamVec<'s, Position, Moved>> = Vec::new();
    for (i, (staged, sums)) in staged.into_iter().zip(sums).enumerate() {
        let group = GroupId(i);
        let is_home = home(group, peers) == index;
        let committing = once.committers.get_mut(group.0).filter(|_| is_home).and_then(Option::take);
        let first = all_moved.first().filter(|_| sequence == Sequence::FirstBefore);
        let first =
            first.map(|moved| First { group: GroupId(0), held: landing.held(GroupId(0)), moved: moved.clone() });
        let rows = GroupRows { staged, sums, filled: filled.clone(), first };
        let moved = commit(rows, control.clone(), group, committing, env);
        all_moved.push(watch(moved, metrics, StepId::Commit(group), |moved| moved.rows.values().sum()));
    }
    let (settings, acknowledging) = match index {
        0 => (once.checkpoint.take(), once.acknowledging.take()),
        _ => (None, None),
    };
    let durable = watch(checkpoint(all_moved, control, settings, env), metrics, StepId::Checkpoint, |_| 1);
    watch(acknowledge(durable, acknowledging, env), metrics, StepId::Acknowledge, |_| 1)
}

/// A stream of a group's files, and one of their sums.
pub(crate) type Staging<'s> = (StreamVec<'s, Position, Staged>, StreamVec<'s, Position, Update>);
