//! What each JSON value becomes in each type of column.

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
