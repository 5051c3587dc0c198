//! Other programs read the tables: DuckDB, Polars, and Apache Spark, which also tidies them up
//! beside a run. What Spark does, and what has to come of it, is in `spark/reader.py` and the
//! programs that it brings together. The lines that `docs/tables.md` shows are run as they stand.

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::pipeline::Pipeline;
use crate::support::{Lines, java, venv};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What belongs to the test with Spark.
fn spark(name: &str) -> PathBuf {
    root().join("tests/readers/spark").join(name)
}

#[test]
#[ignore = "brings 450 MB of Spark; run it with: cargo test --workspace --test readers -- --ignored"]
fn spark_reads_the_tables_and_tidies_them_up() {
    java::is_there();
    let jars = java::jars("jars", &spark("pom.xml"));
    let mut python = venv::python("spark", &spark("requirements.txt"));
    // Another Spark of this machine has no say, nor has what the machine calls itself.
    python.env_remove("SPARK_HOME").env_remove("SPARK_CONF_DIR").env_remove("PYSPARK_SUBMIT_ARGS");
    python.env("SPARK_LOCAL_IP", "127.0.0.1").env_remove("FAILPOINTS").env_remove("LAKEFRONT_LOG");
    let folder = tempfile::Builder::new().prefix("lakefront-").tempdir().expect("a temporary directory");
    // Nothing is written beside the sources, not even what Python compiles.
    python.arg("-B").arg(spark("reader.py")).arg(env!("CARGO_BIN_EXE_lakefront")).arg(jars).arg(folder.path());
    let output = python.output().expect("Python runs");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{errors}");
}

#[test]
#[ignore = "brings 200 MB of DuckDB and Polars; run it with: cargo test --workspace --test readers -- --ignored"]
fn duckdb_and_polars_read_the_tables() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", Lines::new(1).take(300));
    let rows = pipeline.land()["tables"]["primary"]["rows"].as_u64().expect("rows");
    assert_ne!(rows, 0);
    let read = |page| fs::read_to_string(root().join(page)).expect("a page");
    let pages = ["README.md", "docs/tables.md"].map(read).concat();
    let blocks: Vec<&str> =
        pages.split("```python readers\n").skip(1).filter_map(|text| text.split("```").next()).collect();
    assert_eq!(blocks.len(), 3, "{pages}");
    for block in blocks {
        let table = pipeline.table("primary").display().to_string();
        let program = block.replace("lake/lakehouse/postgresql_logs/primary_postgresql_logs", &table);
        assert_ne!(program, block, "it names the table");
        let counts = "\nimport os\nlog = logs.collect() if hasattr(logs, 'collect') else logs.to_table()\n\
                      print('rows:', len(log), flush=True)\nos._exit(0)\n";
        let mut python = venv::python("peers", &root().join("benches/peers/requirements.txt"));
        let output = python.arg("-c").arg(program + counts).output().expect("Python runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains(&format!("rows: {rows}\n")), "{said}\n{errors}");
    }
}
