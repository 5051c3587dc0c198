//! Files that are scheduled for deletion are deleted, after a while: a reader may have listed them
//! just before.
//!
//! It does not matter who scheduled them. A file that the catalog names is not deleted, whatever it
//! is scheduled for and under whichever number: somebody may have taken it back. Names are compared
//! without their folders, because the same path can be written in several ways. Nor is a file
//! deleted that lies outside of the data path. First the file goes, then the catalog's row: whoever
//! is interrupted begins again.

use futures::{StreamExt, stream};

use super::Keeping;
use crate::error::{StoreError, chain};

/// So many files are deleted before the catalog is told.
const MANY: i64 = 500;
/// And so many at once.
const AT_ONCE: usize = 8;

impl Keeping {
    /// Deletes the files that are due. Returns how many.
    pub(super) async fn clean(&self) -> Result<usize, StoreError> {
        let (m, client) = (&self.lake.schema, self.connect().await?);
        let failed = |e| self.failed("clean up", e);
        let due = format!(
            "SELECT g.data_file_id, g.path FROM {m}.ducklake_files_scheduled_for_deletion g \
             WHERE g.schedule_start < clock_timestamp() - make_interval(secs => $1) AND g.path_is_relative \
             AND g.path NOT LIKE '%..%' AND g.data_file_id > $2 \
             AND NOT EXISTS (SELECT FROM {m}.ducklake_data_file f WHERE f.data_file_id = g.data_file_id) \
             AND NOT EXISTS (SELECT FROM {m}.ducklake_delete_file d WHERE d.delete_file_id = g.data_file_id) \
             AND NOT EXISTS (SELECT FROM {m}.ducklake_data_file f \
               WHERE regexp_replace(f.path, '.*/', '') = regexp_replace(g.path, '.*/', '')) \
             AND NOT EXISTS (SELECT FROM {m}.ducklake_delete_file d \
               WHERE regexp_replace(d.path, '.*/', '') = regexp_replace(g.path, '.*/', '')) \
             ORDER BY g.data_file_id LIMIT {MANY}"
        );
        let kept = self.settings.keep_files.as_secs_f64();
        let delete = format!("DELETE FROM {m}.ducklake_files_scheduled_for_deletion WHERE data_file_id = ANY($1)");
        let (mut count, mut after) = (0, -1_i64);
        // A file that cannot be deleted stays in the list, and is not tried twice.
        while self.is_ours(&client).await? {
            let rows = client.query(&due, &[&kept, &after]).await.map_err(failed)?;
            let files: Vec<(i64, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
            let Some((last, _)) = files.last() else { break };
            after = *last;
            let gone = stream::iter(files).map(|(id, path)| self.delete(id, path)).buffer_unordered(AT_ONCE);
            let gone: Vec<i64> = gone.filter_map(async |id| id).collect().await;
            fail::fail_point!("ducklake-clean-deleted");
            client.execute(&delete, &[&gone]).await.map_err(failed)?;
            count += gone.len();
        }
        if count > 0 {
            tracing::info!(files = count, "deleted files that no snapshot needs");
        }
        Ok(count)
    }

    /// Deletes one file; its number, if it is gone.
    async fn delete(&self, id: i64, path: String) -> Option<i64> {
        match self.lake.spec().data.join(&path).delete().await {
            Ok(()) => Some(id),
            Err(error) => {
                tracing::warn!(file = path, error = %chain(&error), "could not delete a file that no snapshot needs");
                None
            }
        }
    }
}
