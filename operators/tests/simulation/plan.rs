//! The planning actor: open, claim, then feed the planner and carry out what it says.

use std::sync::{Arc, Mutex};

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::offsets::{Offsets, PartitionId, PartitionOffset};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::claim::{Claimed, Intent, claim};
use lakefront_operators::protocol::cut::Control;
use lakefront_operators::protocol::document::Standing;
use lakefront_operators::protocol::generation::{Sighting, Verdict, judge};
use lakefront_operators::protocol::ledger::Ledger;
use lakefront_operators::protocol::planner::{Bounds, Limit, Planner, Step};
use lakefront_operators::protocol::queue::CommitQueue;
use lakefront_operators::protocol::table::{Pending, Table};

use crate::read::row_settings;
use crate::run::Env;
use crate::saboteur::{Rule, Sabotaged};
use crate::table::{NAMES, SimClock, SimTable, give_way};
use crate::world::{File, TICK_MS, World};

pub(crate) async fn plan(env: Env) -> Result<(), Stop> {
    let known = env.world().state[env.machine];
    give_way().await;
    open(&env).await?;
    let claimed = take(&env, known).await?;
    let standings: Vec<Standing> = claimed.iter().map(|c| c.standing.clone()).collect();
    let (bounds, workers) = {
        let mut w = env.world();
        let bounds = Bounds {
            chunk: w.rng.between(1, 6),
            cut_bytes: w.rng.between(3, 15),
            cut_ms: w.rng.between(1, 20) * TICK_MS,
            ahead: if w.rng.chance(0.5) { w.rng.between(1, 12) } else { 1_000 },
        };
        (bounds, w.rng.between(1, 2) as usize)
    };
    env.say(|| {
        let at: Vec<_> = standings.iter().map(|s| s.position().0).collect();
        format!("has claimed run {}, tables stand at {at:?}, {bounds:?}", claimed[0].committer.run())
    });
    let mut planner = Planner::new(&standings, Arc::new(row_settings(env.routes)), bounds);
    let furthest = standings.iter().max_by_key(|s| s.position()).expect("three tables").offsets.clone();
    {
        let mut flow = env.flow();
        flow.claimed = standings.iter().map(Standing::position).collect();
        flow.drained = flow.claimed.clone();
        flow.queues = NAMES.iter().zip(&flow.claimed).map(|(n, p)| CommitQueue::new(*n, *p)).collect();
        flow.ledger = Ledger::new(&standings);
        flow.time = Some(planner.time());
        flow.start(&env, claimed.into_iter().map(|c| c.committer).collect(), workers);
    }
    let mut seen = false;
    while !advance(&env, &mut planner, &furthest, &mut seen)? {
        give_way().await;
    }
    Ok(())
}

/// As a sink does: a table that is not there is made, one that does not fit is refused.
async fn open(env: &Env) -> Result<(), Stop> {
    for t in 0..NAMES.len() {
        {
            let mut w = env.world();
            if !w.lakes[t].exists {
                w.create(t);
            }
            if !w.lakes[t].fits {
                return Err(StoreError::definite("open", "the schema does not fit").into());
            }
        }
        give_way().await;
    }
    Ok(())
}

fn port(env: &Env, t: usize) -> Arc<dyn Table> {
    let table = SimTable { world: env.world.clone(), t, tag: env.tag };
    match env.world().without {
        Some(rule) => Arc::new(Sabotaged::new(table, rule)),
        None => Arc::new(table),
    }
}

async fn take(env: &Env, known: Option<Position>) -> Result<Vec<Claimed>, Stop> {
    let world = env.world.clone();
    let tables: Vec<Arc<dyn Table>> = (0..NAMES.len()).map(|t| port(env, t)).collect();
    let clock = Arc::new(SimClock(env.world.clone()));
    let cold_start = || {
        let offsets = cold_start(&world);
        Box::pin(async move { Ok(offsets) }) as Pending<'_, Result<Offsets, Stop>>
    };
    let settings = Arc::new(row_settings(env.routes));
    let intent = |roles| Intent {
        pipeline: "sim",
        source: "file:sim",
        roles,
        settings: settings.clone(),
        known,
        cold_start: &cold_start,
    };
    let apart = {
        let w = env.world();
        w.lacks(Rule::Genesis) && w.lakes.iter().any(|l| l.held.is_none())
    };
    if !apart {
        let intent = intent(&NAMES[..]);
        return claim(&tables, clock, &intent).await;
    }
    let mut claimed = Vec::new();
    let intents: Vec<_> = (0..tables.len()).map(|t| intent(&NAMES[t..=t])).collect();
    for (t, intent) in intents.iter().enumerate() {
        claimed.extend(claim(&tables[t..=t], clock.clone(), intent).await?);
    }
    Ok(claimed)
}

