//! A snapshot of definitions: the catalog's rows of schemas, tables and columns that are made.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tokio_postgres::Transaction;
use uuid::Uuid;

use super::catalog::{Head, Lake};
use super::define::{Wanted, lacks};
use super::partition::partition_key;
use super::tables::Table;
use super::types::LakeType;
use crate::postgres::quoted;

/// A snapshot of definitions, being made.
pub(super) struct Making<'l> {
    lake: &'l Lake,
    head: Head,
    snapshot: i64,
    changes: Vec<String>,
    changed: Vec<i64>,
}

pub(super) type Made<T> = Result<T, tokio_postgres::Error>;

impl<'l> Making<'l> {
    pub(super) fn begin(lake: &'l Lake, head: Head) -> Making<'l> {
        Making { lake, head, snapshot: head.snapshot + 1, changes: Vec::new(), changed: Vec::new() }
    }

    fn next_id(&mut self) -> i64 {
        self.head.next_catalog_id += 1;
        self.head.next_catalog_id - 1
    }

    /// The number of the lake's schema.
    pub(super) async fn schema(&mut self, session: &Transaction<'_>, there: Option<i64>) -> Made<i64> {
        if let Some(id) = there {
            return Ok(id);
        }
        let (id, name) = (self.next_id(), &self.lake.spec().schema);
        let sql = format!(
            "INSERT INTO {}.ducklake_schema (schema_id, schema_uuid, begin_snapshot, end_snapshot, schema_name, path, \
             path_is_relative) VALUES ($1, $2, $3, NULL, $4, $5, true)",
            self.lake.schema
        );
        session.execute(&sql, &[&id, &Uuid::new_v4(), &self.snapshot, name, &folder(name, id)]).await?;
        self.changes.push(format!("created_schema:{}", quoted(name)));
        Ok(id)
    }

    pub(super) async fn table(&mut self, session: &Transaction<'_>, schema: i64, wanted: &Wanted) -> Made<()> {
        let (id, m) = (self.next_id(), &self.lake.schema);
        let sql = format!(
            "INSERT INTO {m}.ducklake_table (table_id, table_uuid, begin_snapshot, end_snapshot, schema_id, table_name, \
             path, path_is_relative) VALUES ($1, $2, $3, NULL, $4, $5, $6, true)"
        );
        let path = folder(&wanted.name, id);
        session.execute(&sql, &[&id, &Uuid::new_v4(), &self.snapshot, &schema, &wanted.name, &path]).await?;
        let mut next = 1;
        let mut ids = BTreeMap::new();
        for (name, of, nullable) in &wanted.columns {
            ids.insert(name.as_str(), next);
            next = self.column(session, id, next, name, of, *nullable).await?;
        }
        if !wanted.partition_by.is_empty() {
            let partition = self.next_id();
            let sql = format!(
                "INSERT INTO {}.ducklake_partition_info (partition_id, table_id, begin_snapshot, end_snapshot) \
                 VALUES ($1, $2, $3, NULL)",
                self.lake.schema
            );
            session.execute(&sql, &[&partition, &id, &self.snapshot]).await?;
            let sql = format!(
                "INSERT INTO {}.ducklake_partition_column (partition_id, table_id, partition_key_index, column_id, \
                 transform) VALUES ($1, $2, $3, $4, $5)",
                self.lake.schema
            );
            let keys = wanted.partition_by.iter().map(|key| partition_key(key));
            let keys = keys.filter_map(|(name, transform)| Some((ids.get(name)?, transform)));
            for (index, (column, transform)) in (0_i64..).zip(keys) {
                session.execute(&sql, &[&partition, &id, &index, column, &transform]).await?;
            }
        }
        let schema = quoted(&self.lake.spec().schema);
        self.changes.push(format!("created_table:{schema}.{}", quoted(&wanted.name)));
        self.changed.push(id);
        Ok(())
    }

    /// Adds the columns that `table` lacks.
    pub(super) async fn columns(&mut self, session: &Transaction<'_>, table: &Table, wanted: &Wanted) -> Made<()> {
        let lacking: Vec<_> = lacks(table, wanted).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        // Numbers are never used again, also not those of columns that were dropped.
        let sql = format!("SELECT max(column_id) FROM {}.ducklake_column WHERE table_id = $1", self.lake.schema);
        let mut next = session.query_one(&sql, &[&table.id]).await?.get::<_, Option<i64>>(0).unwrap_or_default() + 1;
        let mut columns: Vec<(&str, &LakeType)> = table.columns.iter().map(|c| (&*c.name, &c.of)).collect();
        for (name, of, _) in lacking {
            // Rows that are there have no value.
            next = self.column(session, table.id, next, name, of, true).await?;
            columns.push((name, of));
            tracing::info!(table = table.name, column = name, "added a column to the lake");
        }
        self.inlined(session, table.id, &columns).await?;
        self.changes.push(format!("altered_table:{}", table.id));
        self.changed.push(table.id);
        Ok(())
    }

    /// Makes the table for small inserts of others into a table that has these columns now, if
    /// there is one for those that it had: without it, DuckDB would insert too many values into
    /// that.
    async fn inlined(&self, session: &Transaction<'_>, table: i64, columns: &[(&str, &LakeType)]) -> Made<()> {
        let (m, version) = (&self.lake.schema, self.head.schema_version + 1);
        let sql = format!("SELECT count(*) FROM {m}.ducklake_inlined_data_tables WHERE table_id = $1");
        if session.query_one(&sql, &[&table]).await?.get::<_, i64>(0) == 0 {
            return Ok(());
        }
        let name = format!("ducklake_inlined_data_{table}_{version}");
        let mut sql =
            format!("CREATE TABLE {m}.{} (row_id bigint, begin_snapshot bigint, end_snapshot bigint", quoted(&name));
        for (name, of) in columns {
            let _ = write!(sql, ", {} {}", quoted(name), inlined(of));
        }
        session.batch_execute(&format!("{sql})")).await?;
        let sql = format!(
            "INSERT INTO {m}.ducklake_inlined_data_tables (table_id, table_name, schema_version) VALUES ($1, $2, $3)"
        );
        session.execute(&sql, &[&table, &name, &version]).await.map(drop)
    }

    /// Adds one column, with its elements if it is a list. Returns the next number.
    async fn column(
        &self,
        session: &Transaction<'_>,
        table: i64,
        id: i64,
        name: &str,
        of: &LakeType,
        nullable: bool,
    ) -> Made<i64> {
        let sql = format!(
            "INSERT INTO {}.ducklake_column (column_id, begin_snapshot, end_snapshot, table_id, column_order, column_name, \
             column_type, initial_default, default_value, nulls_allowed, parent_column, default_value_type, \
             default_value_dialect) VALUES ($1, $2, NULL, $3, $1, $4, $5, NULL, 'NULL', $6, $7, $8, 'duckdb')",
            self.lake.schema
        );
        let insert = async |id: i64, name: &str, of: &LakeType, nullable: bool, parent: Option<i64>| {
            let kind = if matches!(of, LakeType::List(_)) { "" } else { "literal" };
            session.execute(&sql, &[&id, &self.snapshot, &table, &name, &of.name(), &nullable, &parent, &kind]).await
        };
        insert(id, name, of, nullable, None).await?;
        let LakeType::List(element) = of else { return Ok(id + 1) };
        insert(id + 1, "element", element, true, Some(id)).await?;
        Ok(id + 2)
    }

    /// Writes the snapshot itself.
    pub(super) async fn end(self, session: &Transaction<'_>) -> Made<()> {
        let (m, version) = (&self.lake.schema, self.head.schema_version + 1);
        let sql = format!(
            "INSERT INTO {m}.ducklake_snapshot (snapshot_id, snapshot_time, schema_version, next_catalog_id, \
             next_file_id) VALUES ($1, clock_timestamp(), $2, $3, $4)"
        );
        let Head { next_catalog_id, next_file_id, .. } = self.head;
        session.execute(&sql, &[&self.snapshot, &version, &next_catalog_id, &next_file_id]).await?;
        let sql = format!(
            "INSERT INTO {m}.ducklake_schema_versions (begin_snapshot, schema_version, table_id) \
             SELECT $1, $2, unnest($3::bigint[])"
        );
        session.execute(&sql, &[&self.snapshot, &version, &self.changed]).await?;
        let sql = format!(
            "INSERT INTO {m}.ducklake_snapshot_changes (snapshot_id, changes_made, author, commit_message, \
             commit_extra_info) VALUES ($1, $2, 'lakefront', 'definitions', NULL)"
        );
        session.execute(&sql, &[&self.snapshot, &self.changes.join(",")]).await.map(drop)
    }
}

/// PostgreSQL's type of a column in a table for small inserts, as DuckDB 1.5.5 makes it.
fn inlined(of: &LakeType) -> String {
    let name = match of {
        LakeType::Boolean => "boolean",
        LakeType::Int8 | LakeType::Int16 => "smallint",
        LakeType::Int32 | LakeType::UInt8 | LakeType::UInt16 => "integer",
        LakeType::Int64 | LakeType::UInt32 => "bigint",
        LakeType::Float32 => "real",
        LakeType::Float64 => "double precision",
        LakeType::Decimal { precision, scale } => return format!("numeric({precision},{scale})"),
        LakeType::Varchar | LakeType::Json | LakeType::Blob => "bytea",
        LakeType::Uuid => "uuid",
        LakeType::Time => "time",
        LakeType::Interval => "interval",
        _ => "character varying",
    };
    name.to_owned()
}

/// The folder of a schema or table, relative to what it is in: its name, unless that could lead
/// elsewhere or be another's.
fn folder(name: &str, id: i64) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut path = String::new();
    match !name.is_empty() && name.chars().all(is_plain) {
        true => path.push_str(name),
        false => {
            let _ = write!(path, "lakefront-{id}");
        }
    }
    path.push('/');
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_stay_where_they_are() {
        assert_eq!(folder("ledgers_row_v2", 7), "ledgers_row_v2/");
        for odd in ["", "..", "a/b", "A", "ä", "x y"] {
            assert_eq!(folder(odd, 7), "lakefront-7/", "{odd:?}");
        }
    }
}
