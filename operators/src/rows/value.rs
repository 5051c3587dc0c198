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

use crate::record::Reason;

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
mod tests {
    use super::super::columns::Kind;
    use super::*;

    fn judge<'line>(raw: &'line str, kind: Kind, decoded: &mut String) -> Result<Value<'line>, Reason> {
        let raw = Raw { text: raw, known: Known::Nothing };
        match kind {
            Kind::Text => text(raw, true, decoded),
            Kind::Time => time(raw, decoded, &mut Clock::default()),
            Kind::Integer => integer(raw, true, decoded),
        }
    }

    fn number(raw: &str, kind: Kind) -> Result<i64, Reason> {
        match judge(raw, kind, &mut String::new())? {
            Value::Number(number) => Ok(number),
            other => panic!("{raw} became {other:?}"),
        }
    }

    #[test]
    fn integers_keep_every_digit() {
        for value in [0, 1, -1, 20611, i64::MAX, i64::MIN] {
            assert_eq!(number(&value.to_string(), Kind::Integer), Ok(value));
        }
        assert_eq!(number("-0", Kind::Integer), Ok(0));
    }

    #[test]
    fn integers_beyond_int64_are_out_of_range() {
        for raw in ["9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e999", &"9".repeat(400)] {
            assert_eq!(number(raw, Kind::Integer), Err(Reason::IntegerOutOfRange), "{raw}");
            assert_eq!(number(&format!("\"{raw}\""), Kind::Integer), Err(Reason::IntegerOutOfRange), "{raw}");
        }
    }

    #[test]
    fn other_types_are_wrong_for_each_kind() {
        let wrong = [
            (
                Kind::Integer,
                &["1.5", "1e-3", "99999999999999999999.5", "\"\"", "\"x\"", "\" 1\"", "\"01\"", "true", "[1]", "{}"][..],
            ),
            (Kind::Text, &["[]", "{\"a\":1}"][..]),
            (Kind::Time, &["1795244401", "1.5", "false", "[\"2026-11-21T07:00:01Z\"]", "{}"][..]),
        ];
        for (kind, raws) in wrong {
            for raw in raws {
                assert_eq!(judge(raw, kind, &mut String::new()), Err(Reason::WrongType), "{raw}");
            }
        }
    }

    #[test]
    fn integers_in_quotes_and_integral_floats_are_integers() {
        for raw in ["7", "7.0", "0.7e1", "70E-1", "\"7\"", "\"7.00\"", r#""\u0037""#] {
            assert_eq!(number(raw, Kind::Integer), Ok(7), "{raw}");
        }
    }

    #[test]
    fn what_is_no_text_is_its_json_text_where_a_text_is_meant() {
        for raw in ["0", "-1.50", "1e999", "true", "false"] {
            assert_eq!(judge(raw, Kind::Text, &mut String::new()), Ok(Value::Text(Text::Borrowed(raw))));
        }
    }

    #[test]
    fn version_1_reads_no_number_in_another_form() {
        let raw = |text| Raw { text, known: Known::Nothing };
        for wrong in ["1.0", "1e3", "-1E2", "\"1\"", "true"] {
            assert_eq!(integer(raw(wrong), false, &mut String::new()), Err(Reason::WrongType), "{wrong}");
        }
        for wrong in ["1", "1e999", "true"] {
            assert_eq!(text(raw(wrong), false, &mut String::new()), Err(Reason::WrongType), "{wrong}");
        }
    }

    #[test]
    fn null_is_null_for_each_kind_but_the_string_null_is_a_string() {
        for kind in [Kind::Text, Kind::Integer, Kind::Time] {
            assert_eq!(judge("null", kind, &mut String::new()), Ok(Value::Null));
        }
        let value = judge("\"null\"", Kind::Text, &mut String::new());
        assert_eq!(value, Ok(Value::Text(Text::Borrowed("null"))));
    }

    #[test]
    fn strings_are_borrowed_unless_they_have_escapes() {
        let mut decoded = String::from("before");
        assert_eq!(judge("\"café\"", Kind::Text, &mut decoded), Ok(Value::Text(Text::Borrowed("café"))));
        let Ok(Value::Text(text)) = judge(r#""a\tb""#, Kind::Text, &mut decoded) else { panic!("not text") };
        assert_eq!(text, Text::Decoded(6..9));
        assert_eq!(text.get(&decoded), "a\tb");
    }

    #[test]
    fn times_are_unescaped_before_they_are_read() {
        assert_eq!(number("\"1970-01-01T00:00:01Z\"", Kind::Time), Ok(1_000_000));
        assert_eq!(number(r#""1970-01-01\u005400:00:01\u005a""#, Kind::Time), Ok(1_000_000));
        assert_eq!(number("\"\"", Kind::Time), Err(Reason::MalformedTime));
        assert_eq!(number("\"yesterday\"", Kind::Time), Err(Reason::MalformedTime));
    }
}
