//! Memory and CPU stay bounded, whatever the input.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Duration;

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::{Lines, Pipeline, wait};

/// Far below what the inputs would take if held whole, far above what chunks take in a debug build.
const MOST_MEMORY: u64 = 400 << 20;

fn peak_memory_of(pipeline: &Pipeline, bytes: u64) -> u64 {
    let (peak, report) = run_watched(pipeline);
    assert_eq!(report["bytes"], bytes);
    peak
}

/// Lands the source. Returns the peak of resident memory, as seen until shortly before the end, and
/// the report.
fn run_watched(pipeline: &Pipeline) -> (u64, serde_json::Value) {
    let mut run = pipeline.start(&["run", "p.toml", "--json"]);
    let mut peak = 0;
    assert!(wait::until(|| {
        peak = peak.max(run.peak_memory());
        run.has_ended()
    }));
    let report = run.end().exits_with(0).json();
    let bytes = report["bytes"].as_u64().expect("a number");
    println!("peak memory {} MiB for {} MiB", peak >> 20, bytes >> 20);
    (peak, report)
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
    let line = b"{\"Region\":\"\"}\n";
    (0..LINES).for_each(|_| file.write_all(line).expect("a log file grows"));
    drop(file);
    assert!(peak_memory_of(&pipeline, line.len() as u64 * LINES) < MOST_MEMORY);
    let report = pipeline.land();
    assert_eq!(report["bytes"], 0);
    let count = "import sys, deltalake\nprint(deltalake.DeltaTable(sys.argv[1]).to_pyarrow_dataset().count_rows())";
    let rows = crate::support::oracle::run_python(count, &[&pipeline.table("primary")]);
    assert_eq!(rows, LINES.to_string());
}

/// The resident memory of the program itself, without its buffers, in a debug build: 31 MiB of code
/// and runtime in a run of one line, and what the allocator keeps.
const PROGRAM: u64 = 64 << 20;
/// How often the same lines are repeated to make a GiB.
const ROUNDS: u64 = 800;

/// Lands a GiB of lines, with one of 200 MiB among them, in at most `limit` bytes and what the
/// program takes. Returns how many rows each table got beyond those of the repeated lines: the long
/// line's.
fn land_a_gigabyte_within(limit: u64, mut pipeline: Pipeline) -> [u64; 3] {
    pipeline.unset("source", "chunk");
    pipeline.unset("commit", "bytes");
    let round = Lines::new(7).take(1_000);
    let once = Pipeline::new();
    once.write("a.json", &round);
    let once = once.land();

    let mut file = BufWriter::new(File::create(pipeline.path("logs/a.json")).expect("a log file"));
    let mut bytes = 0;
    let mut write = |content: &[u8]| {
        bytes += content.len() as u64;
        file.write_all(content).expect("a log file grows");
    };
    (0..ROUNDS / 2).for_each(|_| write(&round));
    write(b"{\"ReplicaRole\": \"Primary\", \"properties\": {\"message\": \"");
    (0..200).for_each(|_| write(&[b'x'; 1 << 20]));
    write(b"\"}}\n");
    (0..ROUNDS / 2).for_each(|_| write(&round));
    file.flush().expect("a log file");
    assert!(bytes > 1 << 30, "{bytes} bytes are no GiB");

    pipeline.set("limits", "memory", limit);
    let (peak, report) = run_watched(&pipeline);
    assert_eq!(report["bytes"], bytes);
    assert!(peak < limit + PROGRAM, "{} MiB", peak >> 20);
    ["primary", "replica", "rejects"].map(|table| {
        let rows = |report: &serde_json::Value| report["tables"][table]["rows"].as_u64().expect("a number");
        rows(&report) - ROUNDS * rows(&once)
    })
}

#[test]
fn a_gigabyte_with_a_line_of_200_mib_that_is_rejected_stays_within_its_memory() {
    let mut pipeline = Pipeline::new();
    // Without a limit, this many chunks alone would take more.
    pipeline.set("source", "in_flight", 64);
    assert_eq!(land_a_gigabyte_within(800 << 20, pipeline), [0, 0, 1]);
}

#[test]
fn a_gigabyte_with_a_line_of_200_mib_that_is_a_row_stays_within_its_memory() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "max_line", "208 MiB");
    assert_eq!(land_a_gigabyte_within(4 << 30, pipeline), [1, 0, 0]);
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
