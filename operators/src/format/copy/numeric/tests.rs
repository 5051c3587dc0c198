//! Which numerics are decimals of which precision and scale.

use super::*;

/// A numeric as PostgreSQL sends it. The scale with which it would be shown is of no concern.
fn numeric(sign: u16, weight: i16, digits: &[u16]) -> Vec<u8> {
    let header = [digits.len() as u16, weight.cast_unsigned(), sign, 7];
    header.iter().chain(digits).flat_map(|number| number.to_be_bytes()).collect()
}

fn decoded(value: &[u8], precision: u8, scale: i8) -> Result<i128, BadValue> {
    Decimals::new(precision, scale).decode(value)
}

#[test]
fn decimals_are_exact() {
    let nines = [9_999; 10];
    let most = 10_i128.pow(38) - 1;
    let table: &[(i16, &[u16], u8, i8, i128)] = &[
        // Zero has no digits, whatever its weight.
        (0, &[], 1, 0, 0),
        (i16::MAX, &[], 38, 38, 0),
        (i16::MAX, &[0], 38, 38, 0),
        (i16::MIN, &[0, 0], 38, 38, 0),
        // 1, 1.00, 12345678, 10000, 100000000.00
        (0, &[1], 1, 0, 1),
        (0, &[1], 3, 2, 100),
        (1, &[1_234, 5_678], 8, 0, 12_345_678),
        (1, &[1], 5, 0, 10_000),
        (2, &[1], 11, 2, 10_000_000_000),
        // 1234.5, 0.01, 0.001, 0.0001, 0.00000001
        (0, &[1_234, 5_000], 6, 2, 123_450),
        (-1, &[100], 2, 2, 1),
        (-1, &[10], 3, 3, 1),
        (-1, &[1], 4, 4, 1),
        (-2, &[1], 8, 8, 1),
        (-2, &[1], 38, 38, 10_i128.pow(30)),
        // Zeros at both ends, which PostgreSQL strips.
        (1, &[0, 7, 0, 0], 3, 1, 70),
        // 12000 in thousands.
        (1, &[1, 2_000], 2, -3, 12),
        // As many digits as there may be, before the point and after it.
        (9, &[99, 9_999, 9_999, 9_999, 9_999, 9_999, 9_999, 9_999, 9_999, 9_999], 38, 0, most),
        (-1, &[9_999, 9_999, 9_999, 9_999, 9_999, 9_999, 9_999, 9_999, 9_999, 9_900], 38, 38, most),
        (0, &[9, 9_999, 9_999, 9_999, 9_999, 9_999, 9_999, 9_999, 9_999, 9_999, 9_000], 38, 37, most),
    ];
    for &(weight, digits, precision, scale, expected) in table {
        let told = format!("{digits:?} of weight {weight} in ({precision}, {scale})");
        assert_eq!(decoded(&numeric(POSITIVE, weight, digits), precision, scale), Ok(expected), "{told}");
        assert_eq!(decoded(&numeric(NEGATIVE, weight, digits), precision, scale), Ok(-expected), "-{told}");
    }
    assert_eq!(decoded(&numeric(POSITIVE, 9, &nines), 38, 0), Err(BadValue::Precision));
}

#[test]
fn digits_beyond_the_scale_are_refused_unless_they_are_zero() {
    for (weight, digits, scale) in [
        (0, &[1, 1][..], 2),
        (-1, &[1], 3),
        (-1, &[1_010], 2),
        (-1, &[1], 0),
        (0, &[1, 0, 1], 4),
        (i16::MIN, &[1], 38),
        (0, &[999], -3),
    ] {
        assert_eq!(decoded(&numeric(POSITIVE, weight, digits), 38, scale), Err(BadValue::Scale), "{digits:?}");
    }
}

#[test]
fn more_digits_than_the_precision_are_refused() {
    for (weight, digits, precision, scale) in [
        (0, &[10][..], 1, 0),
        (0, &[1], 2, 2),
        (1, &[1], 4, 0),
        (9, &[100], 38, 0),
        (i16::MAX, &[1], 38, 0),
        (i16::MAX, &[1; 32_767], 38, 38),
    ] {
        assert_eq!(decoded(&numeric(NEGATIVE, weight, digits), precision, scale), Err(BadValue::Precision));
    }
}

#[test]
fn no_decimal_is_nan_or_infinite() {
    for sign in [NAN, INFINITE, MINUS_INFINITE] {
        assert_eq!(decoded(&numeric(sign, 0, &[]), 38, 0), Err(BadValue::NotFinite));
    }
}

#[test]
fn damaged_numerics_are_refused() {
    assert_eq!(decoded(&numeric(0x8000, 0, &[1]), 38, 0), Err(BadValue::Malformed), "no such sign");
    assert_eq!(decoded(&numeric(POSITIVE, 0, &[10_000]), 38, 0), Err(BadValue::Malformed), "no such digit");
    let whole = numeric(POSITIVE, 0, &[1, 2]);
    for length in 0..whole.len() {
        assert_eq!(decoded(&whole[..length], 38, 10), Err(BadValue::Length), "{length} bytes");
    }
    assert_eq!(decoded(&[&whole[..], &[0]].concat(), 38, 10), Err(BadValue::Length), "a byte more");
    let mut negative = whole;
    negative[0] = 0x80;
    assert_eq!(decoded(&negative, 38, 10), Err(BadValue::Length), "a negative number of digits");
}
