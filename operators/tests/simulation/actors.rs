//! The operators of a run after `plan`, as actors: each `worker` turns work into rows and stages
//! them, one `commit` per group lands them, `checkpoint` writes the state file, `acknowledge` tells
//! the source. Any of them can be dropped at any step.

use std::pin::Pin;

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::protocol::commit::{Committer, Landed};
use lakefront_operators::protocol::names::{GroupId, TableId};
use lakefront_operators::protocol::staged::{Counted, Staged};
use lakefront_operators::protocol::standing::Standing;

use crate::group::{MAIN, give_way};
use crate::kind::SimKind;
use crate::run::Env;
use crate::saboteur::Rule;
use crate::world::Target;

pub(crate) type Actor = Pin<Box<dyn Future<Output = Result<(), Stop>> + Send>>;

pub(crate) async fn worker<K: SimKind>(env: Env<K>) -> Result<(), Stop> {
    loop {
        let mut taken = None;
        {
            let (mut w, mut flow) = (env.world(), env.flow());
            if !flow.work.is_empty() {
                let at = w.rng.below(flow.work.len());
                taken = Some(flow.work.swap_remove(at));
            } else if flow.planned {
                return Ok(());
            }
        }
        if let Some((time, work)) = taken {
            K::stage(&env, time, work).await?;
            let mut flow = env.flow();
            let left = flow.outstanding.get_mut(&time).expect("it was handed out");
            *left -= 1;
            if *left == 0 {
                flow.outstanding.remove(&time);
            }
        }
        give_way().await;
    }
}

pub(crate) async fn commit<K: SimKind>(env: Env<K>, g: usize, mut committer: Committer<K>) -> Result<(), Stop> {
    loop {
        let (mut job, quiet) = {
            let mut flow = env.flow();
            let (frontier, quiet) = (flow.frontier(), flow.is_quiet());
            let job = flow.queues[g].next(|lower| frontier.is_none_or(|f| lower < f))?;
            // Empty cuts: nothing is left to commit below the frontier, though the transaction
            // stands lower.
            if job.is_none()
                && let Some(f) = frontier
            {
                flow.drained[g] = flow.drained[g].max(f);
            }
            (job, quiet)
        };
        if let Some(job) = &mut job {
            let first = committer.members().tables().next().expect("a group has tables");
            renumber(env.world().first_table(g), first, &mut job.files, &mut job.sums);
        }
        if let Some(job) = job {
            if let Landed::As(_) = committer.land(&job.standing(), job.files, &job.sums).await? {
                let mut flow = env.flow();
                if let Some(standing) = flow.ledger.moved(GroupId(g), job.cut.upper) {
                    flow.held_by_all = Some(standing);
                }
            }
        } else if let Some(standing) = landed_nothing(&env, &committer) {
            committer.land(&standing, Vec::new(), &[]).await?;
        } else if quiet {
            env.flow().committing -= 1;
            return Ok(());
        } else if env.world().rng.chance(0.05) {
            match committer.look().await {
                // The next look may succeed.
                Ok(()) | Err(Stop::Store(_)) => {}
                Err(stop) => return Err(stop),
            }
        }
        give_way().await;
    }
}

/// The end of the cuts that the group has passed and that have landed nothing in it, to be settled
/// without the rule.
fn landed_nothing<K: SimKind>(env: &Env<K>, committer: &Committer<K>) -> Option<Standing<K>> {
    if !env.world().lacks(Rule::Void) {
        return None;
    }
    env.flow().drained_by_all().filter(|standing| standing.position() > committer.position())
}

/// Without some rules each group is claimed by itself, which then numbers its tables from zero.
fn renumber(from: TableId, to: TableId, files: &mut [Staged], sums: &mut [Counted]) {
    let tables = files.iter_mut().map(|staged| &mut staged.table).chain(sums.iter_mut().map(|sum| &mut sum.table));
    tables.for_each(|table| table.0 = table.0 - from.0 + to.0);
}

pub(crate) async fn checkpoint<K: SimKind>(env: Env<K>) -> Result<(), Stop> {
    let mut recorded = env.flow().acknowledged;
    loop {
        let (held, last) = {
            let mut flow = env.flow();
            (flow.held_by_all.take(), flow.committing == 0)
        };
        let standing = match env.world().lacks(Rule::Durable) {
            true => further(held, env.flow().drained_by_all()).filter(|standing| standing.position() > recorded),
            false => held,
        };
        if let Some(standing) = standing {
            recorded = standing.position();
            // The twin would have its own state file.
            if env.pipeline == MAIN {
                env.world().record(env.machine, recorded);
            }
            env.say(|| format!("state file {recorded}"));
            env.flow().recorded = boast(&env, standing);
        }
        if last {
            env.flow().checkpointing = false;
            return Ok(());
        }
        give_way().await;
    }
}

/// What the source is told once `standing` is recorded: that, unless the rule is taken away.
fn boast<K: SimKind>(env: &Env<K>, standing: Standing<K>) -> Option<Standing<K>> {
    let (w, flow) = (env.world(), env.flow());
    match (w.lacks(Rule::Acknowledge), K::FORGETS) {
        (false, _) => Some(standing),
        (true, false) => further(Some(standing), flow.drained_by_all()),
        (true, true) => further(Some(standing), flow.cut_last()),
    }
}

fn further<K: SimKind>(one: Option<Standing<K>>, other: Option<Standing<K>>) -> Option<Standing<K>> {
    one.into_iter().chain(other).max_by_key(Standing::position)
}

/// A crash may have come between a commit and its acknowledgement, so the first one repeats where
/// the groups stood.
pub(crate) async fn acknowledge<K: SimKind>(env: Env<K>) -> Result<(), Stop> {
    let mut next = env.flow().lowest().filter(|_| !env.world().lacks(Rule::Repeat));
    // A source that hands out nothing before it is told would never be told too much otherwise.
    let hears_early = K::IS_ONLY_COPY && env.world().lacks(Rule::Acknowledge);
    loop {
        let (standing, last) = {
            let mut flow = env.flow();
            let early = if hears_early { flow.cut_last() } else { None };
            let early = early.filter(|cut| cut.position() > flow.acknowledged);
            (next.take().or_else(|| flow.recorded.take()).or(early), !flow.checkpointing)
        };
        if let Some(standing) = standing {
            while tell(&env, &standing).await.is_err() {}
            let mut flow = env.flow();
            flow.acknowledged = flow.acknowledged.max(standing.position());
        } else if last {
            return Ok(());
        }
        give_way().await;
    }
}

/// One attempt to tell the source. It fails, its reply is lost, or it hangs for a while. Where the
/// source forgets, it may arrive late, even after its run has died.
async fn tell<K: SimKind>(env: &Env<K>, standing: &Standing<K>) -> Result<(), StoreError> {
    give_way().await;
    if K::FORGETS && !env.world().calm && env.world().rng.chance(0.02) {
        let turns = env.world().rng.between(10, 300);
        for _ in 0..turns {
            give_way().await;
        }
    }
    let mut w = env.world();
    let fault = if w.calm { 1.0 } else { w.rng.unit() };
    if fault > 0.1 {
        w.acknowledge((env.pipeline, env.tag), standing);
    } else if K::FORGETS && fault > 0.04 {
        let (teller, standing) = ((env.pipeline, env.tag), standing.clone());
        let what = format!("run{} acknowledges {}", env.tag, standing.position());
        w.delay(Target::Source, what, move |w| w.acknowledge(teller, &standing));
    }
    if fault > 0.15 { Ok(()) } else { Err(StoreError::transient("acknowledge", "no answer")) }
}
