//! `stage`: writes a group's rows into files that no reader can see yet, per cut, table and worker.
//!
//! A group that already stands beyond a cut holds the cut's rows, so they are dropped here. When
//! the frontier passes a cut, its files are closed, made durable, and reported to the group's
//! committer. Files of a table whose rows have all come are closed before, if the source says so.
//! Rows in memory are written early when they take more than the group's share of it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use crate::error::{Stop, StoreError};
use crate::position::Position;
use crate::protocol::names::TableId;
use crate::protocol::staged::{Staged, StagedFile};
use crate::routed::Routed;
use crate::run::bridge::Tasks;
use crate::run::env::Env;
use crate::run::memory::Share;
use crate::sink::{Stage, StageWriter};

/// What stages the rows of each table of a group.
pub type Stages = BTreeMap<TableId, Box<dyn Stage>>;

/// A cut of one table: the cut's lower bound, and the table.
type Part = (Position, TableId);
/// Open writers.
type Open = BTreeMap<Part, (Capability<Position>, Box<dyn StageWriter>)>;

/// Stages the rows of `group`, which stands at `held`. The time of a file is its cut's lower bound.
///
/// Here, rows for a Delta table on a disk. `shared::rows` stands for the first half of a pipeline,
/// as in the example of [`Routed`]:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::names::TableId;
/// use lakefront_operators::sink::delta::{DeltaStage, TableSpec};
/// use lakefront_operators::sink::files::Place;
/// use lakefront_operators::stage::{Stages, stage};
/// use timely::dataflow::operators::capture::{Capture, Event};
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
///
/// let folder = tempfile::tempdir()?;
/// let spec = TableSpec {
///     place: Place::Disk(folder.path().to_owned()),
///     name: "events".to_owned(),
///     schema: shared::batch(&[]).schema(),
///     partition: None,
/// };
/// let env = shared::env();
/// let staged = timely::execute_directly(move |worker| {
///     let files = DeltaStage::new(spec, env.clock.clone());
///     worker.dataflow(|scope| {
///         let rows = shared::rows(scope, &[0, 70, 200], &env);
///         let stages: Stages = [(TableId(0), Box::new(files) as _)].into();
///         stage(rows, "events", stages, Position(0), &env).capture()
///     })
/// });
/// let files = staged.iter().filter_map(|event| match event {
///     Event::Messages(cut, files) => Some((cut, files)),
///     Event::Progress(_) => None,
/// });
/// let [(cut, files)] = &files.collect::<Vec<_>>()[..] else { panic!("one cut has rows") };
/// assert_eq!((*cut, files[0].file.rows), (Position(0), 3));
/// // The file is there, and no commit names it yet.
/// assert!(folder.path().join(&files[0].file.path).exists());
/// # Ok(())
/// # }
/// ```
pub fn stage<'s>(
    rows: StreamVec<'s, Position, Routed>,
    group: &str,
    stages: Stages,
    held: Position,
    env: &Env,
) -> StreamVec<'s, Position, Staged> {
    let (scope, bridge, fatal, mut share) = (rows.scope(), env.bridge.clone(), env.fatal.clone(), env.budget.share());
    rows.unary_frontier::<CapacityContainerBuilder<Vec<Staged>>, _, _, _>(
        Pipeline,
        &format!("stage[{group}]"),
        move |_capability, info| {
            let mut closing = Closing { tasks: bridge.tasks(scope, &info), files: HashMap::new(), begun: 0 };
            let mut open = Open::new();
            // Cuts that failed: a capability that is kept means that its cut is not complete.
            let mut failed: Vec<Capability<Position>> = Vec::new();
            move |(input, frontier), output| {
                input.for_each(|capability, routed| {
                    let cut = *capability.time();
                    for routed in routed.drain(..).filter(|_| cut >= held && !fatal.is_raised()) {
                        let Routed { table, rows, credit, is_last, .. } = routed;
                        let written = write(&stages, &mut open, (cut, table), || capability.retain(0), &rows);
                        drop(rows);
                        let closed = written.and_then(|()| match is_last.then(|| open.remove(&(cut, table))) {
                            Some(Some((capability, writer))) => Ok(closing.close(table, capability, writer)?),
                            _ => Ok(()),
                        });
                        let relieved = closed.and_then(|()| Ok(relieve(&mut open, &mut share)?));
                        drop(credit);
                        if let Err(stop) = relieved {
                            failed.push(capability.retain(0));
                            fatal.raise(stop);
                        }
                    }
                });
                while let Some((table, capability, result)) = closing.next_done() {
                    match result {
                        Ok(files) => {
                            let files = files.into_iter().map(|file| Staged { table, file });
                            output.session(&capability).give_iterator(files);
                        }
                        Err(error) => {
                            failed.push(capability);
                            fatal.raise(error.into());
                        }
                    }
                }
                while !fatal.is_raised() {
                    let Some(first) = open.first_entry().filter(|first| !frontier.less_equal(&first.key().0)) else {
                        break;
                    };
                    let ((_, table), (capability, writer)) = first.remove_entry();
                    if let Err(error) = closing.close(table, capability, writer) {
                        fatal.raise(error.into());
                    }
                    share.set(memory(&open));
                }
            }
        },
    )
}

/// What becomes of the files of one table in one cut.
type Durable = Result<Vec<StagedFile>, StoreError>;

/// Files that are being made durable. Their capabilities are kept until they are, or for ever.
struct Closing {
    tasks: Tasks<(u64, Durable)>,
    files: HashMap<u64, (TableId, Capability<Position>)>,
    begun: u64,
}

impl Closing {
    /// Closes the files of `writer`.
    fn close(
        &mut self,
        table: TableId,
        capability: Capability<Position>,
        writer: Box<dyn StageWriter>,
    ) -> Result<(), StoreError> {
        self.begun += 1;
        let number = self.begun;
        self.files.insert(number, (table, capability));
        let durable = writer.finish()?;
        self.tasks.spawn(async move { (number, durable.await) });
        Ok(())
    }

    /// The files of one table and cut that are durable, or why they are not.
    fn next_done(&mut self) -> Option<(TableId, Capability<Position>, Durable)> {
        let (number, result) = self.tasks.next_done()?;
        let (table, capability) = self.files.remove(&number).expect("every task has an entry");
        Some((table, capability, result))
    }
}

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

/// Gives `rows` to the writer of their part, which begins with them if need be.
fn write(
    stages: &Stages,
    open: &mut Open,
    part: Part,
    capability: impl FnOnce() -> Capability<Position>,
    rows: &arrow_array::RecordBatch,
) -> Result<(), Stop> {
    if let Entry::Vacant(vacant) = open.entry(part) {
        let (_, table) = part;
        let stage = stages.get(&table);
        let stage = stage.ok_or_else(|| Stop::Bug(format!("rows of table {} came to another group", table.0)))?;
        vacant.insert((capability(), stage.begin()?));
    }
    let (_, writer) = open.get_mut(&part).expect("it was just begun");
    Ok(writer.write(rows)?)
}
