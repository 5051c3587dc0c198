//! What a kind brings to the simulation: its source and the life of it, what hands out its work and
//! turns it into rows, and what must be true of it in the end. Everything else is shared.

use std::fmt::Debug;

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::cutter::{Bounds, Cutter};
use lakefront_operators::protocol::group::Commit;
use lakefront_operators::protocol::kind::Kind;
use lakefront_operators::protocol::names::Held;
use lakefront_operators::protocol::neighbours::Reading;
use lakefront_operators::protocol::offsets::Offsets;
use lakefront_operators::protocol::standing::Standing;
use lakefront_operators::protocol::sums::Sum;
use lakefront_operators::protocol::supply::Supply;
use serde_json::Value;

use crate::group::SimGroup;
use crate::rng::Rng;
use crate::run::Env;
use crate::saboteur::Rule;
use crate::world::World;

/// The roles of groups, in claim order, each with the roles of its tables.
pub(crate) type Groups = &'static [(&'static str, &'static [&'static str])];

/// Decides what a run hands out.
pub(crate) type Planner<K> = Cutter<K, <K as SimKind>::Supply>;

/// What an operator does about a message that only this kind gives.
pub(crate) enum Advice {
    /// What had to be done is done.
    Restart,
    /// New tables, because what the old ones lack is gone.
    StartOver,
}

/// The source's own transaction, in which a commit is made, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Transaction(pub(crate) u64);

/// The rules of the protocol itself, whatever the source.
const SHARED_RULES: [Rule; 20] = [
    Rule::Fence,
    Rule::Claim,
    Rule::Genesis,
    Rule::Names,
    Rule::Tidy,
    Rule::Durable,
    Rule::Settings,
    Rule::Level,
    Rule::Stale,
    Rule::Steady,
    Rule::Settle,
    Rule::Predecessor,
    Rule::Recheck,
    Rule::Everywhere,
    Rule::Zero,
    Rule::GivesWay,
    Rule::Overlap,
    Rule::Rows,
    Rule::Acknowledge,
    Rule::Adopt,
];

