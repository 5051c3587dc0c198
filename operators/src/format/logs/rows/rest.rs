//! Keys without a column: the unknown keys of one line, and the text of its `_rest`.
//!
//! `_rest` is one JSON object of the raw values in order of appearance; keys of `properties` are
//! named `properties.<key>`. Of several keys with the same name the last wins, and stands where it
//! appeared. If `properties` appears twice, the keys of the first are forgotten.
//!
//! A top-level key that begins with that prefix, or with dots and that prefix, gets a dot before
//! it, so that no name stands for two keys. Version 1 of the row rules took such a key for one of
//! `properties`.

use std::ops::Range;

use super::columns::Scope;

/// The prefix of the name of a key of `properties`.
const PREFIX: &str = "properties.";

/// The unknown keys of the current line; the buffers serve all lines.
#[derive(Default)]
pub(super) struct Rest {
    /// `"name":value` of each entry, one after another, including the losers.
    text: String,
    /// In order of appearance.
    entries: Vec<Entry>,
    /// Which entries belong to the `properties` seen last.
    properties: Range<usize>,
    /// Whether top-level keys are told apart from those of `properties`.
    apart: bool,
    /// Scratch space for sorting.
    order: Vec<u32>,
    object: String,
}

/// Where an entry lies in [`Rest::text`], which stays below 4 GiB. It is small because a hostile
/// line has an entry every few bytes.
struct Entry {
    start: u32,
    name_end: u32,
    end: u32,
    /// A later entry has the same name.
    lost: bool,
}

impl Entry {
    fn name<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start as usize..self.name_end as usize]
    }
}

impl Rest {
    /// `apart`: whether top-level keys are told apart from those of `properties`.
    pub(super) fn new(apart: bool) -> Self {
        Rest { apart, ..Rest::default() }
    }

    /// Forgets the current line.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
        self.properties = 0..0;
    }

    /// Gives back the memory of a long line: each buffer keeps at most `most` bytes.
    pub(super) fn shrink(&mut self, most: usize) {
        self.clear();
        self.order.clear();
        self.text.shrink_to(most);
        self.entries.shrink_to(most / size_of::<Entry>());
        self.order.shrink_to(most / size_of::<u32>());
        self.object.clear();
        self.object.shrink_to(most);
    }

    /// Begins a `properties`, which replaces the one before, if there was any.
    ///
    /// Only entries later than the replaced ones move, and those never move again: many
    /// `properties` in one line cost no more than its length.
    pub(super) fn begin_properties(&mut self) {
        self.entries.drain(self.properties.clone());
        self.properties = self.entries.len()..self.entries.len();
    }

    /// Adds the unknown key `name` with the JSON text of its value.
    pub(super) fn add(&mut self, scope: Scope, name: &str, value: &str) {
        let prefix = match scope {
            Scope::Properties => PREFIX,
            Scope::Top if self.apart && name.trim_start_matches('.').starts_with(PREFIX) => ".",
            Scope::Top => "",
        };
        self.add_as(prefix, name, value);
        if scope == Scope::Properties {
            self.properties.end = self.entries.len();
        }
    }

    /// Adds a key under its name with `prefix` before it.
    pub(super) fn add_as(&mut self, prefix: &str, name: &str, value: &str) {
        let start = self.end();
        self.text.push('"');
        self.text.push_str(prefix);
        push_escaped(name, &mut self.text);
        self.text.push('"');
        let name_end = self.end();
        self.text.push(':');
        self.text.push_str(value);
        self.entries.push(Entry { start, name_end, end: self.end(), lost: false });
    }

    /// Adds the keys of `other` after its own.
    pub(super) fn append(&mut self, other: &Rest) {
        let by = self.end();
        self.text.push_str(&other.text);
        let moved = |entry: &Entry| Entry {
            start: entry.start + by,
            name_end: entry.name_end + by,
            end: entry.end + by,
            lost: false,
        };
        self.entries.extend(other.entries.iter().map(moved));
    }

    /// Whether any key's name begins with `prefix`.
    pub(super) fn has(&self, prefix: &str) -> bool {
        self.entries.iter().any(|entry| entry.name(&self.text)[1..].starts_with(prefix))
    }

    /// Whether the line has no unknown keys.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The text of `_rest`, or `None` if there are no unknown keys.
    pub(super) fn object(&mut self) -> Option<&str> {
        if self.is_empty() {
            return None;
        }
        self.mark_losers();
        self.object.clear();
        for entry in self.entries.iter().filter(|entry| !entry.lost) {
            self.object.push(if self.object.is_empty() { '{' } else { ',' });
            self.object.push_str(&self.text[entry.start as usize..entry.end as usize]);
        }
        self.object.push('}');
        Some(&self.object)
    }

    /// Marks each entry that a later one of the same name replaces.
    ///
    /// It sorts, because comparing each with each would let one hostile line of many keys hold up a
    /// worker for minutes.
    fn mark_losers(&mut self) {
        let Rest { text, entries, order, .. } = self;
        order.clear();
        order.extend(0..u32::try_from(entries.len()).expect("there are fewer entries than bytes"));
        order.sort_unstable_by(|a, b| name(entries, text, *a).cmp(name(entries, text, *b)).then(a.cmp(b)));
        for pair in order.windows(2) {
            entries[pair[0] as usize].lost = name(entries, text, pair[0]) == name(entries, text, pair[1]);
        }
    }

    fn end(&self) -> u32 {
        u32::try_from(self.text.len()).expect("max_line is far below 1 GiB")
    }
}

fn name<'a>(entries: &[Entry], text: &'a str, index: u32) -> &'a str {
    entries[index as usize].name(text)
}

/// Appends `name` as it is written inside a JSON string: in one way for each name, so that equal
/// names are equal texts.
fn push_escaped(name: &str, text: &mut String) {
    if !name.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        return text.push_str(name);
    }
    let quoted = serde_json::Value::from(name).to_string();
    text.push_str(&quoted[1..quoted.len() - 1]);
}

#[cfg(test)]
mod tests;
