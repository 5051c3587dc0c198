//! What a proof of flushes says in the end.

use std::collections::BTreeMap;

use super::count::Counting;
use super::doubled::DoubledKey;
use super::judge::{Verdict, Wrong};
use super::units::Unit;
use super::{Pinned, name, total};
use crate::error::{Stop, chain};
use crate::position::Position;
use crate::prove::compare::Odd;
use crate::prove::difference::{Difference, What};
use crate::prove::extent::Unverifiable;
use crate::prove::{Flushed, Foreign, NotLanded, Proof, Ranges};
use crate::sink::ducklake::TracedFile;
use crate::source::postgres::{HotTable, RANGE, Remaining};

/// What was found of a table, before differences are named.
pub(super) fn told(
    pinned: &Pinned<'_>,
    counting: &Counting<'_>,
    hot: &HotTable,
    verdict: &Verdict,
    (hot_rows, hot_landed): (u64, Option<u64>),
) -> Proof {
    let (history, units) = (&pinned.lake.history, &counting.units.all);
    let replaced_rows = units.iter().map(|unit| unit.noted.replaced).sum();
    let first = units.first().map_or(i64::MAX, |unit| unit.snapshot);
    let mut foreign: BTreeMap<Option<&str>, u64> = BTreeMap::new();
    for (snapshot, rows) in &counting.foreign {
        *foreign.entry(history.author(*snapshot)).or_default() += rows;
    }
    let removers = history.removers(counting.table.id, first);
    let [proved, unverifiable, differ] = verdict.ranges;
    let flushed = Flushed {
        hot_rows,
        hot_landed,
        deleted_rows: verdict.deleted.saturating_sub(replaced_of_ours(units)),
        changed_rows: verdict.changed,
        replaced_rows,
        changed_by: removers.into_iter().collect(),
        foreign: foreign
            .iter()
            .map(|(author, rows)| Foreign { author: author.map(str::to_owned), rows: *rows })
            .collect(),
        ranges: Ranges { width: RANGE.get(), proved, unverifiable, differ },
    };
    Proof {
        name: hot.name.clone(),
        position: pinned.lake.held.position,
        version: pinned.lake.version,
        source_rows: units.iter().map(Unit::rows).sum(),
        totals_rows: total(pinned, hot).rows,
        lake_rows: units.iter().map(Unit::there).sum(),
        rows_ok: verdict.rows_ok(),
        checksum_ok: verdict.wrong.is_empty(),
        first_difference: None,
        unverifiable: expired(hot, verdict),
        not_landed: NotLanded::default(),
        others: Vec::new(),
        foreign_rows: counting.foreign.values().sum(),
        lost: counting.lost.clone(),
        flushed: Some(flushed),
        followed: None,
    }
}

/// How many of our own rows later ones may have replaced. Others' rows are replaced as well, and
/// nothing tells which: but a flush replaces no more of ours than had landed before it.
fn replaced_of_ours(units: &[Unit]) -> u64 {
    let (mut there, mut replaced) = (0, 0);
    for unit in units {
        let ours = unit.noted.replaced.min(there);
        replaced += ours;
        there = there - ours + unit.rows();
    }
    replaced
}

/// The ranges that cannot be verified.
fn expired(hot: &HotTable, verdict: &Verdict) -> Vec<Unverifiable> {
    let Some((position, part)) = verdict.first_unverifiable else { return Vec::new() };
    let first = match part {
        Some(part) => {
            format!("sequences {} to {} of flush {position}", part * RANGE.get(), (part + 1) * RANGE.get() - 1)
        }
        None => format!("flush {position}"),
    };
    let reason = format!(
        "others may have deleted or changed rows there, and the snapshots that had them have expired: {} ranges, the first is \
         {first}",
        verdict.ranges[1]
    );
    vec![Unverifiable { reason, source: Some(hot.name.clone()), bytes: 0, rows: verdict.unverifiable }]
}

