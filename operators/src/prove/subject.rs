//! A table, pinned at the version that it has when the proof begins, and what is written down of it there.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::Stop;
use crate::protocol::document::{OffsetsFiles, Recorded};
use crate::protocol::table::Clock;
use crate::sink::delta::{DeltaTable, Pinned, TableSpec};
use crate::source::Source;
use crate::totals::Sum;

/// A table, pinned.
pub(super) struct Subject<'s> {
    pub(super) spec: &'s TableSpec,
    pub(super) pinned: Pinned,
    pub(super) recorded: Recorded,
    /// Rows of other pipelines in it, and their `_source`s.
    pub(super) foreign: Sum,
    pub(super) foreign_sources: BTreeSet<String>,
}

/// Pins a table, and reads what it says of itself there.
pub(super) async fn pin<'s>(
    spec: &'s TableSpec,
    pipeline: &str,
    source: &dyn Source,
    clock: Arc<dyn Clock>,
) -> Result<Subject<'s>, Stop> {
    let nothing = || {
        Stop::Refused(format!(
            "table {:?} ({}) holds no position of pipeline {pipeline:?}: nothing has landed that could be proved; \
             run the pipeline first",
            spec.name, spec.place
        ))
    };
    let mut pinned = Pinned::newest(&spec.place, pipeline).await?.ok_or_else(nothing)?;
    loop {
        match describe(spec, pipeline, &pinned, clock.clone()).await {
            Ok(None) => return Err(nothing()),
            Ok(Some((recorded, foreign, foreign_sources))) if recorded.origin.source == source.identity() => {
                return Ok(Subject { spec, pinned, recorded, foreign, foreign_sources });
            }
            Ok(Some((recorded, ..))) => {
                return Err(Stop::Refused(format!(
                    "table {:?} was landed from {}, not from {}: prove it with the pipeline file that it was landed with",
                    spec.name,
                    recorded.origin.source,
                    source.identity()
                )));
            }
            Err(stop) => {
                // A run is alive: it has committed since, and deleted the file of the position before.
                let newer = Pinned::newest(&spec.place, pipeline).await?.ok_or_else(nothing)?;
                if newer.version() == pinned.version() {
                    return Err(stop);
                }
                pinned = newer;
            }
        }
    }
}

/// What the pipelines of a table have written down of it.
async fn describe(
    spec: &TableSpec,
    pipeline: &str,
    pinned: &Pinned,
    clock: Arc<dyn Clock>,
) -> Result<Option<(Recorded, Sum, BTreeSet<String>)>, Stop> {
    let Some(held) = pinned.held() else { return Ok(None) };
    let table = DeltaTable::attach(spec.clone(), pipeline, clock.clone());
    let recorded = OffsetsFiles::read(&table, held).await?;
    let (mut foreign, mut sources) = (Sum::default(), BTreeSet::new());
    for (other, held) in pinned.others() {
        let table = DeltaTable::attach(spec.clone(), other, clock.clone());
        let other = OffsetsFiles::read(&table, *held).await?;
        foreign += other.account.totals.sum();
        sources.extend(other.standing.offsets.partitions.keys().map(ToString::to_string));
    }
    Ok(Some((recorded, foreign, sources)))
}
