//! A group's committer at work: one job after the other, and a look at the group when there is
//! none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use timely::dataflow::operators::Capability;

use super::{Committing, Moved};
use crate::error::{Stop, chain};
use crate::position::Position;
use crate::protocol::commit::{Committer, Landed};
use crate::protocol::kind::Kind;
use crate::protocol::names::{GroupId, TableId};
use crate::protocol::queue::{CommitQueue, Job};
use crate::run::bridge::Tasks;
use crate::run::clock::Stopwatch;
use crate::run::metrics::Metrics;

/// How often a run that has nothing to commit in a group checks whether another run has claimed it.
const LOOK: Duration = Duration::from_secs(10);

/// What commits a group, on its home worker.
pub(super) struct Home<K: Kind> {
    group: GroupId,
    pub(super) queue: CommitQueue<K>,
    /// `None` while it is at work.
    idle: Option<Committer<K>>,
    /// Up to where the group was reported drained.
    told: Position,
    rest: Rest,
    tasks: Tasks<Done<K>>,
    metrics: Arc<Metrics>,
}

/// What a committer has done.
pub(super) enum Did {
    /// It landed a job with these rows.
    Land(BTreeMap<TableId, u64>),
    /// Its job was void: the source hands the same work out again.
    Nothing,
    /// It checked its group.
    Look,
}

/// A committer that has come back, and what it has done.
pub(super) type Done<K> = (Committer<K>, Result<Did, Stop>);

impl<K: Kind> Home<K> {
    pub(super) fn new(
        group: GroupId,
        (committer, queue): Committing<K>,
        tasks: Tasks<Done<K>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let told = queue.drained();
        Home { group, queue, idle: Some(committer), told, rest: Rest::begin(), tasks, metrics }
    }

    /// Reports what is done, and begins what is next. `held` are the capabilities of the cuts that
    /// the group has yet to pass, and `complete(lower)` is whether all of a cut has arrived.
    pub(super) fn go_on(
        &mut self,
        held: &mut BTreeMap<Position, Capability<Position>>,
        complete: impl Fn(Position) -> bool,
        mut moved: impl FnMut(Moved, &Capability<Position>),
    ) -> Result<(), Stop> {
        while let Some((committer, done)) = self.tasks.next_done() {
            if let Did::Land(rows) = done? {
                let position = committer.position();
                self.told = self.told.max(position);
                let (_, capability) = held.first_key_value().expect("a cut under way is held");
                moved(Moved { group: self.group, position, drained: self.told, rows }, capability);
            }
            self.rest = Rest::begin();
            self.idle = Some(committer);
        }
        let Some(committer) = self.idle.take() else { return Ok(()) };
        let job = self.queue.next(&complete)?;
        if let Some((_, capability)) = held.first_key_value().filter(|_| self.queue.drained() > self.told) {
            self.told = self.queue.drained();
            self.metrics.drained(self.group, self.told);
            let (position, rows) = (committer.position(), BTreeMap::new());
            moved(Moved { group: self.group, position, drained: self.told, rows }, capability);
        }
        if let Some(job) = job {
            self.tasks.spawn(land(committer, job, self.group, self.metrics.clone()));
            return Ok(());
        }
        // Nothing is left to report below the first incomplete cut; empty cuts are settled by a
        // later record.
        let open = held.keys().find(|lower| !complete(**lower)).copied();
        *held = match open {
            Some(open) => held.split_off(&open),
            None => BTreeMap::new(),
        };
        match self.rest.is_over(|delay| self.tasks.wake_after(delay)) {
            true => self.tasks.spawn(look(committer, self.group, self.metrics.clone())),
            false => self.idle = Some(committer),
        }
        Ok(())
    }
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

/// Lands one job.
async fn land<K: Kind>(mut committer: Committer<K>, job: Job<K>, group: GroupId, metrics: Arc<Metrics>) -> Done<K> {
    let (standing, rows) = (job.standing(), job.rows());
    metrics.commit_begins(group);
    let watch = Stopwatch::start();
    let landed = committer.land(&standing, job.files, &job.sums).await;
    let did = landed.map(|landed| match landed {
        Landed::As(_) => {
            metrics.committed(group, &rows, committer.position(), watch.elapsed());
            Did::Land(rows)
        }
        Landed::Void => {
            metrics.commit_void(group);
            Did::Nothing
        }
    });
    (committer, did)
}

/// Checks the group of a run that has nothing to commit. A lake that does not answer does not end
/// the run, because the next look may succeed.
async fn look<K: Kind>(mut committer: Committer<K>, group: GroupId, metrics: Arc<Metrics>) -> Done<K> {
    let looked = match committer.look().await {
        Err(Stop::Store(error)) => {
            let text = chain(&error);
            tracing::warn!(table = committer.name(), error = text, "could not check whether another run took over");
            metrics.commit_failed(group, text);
            Ok(Did::Look)
        }
        looked => {
            metrics.looked(group);
            looked.map(|()| Did::Look)
        }
    };
    (committer, looked)
}
