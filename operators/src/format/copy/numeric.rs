//! PostgreSQL's numeric as a decimal of fixed scale. The result is exact, because no float is
//! involved, or there is none.
//!
//! A value is four numbers of 16 bits and its digits, each of 16 bits too: how many digits there
//! are, the weight of the first, the sign, and the scale with which it is shown. The digits are of
//! base 10,000, and the first counts 10,000^weight (`numeric_send` in PostgreSQL's `numeric.c`).

use super::error::BadValue;

/// The base of the digits.
const BASE: u32 = 10_000;
/// How many decimal digits are in one of base 10,000.
const STEP: i32 = 4;

const POSITIVE: u16 = 0;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITE: u16 = 0xd000;
const MINUS_INFINITE: u16 = 0xf000;

/// The powers of ten, to the greatest that an i128 holds.
static TENS: [u128; 39] = {
    let mut tens = [1; 39];
    let mut power = 1;
    while power < tens.len() {
        tens[power] = tens[power - 1] * 10;
        power += 1;
    }
    tens
};

/// Which decimals a column holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimals {
    pub(super) precision: u8,
    pub(super) scale: i8,
    /// The least magnitude, in units of the scale, that has more digits than the precision.
    beyond: u128,
}

impl Decimals {
    /// `precision` is at most 38, or 38 is taken.
    pub(super) fn new(precision: u8, scale: i8) -> Self {
        let beyond = TENS[usize::from(precision).min(TENS.len() - 1)];
        Decimals { precision, scale, beyond }
    }

    /// The binary numeric `value` in units of the scale.
    pub(super) fn decode(self, value: &[u8]) -> Result<i128, BadValue> {
        let (header, digits) = value.split_first_chunk::<8>().ok_or(BadValue::Length)?;
        let [c0, c1, w0, w1, s0, s1, _, _] = *header;
        let count = i16::from_be_bytes([c0, c1]);
        let weight = i16::from_be_bytes([w0, w1]);
        let sign = u16::from_be_bytes([s0, s1]);
        match sign {
            POSITIVE | NEGATIVE => {}
            NAN | INFINITE | MINUS_INFINITE => return Err(BadValue::NotFinite),
            _ => return Err(BadValue::Malformed),
        }
        let (digits, rest) = digits.as_chunks::<2>();
        if !rest.is_empty() || usize::try_from(count) != Ok(digits.len()) {
            return Err(BadValue::Length);
        }
        let magnitude = magnitude(digits, STEP * i32::from(weight) + i32::from(self.scale))?;
        if magnitude >= self.beyond {
            return Err(BadValue::Precision);
        }
        // The cast is exact, because the magnitude is below 10^38.
        let number = magnitude as i128;
        Ok(if sign == NEGATIVE { -number } else { number })
    }
}

/// The number that the `digits` of base 10,000 are. The first counts 10^`exponent`, in units of the
/// scale, and each of the others a 10,000th of the one before.
fn magnitude(digits: &[[u8; 2]], mut exponent: i32) -> Result<u128, BadValue> {
    let mut sum = 0_u128;
    for digit in digits {
        let digit = u32::from(u16::from_be_bytes(*digit));
        if digit >= BASE {
            return Err(BadValue::Malformed);
        }
        // How much of the digit is beyond the scale: all of it, a part, or nothing.
        let below = match exponent {
            0.. => 1,
            -1 => 10,
            -2 => 100,
            -3 => 1_000,
            _ => BASE,
        };
        if digit % below != 0 {
            return Err(BadValue::Scale);
        }
        let added = u128::from(digit / below);
        let sums = sum.checked_mul(u128::from(BASE / below)).and_then(|sum| sum.checked_add(added));
        sum = sums.ok_or(BadValue::Precision)?;
        exponent -= STEP;
    }
    // Zeros at the end of an integer are not sent.
    let zeros = exponent + STEP;
    if sum == 0 || zeros <= 0 {
        return Ok(sum);
    }
    let power = usize::try_from(zeros).ok().and_then(|zeros| TENS.get(zeros));
    power.and_then(|power| sum.checked_mul(*power)).ok_or(BadValue::Precision)
}

#[cfg(test)]
mod tests;
