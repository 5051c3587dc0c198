//! Takes one rule away, only at the seams: the ports, the clock, what a run is told. Without any
//! one of the rules, some schedule must fail.

use std::sync::{Arc, Mutex};

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::claim::Claimed;
use lakefront_operators::protocol::cut::{Control, Cut};
use lakefront_operators::protocol::group::{Commit, CommitFacts, Created, Group, GroupState, Verdict};
use lakefront_operators::protocol::kind::Mark;
use lakefront_operators::protocol::names::{Held, OffsetsName, RunId, Version};
use lakefront_operators::protocol::offsets_store::{Neighbour, OffsetsStore};

use crate::group::SimGroup;
use crate::kind::SimKind;

/// A rule of the protocol that can be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A commit of our pipeline by another run fences. Without: it looks like another writer's.
    Fence,
    /// A run claims before it reads positions. Without: other runs do not see a claim without rows.
    Claim,
    /// Start offsets are resolved once. Without: every table resolves its own.
    Genesis,
    /// Offsets files are named by position and run, and only created. Without: they are named by
    /// position, and overwritten.
    Names,
    /// Only offsets files below the committed position are deleted. Without: all but the newest two
    /// are.
    Tidy,
    /// The state file moves to what transactions hold. Without: to what has drained.
    Durable,
    /// Catch-up uses the settings of its upper position. Without: today's.
    Settings,
    /// Planning waits until transactions stand level. Without: what is in memory counts as durable.
    Level,
    /// Catch-up is exempt from the reject ratio. Without: it is judged.
    Ratio,
    /// Bytes are planned up to the last newline. Without: up to the last byte.
    Newline,
    /// Nothing is committed after a long silence. Without: the protocol's clocks stand still.
    Stale,
    /// Durations are measured on a clock that nobody sets. Without: by the time of day.
    Steady,
    /// Tables without rows are settled. Without: they are not.
    Settle,
    /// A re-created file is a new generation. Without: nobody checks.
    Generation,
    /// A version needs its predecessor. Without: any version can be created.
    Predecessor,
    /// A changed table is checked again. Without: it always fits.
    Recheck,
    /// A partition leaves once every table holds it. Without: once it is planned.
    Everywhere,
    /// A partition of which nothing is planned is named when others leave. Without: it is not.
    Zero,
    /// What was seen of a partition before the source was told that it is retired does not count.
    /// Without: the source is assumed to know at once.
    Told,
    /// Offsets lead to later ones only if what was retired in between adds up. Without: if no
    /// partition goes backwards.
    Sum,
    /// Only a whole listing shows what is finished. Without: any listing does.
    Whole,
    /// A file is finished once it is quiet for `settle`. Without: `settle` is zero.
    Margin,
    /// A file on a disk is identified by its creation. Without: by its name.
    Follow,
    /// A file that has no name in the source any more is searched for elsewhere. Without: it is
    /// gone.
    Seek,
    /// A claim that has landed nothing gives way. Without: a table belongs to its first claim's
    /// source.
    GivesWay,
    /// A source that overlaps with that of another pipeline in the same table is refused. Without:
    /// the other is not seen.
    Overlap,
    /// Every table records where the rows of all tables end. Without: it does not learn which have
    /// rows.
    Rows,
    /// The source hears only of what every group's transaction holds. Without: of what has drained,
    /// or, if it forgets, of what was cut.
    Acknowledge,
    /// Rows of others are adopted only on request. Without: they are not seen.
    Adopt,
    /// A cut ends where the source forces it, and not where it forbids it. Without: it may end
    /// anywhere.
    Boundary,
    /// A run first acknowledges where its groups stood. Without: only what it moves.
    Repeat,
    /// A commit is compared with what others have taken. Without: only the schema is.
    Conflict,
    /// A file tells when it was begun, and so which commits of others it may not know. Without: it
    /// knows them all.
    Begun,
    /// Where cuts may be void, one that has landed nothing moves no position. Without: it is
    /// settled like an empty one.
    Void,
    /// A void commit is followed by a claim, which takes the version that an attempt at it may
    /// still want. Without: that attempt takes any other.
    Anew,
    /// A commit that was called void and has landed after all is met and known. Without: it looks
    /// like another writer's.
    Known,
    /// A void commit is discarded once no attempt at it is under way. Without: at once.
    Discard,
    /// The rows of a void commit are handed out again. Without: the source is not told.
    Again,
    /// A supply takes back what a void cut has moved. Without: it goes on from there.
    Marks,
    /// Rows leave the source when they have landed, or in the same moment. Without: before.
    Leave,
    /// Rows that have landed and are still in the source are removed before anything is handed out.
    /// Without: they are handed out again.
    Leftover,
    /// A commit whose rows were changed in the source meanwhile is void. Without: they leave as
    /// they are by then.
    Changed,
}

