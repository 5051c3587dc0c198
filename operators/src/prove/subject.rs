//! A table, pinned at the version that it has when the proof begins, and what is recorded of it
//! there.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::error::Stop;
use crate::format::logs::lines::{OffsetsFiles, Recorded};
use crate::protocol::clock::Clock;
use crate::protocol::document::Origin;
use crate::protocol::offsets::PartitionId;
use crate::protocol::offsets_store::OffsetsStore;
use crate::protocol::preflight::refuse_odd;
use crate::protocol::sums::Sum;
use crate::sink::delta::{DeltaTable, Pinned, TableSpec};
use crate::source::files::ByteSource;
use crate::source::files::reads::Reads;

/// A table, pinned.
pub(super) struct Subject<'s> {
    pub(super) spec: &'s TableSpec,
    pub(super) pinned: Pinned,
    pub(super) recorded: Recorded,
    /// Rows of other pipelines in it, and their `_source`s.
    pub(super) foreign: Sum,
    pub(super) foreign_sources: BTreeSet<String>,
    /// The other pipelines.
    pub(super) others: Vec<Other>,
}

/// What the pipelines of a table have recorded of it.
struct Accounts {
    recorded: Recorded,
    foreign: Sum,
    foreign_sources: BTreeSet<String>,
    others: Vec<Other>,
}

/// Another pipeline that lands in the same table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Other {
    /// Its name.
    pub pipeline: String,
    /// What it reads.
    pub source: String,
    /// How many rows it has landed there, according to its totals.
    pub rows: u64,
    /// A file of which both pipelines have landed rows there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twice: Option<String>,
}

/// Pins a table, and reads what is recorded of it there.
pub(super) async fn pin<'s>(
    spec: &'s TableSpec,
    pipeline: &str,
    source: &dyn ByteSource,
    clock: Arc<dyn Clock>,
) -> Result<Subject<'s>, Stop> {
    let nothing = || {
        Stop::Refused(format!(
            "table {:?} ({}) holds no position of pipeline {pipeline:?}: nothing has landed that could be proved; \
             run the pipeline first",
            spec.name, spec.place
        ))
    };
    let reads = Reads::new(source.identity(), &source.root());
    let mut pinned = Pinned::newest(&spec.place, pipeline).await?.ok_or_else(nothing)?;
    loop {
        match describe(spec, pipeline, &pinned, source, clock.clone()).await {
            Ok(None) => return Err(nothing()),
            Ok(Some(Accounts { recorded, foreign, foreign_sources, others }))
                if Reads::of(&recorded.origin).is_one_with(&reads) =>
            {
                return Ok(Subject { spec, pinned, recorded, foreign, foreign_sources, others });
            }
            Ok(Some(Accounts { recorded, .. })) => {
                return Err(Stop::Refused(format!(
                    "table {:?} was landed from {}, not from {}: prove it with the pipeline file that it was landed with",
                    spec.name,
                    recorded.origin.source,
                    source.identity()
                )));
            }
            Err(stop) => {
                // A live run has committed since, and deleted the file of the previous position.
                let newer = Pinned::newest(&spec.place, pipeline).await?.ok_or_else(nothing)?;
                if newer.version() == pinned.version() {
                    return Err(stop);
                }
                pinned = newer;
            }
        }
    }
}

/// What the pipelines of a table have recorded of it.
async fn describe(
    spec: &TableSpec,
    pipeline: &str,
    pinned: &Pinned,
    source: &dyn ByteSource,
    clock: Arc<dyn Clock>,
) -> Result<Option<Accounts>, Stop> {
    let Some(held) = pinned.held() else { return Ok(None) };
    let table = DeltaTable::attach(spec.clone(), pipeline, clock.clone());
    let recorded = OffsetsFiles::read(&table, held).await?;
    // In Delta, each table is a group of its own, of the same role.
    refuse_odd(&recorded, [&*recorded.origin.role].into_iter(), &table.shown())?;
    let (mut foreign, mut foreign_sources, mut others) = (Sum::default(), BTreeSet::new(), Vec::new());
    for (other, held) in pinned.others() {
        let table = DeltaTable::attach(spec.clone(), other, clock.clone());
        let other = OffsetsFiles::read(&table, *held).await?;
        refuse_odd(&other, [&*other.origin.role].into_iter(), &table.shown())?;
        let sum = other.totals().sum();
        foreign += sum;
        foreign_sources.extend(other.standing.offsets.partitions.keys().map(ToString::to_string));
        let twice = twice(&recorded, &other, source);
        let Origin { pipeline, source, .. } = other.origin;
        others.push(Other { pipeline, source, rows: sum.rows, twice });
    }
    Ok(Some(Accounts { recorded, foreign, foreign_sources, others }))
}

/// A file of which both pipelines have landed rows, by its name in `ours`.
fn twice(ours: &Recorded, theirs: &Recorded, source: &dyn ByteSource) -> Option<String> {
    let (reads, others) = (Reads::of(&ours.origin), Reads::of(&theirs.origin));
    let landed = |of: &Recorded| -> Vec<(String, String)> {
        let has_rows = |id: &PartitionId| of.totals().partitions.get(id).is_some_and(|all| all.sum().rows > 0);
        let partitions = of.standing.offsets.partitions.iter().filter(|(id, _)| has_rows(id));
        partitions.map(|(id, at)| (id.name.clone(), at.identity.created.clone())).collect()
    };
    let (mut places, mut created) = (BTreeSet::new(), BTreeSet::new());
    for (name, at) in landed(theirs) {
        places.insert(others.place(&name));
        created.extend((source.has_links() && source.is_unique(&at)).then_some(at));
    }
    let is_theirs = |(name, at): &(String, String)| places.contains(&reads.place(name)) || created.contains(at);
    landed(ours).into_iter().find(is_theirs).map(|(name, _)| name)
}
