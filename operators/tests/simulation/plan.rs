//! The planning actor: opens and claims the tables, then feeds the planner and carries out its
//! steps.

use std::sync::Arc;

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::lines::{Claimed, CommitQueue, Control, Intent, Ledger, Offsets, Standing};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::claim::claim;
use lakefront_operators::protocol::cutter::Bounds;
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::last_rows::{Draw, LastRows};
use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::source::files::reading::{File, Files};
use lakefront_operators::source::files::supply::{Planner, Step};
use lakefront_operators::source::files::watch;

use crate::feed::{Feed, brief};
use crate::read::row_settings;
use crate::run::{Env, Flow};
use crate::saboteur::{Rule, Sabotaged, level_but_for_the_sum, without_zeros};
use crate::source::SimSource;
use crate::table::{Lake, MAIN, NAMES, PIPELINES, SimClock, SimTable, TWIN, give_way};
use crate::world::{TICK_MS, World};

pub(crate) async fn plan(env: Env) -> Result<(), Stop> {
    let known = env.world().state[env.machine].filter(|_| env.pipeline == MAIN);
    give_way().await;
    open(&env).await?;
    let claimed = take(&env, known).await?;
    let standings: Vec<Standing> = claimed.iter().map(|c| c.standing.clone()).collect();
    let (bounds, workers) = {
        let mut w = env.world();
        let bounds = Bounds {
            work: w.rng.between(1, 6),
            cut: w.rng.between(3, 15),
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
    let mut feed = Feed::new(&env, &standings);
    {
        let mut flow = env.flow();
        flow.claimed = standings.iter().map(Standing::position).collect();
        flow.drained = flow.claimed.clone();
        flow.acknowledged = flow.claimed.iter().min().copied().unwrap_or_default();
        let last_rows = LastRows::known(&standings);
        flow.queues = NAMES
            .iter()
            .zip(&flow.claimed)
            .map(|(n, p)| CommitQueue::new(*n, *p, last_rows.clone(), Draw(env.tag)))
            .collect();
        flow.ledger = Ledger::new(&standings);
        flow.time = Some(planner.time());
        flow.cut_ms = bounds.cut_ms;
        flow.start(&env, claimed.into_iter().map(|c| c.committer).collect(), workers);
    }
    loop {
        feed.go_on(&env, &mut planner).await?;
        if advance(&env, &mut planner, &feed)? {
            return Ok(());
        }
        give_way().await;
    }
}

/// An open cut must close in time, even if the time of day is set: once it is due, the planner may
/// do nothing else.
fn watch_open_cut(w: &mut World, flow: &mut Flow, step: &Step) {
    let due = flow.opened_ms.is_some_and(|opened_ms| w.now_ms - opened_ms >= flow.cut_ms);
    match step {
        Step::Tell(Control::Cut(_)) => flow.opened_ms = None,
        Step::Work(_) | Step::Wait(_) if due => w.violate("LATE: a cut that is due is not closed".into()),
        Step::Work(_) => flow.opened_ms = flow.opened_ms.or(Some(w.now_ms)),
        _ => {}
    }
}

/// Opens the tables as a sink does: creates a missing one, refuses one that does not fit.
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

fn port(env: &Env, t: usize) -> Arc<dyn Group> {
    let table = SimTable { world: env.world.clone(), t, tag: env.tag, pipeline: env.pipeline };
    match env.world().without {
        Some(rule) => Arc::new(Sabotaged::new(table, rule)),
        None => Arc::new(table),
    }
}

async fn take(env: &Env, known: Option<Position>) -> Result<Vec<Claimed>, Stop> {
    let source = Arc::new(SimSource::new(env.world.clone(), env.typo));
    let latest = env.world().latest;
    let tables: Vec<Arc<dyn Group>> = (0..NAMES.len()).map(|t| port(env, t)).collect();
    let clock = Arc::new(SimClock(env.world.clone()));
    let cold_start = || -> Pending<'_, Result<Offsets, Stop>> {
        match latest {
            true => Box::pin(watch::latest(source.clone())),
            false => Box::pin(async { Ok(Offsets::default()) }),
        }
    };
    let settings = Arc::new(row_settings(env.routes));
    let name = match (env.pipeline, env.typo) {
        (TWIN, _) => "file:sim/**",
        (_, true) => "file:smi",
        _ => "file:sim",
    };
    if env.world().lacks(Rule::GivesWay) {
        refuse_another_source(env, name)?;
    }
    let none = || -> Pending<'_, Result<Vec<File>, Stop>> { Box::pin(async { Ok(Vec::new()) }) };
    let reading = Files::new(name, if env.typo { name } else { "file:sim" }, &none);
    let intent = |layout| Intent {
        pipeline: PIPELINES[env.pipeline],
        reading: &reading,
        adopt: env.adopt,
        layout,
        settings: settings.clone(),
        known,
        process: None,
        cold_start: &cold_start,
    };
    let apart = {
        let w = env.world();
        let begun = w.lakes.iter().all(|l| l.held.is_some());
        (w.lacks(Rule::Genesis) && !begun) || (w.lacks(Rule::Sum) && begun)
    };
    if !apart {
        let layout = Layout::each(&NAMES);
        let intent = intent(&layout);
        return claim(&tables, clock, &intent).await;
    }
    let mut claimed = Vec::new();
    let layouts: Vec<_> = NAMES.iter().map(|name| Layout::each(&[name])).collect();
    let intents: Vec<_> = layouts.iter().map(intent).collect();
    for (t, intent) in intents.iter().enumerate() {
        claimed.extend(claim(&tables[t..=t], clock.clone(), intent).await?);
    }
    if env.world().lacks(Rule::Sum) {
        level_but_for_the_sum(&claimed)?;
    }
    Ok(claimed)
}

/// Without the rule, a table belongs to the source of its first claim for good.
fn refuse_another_source(env: &Env, name: &str) -> Result<(), Stop> {
    let w = env.world();
    let other = |held, lake: &Lake| lake.document(held)["source"] != name;
    match env.pipeline == MAIN && w.lakes.iter().any(|lake| lake.held.is_some_and(|held| other(held, lake))) {
        true => Err(Stop::Refused(format!("a table holds what was read from elsewhere, but source.url is {name}"))),
        false => Ok(()),
    }
}

/// One round of the planner. Returns whether it is done.
fn advance(env: &Env, planner: &mut Planner, feed: &Feed) -> Result<bool, Stop> {
    let mut w = env.world();
    let mut flow = env.flow();
    if !feed.polled && !flow.terminate {
        return Ok(false);
    }
    if flow.terminate || (!env.tail && planner.is_exhausted()) {
        planner.finish();
    }
    let boast = w.lacks(Rule::Level) || (w.lacks(Rule::Everywhere) && flow.fresh);
    planner.durable(if boast { planner.position() } else { flow.acknowledged });
    let credit = flow.chunks.len() < 3;
    let step = planner.next(w.steady_ms(), credit);
    watch_open_cut(&mut w, &mut flow, &step);
    match step {
        Step::Work(chunk) => {
            let time = planner.time();
            *flow.outstanding.entry(time).or_default() += 1;
            flow.fresh |= !chunk.catch_up;
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
                    Control::Cut(cut) => format!("cut {}..{}, {}", cut.lower, cut.upper, brief(&cut.offsets)),
                    Control::Settle(at) => format!("settle {at}"),
                };
                w.event(format!("run{} {text}", env.tag));
            }
            if !(w.lacks(Rule::Settle) && matches!(control, Control::Settle(_))) {
                flow.tell(if w.lacks(Rule::Zero) { without_zeros(control) } else { control });
            }
        }
        Step::Wait(_) => {}
        Step::Done => {
            flow.time = None;
            flow.planned = true;
            return Ok(true);
        }
        Step::Lost(lost) => return Err(Stop::Refused(format!("bytes that a table lacks are gone: {}", lost.0))),
    }
    flow.time = Some(planner.time());
    Ok(false)
}
