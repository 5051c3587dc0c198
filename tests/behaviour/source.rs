//! Files as they come and go: rewritten, unfinished, there before the first run.

use std::fs;

use crate::support::{Lines, Pipeline};

/// Whether all rows of `a.json` are there, of its first generation, which was `old`, and of its
/// second.
fn is_exact_with_both(pipeline: &Pipeline, old: &[u8]) {
    let (kept, now) = (pipeline.path("a.old"), pipeline.path("logs/a.json"));
    fs::write(&kept, old).expect("a copy of the old file");
    let aliases = [format!("a.json={}", kept.display()), format!("a.json#2={}", now.display())];
    pipeline.is_exact_with(&["--alias", &aliases[0], "--alias", &aliases[1]]);
}

#[test]
fn a_rewritten_file_is_read_again_as_a_new_generation() {
    let (mut pipeline, mut lines) = (Pipeline::new(), Lines::new(1));
    pipeline.set("source", "on_rewrite", "restart");
    let (old, new) = (lines.take(20), lines.take(30));
    pipeline.write("a.json", &old);
    pipeline.write("b.json", lines.take(5));
    pipeline.land();
    pipeline.write("a.json", &new);
    pipeline.land();
    pipeline.append("a.json", lines.take(3));
    pipeline.land();

    is_exact_with_both(&pipeline, &old);
}

#[test]
fn a_file_that_shrank_is_read_again_as_a_new_generation() {
    let (mut pipeline, mut lines) = (Pipeline::new(), Lines::new(2));
    pipeline.set("source", "on_rewrite", "restart");
    let old = lines.take(20);
    pipeline.write("a.json", &old);
    pipeline.land();
    pipeline.write("a.json", lines.take(2));
    pipeline.land();

    is_exact_with_both(&pipeline, &old);
}

#[test]
fn an_unterminated_line_is_left_until_it_is_whole() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", "{\"ReplicaRole\": \"Primary\"}\n{\"ReplicaRole\": \"Replica\"}");
    let ended = pipeline.run().exits_with(0);
    assert!(ended.stderr.contains("the last line has no newline: it is left in the source"), "{}", ended.stderr);
    assert_eq!(pipeline.is_exact(), "exact: primary 1, replica 0, rejects 0");

    pipeline.append("a.json", "\n");
    pipeline.land();
    assert_eq!(pipeline.is_exact(), "exact: primary 1, replica 1, rejects 0");
}

#[test]
fn an_unterminated_line_that_is_whole_is_landed_on_request_and_only_once() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "unterminated", "land");
    pipeline.write("a.json", "{\"ReplicaRole\": \"Primary\"}\n{\"ReplicaRole\": \"Replica\"}");
    pipeline.write("b.json", "{\"ReplicaRole\": \"Pri");
    pipeline.land();
    assert_eq!(pipeline.is_exact(), "exact: primary 1, replica 1, rejects 0");

    pipeline.append("a.json", "\n{\"ReplicaRole\": \"Replica\"}\n");
    pipeline.append("b.json", "mary\"}");
    pipeline.land();
    assert_eq!(pipeline.is_exact(), "exact: primary 2, replica 2, rejects 0");
}

#[test]
fn a_cold_start_at_the_latest_line_end_lands_only_what_comes_after_it() {
    let (mut pipeline, mut lines) = (Pipeline::new(), Lines::new(3));
    pipeline.set("source", "cold_start", "latest");
    let before = lines.take(20);
    pipeline.write("a.json", [&before[..], b"{\"Replica"].concat());
    let report = pipeline.land();
    assert_eq!((&report["bytes"], &report["position"]), (&0.into(), &before.len().into()));

    let after = "{\"ReplicaRole\": \"Primary\"}\n";
    pipeline.append("a.json", &after["{\"Replica".len()..]);
    pipeline.append("b.json", after);
    let report = pipeline.land();
    assert_eq!(report["bytes"], 2 * after.len(), "the line that was torn, and the file that is new");
    assert_eq!(report["tables"]["primary"]["rows"], 2);
}

#[test]
fn a_file_that_is_gone_keeps_its_rows() {
    let (pipeline, mut lines) = (Pipeline::new(), Lines::new(4));
    pipeline.write("a.json", lines.take(20));
    pipeline.land();
    let kept = pipeline.path("a.old");
    fs::rename(pipeline.path("logs/a.json"), &kept).expect("a file goes away");
    pipeline.write("b.json", lines.take(20));
    pipeline.land();
    pipeline.is_exact_with(&["--alias", &format!("a.json={}", kept.display())]);
}

#[test]
fn a_link_to_a_file_of_the_source_is_no_second_file() {
    let (pipeline, mut lines) = (Pipeline::new(), Lines::new(5));
    pipeline.write("a.json", lines.take(20));
    std::os::unix::fs::symlink("a.json", pipeline.path("logs/latest.json")).expect("a link");
    pipeline.land();
    fs::remove_file(pipeline.path("logs/latest.json")).expect("the link goes away");
    pipeline.is_exact();
}
