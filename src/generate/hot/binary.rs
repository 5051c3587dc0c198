//! Values as PostgreSQL's binary COPY has them: what the `…recv` functions read.

/// What a stream begins with: the signature, no flags, no extension.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with, in the place of a row's number of fields.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// The length of NULL.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();
/// The digits of a numeric have this base.
const BASE: u64 = 10_000;
/// Decimal digits of one of them.
const BASE_DIGITS: u32 = 4;

/// `rows`, each begun by [`begin`], as a whole stream.
pub(super) fn stream(rows: &[u8]) -> Vec<u8> {
    [HEADER, rows, &TRAILER].concat()
}

/// Begins a row of `fields` fields.
pub(super) fn begin(out: &mut Vec<u8>, fields: usize) {
    let fields = i16::try_from(fields).expect("a table has at most 1,600 columns");
    out.extend_from_slice(&fields.to_be_bytes());
}

pub(super) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(&NULL);
}

/// Appends a field: its length, and what `value` appends.
pub(super) fn field(out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&NULL);
    value(out);
    let length = i32::try_from(out.len() - at - NULL.len()).expect("values are short");
    out[at..at + NULL.len()].copy_from_slice(&length.to_be_bytes());
}

/// A numeric: `unscaled` without the point that comes before its last `scale` digits.
pub(super) fn numeric(out: &mut Vec<u8>, unscaled: u64, scale: u16) {
    // Whole digits of the base on both sides of the point.
    let behind = u32::from(scale).div_ceil(BASE_DIGITS);
    let padded = u128::from(unscaled) * 10_u128.pow(behind * BASE_DIGITS - u32::from(scale));
    let mut digits = Vec::new();
    let mut left = padded;
    while left > 0 {
        let digit = u16::try_from(left % u128::from(BASE)).expect("it is below the base");
        digits.push(digit);
        left /= u128::from(BASE);
    }
    digits.reverse();
    let count = i16::try_from(digits.len()).expect("it has few digits");
    // The weight of the first digit, as a power of the base.
    let weight = count - i16::try_from(behind).expect("it has few digits") - 1;
    let weight = if count == 0 { 0 } else { weight };
    for part in [count, weight, 0] {
        out.extend_from_slice(&part.to_be_bytes());
    }
    out.extend_from_slice(&scale.to_be_bytes());
    digits.iter().for_each(|digit| out.extend_from_slice(&digit.to_be_bytes()));
}

/// Begins an array of one dimension, with `length` elements of the type with the number `element`.
pub(super) fn array(out: &mut Vec<u8>, element: u32, length: i32) {
    let dimensions = i32::from(length > 0);
    // Whether there are NULLs is not asked.
    for part in [dimensions, 0] {
        out.extend_from_slice(&part.to_be_bytes());
    }
    out.extend_from_slice(&element.to_be_bytes());
    if length > 0 {
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&1_i32.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digits, the weight and the scale that PostgreSQL is sent.
    fn sent(unscaled: u64, scale: u16) -> (Vec<u16>, i16, u16) {
        let mut out = Vec::new();
        numeric(&mut out, unscaled, scale);
        let part = |at: usize| u16::from_be_bytes([out[2 * at], out[2 * at + 1]]);
        assert_eq!((usize::from(part(0)), part(2)), (out.len() / 2 - 4, 0), "the number of digits, and no sign");
        ((4..out.len() / 2).map(part).collect(), part(1).cast_signed(), part(3))
    }

    #[test]
    fn numerics_have_digits_of_ten_thousand_on_both_sides_of_the_point() {
        assert_eq!(sent(0, 2), (vec![], 0, 2));
        assert_eq!(sent(12_345, 0), (vec![1, 2_345], 1, 0));
        // 123.45
        assert_eq!(sent(12_345, 2), (vec![123, 4_500], 0, 2));
        // 0.0000123
        assert_eq!(sent(123, 7), (vec![1_230], -2, 7));
        assert_eq!(sent(999_999_999_999_999_999, 7), (vec![999, 9_999, 9_999, 9_999, 9_990], 2, 7));
    }

    #[test]
    fn a_field_has_its_length_before_it() {
        let mut out = Vec::new();
        begin(&mut out, 3);
        field(&mut out, |out| out.extend_from_slice(b"abc"));
        null(&mut out);
        field(&mut out, |_| ());
        assert_eq!(out, b"\0\x03\0\0\0\x03abc\xff\xff\xff\xff\0\0\0\0");
        assert_eq!(stream(&out).len(), HEADER.len() + out.len() + 2);
    }
}
