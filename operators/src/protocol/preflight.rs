//! Finds what a claim would be refused for before anything is written, so that a start that fails
//! leaves no commit behind.

use std::sync::Arc;

use crate::error::Stop;
use crate::position::Position;
use crate::protocol::clock::Clock;
use crate::protocol::document::{Origin, Recorded};
use crate::protocol::group::{Group, GroupState};
use crate::protocol::intent::Intent;
use crate::protocol::kind::Kind;
use crate::protocol::names::{Held, RunId};
use crate::protocol::neighbours::{refuse_overlap, refuse_strangers};
use crate::protocol::offsets_files::OffsetsFiles;
use crate::protocol::refusals;
use crate::protocol::retry::{Retry, ask};
use crate::protocol::standing::Standing;

/// How often groups are looked at while others move them, before an inconsistency counts.
const LOOKS: u32 = 8;

/// What was found before the claim.
#[derive(Default)]
pub(super) struct Survey {
    /// The highest run that has left a trace.
    pub(super) run: RunId,
    /// The furthest of the groups that stand beyond zero.
    pub(super) furthest: Option<(Position, String)>,
}

/// A group that has a position.
pub(super) struct Positioned<'a, K: Kind> {
    /// Its place in claim order.
    pub(super) index: usize,
    pub(super) shown: String,
    pub(super) standing: &'a Standing<K>,
    pub(super) origin: &'a Origin,
}

/// What happens to groups that may be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They go on where they stand.
    GoOn,
    /// Nothing has landed in any, and some were claimed for another source, role or lineage: those
    /// begin anew.
    BeginAnew,
}

/// Refuses what [`claim`](super::claim::claim) would refuse, and writes nothing. A group that does
/// not exist yet is `None`.
pub async fn preflight<K: Kind>(
    groups: &[Option<Arc<dyn Group>>],
    clock: &dyn Clock,
    intent: &Intent<'_, K>,
) -> Result<(), Stop> {
    let there: Vec<_> =
        groups.iter().enumerate().filter_map(|(index, group)| Some((index, group.as_deref()?))).collect();
    survey(&there, clock, intent).await.map(drop)
}

/// Looks at the groups, with their places in claim order, and refuses what must be refused.
pub(super) async fn survey<K: Kind>(
    groups: &[(usize, &dyn Group)],
    clock: &dyn Clock,
    intent: &Intent<'_, K>,
) -> Result<Survey, Stop> {
    let mut looks = 0;
    loop {
        let mut seen = Vec::new();
        let done = look_around(groups, clock, intent, &mut seen).await;
        looks += 1;
        if !matches!(done, Err(Stop::Refused(_))) || looks == LOOKS {
            return done;
        }
        // If a live run moved a group during the look, the combination that was refused may never
        // have existed.
        let mut moved = false;
        for ((_, group), seen) in groups.iter().zip(seen) {
            moved |= ask(clock, || group.load()).await?.held != seen;
        }
        if !moved {
            return done;
        }
    }
}

async fn look_around<K: Kind>(
    groups: &[(usize, &dyn Group)],
    clock: &dyn Clock,
    intent: &Intent<'_, K>,
    seen: &mut Vec<Option<Held>>,
) -> Result<Survey, Stop> {
    let (mut survey, mut found, mut lacking) = (Survey::default(), Vec::new(), Vec::new());
    for (index, group) in groups.iter().copied() {
        refuse_overlap(group, clock, intent.reading).await?;
        // A run that died during its claim has left only a file; after a restore, its number would
        // be given out again.
        let names = ask(clock, || group.list_offsets()).await?;
        survey.run = names.iter().map(|name| name.0.run).fold(survey.run, RunId::max);
        let (state, recorded) = look(group, clock).await?;
        seen.push(state.held);
        if let Some(held) = state.held {
            survey.run = survey.run.max(held.run);
            let beyond = held.position > Position(0);
            survey.furthest = survey.furthest.max(beyond.then(|| (held.position, group.shown())));
        }
        match recorded {
            Some(recorded) => found.push((index, group.shown(), recorded)),
            None => lacking.push((index, group)),
        }
    }
    let role = |index: usize| &*intent.layout.groups()[index].role;
    let furthest = found.iter().map(|(_, _, recorded)| &recorded.standing).max_by_key(|standing| standing.position());
    let furthest = furthest.cloned();
    found.retain(|(index, _, recorded)| !joins(recorded, furthest.as_ref(), role(*index)));
    let is_known = |index: usize| furthest.as_ref().is_none_or(|standing| K::has_role(&standing.settings, role(index)));
    let places: Vec<Positioned<'_, K>> = found
        .iter()
        .map(|(index, shown, Recorded { origin, standing, .. })| Positioned {
            index: *index,
            shown: shown.clone(),
            standing,
            origin,
        })
        .collect();
    judge(&places, intent)?;
    for (index, shown, recorded) in found.iter().filter(|_| !K::TABLES_MAY_LEAVE) {
        refuse_odd(recorded, intent.layout.groups()[*index].roles(), shown)?;
    }
    let landed = places.iter().any(|place| place.standing.position() != place.origin.genesis);
    if let (Some((index, group)), Some((_, other))) =
        (lacking.into_iter().find(|(index, _)| is_known(*index)), &survey.furthest)
        && (index == 0 || landed)
    {
        return Err(refusals::no_position(&group.shown(), intent.pipeline, other));
    }
    if !intent.adopt {
        for (_, group) in groups.iter().filter(|(index, _)| places.iter().all(|place| place.index != *index)) {
            refuse_strangers::<K>(*group, clock).await?;
        }
    }
    Ok(survey)
}