/// A kind that is simulated.
pub(crate) trait SimKind: Kind {
    /// The rules that only this kind can break.
    const OWN_RULES: &'static [Rule];
    /// What messages call a group.
    const GROUP: &'static str;
    /// What the source consists of, in messages.
    const UNIT: &'static str;
    /// How many settings there are.
    const ROUTES: usize;
    /// Whether the source forgets what was acknowledged.
    const FORGETS: bool;
    /// Whether a file may mask rows of files before it, so that a compaction may be in its way.
    const MASKS: bool;
    /// Whether what a group holds is nowhere else: then nobody deletes it, restores an earlier
    /// state of it, or starts over, and there is no second pipeline.
    const IS_ONLY_COPY: bool = false;
    /// Whether a commit compares its files with the tables itself, so that nothing is checked again
    /// after commits of others.
    const COMPARES: bool = false;
    /// The name of the source, and the same source in another spelling.
    const SOURCE: [&'static str; 2];
    /// The name of a source that has nothing, by a slip of the pen.
    const TYPO: &'static str;

    /// The source as it is.
    type Source: Send + 'static;
    /// A row in a table: what it was made of.
    type Row: Copy + Debug + PartialEq + Send + Sync + 'static;
    /// Where a group began.
    type Base: Clone + Default + Send + 'static;
    /// What a worker turns into rows.
    type Work: Send + 'static;
    /// Hands out work.
    type Supply: Supply<Self, Work = Self::Work> + Send + 'static;
    /// Looks at the source for a run.
    type Feed: Send;

    // The source, and what happens to it.

    /// The rules without any of which some schedule must fail.
    fn rules() -> impl Iterator<Item = Rule> {
        SHARED_RULES.into_iter().chain(Self::OWN_RULES.iter().copied())
    }

    /// The source of a schedule.
    fn source(rng: &mut Rng) -> Self::Source;
    /// The groups of a schedule.
    fn groups(source: &Self::Source) -> Groups;
    /// Whether the schedule is long, because partitions come and go.
    fn is_long(source: &Self::Source) -> bool;
    /// Lets something happen to the source; `x` is below 0.155.
    fn happen(w: &mut World<Self>, x: f64);
    /// Lets somebody meddle with the source; `what` is below 4.
    fn meddle(w: &mut World<Self>, what: usize);
    /// Changes how the source is read, between two runs.
    fn reconfigure(w: &mut World<Self>);
    /// Writers come to an end: nothing is left half-written.
    fn quieten(w: &mut World<Self>);
    /// Every group holds everything up to `standing`, as the run of that tag says.
    fn acknowledge(w: &mut World<Self>, tag: u64, standing: &Standing<Self>);
    /// The run of that tag has come to its end, whichever.
    fn ended(_w: &mut World<Self>, _tag: u64) {}
    /// Does what a refusal of this kind says; `None` if it is none.
    fn obey(w: &mut World<Self>, text: &str) -> Option<Advice>;

    // A run.

    /// The settings of that number.
    fn settings(routes: usize) -> Self::Settings;
    /// What a run reads, by the name of its source.
    fn reading(source: &'static str) -> Box<dyn Reading<Self>>;
    /// Where a run begins that finds no position.
    fn cold_start(env: &Env<Self>) -> Pending<'static, Result<Offsets<Self>, Stop>>;
    /// The bounds of a run, of those that were drawn.
    fn bounds(drawn: Bounds) -> Bounds {
        drawn
    }
    /// What a run hands out, if its groups stand at `standings`.
    fn supply(env: &Env<Self>, standings: &[Standing<Self>]) -> Result<Self::Supply, Stop>;
    /// What looks at the source for the run.
    fn feed(env: &Env<Self>, standings: &[Standing<Self>]) -> Self::Feed;
    /// Looks at the source now and then, and tells the planner what is there.
    fn look(
        feed: &mut Self::Feed,
        env: &Env<Self>,
        planner: &mut Planner<Self>,
    ) -> impl Future<Output = Result<(), Stop>> + Send;
    /// Whether the source was looked at.
    fn has_looked(feed: &Self::Feed) -> bool;
    /// Whether the source will be looked at again, though all that was seen is handed out.
    fn looks_again(_feed: &Self::Feed) -> bool {
        false
    }
    /// Whether work is for groups that lag.
    fn is_catch_up(work: &Self::Work) -> bool;
    /// Turns work into rows, and stages them.
    fn stage(env: &Env<Self>, time: Position, work: Self::Work) -> impl Future<Output = Result<(), Stop>> + Send;
    /// Whether nothing of the partition was handed out yet.
    fn is_zero(mark: &Self::Mark) -> bool;

    // Commits with files that the source has a part in.

    /// Brings the transaction of a commit; `None` if the commit is void.
    fn begin<'a>(
        _group: &'a SimGroup<Self>,
        _commit: &'a Commit,
    ) -> Pending<'a, Result<Option<Transaction>, StoreError>> {
        Box::pin(async { Ok(Some(Transaction(0))) })
    }
    /// Whether the transaction can still be committed, in the moment in which it would be. A
    /// request that `is_late` was sent earlier, perhaps by a run that is dead.
    fn stands(_w: &World<Self>, _group: usize, _transaction: Transaction, _is_late: bool) -> bool {
        true
    }
    /// A commit has landed, in the same moment; one without files has no transaction.
    fn landed(_w: &mut World<Self>, _group: usize, _held: Held, _transaction: Option<Transaction>) {}
    /// A commit of the run of that tag is void for good.
    fn discarded(_w: &mut World<Self>, _tag: u64, _held: Held) {}

    // What is true.

    /// Where a group begins, according to the document of its genesis.
    fn base(document: &Value) -> Self::Base;
    /// The rows that a file masks, with the files that hold them.
    fn masks(detail: &str) -> Vec<(u64, Self::Row)>;
    /// What a row adds to the totals.
    fn sum_of(row: &Self::Row) -> Sum;
    /// Whether a group's commit may show these rows at once, and no others.
    fn may_appear(w: &World<Self>, group: usize, rows: &[Self::Row]) -> Result<(), String>;
    /// What must be true in the end of the source and the rows.
    fn outcome(w: &World<Self>) -> Result<(), String>;

    // For the trace.

    /// Work in short form.
    fn show(work: &Self::Work) -> String;
    /// Offsets in short form.
    fn brief(offsets: &Offsets<Self>) -> String;
}
