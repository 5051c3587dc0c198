//! What one value may be: the readers that turn raw values into validated ones.
//!
//! Promises: the errors of readers are fixed texts without the value, so no secret can be in them.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use lakefront_operators::format::logs::settings::{self, Destination, Zone};
use toml::Value;

use super::defaults::{
    self, NAME_MAX_LENGTH, PIPELINE_MAX_LENGTH, REJECT_RATIO_ALLOWED, STATE_FILE_MAX_LENGTH, WORKERS_ALLOWED,
};
use super::raw::Reading;
use super::units;

/// One of a few words.
pub(super) fn choice<T: Copy>(value: &Value, choices: &[(&str, T)]) -> Reading<T> {
    let chosen = value.as_str().and_then(|text| choices.iter().find(|(word, _)| *word == text));
    match chosen {
        Some((_, choice)) => Ok(*choice),
        None => Err(allowed_words(choices.iter().map(|(word, _)| *word))),
    }
}

/// Where a line goes.
pub(super) fn destination(value: &Value) -> Reading<Destination> {
    choice(
        value,
        &[("primary", Destination::Primary), ("replica", Destination::Replica), ("reject", Destination::Reject)],
    )
}

/// The zone of times that have none.
pub(super) fn zone(value: &Value) -> Reading<Zone> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
        "allowed is a name of the tz database, spelled exactly, such as \"Europe/London\", or an offset from UTC, such as \"+05:30\""
            .to_owned()
    })
}

/// An offset from UTC, in seconds east.
pub(super) fn offset(value: &Value) -> Reading<i32> {
    value.as_str().and_then(settings::offset).ok_or_else(|| {
        "allowed is an offset from UTC up to 15:59, such as \"+05:30\" or \"-08\"; plus is east".to_owned()
    })
}

/// Checks the abbreviation of a zone whose offset is ambiguous.
pub(super) fn abbreviation(name: &str) -> Result<(), String> {
    match name {
        "Z" | "UTC" | "GMT" => Err("is unambiguous: it cannot have another offset".to_owned()),
        name if name.len() <= 16 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains(' ') => {
            Ok(())
        }
        _ => Err("allowed is a zone abbreviation as it appears in the logs, such as IST".to_owned()),
    }
}

/// How much is kept of a rejected line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    /// This many of its first bytes.
    Bytes(u64),
    /// All of it, unless it is too long to be read at all.
    Line,
}

/// How much is kept of a rejected line.
pub(super) fn raw(value: &Value) -> Reading<Raw> {
    if value.as_str() == Some("line") {
        return Ok(Raw::Line);
    }
    let bytes = size(value, defaults::RAW_ALLOWED).map(Raw::Bytes);
    bytes.map_err(|constraint| format!("{constraint}; or \"line\" for the whole line up to source.max_line"))
}

/// Any string but an empty one.
pub(super) fn text(value: &Value) -> Reading<&str> {
    value.as_str().filter(|text| !text.is_empty()).ok_or_else(|| "allowed is a non-empty string".to_owned())
}

/// Yes or no.
pub(super) fn flag(value: &Value) -> Reading<bool> {
    value.as_bool().ok_or_else(|| "allowed are true and false, without quotes".to_owned())
}

/// A number of workers.
pub(super) fn workers(value: &Value) -> Reading<usize> {
    number(value, &WORKERS_ALLOWED)
}

/// A whole number.
pub(super) fn number<T: TryFrom<i64>>(value: &Value, allowed: &RangeInclusive<i64>) -> Reading<T> {
    let number =
        value.as_integer().filter(|number| allowed.contains(number)).and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("allowed is a whole number {}", from_to(allowed)))
}

/// The pattern for the folder of an hour; `None` if it is empty.
pub(super) fn hour_folders(value: &Value) -> Reading<Option<String>> {
    let good = |pattern: &str| {
        let pieces: Vec<_> = pattern.split('%').collect();
        let folders = pattern.strip_suffix('/').unwrap_or(pattern).split('/');
        ["Y", "m", "d", "H"].iter().all(|part| pieces[1..].iter().any(|piece| piece.starts_with(part)))
            && pieces[1..].iter().all(|piece| piece.starts_with(['Y', 'm', 'd', 'H']))
            && folders.into_iter().all(|folder| !matches!(folder, "" | "." | ".."))
            && !pattern.contains(|c: char| c.is_control() || "*?[{\\".contains(c))
    };
    match value.as_str() {
        Some("") => Ok(None),
        Some(pattern) if good(pattern) => Ok(Some(format!("{}/", pattern.trim_end_matches('/')))),
        _ => Err("allowed is a folder with %Y, %m, %d and %H in it, below the URL's own, or \"\" for none".to_owned()),
    }
}

/// A share of lines.
pub(super) fn ratio(value: &Value) -> Reading<f64> {
    let number = match value {
        Value::Integer(0) => Some(0.0),
        Value::Integer(1) => Some(1.0),
        other => other.as_float(),
    };
    number
        .filter(|ratio| REJECT_RATIO_ALLOWED.contains(ratio))
        .ok_or_else(|| format!("allowed is a number {}", from_to(&REJECT_RATIO_ALLOWED)))
}