/// Whether a group is new to the others, the `furthest` of which stands there: it was claimed once,
/// and nothing has landed in it since, nor did the others' settings come to know its role.
pub(super) fn joins<K: Kind>(recorded: &Recorded<K>, furthest: Option<&Standing<K>>, role: &str) -> bool {
    let Recorded { origin, standing, .. } = recorded;
    let is_new = |furthest: &Standing<K>| !K::has_role(&furthest.settings, role);
    standing.position() == origin.genesis && furthest.is_some_and(is_new)
}

/// Where the group stands now, and what is recorded there.
pub(super) async fn look<K: Kind>(
    group: &dyn Group,
    clock: &dyn Clock,
) -> Result<(GroupState, Option<Recorded<K>>), Stop> {
    let mut retry = Retry::default();
    loop {
        let state = ask(clock, || group.load()).await?;
        let Some(held) = state.held else { return Ok((state, None)) };
        match OffsetsFiles::read(group, held).await {
            Ok(recorded) => return Ok((state, Some(recorded))),
            Err(Stop::Store(error)) => retry.after(error, clock).await?,
            // The previous run is still alive: it has committed since, and deleted the file of the
            // earlier position.
            Err(_) if ask(clock, || group.load()).await?.held != state.held => {}
            Err(stop) => return Err(stop),
        }
    }
}

/// Refuses a group with rows of a table that is none of `roles`: no proof would count them.
pub fn refuse_odd<'r, K: Kind>(
    recorded: &Recorded<K>,
    roles: impl Iterator<Item = &'r str>,
    shown: &str,
) -> Result<(), Stop> {
    match recorded.account.odd(roles) {
        None => Ok(()),
        Some(odd) => Err(Stop::Refused(format!(
            "{shown}: its offsets file is damaged: it counts rows of {odd:?}, which is none of the group's tables; \
             restore it from a backup"
        ))),
    }
}

/// What happens to the groups that have a position; the error says why they cannot be claimed.
pub(super) fn judge<K: Kind>(places: &[Positioned<'_, K>], intent: &Intent<'_, K>) -> Result<Verdict, Stop> {
    let is_of_one_life = |place: &Positioned<'_, K>| place.origin.lineage == places[0].origin.lineage;
    let odd: Vec<_> = places.iter().filter(|p| check(p, intent).is_err() || !is_of_one_life(p)).collect();
    let landed = places.iter().any(|place| place.standing.position() != place.origin.genesis);
    if !odd.is_empty() && !landed && odd.iter().all(|place| place.standing.position() == Position(0)) {
        refuse_ahead(places, intent)?;
        return Ok(Verdict::BeginAnew);
    }
    places.iter().try_for_each(|place| check(place, intent))?;
    level(places)?;
    refuse_ahead(places, intent)?;
    Ok(Verdict::GoOn)
}

/// A group belongs to one source and one role, once something has landed.
pub(super) fn check<K: Kind>(place: &Positioned<'_, K>, intent: &Intent<'_, K>) -> Result<(), Stop> {
    let Positioned { index, shown, origin, .. } = place;
    if let Err(hint) = intent.reading.continues(origin) {
        return Err(Stop::Refused(format!(
            "{shown} holds what pipeline {:?} read from {}, but source.url is {}: set it back (a glob over the same folder \
             may change), move a folder that was moved back, or give the new source a pipeline name of its own{hint}",
            origin.pipeline,
            origin.source,
            intent.reading.source()
        )));
    }
    let role = &intent.layout.groups()[*index].role;
    if origin.role != *role {
        return Err(Stop::Refused(format!(
            "{shown} is the pipeline's table for {:?}, but [tables] makes it the one for {role:?}: set it back",
            origin.role
        )));
    }
    Ok(())
}

/// Refuses groups that are not on one sequence of cuts, where positions order the offsets.
fn level<K: Kind>(places: &[Positioned<'_, K>]) -> Result<(), Stop> {
    let mut order: Vec<&Positioned<'_, K>> = places.iter().collect();
    order.sort_by_key(|place| place.standing.position());
    for pair in order.windows(2) {
        let (low, high) = (pair[0].standing, pair[1].standing);
        if !low.offsets.precede(&high.offsets) || pair[0].origin.lineage != pair[1].origin.lineage {
            return Err(Stop::Refused(format!(
                "{} and {} were not written by one pipeline: the offsets of one do not lead to the other's; \
                 restore both from the same backup, or start over with a new pipeline name and new tables",
                pair[0].shown, pair[1].shown
            )));
        }
        if low.position() < high.since {
            return Err(Stop::Refused(format!(
                "{} was restored to position {}, but the settings have changed since, at {}: it can only be caught \
                 up with the settings of that time; restore a newer backup, or all tables to one before the change",
                pair[0].shown,
                low.position(),
                high.since
            )));
        }
    }
    Ok(())
}

/// Refuses groups below the position in the state file, because that position was durable once.
fn refuse_ahead<K: Kind>(places: &[Positioned<'_, K>], intent: &Intent<'_, K>) -> Result<(), Stop> {
    let lowest = places.iter().min_by_key(|place| place.standing.position());
    match (intent.known, lowest) {
        (Some(known), Some(lowest)) if known > lowest.standing.position() => Err(Stop::Refused(format!(
            "the state file says position {known}, but {} stands at {}: it was restored or deleted; \
             restore the newer table, or delete the state file to land again what the table lacks",
            lowest.shown,
            lowest.standing.position()
        ))),
        _ => Ok(()),
    }
}
