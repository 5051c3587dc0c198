//! `commit`: one committer per group, on one worker. A cut commits once the frontier shows that all
//! its files have arrived.
//!
//! The protocol decides: [`CommitQueue`] picks the next job and [`Committer`] lands it. A group
//! commits one cut at a time, in order, and reports the position that its transaction then holds.
//! Cuts that are empty for the group are reported too, because nothing waits for them. A committer
//! without work checks from time to time whether another run has taken over.

mod before;
mod home;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Capability, Concatenate};
use timely::dataflow::{Scope, StreamVec};
use uuid::Uuid;

use self::before::Before;
use self::home::Home;
use crate::position::Position;
use crate::protocol::claim::Claimed;
use crate::protocol::commit::Committer;
use crate::protocol::cut::Control;
use crate::protocol::kind::Kind;
use crate::protocol::last_rows::{Draw, LastRows};
use crate::protocol::names::{GroupId, TableId};
use crate::protocol::queue::CommitQueue;
use crate::protocol::staged::{Counted, Staged};
use crate::run::env::Env;
use crate::totals::Update;

/// A group has advanced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Moved {
    /// The group.
    pub group: GroupId,
    /// The position that its transaction holds now.
    pub position: Position,
    /// No rows below this wait for the group: `position`, or further if the next cuts are empty.
    pub drained: Position,
    /// Rows that a commit made visible, by table.
    pub rows: BTreeMap<TableId, u64>,
}

/// The worker on which a group's commits are made.
pub fn home(group: GroupId, peers: usize) -> usize {
    group.0 % peers
}

/// A group's rows, staged and counted.
pub struct GroupRows<'s> {
    /// The files that hold them.
    pub staged: StreamVec<'s, Position, Staged>,
    /// Their sums, on the group's home worker.
    pub sums: StreamVec<'s, Position, Update>,
    /// Which groups have rows in a cut, from [`filled`].
    pub filled: StreamVec<'s, Position, GroupId>,
    /// The group whose rows of a cut land before those of this one, if there is such a group.
    pub first: Option<First<'s>>,
}

/// A group that commits a cut before another one does. What it keeps of the cut was found out from
/// where the other stood before it, and cannot be found out again once that has moved.
pub struct First<'s> {
    /// The group.
    pub group: GroupId,
    /// Where it stood when it was claimed.
    pub held: Position,
    /// Its commits.
    pub moved: StreamVec<'s, Position, Moved>,
}

/// A group's committer, and the queue of its cuts.
pub type Committing<K> = (Committer<K>, CommitQueue<K>);

/// What commits groups that were just claimed, in claim order.
pub fn committing<K: Kind>(claimed: Vec<Claimed<K>>) -> impl Iterator<Item = Committing<K>> {
    let standings: Vec<_> = claimed.iter().map(|claimed| claimed.standing.clone()).collect();
    let (last_rows, draw) =
        (LastRows::known(standings.iter().map(|standing| &standing.last_rows)), Draw(Uuid::new_v4().as_u64_pair().0));
    claimed.into_iter().map(move |Claimed { committer, .. }| {
        let queue = CommitQueue::new(committer.shown(), committer.position(), last_rows.clone(), draw);
        (committer, queue)
    })
}

/// Which groups have rows in a cut, from each group's staged files, in claim order.
///
/// ```
/// use lakefront_operators::commit::filled;
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::clock::Stamp;
/// use lakefront_operators::protocol::names::{GroupId, TableId};
/// use lakefront_operators::protocol::staged::{Staged, StagedFile};
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::vec::ToStream;
///
/// let groups = timely::execute_directly(|worker| {
///     worker.dataflow::<Position, _, _>(|scope| {
///         let (path, detail, staged_at) = ("part-1".into(), String::new(), Stamp::default());
///         let file = StagedFile { path, size: 999, rows: 3, detail, staged_at };
///         // The first group has no rows in this cut, the second has.
///         let first = None.to_stream(scope);
///         let second = Some(Staged { table: TableId(1), file }).to_stream(scope);
///         filled(scope, &[first, second]).capture()
///     })
/// });
/// assert_eq!(groups.extract(), [(Position(0), vec![GroupId(1)])]);
/// ```
pub fn filled<'s>(
    scope: Scope<'s, Position>,
    staged: &[StreamVec<'s, Position, Staged>],
) -> StreamVec<'s, Position, GroupId> {
    let groups = staged.iter().enumerate().map(|(i, staged)| staged.clone().map(move |_| GroupId(i)));
    scope.concatenate(groups.collect::<Vec<_>>())
}

/// Inputs of the operator that a cut is complete by.
const OWN_INPUTS: usize = 4;

