//! Places: where rows of a table are that a commit takes out of it.
//!
//! ```text
//! in a data file    its number, and the position of the row       ducklake_inlined_delete_<table>
//! inlined           the table of the catalog, and the row's id    its end_snapshot is set
//! ```
//!
//! Places are looked up long before the commit, and without a lock. Under the lock, [`Leaving`]
//! compares them with the catalog: if another writer has deleted one of the rows since, or has
//! merged, rewritten or flushed what holds it, the commit is void.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::catalog::Lake;
use crate::error::StoreError;
use crate::postgres::{self, quoted};
use crate::protocol::names::TableId;

/// Rows of one table of a lake, as they were seen at one or more looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The table's number in the catalog.
    table: i64,
    /// Files with this number and higher ones were made after the first look.
    next_file: i64,
    /// Positions of rows, by the numbers of their data files.
    files: BTreeMap<i64, BTreeSet<i64>>,
    /// Ids of inlined rows, by the names of their tables in the catalog.
    inlined: BTreeMap<String, BTreeSet<i64>>,
}

/// The rows that a commit replaces, by table. A table without such rows is left out.
pub type Replaced = BTreeMap<TableId, Places>;

impl Places {
    pub(super) fn new(table: i64, next_file: i64) -> Places {
        Places { table, next_file, files: BTreeMap::new(), inlined: BTreeMap::new() }
    }

    /// Adds rows of a data file.
    pub(super) fn add(&mut self, file: i64, positions: impl IntoIterator<Item = i64>) {
        let mut positions = positions.into_iter().peekable();
        if positions.peek().is_some() {
            self.files.entry(file).or_default().extend(positions);
        }
    }

    /// Adds inlined rows, which the catalog has in `table`.
    pub(super) fn add_inlined(&mut self, table: &str, ids: impl IntoIterator<Item = i64>) {
        let mut ids = ids.into_iter().peekable();
        if ids.peek().is_some() {
            self.inlined.entry(table.to_owned()).or_default().extend(ids);
        }
    }

    /// Adds what another look at the same table has found.
    pub fn extend(&mut self, other: Places) {
        debug_assert_eq!(self.table, other.table, "places are of one table");
        self.next_file = self.next_file.min(other.next_file);
        other.files.into_iter().for_each(|(file, positions)| self.add(file, positions));
        other.inlined.into_iter().for_each(|(table, ids)| self.add_inlined(&table, ids));
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.files.values().chain(self.inlined.values()).map(|rows| rows.len() as u64).sum()
    }

    /// The table's number in the catalog.
    pub(super) fn table(&self) -> i64 {
        self.table
    }

    /// How a snapshot's changes say that the rows go; they follow those that it inserts.
    ///
    /// DuckDB 1.5.5 writes `inlined_delete` for deletes that are inlined, so its deletes and its
    /// flush of inlined rows conflict with that. Its compactions look for `deleted_from_table`
    /// alone: without it, a merge beside this commit would bring the rows back.
    pub(super) fn changes(&self) -> String {
        let table = self.table;
        match (self.files.is_empty(), self.inlined.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!(",inlined_delete:{table}"),
            (false, _) => format!(",deleted_from_table:{table},inlined_delete:{table}"),
        }
    }

    /// The rows in data files: their files and positions, side by side.
    fn positions(&self) -> (Vec<i64>, Vec<i64>) {
        self.files.iter().flat_map(|(file, all)| all.iter().map(|position| (*file, *position))).unzip()
    }
}

/// Why rows cannot be taken out.
pub(super) enum Gone {
    /// They are not where they were.
    Moved,
    /// PostgreSQL refused.
    Refused(tokio_postgres::Error),
    Failed(StoreError),
}

impl From<tokio_postgres::Error> for Gone {
    fn from(error: tokio_postgres::Error) -> Gone {
        Gone::Refused(error)
    }
}

/// Rows of a table that leave it with a commit, which holds the lock.
pub(super) struct Leaving<'a> {
    pub(super) lake: &'a Lake,
    /// The connection that sees the catalog as it is.
    pub(super) reader: &'a Client,
    /// That of the commit's transaction.
    pub(super) session: &'a Client,
    pub(super) places: &'a Places,
}

