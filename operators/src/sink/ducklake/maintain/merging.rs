//! Files of one table are written into one, row by row.
//!
//! The file is as DuckDB's merged files are: behind the table's columns each row says its id and
//! the snapshot that added it, so that a reader of an older snapshot leaves out what came later.
//! Source files are read one after the other, each as a whole, and decoded in batches on a thread
//! of their own, which have few rows if these are wide; the rows that are not written yet take
//! [`MOST_MEMORY`] at most.

use std::cell::RefCell;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch};
use tokio::sync::mpsc;

use super::choose::Small;
use crate::error::StoreError;
use crate::protocol::Pending;
use crate::protocol::clock::Clock;
use crate::protocol::names::TableId;
use crate::protocol::staged::StagedFile;
use crate::sink::ducklake::catalog::Lake;
use crate::sink::ducklake::detail::Detail;
use crate::sink::ducklake::read::Whole;
use crate::sink::ducklake::stage::LakeStage;
use crate::sink::ducklake::tables::{Column, Table, Tables};
use crate::sink::ducklake::types::LakeType;
use crate::sink::files::blocking;
use crate::sink::{Stage, StageWriter};

/// The columns that DuckDB's merged files have behind those of the table, with their field ids
/// (`MultiFileReader::ROW_ID_FIELD_ID` and `LAST_UPDATED_SEQUENCE_NUMBER_ID`).
const ROW_ID: (i64, &str) = (2_147_483_540, "_ducklake_internal_row_id");
const SNAPSHOT: (i64, &str) = (2_147_483_539, "_ducklake_internal_snapshot_id");

/// A row group is closed once its rows take this many bytes of memory.
const MOST_MEMORY: u64 = 32 << 20;

/// A file that has the rows of others, and that no snapshot names yet.
pub(super) struct Merged {
    pub(super) table: Arc<Table>,
    pub(super) sources: Vec<Small>,
    pub(super) staged: StagedFile,
    pub(super) detail: Detail,
    /// The id of its first row, if the others follow without a gap.
    pub(super) row_id: Option<i64>,
}

/// A file that is written, and is made durable by a future.
struct Written {
    durable: Pending<'static, Result<Vec<StagedFile>, StoreError>>,
    row_id: Option<i64>,
}

/// Writes the rows of `sources`, files of `table` in `lake`, into one file.
pub(super) async fn merge(
    lake: &Lake,
    table: &Arc<Table>,
    sources: Vec<Small>,
    clock: Arc<dyn Clock>,
) -> Result<Merged, StoreError> {
    let attempt = format!("merge files of table {:?}", table.name);
    let folder = folder(&sources);
    let wide = widened(table, &folder);
    let whole = Whole::new(&wide.columns.iter().collect::<Vec<_>>());
    let whole = whole.map_err(|why| StoreError::definite(attempt.clone(), why))?;
    let (sender, mut contents) = mpsc::channel::<(Small, Vec<u8>)>(1);
    let (count, told) = (sources.len(), attempt.clone());
    let writing = tokio::spawn(blocking(move || {
        let mut writing = Writing::begin(wide, whole, clock, told)?;
        for _ in 0..count {
            let Some((source, content)) = contents.blocking_recv() else {
                return Err(writing.failed("it was abandoned"));
            };
            writing.add(&source, content)?;
        }
        writing.finish()
    }));
    for source in &sources {
        let content = lake.content(table, &table.place.join(&source.path)).await?;
        // If the receiver is gone, it says why.
        if sender.send((source.clone(), content)).await.is_err() {
            break;
        }
    }
    drop(sender);
    let written = writing.await.map_err(|error| StoreError::definite(attempt.clone(), error))?;
    let Written { durable, row_id } = written?;
    let [mut staged] = <[StagedFile; 1]>::try_from(durable.await?)
        .map_err(|files| StoreError::definite(attempt, format!("{} files came of it", files.len())))?;
    staged.path = format!("{folder}{}", staged.path);
    let detail = detail(&staged, &sources[0])?;
    Ok(Merged { table: table.clone(), sources, staged, detail, row_id })
}

/// The folder of `sources` in that of their table, with a slash behind it; empty if they lie there
/// themselves. If there are two, it is the one of their partition.
fn folder(sources: &[Small]) -> String {
    let mut folders = sources.iter().filter_map(|source| source.path.rsplit_once('/'));
    folders.next().map(|(folder, _)| format!("{folder}/")).unwrap_or_default()
}

/// `table` with the columns of merged files, in this `folder` of its own. All rows are of one
/// partition.
fn widened(table: &Table, folder: &str) -> Table {
    let column = |(id, name): (i64, &str)| {
        let (name, of, nullable) = (name.to_owned(), LakeType::Int64, true);
        Column { id, name, of, nullable, element: None, defaults: (None, None) }
    };
    let columns = table.columns.iter().cloned().chain([ROW_ID, SNAPSHOT].map(column)).collect();
    let place = match folder {
        "" => table.place.clone(),
        folder => table.place.join(folder.trim_end_matches('/')),
    };
    Table { columns, place, partition: None, ..table.clone() }
}

/// What the catalog will say of a file: nothing of the columns that the table does not have.
fn detail(staged: &StagedFile, source: &Small) -> Result<Detail, StoreError> {
    let mut detail = Detail::read(&staged.detail)?;
    let is_own = |id: i64| id != ROW_ID.0 && id != SNAPSHOT.0;
    detail.columns.retain(|(id, _)| is_own(*id));
    detail.leaves.retain(|leaf| is_own(leaf.column));
    (detail.partition, detail.values) = (source.partition, source.values.clone());
    Ok(detail)
}

