//! Settings that decide what a row is and where it goes.

use std::fs;

use crate::support::oracle::run_python;
use crate::support::{Lines, Pipeline};

#[test]
fn tables_partitioned_by_day_have_a_folder_a_day() {
    let mut pipeline = Pipeline::new();
    pipeline.set("lake", "partition_by", "day").set("commit", "bytes", "1 MiB");
    let day = |day: u32| format!("{{\"time\": \"2026-11-{day:02}T07:00:00Z\", \"ReplicaRole\": \"Primary\"}}\n");
    // More days in turn than files may be open, and a line without a day.
    let days: String = (1..=3).flat_map(|_| (1..=20).map(day)).collect();
    pipeline.write("a.json", days + "{\"ReplicaRole\": \"Primary\"}\n");
    pipeline.write("b.json", Lines::new(1).take(40));
    pipeline.land();
    pipeline.is_exact();

    let names = fs::read_dir(pipeline.table("primary")).expect("a table").flatten();
    let folders: Vec<_> =
        names.map(|e| e.file_name().into_string().expect("UTF-8")).filter(|n| n.contains('=')).collect();
    assert!(folders.contains(&"log_date=2026-11-20".to_owned()), "{folders:?}");
    assert!(folders.contains(&"log_date=__HIVE_DEFAULT_PARTITION__".to_owned()), "{folders:?}");
    assert!(!pipeline.table("rejects").join("log_date=2026-11-20").exists());
}

#[test]
fn roles_come_from_sources_then_lines_then_servers_then_the_default() {
    let mut pipeline = Pipeline::new();
    pipeline.set("roles.sources", "**/replica-*/**", "replica").set("roles.servers", "orders-uat-legacy", "primary");
    pipeline.set("roles", "default", "replica").set("roles", "replica", vec!["AsyncReplica"]);
    pipeline.write("x/replica-1/a.json", Lines::new(2).take(30));
    pipeline.write("b.json", Lines::new(3).take(60));
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn unknown_keys_are_kept_dropped_or_rejected() {
    for choice in ["keep", "drop", "reject"] {
        let mut pipeline = Pipeline::new();
        pipeline.set("rows", "unknown_keys", choice);
        pipeline.write("a.json", Lines::new(4).take(60));
        pipeline.append(
            "a.json",
            "{\"new\": [1, {\"a\": 1.50}], \"ReplicaRole\": \"Primary\", \"properties\": {\"x\": null}}\n",
        );
        pipeline.land();
        pipeline.is_exact();
    }
}

#[test]
fn roles_that_change_between_a_crash_and_the_restart_send_each_row_to_one_table() {
    for time in 1..=4 {
        let mut pipeline = Pipeline::new();
        pipeline.write("a.json", Lines::new(5).take(40));
        pipeline.run_failing(&format!("commit-done={}*off->panic", time - 1)).exits_with(3);
        // What one table holds already, the others get by the old rules. The rest goes by the new
        // ones.
        pipeline.set("roles", "primary", vec!["AsyncReplica"]);
        pipeline.append("a.json", Lines::new(6).take(10));
        pipeline.land();

        let count = "import sys, deltalake\n\
            keys = [key for path in sys.argv[1:] for key in deltalake.DeltaTable(path).to_pyarrow_table()['_offset'].to_pylist()]\n\
            print(len(keys), len(set(keys)))";
        let tables = ["primary", "replica", "rejects"].map(|name| pipeline.table(name));
        let counted = run_python(count, &[&tables[0], &tables[1], &tables[2]]);
        let content = fs::read(pipeline.path("logs/a.json")).expect("a log file");
        let lines = content.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        assert_eq!(counted, format!("{lines} {lines}"), "crashed at commit {time}");
    }
}
