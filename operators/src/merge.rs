//! `merge`: changes the rows of a table by their keys, per cut and worker, in files that no reader
//! can see yet. It stands where [`stage`](crate::stage::stage) stands in a pipeline that appends.
//!
//! ```text
//!   changes ─shard─▶ merge ─▶ what a commit needs, changes that cannot be made
//!             │
//!             └ by the hash of their keys: each worker has a shard of the table
//! ```
//!
//! Changes wait until their cut is complete, because one of a cut's changes counts for a key. A
//! shard works on one cut at a time, in their order, while later ones gather.

use std::collections::BTreeMap;

use futures::FutureExt;
use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use crate::error::StoreError;
use crate::position::Position;
use crate::run::env::Env;
use crate::sink::delta::upsert::{Changes, Merged, Shard};

/// Changes on their way to the shard of their keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sharded {
    /// The shard, which is that of the worker with this number.
    pub shard: usize,
    /// Changes of its keys.
    pub changes: Changes,
}

/// What a shard was at.
enum Work {
    /// A cut, and what it has made of it.
    Cut(Result<Option<Merged>, StoreError>),
    /// Its index, which is kept for the next run.
    Index,
}

/// Makes the changes of the table called `table`, which stands at `held`, on this worker's `shard`.
/// The time of what is made is the cut's lower bound.
///
/// Changes may have no rows, as those by which a shard learns that the table was truncated. A cut
/// with neither rows nor truncations for a shard makes nothing there.
///
/// Between two cuts and at its end, the shard keeps its index for the next run. Whoever ends the
/// process waits for that with [`Keeping`](crate::sink::delta::upsert::Keeping).
///
/// Here, a new table, whose only cut has two changes of one key:
///
/// ```
/// # #[tokio::main(flavor = "multi_thread", worker_threads = 2)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::collections::BTreeMap;
/// use std::sync::Arc;
///
/// use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use lakefront_operators::merge::{Sharded, merge};
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::names::{Held, RunId};
/// use lakefront_operators::sink::delta::TableSpec;
/// use lakefront_operators::sink::delta::upsert::{
///     Changes, Operation, Order, Shard, Sharding, UpsertSpec, open,
/// };
/// use lakefront_operators::sink::files::Place;
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::vec::{Map, ToStream};
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
///
/// let ids = Arc::new(Int64Array::from(vec![7, 7])) as ArrayRef;
/// let names = Arc::new(StringArray::from(vec!["old", "new"])) as ArrayRef;
/// let rows = RecordBatch::try_from_iter([("id", ids), ("name", names)])?;
/// let folder = tempfile::tempdir()?;
/// let (place, name) = (Place::Disk(folder.path().to_owned()), "customers".to_owned());
/// let table = TableSpec { place, name, schema: rows.schema(), partition: None };
/// let spec = UpsertSpec { table, key: vec!["id".to_owned()], feed: true };
///
/// let env = shared::env();
/// open(&[spec.clone()], "shop", env.clock.clone(), |_| Ok(())).await?;
/// let all = Sharding { shard: 0, shards: 1 };
/// let held = Held { position: Position(0), run: RunId(1) };
/// let shard = Shard::open(spec, ("shop", held), all, None, env.clock.clone()).await?;
/// let place = |offset| Order { partition: 0, offset, lsn: 0 };
/// let changes = Changes {
///     rows,
///     operations: vec![Operation::Insert, Operation::Update],
///     unavailable: BTreeMap::new(),
///     order: vec![place(1), place(2)],
///     origins: None,
///     truncations: Vec::new(),
/// };
/// let merged = timely::execute_directly(move |worker| {
///     worker.dataflow(|scope| {
///         let changes = [Sharded { shard: 0, changes }].to_stream(scope);
///         merge(changes, "customers", shard, Position(0), &env)
///             .map(|merged| (merged.counts, merged.staged.rows))
///             .map(|(counts, rows)| (counts.inserted, counts.superseded, rows))
///             .capture()
///     })
/// });
/// // One row is new. What is staged accounts for both changes.
/// assert_eq!(merged.extract(), [(Position(0), vec![(1, 1, 2)])]);
/// # Ok(())
/// # }
/// ```
pub fn merge<'s>(
    changes: StreamVec<'s, Position, Sharded>,
    table: &str,
    shard: Shard,
    held: Position,
    env: &Env,
) -> StreamVec<'s, Position, Merged> {
    let (scope, bridge, fatal) = (changes.scope(), env.bridge.clone(), env.fatal.clone());
    changes.unary_frontier::<CapacityContainerBuilder<Vec<Merged>>, _, _, _>(
        Exchange::new(|sharded: &Sharded| sharded.shard as u64),
        &format!("merge[{table}]"),
        move |_capability, info| {
            let tasks = bridge.tasks::<(Shard, Work)>(scope, &info);
            // None while it is at work, and after its end.
            let mut shard = Some(shard);
            let mut gathered = BTreeMap::<Position, (Capability<Position>, Vec<Changes>)>::new();
            // The cut that the shard works on. If it fails, the capability is kept, because the cut
            // is not complete.
            let mut under_way: Option<Capability<Position>> = None;
            move |(input, frontier), output| {
                input.for_each(|capability, sharded| {
                    let cut = *capability.time();
                    for Sharded { changes, .. } in sharded.drain(..).filter(|_| cut >= held && !fatal.is_raised()) {
                        let (_, parts) = gathered.entry(cut).or_insert_with(|| (capability.retain(0), Vec::new()));
                        parts.push(changes);
                    }
                });
                while let Some((back, work)) = tasks.next_done() {
                    match work {
                        Work::Cut(Ok(merged)) => {
                            let capability = under_way.take().expect("a shard that comes back was at work");
                            output.session(&capability).give_iterator(merged.into_iter());
                            match back.is_due() && !frontier.is_empty() {
                                true => tasks.spawn(back.kept().map(|back| (back, Work::Index))),
                                false => shard = Some(back),
                            }
                        }
                        Work::Cut(Err(error)) => fatal.raise(error.into()),
                        Work::Index => shard = Some(back),
                    }
                }
                if fatal.is_raised() {
                    return;
                }
                let is_complete = |cut: &Position| !frontier.less_equal(cut);
                if gathered.first_key_value().is_some_and(|(cut, _)| is_complete(cut)) {
                    let Some(mut at_work) = shard.take() else { return };
                    let (cut, (capability, parts)) = gathered.pop_first().expect("there is a first");
                    under_way = Some(capability);
                    tasks.spawn(async move {
                        let merged = at_work.merge(cut, parts).await;
                        (at_work, Work::Cut(merged))
                    });
                } else if frontier.is_empty()
                    && let Some(shard) = shard.take()
                {
                    bridge.detach(shard.kept().map(drop));
                }
            }
        },
    )
}
