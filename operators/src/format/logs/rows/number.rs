//! Numbers that are not digits alone: `1001.0`, `1e3`, and numbers in quotes. The result is exact,
//! because no float is involved.

use std::str::from_utf8;

use crate::format::logs::record::Reason;

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
mod tests;