/// Commits the cuts of `group`. Its home worker passes the `committing`, all others `None`.
///
/// Here, a cut with one file. The group is claimed as in the example of
/// [`claim`](crate::protocol::claim::claim), and stands at 0:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use lakefront_operators::commit::{GroupRows, commit, committing, filled};
/// use lakefront_operators::format::logs::lines::{Control, Cut, Standing};
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::clock::Stamp;
/// use lakefront_operators::protocol::names::{GroupId, TableId};
/// use lakefront_operators::protocol::offsets::PartitionId;
/// use lakefront_operators::protocol::staged::{Staged, StagedFile};
/// use lakefront_operators::protocol::sums::{Bucket, Sum};
/// use lakefront_operators::sink::delta::Detail;
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::vec::{Map, ToStream};
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
///
/// let folder = tempfile::tempdir()?;
/// let env = shared::env();
/// let claimed = shared::claimed(folder.path(), &env).await;
/// let detail = Detail { stats: "{\"numRecords\":3}".to_owned(), ..Detail::default() }.note()?;
/// let (path, staged_at) = ("part-1.parquet".to_owned(), Stamp::now(&*env.clock));
/// let committing = committing(claimed).next().expect("one group");
/// let file = StagedFile { path, size: 999, rows: 3, detail, staged_at };
/// let bucket = Bucket { partition: PartitionId::first("a.log"), range: 0, part: 0 };
/// let sum = ((TableId(0), bucket), Position(0), Sum { rows: 3, checksum: 42 });
/// let Standing { offsets, settings, since, .. } = shared::standing(70);
/// let cut = Cut { lower: Position(0), upper: Position(70), offsets, settings, since };
///
/// let moved = timely::execute_directly(move |worker| {
///     worker.dataflow(|scope| {
///         let staged = [Staged { table: TableId(0), file }].to_stream(scope);
///         let filled = filled(scope, std::slice::from_ref(&staged));
///         let rows = GroupRows { staged, sums: [sum].to_stream(scope), filled, first: None };
///         let control = [Control::Cut(cut)].to_stream(scope);
///         let moved = commit(rows, control, GroupId(0), Some(committing), &env);
///         moved.map(|moved| (moved.position, moved.rows[&TableId(0)])).capture()
///     })
/// });
/// // It is reported at the time of the cut, and stands where the cut ends.
/// assert_eq!(moved.extract(), [(Position(0), vec![(Position(70), 3)])]);
/// # Ok(())
/// # }
/// ```
pub fn commit<'s, K: Kind>(
    rows: GroupRows<'s>,
    control: StreamVec<'s, Position, Control<K>>,
    group: GroupId,
    committing: Option<Committing<K>>,
    env: &Env,
) -> StreamVec<'s, Position, Moved> {
    let (scope, fatal) = (control.scope(), env.fatal.clone());
    let at = home(group, scope.peers()) as u64;
    let mut builder = OperatorBuilder::new(format!("commit[{}]", env.metrics.role(group)), scope);
    let info = builder.operator_info();
    let mut staged = builder.new_input(rows.staged, Exchange::new(move |_: &Staged| at));
    let mut sums = builder.new_input(rows.sums, Pipeline);
    let mut filled = builder.new_input(rows.filled, Exchange::new(move |_: &GroupId| at));
    let mut control = builder.new_input(control, Exchange::new(move |_: &Control<K>| at));
    // It comes last, because a cut is complete by the others alone.
    let first = rows.first.map(|First { group, held, moved }| {
        (Before::new(group, held), builder.new_input(moved, Exchange::new(move |_: &Moved| at)))
    });
    let (mut before, mut moves) = first.unzip();
    let (output, stream) = builder.new_output::<Vec<Moved>>();
    let mut output = OutputBuilder::<_, CapacityContainerBuilder<Vec<Moved>>>::from(output);
    let tasks = env.bridge.tasks(scope, &info);
    let mut home = committing.map(|committing| Home::new(group, committing, tasks, env.metrics.clone()));
    builder.build(move |capabilities| {
        drop(capabilities);
        // Capabilities of the cuts that this group has yet to pass; its position is sent with them.
        let mut held: BTreeMap<Position, Capability<Position>> = BTreeMap::new();
        move |frontiers| {
            staged.for_each(|capability, files| {
                held.entry(*capability.time()).or_insert_with(|| capability.retain(0));
                let Some(home) = &mut home else { return };
                files.drain(..).for_each(|file| home.queue.staged(*capability.time(), file));
            });
            sums.for_each(|_, updates| {
                let Some(home) = &mut home else { return };
                for ((table, bucket), lower, sum) in updates.drain(..) {
                    home.queue.counted(lower, Counted { table, bucket, sum });
                }
            });
            filled.for_each(|capability, groups| {
                let Some(home) = &mut home else { return };
                let cut = *capability.time();
                before.iter_mut().for_each(|before| before.fills(cut, groups));
                groups.drain(..).for_each(|group| home.queue.filled(cut, group));
            });
            if let (Some(before), Some(moves)) = (&mut before, &mut moves) {
                moves.for_each(|_, moves| moves.iter().for_each(|moved| before.moved(moved)));
            }
            control.for_each(|capability, records| {
                held.entry(*capability.time()).or_insert_with(|| capability.retain(0));
                let Some(home) = &mut home else { return };
                records.drain(..).for_each(|record| home.queue.control(record));
            });
            let Some(home) = home.as_mut().filter(|_| !fatal.is_raised()) else { return };
            let complete = |lower: Position| {
                frontiers[..OWN_INPUTS].iter().all(|frontier| !frontier.less_equal(&lower))
                    && before.as_ref().is_none_or(|before| before.holds(lower))
            };
            let mut output = output.activate();
            let moved = |moved, capability: &Capability<Position>| output.session(capability).give(moved);
            if let Err(stop) = home.go_on(&mut held, complete, moved) {
                fatal.raise(stop);
            }
        }
    });
    stream
}
