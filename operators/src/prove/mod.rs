//! Proves that a pipeline's tables hold every row of the source once, or names the first that
//! differs.
//!
//! ```text
//!   source ─bytes─▶ lines ─▶ row ─▶ roles ─▶ sums by mebibyte ──┐
//!   offsets file ─────────────────────────▶ totals by bucket ───┼─▶ compare ─▶ first difference
//!   table, pinned at a version ─▶ rows ───▶ sums by mebibyte ───┘
//! ```
//!
//! This path from bytes to rows is a second one: plain, on one thread, and without a line of the
//! parser that it checks. The two paths share the transport of bytes, the meaning of globs, the tz
//! database, and the [checksum's](crate::totals::hash) format.
//!
//! That is `pg_logs`. What [`flushes`] prove has no second way to the rows, because they have left
//! their source: the lake is compared with what was counted when they were copied. [`changes`] are
//! proved against PostgreSQL itself.
//!
//! Nothing is claimed, locked or written, so a proof can run alongside a live run: each table is
//! pinned at a version, and compared with the source up to the offsets of that version. Memory
//! grows by one sum per mebibyte of the source.

#[cfg(feature = "kafka")]
pub mod changes;
mod compare;
mod difference;
mod extent;
pub mod flushes;
mod lake;
mod logs;
mod proof;
mod shown;
mod subject;
mod sums;
mod there;
mod told;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Stop, StoreError, chain};
use crate::format::logs::settings::RowSettings;
use crate::protocol::clock::Clock;
use crate::sink::delta::TableSpec;
use crate::source::files::ByteSource;

use compare::Evidence;
use extent::Extent;
use logs::plain::{Plain, REJECTS};
use subject::{Subject, pin};
use sums::Mebibytes;
use there::There;
use told::PieceId;

pub use crate::sink::delta::Lost;
pub use compare::Odd;
pub use difference::{Difference, What};
pub use extent::Unverifiable;
pub use proof::{Flushed, Followed, Foreign, NotLanded, Progress, Proof, Ranges};
pub use subject::Other;

/// How many tables a pipeline has.
pub const TABLES: usize = 3;

/// Proves the tables of `pipeline`, in the order in which a run claims them.
pub async fn prove(
    pipeline: &str,
    tables: &[TableSpec; TABLES],
    source: &dyn ByteSource,
    clock: Arc<dyn Clock>,
    progress: &Progress,
) -> Result<Vec<Proof>, Stop> {
    let mut subjects = Vec::new();
    for spec in tables {
        subjects.push(pin(spec, pipeline, source, clock.clone()).await?);
    }
    // Listed after the tables are pinned, because what they hold was in the source before that.
    let listing = source.list().await?;
    let there = There::new(&listing.files, source);
    let mut extents = Vec::new();
    for subject in &subjects {
        extents.push(extent::extent(&subject.recorded, &there, source).await?);
    }
    let mut told = read_source(&subjects, &mut extents, &there, source, progress).await?;
    let mut proofs = Vec::new();
    for (table, ((subject, extent), told)) in subjects.iter().zip(&mut extents).zip(&mut told).enumerate() {
        proofs.push(judge(table, subject, extent, told, &there, source, progress).await?);
    }
    Ok(proofs)
}

