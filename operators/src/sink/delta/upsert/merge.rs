//! What changes do to the table, once the rows that they meet are known: which rows are written,
//! which die, and what the change feed says.

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;
use arrow_select::interleave::interleave;

use super::changes::Operation;
use super::collapse::{Collapsed, Kept};
use super::counts::Counts;
use super::definition::UpsertSpec;
use super::gathered::Gathered;
use super::index::Place;
use super::keys::Keys;
use super::lookup::{Found, Hit};
use super::stage::with_types;
use crate::error::StoreError;

/// What is to be done.
pub(super) struct Plan {
    /// The rows that are written, as files have them.
    pub(super) data: Vec<RecordBatch>,
    /// The change, of those one a key, that each of them is from.
    pub(super) nets: Vec<usize>,
    /// What rows were before; without a feed, there are none.
    pub(super) before: Vec<RecordBatch>,
    /// The rows that die.
    pub(super) dead: Vec<Place>,
    /// Changes that keep a value that is not there.
    pub(super) gaps: Vec<usize>,
    pub(super) counts: Counts,
}

/// A row that a change sets.
struct Upsert<'f> {
    net: usize,
    /// The rows that the table has of its key: none, one, or more if others wrote there.
    hits: &'f [Hit],
}

/// Plans what some of `changes` do, those of `nets`, where the table has the rows that were
/// `found`.
pub(super) fn plan(
    (spec, whole): (&UpsertSpec, &Keys),
    (changes, collapsed): (&Gathered, &Collapsed),
    nets: &[usize],
    found: &Found,
) -> Result<Plan, StoreError> {
    let mut counts = Counts::default();
    let (mut gaps, mut dead) = (Vec::new(), Vec::new());
    let (mut upserts, mut before) = (Vec::new(), Vec::new());
    let mut hits = &found.hits[..];
    for net in nets.iter().copied() {
        let change = &collapsed.nets[net];
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
    let rows = in_parts(&upserts, &|upserts| assemble(spec, (changes, collapsed), found, upserts)).map_err(failed)?;
    let is_other = others(whole, &rows, &upserts, found)?;
    let (mut types, mut written) = (Vec::new(), Vec::new());
    for (upsert, _) in upserts.iter().zip(&is_other).filter(|(_, is_other)| **is_other) {
        let operation = collapsed.nets[upsert.net].operation;
        written.push(upsert.net);
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
    let data = chosen(spec, rows, (&is_other, &types)).map_err(failed)?;
    let before = if spec.feed { before } else { Vec::new() };
    let before = in_parts(&before, &|before| befores(spec, found, before)).map_err(failed)?;
    Ok(Plan { data, nets: written, before, dead, gaps, counts })
}

/// What `make` makes of `rows`; where that is more text than an array can have, of each half of
/// them.
fn in_parts<T>(
    rows: &[T],
    make: &impl Fn(&[T]) -> Result<RecordBatch, ArrowError>,
) -> Result<Vec<RecordBatch>, ArrowError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    match make(rows) {
        Err(ArrowError::OffsetOverflowError(_)) if rows.len() > 1 => {
            let (first, second) = rows.split_at(rows.len() / 2);
            Ok([in_parts(first, make)?, in_parts(second, make)?].concat())
        }
        made => Ok(vec![made?]),
    }
}

/// The rows that `upserts` set, with all values.
fn assemble(
    spec: &UpsertSpec,
    (changes, collapsed): (&Gathered, &Collapsed),
    found: &Found,
    upserts: &[Upsert<'_>],
) -> Result<RecordBatch, ArrowError> {
    let (of_batch, whole) = wholes(found);
    let ours = changes.batches().len();
    let column = |column: usize| -> Result<ArrayRef, ArrowError> {
        let sent = changes.batches().iter().map(|rows| rows.column(column).as_ref());
        let sources: Vec<&dyn Array> = sent.chain(whole.iter().map(|rows| rows.column(column).as_ref())).collect();
        let places = upserts.iter().map(|upsert| {
            let net = &collapsed.nets[upsert.net];
            match net.kept.iter().find(|(of, _)| *of == column).map(|(_, kept)| *kept) {
                None => changes.place(net.row),
                Some(Kept::Change(change)) => changes.place(change),
                Some(Kept::Lake) => (ours + of_batch[upsert.hits[0].at.0], upsert.hits[0].at.1),
            }
        });
        interleave(&sources, &places.collect::<Vec<_>>())
    };
    let columns = (0..spec.columns().fields().len()).map(column).collect::<Result<_, _>>()?;
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
fn others(whole: &Keys, rows: &[RecordBatch], upserts: &[Upsert<'_>], found: &Found) -> Result<Vec<bool>, StoreError> {
    let ours = whole.of_batches(rows)?;
    let read = |batch: &super::lookup::Batch| batch.is_whole.then(|| whole.of_all(&batch.rows)).transpose();
    let theirs = found.batches.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let is_other = upserts.iter().zip(ours.iter()).map(|(upsert, ours)| match upsert.hits {
        [only] => theirs[only.at.0].as_ref().is_none_or(|theirs| theirs.row(only.at.1) != ours),
        _ => true,
    });
    Ok(is_other.collect())
}

/// Those of `rows` that are others, as a file has them; there is a type for each.
fn chosen(
    spec: &UpsertSpec,
    rows: Vec<RecordBatch>,
    (mut is_other, mut types): (&[bool], &[&str]),
) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut chosen = Vec::new();
    for rows in rows {
        let (of_these, rest) = is_other.split_at(rows.num_rows());
        let rows = filter_record_batch(&rows, &BooleanArray::from(of_these.to_vec()))?;
        let (types_of_these, types_of_rest) = types.split_at(rows.num_rows());
        chosen.push(with_types(spec, &rows, types_of_these.to_vec())?);
        (is_other, types) = (rest, types_of_rest);
    }
    Ok(chosen)
}

/// What rows were, and what has become of each.
fn befores(spec: &UpsertSpec, found: &Found, rows: &[((usize, usize), &str)]) -> Result<RecordBatch, ArrowError> {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int64Array;

    use super::*;

    #[test]
    fn what_is_too_much_for_an_array_is_in_several() {
        let make = |rows: &[i64]| match rows.iter().sum::<i64>() > 10 {
            true => Err(ArrowError::OffsetOverflowError(0)),
            false => RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(rows.to_vec())) as ArrayRef)]),
        };
        let parts = in_parts(&[1, 2, 3, 4, 5, 6, 7], &make).unwrap();
        assert!(parts.len() > 2);
        let schema = parts[0].schema();
        let all = arrow_select::concat::concat_batches(&schema, &parts).unwrap();
        let wanted = Arc::new(Int64Array::from_iter_values(1..8)) as ArrayRef;
        assert_eq!(all, RecordBatch::try_from_iter([("n", wanted)]).unwrap());
        assert!(in_parts(&[11], &make).is_err(), "one row cannot be parted");
        assert!(in_parts(&[], &make).unwrap().is_empty());
    }
}
