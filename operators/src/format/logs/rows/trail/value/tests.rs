//! Where values end.

use super::*;

#[test]
fn the_first_byte_that_is_not_plain_is_found_wherever_it_stands() {
    for length in 0..40 {
        let text = "é~ \u{7f}\u{80}!#[]".repeat(8);
        for special in [b'"', b'\\', 0, 0x1f, b'\n'] {
            let mut bytes = text.as_bytes()[..length].to_vec();
            assert_eq!(plain(&bytes), length);
            bytes.extend([special, b'"', b'x', b'\\']);
            assert_eq!(plain(&bytes), length, "{special} after {length}");
        }
    }
}

#[test]
fn values_end_where_json_ends_them() {
    let cases = [
        (r#""a",1"#, Some((r#""a""#, Known::NoEscapes))),
        (r#""a\"\\" "#, Some((r#""a\"\\""#, Known::Nothing))),
        (r#""\u00e9""#, Some((r#""\u00e9""#, Known::Nothing))),
        ("0}", Some(("0", Known::Nothing))),
        ("-17,", Some(("-17", Known::Nothing))),
        ("null}", Some(("null", Known::Nothing))),
        (r#""a"#, None),
        (r#""\x""#, None),
        (r#""\u00g0""#, None),
        ("\"\t\"", None),
        ("01", None),
        ("-", None),
        ("1.5", None),
        ("1e3", None),
        ("[1]", None),
        ("{}", None),
        ("nul", None),
        ("", None),
    ];
    for (text, expected) in cases {
        let expected = expected.map(|(text, known)| Raw { text, known });
        assert_eq!(scan(text, 0, &[]), expected, "{text}");
    }
    assert_eq!(scan(r#""ab""#, 0, br#""ab""#), Some(Raw { text: r#""ab""#, known: Known::SameAsLast }));
    assert_eq!(scan(r#""abc""#, 0, br#""ab""#), Some(Raw { text: r#""abc""#, known: Known::NoEscapes }));
}
