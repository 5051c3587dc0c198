//! What a cut does to the table, once the rows that it meets are known: which rows are written,
//! which die, and what the change feed says.

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow_schema::ArrowError;
use arrow_select::interleave::interleave;
use arrow_select::take::take;

use super::changes::{self, Changes, Operation};
use super::collapse::{Collapsed, Kept};
use super::counts::Counts;
use super::definition::UpsertSpec;
use super::index::Place;
use super::keys::Keys;
use super::lookup::{Found, Hit};
use super::stage::written;
use crate::error::StoreError;

/// What is to be done.
pub(super) struct Plan {
    /// The rows that are written, with the columns of [`written`].
    pub(super) data: RecordBatch,
    /// The change, of those one a key, that each of them is from.
    pub(super) nets: Vec<usize>,
    /// What rows were before; without a feed, there are none.
    pub(super) before: RecordBatch,
    /// The rows that die.
    pub(super) dead: Vec<Place>,
    /// Changes that keep a value that is not there, by their rows.
    pub(super) gaps: Vec<usize>,
    pub(super) counts: Counts,
}

/// A row that a cut sets.
struct Upsert<'f> {
    net: usize,
    /// The rows that the table has of its key: none, one, or more if others wrote there.
    hits: &'f [Hit],
}

/// Plans what `changes` do, which were collapsed to one a key, where the table has the rows that
/// were `found`.
pub(super) fn plan(
    (spec, whole): (&UpsertSpec, &Keys),
    changes: &Changes,
    collapsed: &Collapsed,
    found: &Found,
) -> Result<Plan, StoreError> {
    let mut counts = Counts { changes: changes.rows.num_rows() as u64, ..Counts::default() };
    let (mut gaps, mut dead) = (collapsed.gaps.clone(), Vec::new());
    let (mut upserts, mut before) = (Vec::new(), Vec::new());
    let mut hits = &found.hits[..];
    for (net, change) in collapsed.nets.iter().enumerate() {
        let (here, rest) = hits.split_at(hits.partition_point(|hit| hit.net <= net));
        hits = rest;
        counts.superseded += change.superseded;
        match change.operation {
            Operation::Delete if here.is_empty() => counts.deleted_nothing += 1,
            Operation::Delete => {
                counts.deleted += 1;
                dead.extend(here.iter().map(|hit| hit.place));
                before.extend(here.iter().map(|hit| (hit.at, "delete")));
            }
            _ if here.is_empty() && change.needs_lake() => gaps.push(change.row),
            _ => upserts.push(Upsert { net, hits: here }),
        }
    }
    let failed = |e: ArrowError| StoreError::definite(format!("change rows of {}", spec.table.shown()), e);
    let rows = assemble(spec, changes, collapsed, found, &upserts).map_err(failed)?;
    let is_other = others(whole, &rows, &upserts, found)?;
    let mut types = Vec::new();
    for (upsert, _) in upserts.iter().zip(&is_other).filter(|(_, is_other)| **is_other) {
        let operation = collapsed.nets[upsert.net].operation;
        match upsert.hits {
            [] => {
                counts.inserted += 1;
                counts.updated_nothing += u64::from(operation == Operation::Update);
                types.push("insert");
            }
            [first, doubles @ ..] => {
                counts.updated += 1;
                counts.inserted_over += u64::from(operation == Operation::Insert);
                types.push("update_postimage");
                before.push((first.at, "update_preimage"));
                before.extend(doubles.iter().map(|hit| (hit.at, "delete")));
                dead.extend(upsert.hits.iter().map(|hit| hit.place));
            }
        }
    }
    counts.gaps = gaps.len() as u64;
    counts.unchanged = (upserts.len() - types.len()) as u64;
    let chosen = upserts.iter().zip(&is_other).filter(|(_, is_other)| **is_other);
    let nets = chosen.map(|(upsert, _)| upsert.net).collect();
    let data = with_types(spec, &changes::filter(&rows, &is_other)?, types).map_err(failed)?;
    let before = if spec.feed { before } else { Vec::new() };
    let before = befores(spec, found, &before).map_err(failed)?;
    debug_assert_eq!(counts.changes, counts.accounted(), "each change is counted once: {counts:?}");
    Ok(Plan { data, nets, before, dead, gaps, counts })
}

