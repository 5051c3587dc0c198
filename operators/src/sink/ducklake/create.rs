//! What makes a catalog: its tables, and the rows of its first snapshot.
//!
//! ```text
//! catalog-1.0.sql     28 tables, as DuckDB 1.5.5 makes them
//! snapshot 0          an empty schema "main", in the folder main/ of the data path
//! metadata            version, who made it, the data path, that files are not encrypted
//! ```
//!
//! Guarantees: DuckDB takes it for its own. Nothing is made "if not exists": where a part of a
//! catalog is, or one that another run is making, the batch fails and changes nothing.

use crate::postgres::quoted;

/// The tables; `{schema}` stands for the quoted name of their schema.
const TABLES: &str = include_str!("catalog-1.0.sql");

/// The SQL that makes a catalog in the schema `metadata_schema` of its database, which is there
/// already. It is one batch, to be run in one transaction. `data_path` is written as it is, and
/// ends in `/`. The rows are those that DuckDB 1.5.5 writes: the schema "main" has the number 0, so
/// the next number that is given out is 1. PostgreSQL has had `gen_random_uuid` since version 13.
pub(super) fn catalog(metadata_schema: &str, data_path: &str) -> String {
    debug_assert!(data_path.ends_with('/'), "paths in the catalog follow the data path without a separator");
    let schema = quoted(metadata_schema);
    let tables = TABLES.replace("{schema}", &schema);
    let (created_by, data_path) = (literal(concat!("lakefront ", env!("CARGO_PKG_VERSION"))), literal(data_path));
    format!(
        r#"{tables}
INSERT INTO {schema}.ducklake_snapshot
    (snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id)
    VALUES (0, now(), 0, 1, 0);
INSERT INTO {schema}.ducklake_snapshot_changes
    (snapshot_id, changes_made, author, commit_message, commit_extra_info)
    VALUES (0, 'created_schema:"main"', NULL, NULL, NULL);
INSERT INTO {schema}.ducklake_metadata (key, value)
    VALUES ('version', '1.0'), ('created_by', {created_by}), ('data_path', {data_path}), ('encrypted', 'false');
INSERT INTO {schema}.ducklake_schema
    (schema_id, schema_uuid, begin_snapshot, end_snapshot, schema_name, path, path_is_relative)
    VALUES (0, gen_random_uuid(), 0, NULL, 'main', 'main/', true);
"#
    )
}

/// `text` as a literal of PostgreSQL's SQL, whatever `standard_conforming_strings` is.
pub(super) fn literal(text: &str) -> String {
    let quotes_doubled = text.replace('\'', "''");
    match quotes_doubled.contains('\\') {
        true => format!("E'{}'", quotes_doubled.replace('\\', "\\\\")),
        false => format!("'{quotes_doubled}'"),
    }
}

#[cfg(test)]
mod tests;
