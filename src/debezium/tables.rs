//! Which tables a connector captures, and how its topics are called: both follow from the topics
//! that the pipeline reads, unless the file says more.

/// What stands for letters in a pattern of topics.
const GLOB: [char; 4] = ['*', '?', '[', '{'];

/// A topic of the connector: `prefix.schema.table`. Prefix and table may be patterns.
struct Parts<'a> {
    prefix: &'a str,
    schema: &'a str,
    table: &'a str,
}

/// The parts of a topic, or of a pattern such as `cdc.public.*` or `cdc.*`. `None` for a topic that
/// is no table's, such as the one of transactions.
fn parts(topic: &str) -> Option<Parts<'_>> {
    let (rest, table) = topic.rsplit_once('.')?;
    match rest.rsplit_once('.') {
        Some((prefix, schema)) => Some(Parts { prefix, schema, table }),
        None if table == "*" => Some(Parts { prefix: rest, schema: "*", table }),
        None => None,
    }
}

/// What all `topics` begin with, if that can be told.
pub(crate) fn prefix(topics: &[String]) -> Option<&str> {
    let mut prefixes = topics.iter().filter_map(|topic| parts(topic)).map(|parts| parts.prefix);
    let first = prefixes.next().filter(|prefix| !prefix.contains(GLOB))?;
    prefixes.all(|prefix| prefix == first).then_some(first)
}

/// The tables of `topics`, as `schema.table` with `*` for any letters, if that can be told.
pub(crate) fn tables(topics: &[String]) -> Option<Vec<String>> {
    let pattern = |Parts { schema, table, .. }: Parts<'_>| {
        let plain = |part: &str| !part.contains(['?', '[', '{', ']', '}']);
        (plain(schema) && plain(table)).then(|| format!("{schema}.{table}"))
    };
    let tables: Vec<String> = topics.iter().filter_map(|topic| parts(topic)).map(pattern).collect::<Option<_>>()?;
    (!tables.is_empty()).then_some(tables)
}

/// A table, or a pattern of tables, as a regular expression of Java that matches all of a name.
/// Commas separate expressions in a list, and are escaped like all punctuation.
pub(super) fn expression(table: &str) -> String {
    let mut expression = String::with_capacity(table.len() + 8);
    for c in table.chars() {
        match c {
            '*' => expression.push_str(".*"),
            c if c.is_ascii_punctuation() && c != '_' => expression.extend(['\\', c]),
            c => expression.push(c),
        }
    }
    expression
}

/// Whether the table `name`, with its schema, is one of `patterns`. Debezium does not look at case.
pub(crate) fn matches(patterns: &[String], name: &str) -> bool {
    let name: Vec<char> = name.to_lowercase().chars().collect();
    patterns.iter().any(|pattern| is_match(&pattern.to_lowercase().chars().collect::<Vec<_>>(), &name))
}

/// Whether all of `name` is matched, where `*` stands for any letters. Linear in the product of
/// both lengths: a later `*` never has to take back what an earlier one took.
fn is_match(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(c) if *c == name[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((begun, taken)) = star else { return false };
                star = Some((begun, taken + 1));
                at = begun + 1;
                read = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn topics_name_prefix_and_tables() {
        for (topics, begins, of) in [
            (&["cdc.public.*"][..], Some("cdc"), Some(&["public.*"][..])),
            (&["cdc.*"], Some("cdc"), Some(&["*.*"])),
            (&["a.b.public.orders", "a.b.sales.x"], Some("a.b"), Some(&["public.orders", "sales.x"])),
            (&["cdc.public.orders", "other.public.orders"], None, Some(&["public.orders", "public.orders"])),
            (&["cdc.public.orders", "cdc.sales.*"], Some("cdc"), Some(&["public.orders", "sales.*"])),
            (&["cdc.public.{a,b}"], Some("cdc"), None),
            (&["*.public.orders"], None, Some(&["public.orders"])),
            (&["orders"], None, None),
            (&["cdc.public.a", "cdc.transaction"], Some("cdc"), Some(&["public.a"])),
        ] {
            let topics = owned(topics);
            assert_eq!(prefix(&topics), begins, "{topics:?}");
            assert_eq!(tables(&topics), of.map(owned), "{topics:?}");
        }
    }

    #[test]
    fn names_are_no_expressions() {
        assert_eq!(expression("public.*"), "public\\..*");
        assert_eq!(expression("public.order_items"), "public\\.order_items");
        assert_eq!(expression("Über.a,b (x)$"), "Über\\.a\\,b \\(x\\)\\$");
    }

    #[test]
    fn patterns_match_as_debezium_does() {
        let patterns = owned(&["public.*", "sales.a*b*c"]);
        for (name, is) in [
            ("public.orders", true),
            ("PUBLIC.Orders", true),
            ("publicc.orders", false),
            ("sales.axxbyyc", true),
            ("sales.abcb", false),
            ("sales.abcbc", true),
            ("sales.", false),
        ] {
            assert_eq!(matches(&patterns, name), is, "{name}");
        }
    }
}
