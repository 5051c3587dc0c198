//! Commits that another program replaces, as Spark does on a local disk: it looks whether a version
//! exists, and then renames its file to that name.

use std::fs;

use crate::support::{Lines, Pipeline};

#[test]
fn what_a_replaced_commit_had_added_is_added_again() {
    let mut pipeline = Pipeline::new();
    pipeline.set("commit", "interval", "100ms");
    pipeline.write("a.json", Lines::new(1).take(30));
    let newest = || {
        let log = fs::read_dir(pipeline.table("primary").join("_delta_log")).expect("a log");
        let names = log.map(|entry| entry.expect("an entry").path());
        names.filter(|path| path.extension().is_some_and(|end| end == "json")).max().expect("a version")
    };
    let length = || fs::metadata(pipeline.path("logs/a.json")).expect("a file").len();
    let mut tail = pipeline.tail();
    for round in 2..5 {
        tail.until("landed the lines", || pipeline.position() == length());
        fs::write(pipeline.path("theirs"), "{\"commitInfo\":{\"operation\":\"OPTIMIZE\"}}\n").expect("a commit");
        fs::rename(pipeline.path("theirs"), newest()).expect("it takes the place of ours");
        pipeline.append("a.json", Lines::new(round).take(30));
    }
    tail.until("landed the lines", || pipeline.position() == length());
    let said = tail.stop().stderr;
    assert_eq!(said.matches("as Spark does on a local disk").count(), 3, "{said}");
    pipeline.is_exact();
    pipeline.is_proved();
}
