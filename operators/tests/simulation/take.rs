//! How a run gets its groups: it opens them as a sink does, and claims them.

use std::sync::Arc;

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::claim::{Claimed, claim};
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::intent::Intent;
use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::protocol::offsets::Offsets;

use crate::group::{MAIN, PIPELINES, SimClock, SimGroup, TWIN, give_way};
use crate::kind::SimKind;
use crate::lake::Lake;
use crate::run::Env;
use crate::saboteur::{Rule, Sabotaged, level_but_for_the_sum};

/// Opens the groups as a sink does: creates missing tables, refuses those that do not fit.
pub(crate) async fn open<K: SimKind>(env: &Env<K>) -> Result<(), Stop> {
    let groups = env.world().groups.len();
    for g in 0..groups {
        {
            let mut w = env.world();
            if !w.lakes[g].exists {
                w.create(g);
            }
            if !w.lakes[g].fits {
                return Err(StoreError::definite("open", "the schema does not fit").into());
            }
        }
        give_way().await;
    }
    Ok(())
}

fn port<K: SimKind>(env: &Env<K>, g: usize) -> Arc<dyn Group> {
    let name = env.world().name(g);
    let group = SimGroup { world: env.world.clone(), name, g, tag: env.tag, pipeline: env.pipeline };
    match env.world().without {
        Some(rule) => Arc::new(Sabotaged::new(group, rule)),
        None => Arc::new(group),
    }
}

/// The name of the source that the run is given.
fn source_of<K: SimKind>(env: &Env<K>) -> &'static str {
    match (env.pipeline, env.typo) {
        (TWIN, _) => K::SOURCE[1],
        (_, true) => K::TYPO,
        _ => K::SOURCE[0],
    }
}

pub(crate) async fn take<K: SimKind>(env: &Env<K>, known: Option<Position>) -> Result<Vec<Claimed<K>>, Stop> {
    let layout = env.world().layout.clone();
    let groups: Vec<Arc<dyn Group>> = (0..layout.groups().len()).map(|g| port(env, g)).collect();
    let clock = Arc::new(SimClock(env.world.clone()));
    let cold_start = || -> Pending<'_, Result<Offsets<K>, Stop>> { K::cold_start(env) };
    let settings = Arc::new(K::settings(env.routes));
    if env.world().lacks(Rule::GivesWay) {
        refuse_another_source(env)?;
    }
    let reading = K::reading(source_of(env));
    let intent = |layout| Intent {
        pipeline: PIPELINES[env.pipeline],
        reading: &*reading,
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
        return claim(&groups, clock, &intent(&layout)).await;
    }
    let mut claimed = Vec::new();
    let each = env.world().groups.iter().map(|(role, tables)| Layout::together(role, tables));
    let layouts: Vec<_> = each.collect();
    let intents: Vec<_> = layouts.iter().map(intent).collect();
    for (g, intent) in intents.iter().enumerate() {
        claimed.extend(claim(&groups[g..=g], clock.clone(), intent).await?);
    }
    if env.world().lacks(Rule::Sum) {
        level_but_for_the_sum(&claimed)?;
    }
    Ok(claimed)
}

/// Without the rule, a group belongs to the source of its first claim for good.
fn refuse_another_source<K: SimKind>(env: &Env<K>) -> Result<(), Stop> {
    let (w, name) = (env.world(), source_of(env));
    let other = |held, lake: &Lake<K>| lake.document(held)["source"] != name;
    match env.pipeline == MAIN && w.lakes.iter().any(|lake| lake.held.is_some_and(|held| other(held, lake))) {
        true => Err(Stop::Refused(format!("a table holds what was read from elsewhere, but source.url is {name}"))),
        false => Ok(()),
    }
}