impl Leaving<'_> {
    /// Takes the rows out, with `snapshot`: readers of earlier ones still see them.
    pub(super) async fn take_out(&self, snapshot: i64) -> Result<(), Gone> {
        if !self.places.files.is_empty() {
            self.delete(snapshot).await?;
        }
        for (table, ids) in &self.places.inlined {
            let ids: Vec<i64> = ids.iter().copied().collect();
            self.end(table, &ids, snapshot).await?;
        }
        Ok(())
    }

    /// Deletes rows of data files. DuckDB 1.5.5 reads any number of such rows, and brings them into
    /// delete files when inlined rows are flushed.
    async fn delete(&self, snapshot: i64) -> Result<(), Gone> {
        let table = format!("ducklake_inlined_delete_{}", self.places.table);
        let is_there = self.has_table(&table).await?;
        self.require_files(is_there.then_some(&*table)).await?;
        if !is_there {
            self.make(&table).await?;
        }
        let (files, positions) = self.places.positions();
        let sql = format!(
            "INSERT INTO {}.{} (file_id, row_id, begin_snapshot) \
             SELECT f, p, $3 FROM unnest($1::bigint[], $2::bigint[]) AS gone(f, p)",
            self.lake.schema,
            quoted(&table)
        );
        self.session.execute(&sql, &[&files, &positions, &snapshot]).await?;
        Ok(())
    }

    /// All rows are still in their files: these are alive, have no delete files that came since,
    /// and none of the rows is deleted in the table `deletes`.
    async fn require_files(&self, deletes: Option<&str>) -> Result<(), Gone> {
        let m = &self.lake.schema;
        let (files, positions) = self.places.positions();
        let sql = format!(
            "SELECT (SELECT count(*) FROM {m}.ducklake_data_file \
             WHERE data_file_id = ANY($1) AND table_id = $2 AND end_snapshot IS NULL), \
             EXISTS (SELECT FROM {m}.ducklake_delete_file \
             WHERE data_file_id = ANY($1) AND end_snapshot IS NULL AND delete_file_id >= $3)"
        );
        let alive: Vec<i64> = self.places.files.keys().copied().collect();
        let row = self.reader.query_one(&sql, &[&alive, &self.places.table, &self.places.next_file]).await;
        let row = row.map_err(|e| self.failed(e))?;
        if row.get::<_, i64>(0) != alive.len() as i64 || row.get(1) {
            return Err(Gone::Moved);
        }
        let Some(deletes) = deletes else { return Ok(()) };
        let sql = format!(
            "SELECT EXISTS (SELECT FROM {m}.{} d JOIN unnest($1::bigint[], $2::bigint[]) AS gone(f, p) \
             ON d.file_id = gone.f AND d.row_id = gone.p)",
            quoted(deletes)
        );
        match self.reader.query_one(&sql, &[&files, &positions]).await.map_err(|e| self.failed(e))?.get(0) {
            true => Err(Gone::Moved),
            false => Ok(()),
        }
    }

    /// Makes the table of deletes, as DuckDB 1.5.5 makes it for specification 1.0 and its successor
    /// for 1.1. Whoever may use the catalog's other tables may use it: DuckDB takes a table that it
    /// may not read for one that is not there, and would show the rows again.
    async fn make(&self, table: &str) -> Result<(), Gone> {
        let named = format!("{}.{}", self.lake.schema, quoted(table));
        let sql = "SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, \
                   string_agg(DISTINCT a.privilege_type, ', ') \
                   FROM pg_class c, aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner))) a \
                   WHERE c.oid = to_regclass($1) GROUP BY 1";
        let model = format!("{}.ducklake_delete_file", self.lake.schema);
        let rights = self.reader.query(sql, &[&model]).await.map_err(|e| self.failed(e))?;
        let mut sql =
            format!("CREATE TABLE IF NOT EXISTS {named} (file_id bigint, row_id bigint, begin_snapshot bigint)");
        for row in &rights {
            let (who, what): (&str, &str) = (row.get(0), row.get(1));
            sql.push_str(&format!("; GRANT {what} ON {named} TO {who}"));
        }
        match self.session.batch_execute(&sql).await {
            // Another writer has made it at the same time.
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Err(Gone::Moved),
            made => Ok(made?),
        }
    }

    /// Ends inlined rows, all of which must still count.
    async fn end(&self, table: &str, ids: &[i64], snapshot: i64) -> Result<(), Gone> {
        if !self.has_table(table).await? {
            return Err(Gone::Moved);
        }
        let sql = "SELECT EXISTS (SELECT FROM pg_attribute \
                   WHERE attrelid = to_regclass($1) AND attname = '_ducklake_end_snapshot' AND NOT attisdropped)";
        let named = format!("{}.{}", self.lake.schema, quoted(table));
        let row = self.reader.query_one(sql, &[&named]).await.map_err(|e| self.failed(e))?;
        // As specification 1.1 calls the columns that are not the table's.
        let prefix = if row.get(0) { "_ducklake_" } else { "" };
        let sql = format!(
            "UPDATE {named} SET {prefix}end_snapshot = $2 \
             WHERE {prefix}row_id = ANY($1) AND {prefix}end_snapshot IS NULL"
        );
        match self.session.execute(&sql, &[&ids, &snapshot]).await? == ids.len() as u64 {
            true => Ok(()),
            false => Err(Gone::Moved),
        }
    }

    async fn has_table(&self, name: &str) -> Result<bool, Gone> {
        let named = format!("{}.{}", self.lake.schema, quoted(name));
        let there = self.reader.query_one("SELECT to_regclass($1) IS NOT NULL", &[&named]).await;
        Ok(there.map_err(|e| self.failed(e))?.get(0))
    }

    fn failed(&self, error: tokio_postgres::Error) -> Gone {
        Gone::Failed(postgres::failed(format!("look for rows to replace in {}", self.lake.shown()), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_was_found_twice_is_one() {
        let mut places = Places::new(7, 30);
        places.add(3, [5, 6]);
        places.add(4, []);
        places.add_inlined("ducklake_inlined_data_7_1", []);
        let mut again = Places::new(7, 20);
        again.add(3, [6, 9]);
        again.add_inlined("ducklake_inlined_data_7_1", [100]);
        places.extend(again);
        assert_eq!(places.rows(), 4);
        assert_eq!(places.positions(), (vec![3, 3, 3], vec![5, 6, 9]));
        assert_eq!(places.next_file, 20, "a delete file that came after the first look is new");
    }

    #[test]
    fn changes_say_what_goes_to_those_who_look_for_it() {
        let mut places = Places::new(7, 30);
        assert_eq!(places.changes(), "");
        places.add_inlined("ducklake_inlined_data_7_1", [100]);
        assert_eq!(places.changes(), ",inlined_delete:7");
        places.add(3, [5]);
        assert_eq!(places.changes(), ",deleted_from_table:7,inlined_delete:7");
    }
}
