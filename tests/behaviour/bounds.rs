//! Memory and CPU stay bounded, whatever the input.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Duration;

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::{Pipeline, wait};

/// Far below what the inputs would take if they were held whole, far above what chunks take in a debug build.
const MOST_MEMORY: u64 = 400 << 20;

/// Lands the source; the peak of the memory that was resident, as it was seen until shortly before the end.
fn peak_memory_of(pipeline: &Pipeline, bytes: u64) -> u64 {
    let mut run = pipeline.start(&["run", "p.toml", "--json"]);
    let mut peak = 0;
    assert!(wait::until(|| {
        peak = peak.max(run.peak_memory());
        run.has_ended()
    }));
    assert_eq!(run.end().exits_with(0).json()["bytes"], bytes);
    println!("peak memory {} MiB for {} MiB", peak >> 20, bytes >> 20);
    peak
}

#[test]
fn one_huge_line_becomes_a_reject_in_bounded_memory() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "chunk", "1 MiB").set("source", "max_line", "1 MiB").set("commit", "bytes", "16 MiB");
    let role = "{\"ReplicaRole\": \"Primary\"}\n";
    let huge = format!("{{\"location\": \"{}\"}}\n", "x".repeat(40 << 20));
    let content = [role, &huge, role].concat();
    pipeline.write("a.json", &content);
    assert!(peak_memory_of(&pipeline, content.len() as u64) < MOST_MEMORY);
    let held = pipeline.is_exact_with(&["--max-line", &(1 << 20).to_string()]);
    assert_eq!(held, "exact: primary 2, replica 0, rejects 1");
}

#[test]
fn millions_of_tiny_lines_land_in_bounded_memory() {
    const LINES: u64 = 1_500_000;
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "chunk", "8 MiB").set("commit", "bytes", "256 MiB").set("roles", "default", "primary");
    let mut file = BufWriter::new(File::create(pipeline.path("logs/a.json")).expect("a log file"));
    (0..LINES).for_each(|_| file.write_all(b"{}\n").expect("a log file grows"));
    drop(file);
    assert!(peak_memory_of(&pipeline, 3 * LINES) < MOST_MEMORY);
    let report = pipeline.land();
    assert_eq!(report["bytes"], 0);
    let count = "import sys, deltalake\nprint(deltalake.DeltaTable(sys.argv[1]).to_pyarrow_dataset().count_rows())";
    let rows = crate::support::oracle::run_python(count, &[&pipeline.table("primary")]);
    assert_eq!(rows, LINES.to_string());
}

#[test]
fn an_idle_tail_over_many_files_leaves_the_cores_alone() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "poll", "1s").set("commit", "interval", "10ms").set("", "workers", 2);
    pipeline.set("commit", "bytes", "1 MiB");
    (0..200).for_each(|i| pipeline.write(&format!("{}/{i}.json", i % 10), ONE_FOR_EACH_TABLE));
    let mut tail = pipeline.tail();
    tail.until("landed it all", || pipeline.position() == 200 * ONE_FOR_EACH_TABLE.len() as u64);
    let (began, used) = (wait::now(), tail.cpu_seconds());
    wait::pause(Duration::from_secs(3));
    let share = (tail.cpu_seconds() - used) / (wait::now() - began);
    tail.stop();
    println!("an idle tail uses {:.1} % of a core", share * 100.0);
    assert!(share < 0.5, "{share} of a core");
    pipeline.is_exact();
}
