//! The content of a file, and what it means if the file is gone.
//!
//! Files are read after they were listed, without a lock. So a clean-up may remove one in between
//! that was merged, rewritten or expired: whoever looks anew finds its rows elsewhere. A file that
//! the newest snapshot still needs is lost.

use super::traced::reading;
use super::{Asking, attempt};
use crate::error::StoreError;
use crate::postgres;
use crate::sink::ducklake::catalog::Lake;
use crate::sink::ducklake::tables::Table;
use crate::sink::files::Place;

impl Lake {
    /// The whole file in `place`, which is one of `table`. If it is gone, the error is transient as
    /// long as the newest snapshot does without it.
    pub(in crate::sink::ducklake) async fn content(&self, table: &Table, place: &Place) -> Result<Vec<u8>, StoreError> {
        match place.read().await? {
            Some(content) => Ok(content),
            None if self.needs(table, place).await? => {
                let why = "it is gone, but the newest snapshot of the lake needs it: restore it from a copy";
                Err(StoreError::definite(attempt(table, place), why))
            }
            None => {
                let why = "it is gone: a clean-up has removed it since it was listed";
                Err(StoreError::transient(attempt(table, place), why))
            }
        }
    }

    /// Whether a reader of the newest snapshot needs the file in `place`.
    async fn needs(&self, table: &Table, place: &Place) -> Result<bool, StoreError> {
        let failed = |e| postgres::failed(format!("read table {:?} of {}", table.name, self.shown()), e);
        let mut client = self.connect().await?;
        let transaction = reading(&mut client).await.map_err(failed)?;
        let snapshot = self.head(transaction.client()).await?.snapshot;
        let files = Asking { lake: self, client: transaction.client(), table, snapshot }.files(None).await?;
        transaction.commit().await.map_err(failed)?;
        let shown = place.to_string();
        let is_it = |place: &Place| place.to_string() == shown;
        Ok(files.iter().any(|file| is_it(&file.place) || file.delete_files.iter().any(is_it)))
    }
}
