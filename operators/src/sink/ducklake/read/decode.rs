//! Decoding a data file: its rows that count, as the table has them now.
//!
//! A file may hold rows of several snapshots, because files were merged or inlined rows flushed.
//! Then each row says in a column of its own which snapshot added it, and
//! `ducklake_data_file.partial_max` is the greatest of them. A column with row ids may be there
//! too; it is of no use here.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use parquet::schema::types::TypePtr;

use super::Fault;
use super::columns::{Columns, found};
use super::deletes::Positions;
use super::open::open;

/// The field id of `_ducklake_internal_snapshot_id`, as DuckDB 1.5.5 writes it
/// (`MultiFileReader::LAST_UPDATED_SEQUENCE_NUMBER_ID`).
pub(super) const SNAPSHOT_FIELD_ID: i64 = 2_147_483_539;

/// Hands the rows of the file with this `content` to `send`, in batches, until that returns
/// `false`: all but those at the positions `deleted` and, if `newest` is given, those of later
/// snapshots.
pub(super) fn rows(
    content: Vec<u8>,
    columns: &Columns,
    deleted: &Positions,
    newest: Option<i64>,
    send: impl Fn(RecordBatch) -> bool,
) -> Result<(), Fault> {
    let mut wanted: Vec<i64> = columns.each().map(|(column, _)| column.id).collect();
    wanted.extend(newest.map(|_| SNAPSHOT_FIELD_ID));
    let mut first = 0;
    for batch in open(content, |roots| chosen(roots, &wanted))? {
        let batch = batch?;
        let mut left = deleted.left(first, batch.num_rows());
        first += i64::try_from(batch.num_rows())?;
        if let Some(newest) = newest {
            let seen = seen(&batch, newest)?;
            left = Some(match left {
                Some(left) => BooleanArray::from(left.values() & seen.values()),
                None => seen,
            });
        }
        let batch = match left {
            Some(left) => filter_record_batch(&batch, &left)?,
            None => batch,
        };
        // Only rows that count are fitted: what others hold need not suit the table any more.
        if batch.num_rows() > 0 && !send(columns.of_file(&batch)?) {
            break;
        }
    }
    Ok(())
}

/// The indices of the columns with the ids `wanted`.
pub(super) fn chosen(roots: &[TypePtr], wanted: &[i64]) -> Result<Vec<usize>, Fault> {
    let id = |root: &TypePtr| {
        let info = root.get_basic_info();
        info.has_id().then(|| i64::from(info.id()))
    };
    // Names would find what was dropped or renamed since.
    if roots.iter().all(|root| id(root).is_none()) {
        return Err("its columns have no field ids".into());
    }
    let is_wanted = |(_, root): &(usize, &TypePtr)| id(root).is_some_and(|id| wanted.contains(&id));
    Ok(roots.iter().enumerate().filter(is_wanted).map(|(index, _)| index).collect())
}

/// Which rows of `batch` are of the snapshot `newest` or an earlier one.
fn seen(batch: &RecordBatch, newest: i64) -> Result<BooleanArray, Fault> {
    let array = found(batch, SNAPSHOT_FIELD_ID).and_then(|(_, array)| array.as_primitive_opt::<Int64Type>());
    match array {
        Some(array) if array.null_count() == 0 => Ok(BooleanArray::from_unary(array, |snapshot| snapshot <= newest)),
        _ => Err("it has rows of several snapshots, but does not say which row is of which".into()),
    }
}
