//! `commit`: one committer per table, on one worker. A cut commits once the frontier shows that all
//! its files have arrived.
//!
//! The protocol decides: [`CommitQueue`] picks the next job and [`Committer`] lands it. A table
//! commits one cut at a time, in order, and reports the position that its transaction then holds.
//! Cuts that are empty for the table are reported too, because nothing waits for them. A committer
//! without work checks from time to time whether another run has taken over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Capability, Concatenate};
use timely::dataflow::{Scope, StreamVec};
use uuid::Uuid;

use crate::bridge::Bridge;
use crate::clock::Stopwatch;
use crate::error::{Stop, chain};
use crate::fatal::Fatal;
use crate::lines::{Claimed, CommitQueue, Committer, Control, Job};
use crate::metrics::Metrics;
use crate::position::Position;
use crate::protocol::last_rows::{Draw, LastRows};
use crate::protocol::table::TableId;
use crate::stage::Staged;
use crate::totals::Update;

/// How often a run that has nothing to commit in a table checks whether another run has claimed it.
const LOOK: Duration = Duration::from_secs(10);

/// A table has advanced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Moved {
    /// The table.
    pub table: TableId,
    /// The position that its transaction holds now.
    pub position: Position,
    /// No rows below this wait for the table: `position`, or further if the next cuts are empty.
    pub drained: Position,
    /// Rows that a commit made visible.
    pub rows: u64,
}

/// The worker on which a table's commits are made.
pub fn home(table: TableId, peers: usize) -> usize {
    table.0 % peers
}

/// A table's rows, staged and counted.
pub struct Rows<'s> {
    /// The files that hold them.
    pub staged: StreamVec<'s, Position, Staged>,
    /// Their sums, on the table's home worker.
    pub sums: StreamVec<'s, Position, Update>,
    /// Which tables have rows in a cut, from [`filled`].
    pub filled: StreamVec<'s, Position, TableId>,
}

/// A table's committer, and the queue of its cuts.
pub type Committing = (Committer, CommitQueue);

/// What commits tables that were just claimed, in claim order.
pub fn committing(claimed: Vec<Claimed>) -> impl Iterator<Item = Committing> {
    let standings: Vec<_> = claimed.iter().map(|claimed| claimed.standing.clone()).collect();
    let (last_rows, draw) = (LastRows::known(&standings), Draw(Uuid::new_v4().as_u64_pair().0));
    claimed.into_iter().map(move |Claimed { committer, .. }| {
        let queue = CommitQueue::new(committer.name(), committer.position(), last_rows.clone(), draw);
        (committer, queue)
    })
}

/// Which tables have rows in a cut, from each table's staged files, in claim order.
pub fn filled<'s>(
    scope: Scope<'s, Position>,
    staged: &[StreamVec<'s, Position, Staged>],
) -> StreamVec<'s, Position, TableId> {
    let tables = staged.iter().enumerate().map(|(i, staged)| staged.clone().map(move |_| TableId(i)));
    scope.concatenate(tables.collect::<Vec<_>>())
}

