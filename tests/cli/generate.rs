//! `generate`: what it reports is what lands, and the same flags write the same bytes.

use std::fs;

use serde_json::{Value, json};

use crate::support::Pipeline;
use crate::support::oracle::run_python;

/// A pipeline with room for some lines in each chunk and cut.
fn pipeline(format: &str) -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "format", format).set("source", "chunk", "256 KiB").set("commit", "bytes", "1 MiB");
    if format == "jsonlog" {
        pipeline.set("roles", "default", "primary").set("roles.sources", "**/*replica*", "replica");
    }
    pipeline
}

/// Rejects by reason, as found by a reader that is not ours.
fn reasons(pipeline: &Pipeline) -> Value {
    let program = "import json, sys\nfrom collections import Counter\nfrom deltalake import DeltaTable\n\
                   reasons = DeltaTable(sys.argv[1]).to_pyarrow_table(columns=['reason'])['reason'].to_pylist()\n\
                   print(json.dumps(Counter(reasons)))";
    serde_json::from_str(&run_python(program, &[&pipeline.table("rejects")])).expect("one object")
}

#[track_caller]
fn lands_as_told(format: &str, flags: &[&str], out: &str) {
    let pipeline = pipeline(format);
    let flags =
        [&["generate", "--format", format, "--size", "2MiB", "--rejects", "0.05", "--json"], flags, &[out]].concat();
    let told = pipeline.call(&flags).exits_with(0).json();
    assert!(told["tables"]["rejects"].as_u64() > Some(50), "{told}");

    let report = pipeline.land();
    assert_eq!(report["bytes"], told["bytes"]);
    for table in ["primary", "replica", "rejects"] {
        assert_eq!(report["tables"][table]["rows"], told["tables"][table], "{table}: {told}");
    }
    assert_eq!(reasons(&pipeline), told["rejects"]);
    pipeline.is_exact();
}

#[test]
fn azure_lands_as_told() {
    lands_as_told("azure", &["--seed", "7", "--app-keys"], "logs/a.json");
}

#[test]
fn azure_in_folders_of_hours_lands_as_told() {
    lands_as_told("azure", &["--files", "5"], "logs");
}

#[test]
fn jsonlog_by_server_lands_as_told() {
    lands_as_told("jsonlog", &["--files", "4"], "logs");
}

#[test]
fn hours_are_laid_out_as_azure_does() {
    let pipeline = Pipeline::new();
    let told = pipeline.call(&["generate", "--size", "1MiB", "--files", "18", "--json", "logs"]).exits_with(0).json();
    assert_eq!(told["files"], 18);
    for hour in ["y=2026/m=11/d=21/h=07", "y=2026/m=11/d=21/h=23", "y=2026/m=11/d=22/h=00"] {
        let path = pipeline.path("logs").join(hour).join("m=00/PT1H.json");
        let blob = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let first: Value = serde_json::from_str(blob.lines().next().expect("a line")).expect("JSON");
        assert_eq!(first["time"].as_str().map(|time| &time[11..13]), hour.get(19..21), "its lines are of its hour");
    }
    let read = pipeline.call(&["generate", "--size", "1MiB", "--files", "18", "--json", "logs"]).exits_with(2);
    assert!(read.error().contains("is there already"), "{}", read.stderr);
}

#[test]
fn the_same_flags_write_the_same_bytes() {
    let pipeline = Pipeline::new();
    let flags = ["generate", "--size", "300KiB", "--rejects", "0.01", "--seed", "7"];
    let to = |out| pipeline.call(&[&flags[..], &["--json", out]].concat()).exits_with(0);
    let (told, piped) = (to("a.json").json(), to("-"));
    let file = fs::read(pipeline.path("a.json")).expect("a file");
    // Lines that are not UTF-8 are shown with replacements.
    assert_eq!(piped.stdout, String::from_utf8_lossy(&file));
    assert_eq!(serde_json::from_str::<Value>(&piped.stderr).expect("one object"), told);
    assert_eq!(told["bytes"], json!(file.len()));
    assert!((300 * 1024..302 * 1024).contains(&file.len()));

    pipeline.call(&["generate", "a.json"]).exits_with(2);
    assert_eq!(fs::read(pipeline.path("a.json")).expect("a file"), file, "what is there stays");
    let text =
        pipeline.call(&["generate", "--size", "300KiB", "--rejects", "0.01", "--seed", "7", "b.json"]).exits_with(0);
    assert!(text.stdout.is_empty() && text.stderr.contains("invalid_json"), "{}", text.stderr);
}

#[test]
fn wrong_sizes_and_shares_are_refused() {
    let pipeline = Pipeline::new();
    for wrong in [["--size", "0"], ["--size", "1 mib"], ["--rejects", "1.5"], ["--rejects", "NaN"], ["--files", "0"]] {
        let ended = pipeline.call(&["generate", wrong[0], wrong[1], "a.json"]).exits_with(2);
        assert!(ended.stderr.contains(wrong[0]), "{}", ended.stderr);
    }
    pipeline.call(&["generate", "--files", "2", "-"]).exits_with(2);
    assert!(!pipeline.path("a.json").exists());
}
