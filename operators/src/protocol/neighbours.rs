//! Other writers to a table: other pipelines, which must not land what this one reads, and
//! strangers, beside whose rows a pipeline lands only if it is allowed to.

use std::collections::BTreeMap;

use crate::error::Stop;
use crate::protocol::commit::{Retry, ask};
use crate::protocol::document::{OffsetsFiles, Recorded};
use crate::protocol::table::{Clock, Pending, Table};
use crate::reads::Reads;

/// A file that is in the source now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name in the source.
    pub name: String,
    /// The store's mark of its creation, if no other file can ever have the same.
    pub created: Option<String>,
}

/// What a pipeline reads, for comparison with what others read.
pub struct Reading<'a> {
    /// The source.
    pub reads: Reads,
    /// Lists what is there now; called only if another pipeline writes into the same table.
    pub files: &'a (dyn Fn() -> Pending<'a, Result<Vec<File>, Stop>> + Send + Sync),
}

/// What two pipelines both read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shared {
    /// Everything that one of them reads.
    Whole,
    /// At least one file: its place, and its place in the other's source.
    File(String, String),
}

/// What every other pipeline has recorded in `table`.
pub async fn neighbours(table: &dyn Table, clock: &dyn Clock) -> Result<Vec<Recorded>, Stop> {
    let mut found = Vec::new();
    for (_, theirs) in ask(clock, || table.others()).await? {
        found.extend(newest(&*theirs, clock).await?);
    }
    Ok(found)
}

/// The newest record, committed or not. A claim records itself before it looks at the others, so of
/// two simultaneous claims one sees the other.
async fn newest(theirs: &dyn Table, clock: &dyn Clock) -> Result<Option<Recorded>, Stop> {
    let mut retry = Retry::default();
    loop {
        let Some(last) = ask(clock, || theirs.list_offsets()).await?.into_iter().max() else { return Ok(None) };
        let stop = match OffsetsFiles::read(theirs, last.0).await {
            Ok(recorded) => return Ok(Some(recorded)),
            Err(Stop::Store(error)) if error.is_transient() => {
                retry.after(error, clock).await?;
                continue;
            }
            Err(stop) => stop,
        };
        // The file may be a dead run's with its base gone, or a live run may have deleted it.
        let Some(held) = ask(clock, || theirs.load()).await?.held else { return Err(stop) };
        match OffsetsFiles::read(theirs, held).await {
            Ok(recorded) => return Ok(Some(recorded)),
            Err(_) => match retry.next_pause_ms() {
                Some(ms) if ask(clock, || theirs.list_offsets()).await?.into_iter().max() != Some(last) => {
                    clock.pause(ms).await;
                }
                _ => return Err(stop),
            },
        }
    }
}

/// What is read both by the pipeline of `ours`, whose source has `files` now, and by the one that
/// recorded `theirs`.
pub fn shared(ours: &Reads, files: &[File], theirs: &Recorded) -> Option<Shared> {
    let reads = theirs.origin.reads();
    if ours.covers(&reads) || reads.covers(ours) {
        return Some(Shared::Whole);
    }
    let partitions = &theirs.standing.offsets.partitions;
    let places = partitions.keys().map(|id| reads.place(&id.name));
    if let Some(place) = places.into_iter().find(|place| ours.has(place)) {
        return Some(Shared::File(place.clone(), place));
    }
    let created: BTreeMap<&str, &str> =
        partitions.iter().map(|(id, at)| (at.identity.created.as_str(), id.name.as_str())).collect();
    files.iter().find_map(|file| {
        let place = ours.place(&file.name);
        if reads.has(&place) {
            return Some(Shared::File(place.clone(), place));
        }
        let there = created.get(file.created.as_deref()?)?;
        Some(Shared::File(place, reads.place(there)))
    })
}

/// Refuses to land what another pipeline lands into the same table.
pub async fn refuse_overlap(table: &dyn Table, clock: &dyn Clock, reading: &Reading<'_>) -> Result<(), Stop> {
    let neighbours = neighbours(table, clock).await?;
    if neighbours.is_empty() {
        return Ok(());
    }
    let files = (reading.files)().await?;
    for theirs in neighbours {
        let Some(shared) = shared(&reading.reads, &files, &theirs) else { continue };
        let origin = &theirs.origin;
        let what = match shared {
            Shared::Whole => origin.source.clone(),
            Shared::File(here, there) if here == there => here,
            Shared::File(here, there) => format!("{here} (there {there})"),
        };
        let idle = theirs.standing.position() == origin.genesis;
        let given_up = match idle {
            true => format!(
                "; it has landed nothing: if it is abandoned, delete the folder _lakefront/{} of each table",
                origin.pipeline
            ),
            false => String::new(),
        };
        return Err(Stop::Refused(format!(
            "table {:?} already receives {what} through pipeline {:?}: a second pipeline would land every row twice; use that \
             pipeline, or name other tables in [tables]{given_up}",
            table.name(),
            origin.pipeline
        )));
    }
    Ok(())
}

/// How many rows of `table` no pipeline has landed, judged by counts alone. This may take long.
pub async fn strangers(table: &dyn Table, clock: &dyn Clock) -> Result<u64, Stop> {
    // Rows are counted first, so that rows that land meanwhile do not count as strangers'.
    let rows = ask(clock, || table.rows()).await?;
    if rows == 0 {
        return Ok(0);
    }
    let own = newest(table, clock).await?;
    let landed = neighbours(table, clock).await?.into_iter().chain(own).map(|told| told.account.totals.sum().rows);
    Ok(rows.saturating_sub(landed.sum()))
}

/// Refuses to land beside rows that no pipeline has landed.
pub async fn refuse_strangers(table: &dyn Table, clock: &dyn Clock) -> Result<(), Stop> {
    match strangers(table, clock).await? {
        0 => Ok(()),
        rows => Err(Stop::Refused(format!(
            "table {:?} holds {rows} row{} that no pipeline has landed: to land beside them, start once with run --adopt; if lakefront \
             has landed them, restore the table's _lakefront folder, or they would land twice; or name another table in [tables]",
            table.name(),
            if rows == 1 { "" } else { "s" }
        ))),
    }
}
