//! Numbers that are not digits alone: `1001.0`, `1e3`, and numbers in quotes. The result is exact,
//! because no float is involved.

use std::str::from_utf8;

use crate::record::Reason;

/// No int64 has more digits.
const MOST_DIGITS: usize = 19;

/// The integer that `text` is as a JSON number; [`Reason::WrongType`] if it is no number or no
/// integer.
pub(super) fn integer(text: &[u8]) -> Result<i64, Reason> {
    let Number { negative, whole, fraction, exponent } = Number::of(text).ok_or(Reason::WrongType)?;
    let digits: Vec<u8> = whole.iter().chain(fraction).copied().skip_while(|digit| *digit == b'0').collect();
    let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
    let significant = &digits[..digits.len() - zeros];
    if significant.is_empty() {
        return Ok(0);
    }
    // The casts are exact, because lines are far shorter than 2^63 bytes.
    let power = exponent.saturating_add(zeros as i64).saturating_sub(fraction.len() as i64);
    let power = usize::try_from(power).map_err(|_| Reason::WrongType)?;
    if significant.len().saturating_add(power) > MOST_DIGITS {
        return Err(Reason::IntegerOutOfRange);
    }
    let sign: &[u8] = if negative { b"-" } else { b"" };
    let integer = [sign, significant, &b"0".repeat(power)].concat();
    from_utf8(&integer).ok().and_then(|integer| integer.parse().ok()).ok_or(Reason::IntegerOutOfRange)
}

/// A JSON number, taken apart.
struct Number<'t> {
    negative: bool,
    whole: &'t [u8],
    fraction: &'t [u8],
    /// Saturated if it does not fit.
    exponent: i64,
}

impl<'t> Number<'t> {
    /// None if `text` is no JSON number.
    fn of(text: &'t [u8]) -> Option<Self> {
        let (negative, text) = match text {
            [b'-', text @ ..] => (true, text),
            text => (false, text),
        };
        let (whole, text) = digits(text)?;
        if whole.len() > 1 && whole[0] == b'0' {
            return None;
        }
        let (fraction, text) = match text {
            [b'.', text @ ..] => digits(text)?,
            text => (&text[..0], text),
        };
        let exponent = match text {
            [] => 0,
            [b'e' | b'E', b'-', text @ ..] => -power(text)?,
            [b'e' | b'E', b'+', text @ ..] | [b'e' | b'E', text @ ..] => power(text)?,
            _ => return None,
        };
        Some(Number { negative, whole, fraction, exponent })
    }
}

/// The digits that `text` begins with, at least one, and what follows.
fn digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (length > 0).then(|| text.split_at(length))
}

/// The number that `text` is, saturated; none if it is not digits only.
fn power(text: &[u8]) -> Option<i64> {
    let (digits, []) = digits(text)? else { return None };
    Some(digits.iter().fold(0_i64, |power, digit| power.saturating_mul(10).saturating_add(i64::from(digit - b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact_in_every_form() {
        let many = format!("1{}e-400", "0".repeat(400));
        let forms = [
            ("0.0", 0),
            ("-0e999999999999999999999", 0),
            ("0.000", 0),
            ("1001.0", 1001),
            ("1e3", 1000),
            ("-1.25E2", -125),
            ("12300e-2", 123),
            ("9223372036854775807.000", i64::MAX),
            ("-9.223372036854775808e18", i64::MIN),
            ("1e+018", 1_000_000_000_000_000_000),
            (many.as_str(), 1),
        ];
        for (text, expected) in forms {
            assert_eq!(integer(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_integer_is_of_a_wrong_type() {
        for text in ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "1 ", "1x", "0x1", "NaN", "1.5", "1e-1", "-0.1"] {
            assert_eq!(integer(text.as_bytes()), Err(Reason::WrongType), "{text}");
        }
        assert_eq!(integer(b"1e-99999999999999999999"), Err(Reason::WrongType));
    }

    #[test]
    fn what_does_not_fit_is_out_of_range() {
        for text in ["9223372036854775808.0", "-9223372036854775809.0", "1e19", "1e99999999999999999999", "12.5e400"] {
            assert_eq!(integer(text.as_bytes()), Err(Reason::IntegerOutOfRange), "{text}");
        }
    }
}
