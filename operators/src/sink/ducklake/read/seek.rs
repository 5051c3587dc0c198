//! Seeking rows: where those are that a reader sees at the newest snapshot and that somebody looks
//! for, by the values of some columns.
//!
//! The position of a row counts all rows of its data file from 0, also deleted ones. So do DuckDB
//! 1.5.5's deletes, whatever the rows' own ids are.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch};
use arrow_select::filter::{filter, filter_record_batch};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::columns::Columns;
use super::decode::chosen;
use super::deletes::{self, Positions};
use super::files::DataFile;
use super::inlined::Inlined;
use super::open::open;
use super::{AHEAD, Fault, Seen, attempt, outcome};
use crate::error::StoreError;
use crate::sink::ducklake::catalog::Lake;
use crate::sink::ducklake::places::Places;
use crate::sink::ducklake::tables::{Column, Table};

/// Says which rows of a batch are sought.
type Seek<'a> = &'a mut (dyn FnMut(&RecordBatch) -> Vec<bool> + Send);

impl Lake {
    /// The places of the rows of `table` that `is_sought` chooses, of those that a reader sees at
    /// the newest snapshot. It is called with batches of `columns`, as [`Lake::rows`] has them, and
    /// `within` leaves out files as there.
    pub async fn places(
        &self,
        table: &Table,
        columns: &[&Column],
        within: Option<(&Column, RangeInclusive<i64>)>,
        is_sought: Seek<'_>,
    ) -> Result<Places, StoreError> {
        let odd = |why: String| StoreError::definite(format!("read table {:?} of {}", table.name, self.shown()), why);
        let columns = Arc::new(Columns::new(columns).map_err(odd)?);
        let Seen { snapshot, next_file, files, inlined } = self.seen(table, &columns, within.as_ref()).await?;
        let mut places = Places::new(table.id, next_file);
        for file in files {
            self.seek_in(table, file, &columns, snapshot, is_sought, &mut places).await?;
        }
        for Inlined { table, row_ids, batch } in inlined {
            let sought = is_sought(&batch);
            places.add_inlined(&table, only(&sought, &row_ids));
        }
        Ok(places)
    }

    /// Adds the places of one file.
    async fn seek_in(
        &self,
        table: &Table,
        file: DataFile,
        columns: &Arc<Columns>,
        snapshot: i64,
        is_sought: Seek<'_>,
        places: &mut Places,
    ) -> Result<(), StoreError> {
        let DataFile { id, place, is_partial, mut deleted, delete_files, .. } = file;
        if is_partial {
            return Err(StoreError::definite(
                attempt(table, &place),
                "it has rows of snapshots that are still to come",
            ));
        }
        for place in &delete_files {
            let content = self.content(table, place).await?;
            let decoded = spawn_blocking(move || deletes::positions(content, snapshot)).await;
            deleted.extend(outcome(table, place, decoded)?);
        }
        let content = self.content(table, &place).await?;
        let columns = columns.clone();
        let (sender, mut batches) = mpsc::channel(AHEAD);
        let decoding = spawn_blocking(move || {
            // If the receiver is gone, nobody needs the rest.
            placed(content, &columns, &Positions::new(deleted), |batch| sender.blocking_send(batch).is_ok())
        });
        while let Some((batch, positions)) = batches.recv().await {
            let sought = is_sought(&batch);
            places.add(id, only(&sought, positions.values()));
        }
        outcome(table, &place, decoding.await)
    }
}

/// Those of `numbers` whose rows are sought.
fn only<'a>(sought: &'a [bool], numbers: &'a [i64]) -> impl Iterator<Item = i64> + 'a {
    debug_assert_eq!(sought.len(), numbers.len(), "every row is sought or not");
    sought.iter().zip(numbers).filter(|(is_sought, _)| **is_sought).map(|(_, number)| *number)
}

/// Hands the rows of the file with this `content` to `send`, each with its position, in batches,
/// until that returns `false`: all but the `deleted` ones.
pub(super) fn placed(
    content: Vec<u8>,
    columns: &Columns,
    deleted: &Positions,
    send: impl Fn((RecordBatch, Int64Array)) -> bool,
) -> Result<(), Fault> {
    let wanted: Vec<i64> = columns.each().map(|(column, _)| column.id).collect();
    let mut first = 0;
    for batch in open(content, |roots| chosen(roots, &wanted))? {
        let batch = batch?;
        let next = first + i64::try_from(batch.num_rows())?;
        let positions = Int64Array::from_iter_values(first..next);
        let left = deleted.left(first, batch.num_rows());
        first = next;
        let (batch, positions) = match left {
            Some(left) => {
                let positions = filter(&positions, &left)?;
                (filter_record_batch(&batch, &left)?, positions.as_primitive::<Int64Type>().clone())
            }
            None => (batch, positions),
        };
        if batch.num_rows() > 0 && !send((columns.of_file(&batch)?, positions)) {
            break;
        }
    }
    Ok(())
}
