//! What blobs are called, relative to what the source names.

use super::*;

fn name(path: &str, blob: &str) -> Option<Named> {
    let names = Names::of(path).expect("a good path");
    let named = names.name(blob);
    match &named {
        Some(Named::Single(name)) => assert_eq!(names.blob(name, true), blob),
        Some(Named::Below(name)) => assert_eq!(names.blob(name, false), blob),
        None => {}
    }
    named
}

fn below(name: &str) -> Option<Named> {
    Some(Named::Below(name.to_owned()))
}

#[test]
fn a_folder_reads_the_same_with_and_without_a_slash() {
    for path in ["logs/a", "logs/a/"] {
        assert_eq!(name(path, "logs/a/h=07/x.json"), below("h=07/x.json"));
        assert_eq!(name(path, "logs/ab/x.json"), None);
    }
    assert_eq!(name("", "x.json"), below("x.json"));
}

#[test]
fn a_single_blob_is_called_by_the_end_of_its_name() {
    assert_eq!(name("logs/a.json", "logs/a.json"), Some(Named::Single("a.json".to_owned())));
    assert_eq!(name("logs/a.json", "logs/a.json2"), None);
}

#[test]
fn names_count_from_a_root() {
    for (path, single, root) in [
        ("", false, ""),
        ("*.json", false, ""),
        ("logs/a", false, "logs/a"),
        ("logs/a/", false, "logs/a"),
        ("logs/a/**/*.json", false, "logs/a"),
        ("logs/a/PT1H.json", true, "logs/a"),
        ("PT1H.json", true, ""),
    ] {
        assert_eq!(Names::of(path).expect("a good path").root(single), root, "{path}");
    }
}

#[test]
fn a_glob_counts_from_its_fixed_part() {
    assert_eq!(name("logs/y=*/*.json", "logs/y=2026/a.json"), below("y=2026/a.json"));
    assert_eq!(name("logs/y=*/*.json", "logs/y=2026/m=01/a.json"), None);
    assert_eq!(name("logs/**/*.json", "logs/y=2026/m=01/a.json"), below("y=2026/m=01/a.json"));
}

#[test]
fn an_entry_for_a_folder_is_no_blob() {
    assert_eq!(name("logs/", "logs/a/"), None);
}
