//! Rows with their history: the id of each, the snapshot that added it, and whether it was deleted
//! since. This is how a proof finds the rows of a commit, wherever others have moved them.
//!
//! | how a row came into a file | its id | the snapshot that added it |
//! |---|---|---|
//! | inserted | the file's first id, and its position | the file's |
//! | by a merge, or a flush of inlined rows | a column | a column |
//! | by an update | a column: that of the row before it | the file's: that of the update |
//! | by a rewrite, which leaves deleted rows out | a column | the file's: that of the rewrite |
//!
//! So it is with DuckDB 1.5.5. Deleted rows stay in their file until it is rewritten, and files
//! that were rewritten stay until the snapshots that see them expire.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_postgres::{Client, IsolationLevel};

use super::columns::{Columns, found};
use super::decode::{SNAPSHOT_FIELD_ID, chosen};
use super::deletes::{self, Positions};
use super::files::DataFile;
use super::open::open;
use super::{AHEAD, Asking, Fault, attempt, outcome};
use crate::error::{StoreError, chain};
use crate::postgres;
use crate::sink::ducklake::catalog::Lake;
use crate::sink::ducklake::tables::Table;

/// The field id of `_ducklake_internal_row_id`, as DuckDB 1.5.5 writes it
/// (`MultiFileReader::ROW_ID_FIELD_ID`).
pub(super) const ROW_FIELD_ID: i64 = 2_147_483_540;

/// A data file of a table.
pub struct TracedFile {
    /// The snapshot that added it.
    pub begin: i64,
    /// The snapshot that no longer has it; `None` if the newest one has.
    pub end: Option<i64>,
    /// How many rows it has, according to the catalog.
    pub rows: u64,
    file: DataFile,
}

/// Some rows of a file.
pub struct Traced {
    /// The columns that were asked for and that the file has, with their field ids.
    pub batch: RecordBatch,
    /// The ids of the rows.
    pub row_ids: Vec<i64>,
    /// The snapshots that added them.
    pub since: Vec<i64>,
    /// Which of them were not deleted; `None` if none was.
    pub left: Option<BooleanArray>,
}

/// What became of reading a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All of its rows were read.
    Whole,
    /// It is gone or damaged, for this reason.
    Not(String),
}

/// The files of a table at a snapshot, and the ids of rows that are inlined in the catalog, each
/// with the snapshot that added it.
pub struct Tracing {
    /// The files.
    pub files: Vec<TracedFile>,
    /// The inlined rows.
    pub inlined: Vec<(i64, i64)>,
}

impl TracedFile {
    /// Where it is, for messages.
    pub fn shown(&self) -> String {
        self.file.place.to_string()
    }

    /// Its number in the catalog.
    pub(in crate::sink::ducklake) fn id(&self) -> i64 {
        self.file.id
    }

    fn of(file: DataFile, end: Option<i64>) -> TracedFile {
        TracedFile { begin: file.begin, end, rows: u64::try_from(file.rows).unwrap_or_default(), file }
    }
}

impl Lake {
    /// The files of `table` at `snapshot`, which must not have expired.
    pub(in crate::sink::ducklake) async fn tracing(&self, table: &Table, snapshot: i64) -> Result<Tracing, StoreError> {
        let mut client = self.connect().await?;
        let transaction = reading(&mut client).await.map_err(|e| self.failed_to_trace(table, e))?;
        let asking = Asking { lake: self, client: transaction.client(), table, snapshot };
        asking.require_snapshot().await?;
        let files = asking.files(None).await?.into_iter().map(|file| TracedFile::of(file, None)).collect();
        let inlined = asking.inlined_ids().await?;
        transaction.commit().await.map_err(|e| self.failed_to_trace(table, e))?;
        Ok(Tracing { files, inlined })
    }

