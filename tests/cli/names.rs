//! Names that a file system allows, for the lake, a schema, a table and the state file: each works,
//! or is refused before anything is created.

use std::fs;

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::{Pipeline, Random};

/// What names are made of: blanks, encodings, globs, quotes, what is special to shells, TOML, URLs
/// and terminals, letters of several bytes.
const PARTS: [&str; 47] = [
    " ", "%", "%20", "%2F", "%25", "%E9", "%zz", "#", "?", "*", "[", "]", "{", "}", "'", "\"", "\\", "\n", "\t", "\r",
    ":", "+", "&", "=", ";", "~", "^", "`", "|", "<", ">", ".", "$x", "${", "@", "!", ",", "(", "é", "e\u{301}",
    "日本", "😀", "\u{202e}", "\u{2028}", "\u{7f}", "\u{85}", "\u{feff}",
];

/// Names with each part in the middle, some odd ones, the longest, and some of several parts.
fn names() -> Vec<String> {
    let mut random = Random::new(16);
    let mut names: Vec<String> = PARTS.iter().map(|part| format!("a{part}b")).collect();
    names.extend([" a", "a ", "-a", "a.", "...", "%41", "100%"].map(str::to_owned));
    names.extend(["x".repeat(255), "x".repeat(230), "é".repeat(127)]);
    for _ in 0..16 {
        let parts = (0..random.below(2..5)).map(|_| *random.pick(&PARTS));
        names.push(format!("n{}", parts.collect::<String>()));
    }
    names
}

/// What lies in the pipeline's folder, except what the tests put there.
fn made(pipeline: &Pipeline) -> Vec<String> {
    let entries = fs::read_dir(pipeline.path("")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names
        .filter(|name| {
            !name.ends_with(".out") && !name.ends_with(".err") && !["logs", "p.toml"].contains(&name.as_str())
        })
        .collect()
}

/// With `value` for `key` of `[section]`, a run lands and is proved, or is refused because of that
/// key and creates nothing.
#[track_caller]
fn works_or_is_refused(section: &str, key: &str, value: &str) {
    let mut pipeline = Pipeline::new();
    // `$${` stands for `${` itself, and not for a variable.
    pipeline.set(section, key, value.replace("${", "$${")).write("a.json", ONE_FOR_EACH_TABLE);
    let run = pipeline.run();
    if run.code == Some(2) {
        assert_eq!(made(&pipeline), Vec::<String>::new(), "{section}.{key} = {value:?}: {}", run.stderr);
        assert!(run.error().contains(&format!("{section}.{key}")), "{value:?}: {}", run.stderr);
        return;
    }
    assert_eq!(run.code, Some(0), "{section}.{key} = {value:?}: {}", run.stderr);
    pipeline.is_proved();
    assert_eq!(pipeline.land()["bytes"], 0, "{section}.{key} = {value:?}: the second run finds it again");
}

#[test]
fn every_name_of_a_lake_works_or_is_refused_before_anything_is_made() {
    names().iter().for_each(|name| works_or_is_refused("lake", "root", &format!("file:{name}")));
}

#[test]
fn every_name_of_a_table_or_schema_works_or_is_refused_before_anything_is_made() {
    for name in names() {
        works_or_is_refused("tables", "replica", &name);
        works_or_is_refused("lake", "schema", &name);
    }
}

#[test]
fn every_name_of_a_state_file_works_or_is_refused_before_anything_is_made() {
    names().iter().for_each(|name| works_or_is_refused("source", "state_file", name));
    ["state/", ".", "..", "a/.."].iter().for_each(|name| works_or_is_refused("source", "state_file", name));
}

#[test]
fn a_lake_below_a_folder_that_cannot_be_read_is_refused_too() {
    let pipeline = Pipeline::new();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let mut command = pipeline.command(&["run", "../p.toml"]);
    fs::create_dir(pipeline.path("a%20b")).expect("a folder");
    command.current_dir(pipeline.path("a%20b"));
    let refused = pipeline.spawn(command).end().exits_with(2);
    assert!(refused.error().contains("lake.root = \"file:lake\": the whole path of a lake"), "{}", refused.stderr);
    assert_eq!(fs::read_dir(pipeline.path("a%20b")).expect("a folder").count(), 0, "nothing is made");
}
