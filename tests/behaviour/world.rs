//! Others write to the tables too, disks fill up, and folders are read-only.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::oracle::run_python;
use crate::support::{Lines, Mounted, Pipeline};

/// Appends a row of another writer.
const APPEND: &str = "import sys, pyarrow as pa, deltalake\n\
    row = pa.table({'_source': ['foreign'], '_offset': pa.array([0], pa.int64())})\n\
    deltalake.write_deltalake(sys.argv[1], row, mode='append', schema_mode='merge')";
/// Rewrites all files as one.
const COMPACT: &str = "import sys, deltalake\n\
    assert deltalake.DeltaTable(sys.argv[1]).optimize.compact()['numFilesRemoved'] > 1";
/// Deletes that row.
const DELETE: &str = "import sys, deltalake\n\
    print(deltalake.DeltaTable(sys.argv[1]).delete(\"_source = 'foreign'\")['num_deleted_rows'])";

#[test]
fn commits_of_another_writer_between_two_runs_are_left_as_they_are() {
    let (pipeline, mut lines) = (Pipeline::new(), Lines::new(1));
    pipeline.write("a.json", lines.take(40));
    pipeline.land();
    for change in [APPEND, COMPACT] {
        run_python(change, &[&pipeline.table("primary")]);
        pipeline.append("a.json", lines.take(20));
        pipeline.land();
    }
    assert_eq!(run_python(DELETE, &[&pipeline.table("primary")]), "1", "its row is still there");
    pipeline.is_exact();
}

#[test]
fn commits_of_another_writer_under_a_tail_are_stepped_over() {
    let mut pipeline = Pipeline::new();
    pipeline.set("commit", "interval", "10ms").write("a.json", ONE_FOR_EACH_TABLE);
    let mut tail = pipeline.tail();
    for round in 1..=3 {
        tail.until("landed what there was", || pipeline.position() == round * ONE_FOR_EACH_TABLE.len() as u64);
        run_python(if round == 1 { APPEND } else { COMPACT }, &[&pipeline.table("primary")]);
        pipeline.append("a.json", ONE_FOR_EACH_TABLE);
    }
    tail.until("landed it all", || pipeline.position() == 4 * ONE_FOR_EACH_TABLE.len() as u64);
    tail.stop();
    assert_eq!(run_python(DELETE, &[&pipeline.table("primary")]), "1", "its row is still there");
    pipeline.is_exact();
}

#[test]
fn a_full_disk_stops_a_run_and_once_there_is_room_the_next_lands_all() {
    let mut pipeline = Pipeline::new();
    // Without this limit the disk is full all at once, as when others fill it between two looks.
    pipeline.set("disk", "min_free", "0 B");
    fs::create_dir(pipeline.path("lake")).expect("a folder");
    let Some(disk) = Mounted::tmpfs(pipeline.path("lake"), "size=256k") else {
        println!("skipped: only root may mount a small disk");
        return;
    };
    pipeline.write("a.json", Lines::new(3).take(300));
    let ended = pipeline.run().exits_with(3);
    let error = ended.error();
    assert!(error.contains("No space left on device"), "{error}");
    assert!(error.contains("lake/lakehouse/logs/"), "it names the file: {error}");

    pipeline.run().exits_with(3);
    disk.remount("size=64m");
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn a_read_only_lake_stops_a_run_and_once_it_may_be_written_the_next_lands_all() {
    let mut pipeline = Pipeline::new();
    pipeline.set("disk", "min_free", "0 B").write("a.json", Lines::new(4).take(30));
    let lake = pipeline.path("lake");
    fs::create_dir(&lake).expect("a folder");
    let disk = Mounted::tmpfs(lake.clone(), "ro,size=64m");
    let allow = |mode| fs::set_permissions(&lake, fs::Permissions::from_mode(mode)).expect("permissions");
    if disk.is_none() {
        // A user who may not mount is not root, so permissions apply.
        allow(0o555);
    }
    let error = pipeline.run().exits_with(3).error();
    assert!(error.contains("could not create directory lake/lakehouse/logs/primary/_delta_log"), "{error}");
    assert!(error.contains("Permission denied") || error.contains("Read-only file system"), "{error}");

    match &disk {
        Some(disk) => disk.remount("rw"),
        None => allow(0o755),
    }
    pipeline.land();
    pipeline.is_exact();
}
