//! The texts of `min_value` and `max_value` in `ducklake_file_column_stats` and
//! `ducklake_table_column_stats`.
//!
//! | type | text |
//! |---|---|
//! | boolean | `0`, `1` |
//! | integers, decimals | all digits, those of a decimal's scale too: `12.3400000` |
//! | floats | the fewest digits that are read back as the same: `1.5`, `1e+16`, `inf`, `-inf` |
//! | date | `2024-01-15`, `0044-03-15 (BC)`, `infinity`, `-infinity` |
//! | time | `12:30:00.123456`, zeros at the end of the fraction cut |
//! | timestamp, timestamptz | date, a blank, time, and `+00` if it is in UTC |
//! | uuid | `550e8400-e29b-41d4-a716-446655440000` |
//! | blob | hexadecimal, upper case |
//! | varchar, json | as it is |
//!
//! They are as DuckDB 1.5.5 writes them in files' statistics, which leaves out the `0` of `-0.001`
//! if its type has no digits before the point. In those of a table it also leaves `true`, and bytes
//! as they are with `\x00` for what cannot be printed. All that is read, and written as above.
//!
//! Guarantees: a text is a bound. What is read is read exactly or not at all; where two readings
//! are possible, or a text is shortened, the result is a looser bound, never a narrower one. In a
//! table's statistics no text would mean no values (DuckDB 1.5.5 skips rows then), so where
//! nothing is known, [`lowest`] and [`highest`] are what to write.

mod moments;
mod numbers;
mod shorter;
mod widest;

use uuid::Uuid;

use crate::sink::parquet::Bound;

use super::types::LakeType;
pub(super) use widest::{highest, lowest};

/// A blob's text that may be hexadecimal or plain is taken as no less than this byte, as plain text
/// begins with a digit or letter.
const BEFORE_DIGITS: u8 = b'0';
/// The same, as no greater: the first byte after `f`.
const AFTER_DIGITS: u8 = b'g';

/// The text of a bound of the type `of`, which for a list is that of its element; of a maximum, if
/// `is_max`. A long text or blob is cut, and raised if it is a maximum. None if there is none: the
/// bound is not of this type, or NaN, or no moment that DuckDB knows, or has a NUL, which
/// PostgreSQL does not take.
pub(super) fn text(bound: &Bound, of: &LakeType, is_max: bool) -> Option<String> {
    match (bound, of) {
        (Bound::Bool(value), LakeType::Boolean) => Some(u8::from(*value).to_string()),
        (Bound::Signed(value), LakeType::Int8 | LakeType::Int16 | LakeType::Int32 | LakeType::Int64) => {
            Some(value.to_string())
        }
        (Bound::Unsigned(value), LakeType::UInt8 | LakeType::UInt16 | LakeType::UInt32 | LakeType::UInt64) => {
            Some(value.to_string())
        }
        (Bound::Float(value), LakeType::Float32) if !value.is_nan() => Some(numbers::float(&format!("{value:?}"))),
        (Bound::Double(value), LakeType::Float64) if !value.is_nan() => Some(numbers::float(&format!("{value:?}"))),
        (Bound::Decimal(digits), LakeType::Decimal { scale, .. }) => Some(numbers::decimal(*digits, *scale)),
        (Bound::Signed(days), LakeType::Date) => moments::date(*days),
        (Bound::Signed(micros), LakeType::Time) => moments::time(*micros),
        (Bound::Signed(micros), LakeType::Timestamp) => moments::timestamp(*micros, ""),
        (Bound::Signed(micros), LakeType::Timestamptz) => moments::timestamp(*micros, "+00"),
        (Bound::Bytes(bytes), LakeType::Uuid) => Uuid::from_slice(bytes).ok().map(|uuid| uuid.to_string()),
        (Bound::Bytes(bytes), LakeType::Blob) => {
            Some(shorter::bytes(bytes, is_max).iter().map(|byte| format!("{byte:02X}")).collect())
        }
        (Bound::Text(text), LakeType::Varchar | LakeType::Json) => {
            (!text.contains('\0')).then(|| shorter::text(text, is_max))
        }
        _ => None,
    }
}