/// The rows that `upserts` set, with all values.
fn assemble(
    spec: &UpsertSpec,
    changes: &Changes,
    collapsed: &Collapsed,
    found: &Found,
    upserts: &[Upsert<'_>],
) -> Result<RecordBatch, ArrowError> {
    let own = UInt64Array::from_iter_values(upserts.iter().map(|upsert| collapsed.nets[upsert.net].row as u64));
    let (of_batch, whole) = wholes(found);
    let column = |column: usize| -> Result<ArrayRef, ArrowError> {
        let sent = changes.rows.column(column);
        if !changes.unavailable.contains_key(&column) {
            return take(sent, &own, None);
        }
        let sources: Vec<&dyn Array> =
            std::iter::once(sent.as_ref()).chain(whole.iter().map(|rows| rows.column(column).as_ref())).collect();
        let places = upserts.iter().map(|upsert| {
            let net = &collapsed.nets[upsert.net];
            match net.kept.iter().find(|(of, _)| *of == column).map(|(_, kept)| *kept) {
                None => (0, net.row),
                Some(Kept::Change(row)) => (0, row),
                Some(Kept::Lake) => (1 + of_batch[upsert.hits[0].at.0], upsert.hits[0].at.1),
            }
        });
        interleave(&sources, &places.collect::<Vec<_>>())
    };
    let columns = (0..changes.rows.num_columns()).map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(spec.columns(), columns)
}

/// The batches that have all columns, and where each batch is among them.
fn wholes(found: &Found) -> (Vec<usize>, Vec<&RecordBatch>) {
    let (mut of_batch, mut whole) = (Vec::new(), Vec::new());
    for batch in &found.batches {
        of_batch.push(whole.len());
        whole.extend(batch.is_whole.then_some(&batch.rows));
    }
    (of_batch, whole)
}

/// Which of `rows`, which are those of `upserts`, are not what the table has. If only the key was
/// read, that is not known, and the row is written.
fn others(whole: &Keys, rows: &RecordBatch, upserts: &[Upsert<'_>], found: &Found) -> Result<Vec<bool>, StoreError> {
    let ours = whole.of_all(rows)?;
    let read = |batch: &super::lookup::Batch| batch.is_whole.then(|| whole.of_all(&batch.rows)).transpose();
    let theirs = found.batches.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let is_other = upserts.iter().zip(ours.iter()).map(|(upsert, ours)| match upsert.hits {
        [only] => theirs[only.at.0].as_ref().is_none_or(|theirs| theirs.row(only.at.1) != ours),
        _ => true,
    });
    Ok(is_other.collect())
}

/// `rows` as a file has them.
fn with_types(spec: &UpsertSpec, rows: &RecordBatch, types: Vec<&str>) -> Result<RecordBatch, ArrowError> {
    let mut columns = rows.columns().to_vec();
    if spec.feed {
        columns.push(std::sync::Arc::new(StringArray::from(types)));
    }
    RecordBatch::try_new(written(spec), columns)
}

/// What rows were, and what has become of each.
fn befores(spec: &UpsertSpec, found: &Found, rows: &[((usize, usize), &str)]) -> Result<RecordBatch, ArrowError> {
    if rows.is_empty() {
        return Ok(RecordBatch::new_empty(written(spec)));
    }
    let (of_batch, whole) = wholes(found);
    let places: Vec<_> = rows.iter().map(|((batch, row), _)| (of_batch[*batch], *row)).collect();
    let column = |column: usize| {
        let sources: Vec<&dyn Array> = whole.iter().map(|rows| rows.column(column).as_ref()).collect();
        interleave(&sources, &places)
    };
    let columns = (0..spec.columns().fields().len()).map(column).collect::<Result<_, _>>()?;
    let rows_before = RecordBatch::try_new(spec.columns(), columns)?;
    with_types(spec, &rows_before, rows.iter().map(|(_, kind)| *kind).collect())
}