/// Reads the source once for all tables that agree on their settings.
async fn read_source(
    subjects: &[Subject<'_>],
    extents: &mut [Extent],
    there: &There<'_>,
    source: &dyn ByteSource,
    progress: &Progress,
) -> Result<[BTreeMap<PieceId, Mebibytes>; TABLES], Stop> {
    let mut all: [BTreeMap<PieceId, Mebibytes>; TABLES] = [const { BTreeMap::new() }; TABLES];
    let mut settings: Vec<&Arc<RowSettings>> = Vec::new();
    for subject in subjects {
        let rules = &subject.recorded.standing.settings;
        if !settings.contains(&rules) {
            settings.push(rules);
        }
    }
    let mut plans = Vec::new();
    for rules in settings {
        let of_rules = |table: &usize| subjects[*table].recorded.standing.settings == *rules;
        let wishes = (0..TABLES).filter(of_rules).flat_map(|t| extents[t].pieces.iter().map(move |piece| (t, piece)));
        plans.push((Plain::new(rules)?, told::readings(wishes)));
    }
    let bytes = plans.iter().flat_map(|(_, readings)| readings).map(|r| r.piece.range.end - r.piece.range.start);
    progress.expect(bytes.sum());
    for (plain, readings) in plans {
        for reading in readings {
            let file = there.created(&reading.piece.id.name, &reading.piece.identity.created);
            let counted = told::count(&reading, &plain, file, source, progress).await?;
            let wanted = (0..TABLES).filter(|table| reading.wanted[*table].is_some());
            let key = (reading.piece.id.clone(), reading.piece.retired);
            match counted {
                Some(counted) => {
                    let mut counted = counted.map(Some);
                    wanted.for_each(|table| {
                        _ = all[table].insert(key.clone(), counted[table].take().unwrap_or_default())
                    });
                }
                None => wanted.for_each(|table| {
                    extents[table].lose(&reading.piece, &subjects[table].recorded);
                }),
            }
        }
    }
    Ok(all)
}

/// Reads a table, and compares it with the totals and the source.
async fn judge(
    table: usize,
    subject: &Subject<'_>,
    extent: &mut Extent,
    told: &mut BTreeMap<PieceId, Mebibytes>,
    there: &There<'_>,
    source: &dyn ByteSource,
    progress: &Progress,
) -> Result<Proof, Stop> {
    let Subject { spec, pinned, recorded, foreign, others, .. } = subject;
    let not_landed = NotLanded::of(&recorded.standing, there, source);
    let reader = lake::Reader::new(subject, table == REJECTS);
    let mut lake = match reader.count(progress).await {
        Ok(lake) => lake,
        Err(error) => return without_table(subject, extent, told, not_landed, error).await,
    };
    if recorded.origin.adopted.is_some() {
        lake.set_strangers_apart();
    }
    if Evidence::of(subject, extent, told, &lake).left_is_renamed() {
        extent.rename_left(recorded);
        told.retain(|(_, retired), _| !*retired);
    }
    let evidence = Evidence::of(subject, extent, told, &lake);
    let (of_lake, of_source) = (evidence.lake_agrees(), evidence.source_agrees());
    let mut first_difference = None;
    if !(of_lake.is_whole() && of_source.is_whole()) {
        let plain = Plain::new(&recorded.standing.settings)?;
        if let Some(place) = evidence.first_difference() {
            let named = difference::name(&place, &evidence, table, &reader, &plain, source).await;
            // It is certain that something differs, whatever has become of source and table
            // meanwhile.
            first_difference = Some(named.unwrap_or_else(|error| {
                tracing::warn!(table = spec.name, error = %chain(&error), "the first row that differs cannot be named");
                difference::around(&place)
            }));
        }
    }
    Ok(Proof {
        name: spec.name.clone(),
        position: recorded.standing.position(),
        version: pinned.version(),
        source_rows: evidence.source_sum().rows,
        totals_rows: recorded.totals().sum().rows,
        lake_rows: lake.sum().rows.saturating_sub(foreign.rows),
        rows_ok: of_lake.rows && of_source.rows,
        checksum_ok: of_lake.checksums && of_source.checksums,
        first_difference,
        unverifiable: extent.unverifiable.clone(),
        not_landed,
        others: others.clone(),
        foreign_rows: lake.strangers.rows,
        lost: Vec::new(),
        flushed: None,
        followed: None,
    })
}

/// The proof of a table that could not be read: it lists the lost files. If there are none, `error`
/// is returned, as it may pass.
async fn without_table(
    subject: &Subject<'_>,
    extent: &Extent,
    told: &BTreeMap<PieceId, Mebibytes>,
    not_landed: NotLanded,
    error: StoreError,
) -> Result<Proof, Stop> {
    let Subject { spec, pinned, recorded, others, .. } = subject;
    let lost = pinned.lost().await?;
    if lost.is_empty() {
        return Err(error.into());
    }
    let totals_rows = recorded.totals().sum().rows;
    let rows: u64 = lost.iter().filter_map(|lost| lost.rows).sum();
    Ok(Proof {
        name: spec.name.clone(),
        position: recorded.standing.position(),
        version: pinned.version(),
        source_rows: told.values().flat_map(BTreeMap::values).map(|sum| sum.rows).sum(),
        totals_rows,
        lake_rows: totals_rows.saturating_sub(rows),
        rows_ok: false,
        checksum_ok: false,
        first_difference: None,
        unverifiable: extent.unverifiable.clone(),
        not_landed,
        others: others.clone(),
        foreign_rows: 0,
        lost,
        flushed: None,
        followed: None,
    })
}