/// A file that is being written.
struct Writing {
    whole: Whole,
    writer: Box<dyn StageWriter>,
    /// What was attempted if it fails.
    attempt: String,
    /// The ids of the first row and of the next one, as long as there is no gap.
    row_ids: Option<(i64, i64)>,
    rows: i64,
}

impl Writing {
    fn begin(table: Table, whole: Whole, clock: Arc<dyn Clock>, attempt: String) -> Result<Writing, StoreError> {
        let tables = Tables::default();
        tables.set(vec![table]);
        let writer = LakeStage::new(TableId(0), Arc::new(tables), clock).begin()?;
        Ok(Writing { whole, writer, attempt, row_ids: None, rows: 0 })
    }

    fn failed(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::definite(self.attempt.clone(), why)
    }

    /// Adds all rows of `source`, which has this `content`.
    fn add(&mut self, source: &Small, content: Vec<u8>) -> Result<(), StoreError> {
        let (whole, before) = (self.whole.clone(), self.rows);
        let (writing, failure) = (RefCell::new(&mut *self), RefCell::new(None));
        let read = whole.rows(content, |batch| {
            let mut writing = writing.borrow_mut();
            let at = writing.rows - before;
            let written = writing.write(source, at, &batch);
            failure.replace(written.err()).is_none() && failure.borrow().is_none()
        });
        if let Some(error) = failure.into_inner() {
            return Err(error);
        }
        read.map_err(|fault| self.failed(format!("file {:?}: {fault}", source.path)))?;
        let (rows, path) = (self.rows - before, &source.path);
        match rows == source.rows {
            true => Ok(()),
            false => Err(self.failed(format!("file {path:?} has {rows} rows, and the catalog says {}", source.rows))),
        }
    }

    /// Adds rows of `source` that begin at position `at` there.
    fn write(&mut self, source: &Small, at: i64, batch: &RecordBatch) -> Result<(), StoreError> {
        let odd = |what| self.failed(format!("file {:?} does not say {what} its rows have", source.path));
        let (oldest, newest) = source.snapshots;
        let mut columns = batch.columns().to_vec();
        let (Some(snapshots), Some(ids)) = (columns.pop(), columns.pop()) else { return Err(odd("which columns")) };
        let ids = completed(&ids, |row| Some(source.row_id? + at + row)).ok_or_else(|| odd("which ids"))?;
        let snapshots = completed(&snapshots, |_| (oldest == newest).then_some(oldest));
        let snapshots = snapshots.ok_or_else(|| odd("which snapshots"))?;
        self.follow(&ids);
        columns.extend([Arc::new(ids) as ArrayRef, Arc::new(snapshots)]);
        let batch = RecordBatch::try_new(batch.schema(), columns).map_err(|error| self.failed(error))?;
        self.rows += i64::try_from(batch.num_rows()).map_err(|error| self.failed(error))?;
        self.writer.write(&batch)?;
        match self.writer.memory() > MOST_MEMORY {
            true => self.writer.relieve(),
            false => Ok(()),
        }
    }

    /// Notes whether the rows with these ids follow those before.
    fn follow(&mut self, ids: &Int64Array) {
        for id in ids.values() {
            self.row_ids = match self.row_ids {
                None if self.rows == 0 => Some((*id, id + 1)),
                Some((first, next)) if next == *id => Some((first, next + 1)),
                _ => return self.row_ids = None,
            };
        }
    }

    fn finish(self) -> Result<Written, StoreError> {
        Ok(Written { durable: self.writer.finish()?, row_id: self.row_ids.map(|(first, _)| first) })
    }
}

/// The numbers that a file has in this column, or those that it does not need to have.
fn completed(array: &ArrayRef, missing: impl Fn(i64) -> Option<i64>) -> Option<Int64Array> {
    let array = array.as_primitive_opt::<Int64Type>()?;
    if array.null_count() == 0 {
        return Some(array.clone());
    }
    (0_i64..)
        .zip(array)
        .map(|(row, value)| value.or_else(|| missing(row)))
        .collect::<Option<Vec<i64>>>()
        .map(Int64Array::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_does_not_say_the_catalog_does() {
        let array = |values: Vec<Option<i64>>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let numbers = |array: Option<Int64Array>| array.map(|array| array.values().to_vec());
        assert_eq!(numbers(completed(&array(vec![Some(7), Some(9)]), |_| None)), Some(vec![7, 9]));
        assert_eq!(numbers(completed(&array(vec![None, None]), |row| Some(40 + row))), Some(vec![40, 41]));
        assert_eq!(numbers(completed(&array(vec![Some(7), None]), |_| None)), None);
    }

    #[test]
    fn a_merged_file_lies_where_its_sources_do() {
        let small = |path: &str| Small {
            id: 1,
            table: 1,
            path: path.to_owned(),
            snapshots: (1, 1),
            rows: 1,
            bytes: 1,
            row_id: None,
            partition: None,
            values: Vec::new(),
        };
        assert_eq!(folder(&[small("a.parquet"), small("b.parquet")]), "");
        assert_eq!(folder(&[small("a.parquet"), small("day=1/hour=2/b.parquet")]), "day=1/hour=2/");
    }
}
