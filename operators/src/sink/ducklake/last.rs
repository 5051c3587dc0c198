//! A pipeline's last commit with rows, for those who only look, and for those who go on after it.

use serde_json::Value;

use super::group::LakeGroup;
use super::log::unsigned;
use super::noted::SOURCE;
use crate::error::StoreError;
use crate::position::Position;

/// A commit that has made a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSnapshot {
    /// The position that it has moved the pipeline to.
    pub position: Position,
    /// The number of the snapshot.
    pub snapshot: u64,
    /// When it was made, in milliseconds since 1970, by the catalog's clock.
    pub at_ms: u64,
}

impl LakeGroup {
    /// The last snapshot that this pipeline has made; none if it has made none.
    /// Its own tables must be there.
    pub async fn last_snapshot(&self) -> Result<Option<LastSnapshot>, StoreError> {
        let sql = format!(
            "SELECT position, snapshot_id, (extract(epoch FROM committed_at) * 1000)::int8 FROM {}.lakefront_commits \
             WHERE pipeline = $1 AND snapshot_id IS NOT NULL ORDER BY version DESC LIMIT 1",
            self.lake.schema
        );
        let row = self.lake.reader().await?.query_opt(&sql, &[&self.pipeline]).await;
        let row = row.map_err(|e| self.failed("read the commits of", e))?;
        Ok(row.map(|row| LastSnapshot {
            position: Position(unsigned(row.get(0))),
            snapshot: unsigned(row.get(1)),
            at_ms: unsigned(row.get(2)),
        }))
    }

    /// What the source has noted with that snapshot, if it has, and the position of its commit.
    pub async fn last_note(&self) -> Result<Option<(Position, Value)>, StoreError> {
        let sql = format!(
            "SELECT position, (tables -> $2::text)::text FROM {}.lakefront_commits WHERE pipeline = $1 AND snapshot_id IS \
             NOT NULL ORDER BY version DESC LIMIT 1",
            self.lake.schema
        );
        let row = self.lake.reader().await?.query_opt(&sql, &[&self.pipeline, &SOURCE]).await;
        let Some(row) = row.map_err(|e| self.failed("read the commits of", e))? else { return Ok(None) };
        let Some(note) = row.get::<_, Option<&str>>(1) else { return Ok(None) };
        let note = serde_json::from_str(note);
        let note = note.map_err(|e| StoreError::definite(format!("read the commits of {}", self.lake.shown()), e))?;
        Ok(Some((Position(unsigned(row.get(0))), note)))
    }
}
