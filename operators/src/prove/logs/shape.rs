//! Finds the records of a line: a second, plain implementation of the rules of
//! [`rows::shape`](crate::format::logs::rows::shape).
//!
//! It decides what a line is before reading it, from its text alone; the other path looks only at
//! lines that are not rows as they stand.

use std::borrow::Cow;

use super::columns::Columns;
use super::json::{Cursor, decode, escape};
use super::row::{self, Beside, Fault, PROPERTIES, Row};
use crate::format::logs::record::Reason;
use crate::format::logs::settings::{Envelope, RowSettings, UnknownKeys};

/// How deep wrappers may be nested.
const DEEPEST: usize = 4;
/// The one key of a CloudNativePG record that shows that it has the names of `csvlog`.
const LOG_TIME: &str = "log_time";

/// What a record becomes.
pub(in crate::prove) type Judged<'l> = Result<Row<'l>, Fault>;

/// How lines are read.
#[derive(Clone, Copy)]
pub(in crate::prove) struct LineRules<'s> {
    pub(in crate::prove) columns: &'s Columns,
    /// The same columns, by CloudNativePG's names.
    pub(in crate::prove) csvlog: &'s Columns,
    pub(in crate::prove) settings: &'s RowSettings,
}

/// Calls `tell` with each record of `line`: its number, if there may be several, its bytes, and
/// what it becomes.
pub(in crate::prove) fn records(
    line: &[u8],
    rules: LineRules<'_>,
    mut tell: impl FnMut(Option<u64>, &[u8], Judged<'_>),
) {
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(_) => return tell(None, line, Err(Reason::InvalidUtf8.into())),
    };
    let RowSettings { envelope, rows_version, .. } = *rules.settings;
    if envelope == Envelope::None || rows_version < 2 {
        return tell(None, line, rules.read(text, rules.columns, &[]));
    }
    let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
    if trimmed == "[" || trimmed == "]" {
        return;
    }
    if let Some(elements) = elements(trimmed) {
        for (number, element) in (0..).zip(elements) {
            let mut judged = |judged: Judged<'_>| tell(Some(number), element.as_bytes(), judged);
            match element.starts_with('{') {
                true => rules.record(element, &[], "envelope", 0, &mut judged),
                false => judged(Err(Reason::NotAnObject.into())),
            }
        }
        return;
    }
    let mut judged = |judged: Judged<'_>| tell(None, line, judged);
    if let Some(([time, stream], content)) = of_container(text) {
        let beside = [("time", time), ("stream", stream)];
        let beside: Vec<_> =
            beside.map(|(name, value)| (format!("envelope.{name}"), Cow::Owned(format!("\"{value}\"")))).into();
        return rules.record(content, &beside, "envelope.log", 1, &mut judged);
    }
    let listed = trimmed.strip_suffix(',').filter(|object| object.starts_with('{'));
    rules.record(listed.unwrap_or(text), &[], "envelope", 0, &mut judged);
}

/// The elements of an array, or of the array in a batch of records.
fn elements(text: &str) -> Option<Vec<&str>> {
    if text.starts_with('[') {
        return array(text);
    }
    let mut json = Cursor::new(text);
    match json.members()?.as_slice() {
        [(key, value)] if json.is_at_end() && decode(key)? == "records" => array(value),
        _ => None,
    }
}

/// The elements of `text`, if all of it is one array.
fn array(text: &str) -> Option<Vec<&str>> {
    let mut json = Cursor::new(text);
    json.elements().filter(|_| json.is_at_end())
}

/// Time, stream and content of a complete line from a container.
fn of_container(text: &str) -> Option<([&str; 2], &str)> {
    let (time, rest) = text.split_once(' ')?;
    let content = ["stdout", "stderr"].into_iter().find_map(|stream| {
        let content = rest.strip_prefix(stream)?.strip_prefix(" F ")?;
        Some((stream, content))
    });
    let (stream, content) = content.filter(|(_, content)| content.starts_with('{'))?;
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let zone = shape.strip_prefix("0000-00-00T00:00:00")?;
    let zone = match zone.strip_prefix('.') {
        Some(fraction) => fraction.strip_prefix('0')?.trim_start_matches('0'),
        None => zone,
    };
    let is_zone = ["Z", "+00:00", "-00:00"].contains(&zone);
    is_zone.then_some(([time, stream], content))
}

impl LineRules<'_> {
    /// Reads a text that should be an object: a record, or a wrapper of one.
    fn record(self, text: &str, beside: &[Beside<'_>], path: &str, depth: usize, judged: &mut impl FnMut(Judged<'_>)) {
        let Some((key, content)) = self.wrapped(text) else {
            return judged(self.read(text, self.columns, beside));
        };
        let Some(content) = content else { return judged(Err(Reason::InvalidJson.into())) };
        let mut all = beside.to_vec();
        if self.settings.unknown_keys != UnknownKeys::Drop {
            for (name, value) in members(text).unwrap_or_default().into_iter().filter(|(name, _)| name != key) {
                if name.starts_with(&format!("{key}.")) {
                    return judged(Err(Reason::UnknownShape.into()));
                }
                all.push((format!("{path}.{}", escape(&name)), Cow::Borrowed(value)));
            }
        }
        let is_object = content.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
        if depth == DEEPEST || !is_object {
            return judged(Err(Reason::UnknownShape.into()));
        }
        let of_csvlog = key == "record" && members(&content).is_some_and(|all| all.iter().any(|(k, _)| k == LOG_TIME));
        match of_csvlog && !self.columns.nested {
            true => judged(self.read(&content, self.csvlog, &all)),
            false => self.record(&content, &all, &format!("{path}.{key}"), depth + 1, judged),
        }
    }

    /// The key of the record that an object wraps, and the record's text; no text if it cannot be
    /// decoded. None if the object is no wrapper.
    fn wrapped<'l>(self, text: &'l str) -> Option<(&'static str, Option<Cow<'l, str>>)> {
        let members = members(text)?;
        let of =
            |wanted: &str| members.iter().filter(|(key, _)| key == wanted).map(|(_, value)| *value).collect::<Vec<_>>();
        let payloads: Vec<_> = ["record", "jsonPayload", "textPayload", "log"]
            .into_iter()
            .flat_map(|key| of(key).into_iter().map(move |value| (key, value)))
            .collect();
        let [(key, value)] = payloads[..] else { return None };
        let (own_time, is_text) = match key {
            "record" => ("", false),
            "jsonPayload" => ("timestamp", false),
            "textPayload" => ("timestamp", true),
            _ => ("time", true),
        };
        let is_known =
            |name: &str| self.columns.find(false, name).is_some() || self.columns.nested && name == PROPERTIES;
        let has_others = members.iter().any(|(name, _)| is_known(name) && name != own_time);
        let is_whole = key != "log" || of("stream").len() == 1;
        if has_others || !is_whole || !value.starts_with(if is_text { '"' } else { '{' }) {
            return None;
        }
        Some((key, if is_text { decode(&value[1..value.len() - 1]) } else { Some(Cow::Borrowed(value)) }))
    }

    /// Reads a record, and adds the values beside it to its `_rest`.
    fn read<'l>(self, text: &'l str, columns: &Columns, beside: &[Beside<'_>]) -> Judged<'l> {
        row::read(text, columns, self.settings, beside)
    }
}

/// The members of an object, with decoded keys; none if it is not an object.
fn members(text: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let mut json = Cursor::new(text);
    let members = json.members().filter(|_| json.is_at_end())?;
    members.into_iter().map(|(key, value)| Some((decode(key)?, value))).collect()
}
