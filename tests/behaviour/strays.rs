//! What else lies in a log folder: files that cannot be read, files that are not text, and the lake
//! itself.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use crate::support::Pipeline;
use crate::support::lines::ONE_FOR_EACH_TABLE;

#[test]
fn strays_are_named_once_and_the_rest_lands() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    symlink("loop", pipeline.path("logs/loop")).expect("a link");
    let odd = pipeline.path("logs").join(std::ffi::OsStr::from_bytes(b"\xff\n.json"));
    fs::write(odd, ONE_FOR_EACH_TABLE).expect("a file whose name is not UTF-8");
    pipeline.write("lost+found/x", "x\n");
    let ended = pipeline.run().exits_with(0);
    for said in ["not read: it cannot be read: ", "not read: its name is not UTF-8", "passed over: its name is that of"]
    {
        assert_eq!(ended.stderr.matches(said).count(), 1, "{said}: {}", ended.stderr);
    }
    assert_eq!(ended.json()["tables"]["primary"]["rows"], 1);
    let mut pipeline = pipeline;
    pipeline.set("source", "url", "file:logs/*.json");
    pipeline.write("lost+found/b.json", ONE_FOR_EACH_TABLE);
    let ended = pipeline.run();
    assert!(!ended.stderr.contains("lost+found") && !ended.stderr.contains("loop"), "{}", ended.stderr);
}

#[test]
fn files_that_are_no_text_are_said_to_be_so_in_one_word_and_land_nothing() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    pipeline.write("b.json.gz", b"\x1f\x8b\x08\x00\n\x00\n\n");
    let utf16 = ONE_FOR_EACH_TABLE.encode_utf16().flat_map(u16::to_le_bytes);
    pipeline.write("c.json", [0xff, 0xfe].into_iter().chain(utf16).collect::<Vec<u8>>());
    let ended = pipeline.run().exits_with(0);
    for what in ["it is gzip, which is not read", "it is UTF-16, which is not read"] {
        assert_eq!(ended.stderr.matches(what).count(), 1, "{what}: {}", ended.stderr);
    }
    assert_eq!(ended.json()["bytes"], ONE_FOR_EACH_TABLE.len());
    assert_eq!(ended.json()["tables"]["rejects"]["rows"], 1);
}

#[test]
fn a_source_that_would_read_the_lake_or_the_state_is_refused_before_anything_is_made() {
    for (url, what) in
        [("file:.", "the lake ("), ("file:**/*.json", "the lake ("), ("file:state/*", "the state file (")]
    {
        let mut pipeline = Pipeline::new();
        pipeline.set("source", "url", url);
        fs::create_dir(pipeline.path("state")).expect("a folder");
        let error = pipeline.run().exits_with(3).error();
        assert!(error.contains(what) && error.contains("lies inside the source"), "{error}");
        assert!(!pipeline.path("lake").exists());
        // The advice in the message works.
        pipeline.set("source", "url", "file:logs/*.json");
        pipeline.write("a.json", ONE_FOR_EACH_TABLE);
        pipeline.land();
    }
}

#[test]
fn a_source_of_nothing_is_said_before_the_tables_are_touched() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "url", "file:lgos");
    let ended = pipeline.run().exits_with(0);
    assert!(ended.stderr.contains("nothing is there to read"), "{}", ended.stderr);
    assert!(!pipeline.path("lake").exists(), "nothing is claimed");
    pipeline.set("source", "url", "file:logs/");
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    pipeline.land();
    pipeline.is_exact();
}

#[test]
fn a_start_whose_source_cannot_be_listed_leaves_no_commit() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "url", "file:gone/*.json");
    for _ in 0..3 {
        pipeline.run().exits_with(3);
        assert!(!pipeline.path("lake").exists());
    }
}