/// A number of bytes.
pub(super) fn size(value: &Value, allowed: RangeInclusive<u64>) -> Reading<u64> {
    let bytes = match value {
        Value::Integer(bytes) => u64::try_from(*bytes).ok(),
        other => other.as_str().and_then(units::size),
    };
    bytes.filter(|bytes| allowed.contains(bytes)).ok_or_else(|| {
        format!(
            "allowed is a size from {} to {}, such as \"8 MiB\", \"64 MB\" or 4096 for bytes",
            units::show_size(*allowed.start()),
            units::show_size(*allowed.end())
        )
    })
}

/// A length of time.
pub(super) fn duration(value: &Value, allowed: RangeInclusive<Duration>) -> Reading<Duration> {
    // The type of a value reveals nothing of a secret, because variables are strings only.
    if value.is_integer() || value.is_float() {
        return Err("a duration needs a unit, ms, s, m or h, such as \"10s\"".to_owned());
    }
    let duration = value.as_str().and_then(units::duration);
    duration.filter(|duration| allowed.contains(duration)).ok_or_else(|| {
        format!(
            "allowed is a duration from {} to {} in ms, s, m or h, such as \"500ms\" or \"10s\"",
            units::show_duration(*allowed.start()),
            units::show_duration(*allowed.end())
        )
    })
}

/// A pipeline's name.
pub(super) fn pipeline(value: &Value) -> Reading<String> {
    let good = |name: &&str| {
        name.len() <= PIPELINE_MAX_LENGTH
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    value.as_str().filter(good).map(str::to_owned).ok_or_else(|| {
        format!(
            "allowed are up to {PIPELINE_MAX_LENGTH} ASCII letters, digits, '.', '_' and '-', a letter or digit first: \
             it becomes a folder and names the transactions in the tables"
        )
    })
}

/// The name of a catalog, a schema or a table. It is one folder in the lake, never a way out of it,
/// and not hidden: Delta's readers skip names that start with `.` or `_`.
pub(super) fn lake_name(value: &Value) -> Reading<String> {
    let good = |name: &&str| {
        !name.is_empty()
            && name.len() <= NAME_MAX_LENGTH
            && !name.starts_with(['.', '_'])
            && !name.contains(|c: char| c == '/' || c == '\\' || c.is_control())
            && !is_encoded(name)
    };
    value.as_str().filter(good).map(str::to_owned).ok_or_else(|| {
        format!(
            "allowed is a name of 1 to {NAME_MAX_LENGTH} bytes without '/', '\\', control characters or percent signs \
             before two hexadecimal digits, not starting with '.' or '_'"
        )
    })
}

/// Whether `path` has a percent sign before two hexadecimal digits: readers of Delta logs decode
/// `a%20b` to `a b`, and look there.
pub(super) fn is_encoded(path: &str) -> bool {
    path.as_bytes().windows(3).any(|bytes| bytes[0] == b'%' && bytes[1..].iter().all(u8::is_ascii_hexdigit))
}

/// The path of the state file. Its lock, and a temporary file with a run's number in its name, are
/// created next to it.
pub(super) fn state_file(value: &Value) -> Reading<PathBuf> {
    let path = path(value)?;
    let name = path.file_name().filter(|_| !path.as_os_str().as_encoded_bytes().ends_with(b"/"));
    match name.is_some_and(|name| name.len() <= STATE_FILE_MAX_LENGTH) {
        true => Ok(path),
        false => Err(format!("allowed is the path of a file whose name has 1 to {STATE_FILE_MAX_LENGTH} bytes")),
    }
}

/// A path on this machine, given without `file:`.
pub(super) fn path(value: &Value) -> Reading<PathBuf> {
    value
        .as_str()
        .filter(|path| is_path(path) && !path.starts_with("file:"))
        .map(PathBuf::from)
        .ok_or_else(|| "allowed is the path of a file on this machine, without \"file:\"".to_owned())
}

/// A list of roles.
pub(super) fn role_list(value: &Value) -> Reading<Vec<String>> {
    let roles: Option<Vec<String>> = value.as_array().and_then(|items| {
        let role = |item: &Value| item.as_str().filter(|role| !role.is_empty()).map(str::to_owned);
        items.iter().map(role).collect()
    });
    roles.ok_or_else(|| "allowed is a list of non-empty strings; roles.default is for lines without a role".to_owned())
}

/// Whether the system could open such a path at all.
pub(super) fn is_path(path: &str) -> bool {
    !path.is_empty() && !path.contains('\0')
}

fn from_to<T: Display>(range: &RangeInclusive<T>) -> String {
    format!("from {} to {}", range.start(), range.end())
}

/// `allowed are "a", "b" and "c"`.
fn allowed_words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut words: Vec<_> = words.map(|word| format!("{word:?}")).collect();
    let last = words.pop().expect("a choice has words");
    if words.is_empty() { format!("allowed is {last}") } else { format!("allowed are {} and {last}", words.join(", ")) }
}