/// Compares the commits with the running total, and names the first row that differs.
pub(super) async fn judge(
    pinned: &Pinned<'_>,
    counting: &Counting<'_>,
    hot: &HotTable,
    verdict: &Verdict,
    doubled: Option<DoubledKey>,
    files: &[TracedFile],
    proof: &mut Proof,
) {
    let total = total(pinned, hot);
    let (adds_up, noted) = counting.units.adds_up(total);
    let known: Vec<i64> = pinned.tables.values().map(|table| table.id).collect();
    let is_of_dropped = !adds_up && noted.rows <= total.rows && pinned.lake.has_noted_others(&known);
    if is_of_dropped {
        proof.unverifiable.push(dropped(hot, total.rows - noted.rows));
    } else if !adds_up {
        (proof.rows_ok, proof.checksum_ok) = (proof.rows_ok && noted.rows == total.rows, false);
        let what = None;
        proof.first_difference = Some(Difference { what, odd: Some(Odd::Totals), ..Difference::of(&hot.name) });
    }
    if let Some(DoubledKey { sequence, key, .. }) = doubled {
        (proof.rows_ok, proof.checksum_ok) = (false, false);
        let (what, odd) = (Some(What::Doubled), Some(Odd::Table));
        proof.first_difference =
            Some(Difference { offset: sequence, key: Some(key), what, odd, ..Difference::of(&hot.name) });
    } else if let Some(wrong) = verdict.wrong.first() {
        proof.first_difference = Some(named(counting, wrong, hot, files).await);
    }
    if !proof.lost.is_empty() {
        (proof.rows_ok, proof.checksum_ok) = (false, false);
    }
}

/// It is certain that something differs, whatever has become of the files meanwhile.
async fn named(counting: &Counting<'_>, wrong: &Wrong, hot: &HotTable, files: &[TracedFile]) -> Difference {
    counting.name(wrong, hot, files).await.unwrap_or_else(|error| {
        tracing::warn!(table = hot.name, error = %chain(&error), "the first row that differs cannot be named");
        name::around(wrong, wrong.unit.map(|at| counting.units.all[at].position), &hot.name)
    })
}

fn dropped(hot: &HotTable, rows: u64) -> Unverifiable {
    let reason = "they landed in a table that somebody has dropped since".to_owned();
    Unverifiable { reason, source: Some(hot.name.clone()), bytes: 0, rows }
}

/// The proof of a table that the lake does not have.
pub(super) async fn without_table(pinned: &Pinned<'_>, hot: &HotTable) -> Result<Proof, Stop> {
    let rows = total(pinned, hot).rows;
    let hot_rows = Remaining::new(pinned.hot).await?.count(hot).await?;
    let ranges = Ranges { width: RANGE.get(), ..Ranges::default() };
    Ok(Proof {
        name: hot.name.clone(),
        position: pinned.lake.held.position,
        version: pinned.lake.version,
        source_rows: 0,
        totals_rows: rows,
        lake_rows: 0,
        rows_ok: true,
        checksum_ok: true,
        first_difference: None,
        unverifiable: if rows > 0 { vec![dropped(hot, rows)] } else { Vec::new() },
        not_landed: NotLanded::default(),
        others: Vec::new(),
        foreign_rows: 0,
        lost: Vec::new(),
        flushed: Some(Flushed { hot_rows, ranges, ..Flushed::default() }),
        followed: None,
    })
}

/// The catalog is older than what a run has seen in it: what landed since is gone from it.
pub(super) fn set_back(proof: &mut Proof, known: Position) {
    (proof.rows_ok, proof.checksum_ok) = (false, false);
    let difference = Difference {
        what: Some(What::Missing),
        flush: Some(proof.position.0 + 1),
        odd: Some(Odd::Table),
        ..Difference::of(&proof.name)
    };
    proof.first_difference.get_or_insert(difference);
    tracing::warn!(
        table = proof.name,
        position = proof.position.0,
        "the catalog is older than the state file, which says {known}: it was restored or replaced"
    );
}
