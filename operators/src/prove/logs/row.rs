//! Turns one line into a row, or into the reason why it is none: a second, plain implementation of
//! the rules of [`rows`](crate::format::logs::rows).
//!
//! It shares nothing with the code that it checks, not even the list of columns or the JSON parser,
//! and it judges every line. The two are compared line by line in `tests.rs`, and wherever
//! `lakefront prove` runs.

use std::borrow::Cow;
use std::collections::HashMap;

use super::columns::{Column, Columns, Kind, REST};
use super::json::{Cursor, decode, escape};
use super::moment::{moment, trouble};
use crate::format::logs::record::Reason;
use crate::format::logs::settings::{RowSettings, UnknownKeys, Zones};
use crate::totals::hash;

/// The key whose object holds the inner columns.
pub(in crate::prove) const PROPERTIES: &str = "properties";

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::prove) enum Cell<'l> {
    Text(Cow<'l, str>),
    Number(i64),
}

/// What a line contains.
pub(in crate::prove) struct Row<'l> {
    /// By column; none for a null.
    pub(in crate::prove) cells: Vec<Option<Cell<'l>>>,
    /// The text of `_rest`.
    pub(in crate::prove) rest: Option<String>,
}

impl Row<'_> {
    /// The sum of the row's values.
    pub(in crate::prove) fn sum(&self, columns: &Columns) -> u128 {
        let value = |(column, cell): (&Column, &Option<Cell<'_>>)| match cell {
            None => 0,
            Some(Cell::Text(text)) => column.hash.bytes(text.as_bytes()),
            Some(Cell::Number(number)) => column.hash.number(*number),
        };
        let rest = self.rest.as_ref().map(|rest| hash::Column::new(REST, "string").bytes(rest.as_bytes()));
        columns.all.iter().zip(&self.cells).map(value).chain(rest).fold(0, u128::wrapping_add)
    }

    /// The text in the column of that name; empty if there is none.
    pub(in crate::prove) fn text(&self, columns: &Columns, name: &str) -> &str {
        let cell = columns.all.iter().position(|column| column.name == name).and_then(|at| self.cells[at].as_ref());
        match cell {
            Some(Cell::Text(text)) => text,
            _ => "",
        }
    }
}

/// Why a line is not a row.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::prove) struct Fault {
    pub(in crate::prove) reason: Reason,
    /// The key to blame, and for what.
    pub(in crate::prove) detail: Option<String>,
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Fault { reason, detail: None }
    }
}

/// A value beside a wrapped record: its name in `_rest`, escaped as there, and its text.
pub(in crate::prove) type Beside<'b> = (String, Cow<'b, str>);

/// Reads the record `text` by the rules of `settings`. `text` is a trimmed line that is not blank,
/// or a record found in one.
pub(in crate::prove) fn read<'l>(
    text: &'l str,
    columns: &Columns,
    settings: &RowSettings,
    beside: &[Beside<'_>],
) -> Result<Row<'l>, Fault> {
    let version = settings.rows_version;
    // Version 1 has neither zones nor details.
    let zones = (version >= 2).then_some(&settings.zones);
    let told = |detail: String| if version < 2 { None } else { Some(detail) };
    let mut json = Cursor::new(text);
    if json.peek() != Some(b'{') {
        let is_json = json.value().is_some() && json.is_at_end();
        return Err(if is_json { Reason::NotAnObject } else { Reason::InvalidJson }.into());
    }
    let members = json.members().filter(|_| json.is_at_end()).ok_or(Reason::InvalidJson)?;
    let mut found = Found::new(columns, version);
    for (key, value) in members {
        let key = decode(key).ok_or(Reason::InvalidJson)?;
        match columns.nested && key == PROPERTIES {
            true => found.properties(value).ok_or(Reason::InvalidJson)?,
            false => found.member(false, key, value),
        }
    }
    if let Some(properties) = found.mistyped {
        let detail = format!("{PROPERTIES}: {}, expected object", type_of(properties));
        return Err(Fault { reason: Reason::WrongType, detail: told(detail) });
    }
    let is_ambiguous = |(_, name, _): &(usize, String, &str)| name.starts_with("envelope.");
    let keeps = settings.unknown_keys != UnknownKeys::Drop && !beside.is_empty();
    let has_key = found.values.iter().any(Option::is_some);
    if version >= 2 && !has_key || keeps && found.outer.iter().any(is_ambiguous) {
        return Err(Reason::UnknownShape.into());
    }
    let mut cells = Vec::with_capacity(columns.all.len());
    for (column, value) in columns.all.iter().zip(&found.values) {
        let Some(value) = value else {
            cells.push(None);
            continue;
        };
        let blame = |reason| Fault { reason, detail: told(blame(column, value, reason, zones)) };
        cells.push(cell(value, column.kind, zones).map_err(blame)?);
    }
    let rest = found.rest(beside);
    match (rest, settings.unknown_keys) {
        (Some(_), UnknownKeys::Reject) => Err(Reason::UnknownKey.into()),
        (rest, UnknownKeys::Keep) => Ok(Row { cells, rest }),
        _ => Ok(Row { cells, rest: None }),
    }
}

