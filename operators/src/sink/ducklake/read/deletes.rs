//! Deleted rows: the positions that delete files hold, and which rows of a file are left.
//!
//! A position counts the rows of a data file from 0. As DuckDB 1.5.5 writes a delete file, it is
//! Parquet with the columns `file_path`, `pos` and, if its rows were deleted by several snapshots,
//! `_ducklake_internal_snapshot_id`. A delete file is of one data file, so its paths say nothing.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, BooleanArray, Int64Array, RecordBatch};

use super::Fault;
use super::open::open;

/// The column of positions.
const POSITION: &str = "pos";
/// The column that says which snapshot deleted a row.
const SNAPSHOT: &str = "_ducklake_internal_snapshot_id";

/// The positions that the delete file with this `content` has deleted at `snapshot`, in any order.
pub(super) fn positions(content: Vec<u8>, snapshot: i64) -> Result<Vec<i64>, Fault> {
    let reader = open(content, |roots| {
        let is_wanted = |(_, name): &(usize, &str)| [POSITION, SNAPSHOT].contains(name);
        Ok(roots.iter().map(|root| root.name()).enumerate().filter(is_wanted).map(|(index, _)| index).collect())
    })?;
    let mut all = Vec::new();
    for batch in reader {
        let batch = batch?;
        let positions = numbers(&batch, POSITION)?.ok_or("it has no column \"pos\"")?;
        match numbers(&batch, SNAPSHOT)? {
            Some(since) => {
                let both = positions.values().iter().zip(since.values().iter());
                all.extend(both.filter(|(_, since)| **since <= snapshot).map(|(position, _)| *position));
            }
            None => all.extend_from_slice(positions.values()),
        }
    }
    Ok(all)
}

/// A column of integers without nulls, if it is there.
fn numbers<'b>(batch: &'b RecordBatch, name: &str) -> Result<Option<&'b Int64Array>, Fault> {
    let Some(array) = batch.column_by_name(name) else { return Ok(None) };
    let array = array.as_primitive_opt::<Int64Type>().filter(|array| array.null_count() == 0);
    array.map(Some).ok_or_else(|| format!("its column {name:?} is not one of 64-bit integers, or has nulls").into())
}

/// The positions of deleted rows in one file.
pub(super) struct Positions(Vec<i64>);

impl Positions {
    /// These positions, which may be in any order and some of them there twice.
    pub(super) fn new(mut all: Vec<i64>) -> Positions {
        all.sort_unstable();
        Positions(all)
    }

    /// Which of the `rows` rows from position `first` on are left; none if all are.
    pub(super) fn left(&self, first: i64, rows: usize) -> Option<BooleanArray> {
        let from = self.0.partition_point(|position| *position < first);
        let mut left = None;
        for position in &self.0[from..] {
            let row = usize::try_from(position - first).ok().filter(|row| *row < rows);
            let Some(row) = row else { break };
            left.get_or_insert_with(|| vec![true; rows])[row] = false;
        }
        left.map(BooleanArray::from)
    }
}
