//! As much of PromQL as a dashboard's queries need: the metrics and labels that they name.

use std::collections::BTreeSet;

/// The names in a query.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Named {
    pub(crate) metrics: BTreeSet<String>,
    pub(crate) labels: BTreeSet<String>,
}

/// Words before a list of labels in parentheses.
const LABELS_FOLLOW: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Operators that are words.
const OPERATORS: [&str; 6] = ["and", "or", "unless", "offset", "bool", "atan2"];

/// Reads a query. A name outside of braces that is neither a function nor a keyword is a metric.
/// Names in braces, and in the lists of aggregations and matchings, are labels.
pub(crate) fn named(query: &str) -> Named {
    let mut named = Named::default();
    let mut rest = query;
    let mut labels_follow = false;
    while let Some(first) = rest.chars().next() {
        match first {
            '{' => {
                let (matchers, after) = braces(rest);
                named.labels.extend(matchers);
                rest = after;
            }
            '[' => rest = after(rest, ']'),
            '(' if labels_follow => {
                let end = rest.find(')').expect("a closing parenthesis");
                let labels = rest[1..end].split(',').map(str::trim).filter(|label| !label.is_empty());
                named.labels.extend(labels.map(str::to_owned));
                (rest, labels_follow) = (&rest[end + 1..], false);
            }
            c if is_name(c) && !c.is_ascii_digit() => {
                let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
                let (name, after) = rest.split_at(end);
                labels_follow = LABELS_FOLLOW.contains(&name);
                let is_function = after.trim_start().starts_with('(') || labels_follow;
                // An aggregation may have its labels before its parenthesis.
                let aggregates =
                    ["by", "without"].iter().any(|word| after.trim_start().starts_with(&format!("{word} ")));
                if !is_function && !aggregates && !OPERATORS.contains(&name) {
                    named.metrics.insert(name.to_owned());
                }
                rest = after;
            }
            c if c.is_ascii_digit() => rest = rest.trim_start_matches(|c: char| is_name(c) || c == '.'),
            c => rest = &rest[c.len_utf8()..],
        }
    }
    named
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// The labels of matchers in braces, and the text behind them.
fn braces(text: &str) -> (Vec<String>, &str) {
    let (mut labels, mut rest) = (Vec::new(), &text[1..]);
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            return (labels, after);
        }
        let end = rest.find(|c| !is_name(c)).expect("an operator behind a label");
        labels.push(rest[..end].to_owned());
        let value = rest[end..].find('"').expect("a value in quotes");
        rest = after(&rest[end + value + 1..], '"');
    }
}

fn after(text: &str, end: char) -> &str {
    let (_, after) = text.split_once(end).unwrap_or_else(|| panic!("no {end} in {text}"));
    after
}

#[test]
fn metrics_and_labels_are_found() {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    for (query, metrics, labels) in [
        ("up", &["up"][..], &[][..]),
        ("time() - min(a_b{x=\"c\"})", &["a_b"], &["x"]),
        (
            "histogram_quantile(0.99, sum by (le) (rate(a_bucket{x=~\"$y\",z!=\"}\"}[$__rate_interval])))",
            &["a_bucket"],
            &["le", "x", "z"],
        ),
        ("sum(rate(a_sum[5m])) / sum(rate(a_count[5m]))", &["a_sum", "a_count"], &[]),
        ("max by (i) (a) - on (i) group_right () b{x=\"1e3\"}", &["a", "b"], &["i", "x"]),
        ("a and b > 1e3", &["a", "b"], &[]),
    ] {
        assert_eq!(named(query), Named { metrics: set(metrics), labels: set(labels) }, "{query}");
    }
}
