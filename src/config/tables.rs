//! `[tables]` and `[schema]` of `pg_changes`: what is to become of each table of PostgreSQL, by its
//! name or a pattern of names, or of all.

use std::collections::BTreeMap;

use lakefront_operators::events::{Keyless, OnAddDefault, OnIncompatible, OnTruncate, OnWiden, TableWish};
use lakefront_operators::format::debezium::typed::Unrepresentable;
use lakefront_operators::glob::{self, GlobMatcher};
use toml::Value;

use super::raw::{Reading, Section};
use super::values::{choice, flag, text};

/// What may be said of a table.
const KEYS: [&str; 13] = [
    "key",
    "keyless",
    "cdf",
    "metadata",
    "deletion_vectors",
    "partition_by",
    "on_truncate",
    "on_toast_gap",
    "on_unrepresentable",
    "types",
    "on_add_default",
    "on_incompatible",
    "on_widen",
];

/// What the file says of tables, the most general first.
#[derive(Clone, Default)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct TableRules(Vec<(Names, Said)>);

/// Which tables.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
enum Names {
    All,
    Like(GlobMatcher),
    One(String),
}

/// What is said of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    /// `Some(None)` for the key that PostgreSQL has.
    key: Option<Option<Vec<String>>>,
    keyless: Option<Keyless>,
    feed: Option<bool>,
    metadata: Option<bool>,
    on_truncate: Option<OnTruncate>,
    unrepresentable: Option<Unrepresentable>,
    texts: Option<Vec<String>>,
    on_add_default: Option<OnAddDefault>,
    on_incompatible: Option<OnIncompatible>,
    on_widen: Option<OnWiden>,
}

impl TableRules {
    /// What is to become of the table `schema.table`: what is said of it alone comes before what is
    /// said of a pattern, and a longer pattern before a shorter one.
    pub(crate) fn of(&self, name: &str) -> TableWish {
        let mut wish = TableWish::default();
        for (_, said) in self.0.iter().filter(|(names, _)| names.has(name)) {
            let said = said.clone();
            wish = TableWish {
                key: said.key.unwrap_or(wish.key),
                keyless: said.keyless.unwrap_or(wish.keyless),
                feed: said.feed.unwrap_or(wish.feed),
                metadata: said.metadata.unwrap_or(wish.metadata),
                on_truncate: said.on_truncate.unwrap_or(wish.on_truncate),
                unrepresentable: said.unrepresentable.unwrap_or(wish.unrepresentable),
                texts: said.texts.unwrap_or(wish.texts),
                on_add_default: said.on_add_default.unwrap_or(wish.on_add_default),
                on_incompatible: said.on_incompatible.unwrap_or(wish.on_incompatible),
                on_widen: said.on_widen.unwrap_or(wish.on_widen),
            };
        }
        wish
    }
}

impl TableRules {
    /// The tables of which something is said alone, as `schema.table`.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|(names, _)| match names {
            Names::One(one) => Some(one.as_str()),
            Names::All | Names::Like(_) => None,
        })
    }
}

impl Names {
    fn parse(text: &str) -> Result<Names, String> {
        match text {
            "*" => Ok(Names::All),
            text if text.contains(['*', '?', '[', '{']) => glob::compile(text)
                .map(Names::Like)
                .map_err(|_| "is a pattern that is none: close every [ and {".to_owned()),
            text if text.contains('.') => Ok(Names::One(text.to_owned())),
            _ => Err("must name a table with its schema, such as \"public.customers\", or be a pattern".to_owned()),
        }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Names::All => true,
            Names::Like(pattern) => pattern.is_match(name),
            Names::One(one) => one == name,
        }
    }

    fn rank(&self) -> usize {
        match self {
            Names::All => 0,
            Names::Like(pattern) => pattern.glob().glob().len(),
            Names::One(_) => usize::MAX,
        }
    }
}

/// Reads `[tables]` and `[schema]`.
pub(super) fn read(top: &mut Section<'_>) -> Option<TableRules> {
    let schema = schema(top);
    let mut section = top.section("tables");
    let metadata = section.optional("metadata", None, |v| flag(v).map(Some));
    let said = section.named_entries(|name| Names::parse(name).map(drop), said)?;
    let mut rules: Vec<_> =
        said.into_iter().filter_map(|(name, said)| Some((Names::parse(&name).ok()?, said))).collect();
    // Said of all tables, and before what "*" says.
    rules.insert(0, (Names::All, Said { metadata: metadata?, ..schema? }));
    rules.sort_by_key(|(names, _)| names.rank());
    Some(TableRules(rules))
}

