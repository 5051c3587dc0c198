//! Values: the raw JSON text of one column becomes what its column holds, or the reason why it
//! cannot.
//!
//! Nothing is guessed, and nothing is silently null: only an absent key and JSON `null` are. A
//! value that can mean only one thing is read as that: `"1001"` and `1001.0` are integers in an
//! integer column, and a number or a boolean in a text column is its JSON text. Under version 1 of
//! the row rules (not `lenient`), neither a string nor `1.0` is an integer, and neither a number
//! nor a boolean is a text. The text has already passed a JSON parser, so only its meaning is
//! judged here.

use std::ops::Range;

use crate::format::logs::record::Reason;

use super::escapes::decode;
use super::line::{Known, Raw};
use super::number;
use super::time::Clock;

/// The value of one column of one line. Its tag is as wide as a word, for the reason given at
/// [`Known`].
#[derive(Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Value<'line> {
    /// The key is absent, or its value is `null`.
    Null,
    /// A string.
    Text(Text<'line>),
    /// A string that is in the column's dictionary, as its key.
    Key(u16),
    /// An integer, or a moment in microseconds.
    Number(i64),
}

/// A string after unescaping.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Text<'line> {
    /// Without escapes: as it stands in the line.
    Borrowed(&'line str),
    /// Its place in the buffer of decoded text.
    Decoded(Range<usize>),
}

impl Text<'_> {
    /// The string itself; `decoded` is the buffer it was judged with.
    pub(super) fn get<'a>(&'a self, decoded: &'a str) -> &'a str {
        match self {
            Text::Borrowed(text) => text,
            Text::Decoded(range) => &decoded[range.clone()],
        }
    }
}

/// Judges the value of a text column. Strings with escapes are appended to `decoded`.
pub(super) fn text<'line>(raw: Raw<'line>, lenient: bool, decoded: &mut String) -> Result<Value<'line>, Reason> {
    match raw.text.as_bytes() {
        [b'"', ..] => string(raw, decoded).map(Value::Text),
        b"null" => Ok(Value::Null),
        [b'{' | b'[', ..] => Err(Reason::WrongType),
        _ if lenient => Ok(Value::Text(Text::Borrowed(raw.text))),
        _ => Err(Reason::WrongType),
    }
}

/// Judges the value of a time column, read by `clock`.
pub(super) fn time<'line>(raw: Raw<'line>, decoded: &mut String, clock: &mut Clock) -> Result<Value<'line>, Reason> {
    match text(raw, false, decoded)? {
        Value::Text(text) => clock.parse_micros(text.get(decoded)).map(Value::Number).ok_or(Reason::MalformedTime),
        value => Ok(value),
    }
}

/// Judges the value of an integer column. Strings with escapes are appended to `decoded`.
pub(super) fn integer<'line>(raw: Raw<'line>, lenient: bool, decoded: &mut String) -> Result<Value<'line>, Reason> {
    match raw.text.as_bytes() {
        b"null" => Ok(Value::Null),
        number @ [b'-' | b'0'..=b'9', ..] => match int64(number) {
            Err(Reason::WrongType) if lenient => number::integer(number).map(Value::Number),
            integer => integer.map(Value::Number),
        },
        // A string that cannot be decoded is no number.
        [b'"', ..] if lenient => match string(raw, decoded) {
            Ok(text) => number::integer(text.get(decoded).as_bytes()).map(Value::Number),
            Err(_) => Err(Reason::WrongType),
        },
        _ => Err(Reason::WrongType),
    }
}

/// The string that `raw`, quotes included, stands for.
fn string<'line>(raw: Raw<'line>, decoded: &mut String) -> Result<Text<'line>, Reason> {
    let content = &raw.text[1..raw.text.len() - 1];
    let escape = match raw.known {
        Known::NoEscapes => None,
        Known::Nothing | Known::SameAsLast => memchr::memchr(b'\\', content.as_bytes()),
    };
    let Some(first_escape) = escape else { return Ok(Text::Borrowed(content)) };
    let start = decoded.len();
    decode(content, first_escape, decoded)?;
    Ok(Text::Decoded(start..decoded.len()))
}

/// The integer that the JSON number `raw` stands for. `-0` is zero, because integers have only one.
fn int64(raw: &[u8]) -> Result<i64, Reason> {
    let (negative, digits) = match raw {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // A fraction or an exponent makes the type wrong, even if the number is also too large.
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Reason::WrongType);
    }
    // Counted downwards, because the least int64 has no positive counterpart.
    let below_zero =
        digits.iter().try_fold(0_i64, |value, digit| value.checked_mul(10)?.checked_sub(i64::from(digit - b'0')));
    let value = if negative { below_zero } else { below_zero.and_then(i64::checked_neg) };
    value.ok_or(Reason::IntegerOutOfRange)
}

#[cfg(test)]
mod tests;
