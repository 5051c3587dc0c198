//! Tables that an early build has written are read and carried on: `tests/samples/aged` has its
//! files, with `@FOLDER@` in place of the folder in which it ran. It knew the first version of the
//! row rules, and neither the kind of source, nor processes, nor where rows end.

use std::fs;
use std::path::Path;

use crate::rotation::lines;
use crate::support::Pipeline;

/// Rows that the samples' tables hold.
const AGED: u64 = 36;

/// Copies a folder of samples into that of a pipeline.
fn restore(from: &Path, to: &Path, folder: &str) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("samples") {
        let (from, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).expect("an entry");
        match fs::read_to_string(&from) {
            _ if from.is_dir() => restore(&from, &to, folder),
            Ok(text) => fs::write(&to, text.replace("@FOLDER@", folder)).expect("a file"),
            Err(_) => drop(fs::copy(&from, &to).expect("a file")),
        }
    }
}

#[test]
fn tables_of_an_early_build_are_carried_on() {
    let mut pipeline = Pipeline::new();
    pipeline.set("lake", "catalog", "main").set("lake", "schema", "logs");
    for table in ["primary", "replica"] {
        pipeline.set("tables", table, format!("{table}_postgresql_logs"));
    }
    pipeline.set("tables", "rejects", "rejected_postgresql_logs");
    let folder = fs::canonicalize(pipeline.path("")).expect("the folder is there");
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/aged");
    let shown = folder.to_str().expect("UTF-8");
    restore(&samples.join("logs"), &folder.join("logs"), shown);
    restore(&samples.join("tables"), &folder.join("lake/main/logs"), shown);

    assert_eq!(pipeline.land()["bytes"], 0, "all of it has landed");
    pipeline.append("a.json", lines(30, 9));
    let report = pipeline.land();
    assert_eq!(report["bytes"], lines(30, 9).len());
    let proof = pipeline.prove(0);
    let tables = proof["tables"].as_array().expect("tables");
    let held: u64 = tables.iter().map(|table| table["lake_rows"].as_u64().expect("a count")).sum();
    assert_eq!(held, AGED + 9);
}