/// Commits the cuts of `table`. Its home worker passes the `committing`, all others `None`.
pub fn commit<'s>(
    rows: Rows<'s>,
    control: StreamVec<'s, Position, Control>,
    table: TableId,
    committing: Option<Committing>,
    metrics: Arc<Metrics>,
    bridge: &Bridge,
    fatal: Fatal,
) -> StreamVec<'s, Position, Moved> {
    let scope = control.scope();
    let at = home(table, scope.peers()) as u64;
    let mut builder = OperatorBuilder::new(format!("commit[{}]", metrics.table(table).role()), scope);
    let info = builder.operator_info();
    let mut staged = builder.new_input(rows.staged, Exchange::new(move |_: &Staged| at));
    let mut sums = builder.new_input(rows.sums, Pipeline);
    let mut filled = builder.new_input(rows.filled, Exchange::new(move |_: &TableId| at));
    let mut control = builder.new_input(control, Exchange::new(move |_: &Control| at));
    let (output, stream) = builder.new_output::<Vec<Moved>>();
    let mut output = OutputBuilder::<_, CapacityContainerBuilder<Vec<Moved>>>::from(output);
    let tasks = bridge.tasks::<Done>(scope, &info);
    builder.build(move |capabilities| {
        drop(capabilities);
        let (mut idle, mut queue) = committing.unzip();
        let mut told = queue.as_ref().map(CommitQueue::drained).unwrap_or_default();
        let mut rest = Rest::begin();
        // Capabilities of the cuts that this table has yet to pass; its position is sent with them.
        let mut held: BTreeMap<Position, Capability<Position>> = BTreeMap::new();
        move |frontiers| {
            staged.for_each(|capability, files| {
                let lower = *capability.time();
                held.entry(lower).or_insert_with(|| capability.retain(0));
                for Staged(file) in files.drain(..) {
                    queue.iter_mut().for_each(|queue| queue.staged(lower, file.clone()));
                }
            });
            sums.for_each(|_, updates| {
                for (bucket, lower, sum) in updates.drain(..) {
                    queue.iter_mut().for_each(|queue| queue.counted(lower, bucket.clone(), sum));
                }
            });
            filled.for_each(|capability, tables| {
                for table in tables.drain(..) {
                    queue.iter_mut().for_each(|queue| queue.filled(*capability.time(), table));
                }
            });
            control.for_each(|capability, records| {
                held.entry(*capability.time()).or_insert_with(|| capability.retain(0));
                for record in records.drain(..) {
                    queue.iter_mut().for_each(|queue| queue.control(record.clone()));
                }
            });
            let Some(queue) = queue.as_mut().filter(|_| !fatal.is_raised()) else { return };
            let mut output = output.activate();
            while let Some((committer, done)) = tasks.next_done() {
                match done {
                    Ok(Did::Land(rows)) => {
                        let position = committer.position();
                        told = told.max(position);
                        let (_, capability) = held.first_key_value().expect("a cut under way is held");
                        output.session(capability).give(Moved { table, position, drained: told, rows });
                    }
                    Ok(Did::Look) => {}
                    Err(stop) => return fatal.raise(stop),
                }
                rest = Rest::begin();
                idle = Some(committer);
            }
            let complete = |lower| frontiers.iter().all(|frontier| !frontier.less_equal(&lower));
            let Some(committer) = idle.take() else { return };
            let job = match queue.next(complete) {
                Ok(job) => job,
                Err(stop) => return fatal.raise(stop),
            };
            if let Some((_, capability)) = held.first_key_value().filter(|_| queue.drained() > told) {
                told = queue.drained();
                metrics.drained(table, told);
                let position = committer.position();
                output.session(capability).give(Moved { table, position, drained: told, rows: 0 });
            }
            if let Some(job) = job {
                tasks.spawn(land(committer, job, table, metrics.clone()));
                return;
            }
            // Nothing is left to report below the first incomplete cut; empty cuts are settled by a
            // later record.
            let open = held.keys().find(|lower| !complete(**lower)).copied();
            held = match open {
                Some(open) => held.split_off(&open),
                None => BTreeMap::new(),
            };
            match rest.is_over(|delay| tasks.wake_after(delay)) {
                true => tasks.spawn(look(committer, table, metrics.clone())),
                false => idle = Some(committer),
            }
        }
    });
    stream
}

/// How long a committer has been idle, and the timer that ends the wait.
struct Rest {
    since: Stopwatch,
    is_set: bool,
}

impl Rest {
    fn begin() -> Rest {
        Rest { since: Stopwatch::start(), is_set: false }
    }

    /// Whether it is time to look. If not, `wake_after` is called, once per rest, with the time
    /// left. Timers of an earlier rest may still fire.
    fn is_over(&mut self, wake_after: impl FnOnce(Duration)) -> bool {
        let left = LOOK.saturating_sub(self.since.elapsed());
        if !left.is_zero() && !std::mem::replace(&mut self.is_set, true) {
            wake_after(left);
        }
        left.is_zero()
    }
}

/// What a committer has done.
enum Did {
    /// It landed a job with this many rows.
    Land(u64),
    /// It checked its table.
    Look,
}

type Done = (Committer, Result<Did, Stop>);

/// Lands one job.
async fn land(mut committer: Committer, job: Job, table: TableId, metrics: Arc<Metrics>) -> Done {
    let rows = job.files.iter().map(|file| file.rows).sum();
    metrics.commit_begins(table);
    let watch = Stopwatch::start();
    let landed = committer.land(&job.standing(), job.files, &job.sums).await;
    if landed.is_ok() {
        metrics.committed(table, rows, committer.position(), watch.elapsed());
    }
    (committer, landed.map(|_| Did::Land(rows)))
}

/// Checks the table of a run that has nothing to commit. A lake that does not answer does not end
/// the run, because the next look may succeed.
async fn look(mut committer: Committer, table: TableId, metrics: Arc<Metrics>) -> Done {
    let looked = match committer.look().await {
        Err(Stop::Store(error)) => {
            let text = chain(&error);
            tracing::warn!(table = committer.name(), error = text, "could not check whether another run took over");
            metrics.commit_failed(table, text);
            Ok(Did::Look)
        }
        looked => {
            metrics.looked(table);
            looked.map(|()| Did::Look)
        }
    };
    (committer, looked)
}
