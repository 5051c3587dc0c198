//! JSON as slices: objects by name, texts, whole numbers, and the same JSON without whitespace.
//!
//! What is not needed is not read. Values are kept as raw text, so that nesting costs no stack and
//! numbers keep all their digits.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::reason::Reason;

/// The members of an object, in order. No two have one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Members<'a>(pub(super) Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// Reads the object `raw`, which is JSON; `place` names it in errors.
    pub(super) fn read(raw: &'a str, place: &'static str) -> Result<Members<'a>, Reason> {
        if !raw.starts_with('{') {
            return Err(Reason::Unlike { name: place.to_owned(), expected: "an object" });
        }
        let Raw(members) = serde_json::from_str(raw).map_err(|error| not_json(place, &error))?;
        let members = Members(members);
        match members.twice() {
            Some(name) => Err(Reason::Twice { name: name.to_owned() }),
            None => Ok(members),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(there, _)| there == name).map(|(_, raw)| *raw)
    }

    /// The value, unless it is null.
    pub(super) fn some(&self, name: &str) -> Option<&'a str> {
        self.get(name).filter(|raw| *raw != "null")
    }

    pub(super) fn has_only(&self, names: &[&str]) -> bool {
        self.0.iter().all(|(name, _)| names.contains(&name.as_ref()))
    }

    /// The text with this name, unless it is null.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Reason> {
        self.some(name).map(|raw| text(raw).map_err(|reason| reason.of(name))).transpose()
    }

    /// The whole number with this name, unless it is null.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Reason> {
        self.some(name).map(|raw| integer(raw).map_err(|reason| reason.of(name))).transpose()
    }

    fn twice(&self) -> Option<&str> {
        // Most objects are small: to compare costs less than to hash.
        if self.0.len() <= 16 {
            let mut names = self.0.iter().enumerate();
            let twice = names.find(|(at, (name, _))| self.0[..*at].iter().any(|(before, _)| before == name));
            return twice.map(|(_, (name, _))| name.as_ref());
        }
        let mut seen = HashSet::with_capacity(self.0.len());
        self.0.iter().map(|(name, _)| name.as_ref()).find(|name| !seen.insert(*name))
    }
}

/// Checks that `text` is one JSON value, and returns it without whitespace around it.
pub(super) fn value<'a>(text: &'a str, place: &'static str) -> Result<&'a str, Reason> {
    serde_json::from_str::<&RawValue>(text).map(RawValue::get).map_err(|error| not_json(place, &error))
}

/// The elements of the array `raw`.
pub(super) fn elements(raw: &str) -> Result<Vec<&str>, Reason> {
    let elements: Result<Vec<&RawValue>, _> = serde_json::from_str(raw);
    let unlike = |_| Reason::Unlike { name: String::new(), expected: "an array" };
    Ok(elements.map_err(unlike)?.into_iter().map(RawValue::get).collect())
}

/// The text of the string `raw`.
pub(super) fn text(raw: &str) -> Result<Cow<'_, str>, Reason> {
    let inner = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
    match inner {
        None => Err(Reason::Unlike { name: String::new(), expected: "a text" }),
        Some(inner) if !inner.contains('\\') => Ok(Cow::Borrowed(inner)),
        // The string is valid JSON, so only its surrogates can be wrong.
        Some(_) => serde_json::from_str(raw).map(Cow::Owned).map_err(|_| Reason::Surrogate { name: String::new() }),
    }
}

/// The whole number `raw`.
pub(super) fn integer(raw: &str) -> Result<i64, Reason> {
    raw.parse().map_err(|_| Reason::Unlike { name: String::new(), expected: "a whole number of 64 bits" })
}

/// Appends `text` as a JSON string.
pub(super) fn push_text(text: &str, out: &mut String) {
    // A text always has a form in JSON.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Appends the value `raw` without whitespace between its tokens, so that it is on one line.
pub(super) fn push_compact(raw: &str, out: &mut String) -> Result<(), Reason> {
    let mut rest = raw;
    while let Some(at) = rest.find('"') {
        push_tokens(&rest[..at], out);
        let end = string_end(&rest[at..]);
        let (string, after) = rest[at..].split_at(end);
        if string.contains("\\u") {
            text(string)?;
        }
        out.push_str(string);
        rest = after;
    }
    push_tokens(rest, out);
    Ok(())
}

fn push_tokens(tokens: &str, out: &mut String) {
    tokens.split([' ', '\n', '\r', '\t']).for_each(|token| out.push_str(token));
}

/// Where the string at the beginning of `raw` ends.
fn string_end(raw: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in raw.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    raw.len()
}

fn not_json(place: &'static str, error: &serde_json::Error) -> Reason {
    Reason::NotJson { place, column: error.column() }
}

/// An object's members, also those with the same name.
struct Raw<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Raw<'de>;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Raw<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), raw)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.push((name, raw.get()));
                }
                Ok(Raw(members))
            }
        }
        from.deserialize_map(Collect)
    }
}

/// A name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(raw: &str) -> Result<String, Reason> {
        let mut out = String::new();
        push_compact(raw, &mut out).map(|()| out)
    }

    #[test]
    fn objects_keep_order_and_digits() {
        let members = Members::read(r#"{"b": 1.50, "\u0061":[1, 2], "c":null}"#, "value").expect("an object");
        assert_eq!(members.0.iter().map(|(name, _)| name.as_ref()).collect::<Vec<_>>(), ["b", "a", "c"]);
        assert_eq!((members.get("b"), members.get("c"), members.some("c")), (Some("1.50"), Some("null"), None));
        assert!(matches!(members.0[0].0, Cow::Borrowed(_)), "names are borrowed");
    }

    #[test]
    fn a_name_counts_once_however_it_is_written() {
        let twice = Err(Reason::Twice { name: "a".to_owned() });
        assert_eq!(Members::read(r#"{"a":1,"b":2,"\u0061":3}"#, "value"), twice);
        let many: Vec<String> = (0..40).map(|n| format!("\"c{n}\":{n}")).collect();
        assert!(Members::read(&format!("{{{}}}", many.join(",")), "value").is_ok());
        assert_eq!(Members::read(&format!("{{\"a\":0,{},\"a\":1}}", many.join(",")), "value"), twice);
    }

    #[test]
    fn whitespace_goes_only_between_tokens() {
        assert_eq!(
            compact("{ \"a b\" :\n[ 1 ,\t\"x \\\" y\\\\\" , true ]\r}").as_deref(),
            Ok(r#"{"a b":[1,"x \" y\\",true]}"#)
        );
        assert_eq!(compact(r#""\ud83d\ude00""#).as_deref(), Ok(r#""\ud83d\ude00""#));
        assert_eq!(compact(r#"["\\ud800"]"#).as_deref(), Ok(r#"["\\ud800"]"#));
        assert_eq!(compact(r#"["\ud800"]"#), Err(Reason::Surrogate { name: String::new() }));
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let members = Members::read(&deep, "value").expect("an object");
        assert_eq!(compact(members.get("a").expect("a value")).map(|raw| raw.len()), Ok(2_000_001));
    }

    #[test]
    fn only_whole_numbers_of_64_bits_are_integers() {
        assert_eq!(integer("-9223372036854775808"), Ok(i64::MIN));
        for raw in ["9223372036854775808", "1e3", "1.0", "\"1\"", "true", &"9".repeat(1000)] {
            assert!(integer(raw).is_err(), "{raw}");
        }
    }
}
