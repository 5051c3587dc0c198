//! Which folders are entered, and which names are passed over.

use super::*;

fn glob(pattern: &str) -> Select {
    Select::glob(pattern, String::new).expect("a good pattern")
}

fn folder(pattern: &str, name: &str) -> bool {
    glob(pattern).folder(Path::new(name)) == Judged::Wanted
}

#[test]
fn only_folders_in_which_a_match_can_lie_are_entered() {
    for (pattern, name, entered) in [
        ("*.json", "a", false),
        ("*/*.json", "a", true),
        ("*/*.json", "a/b", false),
        ("y=*/h=*/*.json", "y=2026/h=07", true),
        ("y=*/h=*/*.json", "y=2026/m=01", false),
        ("**/*.json", "a/b/c", true),
        ("a/**/b/*.json", "b", false),
        ("a/**/b/*.json", "a/x/y", true),
        ("**", "a/b", true),
        ("a/**", "a", true),
        ("a/**", "a/b/c", true),
        ("a/**", "b", false),
        ("{a,b}/**", "b/c", true),
        ("{a,b}/*.json", "b", true),
        ("{a,b}/*.json", "c", false),
        ("{a/b,c}/*.json", "d", true),
    ] {
        assert_eq!(folder(pattern, name), entered, "{pattern} {name}");
    }
}

#[test]
fn a_pattern_that_cannot_be_taken_apart_enters_all_folders_and_matches_as_ever() {
    let select = glob("{a/b,c}/*.json");
    assert_eq!(select.file(Path::new("a/b/x.json")), Judged::Wanted);
    assert_eq!(select.file(Path::new("a/x.json")), Judged::Other);
}

#[test]
fn hidden_and_temporary_names_are_passed_over_unless_they_are_asked_for() {
    for name in [".pg.json.Ab12", "_temporary/a.json", "a/.b/c.json", "lost+found/a.json"] {
        let mut select = Select::all();
        assert_eq!(select.file(Path::new(name)), Judged::Temporary, "{name}");
        select.read_temporary();
        assert_eq!(select.file(Path::new(name)), Judged::Wanted, "{name}");
    }
    assert_eq!(glob("*.tmp").file(Path::new("a.tmp")), Judged::Wanted);
    assert_eq!(glob("*.json").file(Path::new(".a.json")), Judged::Temporary);
    assert_eq!(Select::one(".a.json").file(Path::new(".a.json")), Judged::Wanted);
}
