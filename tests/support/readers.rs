//! Programs that read Delta tables and share no code with lakefront: deltalake, Polars, and DuckDB
//! with its delta extension.

use std::path::Path;

use super::venv;

/// The environments of the readers.
const READERS: [(&str, &str, &str); 3] = [
    ("deltalake", "oracle", "tests/python/requirements.txt"),
    ("polars", "peers", "benches/peers/requirements.txt"),
    ("duckdb", "duckdb", "tests/python/duckdb.txt"),
];

/// Checks that all of them find the same rows in a table. Returns how many.
#[track_caller]
pub(crate) fn agree(table: &Path) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |(reader, environment, requirements): (&str, &str, &str)| {
        let mut python = venv::python(environment, &root.join(requirements));
        let output = python.arg(root.join("tests/python/readers.py")).arg(reader).arg(table).output();
        let output = output.expect("Python runs");
        let said = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{reader}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    };
    let [rows, polars, duckdb] = READERS.map(read);
    for (reader, theirs) in [("polars", &polars), ("duckdb", &duckdb)] {
        let differs = rows.lines().zip(theirs.lines()).find(|(a, b)| a != b);
        assert!(rows == *theirs, "{reader} differs in {}: {differs:?}", table.display());
    }
    rows.lines().count()
}