fn cold_start(world: &Mutex<World>) -> Offsets {
    let w = world.lock().expect("one thread a world");
    if !w.latest {
        return Offsets::default();
    }
    let entry = |f: &File| {
        (
            PartitionId::first(&f.name),
            PartitionOffset { offset: f.newline(), identity: f.identity(), landed_tail: false },
        )
    };
    w.files.iter().map(entry).collect()
}

/// One round of the planner. True: it is done.
fn advance(env: &Env, planner: &mut Planner, furthest: &Offsets, seen: &mut bool) -> Result<bool, Stop> {
    let mut w = env.world();
    let mut flow = env.flow();
    if !*seen || (env.tail && w.rng.chance(0.5)) {
        // The tables' furthest offsets are what is known of the source until the planner has caught up with them.
        let consumed = if planner.position() < furthest.position() { furthest } else { planner.offsets() };
        let limits = w.files.iter().map(|f| limit(&w, f, consumed)).collect::<Result<Vec<_>, _>>()?;
        planner.limits(limits);
        *seen = true;
    }
    if flow.terminate || (!env.tail && planner.is_exhausted()) {
        planner.finish();
    }
    planner.durable(if w.lacks(Rule::Level) { planner.position() } else { flow.ledger.durable() });
    let credit = flow.chunks.len() < 3;
    let step = planner.next(w.now_ms, credit);
    match step {
        Step::Chunk(chunk) => {
            let time = planner.time();
            *flow.outstanding.entry(time).or_default() += 1;
            if w.trace.is_some() {
                let (id, s, e, l) = (&chunk.partition, chunk.start, chunk.end, chunk.limit);
                let kind = if chunk.catch_up { "catch-up " } else { "" };
                w.event(format!("run{} {kind}chunk {id} [{s},{e}) limit {l} at {time}", env.tag));
            }
            flow.chunks.push((time, chunk));
        }
        Step::Tell(control) => {
            if w.trace.is_some() {
                let text = match &control {
                    Control::Cut(cut) => format!("cut {}..{}", cut.lower, cut.upper),
                    Control::Settle(at) => format!("settle {at}"),
                };
                w.event(format!("run{} {text}", env.tag));
            }
            if !(w.lacks(Rule::Settle) && matches!(control, Control::Settle(_))) {
                flow.tell(control);
            }
        }
        Step::Wait(_) => {}
        Step::Done => {
            flow.time = None;
            flow.planned = true;
            return Ok(true);
        }
    }
    flow.time = Some(planner.time());
    Ok(false)
}

/// How far a file can be planned, after a look at whether it is still the same.
fn limit(w: &World, file: &File, consumed: &Offsets) -> Result<(PartitionId, Limit), Stop> {
    let end = if w.lacks(Rule::Newline) { file.seen } else { file.newline() };
    let limit = Limit { end, identity: file.identity(), landed_tail: false };
    let Some((id, at)) = consumed.newest(&file.name) else {
        return Ok((PartitionId::first(&file.name), limit));
    };
    let length = at.identity.fingerprint.length;
    let fingerprint = (file.seen >= length).then(|| file.fingerprint(length));
    let sighting = Sighting { length: file.seen, fingerprint };
    match judge(at, &sighting) {
        _ if w.lacks(Rule::Generation) => Ok((id.clone(), limit)),
        Verdict::Same => Ok((id.clone(), limit)),
        _ if w.restart => Ok((PartitionId { generation: id.generation + 1, ..id.clone() }, limit)),
        verdict => Err(Stop::Refused(format!("file {} was rewritten: {verdict:?}", file.name))),
    }
}
