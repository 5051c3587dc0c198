//! Prometheus' text format, read as strictly as `promtool check metrics` does: what that refuses
//! and what it warns about are both errors.

use std::collections::{BTreeMap, BTreeSet};

/// One metric.
#[derive(Clone, Debug, Default)]
pub(crate) struct Family {
    pub(crate) help: String,
    /// `counter`, `gauge` or `histogram`.
    pub(crate) kind: String,
    pub(crate) samples: Vec<Sample>,
}

/// One sample, on a line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// In a histogram, with `_bucket`, `_sum` or `_count`.
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// Words that names must not have: for units that are not base units, and for types.
const BAD_WORDS: [&str; 20] = [
    "milliseconds",
    "microseconds",
    "nanoseconds",
    "ms",
    "us",
    "ns",
    "minutes",
    "hours",
    "days",
    "kilobytes",
    "megabytes",
    "kib",
    "mib",
    "gib",
    "kb",
    "mb",
    "percent",
    "counter",
    "gauge",
    "histogram",
];

/// The metrics by name. The error says what is wrong in which line.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, Family>, String> {
    if !text.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        let wrong = |what: &str| format!("{what}: {line}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or_else(|| wrong("no help"))?;
            let family = Family { help: help.to_owned(), ..Family::default() };
            if families.insert(name.to_owned(), family).is_some() {
                return Err(wrong("a second time"));
            }
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong("no type"))?;
            let family =
                families.get_mut(name).filter(|_| name == current).ok_or_else(|| wrong("type without help"))?;
            if !family.kind.is_empty() || !["counter", "gauge", "histogram"].contains(&kind) {
                return Err(wrong("not one type that we have"));
            }
            family.kind = kind.to_owned();
        } else {
            let sample = sample(line).ok_or_else(|| wrong("no sample"))?;
            let family = families.get_mut(&current).filter(|family| !family.kind.is_empty());
            let family = family.ok_or_else(|| wrong("a sample before its type"))?;
            if !belongs(&sample.name, &current, &family.kind) {
                return Err(wrong("a sample of another metric"));
            }
            if family.samples.iter().any(|other| other.name == sample.name && other.labels == sample.labels) {
                return Err(wrong("a second time"));
            }
            family.samples.push(sample);
        }
    }
    for (name, family) in &families {
        check(name, family).map_err(|what| format!("{name}: {what}"))?;
    }
    Ok(families)
}

fn belongs(sample: &str, family: &str, kind: &str) -> bool {
    match sample.strip_prefix(family) {
        Some(suffix) if kind == "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
        suffix => suffix == Some(""),
    }
}

/// `name{label="value",...} number`.
fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, behind) = rest.split_once("=\"")?;
            let (value, behind) = quoted(behind)?;
            let is_new = labels.insert(label.to_owned(), value).is_none();
            if !is_new || !is_name(label) || label.starts_with("__") {
                return None;
            }
            match behind.strip_prefix(',') {
                Some(behind) => rest = behind,
                None => {
                    rest = behind.strip_prefix('}')?;
                    break;
                }
            }
        }
    }
    let number = rest.strip_prefix(' ')?;
    let value: f64 = number.parse().ok().filter(|value: &f64| value.is_finite())?;
    is_name(name).then(|| Sample { name: name.to_owned(), labels, value })
}

/// A label's value up to its closing quote, unescaped, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn check(name: &str, family: &Family) -> Result<(), String> {
    let Family { help, kind, samples } = family;
    if help.trim().is_empty() || samples.is_empty() {
        return Err("no help, or no samples".to_owned());
    }
    if let Some(word) = name.split('_').find(|word| BAD_WORDS.contains(word)) {
        return Err(format!("{word:?} is no word for a name"));
    }
    if (kind == "counter") != name.ends_with("_total") {
        return Err("counters, and only counters, end in _total".to_owned());
    }
    if ["_count", "_sum", "_bucket"].iter().any(|suffix| name.ends_with(suffix)) {
        return Err("it looks like a part of a histogram".to_owned());
    }
    if kind != "gauge" && samples.iter().any(|sample| sample.value < 0.0) {
        return Err("it counts below nothing".to_owned());
    }
    let labels =
        |sample: &Sample| sample.labels.keys().filter(|label| *label != "le").cloned().collect::<BTreeSet<_>>();
    if samples.iter().any(|sample| labels(sample) != labels(&samples[0])) {
        return Err("its samples have different labels".to_owned());
    }
    match kind.as_str() {
        "histogram" => histogram(name, samples),
        _ if samples.iter().any(|sample| sample.labels.contains_key("le")) => {
            Err("a bucket of no histogram".to_owned())
        }
        _ => Ok(()),
    }
}

/// Buckets must be cumulative, and the last must hold everything. We have no histograms with
/// labels.
fn histogram(name: &str, samples: &[Sample]) -> Result<(), String> {
    let value = |suffix: &str| samples.iter().find(|s| s.name == format!("{name}{suffix}")).map(|s| s.value);
    let count = value("_count").ok_or("no count")?;
    value("_sum").ok_or("no sum")?;
    let bucket = |sample: &Sample| Some((sample.labels.get("le")?.parse::<f64>().ok()?, sample.value));
    let in_buckets = samples.iter().filter(|sample| sample.name.ends_with("_bucket"));
    let buckets: Option<Vec<(f64, f64)>> = in_buckets.map(bucket).collect();
    let buckets = buckets.ok_or("a bucket without a bound")?;
    if !buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1) {
        return Err("its buckets are not cumulative".to_owned());
    }
    match buckets.last() {
        Some((bound, all)) if bound.is_infinite() && *all == count => Ok(()),
        _ => Err("its last bucket does not hold all".to_owned()),
    }
}
