//! A folder with what real folders have: stray entries, links that loop, names that are not UTF-8,
//! folders that are not entered.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;
use crate::source::files::identity::Fingerprint;
use crate::source::files::{PassedOver, Why};

fn walk(root: &Path, pattern: &str) -> Walk {
    let url = format!("{}/{pattern}", root.display());
    FileSource::open(&url).expect("a source").inner.walk().expect("the root can be read")
}

fn names(walk: &Walk) -> Vec<&str> {
    walk.files.iter().map(|file| file.name.as_str()).collect()
}

#[test]
fn a_stray_entry_is_named_and_stops_nothing() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let root = folder.path();
    fs::write(root.join("a.json"), "").expect("a file");
    fs::write(root.join(OsStr::from_bytes(b"\xff.json")), "").expect("a file");
    symlink("loop", root.join("loop")).expect("a link");
    symlink("nowhere", root.join("gone.json")).expect("a link");
    let all = walk(root, "");
    assert_eq!(names(&all), ["a.json"]);
    let told: Vec<_> = all.passed_over.iter().map(|p| (p.name.as_str(), p.why.matters())).collect();
    assert_eq!(told, [("loop", true), ("\u{fffd}.json", true)]);
    // What the pattern does not match is not reported.
    let json = walk(root, "a*.json");
    assert_eq!(names(&json), ["a.json"]);
    assert_eq!(json.passed_over, []);
}

#[test]
fn folders_that_a_pattern_cannot_match_are_not_entered() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let root = folder.path();
    for path in ["a.json", "lost+found/b.json", "x/c.json", "x/y/d.json", ".git/e.json"] {
        fs::create_dir_all(root.join(path).parent().expect("a folder")).expect("a folder");
        fs::write(root.join(path), "").expect("a file");
    }
    assert_eq!(names(&walk(root, "*.json")), ["a.json"]);
    assert_eq!(walk(root, "*.json").passed_over, []);
    assert_eq!(names(&walk(root, "*/*.json")), ["x/c.json"]);
    let temporary = |name: &str| PassedOver { name: name.to_owned(), why: Why::Temporary };
    assert_eq!(walk(root, "*/*.json").passed_over, [temporary(".git"), temporary("lost+found")]);
    assert_eq!(names(&walk(root, "**/*.json")), ["a.json", "x/c.json", "x/y/d.json"]);
    let url = format!("{}/**/*.json", root.display());
    let source = FileSource::open(&url).expect("a source").with_temporary();
    assert_eq!(source.inner.walk().expect("readable").files.len(), 5);
}

#[test]
fn what_would_be_read_of_a_folder_is_known_before_it_is_there() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let enters = |pattern: &str, below: &str| {
        let url = format!("{}/{pattern}", folder.path().display());
        FileSource::open(&url).expect("a source").enters(&folder.path().join(below))
    };
    assert!(enters("", "lake") && enters("", "") && enters("**/*.json", "lake/a"));
    assert!(!enters("*.json", "lake") && !enters("", "../elsewhere") && !enters("a.json", "lake"));
}

#[test]
fn a_renamed_file_is_found_in_its_folder_and_a_deleted_one_is_gone() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let root = folder.path();
    fs::write(root.join("a.json"), "x\n").expect("a file");
    let source = FileSource::open(&format!("{}/*.json", root.display())).expect("a source");
    let listed = source.inner.walk().expect("readable").files.remove(0);
    let sought = [Sought { name: listed.name.clone(), identity: listed.identity(Fingerprint::default()) }];
    fs::rename(root.join("a.json"), root.join("a.json.1")).expect("renamed");
    let at = Listed { name: "a.json.1".into(), ..listed };
    assert_eq!(source.inner.find(&sought), [Found::At(at.clone())]);
    fs::rename(root.join("a.json.1"), root.join("a.json.2")).expect("renamed");
    assert_eq!(source.inner.find(&sought), [Found::At(Listed { name: "a.json.2".into(), ..at })]);
    fs::remove_file(root.join("a.json.2")).expect("removed");
    assert_eq!(source.inner.find(&sought), [Found::Gone]);
}
