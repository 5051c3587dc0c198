//! The text of the batch; that DuckDB attaches what it makes is for the tests of the sink.

use super::{catalog, literal};

#[test]
fn there_are_28_tables_and_4_kinds_of_rows() {
    let sql = catalog("bronze_meta", "/data/lake/");
    assert_eq!(sql.matches("CREATE TABLE \"bronze_meta\".ducklake_").count(), 28);
    assert_eq!(sql.matches("INSERT INTO \"bronze_meta\".ducklake_").count(), 4);
    assert!(sql.contains("('data_path', '/data/lake/')"), "{sql}");
    assert!(!sql.contains("EXISTS") && !sql.contains('{'), "{sql}");
}

#[test]
fn names_and_paths_cannot_leave_their_quotes() {
    let sql = catalog("a\"b", "s3://it's/{schema}/");
    assert!(sql.contains("CREATE TABLE \"a\"\"b\".ducklake_snapshot ("), "{sql}");
    assert!(sql.contains("('data_path', 's3://it''s/{schema}/')"), "{sql}");
}

#[test]
fn literals_mean_what_they_are_made_of() {
    assert_eq!(literal(""), "''");
    assert_eq!(literal("it's"), "'it''s'");
    assert_eq!(literal(r"C:\it's"), r"E'C:\\it''s'");
}
