//! A pipeline's last commit with rows, for those who only look.

use super::group::LakeGroup;
use super::log::unsigned;
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
}
