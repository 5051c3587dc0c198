//! Files that no snapshot needs any more are listed in the catalog, to be deleted later. Their
//! paths are within the data path there, not within the table's folder.

use tokio_postgres::Client;

use super::Keeping;
use crate::error::StoreError;

/// A file to be deleted.
pub(super) struct Gone {
    pub(super) id: i64,
    pub(super) table: i64,
    /// As the catalog has it, and whether that is within the table's folder.
    pub(super) path: (String, bool),
}

impl Keeping {
    /// Lists `files`, in two statements.
    pub(super) async fn schedule(&self, session: &Client, files: &[Gone]) -> Result<(), StoreError> {
        let m = &self.lake.schema;
        let sql = format!(
            "SELECT DISTINCT ON (t.table_id) t.table_id, COALESCE(s.path, ''), COALESCE(s.path_is_relative, true), \
             COALESCE(t.path, ''), COALESCE(t.path_is_relative, true) FROM {m}.ducklake_table t \
             JOIN {m}.ducklake_schema s ON s.schema_id = t.schema_id WHERE t.table_id = ANY($1) \
             ORDER BY t.table_id, t.begin_snapshot DESC"
        );
        let tables: Vec<i64> = files.iter().map(|file| file.table).collect();
        let rows = session.query(&sql, &[&tables]).await.map_err(|e| self.failed("read the tables of", e))?;
        let folders: Vec<(i64, (String, bool))> =
            rows.iter().map(|row| (row.get(0), within(&(row.get(1), row.get(2)), &(row.get(3), row.get(4))))).collect();
        let (mut ids, mut paths, mut relative) = (Vec::new(), Vec::new(), Vec::new());
        for file in files {
            let folder = folders.iter().find(|(table, _)| *table == file.table);
            // A file whose table is not known stays, as one that no snapshot names.
            let Some((_, folder)) = folder else { continue };
            let (path, is_relative) = within(folder, &file.path);
            ids.push(file.id);
            paths.push(path);
            relative.push(is_relative);
        }
        let sql = format!(
            "INSERT INTO {m}.ducklake_files_scheduled_for_deletion (data_file_id, path, path_is_relative, schedule_start) \
             SELECT *, clock_timestamp() FROM unnest($1::bigint[], $2::text[], $3::boolean[])"
        );
        let listed = session.execute(&sql, &[&ids, &paths, &relative]).await;
        listed.map(drop).map_err(|e| self.failed("schedule files for deletion in", e))
    }
}

/// The path `name` in `folder`, and whether it is within the data path.
fn within(folder: &(String, bool), name: &(String, bool)) -> (String, bool) {
    match (folder, name) {
        (_, (name, false)) => (name.clone(), false),
        ((folder, is_relative), (name, true)) => {
            let slash = if folder.is_empty() || folder.ends_with('/') { "" } else { "/" };
            (format!("{folder}{slash}{name}"), *is_relative)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_within_the_data_path() {
        let path = |folder: &str, is_relative, name: &str, is_within| {
            within(&(folder.to_owned(), is_relative), &(name.to_owned(), is_within))
        };
        assert_eq!(path("bronze/", true, "t/", true), ("bronze/t/".to_owned(), true));
        assert_eq!(path("bronze/t", true, "a.parquet", true), ("bronze/t/a.parquet".to_owned(), true));
        assert_eq!(path("", true, "a.parquet", true), ("a.parquet".to_owned(), true));
        assert_eq!(path("/far/t/", false, "a.parquet", true), ("/far/t/a.parquet".to_owned(), false));
        assert_eq!(path("bronze/t/", true, "/far/a.parquet", false), ("/far/a.parquet".to_owned(), false));
    }
}
