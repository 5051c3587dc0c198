//! Finds what a claim would be refused for before anything is written, so that a start that fails
//! leaves no commit behind.

use std::sync::Arc;

use crate::error::Stop;
use crate::position::Position;
use crate::protocol::claim::Intent;
use crate::protocol::commit::{Retry, ask};
use crate::protocol::document::{OffsetsFiles, Origin, Recorded, Standing};
use crate::protocol::kind::Kind;
use crate::protocol::neighbours::{refuse_overlap, refuse_strangers};
use crate::protocol::table::{Clock, Held, RunId, Table, TableState};

/// How often tables are looked at while others move them, before an inconsistency counts.
const LOOKS: u32 = 8;

/// What was found before the claim.
#[derive(Default)]
pub(super) struct Survey<'a> {
    /// The highest run that has left a trace.
    pub(super) run: RunId,
    /// The furthest of the tables that stand beyond zero.
    pub(super) furthest: Option<(Position, &'a str)>,
}

/// A table that has a position.
pub(super) struct Place<'a, K: Kind> {
    /// Its place in claim order.
    pub(super) index: usize,
    pub(super) name: &'a str,
    pub(super) standing: &'a Standing<K>,
    pub(super) origin: &'a Origin,
}

/// What happens to tables that may be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They go on where they stand.
    GoOn,
    /// Nothing has landed in any, and some were claimed for another source, role or lineage: those
    /// begin anew.
    BeginAnew,
}

/// Refuses what [`claim`](super::claim::claim) would refuse, and writes nothing. A table that does
/// not exist yet is `None`.
pub async fn preflight<K: Kind>(
    tables: &[Option<Arc<dyn Table>>],
    clock: &dyn Clock,
    intent: &Intent<'_, K>,
) -> Result<(), Stop> {
    let there: Vec<_> =
        tables.iter().enumerate().filter_map(|(index, table)| Some((index, table.as_deref()?))).collect();
    survey(&there, clock, intent).await.map(drop)
}

/// Looks at the tables, with their places in claim order, and refuses what must be refused.
pub(super) async fn survey<'a, K: Kind>(
    tables: &[(usize, &'a dyn Table)],
    clock: &dyn Clock,
    intent: &Intent<'_, K>,
) -> Result<Survey<'a>, Stop> {
    let mut looks = 0;
    loop {
        let mut seen = Vec::new();
        let done = look_around(tables, clock, intent, &mut seen).await;
        looks += 1;
        if !matches!(done, Err(Stop::Refused(_))) || looks == LOOKS {
            return done;
        }
        // If a live run moved a table during the look, the combination that was refused may never
        // have existed.
        let mut moved = false;
        for ((_, table), seen) in tables.iter().zip(seen) {
            moved |= ask(clock, || table.load()).await?.held != seen;
        }
        if !moved {
            return done;
        }
    }
}

async fn look_around<'a, K: Kind>(
    tables: &[(usize, &'a dyn Table)],
    clock: &dyn Clock,
    intent: &Intent<'_, K>,
    seen: &mut Vec<Option<Held>>,
) -> Result<Survey<'a>, Stop> {
    let (mut survey, mut found, mut lacking) = (Survey::default(), Vec::new(), None);
    for (index, table) in tables.iter().copied() {
        refuse_overlap(table, clock, intent.reading).await?;
        // A run that died during its claim has left only a file; after a restore, its number would
        // be given out again.
        let names = ask(clock, || table.list_offsets()).await?;
        survey.run = names.iter().map(|name| name.0.run).fold(survey.run, RunId::max);
        let (state, recorded) = look(table, clock).await?;
        seen.push(state.held);
        if let Some(held) = state.held {
            survey.run = survey.run.max(held.run);
            let beyond = held.position > Position(0);
            survey.furthest = survey.furthest.max(beyond.then_some((held.position, table.name())));
        }
        match recorded {
            Some(recorded) => found.push((index, table.name(), recorded)),
            None => {
                lacking = lacking.or(Some((index, table)));
            }
        }
    }
    let places: Vec<Place<'_, K>> = found
        .iter()
        .map(|(index, name, Recorded { origin, standing, .. })| Place { index: *index, name, standing, origin })
        .collect();
    judge(&places, intent)?;
    let landed = places.iter().any(|place| place.standing.position() != place.origin.genesis);
    if let (Some((index, table)), Some((_, other))) = (lacking, survey.furthest)
        && (index == 0 || landed)
    {
        return Err(Stop::no_position(table.name(), intent.pipeline, other));
    }
    if !intent.adopt {
        for (_, table) in tables.iter().filter(|(index, _)| places.iter().all(|place| place.index != *index)) {
            refuse_strangers::<K>(*table, clock).await?;
        }
    }
    Ok(survey)
}

