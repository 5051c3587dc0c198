//! What is refused and what is given up, each with advice.

use std::fs;

use crate::support::{Lines, Pipeline};

/// A pipeline with lines to replay, beside its source.
fn given() -> Pipeline {
    let pipeline = Pipeline::new();
    fs::write(pipeline.path("lines.json"), Lines::new(1).take(20)).expect("a file");
    pipeline
}

#[track_caller]
fn refused(pipeline: &Pipeline, flags: &[&str], code: i32, words: &str) {
    let all = [&["replay", "lines.json"], flags].concat();
    let ended = pipeline.call(&all).exits_with(code);
    assert!(ended.error().contains(words), "{words:?} in {}", ended.stderr);
}

#[test]
fn what_has_content_stays_as_it_is() {
    let pipeline = given();
    pipeline.write("a.json", "{}\n");
    refused(&pipeline, &["--to", "logs/a.json"], 2, "logs/a.json has content already: remove it");
    assert_eq!(fs::read(pipeline.path("logs/a.json")).expect("a file"), b"{}\n");
    refused(&pipeline, &["--to", "lines.json"], 2, "has content already");
}

#[test]
fn a_target_that_the_pipeline_does_not_read_is_refused_at_once() {
    let mut pipeline = given();
    pipeline.set("source", "url", "file:logs/*.json");
    for target in ["elsewhere/a.json", "logs/a.txt"] {
        refused(&pipeline, &["--to", target, "--watch", "p.toml"], 2, "is not what p.toml reads, which is file:");
        assert!(!pipeline.path(target).exists(), "nothing is left behind");
    }
}

#[test]
fn a_pipeline_that_never_ran_is_given_up() {
    let pipeline = given();
    let words = "holds no position of pipeline \"p\" after 0.3 s: start `lakefront run p.toml` first";
    refused(&pipeline, &["--to", "logs/", "--watch", "p.toml", "--timeout", "300ms"], 3, words);
}

#[test]
fn lines_that_nobody_lands_are_given_up_with_the_report() {
    let pipeline = given();
    // A tail claims its tables although there is nothing to read yet.
    pipeline.tail().stop();
    let flags = ["replay", "lines.json", "--to", "logs/", "--watch", "p.toml", "--timeout", "300ms", "--json"];
    let ended = pipeline.call(&flags).exits_with(3);
    let told = ended.json();
    assert_eq!((&told["watch"]["visible"], &told["watch"]["appends"]), (&false.into(), &0.into()));
    assert_eq!(told["watch"]["behind_bytes"]["at_end"], told["bytes"]);
    for words in ["became visible for 0.3 s", "\"primary\" to byte 0", "`lakefront run p.toml --mode tail` alive"] {
        assert!(ended.error().contains(words), "{words:?} in {}", ended.stderr);
    }
    assert!(ended.stderr.contains("no run of this pipeline was found on this machine"), "{}", ended.stderr);
}

#[test]
fn a_name_whose_bytes_have_landed_already_is_refused() {
    let pipeline = given();
    pipeline.write("a.json", Lines::new(2).take(5));
    pipeline.land();
    fs::remove_file(pipeline.path("logs/a.json")).expect("a file");
    let words = "the tables hold bytes of an earlier file of that name";
    refused(&pipeline, &["--to", "logs/a.json", "--watch", "p.toml"], 2, words);
    assert!(!pipeline.path("logs/a.json").exists(), "an empty file of that name would stop every run");
    pipeline.land();
}

#[test]
fn nobody_is_told_to_remove_what_a_pipeline_reads() {
    let pipeline = given();
    pipeline.write("b.json", Lines::new(2).take(5));
    pipeline.land();
    // The tables do not know of it yet.
    pipeline.write("a.json", Lines::new(3).take(5));
    let words = "logs/a.json has content already: name another target with --to";
    refused(&pipeline, &["--to", "logs/a.json", "--watch", "p.toml"], 2, words);
}

#[test]
fn a_histogram_is_written_over_nothing() {
    let pipeline = given();
    pipeline.write("b.json", Lines::new(2).take(5));
    pipeline.land();
    let before = fs::read(pipeline.path("lines.json")).expect("a file");
    let watch = ["--to", "logs/", "--watch", "p.toml", "--histogram"];
    for (name, is_left) in [("lines.json", false), ("p.toml", false), ("logs/lines.json", true)] {
        refused(&pipeline, &[&watch[..], &[name]].concat(), 2, "is there already: remove it, or name another");
        assert_eq!(pipeline.path("logs/lines.json").exists(), is_left, "{name}");
    }
    assert_eq!(fs::read(pipeline.path("lines.json")).expect("a file"), before);
    assert_eq!(fs::read(pipeline.path("logs/lines.json")).expect("a file"), b"", "the target itself");
}

#[test]
fn wrong_flags_are_refused() {
    let pipeline = given();
    for wrong in [
        &["--to", "logs/", "--rate", "fast"][..],
        &["--to", "logs/", "--append", "0"],
        &["--to", "logs/", "--for", "3"],
        &["--to", "logs/", "--histogram", "a.hlog"],
        &["--to", "az://logs/*.json"],
        &["--to", "s3://logs/a.json"],
        &[],
    ] {
        let all = [&["replay", "lines.json"], wrong].concat();
        assert!(!pipeline.call(&all).exits_with(2).stderr.is_empty(), "{wrong:?}");
    }
    fs::write(pipeline.path("empty.json"), b"").expect("a file");
    pipeline.call(&["replay", "empty.json", "--to", "logs/"]).exits_with(2);
}