/// The lesser of two minima of a column, as [`text`] writes it. None if one of them cannot be
/// understood: [`lowest`] then.
pub(super) fn least(a: &str, b: &str, of: &LakeType) -> Option<String> {
    let (a, b) = (read(a, of, false)?, read(b, of, false)?);
    text(if b < a { &b } else { &a }, of, false)
}

/// The greater of two maxima of a column, as [`text`] writes it. None if one of them cannot be
/// understood: [`highest`] then.
pub(super) fn greatest(a: &str, b: &str, of: &LakeType) -> Option<String> {
    let (a, b) = (read(a, of, true)?, read(b, of, true)?);
    text(if b > a { &b } else { &a }, of, true)
}

/// The bound with this text, or a looser one.
pub(super) fn read(text: &str, of: &LakeType, is_max: bool) -> Option<Bound> {
    match of {
        LakeType::Boolean => match text {
            "0" | "false" => Some(Bound::Bool(false)),
            "1" | "true" => Some(Bound::Bool(true)),
            _ => None,
        },
        LakeType::Int8 | LakeType::Int16 | LakeType::Int32 | LakeType::Int64 => text.parse().ok().map(Bound::Signed),
        LakeType::UInt8 | LakeType::UInt16 | LakeType::UInt32 | LakeType::UInt64 => {
            text.parse().ok().map(Bound::Unsigned)
        }
        LakeType::Float32 => text.parse().ok().filter(|value: &f32| !value.is_nan()).map(Bound::Float),
        LakeType::Float64 => text.parse().ok().filter(|value: &f64| !value.is_nan()).map(Bound::Double),
        LakeType::Decimal { scale, .. } => numbers::digits(text, *scale).map(Bound::Decimal),
        LakeType::Date => moments::read_date(text).map(Bound::Signed),
        LakeType::Time => moments::read_time(text).map(Bound::Signed),
        LakeType::Timestamp => moments::read_timestamp(text, false).map(Bound::Signed),
        LakeType::Timestamptz => moments::read_timestamp(text, true).map(Bound::Signed),
        LakeType::Uuid => Uuid::parse_str(text).ok().map(|uuid| Bound::Bytes(uuid.as_bytes().to_vec())),
        LakeType::Blob => blob(text, is_max).map(Bound::Bytes),
        LakeType::Varchar | LakeType::Json => Some(Bound::Text(text.to_owned())),
        LakeType::Interval | LakeType::List(_) | LakeType::Other(_) => None,
    }
}

/// The bytes that `text` means. `1234` may be two bytes in hexadecimal, or four digits as they are:
/// then one byte bounds both, which means the same when it is read again.
fn blob(text: &str, is_max: bool) -> Option<Vec<u8>> {
    let Some(bytes) = hexadecimal(text.as_bytes()) else { return escaped(text.as_bytes()) };
    Some(match bytes.first() {
        Some(first) if !is_max && *first > BEFORE_DIGITS => vec![BEFORE_DIGITS],
        Some(first) if is_max && *first < AFTER_DIGITS => vec![AFTER_DIGITS],
        _ => bytes,
    })
}

/// The bytes whose digits these are, two each.
fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let one = |pair: &[u8]| match pair {
        [high, low] => Some(16 * digit(*high)? + digit(*low)?),
        _ => None,
    };
    digits.chunks(2).map(one).collect()
}

fn digit(of: u8) -> Option<u8> {
    char::from(of).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The bytes that DuckDB prints so: ASCII stands for itself, and `\x00` for any.
fn escaped(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    loop {
        rest = match rest {
            [] => return Some(bytes),
            [b'\\', b'x', high, low, rest @ ..] => {
                bytes.push(16 * digit(*high)? + digit(*low)?);
                rest
            }
            [plain, rest @ ..] if plain.is_ascii() && *plain != b'\\' => {
                bytes.push(*plain);
                rest
            }
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests;
