//! Proves that a lake has every row that was flushed to it once, or names the first that differs.
//!
//! ```text
//!  commits: rows and sums of each flush, by 10,000 sequences ──┬─▶ running total
//!                                                              │
//!  files of a pinned snapshot ─▶ rows ─▶ whose? ─▶ sums ───────┴─▶ compare ─▶ first difference
//!                                          └─▶ somebody else's: counted apart
//! ```
//!
//! A row is a flush's if its snapshot has added it or if its row id is one of those that the flush
//! was given: both stay with a row when files are merged or rewritten. Rows that others have
//! deleted are compared where they still are: in the same file, or in files of earlier snapshots.
//! Once these have expired, that range of the flush is *unverifiable*, which is no difference.
//! Whoever inserts, deletes or changes rows is named by the author of the snapshot.
//!
//! Nothing is claimed, locked or written. In memory are one sum for each flush and range, hashes of
//! some keys at a time (`doubled.rs`, `hot.rs`), and one data file, which is read whole. So memory
//! grows with the flushes and with the largest file, never with the number of rows.

mod count;
mod definitions;
mod doubled;
mod hot;
mod judge;
mod name;
mod narrow;
mod tell;
mod units;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::count::Counting;
use self::doubled::Keys;
use self::units::Units;
use super::{Progress, Proof};
use crate::error::{Stop, StoreError};
use crate::position::Position;
use crate::postgres::Location;
use crate::protocol::document::Recorded;
use crate::protocol::group::Group;
use crate::protocol::offsets::PartitionId;
use crate::protocol::offsets_files::OffsetsFiles;
use crate::protocol::sums::Sum;
use crate::sink::ducklake::{Lake, LakeGroup, PinnedLake, Table};
use crate::source::postgres::{Flushes, HotTable, Late, Remaining};

/// How often a lake is pinned anew because a run went on meanwhile.
const ATTEMPTS: u32 = 10;

/// What is to be proved.
pub struct Subject<'s> {
    /// The lake.
    pub lake: &'s Arc<Lake>,
    /// The pipeline's tables there.
    pub group: &'s LakeGroup,
    /// The pipeline's name.
    pub pipeline: &'s str,
    /// Where the hot tables are.
    pub hot: &'s Location,
    /// The hot tables, and what happens to rows of each that come back.
    pub tables: Vec<(&'s HotTable, Late)>,
    /// The position in the state file.
    pub known: Option<Position>,
}

/// A lake that is pinned, and what was recorded there.
struct Pinned<'s> {
    lake: PinnedLake,
    recorded: Recorded<Flushes>,
    tables: BTreeMap<String, Table>,
    hot: &'s Location,
}

/// Proves the tables of `subject`, in their order.
pub async fn prove(subject: &Subject<'_>, progress: &Progress) -> Result<Vec<Proof>, Stop> {
    let names: Vec<String> = subject.tables.iter().map(|(hot, _)| hot.name.clone()).collect();
    let (lake, recorded) = pin(subject).await?;
    let tables = lake.tables(&names).await?;
    let pinned = Pinned { lake, recorded, tables, hot: subject.hot };
    let mut proofs = Vec::new();
    for (hot, late) in &subject.tables {
        let mut proof = match pinned.tables.get(&hot.name) {
            Some(table) => table_of(&pinned, table, hot, *late, progress).await?,
            None => tell::without_table(&pinned, hot).await?,
        };
        if let Some(known) = subject.known.filter(|known| *known > pinned.lake.held.position) {
            tell::set_back(&mut proof, known);
        }
        proofs.push(proof);
    }
    Ok(proofs)
}

/// Pins the lake together with the offsets file of its position.
async fn pin(subject: &Subject<'_>) -> Result<(PinnedLake, Recorded<Flushes>), Stop> {
    for _ in 0..ATTEMPTS {
        let Some(pinned) = PinnedLake::new(subject.lake, subject.pipeline).await? else {
            let why = "nothing has landed that could be proved; run the pipeline first, or correct its name or [lake]";
            return Err(Stop::Refused(format!(
                "{} holds no position of pipeline {:?}: {why}",
                subject.lake.shown(),
                subject.pipeline
            )));
        };
        match OffsetsFiles::read(subject.group, pinned.held).await {
            Ok(recorded) => return Ok((pinned, recorded)),
            // A run that goes on deletes the offsets files of positions that it has left.
            Err(_) if subject.group.load().await?.head != pinned.version => {}
            Err(stop) => return Err(stop),
        }
    }
    let why = "a run goes on faster than its position can be read: try again";
    Err(StoreError::transient(format!("pin {}", subject.lake.shown()), why).into())
}

/// Proves one table.
async fn table_of(
    pinned: &Pinned<'_>,
    table: &Table,
    hot: &HotTable,
    late: Late,
    progress: &Progress,
) -> Result<Proof, Stop> {
    let (lake, total) = (&pinned.lake, total(pinned, hot));
    let mut units = Units::new(lake.committed(table).await?);
    let definitions = definitions::read(lake, table, (&hot.name, &hot.sequence), &mut units).await?;
    let tracing = lake.files(table).await?;
    let (foreign, lost) = (BTreeMap::new(), Vec::new());
    let rearranging = lake.history.rearranging(table.id);
    let mut counting = Counting { pinned: lake, table, definitions, units, rearranging, foreign, lost };
    let rows = tracing.files.iter().map(|file| file.rows).sum();
    // A table that appends may have a row twice.
    let is_unique = late != Late::Append && !hot.key.is_empty();
    let mut keys = if is_unique { Keys::new(table, (&hot.key, &hot.sequence), rows) } else { None };
    counting.count(&tracing.files, &tracing.inlined, keys.as_mut(), progress).await?;
    let suspects = counting.units.suspects(total);
    if !suspects.is_empty() {
        counting.count_ended(&suspects, progress).await?;
    }
    let verdict = counting.units.judge(total, &lake.history, table.id);
    let doubled = match keys {
        Some(keys) => counting.doubled(keys, (&hot.key, &hot.sequence), &tracing.files, progress).await?,
        None => None,
    };
    // After the lake was pinned: what has landed by then is hot only if it is late or left over.
    let remaining = Remaining::new(pinned.hot).await?;
    let hot_rows = remaining.count(hot).await?;
    let hot_landed = match mark(pinned, hot) {
        Some(mark) => hot::landed(&remaining, hot, mark, lake, table, &tracing.files).await?,
        None => None,
    };
    let mut proof = tell::told(pinned, &counting, hot, &verdict, (hot_rows, hot_landed));
    tell::judge(pinned, &counting, hot, &verdict, doubled, &tracing.files, &mut proof).await;
    Ok(proof)
}

/// What the offsets file counts of a table.
fn total(pinned: &Pinned<'_>, hot: &HotTable) -> Sum {
    pinned.recorded.account.of(&hot.name).sum()
}

/// Up to where a table was flushed.
fn mark(pinned: &Pinned<'_>, hot: &HotTable) -> Option<i64> {
    let marks = &pinned.recorded.standing.offsets.partitions;
    marks.get(&PartitionId::first(&*hot.name)).map(|mark| mark.watermark)
}