/// The members of a line, as far as they have been read.
struct Found<'l, 'c> {
    columns: &'c Columns,
    version: u32,
    /// The text of each column's value.
    values: Vec<Option<&'l str>>,
    /// `properties`, if it is neither an object nor null.
    mistyped: Option<&'l str>,
    /// How many keys without a column there were.
    unknown: usize,
    /// Those of the line, and those of `properties`: order of appearance, name in `_rest`, value.
    outer: Vec<(usize, String, &'l str)>,
    inner: Vec<(usize, String, &'l str)>,
}

impl<'l, 'c> Found<'l, 'c> {
    fn new(columns: &'c Columns, version: u32) -> Self {
        let values = vec![None; columns.all.len()];
        Found { columns, version, values, mistyped: None, unknown: 0, outer: Vec::new(), inner: Vec::new() }
    }

    fn member(&mut self, inner: bool, key: Cow<'l, str>, value: &'l str) {
        if let Some(at) = self.columns.find(inner, &key) {
            self.values[at] = Some(value);
            return;
        }
        self.unknown += 1;
        match inner {
            true => self.inner.push((self.unknown, format!("{PROPERTIES}.{}", escape(&key)), value)),
            false => {
                // No name may stand for two keys.
                let is_like_inner = key.trim_start_matches('.').starts_with(&format!("{PROPERTIES}."));
                let dot = if self.version >= 2 && self.columns.nested && is_like_inner { "." } else { "" };
                self.outer.push((self.unknown, format!("{dot}{}", escape(&key)), value));
            }
        }
    }

    /// Takes `value` as `properties`, replacing an earlier one. None if it, or a key in it, cannot
    /// be decoded.
    fn properties(&mut self, value: &'l str) -> Option<()> {
        for (value, column) in self.values.iter_mut().zip(&self.columns.all) {
            if column.inner {
                *value = None;
            }
        }
        self.inner.clear();
        self.mistyped = Some(value).filter(|value| !value.starts_with(['{', 'n']));
        match value.as_bytes()[0] {
            b'{' => {
                for (key, value) in Cursor::new(value).members()? {
                    self.member(true, decode(key)?, value);
                }
            }
            b'"' => _ = decode(&value[1..value.len() - 1])?,
            // A number beyond the range of floats is not valid.
            b'-' | b'0'..=b'9' => value.parse::<f64>().ok().filter(|number| number.is_finite()).map(drop)?,
            _ => {}
        }
        Some(())
    }

    /// The text of `_rest`: of equal names, only the last is kept, in its own place.
    fn rest(&self, beside: &[Beside<'_>]) -> Option<String> {
        let own = self.outer.iter().chain(&self.inner).map(|(at, name, value)| (*at, name, *value));
        let mut all: Vec<_> = own.collect();
        all.sort_by_key(|(at, ..)| *at);
        all.extend((self.unknown + 1..).zip(beside).map(|(at, (name, value))| (at, name, value.as_ref())));
        let last: HashMap<&str, usize> = all.iter().map(|(at, name, _)| (name.as_str(), *at)).collect();
        let winners = all.iter().filter(|(at, name, _)| last.get(name.as_str()) == Some(at));
        let members: Vec<String> = winners.map(|(_, name, value)| format!("\"{name}\":{value}")).collect();
        (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
    }
}

/// What a value's text means in a column.
fn cell<'v>(value: &'v str, kind: Kind, zones: Option<&Zones>) -> Result<Option<Cell<'v>>, Reason> {
    let is_lenient = zones.is_some();
    let is_text = value.starts_with('"');
    let text = || decode(&value[1..value.len() - 1]).ok_or(Reason::InvalidJson);
    match kind {
        _ if value == "null" => Ok(None),
        Kind::Text if is_text => Ok(Some(Cell::Text(text()?))),
        Kind::Text if is_lenient && !value.starts_with(['{', '[']) => Ok(Some(Cell::Text(value.into()))),
        Kind::Time if is_text => moment(&text()?, zones).map(|at| Some(Cell::Number(at))).ok_or(Reason::MalformedTime),
        Kind::Integer if is_lenient && is_text => {
            let text = text().map_err(|_| Reason::WrongType)?;
            let mut json = Cursor::new(&text);
            // Exactly one number, without blanks around it.
            let is_number =
                !text.starts_with('"') && json.value() == Some(&*text) && !text.starts_with(['t', 'f', 'n', '{', '[']);
            if is_number { integer(&text).map(|number| Some(Cell::Number(number))) } else { Err(Reason::WrongType) }
        }
        Kind::Integer if is_lenient && value.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
            integer(value).map(|number| Some(Cell::Number(number)))
        }
        Kind::Integer if value.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) => {
            value.parse().map(|number| Some(Cell::Number(number))).map_err(|_| Reason::IntegerOutOfRange)
        }
        _ => Err(Reason::WrongType),
    }
}

