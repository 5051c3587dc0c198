//! Escapes: the content of a JSON string becomes the text it stands for, appended to a buffer that
//! lines share.
//!
//! The parser's own decoder allocates for each line that has an escape, and most messages have one;
//! this one does not. The grammar has been checked before; the only fault left to find is a
//! surrogate without its partner, which UTF-8 cannot represent. If a string is refused, the text
//! appended so far stays in the buffer, because the line is rejected anyway.

use crate::format::logs::record::Reason;

/// Appends what `content`, the inside of a JSON string, stands for. Its first backslash is at
/// `first_escape`.
pub(super) fn decode(content: &str, first_escape: usize, decoded: &mut String) -> Result<(), Reason> {
    let mut rest = content;
    let mut next_escape = Some(first_escape);
    while let Some(at) = next_escape {
        decoded.push_str(&rest[..at]);
        let (character, length) = escape(&rest.as_bytes()[at..]).ok_or(Reason::InvalidJson)?;
        decoded.push(character);
        rest = &rest[at + length..];
        next_escape = memchr::memchr(b'\\', rest.as_bytes());
    }
    decoded.push_str(rest);
    Ok(())
}

/// The character of the escape that `bytes` starts with, and how long the escape is.
fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let character = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(bytes),
        _ => return None,
    };
    Some((character, 2))
}

/// The character of one `\uXXXX`, or of two that form a surrogate pair.
fn unicode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = code_unit(bytes)?;
    if !(0xD800..0xDC00).contains(&first) {
        // A low surrogate without a high one before it is no character, so `None`.
        return char::from_u32(first).map(|character| (character, 6));
    }
    let second = code_unit(&bytes[6..]).filter(|unit| (0xDC00..0xE000).contains(unit))?;
    let code_point = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    char::from_u32(code_point).map(|character| (character, 12))
}

/// The number in the `\uXXXX` that `bytes` starts with.
fn code_unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(content: &str) -> Result<String, Reason> {
        let mut decoded = String::new();
        let first_escape = content.find('\\').expect("the test's content has an escape");
        decode(content, first_escape, &mut decoded).map(|()| decoded)
    }

    #[test]
    fn every_escape_is_decoded() {
        assert_eq!(decoded(r#"\"\\\/\b\f\n\r\t"#).as_deref(), Ok("\"\\/\u{8}\u{c}\n\r\t"));
        assert_eq!(decoded(r"a\u0041\u00e9\u2603\uFFFFz").as_deref(), Ok("aAé☃\u{ffff}z"));
        assert_eq!(decoded(r"\u0000").as_deref(), Ok("\0"));
    }

    #[test]
    fn text_around_escapes_is_kept() {
        assert_eq!(decoded(r"café\n☃ 😀\\").as_deref(), Ok("café\n☃ 😀\\"));
    }

    #[test]
    fn a_pair_of_surrogates_is_one_character() {
        assert_eq!(decoded(r"<\ud83d\uDE00>").as_deref(), Ok("<😀>"));
        assert_eq!(decoded(r"\ud800\udc00\udbff\udfff").as_deref(), Ok("\u{10000}\u{10ffff}"));
    }

    #[test]
    fn a_surrogate_without_its_partner_is_refused() {
        let lone = [
            r"\ud83d",
            r"\ude00",
            r"\ud83dx",
            r"\ud83d\n",
            r"\ud83d\u0041",
            r"\ud83d\ud83d\ude00",
            r"\ude00\ud83d",
            r"\ud83d\u",
        ];
        for content in lone {
            assert_eq!(decoded(content), Err(Reason::InvalidJson), "{content}");
        }
    }
}
