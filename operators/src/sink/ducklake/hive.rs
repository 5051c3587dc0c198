//! The folders of partitions, as DuckDB names them: `ledger_range=60000000/`, and for a transform
//! `day=7/`, or `day_closed_at=7/` if that name is taken.
//!
//! Readers do not need them: the catalog has the values. But what DuckDB and lakefront write of one
//! partition lies together, which DuckDB expects when it merges.

use std::fmt::Write as _;

use super::tables::Table;

/// What stands for null.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";
/// A name that is longer than this, in bytes, may be too long for a folder on a disk.
const LONGEST: usize = 200;

/// The folder of the files with these `values` in the table's own folder, with a slash behind it;
/// empty if there is none.
pub(super) fn folder(table: &Table, values: &[Option<String>]) -> String {
    let keys = table.partition.iter().flat_map(|partition| &partition.keys);
    let (mut folder, mut names) = (String::new(), Vec::new());
    for ((id, transform), value) in keys.zip(values) {
        let Some(column) = table.columns.iter().find(|column| column.id == *id) else { return String::new() };
        let mut name = if transform == "identity" { column.name.clone() } else { transform.clone() };
        if names.contains(&name) {
            name = format!("{name}_{}", column.name);
        }
        names.push(name.clone());
        let name = encoded(&name);
        let value = value.as_deref().map_or_else(|| NULL.to_owned(), encoded);
        if name.len() + value.len() > LONGEST {
            return String::new();
        }
        let _ = write!(folder, "{name}={value}/");
    }
    folder
}

/// `text` as in a URL.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::super::tables::{Column, Partition};
    use super::super::types::LakeType;
    use super::*;
    use crate::sink::files::Place;

    #[test]
    fn folders_are_those_that_duckdb_makes() {
        let column = |id, name: &str| {
            let (name, of) = (name.to_owned(), LakeType::Varchar);
            Column { id, name, of, nullable: true, element: None, defaults: (None, None) }
        };
        let identity = |id| (id, "identity".to_owned());
        let mut table = Table {
            id: 1,
            name: "t".to_owned(),
            place: Place::Disk("t".into()),
            columns: vec![column(1, "a"), column(2, "Col é/x")],
            partition: Some(Partition { id: 7, keys: vec![identity(2), identity(1)] }),
        };
        let folder_of = |table: &Table, a: Option<&str>, b: Option<&str>| {
            folder(table, &[a.map(str::to_owned), b.map(str::to_owned)])
        };
        // As DuckDB 1.5.5 wrote them.
        assert_eq!(folder_of(&table, Some("x/y=z"), Some("-5")), "Col%20%C3%A9%2Fx=x%2Fy%3Dz/a=-5/");
        assert_eq!(
            folder_of(&table, Some("~a-b_c.d"), None),
            "Col%20%C3%A9%2Fx=~a-b_c.d/a=__HIVE_DEFAULT_PARTITION__/"
        );
        assert_eq!(folder_of(&table, Some(&"long".repeat(50)), None), "");
        // `year(a), year, year("Col é/x")`.
        table.columns.push(column(3, "year"));
        let year = |id| (id, "year".to_owned());
        table.partition = Some(Partition { id: 8, keys: vec![year(1), identity(3), year(2)] });
        let values = ["2024", "5", "2025"].map(|value| Some(value.to_owned()));
        assert_eq!(folder(&table, &values), "year=2024/year_year=5/year_Col%20%C3%A9%2Fx=2025/");
        table.partition = None;
        assert_eq!(folder(&table, &[]), "");
    }
}
