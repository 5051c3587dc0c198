//! `docs/reference.md` has every key that a pipeline file may have, no other, and the defaults that
//! hold: for each kind of pipeline, those under "Keys of every pipeline", those under a heading of
//! its own, and those that open storage.

use std::collections::{BTreeMap, BTreeSet};

use super::super::parse;
use super::{LEAST, env, good, into};

const PAGE: &str = include_str!("../../../docs/reference.md");
/// A key that is near to no other, so that the message lists all that are known.
const NOBODY: &str = "zzzzzzzzzzzzzzzz";
const LISTENS: &str = "listen = \"127.0.0.1:8089\"";

/// A kind of pipeline.
struct Kind {
    /// The smallest file that is valid.
    least: &'static str,
    /// The heading of what only this kind has.
    heading: &'static str,
    /// The sections that open a storage account.
    accounts: &'static [&'static str],
    /// It has more keys than this, and more defaults that are values.
    more_than: (usize, usize),
}

const KINDS: &[Kind] = &[
    Kind {
        least: LEAST,
        heading: "### Keys of `pg_logs`",
        accounts: &["source.azure", "lake.azure"],
        more_than: (50, 25),
    },
    #[cfg(feature = "pg_flush")]
    Kind {
        least: super::pg_flush::LEAST,
        heading: "### Keys of `pg_flush`",
        accounts: &["lake.azure"],
        more_than: (40, 12),
    },
    #[cfg(feature = "pg_changes")]
    Kind {
        least: super::connect::LEAST,
        heading: "### Keys of `pg_changes`",
        accounts: &["lake.azure"],
        more_than: (40, 9),
    },
];

impl Kind {
    fn with(&self, section: &str, line: &str) -> String {
        into(self.least, section, line)
    }

    /// The keys of a section as its error message lists them; none if it is no section, or one
    /// whose keys the user chooses.
    fn known(&self, section: &str) -> Option<Vec<String>> {
        let error = parse(&self.with(section, &format!("{NOBODY} = 1")), &env).err()?;
        let field = if section.is_empty() { NOBODY.to_owned() } else { format!("{section}.{NOBODY}") };
        let (_, keys) = error.about(&field)?.split_once("known keys are ")?;
        Some(keys.split(", ").map(str::to_owned).collect())
    }

    /// The whole names of all keys in `section` and in those inside it.
    fn keys(&self, section: &str, found: &mut BTreeSet<String>) {
        for key in self.known(section).expect("a section") {
            let name = if section.is_empty() { key } else { format!("{section}.{key}") };
            match self.known(&name) {
                Some(_) => self.keys(&name, found),
                None => drop(found.insert(name)),
            }
        }
    }

    /// The page's keys, with their defaults as they stand there.
    fn documented(&self) -> BTreeMap<String, String> {
        let mut keys = BTreeMap::new();
        let (_, page) = PAGE.split_once("## The pipeline file").expect("the part about the file");
        let (page, _) = page.split_once("## Metrics").expect("the part after it");
        let of_another = |heading: &str| heading.starts_with("### Keys of `pg_") && heading != self.heading;
        let mut is_ours = true;
        // The sections that a table is about, if it says so.
        let mut sections: &[&str] = &[];
        for line in page.lines() {
            if line.starts_with("### ") {
                is_ours = !of_another(line);
                sections = &[];
            }
            if !is_ours || !line.starts_with('|') {
                continue;
            }
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            sections = match cells[1] {
                header if header.contains("`[lake.azure]`") => self.accounts,
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
}

/// The texts between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn it_has_every_key_and_no_other() {
    for kind in KINDS {
        assert!(PAGE.lines().any(|line| line == kind.heading), "{} is no heading", kind.heading);
        let mut found = BTreeSet::new();
        kind.keys("", &mut found);
        assert!(found.len() > kind.more_than.0, "{found:?}");
        assert_eq!(kind.documented().into_keys().collect::<BTreeSet<_>>(), found, "{}", kind.heading);
    }
}

/// Where schemas of records in Avro are.
const REGISTRY: &str = "\n[source.decode]\nformat = \"avro\"\n[source.registry]\nurl = \"http://localhost:8081\"\n";

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    for kind in KINDS {
        let mut tried = 0;
        for (name, default) in kind.documented() {
            let (section, key) = name.rsplit_once('.').unwrap_or(("", &name));
            let [value] = quoted(&default)[..] else { continue };
            let line = format!("{key} = {value}");
            // A name made of others, such as the state file's, is no value.
            if line.parse::<toml::Table>().is_err() {
                continue;
            }
            let of_blobs =
                name.starts_with("source.azure") || name.starts_with("source.retry") || name == "source.settle";
            let blobs = |text: &str| text.replace("file:data/logs/", "${SIGNED_URL}");
            let (least, given) = match section {
                // It means nothing where nobody listens.
                "http" => (kind.with("http", LISTENS), format!("{}\n{line}", kind.with("http", LISTENS))),
                // Nor this where nothing is in Avro.
                "source.registry" => (format!("{}{REGISTRY}", kind.least), format!("{}{REGISTRY}{line}", kind.least)),
                _ if of_blobs => (blobs(kind.least), blobs(&kind.with(section, &line))),
                _ => (kind.least.to_owned(), kind.with(section, &line)),
            };
            assert_eq!(format!("{:?}", good(&given)), format!("{:?}", good(&least)), "{line} in [{section}]");
            tried += 1;
        }
        assert!(tried > kind.more_than.1, "{tried} defaults of {} are too few", kind.heading);
    }
}