/// The integer that a JSON number denotes, found by moving its decimal point.
fn integer(number: &str) -> Result<i64, Reason> {
    let (sign, size) = number.strip_prefix('-').map_or(("", number), |size| ("-", size));
    let (mantissa, exponent) = size.split_once(['e', 'E']).unwrap_or((size, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    // An exponent that is too long to be parsed is beyond all bounds.
    let beyond = if exponent.starts_with('-') { i128::MIN / 2 } else { i128::MAX / 2 };
    let power = exponent.parse::<i128>().unwrap_or(beyond) + zeros as i128 - fraction.len() as i128;
    match power {
        ..0 => Err(Reason::WrongType),
        0..19 => {
            format!("{sign}{significant}{}", "0".repeat(power as usize)).parse().map_err(|_| Reason::IntegerOutOfRange)
        }
        _ => Err(Reason::IntegerOutOfRange),
    }
}

/// The detail for a value that its column refuses.
fn blame(column: &Column, value: &str, reason: Reason, zones: Option<&Zones>) -> String {
    let key = if column.inner { format!("{PROPERTIES}.{}", column.key) } else { column.key.to_owned() };
    let expected = match column.kind {
        Kind::Text => "string",
        Kind::Integer => "integer",
        Kind::Time => "time",
    };
    match reason {
        Reason::WrongType => format!("{key}: {}, expected {expected}", type_of(value)),
        Reason::IntegerOutOfRange => format!("{key}: an integer beyond 64 bits"),
        Reason::MalformedTime => {
            let text = decode(&value[1..value.len() - 1]).unwrap_or_default();
            format!("{key}: {}", trouble(&text, zones))
        }
        _ => format!("{key}: half a surrogate pair"),
    }
}

/// The type of a JSON value.
fn type_of(value: &str) -> &'static str {
    match value.chars().next() {
        Some('{') => "object",
        Some('[') => "array",
        Some('"') => "string",
        Some('t' | 'f') => "boolean",
        _ => "number",
    }
}