/// Reads `[schema]`: what becomes of all tables whose columns change. A new column and one that is
/// gone leave no choice, but may be named.
fn schema(top: &mut Section<'_>) -> Option<Said> {
    let mut section = top.section("schema");
    let on_add = section.optional("on_add", (), |v| choice(v, &[("evolve", ())]));
    let on_add_default = section.optional("on_add_default", OnAddDefault::default(), |v| choice(v, &add_default()));
    let on_drop = section.optional("on_drop", (), |v| choice(v, &[("keep", ())]));
    let on_incompatible =
        section.optional("on_incompatible", OnIncompatible::default(), |v| choice(v, &incompatible()));
    let on_widen = section.optional("on_widen", OnWiden::default(), |v| choice(v, &widen()));
    section.finish();
    on_add.and(on_drop)?;
    Some(Said {
        on_add_default: Some(on_add_default?),
        on_incompatible: Some(on_incompatible?),
        on_widen: Some(on_widen?),
        ..Said::default()
    })
}

fn add_default() -> [(&'static str, OnAddDefault); 2] {
    [OnAddDefault::Backfill, OnAddDefault::Null].map(|one| (one.word(), one))
}

fn incompatible() -> [(&'static str, OnIncompatible); 2] {
    [OnIncompatible::Stop, OnIncompatible::Reject].map(|one| (one.word(), one))
}

fn widen() -> [(&'static str, OnWiden); 2] {
    [OnWiden::Stop, OnWiden::Widen].map(|one| (one.word(), one))
}

fn said(value: &Value) -> Reading<Said> {
    let allowed = || format!("allowed is a table of {}", KEYS.join(", "));
    let table = value.as_table().ok_or_else(allowed)?;
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("there is no key {key:?} for a table; {}", allowed()));
    }
    let of = |key: &str| table.get(key);
    let named = |key: &str, error: String| format!("{key}: {error}");
    let truncate = [OnTruncate::Apply, OnTruncate::Ignore].map(|one| (one.word(), one));
    let keyless = [Keyless::Append, Keyless::Refuse].map(|one| (one.word(), one));
    let odd = [("reject", Unrepresentable::Reject), ("null", Unrepresentable::Null)];
    // These leave no choice, but may be named.
    for (key, only, shown) in [
        ("deletion_vectors", Value::Boolean(true), "true"),
        ("partition_by", Value::Array(Vec::new()), "[]"),
        ("on_toast_gap", Value::from("reject"), "\"reject\""),
    ] {
        if of(key).is_some_and(|given| *given != only) {
            return Err(named(key, format!("allowed is {shown}: nothing else is to be had")));
        }
    }
    Ok(Said {
        key: of("key").map(key).transpose().map_err(|e| named("key", e))?,
        keyless: of("keyless").map(|v| choice(v, &keyless)).transpose().map_err(|e| named("keyless", e))?,
        feed: of("cdf").map(flag).transpose().map_err(|e| named("cdf", e))?,
        metadata: of("metadata").map(flag).transpose().map_err(|e| named("metadata", e))?,
        on_truncate: of("on_truncate")
            .map(|v| choice(v, &truncate))
            .transpose()
            .map_err(|e| named("on_truncate", e))?,
        unrepresentable: of("on_unrepresentable")
            .map(|v| choice(v, &odd))
            .transpose()
            .map_err(|e| named("on_unrepresentable", e))?,
        texts: of("types").map(texts).transpose().map_err(|e| named("types", e))?,
        on_add_default: of("on_add_default")
            .map(|v| choice(v, &add_default()))
            .transpose()
            .map_err(|e| named("on_add_default", e))?,
        on_incompatible: of("on_incompatible")
            .map(|v| choice(v, &incompatible()))
            .transpose()
            .map_err(|e| named("on_incompatible", e))?,
        on_widen: of("on_widen").map(|v| choice(v, &widen())).transpose().map_err(|e| named("on_widen", e))?,
    })
}

/// "auto", or the columns of a key.
fn key(value: &Value) -> Reading<Option<Vec<String>>> {
    if value.as_str() == Some("auto") {
        return Ok(None);
    }
    let columns = value.as_array().filter(|columns| !columns.is_empty());
    let columns = columns.ok_or("allowed is \"auto\", or a list of columns")?;
    let columns: Vec<String> = columns.iter().map(|column| Ok(text(column)?.to_owned())).collect::<Reading<_>>()?;
    match columns.iter().enumerate().find(|(at, column)| columns[..*at].contains(column)) {
        Some((_, twice)) => Err(format!("names column {twice:?} twice")),
        None => Ok(Some(columns)),
    }
}

/// The columns that are taken as texts.
fn texts(value: &Value) -> Reading<Vec<String>> {
    let types: BTreeMap<&String, &Value> = value.as_table().into_iter().flatten().collect();
    match types.values().all(|of| of.as_str() == Some("string")) && value.is_table() {
        true => Ok(types.into_keys().cloned().collect()),
        false => Err("allowed is a table such as { column = \"string\" }".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Problems;
    use super::*;

    fn rules(text: &str) -> Result<TableRules, String> {
        let problems = Problems::default();
        let table = text.parse().expect("TOML");
        let read = read(&mut Section::top(table, &|_| None, &problems));
        read.ok_or_else(|| super::super::ConfigError::Fields(problems.into_inner()).to_string())
    }

    #[test]
    fn what_is_said_of_one_table_comes_before_what_is_said_of_many() {
        let rules = rules(
            "[tables]\n\"public.orders\" = { cdf = true }\n\"*\" = { cdf = false, on_truncate = \"ignore\" }\n\
             \"public.*\" = { key = [\"id\"] }",
        );
        let rules = rules.expect("rules");
        assert!(!rules.of("public.orders").metadata);
        let (orders, other) = (rules.of("public.orders"), rules.of("private.orders"));
        assert_eq!((orders.feed, orders.key, orders.on_truncate), (true, Some(vec!["id".into()]), OnTruncate::Ignore));
        assert_eq!((other.feed, other.key), (false, None));
        assert_eq!(TableRules::default().of("a.b"), TableWish::default());
    }

    #[test]
    fn metadata_is_wanted_of_all_tables_or_of_some() {
        let wanted = rules("[tables]\nmetadata = true\n\"a.b\" = { metadata = false }").expect("rules");
        assert_eq!([wanted.of("a.b").metadata, wanted.of("a.c").metadata], [false, true]);
        assert!(rules("[tables]\nmetadata = 1").is_err());
    }

    #[test]
    fn what_becomes_of_other_types_is_said_of_all_tables_or_of_some() {
        let rules = rules(
            "[schema]\non_add = \"evolve\"\non_drop = \"keep\"\non_add_default = \"null\"\non_widen = \"widen\"\n[tables]\n\"a.b\" = { on_widen = \
             \"stop\", on_incompatible = \"reject\" }",
        );
        let rules = rules.expect("rules");
        let (one, other) = (rules.of("a.b"), rules.of("a.c"));
        assert_eq!((one.on_widen, one.on_incompatible), (OnWiden::Stop, OnIncompatible::Reject));
        assert_eq!((other.on_widen, other.on_incompatible), (OnWiden::Widen, OnIncompatible::Stop));
        assert_eq!(other.on_add_default, OnAddDefault::Null);
        assert!(self::rules("[schema]\non_drop = \"drop\"").is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        for (text, part) in [
            ("orders = {}", "must name a table with its schema"),
            ("\"public.[\" = {}", "close every ["),
            ("\"a.b\" = { kee = 1 }", "there is no key \"kee\""),
            ("\"a.b\" = { key = [] }", "key: allowed is \"auto\""),
            ("\"a.b\" = { key = [\"x\", \"x\"] }", "names column \"x\" twice"),
            ("\"a.b\" = { types = { x = \"int\" } }", "types: allowed is"),
            ("\"a.b\" = { keyless = \"no\" }", "keyless: allowed are"),
            ("\"a.b\" = { on_truncate = \"no\" }", "on_truncate: allowed are"),
        ] {
            let error = rules(&format!("[tables]\n{text}")).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
    }
}
