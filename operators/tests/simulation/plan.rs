//! The planning actor: opens and claims the groups, then feeds the planner and carries out its
//! steps.

use std::sync::Arc;

use lakefront_operators::error::Stop;
use lakefront_operators::protocol::cut::Control;
use lakefront_operators::protocol::cutter::{Bounds, Cutter, Decision};
use lakefront_operators::protocol::last_rows::Draw;
use lakefront_operators::protocol::standing::Standing;
use lakefront_operators::protocol::supply::{Boundary, Supply};

use crate::flow::Flow;
use crate::group::{MAIN, give_way};
use crate::kind::{Planner, SimKind};
use crate::run::Env;
use crate::saboteur::{Rule, without_zeros};
use crate::take::{open, take};
use crate::world::{TICK_MS, World};

pub(crate) async fn plan<K: SimKind>(env: Env<K>) -> Result<(), Stop> {
    let known = env.world().state[env.machine].filter(|_| env.pipeline == MAIN);
    give_way().await;
    open(&env).await?;
    let claimed = take(&env, known).await?;
    let standings: Vec<Standing<K>> = claimed.iter().map(|c| c.standing.clone()).collect();
    let (bounds, workers) = {
        let mut w = env.world();
        let bounds = Bounds {
            work: w.rng.between(1, 6),
            cut: w.rng.between(3, 15),
            cut_ms: w.rng.between(1, 20) * TICK_MS,
            ahead: if w.rng.chance(0.5) { w.rng.between(1, 12) } else { 1_000 },
        };
        (K::bounds(bounds), w.rng.between(1, 2) as usize)
    };
    env.say(|| {
        let at: Vec<_> = standings.iter().map(|s| s.position().0).collect();
        format!("has claimed run {}, tables stand at {at:?}, {bounds:?}", claimed[0].committer.run())
    });
    let supply = K::supply(&env, &standings)?;
    let mut planner = Cutter::over(supply, &standings, Arc::new(K::settings(env.routes)), bounds);
    let mut feed = K::feed(&env, &standings);
    {
        let groups: Vec<_> = env.world().groups.iter().map(|(role, _)| *role).collect();
        let mut flow = env.flow();
        flow.claim(&groups, &standings, Draw(env.tag));
        flow.time = Some(planner.time());
        flow.cut_ms = bounds.cut_ms;
        flow.start(&env, claimed, workers);
    }
    loop {
        K::look(&mut feed, &env, &mut planner).await?;
        if advance(&env, &mut planner, &feed)? {
            return Ok(());
        }
        give_way().await;
    }
}

/// An open cut must close in time, even if the time of day is set: once it is due and may close,
/// the planner may do nothing else.
fn watch_open_cut<K: SimKind>(w: &mut World<K>, flow: &mut Flow<K>, step: &Decision<K, K::Work>, may_close: bool) {
    let due = may_close && flow.opened_ms.is_some_and(|opened_ms| w.now_ms - opened_ms >= flow.cut_ms);
    match step {
        Decision::Tell(Control::Cut(_)) => flow.opened_ms = None,
        Decision::Work(_) | Decision::Wait(_) if due => w.violate("LATE: a cut that is due is not closed".into()),
        Decision::Work(_) => flow.opened_ms = flow.opened_ms.or(Some(w.now_ms)),
        _ => {}
    }
}

/// One round of the planner. Returns whether it is done.
fn advance<K: SimKind>(env: &Env<K>, planner: &mut Planner<K>, feed: &K::Feed) -> Result<bool, Stop> {
    let mut w = env.world();
    let mut flow = env.flow();
    if !K::has_looked(feed) && !flow.terminate {
        return Ok(false);
    }
    if flow.terminate || (!env.tail && planner.is_exhausted() && !K::looks_again(feed)) {
        planner.finish();
    }
    let boast = w.lacks(Rule::Level) || (w.lacks(Rule::Everywhere) && flow.fresh);
    planner.acknowledged(if boast { planner.position() } else { flow.acknowledged });
    let (credit, may_close) = (flow.work.len() < 3, planner.supply().boundary() != Boundary::MustNot);
    let step = planner.next(w.steady_ms(), credit);
    watch_open_cut(&mut w, &mut flow, &step, may_close);
    match step {
        Decision::Work(work) => {
            let time = planner.time();
            *flow.outstanding.entry(time).or_default() += 1;
            flow.fresh |= !K::is_catch_up(&work);
            if w.trace.is_some() {
                let kind = if K::is_catch_up(&work) { "catch-up " } else { "" };
                w.event(format!("run{} {kind}{} at {time}", env.tag, K::show(&work)));
            }
            flow.work.push((time, work));
        }
        Decision::Tell(control) => {
            if w.trace.is_some() {
                let text = match &control {
                    Control::Cut(cut) => format!("cut {}..{}, {}", cut.lower, cut.upper, K::brief(&cut.offsets)),
                    Control::Settle(at) => format!("settle {at}"),
                };
                w.event(format!("run{} {text}", env.tag));
            }
            if !(w.lacks(Rule::Settle) && matches!(control, Control::Settle(_))) {
                flow.tell(if w.lacks(Rule::Zero) { without_zeros(control) } else { control });
            }
        }
        Decision::Wait(_) => {}
        Decision::Done => {
            flow.time = None;
            flow.planned = true;
            return Ok(true);
        }
        Decision::Lost(lost) => return Err(lacking::<K>(&lost.what)),
    }
    flow.time = Some(planner.time());
    Ok(false)
}

/// The source does not have what a table lacks.
pub(crate) fn lacking<K: SimKind>(what: &str) -> Stop {
    Stop::Refused(format!("{} that a table lacks are gone: {what}", K::UNIT))
}