/// Where the table stands now, and what is recorded there.
pub(super) async fn look<K: Kind>(
    table: &dyn Table,
    clock: &dyn Clock,
) -> Result<(TableState, Option<Recorded<K>>), Stop> {
    let mut retry = Retry::default();
    loop {
        let state = ask(clock, || table.load()).await?;
        let Some(held) = state.held else { return Ok((state, None)) };
        match OffsetsFiles::read(table, held).await {
            Ok(recorded) => return Ok((state, Some(recorded))),
            Err(Stop::Store(error)) => retry.after(error, clock).await?,
            // The previous run is still alive: it has committed since, and deleted the file of the
            // earlier position.
            Err(_) if ask(clock, || table.load()).await?.held != state.held => {}
            Err(stop) => return Err(stop),
        }
    }
}

/// What happens to the tables that have a position; the error says why they cannot be claimed.
pub(super) fn judge<K: Kind>(places: &[Place<'_, K>], intent: &Intent<'_, K>) -> Result<Verdict, Stop> {
    let is_of_one_life = |place: &Place<'_, K>| place.origin.lineage == places[0].origin.lineage;
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

/// A table belongs to one source and one role, once something has landed.
pub(super) fn check<K: Kind>(place: &Place<'_, K>, intent: &Intent<'_, K>) -> Result<(), Stop> {
    let Place { index, name, origin, .. } = place;
    if let Err(hint) = intent.reading.continues(origin) {
        return Err(Stop::Refused(format!(
            "table {name:?} holds what pipeline {:?} read from {}, but source.url is {}: set it back (a glob over the same folder \
             may change), move a folder that was moved back, or give the new source a pipeline name of its own{hint}",
            origin.pipeline,
            origin.source,
            intent.reading.source()
        )));
    }
    let role = intent.roles[*index];
    if origin.role != role {
        return Err(Stop::Refused(format!(
            "table {name:?} is the pipeline's table for {:?}, but [tables] makes it the one for {role:?}: set it back",
            origin.role
        )));
    }
    Ok(())
}

/// Refuses tables that are not on one sequence of cuts, where positions order the offsets.
fn level<K: Kind>(places: &[Place<'_, K>]) -> Result<(), Stop> {
    let mut order: Vec<&Place<'_, K>> = places.iter().collect();
    order.sort_by_key(|place| place.standing.position());
    for pair in order.windows(2) {
        let (low, high) = (pair[0].standing, pair[1].standing);
        if !low.offsets.precede(&high.offsets) || pair[0].origin.lineage != pair[1].origin.lineage {
            return Err(Stop::Refused(format!(
                "tables {:?} and {:?} were not written by one pipeline: the offsets of one do not lead to the other's; \
                 restore both from the same backup, or start over with a new pipeline name and new tables",
                pair[0].name, pair[1].name
            )));
        }
        if low.position() < high.since {
            return Err(Stop::Refused(format!(
                "table {:?} was restored to position {}, but the settings have changed since, at {}: it can only be caught \
                 up with the settings of that time; restore a newer backup, or all tables to one before the change",
                pair[0].name,
                low.position(),
                high.since
            )));
        }
    }
    Ok(())
}

/// Refuses tables below the position in the state file, because that position was durable once.
fn refuse_ahead<K: Kind>(places: &[Place<'_, K>], intent: &Intent<'_, K>) -> Result<(), Stop> {
    let lowest = places.iter().min_by_key(|place| place.standing.position());
    match (intent.known, lowest) {
        (Some(known), Some(lowest)) if known > lowest.standing.position() => Err(Stop::Refused(format!(
            "the state file says position {known}, but table {:?} stands at {}: it was restored or deleted; \
             restore the newer table, or delete the state file to land again what the table lacks",
            lowest.name,
            lowest.standing.position()
        ))),
        _ => Ok(()),
    }
}
