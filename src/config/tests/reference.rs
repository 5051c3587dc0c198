//! `docs/reference.md` has every key that a pipeline file may have, no other, and the defaults that
//! hold.

use std::collections::{BTreeMap, BTreeSet};

use super::super::parse;
use super::{LEAST, env, good, with};

const PAGE: &str = include_str!("../../../docs/reference.md");
/// A key that is near to no other, so that the message lists all that are known.
const NOBODY: &str = "zzzzzzzzzzzzzzzz";
const LISTENS: &str = "listen = \"127.0.0.1:8089\"";

/// The keys of a section as its error message lists them; none if it is no section, or one whose
/// keys the user chooses.
fn known(section: &str) -> Option<Vec<String>> {
    let error = parse(&with(section, &format!("{NOBODY} = 1")), &env).err()?;
    let field = if section.is_empty() { NOBODY.to_owned() } else { format!("{section}.{NOBODY}") };
    let (_, keys) = error.about(&field)?.split_once("known keys are ")?;
    Some(keys.split(", ").map(str::to_owned).collect())
}

/// The whole names of all keys in `section` and in those inside it.
fn keys(section: &str, found: &mut BTreeSet<String>) {
    for key in known(section).expect("a section") {
        let name = if section.is_empty() { key } else { format!("{section}.{key}") };
        match known(&name) {
            Some(_) => keys(&name, found),
            None => drop(found.insert(name)),
        }
    }
}

/// The texts between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The page's keys, with their defaults as they stand there.
fn documented() -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    let (_, page) = PAGE.split_once("## The pipeline file").expect("the part about the file");
    let (page, _) = page.split_once("## Metrics").expect("the part after it");
    // The sections that a table is about, if it says so.
    let mut sections: &[&str] = &[];
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        sections = match cells[1] {
            header if header.contains("`[lake.azure]`") => &["source.azure", "lake.azure"],
            header if header.contains("`[lake.s3]`") => &["lake.s3"],
            _ => sections,
        };
        for key in quoted(cells[1]).into_iter().filter(|key| !key.starts_with('[')) {
            if sections.is_empty() {
                keys.insert(key.to_owned(), cells[2].to_owned());
            }
            for section in sections {
                keys.insert(format!("{section}.{key}"), String::new());
            }
        }
    }
    keys
}

#[test]
fn it_has_every_key_and_no_other() {
    let mut found = BTreeSet::new();
    keys("", &mut found);
    assert!(found.len() > 50, "{found:?}");
    assert_eq!(documented().into_keys().collect::<BTreeSet<_>>(), found);
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let blobs = LEAST.replace("file:data/logs/", "${SIGNED_URL}");
    let mut tried = 0;
    for (name, default) in documented() {
        let (section, key) = name.rsplit_once('.').unwrap_or(("", &name));
        let [value] = quoted(&default)[..] else { continue };
        let line = format!("{key} = {value}");
        // A name made of others, such as the state file's, is no value.
        if line.parse::<toml::Table>().is_err() {
            continue;
        }
        let of_blobs = name.starts_with("source.azure") || name.starts_with("source.retry") || name == "source.settle";
        let (least, given) = match section {
            // It means nothing where nobody listens.
            "http" => (with("http", LISTENS), format!("{}\n{line}", with("http", LISTENS))),
            _ if of_blobs => (blobs.clone(), with(section, &line).replace("file:data/logs/", "${SIGNED_URL}")),
            _ => (LEAST.to_owned(), with(section, &line)),
        };
        assert_eq!(format!("{:?}", good(&given)), format!("{:?}", good(&least)), "{line} in [{section}]");
        tried += 1;
    }
    assert!(tried > 25, "{tried} defaults are too few");
}