    /// The files that `table` had before `snapshot`, as far as they have not expired.
    pub(in crate::sink::ducklake) async fn ended(
        &self,
        table: &Table,
        snapshot: i64,
    ) -> Result<Vec<TracedFile>, StoreError> {
        let mut client = self.connect().await?;
        let transaction = reading(&mut client).await.map_err(|e| self.failed_to_trace(table, e))?;
        let asking = Asking { lake: self, client: transaction.client(), table, snapshot };
        let files = asking.ended().await?;
        transaction.commit().await.map_err(|e| self.failed_to_trace(table, e))?;
        Ok(files)
    }

    /// The inlined rows of `table` at `snapshot`.
    pub(in crate::sink::ducklake) async fn inlined_rows(
        &self,
        table: &Table,
        columns: &Columns,
        snapshot: i64,
    ) -> Result<Vec<RecordBatch>, StoreError> {
        let mut client = self.connect().await?;
        let transaction = reading(&mut client).await.map_err(|e| self.failed_to_trace(table, e))?;
        let asking = Asking { lake: self, client: transaction.client(), table, snapshot };
        let batches = asking.inlined(columns).await?.into_iter().map(|inlined| inlined.batch).collect();
        transaction.commit().await.map_err(|e| self.failed_to_trace(table, e))?;
        Ok(batches)
    }

    fn failed_to_trace(&self, table: &Table, error: tokio_postgres::Error) -> StoreError {
        postgres::failed(format!("read table {:?} of {}", table.name, self.shown()), error)
    }
}

/// A transaction in which all answers are of one moment.
pub(super) async fn reading(client: &mut Client) -> Result<tokio_postgres::Transaction<'_>, tokio_postgres::Error> {
    client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await
}

impl Asking<'_> {
    /// What an expired snapshot had may be gone, which must not look like a loss.
    async fn require_snapshot(&self) -> Result<(), StoreError> {
        let sql = format!("SELECT FROM {}.ducklake_snapshot WHERE snapshot_id = $1", self.lake.schema);
        match self.query(&sql, &[&self.snapshot]).await?.is_empty() {
            true => {
                let why = format!("snapshot {} has expired while it was read: try again", self.snapshot);
                Err(StoreError::transient(self.attempt(), why))
            }
            false => Ok(()),
        }
    }

    async fn ended(&self) -> Result<Vec<TracedFile>, StoreError> {
        let sql = format!(
            "SELECT data_file_id, COALESCE(path, ''), COALESCE(path_is_relative, true), COALESCE(file_format, 'parquet'), \
             COALESCE(encryption_key, '') <> '', begin_snapshot, end_snapshot, row_id_start, COALESCE(record_count, 0) \
             FROM {}.ducklake_data_file WHERE table_id = $1 AND end_snapshot <= $2 AND mapping_id IS NULL \
             ORDER BY data_file_id",
            self.lake.schema
        );
        let mut files = Vec::new();
        for row in self.query(&sql, &[&self.table.id, &self.snapshot]).await? {
            let path: &str = row.get(1);
            self.require_parquet(path, row.get(3), row.get(4))?;
            let place = self.place(path, row.get(2))?;
            let (deleted, delete_files) = (Vec::new(), Vec::new());
            let (begin, row_id_start, rows) = (row.get(5), row.get(7), row.get(8));
            let is_partial = false;
            let file = DataFile { id: row.get(0), place, is_partial, deleted, delete_files, begin, row_id_start, rows };
            files.push(TracedFile::of(file, Some(row.get(6))));
        }
        Ok(files)
    }
}

