//! `stage`: writes a table's rows into files that no reader can see yet, per cut and worker.
//!
//! A table that already stands beyond a cut holds the cut's rows, so they are dropped here. When
//! the frontier passes a cut, its files are closed, made durable, and reported to the table's
//! committer. Rows in memory are written early when they take more than the table's share of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use crate::bridge::Bridge;
use crate::error::StoreError;
use crate::fatal::Fatal;
use crate::memory::{Budget, Share};
use crate::position::Position;
use crate::protocol::table::StagedFile;
use crate::route::Routed;
use crate::sink::{Stage, StageWriter};

/// A file for the committer; its time is its cut's lower bound.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Staged(pub StagedFile);

/// Stages the rows of `table`, which stands at `held`.
pub fn stage<'s>(
    rows: StreamVec<'s, Position, Routed>,
    table: &str,
    stage: impl Stage + 'static,
    held: Position,
    budget: &Arc<Budget>,
    bridge: &Bridge,
    fatal: Fatal,
) -> StreamVec<'s, Position, Staged> {
    let (scope, bridge, mut share) = (rows.scope(), bridge.clone(), budget.share());
    rows.unary_frontier::<CapacityContainerBuilder<Vec<Staged>>, _, _, _>(
        Pipeline,
        &format!("stage[{table}]"),
        move |_capability, info| {
            let tasks = bridge.tasks::<(Position, Result<Vec<StagedFile>, StoreError>)>(scope, &info);
            let mut open = Open::new();
            // Cuts being synced, and cuts that failed: a capability that is kept means that its cut
            // is not complete.
            let mut closing: HashMap<Position, Capability<Position>> = HashMap::new();
            let mut failed: Vec<Capability<Position>> = Vec::new();
            move |(input, frontier), output| {
                input.for_each(|capability, routed| {
                    let cut = *capability.time();
                    for Routed { rows, credit, .. } in routed.drain(..).filter(|_| cut >= held && !fatal.is_raised()) {
                        let written = write(&stage, &mut open, cut, || capability.retain(0), &rows);
                        drop(rows);
                        let written = written.and_then(|()| relieve(&mut open, &mut share));
                        drop(credit);
                        if let Err(error) = written {
                            failed.push(capability.retain(0));
                            fatal.raise(error.into());
                        }
                    }
                });
                while let Some((cut, result)) = tasks.next_done() {
                    match result {
                        Ok(files) => {
                            let capability = closing.remove(&cut).expect("every task has an entry");
                            output.session(&capability).give_iterator(files.into_iter().map(Staged));
                        }
                        Err(error) => fatal.raise(error.into()),
                    }
                }
                while !fatal.is_raised() {
                    let Some(first) = open.first_entry().filter(|first| !frontier.less_equal(first.key())) else {
                        break;
                    };
                    let (cut, (capability, writer)) = first.remove_entry();
                    closing.insert(cut, capability);
                    match writer.finish() {
                        Ok(durable) => tasks.spawn(async move { (cut, durable.await) }),
                        Err(error) => fatal.raise(error.into()),
                    }
                    share.set(memory(&open));
                }
            }
        },
    )
}

/// Open writers, by their cuts' lower bounds.
type Open = BTreeMap<Position, (Capability<Position>, Box<dyn StageWriter>)>;

fn memory(open: &Open) -> u64 {
    open.values().map(|(_, writer)| writer.memory()).sum()
}

/// Makes the writers write rows early until they are within their share.
fn relieve(open: &mut Open, share: &mut Share) -> Result<(), StoreError> {
    while memory(open) > share.most() {
        let largest = open.values_mut().max_by_key(|(_, writer)| writer.memory());
        let (_, writer) = largest.expect("memory in use has a writer");
        writer.relieve()?;
    }
    share.set(memory(open));
    Ok(())
}

fn write(
    stage: &impl Stage,
    open: &mut Open,
    cut: Position,
    capability: impl FnOnce() -> Capability<Position>,
    rows: &arrow_array::RecordBatch,
) -> Result<(), StoreError> {
    if let std::collections::btree_map::Entry::Vacant(vacant) = open.entry(cut) {
        vacant.insert((capability(), stage.begin()?));
    }
    let (_, writer) = open.get_mut(&cut).expect("it was just begun");
    writer.write(rows)
}
