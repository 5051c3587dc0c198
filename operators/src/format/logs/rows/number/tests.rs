//! Which numbers are integers, in every form that JSON has.

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
