//! Why a line is no row: the key to blame, and the type of its value beside the expected one. Never
//! the value.

use super::columns::{Column, Scope};
use crate::format::logs::record::Reason;

/// Why the value `raw` of `column` was refused for `reason`. `trouble` explains why it is no time.
pub(super) fn of(column: &Column, raw: &str, reason: Reason, trouble: impl Fn(&str) -> &'static str) -> String {
    let scope = match column.scope {
        Scope::Top => "",
        Scope::Properties => "properties.",
    };
    let (key, expected) = (column.key, column.kind.word());
    let blamed = match reason {
        Reason::IntegerOutOfRange => "an integer beyond 64 bits".to_owned(),
        Reason::MalformedTime => trouble(raw).to_owned(),
        Reason::WrongType => format!("{}, expected {expected}", word(raw)),
        _ => "half a surrogate pair".to_owned(),
    };
    format!("{scope}{key}: {blamed}")
}

/// Why `properties` was refused, whose value is a `found`.
pub(super) fn of_properties(found: &str) -> String {
    format!("properties: {found}, expected object")
}

/// What JSON calls the value `raw`, which is not null.
fn word(raw: &str) -> &'static str {
    match raw.as_bytes() {
        [b'"', ..] => "string",
        [b'{', ..] => "object",
        [b'[', ..] => "array",
        [b't' | b'f', ..] => "boolean",
        _ => "number",
    }
}
