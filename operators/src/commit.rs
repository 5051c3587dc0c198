//! `commit`: one committer a table, on one worker. A cut commits once the frontier shows that all its files are there.
//!
//! The decisions are the protocol's: [`CommitQueue`] says what comes next, [`Committer`] lands it. One commit at a time, in
//! order. Each reports the position that the table's transaction holds from then on.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::bridge::Bridge;
use crate::clock::Stopwatch;
use crate::error::Stop;
use crate::fatal::Fatal;
use crate::metrics::Metrics;
use crate::position::Position;
use crate::protocol::commit::Committer;
use crate::protocol::cut::Control;
use crate::protocol::queue::{CommitQueue, Job};
use crate::record::TableId;
use crate::stage::Staged;
use crate::totals::Update;

/// A table's transaction has moved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Moved {
    /// The table.
    pub table: TableId,
    /// Where its transaction stands now.
    pub position: Position,
    /// Rows that the commit made visible.
    pub rows: u64,
}

/// The worker on which a table's commits are made.
pub fn home(table: TableId, peers: usize) -> usize {
    table.0 % peers
}

/// What a table's rows have become.
pub struct Rows<'s> {
    /// The files that hold them.
    pub staged: StreamVec<'s, Position, Staged>,
    /// What they add up to, on the table's home worker.
    pub sums: StreamVec<'s, Position, Update>,
}

/// Commits the cuts of `table`. Its home worker brings the `committer`, all others none.
pub fn commit<'s>(
    rows: Rows<'s>,
    control: StreamVec<'s, Position, Control>,
    table: TableId,
    committer: Option<Committer>,
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
    let mut control = builder.new_input(control, Exchange::new(move |_: &Control| at));
    let (output, stream) = builder.new_output::<Vec<Moved>>();
    let mut output = OutputBuilder::<_, CapacityContainerBuilder<Vec<Moved>>>::from(output);
    let tasks = bridge.tasks::<Landed>(scope, &info);
    builder.build(move |capabilities| {
        drop(capabilities);
        let mut idle = committer;
        let mut queue = idle.as_ref().map(|committer| CommitQueue::new(committer.name(), committer.position()));
        // The capabilities of the cuts that this table has yet to pass: its position is theirs to announce.
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
            control.for_each(|capability, records| {
                held.entry(*capability.time()).or_insert_with(|| capability.retain(0));
                for record in records.drain(..) {
                    queue.iter_mut().for_each(|queue| queue.control(record.clone()));
                }
            });
            let Some(queue) = queue.as_mut().filter(|_| !fatal.is_raised()) else { return };
            let mut output = output.activate();
            while let Some((committer, landed)) = tasks.next_done() {
                let moved = match landed {
                    Ok(rows) => Moved { table, position: committer.position(), rows },
                    Err(stop) => return fatal.raise(stop),
                };
                let (_, capability) = held.first_key_value().expect("a cut under way is held");
                output.session(capability).give(moved);
                idle = Some(committer);
            }
            let complete = |lower| frontiers.iter().all(|frontier| !frontier.less_equal(&lower));
            let Some(committer) = idle.take() else { return };
            match queue.next(complete) {
                Ok(Some(job)) => tasks.spawn(land(committer, job, table, metrics.clone())),
                Ok(None) => {
                    // Nothing to announce below the first cut that is not complete; what is empty is settled by a later record.
                    let open = held.keys().find(|lower| !complete(**lower)).copied();
                    held = match open {
                        Some(open) => held.split_off(&open),
                        None => BTreeMap::new(),
                    };
                    idle = Some(committer);
                }
                Err(stop) => fatal.raise(stop),
            }
        }
    });
    stream
}

type Landed = (Committer, Result<u64, Stop>);

/// Lands one job; the answer is the number of rows.
async fn land(mut committer: Committer, job: Job, table: TableId, metrics: Arc<Metrics>) -> Landed {
    let rows = job.files.iter().map(|file| file.rows).sum();
    metrics.commit_begins(table);
    let watch = Stopwatch::start();
    let landed = committer.land(&job.cut.standing(), job.files, &job.sums).await;
    if landed.is_ok() {
        metrics.committed(table, rows, committer.position(), watch.elapsed());
    }
    (committer, landed.map(|_| rows))
}
