//! The file's sections: raw values are taken out key by key, and each is validated once by its
//! field's reader.
//!
//! Promises: a wrong field does not stop the reading, so that all problems of a file are found in
//! one go; the field's name and the value as written come before the reader's message; a key that
//! no reader asked for is a problem.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::error::Problems;
use super::secrets::{Env, as_written, hidden, resolve};

/// One table of the file, while it is being read.
pub(super) struct Section<'a> {
    /// The table's name, such as `roles.servers`; empty at the top of the file.
    name: String,
    /// The keys that were not asked for yet.
    table: Table,
    /// The keys asked for so far, each with its value as written if the file has it.
    asked: BTreeMap<&'static str, Option<String>>,
    env: Env<'a>,
    problems: &'a Problems,
}

/// A resolved value turned into a field's own type, or what is allowed. The value may be a secret,
/// so the error must contain nothing of it.
pub(super) type Reading<T> = Result<T, String>;

impl<'a> Section<'a> {
    /// The file itself.
    pub(super) fn top(table: Table, env: Env<'a>, problems: &'a Problems) -> Self {
        Section { name: String::new(), table, asked: BTreeMap::new(), env, problems }
    }

    /// The table `key` inside this one; empty if the file does not have it.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        let name = self.field(key);
        let table = match self.take(key) {
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.refuse(key, format!("allowed is a table, written [{name}]"));
                Table::new()
            }
            None => Table::new(),
        };
        Section { name, ..Section::top(table, self.env, self.problems) }
    }

    /// A field that the file must have; `example` shows a possible value.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&Value) -> Reading<T>,
    ) -> Option<T> {
        let Some(value) = self.take(key) else {
            self.refuse(key, format!("must be given, such as {key} = {example:?}"));
            return None;
        };
        self.read(key, value, read)
    }

    /// A field that is `default` if the file does not have it; `None` if its value is wrong.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Value) -> Reading<T>,
    ) -> Option<T> {
        match self.take(key) {
            Some(value) => self.read(key, value, read),
            None => Some(default),
        }
    }

    /// A field whose value is a secret, even if it stands in the file itself; `Some(None)` if the
    /// file does not have it.
    pub(super) fn secret<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value) -> Reading<T>,
    ) -> Option<Option<T>> {
        let Some(value) = self.take(key) else {
            return Some(None);
        };
        let written = hidden(&value);
        self.asked.insert(key, Some(written.clone()));
        self.read_as(key, value, written, read).map(Some)
    }

    /// Whether the file has `key`, which must have been asked for.
    pub(super) fn given(&self, key: &'static str) -> bool {
        self.asked.get(key).expect("only fields that were read are asked about").is_some()
    }

    /// The environment that the file is read in.
    pub(super) fn env(&self) -> Env<'a> {
        self.env
    }

    /// All entries of a section whose keys the user chooses. Keys are names and are taken
    /// literally.
    pub(super) fn entries<T>(mut self, read: impl Fn(&Value) -> Reading<T>) -> Option<BTreeMap<String, T>> {
        let table = std::mem::take(&mut self.table);
        let total = table.len();
        let mut entries = BTreeMap::new();
        for (key, value) in table {
            if key.contains("${") {
                let constraint = "variables are allowed in values, not in names".to_owned();
                self.problems.push(self.field(&key), None, constraint);
                continue;
            }
            if let Some(read) = self.read(&key, value, &read) {
                entries.insert(key, read);
            }
        }
        (entries.len() == total).then_some(entries)
    }

    /// The same, for keys that must have a certain form.
    pub(super) fn named_entries<T>(
        self,
        is_name: impl Fn(&str) -> Result<(), String>,
        read: impl Fn(&Value) -> Reading<T>,
    ) -> Option<BTreeMap<String, T>> {
        let mut are_good = true;
        for key in self.table.keys() {
            if let Err(constraint) = is_name(key) {
                self.problems.push(self.field(key), None, constraint);
                are_good = false;
            }
        }
        self.entries(read).filter(|_| are_good)
    }

    /// Reports that `key`, which must have been asked for, conflicts with another field.
    pub(super) fn refuse(&self, key: &'static str, constraint: String) {
        let written = self.asked.get(key).expect("only fields that were read are refused");
        self.problems.push(self.field(key), written.clone(), constraint);
    }

    /// Reports the keys that no reader asked for, each with the nearest known key.
    pub(super) fn finish(self) {
        let place = match self.name.as_str() {
            "" => "at the top of the file".to_owned(),
            name => format!("in [{name}]"),
        };
        for key in self.table.keys() {
            let nearest = self
                .asked
                .keys()
                .map(|known| (distance(key, known), *known))
                .filter(|(distance, known)| is_near(*distance, known))
                .min();
            let advice = match nearest {
                Some((_, known)) => format!("did you mean {known:?}?"),
                None => {
                    let known: Vec<_> = self.asked.keys().copied().collect();
                    format!("known keys are {}", known.join(", "))
                }
            };
            // The value is left out: it does not matter here, and it may be a secret.
            let constraint = format!("unknown key {place}, {advice}");
            self.problems.push(self.field(key), None, constraint);
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        let value = self.table.remove(key);
        let before = self.asked.insert(key, value.as_ref().map(as_written));
        assert!(before.is_none(), "{key} is read once");
        value
    }

    fn read<T>(&self, key: &str, value: Value, read: impl FnOnce(&Value) -> Reading<T>) -> Option<T> {
        let written = as_written(&value);
        self.read_as(key, value, written, read)
    }

    fn read_as<T>(
        &self,
        key: &str,
        value: Value,
        written: String,
        read: impl FnOnce(&Value) -> Reading<T>,
    ) -> Option<T> {
        let constraints = match resolve(&value, self.env) {
            Ok(resolved) => match read(&resolved) {
                Ok(read) => return Some(read),
                Err(constraint) => vec![constraint],
            },
            Err(constraints) => constraints,
        };
        for constraint in constraints {
            self.problems.push(self.field(key), Some(written.clone()), constraint);
        }
        None
    }

    /// The full name of `key`, as TOML writes it.
    fn field(&self, key: &str) -> String {
        let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let key = if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { format!("{key:?}") };
        match self.name.as_str() {
            "" => key,
            name => format!("{name}.{key}"),
        }
    }
}

fn distance(key: &str, known: &str) -> usize {
    strsim::damerau_levenshtein(&key.to_lowercase().replace('-', "_"), known)
}

/// Whether `known` may have been meant: at most a third of it is wrong, so that "bytes" is not
/// suggested for "retry".
fn is_near(distance: usize, known: &str) -> bool {
    distance <= known.len().div_ceil(3)
}
