//! The files that a table refers to: how many rows they hold according to the log, and which of
//! them can no longer be read.

use std::io::{Seek, Write};

use deltalake::DeltaTableError;
use deltalake::kernel::Snapshot;
use futures::TryStreamExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::pinned::Pinned;
use crate::error::StoreError;
use crate::sink::files::{Place, blocking};

/// A file that a table refers to but that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Lost {
    /// Its path, relative to the table.
    pub path: String,
    /// How many rows it held according to the log; none if the log does not say.
    pub rows: Option<u64>,
    /// Why it cannot be read.
    pub reason: String,
}

/// A file as the log describes it.
struct LoggedFile {
    path: String,
    size: u64,
    rows: Option<u64>,
}

/// The files of the newest version.
async fn told(place: &Place) -> Result<Vec<LoggedFile>, StoreError> {
    let failed = |error: DeltaTableError| place.library_failure(format!("list the files of table {place}"), error);
    let store = place.log_store()?;
    let snapshot = Snapshot::try_new(&*store, None).await.map_err(failed)?;
    let mut views = snapshot.file_views(&*store, None);
    let mut files = Vec::new();
    while let Some(view) = views.try_next().await.map_err(failed)? {
        let gone = view.deletion_vector_descriptor().map_or(0, |vector| vector.cardinality.unsigned_abs());
        let rows = view.num_records().map(|rows| (rows as u64).saturating_sub(gone));
        files.push(LoggedFile { path: view.path().into_owned(), size: view.size().unsigned_abs(), rows });
    }
    Ok(files)
}

/// How many rows a reader of the table in `place` sees.
pub(super) async fn rows(place: &Place) -> Result<u64, StoreError> {
    let files = told(place).await?;
    match files.iter().map(|file| file.rows).sum::<Option<u64>>() {
        Some(rows) => Ok(rows),
        // The log need not say how many rows a file holds.
        None => match Pinned::newest(place, "").await? {
            Some(pinned) => pinned.count().await,
            None => Ok(0),
        },
    }
}

/// The files that the newest version of the table in `place` refers to but that cannot be read.
pub(super) async fn lost(place: &Place) -> Result<Vec<Lost>, StoreError> {
    let mut lost = Vec::new();
    for LoggedFile { path, size, rows } in told(place).await? {
        let reason = match place.join(&path).read().await? {
            None => Some("it is gone".to_owned()),
            Some(content) if content.len() as u64 != size => {
                Some(format!("it has {} bytes, not {size}", content.len()))
            }
            Some(content) => blocking(move || Ok(damage(&content))).await?,
        };
        lost.extend(reason.map(|reason| Lost { path, rows, reason }));
    }
    Ok(lost)
}

/// Why a file with this content cannot be read; none if it can.
fn damage(content: &[u8]) -> Option<String> {
    let read = || -> Result<(), Box<dyn std::error::Error>> {
        let mut file = tempfile::tempfile()?;
        file.write_all(content)?;
        file.rewind()?;
        for batch in ParquetRecordBatchReaderBuilder::try_new(file)?.build()? {
            batch?;
        }
        Ok(())
    };
    read().err().map(|error| format!("it is damaged: {error}"))
}
