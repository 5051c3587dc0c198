//! Links lead somewhere, and prose fits a screen: no line of it is longer than 100 columns, in
//! documents and in comments.

use std::fs;
use std::path::{Path, PathBuf};

use crate::pages::{all, blocks, read, root};

/// The longest line of prose, in characters.
const COLUMNS: usize = 100;

/// A heading as links name it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The targets of a page's links, without what lies on the web.
fn links(page: &str) -> Vec<String> {
    let targets = page.match_indices("](").filter_map(|(at, _)| page[at + 2..].split(')').next());
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut followed = 0;
    for page in all() {
        for link in links(&read(&page)) {
            let (file, part) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().expect("a folder").join(file),
            };
            assert!(root().join(&target).exists(), "{}: {link} leads nowhere", page.display());
            let has_part = || read(&target).lines().any(|line| line.starts_with('#') && anchor(line) == part);
            assert!(part.is_empty() || has_part(), "{}: {link} names no heading", page.display());
            followed += 1;
        }
    }
    assert!(followed > 30, "{followed} links are too few: they were not found");
}

/// The lines of a page that are prose: no table, no code, no picture, and no more than a link.
fn prose(page: &Path) -> Vec<(usize, String)> {
    let code: Vec<_> =
        blocks(page).iter().map(|block| block.line..=block.line + block.text.lines().count() + 1).collect();
    let lines = read(page);
    let numbered = lines.lines().enumerate().map(|(number, line)| (number + 1, line));
    numbered
        .filter(|(number, line)| !code.iter().any(|lines| lines.contains(number)) && !line.starts_with(['|', '!']))
        .map(|(number, line)| (number, line.to_owned()))
        .collect()
}

/// Files below `place` whose comments begin with `mark`.
fn sources(place: &Path, found: &mut Vec<(PathBuf, &'static str)>) {
    for entry in fs::read_dir(place).unwrap_or_else(|e| panic!("{}: {e}", place.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            // What is installed or built is not ours.
            if !["node_modules", "target", "data", "corpus", "__pycache__"].iter().any(|name| path.ends_with(name)) {
                sources(&path, found);
            }
            continue;
        }
        match path.extension().and_then(|end| end.to_str()) {
            Some("rs" | "js") => found.push((path, "//")),
            Some("toml" | "py" | "yaml" | "service") => found.push((path, "#")),
            _ => {}
        }
    }
}

#[test]
fn no_line_of_prose_is_too_long() {
    let mut long = Vec::new();
    let mut note = |place: &Path, number: usize, line: &str| {
        // A path or an address cannot be broken.
        let breaks = line.split_whitespace().all(|word| word.chars().count() < COLUMNS / 2);
        if line.chars().count() > COLUMNS && breaks {
            long.push(format!("{}:{number}", place.display()));
        }
    };
    for page in all() {
        prose(&page).iter().for_each(|(number, line)| note(&page, *number, line));
    }
    let mut files = vec![(root().join("Cargo.toml"), "#"), (root().join(".ci/run"), "#")];
    for place in ["src", "operators", "topologies", "tests", "benches", "fuzz", "examples", "deploy"] {
        sources(&root().join(place), &mut files);
    }
    assert!(files.len() > 200, "{} files are too few: they were not found", files.len());
    for (file, mark) in files {
        let text = fs::read_to_string(&file).expect("text");
        let comments = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with(mark));
        comments.for_each(|(number, line)| note(&file, number + 1, line));
    }
    assert!(long.is_empty(), "{} lines have more than {COLUMNS} columns:\n{}", long.len(), long.join("\n"));
}