/// A cut whose offsets leave out the partitions of which nothing is planned.
pub(crate) fn without_zeros<K: SimKind>(control: Control<K>) -> Control<K> {
    let Control::Cut(cut) = control else { return control };
    let mut offsets = (*cut.offsets).clone();
    offsets.partitions.retain(|_, at| !K::is_zero(at));
    Control::Cut(Cut { offsets: Arc::new(offsets), ..cut })
}

/// What the claim checks across all tables, except for the sum of what is retired.
pub(crate) fn level_but_for_the_sum<K: SimKind>(claimed: &[Claimed<K>]) -> Result<(), Stop> {
    let mut order: Vec<&Claimed<K>> = claimed.iter().collect();
    order.sort_by_key(|c| c.standing.position());
    for pair in order.windows(2) {
        let (low, high) = (&pair[0].standing, &pair[1].standing);
        let further =
            |(id, at): (&_, &K::Mark)| high.offsets.partitions.get(id).is_some_and(|there| !at.precedes(there));
        let lineages = [pair[0], pair[1]].map(|c| &c.committer.origin().lineage);
        if low.offsets.partitions.iter().any(further) || lineages[0] != lineages[1] {
            return Err(Stop::Refused("two tables were not written by one pipeline".to_owned()));
        }
        if low.position() < high.since {
            return Err(Stop::Refused("the settings have changed since".to_owned()));
        }
    }
    Ok(())
}

/// A port that breaks one rule.
pub(crate) struct Sabotaged<K: SimKind> {
    inner: SimGroup<K>,
    rule: Rule,
    /// What this run believes the table holds, for the rules without which it does not see others.
    mine: Arc<Mutex<Option<Held>>>,
}

impl<K: SimKind> Sabotaged<K> {
    pub(crate) fn new(inner: SimGroup<K>, rule: Rule) -> Self {
        Sabotaged { inner, rule, mine: Arc::default() }
    }

    fn mine(&self) -> Option<Held> {
        *self.mine.lock().expect("one thread a world")
    }

    fn name_of(&self, name: OffsetsName) -> OffsetsName {
        match self.rule {
            Rule::Names => OffsetsName(Held { run: RunId(0), ..name.0 }),
            _ => name,
        }
    }
}

impl<K: SimKind> Group for Sabotaged<K> {
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
        Box::pin(async move {
            let state = self.inner.load().await?;
            let held = match (self.rule, self.mine()) {
                (Rule::Fence, Some(mine)) => Some(mine),
                // The others' claims moved no position, so this run does not see them.
                (Rule::Claim, Some(mine)) if state.held.is_some_and(|h| h.position == mine.position) => Some(mine),
                _ => state.held,
            };
            Ok(GroupState { held, ..state })
        })
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        Box::pin(async move {
            let created = self.inner.put(version, commit).await?;
            if created == Created::Void && self.rule == Rule::Discard {
                self.inner.discard(commit).await;
            }
            if created == Created::Yes {
                *self.mine.lock().expect("one thread a world") = Some(commit.held);
            }
            Ok(created)
        })
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>> {
        Box::pin(async move {
            let seen = self.inner.read(version).await?;
            let hidden = match self.rule {
                Rule::Fence => true,
                Rule::Known => seen.is_some_and(|seen| self.inner.was_called_void(&seen)),
                Rule::Claim => self.mine().is_some() && self.inner.is_claim(version),
                _ => false,
            };
            let id = |s: &CommitFacts| s.id.filter(|_| self.rule != Rule::Known || !hidden);
            Ok(seen.map(|s| CommitFacts { id: id(&s), ours: s.ours && !hidden, ..s }))
        })
    }

    fn recheck<'a>(&'a self, commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>> {
        match self.rule {
            Rule::Recheck => Box::pin(async { Ok(Verdict::Harmless) }),
            Rule::Conflict => self.inner.recheck(None),
            _ => self.inner.recheck(commit),
        }
    }

    fn discard<'a>(&'a self, commit: &'a Commit) -> Pending<'a, ()> {
        self.inner.discard(commit)
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        match self.rule {
            Rule::Adopt => Box::pin(async { Ok(0) }),
            _ => self.inner.rows(),
        }
    }
}

impl<K: SimKind> OffsetsStore for Sabotaged<K> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn shown(&self) -> String {
        self.inner.shown()
    }

    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        Box::pin(async move {
            if self.rule == Rule::Names {
                self.inner.delete_offsets(self.name_of(name)).await?;
            }
            self.inner.write_offsets(self.name_of(name), content).await
        })
    }

    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        self.inner.read_offsets(self.name_of(name))
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        self.inner.list_offsets()
    }

    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
        match self.rule {
            Rule::Overlap => Box::pin(async { Ok(Vec::new()) }),
            _ => self.inner.others(),
        }
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(async move {
            if self.rule == Rule::Tidy {
                let names = self.inner.list_offsets().await?;
                for old in names.iter().rev().skip(2) {
                    self.inner.delete_offsets(*old).await?;
                }
            }
            self.inner.delete_offsets(self.name_of(name)).await
        })
    }
}