impl TracedFile {
    /// Calls `each` with all rows of the file that `snapshot` or an earlier one has added: those of
    /// its columns that have the field ids `wanted`. A file that is gone or damaged is no error.
    pub(in crate::sink::ducklake) async fn trace(
        &self,
        table: &Table,
        wanted: &[i64],
        snapshot: i64,
        each: &mut (dyn FnMut(Traced) -> Result<(), Fault> + Send),
    ) -> Result<Kept, StoreError> {
        let DataFile { place, delete_files, deleted, row_id_start, .. } = &self.file;
        let mut deleted = deleted.clone();
        for place in delete_files {
            let Some(bytes) = place.read().await? else {
                return Ok(Kept::Not(format!("its deletes, {place}, are gone")));
            };
            let decoded = spawn_blocking(move || deletes::positions(bytes, snapshot)).await;
            match outcome(table, place, decoded) {
                Ok(positions) => deleted.extend(positions),
                Err(error) => return Ok(Kept::Not(chain(&error))),
            }
        }
        let Some(bytes) = place.read().await? else { return Ok(Kept::Not("it is gone".to_owned())) };
        let history =
            RowHistory { begin: self.begin, first: *row_id_start, snapshot, deleted: Positions::new(deleted) };
        let wanted = [wanted, &[ROW_FIELD_ID, SNAPSHOT_FIELD_ID]].concat();
        let (sender, mut batches) = mpsc::channel(AHEAD);
        let decoding = spawn_blocking(move || {
            // If the receiver is gone, nobody needs the rest.
            history.rows(bytes, &wanted, |traced| sender.blocking_send(traced).is_ok())
        });
        while let Some(traced) = batches.recv().await {
            each(traced).map_err(|fault| StoreError::definite(attempt(table, place), fault))?;
        }
        match outcome(table, place, decoding.await) {
            Ok(()) => Ok(Kept::Whole),
            Err(error) => Ok(Kept::Not(chain(&error))),
        }
    }
}

/// What the catalog says of the rows of a file.
pub(super) struct RowHistory {
    pub(super) begin: i64,
    pub(super) first: Option<i64>,
    pub(super) snapshot: i64,
    pub(super) deleted: Positions,
}

impl RowHistory {
    /// Hands the rows of the file with this `content` to `send`, until that returns `false`.
    pub(super) fn rows(&self, content: Vec<u8>, wanted: &[i64], send: impl Fn(Traced) -> bool) -> Result<(), Fault> {
        let mut position = 0_i64;
        for batch in open(content, |roots| chosen(roots, wanted))? {
            let batch = batch?;
            let rows = batch.num_rows();
            let first = position;
            position += i64::try_from(rows)?;
            let row_ids = match (numbers(&batch, ROW_FIELD_ID)?, self.first) {
                (Some(ids), _) => ids,
                (None, Some(start)) => (start + first..start + position).collect(),
                (None, None) => return Err("it does not say what the ids of its rows are".into()),
            };
            let since = numbers(&batch, SNAPSHOT_FIELD_ID)?.unwrap_or_else(|| vec![self.begin; rows]);
            let left = self.deleted.left(first, rows);
            let traced = self.seen(Traced { batch, row_ids, since, left })?;
            if traced.row_ids.is_empty() {
                continue;
            }
            if !send(traced) {
                break;
            }
        }
        Ok(())
    }

    /// Without the rows of later snapshots.
    fn seen(&self, traced: Traced) -> Result<Traced, Fault> {
        if traced.since.iter().all(|since| *since <= self.snapshot) {
            return Ok(traced);
        }
        let mask: Vec<bool> = traced.since.iter().map(|since| *since <= self.snapshot).collect();
        let kept = |all: &[i64]| all.iter().zip(&mask).filter(|(_, kept)| **kept).map(|(one, _)| *one).collect();
        let left = traced.left.as_ref();
        let left = left.map(|left| left.iter().zip(&mask).filter(|(_, kept)| **kept).map(|(left, _)| left).collect());
        let (row_ids, since) = (kept(&traced.row_ids), kept(&traced.since));
        let batch = filter_record_batch(&traced.batch, &BooleanArray::from(mask))?;
        Ok(Traced { batch, row_ids, since, left })
    }
}

/// The integers of the column with this field id, if the file has it.
fn numbers(batch: &RecordBatch, id: i64) -> Result<Option<Vec<i64>>, Fault> {
    let Some((field, array)) = found(batch, id) else { return Ok(None) };
    match array.as_primitive_opt::<Int64Type>().filter(|array| array.null_count() == 0) {
        Some(array) => Ok(Some(array.values().to_vec())),
        None => Err(format!("its column {:?} is not one of 64-bit integers, or has nulls", field.name()).into()),
    }
}
