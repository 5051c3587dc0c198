//! Which sources read the same files.

use proptest::prelude::*;

use super::*;
use crate::glob;

fn reads(source: &str) -> Reads {
    Reads::recorded(source, None)
}

#[test]
fn sources_of_one_root_are_one() {
    let folder = reads("file:/logs");
    for other in ["file:/logs/*.json", "file:/logs/**/PT1H.json", "file:/logs/{a,b}/*.json"] {
        assert!(folder.is_one_with(&reads(other)) && folder.covers(&reads(other)), "{other}");
    }
    for other in ["file:/logs/a/*.json", "file:/log", "file:/logs2/*.json", "az://logs/a/*.json"] {
        assert!(!folder.is_one_with(&reads(other)), "{other}");
    }
    let (file, glob) = (Reads::new("file:/logs/a.json", "file:/logs"), reads("file:/logs/*.json"));
    assert!(file.is_one_with(&glob) && glob.covers(&file) && !file.covers(&glob));
    assert_eq!(glob.place("a.json"), "file:/logs/a.json");
}

#[test]
fn what_reads_all_that_another_does() {
    let cases = [
        ("file:/logs", "file:/logs/x", true),
        ("file:/logs", "file:/logs/x/**/a[0-9].json", true),
        ("file:/logs", "file:/logs2", false),
        ("file:/logs/*.json", "file:/logs/a*.json", true),
        ("file:/logs/*.json", "file:/logs/x/*.json", false),
        ("file:/logs/**/*.json", "file:/logs/x/*.json", true),
        ("file:/logs/*primary*.json", "file:/logs/*replica*.json", false),
        ("file:/logs/[0-9]*", "file:/logs/[3-4]x", true),
        ("file:/logs/[!0-9]*", "file:/logs/[3-4]x", false),
        ("file:/logs/{a,b}/*", "file:/logs/b/c*", true),
        ("file:/logs/{a,b}/*", "file:/logs/{a,c}/*", false),
    ];
    for (one, other, covers) in cases {
        assert_eq!(reads(one).covers(&reads(other)), covers, "{one} {other}");
    }
    assert!(reads("file:/logs/**").covers(&reads("file:/logs")));
    assert!(reads("file:/logs/**/*.json").covers(&Reads::new("file:/logs/a.json", "file:/logs")));
    let many = format!("file:/logs/{}", "{a,b,c}".repeat(9));
    assert!(reads(&many).covers(&reads(&many)) && !reads(&many).has("file:/logs/aaaaaaaaa"), "nothing is said of it");
}

proptest! {
    #[test]
    fn what_is_read_is_what_the_glob_matches(
        glob in "(\\*\\*/)?[ab]?(\\*|\\?|[ab]|\\[ab\\]|\\[!a\\]|\\{a,b\\*\\}|\\{a,\\{bb,\\?\\}\\}|/\\*\\*/|/){0,4}(\\*|/\\*\\*|a|\\?)",
        path in "[ab]{1,2}(/[ab]{1,3}){0,3}",
    ) {
        prop_assume!(!glob.contains("//"));
        let Ok(matcher) = glob::compile(&glob) else { return Ok(()) };
        let reads = Reads::new(&format!("file:/r/{glob}"), "file:/r");
        prop_assert_eq!(reads.has(&format!("file:/r/{}", path)), matcher.is_match(&path), "{}", glob);
    }

    #[test]
    fn what_covers_another_reads_all_its_files(
        one in "[ab*?]{1,4}", other in "[ab*?]{1,4}", name in "[ab]{1,4}",
    ) {
        let (one, other) = (Reads::new(&format!("file:/r/{one}"), "file:/r"), Reads::new(&format!("file:/r/{other}"), "file:/r"));
        let place = format!("file:/r/{name}");
        prop_assert!(!(one.covers(&other) && other.has(&place)) || one.has(&place));
    }
}
