//! One line becomes a row, or the reason why it does not: the rules of [`rows`](crate::rows) once more, in the plainest way.
//!
//! It shares nothing with the code that it checks, not even the list of columns or the JSON parser, and judges every line. The two are
//! compared line by line in `tests.rs`, and by `lakefront prove` wherever it runs.

use std::borrow::Cow;
use std::collections::HashMap;

use super::columns::{Columns, Kind, REST};
use super::json::{Cursor, decode, escape};
use super::moment::moment;
use crate::record::Reason;
use crate::settings::UnknownKeys;
use crate::totals::hash;

/// The key whose object holds the inner columns.
const PROPERTIES: &str = "properties";

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell<'l> {
    Text(Cow<'l, str>),
    Number(i64),
}

/// What a line says.
pub(super) struct Row<'l> {
    /// By column; none for nulls.
    pub(super) cells: Vec<Option<Cell<'l>>>,
    /// The text of `_rest`.
    pub(super) rest: Option<String>,
}

impl Row<'_> {
    /// What the row's values add up to.
    pub(super) fn sum(&self, columns: &Columns) -> u128 {
        let value = |(column, cell): (&super::columns::Column, &Option<Cell<'_>>)| match cell {
            None => 0,
            Some(Cell::Text(text)) => column.hash.bytes(text.as_bytes()),
            Some(Cell::Number(number)) => column.hash.number(*number),
        };
        let rest = self.rest.as_ref().map(|rest| hash::Column::new(REST, "string").bytes(rest.as_bytes()));
        columns.all.iter().zip(&self.cells).map(value).chain(rest).fold(0, u128::wrapping_add)
    }

    /// The text in the column of that name; empty if there is none.
    pub(super) fn text(&self, columns: &Columns, name: &str) -> &str {
        let cell = columns.all.iter().position(|column| column.name == name).and_then(|at| self.cells[at].as_ref());
        match cell {
            Some(Cell::Text(text)) => text,
            _ => "",
        }
    }
}

/// What `line` says; it has no newline, no carriage return at its end, no byte order mark, and is not blank.
pub(super) fn read<'l>(line: &'l [u8], columns: &Columns, unknown_keys: UnknownKeys) -> Result<Row<'l>, Reason> {
    let text = std::str::from_utf8(line).map_err(|_| Reason::InvalidUtf8)?;
    let mut json = Cursor::new(text);
    if json.peek() != Some(b'{') {
        let is_json = json.value().is_some() && json.is_at_end();
        return Err(if is_json { Reason::NotAnObject } else { Reason::InvalidJson });
    }
    let members = json.members().filter(|_| json.is_at_end()).ok_or(Reason::InvalidJson)?;
    let mut found = Found::new(columns);
    for (key, value) in members {
        let key = decode(key).ok_or(Reason::InvalidJson)?;
        match columns.nested && key == PROPERTIES {
            true => found.properties(value).ok_or(Reason::InvalidJson)?,
            false => found.member(false, key, value),
        }
    }
    if found.mistyped {
        return Err(Reason::WrongType);
    }
    let mut cells = Vec::with_capacity(columns.all.len());
    for (column, value) in columns.all.iter().zip(&found.values) {
        cells.push(value.map(|value| cell(value, column.kind)).transpose()?.flatten());
    }
    let rest = found.rest();
    match (rest, unknown_keys) {
        (Some(_), UnknownKeys::Reject) => Err(Reason::UnknownKey),
        (rest, UnknownKeys::Keep) => Ok(Row { cells, rest }),
        _ => Ok(Row { cells, rest: None }),
    }
}

/// What the members of a line are, as far as it is read.
struct Found<'l, 'c> {
    columns: &'c Columns,
    /// The text of each column's value.
    values: Vec<Option<&'l str>>,
    /// `properties` is neither an object nor null.
    mistyped: bool,
    /// How many keys had no column.
    unknown: usize,
    /// Those of the line and those of `properties`: when each appeared, its name in `_rest`, its value.
    outer: Vec<(usize, String, &'l str)>,
    inner: Vec<(usize, String, &'l str)>,
}

impl<'l, 'c> Found<'l, 'c> {
    fn new(columns: &'c Columns) -> Self {
        let values = vec![None; columns.all.len()];
        Found { columns, values, mistyped: false, unknown: 0, outer: Vec::new(), inner: Vec::new() }
    }

    fn member(&mut self, inner: bool, key: Cow<'l, str>, value: &'l str) {
        if let Some(at) = self.columns.find(inner, &key) {
            self.values[at] = Some(value);
            return;
        }
        self.unknown += 1;
        match inner {
            true => self.inner.push((self.unknown, format!("{PROPERTIES}.{}", escape(&key)), value)),
            false => self.outer.push((self.unknown, escape(&key), value)),
        }
    }

    /// Takes `value` for `properties`, in place of what was there before. None if it, or a key in it, cannot be decoded.
    fn properties(&mut self, value: &'l str) -> Option<()> {
        for (value, column) in self.values.iter_mut().zip(&self.columns.all) {
            if column.inner {
                *value = None;
            }
        }
        self.inner.clear();
        self.mistyped = !value.starts_with(['{', 'n']);
        match value.as_bytes()[0] {
            b'{' => {
                for (key, value) in Cursor::new(value).members()? {
                    self.member(true, decode(key)?, value);
                }
            }
            b'"' => _ = decode(&value[1..value.len() - 1])?,
            // Beyond any float is no number.
            b'-' | b'0'..=b'9' => value.parse::<f64>().ok().filter(|number| number.is_finite()).map(drop)?,
            _ => {}
        }
        Some(())
    }

    /// `_rest`: of equal names the last, where it stands.
    fn rest(&self) -> Option<String> {
        let mut all: Vec<_> = self.outer.iter().chain(&self.inner).collect();
        all.sort_by_key(|(at, ..)| *at);
        let last: HashMap<&str, usize> = all.iter().map(|(at, name, _)| (name.as_str(), *at)).collect();
        let winners = all.iter().filter(|(at, name, _)| last.get(name.as_str()) == Some(at));
        let members: Vec<String> = winners.map(|(_, name, value)| format!("\"{name}\":{value}")).collect();
        (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
    }
}

/// What the text of a value means in a column.
fn cell(value: &str, kind: Kind) -> Result<Option<Cell<'_>>, Reason> {
    let is_text = value.starts_with('"');
    let text = || decode(&value[1..value.len() - 1]).ok_or(Reason::InvalidJson);
    match kind {
        _ if value == "null" => Ok(None),
        Kind::Text if is_text => Ok(Some(Cell::Text(text()?))),
        Kind::Time if is_text => moment(&text()?).map(|at| Some(Cell::Number(at))).ok_or(Reason::MalformedTime),
        Kind::Integer if value.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) => {
            value.parse().map(|number| Some(Cell::Number(number))).map_err(|_| Reason::IntegerOutOfRange)
        }
        _ => Err(Reason::WrongType),
    }
}
